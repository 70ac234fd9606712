-- name: records
-- What the ledger knows of the logs of these workflows.
SELECT
    clustername, uid, namespace, workflow, node_id, container, state, reason, source, bucket, key,
    size, sha256, etag, run_id, saved_at
FROM argo_retention.log_objects
WHERE clustername = %(clustername)s::text AND uid = ANY (%(uids)s::text[])
ORDER BY uid COLLATE "C", node_id COLLATE "C", container COLLATE "C";

-- name: record
-- Insert or replace records.
INSERT INTO argo_retention.log_objects (
    clustername, uid, namespace, workflow, node_id, container, state, reason, source, bucket, key,
    size, sha256, etag, run_id, saved_at
)
SELECT
    %(clustername)s::text, uid, namespace, workflow, node_id, container, state, reason, source, bucket, key,
    size, sha256, etag, run_id, coalesce(saved_at, clock_timestamp())
FROM
    json_to_recordset(%(records)s::json) AS given (
        uid text, namespace text, workflow text, node_id text, container text, state text, reason text,
        source text, bucket text, key text, size bigint, sha256 text, etag text, run_id text,
        saved_at timestamptz
    )
ON CONFLICT (clustername, uid, node_id, container) DO UPDATE
SET
    namespace = excluded.namespace, workflow = excluded.workflow, state = excluded.state,
    reason = excluded.reason, source = excluded.source, bucket = excluded.bucket, key = excluded.key,
    size = excluded.size, sha256 = excluded.sha256, etag = excluded.etag, run_id = excluded.run_id,
    saved_at = excluded.saved_at;

-- name: drop_references
-- References that these rows do not have any more.
DELETE FROM argo_retention.log_references AS r
WHERE
    r.clustername = %(clustername)s::text AND r.uid = ANY (%(uids)s::text[])
    AND NOT EXISTS (
        SELECT
        FROM json_to_recordset(%(references)s::json) AS kept (uid text, bucket text, key text)
        WHERE kept.uid = r.uid AND kept.bucket = r.bucket AND kept.key = r.key
    );

-- name: write_references
-- References of rows as the caller read them.
INSERT INTO argo_retention.log_references (bucket, key, clustername, uid)
SELECT kept.bucket, kept.key, %(clustername)s::text, kept.uid
FROM json_to_recordset(%(references)s::json) AS kept (uid text, bucket text, key text)
ON CONFLICT DO NOTHING;

-- name: mark_read
-- These versions of the rows have their references recorded.
INSERT INTO argo_retention.rows_read (clustername, uid, row_xmin, digest)
SELECT r.clustername, r.uid, r.xmin, given.digest
FROM
    unnest(%(uids)s::text[], %(digests)s::text[]) AS given (uid, digest)
    INNER JOIN argo_archived_workflows AS r
        ON r.clustername = %(clustername)s::text AND r.uid = given.uid
ON CONFLICT (clustername, uid) DO UPDATE
SET row_xmin = excluded.row_xmin, digest = excluded.digest;

-- name: references
-- What the rows of these uids name.
SELECT bucket, key, clustername, uid
FROM argo_retention.log_references
WHERE clustername = %(clustername)s::text AND uid = ANY (%(uids)s::text[])
ORDER BY uid, bucket, key;

-- name: unnamed
-- Stored logs of rows that are there, which no reference names.
SELECT
    l.clustername, l.uid, l.namespace, l.workflow, l.node_id, l.container, l.state, l.reason, l.source,
    l.bucket, l.key, l.size, l.sha256, l.etag, l.run_id, l.saved_at
FROM
    argo_retention.log_objects AS l
    INNER JOIN argo_archived_workflows AS r ON r.clustername = l.clustername AND r.uid = l.uid
WHERE
    l.clustername = %(clustername)s::text AND r.instanceid = %(instanceid)s::text
    AND l.state = 'stored' AND l.key <> ''
    AND NOT EXISTS (
        SELECT
        FROM argo_retention.log_references AS n
        WHERE
            n.key = l.key AND n.bucket IN (l.bucket, '') AND n.clustername = l.clustername
            AND n.uid = l.uid
    )
ORDER BY l.uid COLLATE "C", l.node_id COLLATE "C", l.container COLLATE "C"
LIMIT 50;

-- name: others
-- Workflows of any cluster, other than the asking one, that name an object in their row or in the ledger.
SELECT asked.bucket, asked.key, asked.asking_uid, named.uid
FROM
    unnest(%(buckets)s::text[], %(keys)s::text[], %(uids)s::text[]) AS asked (bucket, key, asking_uid)
    CROSS JOIN LATERAL (
        SELECT r.clustername, r.uid
        FROM argo_retention.log_references AS r
        WHERE r.key = asked.key AND (r.bucket = asked.bucket OR r.bucket = '')
        UNION
        SELECT l.clustername, l.uid
        FROM argo_retention.log_objects AS l
        WHERE
            l.key = asked.key AND l.bucket = asked.bucket AND l.key <> ''
            AND l.state IN ('stored', 'intended')
            AND NOT EXISTS (
                SELECT FROM argo_retention.expiry_units AS u
                WHERE u.clustername = l.clustername AND u.uid = l.uid AND u.stage = 'done'
            )
    ) AS named
WHERE named.uid <> asked.asking_uid OR named.clustername <> %(clustername)s::text
ORDER BY asked.bucket, asked.key, named.uid;

-- name: count_unread
-- Rows of any cluster whose present version was not read for references.
SELECT count(*) AS unread
FROM
    argo_archived_workflows AS r
    LEFT JOIN argo_retention.rows_read AS d ON d.clustername = r.clustername AND d.uid = r.uid
WHERE d.row_xmin IS DISTINCT FROM r.xmin;

-- name: backfill
-- Read a batch of those rows: references replaced, digest kept, a vanished row that is back forgotten. Where a
-- template has a location of its own, an artifact without a bucket counts for any bucket.
WITH unread AS MATERIALIZED (
    SELECT
        r.clustername, r.uid, r.xmin AS row_xmin, md5(r.workflow::text) AS digest, part.status,
        CASE
            WHEN
                NOT jsonb_path_exists(part.spec, '$.templates[*].archiveLocation.s3')
                AND NOT jsonb_path_exists(part.status, '$.storedTemplates.*.archiveLocation.s3')
                AND NOT jsonb_path_exists(
                    part.status, '$.storedWorkflowTemplateSpec.templates[*].archiveLocation.s3'
                )
                THEN part.status #>> '{artifactRepositoryRef,artifactRepository,s3,bucket}'
        END AS bucket
    FROM
        argo_archived_workflows AS r
        LEFT JOIN argo_retention.rows_read AS d ON d.clustername = r.clustername AND d.uid = r.uid
        CROSS JOIN LATERAL jsonb_to_record(r.workflow) AS part (spec jsonb, status jsonb)
    WHERE d.row_xmin IS DISTINCT FROM r.xmin
    LIMIT %(batch)s::bigint
),

found AS MATERIALIZED (
    SELECT DISTINCT
        coalesce(
            nullif(artifact.value #>> '{s3,bucket}', ''), unread.bucket, ''
        ) AS bucket,
        artifact.value #>> '{s3,key}' AS key,
        unread.clustername,
        unread.uid
    FROM
        unread
        CROSS JOIN LATERAL jsonb_each(
            CASE jsonb_typeof(unread.status -> 'nodes') WHEN 'object' THEN unread.status -> 'nodes' END
        ) AS node
        CROSS JOIN LATERAL jsonb_array_elements(
            CASE jsonb_typeof(node.value #> '{outputs,artifacts}')
                WHEN 'array' THEN node.value #> '{outputs,artifacts}'
            END
        ) AS artifact
    WHERE right(artifact.value ->> 'name', 5) = '-logs' AND artifact.value #>> '{s3,key}' <> ''
),

dropped AS (
    DELETE FROM argo_retention.log_references AS r
    USING unread
    WHERE
        r.clustername = unread.clustername AND r.uid = unread.uid
        AND NOT EXISTS (
            SELECT
            FROM found
            WHERE
                found.clustername = r.clustername AND found.uid = r.uid
                AND found.bucket = r.bucket AND found.key = r.key
        )
),

written AS (
    INSERT INTO argo_retention.log_references (bucket, key, clustername, uid)
    SELECT bucket, key, clustername, uid FROM found
    ON CONFLICT DO NOTHING
),

back_again AS (
    DELETE FROM argo_retention.expiry_units AS u
    USING unread
    WHERE u.clustername = unread.clustername AND u.uid = unread.uid AND u.stage = 'row_vanished'
)

INSERT INTO argo_retention.rows_read (clustername, uid, row_xmin, digest)
SELECT clustername, uid, row_xmin, digest FROM unread
ON CONFLICT (clustername, uid) DO UPDATE
SET row_xmin = excluded.row_xmin, digest = excluded.digest;

-- name: forget_unknown
-- Rows that we expired, or that Argo expired and we never proved: nobody needs what they named.
WITH gone AS (
    DELETE FROM argo_retention.rows_read AS d
    WHERE
        NOT EXISTS (
            SELECT FROM argo_archived_workflows AS r
            WHERE r.clustername = d.clustername AND r.uid = d.uid
        )
        AND NOT EXISTS (
            SELECT FROM argo_retention.archived_versions AS v
            WHERE v.clustername = d.clustername AND v.uid = d.uid
        )
        AND NOT EXISTS (
            SELECT FROM argo_retention.expiry_units AS u
            WHERE u.clustername = d.clustername AND u.uid = d.uid AND u.stage NOT IN ('done', 'withdrawn')
        )
    RETURNING d.clustername, d.uid
)

DELETE FROM argo_retention.log_references AS r
USING gone
WHERE r.clustername = gone.clustername AND r.uid = gone.uid;
