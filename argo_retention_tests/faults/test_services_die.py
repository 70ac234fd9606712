"""P7: what Dagster runs is killed in the middle of a run: it is found failed, the lease is freed, the next run ends it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator

import dagster as dg
import pytest

from argo_retention.cli.executing import dagster_instance
from argo_retention_tests.soak.installation import KEEP, Installation, installation
from argo_retention_tests.soak.judging import judge
from argo_retention_tests.soak.traffic import Traffic
from argo_retention_tests.wire.http_wire import HttpFault

SECONDS = 240
WORKFLOWS = 400


@pytest.fixture(scope="module")
def made() -> Iterator[Installation]:
    with pytest.MonkeyPatch.context() as patch, installation(longest_run=60) as started:
        for name, value in started.environment.items():
            patch.setenv(name, value)
        yield started


def wait_for(what: str, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(1)


def statuses() -> dict[str, str]:
    with dagster_instance() as instance:
        return {run.run_id: run.status.value for run in instance.get_runs(limit=100)}


def ended(runs: set[str]) -> bool:
    now = statuses()
    return all(now.get(run) != "STARTED" for run in runs)


@pytest.mark.timeout(900)
def test_p7_daemon_code_server_and_webserver_are_killed_in_the_middle_of_a_run(
    made: Installation,
) -> None:
    traffic = Traffic(
        url=made.api_url,
        token=made.scene.admin_token,
        rate=100,
        s3=made.servers.s3_address,
        bucket=made.scene.buckets[0],
    )
    traffic.start()
    wait_for("traffic", lambda: len(traffic.made) >= WORKFLOWS)
    traffic.stop()
    # Each log is late, so that the run is in the middle for long enough.
    made.api.faults.append(HttpFault(kind="stall", path="/log", seconds=1, times=10_000))

    for name in ("webserver", "daemon", "code server", "run"):
        wait_for("a run that works", made.run_workers)
        before = {run for run, status in statuses().items() if status == "STARTED"}
        if name == "code server":
            victims = [*made.code_servers(), *made.run_workers()]  # as when a pod goes
        elif name == "run":
            victims = made.run_workers()
        else:
            victims = []
            made.kill(name)
        for each in victims:
            each.kill()
        if name in {"code server", "run"} and before:
            wait_for(f"found failed after the {name} went", lambda them=before: ended(them))
        made.keep_services_running()

    made.api.mend()
    since = time.time()

    def both_succeeded() -> bool:
        made.keep_services_running()
        with dagster_instance() as instance:
            records = instance.get_run_records(
                filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]), limit=50
            )
        done = {r.dagster_run.job_name for r in records if (r.start_time or 0) > since}
        return {"argo_retention", "argo_expiry"} <= done

    wait_for("a whole run of both jobs", both_succeeded)
    made.stop_services()
    time.sleep(2)
    judgement = judge(made.servers, traffic.made)
    assert (judgement.lost, judgement.orphan, judgement.half, judgement.unexplained) == (
        [],
        [],
        [],
        [],
    )
    of_phase = Counter(each.phase for each in traffic.made.values())
    assert judgement.counts["live"] == sum(min(KEEP, number) for number in of_phase.values())
