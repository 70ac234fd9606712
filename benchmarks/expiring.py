"""Figure 4: expiry of rows with labels, against one single DELETE as Argo sends it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from argo_retention.operations.expiring import expire
from argo_retention.operations.expiry_plans import make_expiry_plan
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import take_snapshot
from benchmarks.figures import Bar, Figure, Spent, clock, rounds
from benchmarks.opening import CLUSTER, opened
from benchmarks.stage import Stage
from benchmarks.workflows import one_pod_runs

ROUNDS = 3
LABELS = 4
#: 3 KB of JSON for each row: fifty thousand of 16 KB would measure the disk.
_FILL = """
INSERT INTO argo_archived_workflows
    (clustername, instanceid, uid, name, namespace, phase, startedat, finishedat, creationtimestamp, workflow)
SELECT
    %(cluster)s, '', md5(n::text)::uuid, 'old-' || n, 'argo', 'Succeeded',
    at - interval '1 min', at, at - interval '1 min',
    jsonb_build_object(
        'metadata', jsonb_build_object(
            'uid', md5(n::text)::uuid, 'name', 'old-' || n, 'namespace', 'argo', 'resourceVersion', n::text,
            'labels', jsonb_build_object('workflows.argoproj.io/phase', 'Succeeded')
        ),
        'spec', jsonb_build_object('templates', texts.made),
        'status', jsonb_build_object(
            'phase', 'Succeeded', 'finishedAt', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'nodes', '{}'::jsonb
        )
    )
FROM
    generate_series(1, %(count)s) AS n
    CROSS JOIN LATERAL (SELECT timestamp '2025-01-01' + n * interval '1 min' AS at) AS times
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object('name', 'step-' || i, 'args', md5((n * 100 + i)::text))) AS made
        FROM generate_series(1, 48) AS i
    ) AS texts
"""
_FILL_LABELS = """
INSERT INTO argo_archived_workflows_labels (clustername, uid, name, value)
SELECT clustername, uid, 'example.com/label-' || i, 'value-' || i
FROM argo_archived_workflows CROSS JOIN generate_series(1, %(labels)s) AS i
"""
_DELETE = """
DELETE FROM argo_archived_workflows
WHERE clustername = %(cluster)s AND instanceid = '' AND finishedat < current_timestamp - interval '1 day'
"""
_LEFT = "SELECT count(*) FROM argo_archived_workflows"
_LEFT_LABELS = "SELECT count(*) FROM argo_archived_workflows_labels"


def measure(stage: Stage) -> list[Figure]:
    """Each side works on its own copy of one database."""
    count = stage.size(50_000, 2000)
    longest: list[float] = []
    with stage.database() as filled:
        _fill(filled, count)
        name = filled.rpartition("/")[2]

        def ours(_: int) -> Spent:
            with (
                # One that lives: an empty list would be believed, but is not what an installation is like.
                stage.installation(
                    lambda builder: one_pod_runs(builder, 1, s3=stage.s3_address, log=""),
                    template=name,
                ) as installation,
                opened(installation) as (site, grant),
            ):
                while site.archive.backfill_references(grant):
                    pass  # as archiving leaves it: what these rows name is known
                take_snapshot(site, grant)
                make_expiry_plan(site, grant)
                _checkpoint(installation.dsn)
                with _timed_transactions(site, longest), clock(count) as spent:
                    expired = expire(site, grant)
                if expired.units_done != count or _left(installation.dsn) != (0, 0):
                    raise AssertionError(
                        f"{expired.units_done} of {count} expired: {expired.failed[:1]}"
                    )
            return spent

        def one_delete(_: int) -> Spent:
            with stage.database(name) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
                _checkpoint(dsn)
                with clock(count) as spent:
                    connection.execute(_DELETE, {"cluster": CLUSTER})
                if _left(dsn) != (0, 0):
                    raise AssertionError(f"{_left(dsn)} rows and labels are left")
            return spent

        total, single = rounds(stage.size(ROUNDS, 1), ours, one_delete)
    rows = f"{count} rows of 3 KB with {LABELS} labels"
    return [
        Figure(
            figure=f"expiry of {count} rows",
            unit="s",
            ours=total.seconds,
            limit=single.seconds,
            today=single.seconds,
            cpu={"ours": total, "limit": single},
            bars=[Bar(of="limit", sign="<=", bound=1.2)],
            note=f"{rows}, second plan included; limit and today: Argo's one DELETE of all",
        ),
        Figure(
            figure="longest lock of expiry",
            unit="ms",
            ours=1000 * max(longest),
            today=1000 * single.seconds,
            bars=[Bar(of="ours", sign="<=", bound=200)],
            note=f"{rows}; the longest of our writing transactions of all rounds, begin to commit; no lock "
            "is held longer",
        ),
    ]


@contextmanager
def _timed_transactions(site: Site, seconds: list[float]) -> Iterator[None]:
    """Take the time of each transaction that holds the lease's fence, which all that write do."""
    sessions = site.archive._sessions  # noqa: SLF001
    original = sessions.fenced

    @contextmanager
    def fenced(*arguments, **options):
        start = time.perf_counter()
        with original(*arguments, **options) as connection:
            yield connection
        seconds.append(time.perf_counter() - start)

    sessions.fenced = fenced
    try:
        yield
    finally:
        sessions.fenced = original


def _fill(dsn: str, count: int) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(_FILL, {"cluster": CLUSTER, "count": count})
        connection.execute(_FILL_LABELS, {"labels": LABELS})
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _checkpoint(dsn: str) -> None:
    """What was written before is not to be written during the measurement."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def _left(dsn: str) -> tuple[int, int]:
    with psycopg.connect(dsn) as connection:
        rows, labels = connection.execute(_LEFT).fetchone(), connection.execute(_LEFT_LABELS)
        return (rows or (0,))[0], (labels.fetchone() or (0,))[0]
