"""Figure 1: finished workflows into the archive, against straight COPY and against Argo's statements."""

from collections.abc import Sequence

import psycopg

from argo_retention.core.archive_rows import build_row
from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.log_references import named_objects
from argo_retention.core.logs import LogRecord, LogSource, LogState
from argo_retention.core.manifests import decode
from argo_retention.core.nodes import log_artifacts
from argo_retention.operations.archive_batches import BatchArchiver, Refusal
from argo_retention.operations.archiving import in_batches, pipeline
from argo_retention.operations.site import Site
from benchmarks.argo_statements import Values, archive_as_argo, content, copy_rows, values_of
from benchmarks.figures import Bar, Figure, Spent, clock, rounds
from benchmarks.opening import CLUSTER, opened
from benchmarks.stage import NOW, Stage
from benchmarks.workflows import BUCKET, SceneBuilder, body_of, make_runs

ROUNDS = 3


def measure(stage: Stage) -> list[Figure]:
    """All three sides write the same rows into a database of their own, in turns."""
    count = stage.size(3000, 300)
    builder = SceneBuilder(name=CLUSTER, clustername=CLUSTER, now=NOW)
    runs = make_runs(builder, count, s3=stage.s3_address, named_logs=True)
    bodies = [body_of(run) for run in runs]
    rows = [build_row(decode(body), clustername=CLUSTER, instanceid="") for body in bodies]
    contents: list[Values] = []

    def ours(_: int) -> Spent:
        with stage.installation() as installation, opened(installation) as (site, grant):
            record_logs(site, grant, bodies)
            with clock(count) as spent:
                archive_bodies(site, grant, bodies)
            contents.append(content(installation.dsn))
        return spent

    def copy(_: int) -> Spent:
        values = [values_of(row) for row in rows]
        labels = [(r.clustername, r.uid, *pair) for r in rows for pair in r.labels.items()]
        with stage.database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
            with clock(count) as spent:
                copy_rows(connection, values, labels)
            contents.append(content(dsn))
        return spent

    def argo(_: int) -> Spent:
        with stage.database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
            with clock(count) as spent:
                archive_as_argo(connection, rows)
            contents.append(content(dsn))
        return spent

    speed, limit, today = rounds(stage.size(ROUNDS, 1), ours, copy, argo)
    if set(contents) != {contents[0]} or contents[0][0] < count:
        raise AssertionError(f"the archives differ: {contents}")
    size = sum(map(len, bodies)) / count / 1000
    return [
        Figure(
            figure="archive path",
            unit="workflows/s",
            ours=speed.rate,
            limit=limit.rate,
            today=today.rate,
            cpu={"ours": speed, "limit": limit, "today": today},
            bars=[
                Bar(of="limit", sign=">=", bound=0.7),
                Bar(of="today", sign=">=", bound=2.5),
            ],
            note=f"{count} workflows of {size:.1f} KB, logs settled before; limit: COPY of finished rows on "
            "one connection; today: Argo's statements; digests of rows and labels equal; all begin with empty "
            "tables, whose statistics only ours takes on the way",
        )
    ]


def archive_bodies(site: Site, grant: LeaseGrant, bodies: Sequence[bytes]) -> None:
    """As the product does, with what it lists already in memory."""
    with BatchArchiver(site, grant) as archiver:

        def work(batch: Sequence[bytes]) -> None:
            refused = [r for r in archiver.archive(batch) if isinstance(r, Refusal)]
            if refused:
                raise AssertionError(f"refused: {refused[0]}")

        pipeline(in_batches(iter(bodies)), work)


def record_logs(site: Site, grant: LeaseGrant, bodies: Sequence[bytes]) -> None:
    """What an earlier step knows of their logs: all are stored. Logs have a figure of their own."""
    for start in range(0, len(bodies), 500):
        records = []
        for body in bodies[start : start + 500]:
            manifest = decode(body)
            keys = {key for _, key in named_objects(manifest, repository_bucket=BUCKET)}
            for artifact in log_artifacts(manifest):
                if artifact.key not in keys:
                    raise AssertionError(artifact.key)
                records.append(
                    LogRecord(
                        clustername=CLUSTER,
                        uid=manifest["metadata"]["uid"],
                        namespace=manifest["metadata"]["namespace"],
                        workflow=manifest["metadata"]["name"],
                        node_id=artifact.node_id,
                        container=artifact.container,
                        state=LogState.STORED,
                        reason="",
                        source=LogSource.ARGO,
                        bucket=BUCKET,
                        key=artifact.key,
                        size=1024,
                        etag='"0"',
                    )
                )
        site.archive.record_logs(grant, records)
