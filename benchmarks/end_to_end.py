"""Figure 2: from the emulated API to proven rows: list, snapshot, full objects, rows, labels, ledger, proof."""

from argo_retention.operations.archiving import archive_finished
from argo_retention.operations.snapshotting import take_snapshot
from benchmarks.figures import Bar, Figure, Spent, clock, rounds
from benchmarks.opening import opened
from benchmarks.stage import Stage
from benchmarks.workflows import make_runs

ROUNDS = 3


def measure(stage: Stage) -> list[Figure]:
    """Workflows a second, snapshot included; logs are not wanted, since they have a figure of their own."""
    count = stage.size(4000, 400)

    def ours(_: int) -> Spent:
        with (
            stage.installation(
                lambda builder: make_runs(builder, count, s3=stage.s3_address),
                logs={"save": "none"},
            ) as installation,
            opened(installation) as (site, grant),
        ):
            with clock(count) as spent:
                take_snapshot(site, grant)
                archived = archive_finished(site, grant)
            proven = site.archive.proven_versions(clustername=site.installation.clustername)
            found = sum(1 for proof in proven if proof.row_exists and proof.logs.is_settled)
        if found != count or archived.archived != count:
            raise AssertionError(f"{found} of {count} proven, {archived.refusals[:1]}")
        return spent

    [median] = rounds(stage.size(ROUNDS, 1), ours)
    return [
        Figure(
            figure="end to end, list to proven row",
            unit="workflows/s",
            ours=median.rate,
            cpu={"ours": median},
            bars=[Bar(of="ours", sign=">=", bound=700)],
            note=f"{count} workflows of 16 KB from the emulated API, snapshot included, logs.save: none",
        )
    ]
