-- name: rows
-- Whole rows, with the digest of the same text.
SELECT
    r.clustername, r.instanceid, r.uid, r.namespace, r.name, r.phase, r.finishedat,
    t.workflow, md5(t.workflow) AS digest
FROM
    argo_archived_workflows AS r
    CROSS JOIN LATERAL (SELECT r.workflow::text AS workflow OFFSET 0) AS t
WHERE r.clustername = %(clustername)s::text AND r.uid = ANY (%(uids)s::text[]);

-- name: whole_rows
-- Rows with their labels, as they were written.
SELECT
    r.clustername, r.instanceid, r.uid, r.name, r.namespace, r.phase, r.startedat, r.finishedat,
    r.creationtimestamp, r.workflow::text AS workflow,
    coalesce(
        (
            SELECT jsonb_object_agg(l.name, l.value)
            FROM argo_archived_workflows_labels AS l
            WHERE l.clustername = r.clustername AND l.uid = r.uid
        ),
        '{}'
    ) AS labels,
    CASE
        WHEN r.workflow #>> '{metadata,resourceVersion}' ~ '^[0-9]{1,18}$'
            THEN (r.workflow #>> '{metadata,resourceVersion}')::bigint
        ELSE 0
    END AS resource_version
FROM argo_archived_workflows AS r
WHERE r.clustername = %(clustername)s::text AND r.uid = ANY (%(uids)s::text[]);

-- name: offloaded_nodes
-- Nodes that Argo offloaded; the table's name is Argo's persistence.tableName.
SELECT nodes::text AS nodes
FROM {offload_table}
WHERE clustername = %(clustername)s::text AND uid = %(uid)s::text AND version = %(version)s::text;

-- name: lock_existing
-- Rows that are there already, held until the batch is committed; in order, so that two batches cannot deadlock.
SELECT
    uid, instanceid, md5(workflow::text) AS digest,
    CASE
        WHEN workflow #>> '{metadata,resourceVersion}' ~ '^[0-9]{1,18}$'
            THEN (workflow #>> '{metadata,resourceVersion}')::bigint
        ELSE 0
    END AS resource_version
FROM argo_archived_workflows
WHERE clustername = %(clustername)s::text AND uid = ANY (%(uids)s::text[])
ORDER BY uid
FOR UPDATE;

-- name: write
-- Insert, or replace the rows that were found and held; one that appeared since then is left alone. The arrays
-- come in binary form, which nobody has to quote; a temporary table would have each text written twice.
INSERT INTO argo_archived_workflows AS r (
    clustername, instanceid, uid, name, namespace, phase,
    startedat, finishedat, creationtimestamp, workflow
)
SELECT
    %(clustername)s::text, instanceid, uid, name, namespace, phase,
    startedat, finishedat, creationtimestamp, workflow::jsonb
FROM
    unnest(
        %(instanceids)b::text[], %(uids)b::text[], %(names)b::text[], %(namespaces)b::text[],
        %(phases)b::text[], %(startedats)b::timestamp[], %(finishedats)b::timestamp[],
        %(creationtimestamps)b::timestamp[], %(workflows)b::text[]
    ) AS given (
        instanceid, uid, name, namespace, phase, startedat, finishedat, creationtimestamp, workflow
    )
ON CONFLICT (clustername, uid) DO UPDATE
SET
    instanceid = excluded.instanceid, name = excluded.name, namespace = excluded.namespace,
    phase = excluded.phase, startedat = excluded.startedat, finishedat = excluded.finishedat,
    creationtimestamp = excluded.creationtimestamp, workflow = excluded.workflow
WHERE r.uid = ANY (%(held)s::text[])
RETURNING uid, md5(workflow::text) AS digest;

-- name: delete_labels
-- Labels of rows that are replaced.
DELETE FROM argo_archived_workflows_labels
WHERE clustername = %(clustername)s::text AND uid = ANY (%(uids)s::text[]);

-- name: copy_labels
-- Labels of the rows that were written.
COPY argo_archived_workflows_labels (clustername, uid, name, value) FROM STDIN;

-- name: write_proofs
-- Proofs, with the names that the row has.
INSERT INTO argo_retention.archived_versions (
    clustername, uid, instanceid, namespace, name, resource_version, digest,
    phase, finished_at, ttl_seconds, template, artifact_gc_deletes_logs, added
)
SELECT
    r.clustername, r.uid, r.instanceid, r.namespace, r.name, p.resource_version, p.digest,
    p.phase, p.finished_at, p.ttl_seconds, p.template, p.artifact_gc_deletes_logs, p.added
FROM
    json_to_recordset(%(proofs)s::json) AS p (
        uid text, resource_version bigint, digest text, phase text, finished_at timestamptz,
        ttl_seconds bigint, template text, artifact_gc_deletes_logs boolean, added text[]
    )
    INNER JOIN argo_archived_workflows AS r
        ON r.clustername = %(clustername)s::text AND r.uid = p.uid
ON CONFLICT (clustername, uid) DO UPDATE
SET
    instanceid = excluded.instanceid, namespace = excluded.namespace, name = excluded.name,
    resource_version = excluded.resource_version, live_version = 0, digest = excluded.digest,
    proven_at = clock_timestamp(), phase = excluded.phase, finished_at = excluded.finished_at,
    ttl_seconds = excluded.ttl_seconds, template = excluded.template,
    artifact_gc_deletes_logs = excluded.artifact_gc_deletes_logs, added = excluded.added,
    expired_while_live = false;

-- name: forget_vanished
-- A row that stands in the archive (again) has not vanished.
DELETE FROM argo_retention.expiry_units
WHERE
    clustername = %(clustername)s::text AND uid = ANY (%(uids)s::text[])
    AND stage = 'row_vanished';

-- name: believed_rows
-- How many rows the planner believes to be there; -1: it was never told.
SELECT reltuples::bigint AS rows FROM pg_class WHERE oid = 'argo_archived_workflows'::regclass;

-- name: analyze
-- Statistics for tables that have just been filled; the JSON is left out, because sampling it is slow.
ANALYZE
    argo_archived_workflows (clustername, instanceid, uid, name, namespace, phase, startedat, finishedat),
    argo_archived_workflows_labels, argo_retention.archived_versions, argo_retention.log_objects,
    argo_retention.log_references, argo_retention.rows_read;
