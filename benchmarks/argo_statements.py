"""What the archive path is compared with: straight COPY of finished rows, and the statements of Argo's code."""

from collections.abc import Sequence

import psycopg

from argo_retention.core.archive_rows import ArchiveRow

_COPY_ROWS = """
COPY argo_archived_workflows
    (clustername, instanceid, uid, name, namespace, phase, startedat, finishedat, creationtimestamp, workflow)
FROM STDIN
"""
_COPY_LABELS = "COPY argo_archived_workflows_labels (clustername, uid, name, value) FROM STDIN"
_DELETE = """
DELETE FROM argo_archived_workflows WHERE clustername = %s AND instanceid = %s AND uid = %s
"""
_INSERT = """
INSERT INTO argo_archived_workflows
    (clustername, instanceid, uid, name, namespace, phase, startedat, finishedat, creationtimestamp, workflow)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_DELETE_LABELS = "DELETE FROM argo_archived_workflows_labels WHERE clustername = %s AND uid = %s"
_INSERT_LABELS = (
    "INSERT INTO argo_archived_workflows_labels (clustername, uid, name, value) VALUES "
)
_CONTENT = """
SELECT
    (SELECT count(*) FROM argo_archived_workflows),
    (
        SELECT md5(string_agg(concat_ws(' ', clustername, instanceid, uid, name, namespace, phase,
            startedat, finishedat, creationtimestamp, md5(workflow::text)), ',' ORDER BY uid))
        FROM argo_archived_workflows
    ),
    (
        SELECT md5(string_agg(concat_ws(' ', clustername, uid, name, value), ',' ORDER BY uid, name))
        FROM argo_archived_workflows_labels
    )
"""

Values = tuple[object, ...]


def values_of(row: ArchiveRow) -> Values:
    """The columns of a row, the JSON as text."""
    columns = (row.clustername, row.instanceid, row.uid, row.name, row.namespace, row.phase)
    times = (row.startedat, row.finishedat, row.creationtimestamp)
    return (*columns, *times, row.workflow.decode())


def copy_rows(
    connection: psycopg.Connection, rows: Sequence[Values], labels: Sequence[Values]
) -> None:
    """Both of Argo's tables by COPY, in one transaction: as fast as one connection can write these rows."""
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy(_COPY_ROWS) as copy:
            for row in rows:
                copy.write_row(row)
        with cursor.copy(_COPY_LABELS) as copy:
            for label in labels:
                copy.write_row(label)


def archive_as_argo(connection: psycopg.Connection, rows: Sequence[ArchiveRow]) -> None:
    """Argo's own: a transaction a workflow; delete, insert, delete labels, insert all labels; prepared."""
    with connection.cursor() as cursor:
        for row in rows:
            labels = [v for pair in row.labels.items() for v in (row.clustername, row.uid, *pair)]
            rows_of_labels = ", ".join(["(%s, %s, %s, %s)"] * len(row.labels))
            with connection.transaction():
                cursor.execute(_DELETE, (row.clustername, row.instanceid, row.uid), prepare=True)
                cursor.execute(_INSERT, values_of(row), prepare=True)
                cursor.execute(_DELETE_LABELS, (row.clustername, row.uid), prepare=True)
                cursor.execute(_INSERT_LABELS + rows_of_labels, labels, prepare=True)


def content(dsn: str) -> Values:
    """How many rows, and digests of all rows and of all labels: equal for equal archives."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute(_CONTENT).fetchone()
    if found is None:
        raise AssertionError("an aggregate always has a row")
    return found
