"""Columns of each table-like asset, and from which columns upstream they come: from the live workflows on."""

from collections.abc import Mapping, Sequence

import dagster as dg

from argo_retention.defs.keys import (
    ARCHIVED_WORKFLOWS,
    EXPIRY_PLAN,
    LIVE_WORKFLOWS,
    LOG_OBJECTS,
    POD_LOGS,
    RETENTION_PLAN,
    WORKFLOW_SNAPSHOT,
)
from argo_retention.operations.expiry_plans import EXPIRY_PLAN_COLUMNS, EXPIRY_PLAN_SCHEMA
from argo_retention.operations.planning import PLAN_COLUMNS, PLAN_SCHEMA
from argo_retention.operations.snapshotting import SNAPSHOT_COLUMNS, SNAPSHOT_SCHEMA

Sources = Mapping[str, Sequence[tuple[dg.AssetKey, str]]]

_TYPES = {
    "string": "string",
    "int64": "int",
    "bool": "bool",
    "timestamp": "timestamp (UTC)",
    "map": "map of strings",
    "strings": "list of strings",
}
_SCHEMA, _LINEAGE, _TABLE = "dagster/column_schema", "dagster/column_lineage", "dagster/table_name"


def _schema(*columns: tuple[str, str, str]) -> dg.TableSchema:
    """(name, type, description) of each."""
    return dg.TableSchema(
        columns=[dg.TableColumn(name, kind, description=words) for name, kind, words in columns]
    )


def _of_file(types: Mapping[str, str], words: Mapping[str, str]) -> dg.TableSchema:
    """Columns of a Parquet file of ours."""
    return _schema(*((name, _TYPES[kind], words[name]) for name, kind in types.items()))


def _lineage(sources: Sources) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        deps_by_column={
            column: [dg.TableColumnDep(asset_key=key, column_name=name) for key, name in deps]
            for column, deps in sources.items()
        }
    )


def _same(key: dg.AssetKey, *columns: str) -> Sources:
    """Columns that have the same name upstream."""
    return {column: [(key, column)] for column in columns}


def _live(**paths: str) -> Sources:
    """Columns that come from one field of the live object."""
    return {column: [(LIVE_WORKFLOWS, path)] for column, path in paths.items()}


LIVE = {
    _SCHEMA: _schema(
        ("metadata.uid", "string", "identity; names are used again"),
        ("metadata.namespace", "string", ""),
        ("metadata.name", "string", ""),
        ("metadata.labels", "map of strings", "phase, completed, archiving status, template"),
        ("metadata.annotations", "map of strings", ""),
        ("metadata.resourceVersion", "string", "a deletion names it"),
        ("metadata.creationTimestamp", "timestamp", ""),
        ("metadata.deletionTimestamp", "timestamp", "set while a finalizer holds it"),
        ("metadata.finalizers", "list of strings", ""),
        ("metadata.ownerReferences", "list", ""),
        ("spec", "object", ""),
        ("status", "object", "phase, times, nodes with their log artifacts"),
    )
}


LOGS_OF_PODS = {
    _SCHEMA: _schema(
        ("namespace", "string", ""),
        ("pod", "string", "named by Argo from workflow, template and node"),
        ("container", "string", ""),
        ("log", "bytes", "as the kubelet keeps it"),
    )
}

SNAPSHOT = {
    _SCHEMA: _of_file(SNAPSHOT_SCHEMA, SNAPSHOT_COLUMNS),
    _LINEAGE: _lineage(
        _live(
            uid="metadata.uid",
            namespace="metadata.namespace",
            name="metadata.name",
            phase="metadata.labels",
            finished="metadata.labels",
            archiving_status="metadata.labels",
            template="metadata.labels",
            resource_version="metadata.resourceVersion",
            created_at="metadata.creationTimestamp",
            deleting="metadata.deletionTimestamp",
            labels="metadata.labels",
            annotations="metadata.annotations",
            finalizers="metadata.finalizers",
            owners="metadata.ownerReferences",
        )
    ),
}

LOGS = {
    _TABLE: "argo_retention.log_objects",
    _SCHEMA: _schema(
        ("clustername", "text", "Argo's clusterName"),
        ("uid", "text", "uid of the workflow"),
        ("node_id", "text", "node of the workflow"),
        ("container", "text", "main container of the pod"),
        ("state", "text", "stored, not_wanted, lost, unsettled, intended"),
        ("reason", "text", "why it is not stored"),
        ("bucket", "text", "bucket of the object"),
        ("key", "text", "key of the object"),
        ("size", "bigint", "bytes"),
        ("sha256", "text", "of what we wrote"),
        ("etag", "text", "as S3 gave it; guards deletion"),
    ),
    _LINEAGE: _lineage(
        {
            **_live(uid="metadata.uid", node_id="status"),
            "container": [(LIVE_WORKFLOWS, "spec"), (POD_LOGS, "container")],
            "state": [(LIVE_WORKFLOWS, "status"), (POD_LOGS, "log")],
            "bucket": [(LIVE_WORKFLOWS, "status")],
            "key": [(LIVE_WORKFLOWS, "status")],
            **{name: [(POD_LOGS, "log")] for name in ("size", "sha256", "etag")},
        }
    ),
}

ARCHIVE = {
    _TABLE: "argo_archived_workflows",
    _SCHEMA: _schema(
        ("clustername", "varchar(64)", "Argo's clusterName"),
        ("instanceid", "varchar(64)", "Argo's instanceID, or empty"),
        ("uid", "varchar(128)", "metadata.uid"),
        ("name", "varchar(256)", "metadata.name"),
        ("namespace", "varchar(256)", "metadata.namespace"),
        ("phase", "varchar(25)", "status.phase"),
        ("startedat", "timestamp", "UTC"),
        ("finishedat", "timestamp", "UTC"),
        ("creationtimestamp", "timestamp", "UTC"),
        ("workflow", "jsonb", "the whole object, with its log artifacts"),
    ),
    _LINEAGE: _lineage(
        {
            **_live(
                uid="metadata.uid",
                name="metadata.name",
                namespace="metadata.namespace",
                phase="status",
                startedat="status",
                finishedat="status",
                creationtimestamp="metadata.creationTimestamp",
            ),
            "workflow": [
                (LIVE_WORKFLOWS, "spec"),
                (LIVE_WORKFLOWS, "status"),
                (LOG_OBJECTS, "key"),
            ],
        }
    ),
}

PLAN = {
    _SCHEMA: _of_file(PLAN_SCHEMA, PLAN_COLUMNS),
    _LINEAGE: _lineage(
        {
            **_same(
                WORKFLOW_SNAPSHOT,
                *("uid", "namespace", "name", "phase", "created_at", "resource_version"),
            ),
            "finished_at": [(ARCHIVED_WORKFLOWS, "workflow")],
            "lost_logs": [(LOG_OBJECTS, "state")],
            "verdict": [
                (WORKFLOW_SNAPSHOT, "labels"),
                (ARCHIVED_WORKFLOWS, "uid"),
                (LOG_OBJECTS, "state"),
            ],
        }
    ),
}

OUTCOME = {
    _TABLE: "argo_retention.deletions",
    _SCHEMA: _schema(
        ("clustername", "text", "Argo's clusterName"),
        ("instanceid", "text", "Argo's instanceID, or empty"),
        ("uid", "text", "metadata.uid"),
        ("namespace", "text", "metadata.namespace"),
        ("name", "text", "metadata.name"),
        ("resource_version", "bigint", "proven, and a precondition of the request"),
        ("rule", "text", "rule of the policy"),
        ("rank", "integer", "place among the finished ones of its rule, newest first"),
        ("reason", "text", "sentence of the plan"),
        ("plan_id", "text", "plan that it was in"),
        ("run_id", "text", "Dagster's run"),
        ("by_whom", "text", "person or job"),
        ("outcome", "text", "intended, deleted, gone, changed, terminating, kept, refused"),
        ("at", "timestamptz", "time of the outcome"),
    ),
    _LINEAGE: _lineage(
        {
            **_same(RETENTION_PLAN, "uid", "namespace", "name", "resource_version", "rule", "rank"),
            "reason": [(RETENTION_PLAN, "sentence")],
        }
    ),
}

EXPIRIES = {
    _SCHEMA: _of_file(EXPIRY_PLAN_SCHEMA, EXPIRY_PLAN_COLUMNS),
    _LINEAGE: _lineage(
        {
            **_same(ARCHIVED_WORKFLOWS, "uid", "namespace", "name", "phase"),
            "finished_at": [(ARCHIVED_WORKFLOWS, "workflow")],
            "digest": [(ARCHIVED_WORKFLOWS, "workflow")],
            "live_version": [(WORKFLOW_SNAPSHOT, "resource_version")],
        }
    ),
}

EXPIRED = {
    _TABLE: "argo_retention.expiry_units",
    _SCHEMA: _schema(
        ("clustername", "text", "Argo's clusterName"),
        ("uid", "text", "metadata.uid"),
        ("instanceid", "text", "Argo's instanceID, or empty"),
        ("namespace", "text", "metadata.namespace"),
        ("name", "text", "metadata.name"),
        ("stage", "text", "intended, objects_done, done, withdrawn, row_vanished"),
        ("reason", "text", "sentence of the plan"),
        ("plan_id", "text", "plan that it was in"),
        ("run_id", "text", "Dagster's run"),
        ("digest", "text", "md5 of the row; another one keeps it"),
        ("kept_objects", "text[]", "log objects that stay, each with why"),
        ("at", "timestamptz", "time of the stage"),
    ),
    _LINEAGE: _lineage(
        {
            **_same(EXPIRY_PLAN, "uid", "namespace", "name", "digest"),
            "reason": [(EXPIRY_PLAN, "sentence")],
            "kept_objects": [(LOG_OBJECTS, "key")],
        }
    ),
}
