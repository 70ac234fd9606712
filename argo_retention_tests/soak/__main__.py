"""The soak: traffic and troubles for so many minutes, then quiet, then the oracle; prints its figures."""

import os
import sys
import time
from collections import Counter

import click
import dagster as dg

from argo_retention.cli.executing import dagster_instance
from argo_retention_tests.soak.installation import Installation, installation
from argo_retention_tests.soak.judging import Judgement, judge
from argo_retention_tests.soak.measuring import Samples
from argo_retention_tests.soak.traffic import Traffic
from argo_retention_tests.soak.troubles import Troubles

#: After the last trouble: the slowest way back is a run that is found dead, and one more of each job.
QUIET_SECONDS = 900.0
SHOWN = 20


@click.command()
@click.option("--minutes", default=60.0, show_default=True, help="Of traffic.")
@click.option("--rate", default=50.0, show_default=True, help="Workflows that finish in a second.")
@click.option("--troubles/--no-troubles", default=True, show_default=True)
def main(*, minutes: float, rate: float, troubles: bool) -> None:
    """Soak, and judge."""
    print(
        f"Starting the servers, Dagster's webserver and its daemon; {minutes:g} minutes of traffic"
    )
    with installation() as made:
        traffic = Traffic(
            url=made.api_url,
            token=made.scene.admin_token,
            rate=rate,
            s3=made.servers.s3_address,
            bucket=made.scene.buckets[0],
        )
        trouble = Troubles(made, kill_every=60 if minutes < 20 else 240)
        samples = Samples(made)
        os.environ.update(made.environment)
        traffic.start()
        samples.start()
        if troubles:
            trouble.start()
        _wait(minutes * 60, traffic)
        traffic.stop()
        if troubles:
            trouble.stop()
        is_quiet = _until_quiet(made)
        samples.stop()
        runs = _runs()
        made.stop_services()
        time.sleep(2)
        judgement = judge(made.servers, traffic.made)
        if not is_quiet:
            judgement.half.append(f"no quiet run of each job within {QUIET_SECONDS:.0f} s")
        _report(judgement, traffic, trouble, samples, runs)
    sys.exit(0 if judgement.is_good else 1)


def _wait(seconds: float, traffic: Traffic) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(60, max(end - time.monotonic(), 0)))
        left = max(end - time.monotonic(), 0) / 60
        print(f"  {len(traffic.made)} made, {left:.0f} minutes left", flush=True)


def _until_quiet(made: Installation) -> bool:
    """Until retention and expiry both succeeded from a start after now; what supervises goes on."""
    since = time.time()
    while time.time() - since < QUIET_SECONDS:
        made.keep_services_running()
        with dagster_instance() as instance:
            done = {
                record.dagster_run.job_name
                for record in instance.get_run_records(
                    filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]), limit=50
                )
                if (record.start_time or 0) > since
            }
        if {"argo_retention", "argo_expiry"} <= done:
            return True
        time.sleep(5)
    return False


def _runs() -> Counter[str]:
    with dagster_instance() as instance:
        return Counter(
            f"{run.job_name} {run.status.value}" for run in instance.get_runs(limit=100_000)
        )


def _report(
    judgement: Judgement, traffic: Traffic, trouble: Troubles, samples: Samples, runs: Counter[str]
) -> None:
    for title, counter in (
        ("runs", runs),
        ("troubles", trouble.done),
        ("faults met", trouble.met),
        ("counted", judgement.counts),
    ):
        print(
            f"{title}: " + ", ".join(f"{number} {name}" for name, number in sorted(counter.items()))
        )
    print(f"traffic: never more than {traffic.late:.1f} s late")
    for name, size in judgement.sizes.items():
        print(f"size: {name} {size}")
    for role, pid, seconds, megabytes, slope, files_before, files in samples.slopes():
        print(
            f"memory: {role} {pid}, {seconds:.0f} s: {megabytes:.0f} MB, {slope:+.1f} MB an hour;"
            f" open files {files_before} -> {files}"
        )
    first, last = samples.runs_at_both_ends()
    print(f"memory: the largest run {first:.0f} MB in the first third, {last:.0f} MB in the last")
    for kind in ("lost", "orphan", "half", "unexplained", "leaks"):
        found = getattr(judgement, kind)
        for each in found[:SHOWN]:
            print(f"{kind}: {each}")
    print(
        f"{len(judgement.lost)} lost, {len(judgement.orphan)} orphaned, {len(judgement.half)} half,"
        f" {len(judgement.unexplained)} unexplained, {len(judgement.leaks)} leaked"
    )


if __name__ == "__main__":
    main()
