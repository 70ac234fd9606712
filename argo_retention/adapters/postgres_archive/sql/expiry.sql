-- name: candidates
-- Rows that may be past their TTL, by Argo's column, which only preselects; the JSON is unpacked once, and
-- its digest is that of rows_read where xmin says that it is still that version.
SELECT
    r.uid, r.namespace, r.name, r.phase,
    CASE WHEN d.row_xmin = r.xmin THEN d.digest ELSE md5(r.workflow::text) END AS digest,
    part.status ->> 'finishedAt' AS finished_at,
    coalesce(part.metadata -> 'labels', '{}') AS labels,
    coalesce(part.metadata #>> ARRAY['annotations', %(hold)s::text], '') AS hold,
    coalesce(part.metadata #>> ARRAY['annotations', %(archive_ttl)s::text], '') AS archive_ttl
FROM
    argo_archived_workflows AS r
    LEFT JOIN argo_retention.rows_read AS d ON d.clustername = r.clustername AND d.uid = r.uid
    CROSS JOIN LATERAL jsonb_to_record(r.workflow) AS part (metadata jsonb, status jsonb)
WHERE
    r.clustername = %(clustername)s::text AND r.instanceid = %(instanceid)s::text
    AND (%(namespace)s::text IS NULL OR r.namespace = %(namespace)s::text)
    AND r.finishedat < %(finished_before)s::timestamp
ORDER BY r.finishedat, r.uid;

-- name: vanished
-- Proven once, with stored logs, and the row is not there; units that were begun are not these.
SELECT
    v.clustername, v.uid, v.namespace, v.name, coalesce(u.stage, 'row_vanished') AS stage,
    coalesce(u.reason, 'the archive row was removed by Argo or by a person') AS reason,
    coalesce(u.plan_id, '') AS plan_id, coalesce(u.run_id, '') AS run_id, '' AS digest,
    '{}'::text[] AS kept_objects, u.at
FROM
    argo_retention.archived_versions AS v
    LEFT JOIN argo_retention.expiry_units AS u
        ON u.clustername = v.clustername AND u.uid = v.uid AND u.stage NOT IN ('done', 'withdrawn')
WHERE
    v.clustername = %(clustername)s::text AND v.instanceid = %(instanceid)s::text
    AND (%(namespace)s::text IS NULL OR v.namespace = %(namespace)s::text)
    AND NOT v.expired_while_live AND coalesce(u.stage, 'row_vanished') = 'row_vanished'
    AND NOT EXISTS (
        SELECT FROM argo_archived_workflows AS r
        WHERE r.clustername = v.clustername AND r.uid = v.uid
    )
    AND EXISTS (
        SELECT FROM argo_retention.log_objects AS l
        WHERE l.clustername = v.clustername AND l.uid = v.uid AND l.state = 'stored'
    )
ORDER BY v.uid;

-- name: record
-- Insert units, or move them to their stage; the time is that of entering it.
INSERT INTO argo_retention.expiry_units AS u (
    clustername, instanceid, uid, namespace, name, stage, reason, plan_id, run_id, digest, kept_objects, at
)
SELECT
    %(clustername)s::text, %(instanceid)s::text, uid, namespace, name, stage, reason, plan_id, run_id,
    digest, kept_objects, coalesce(at, clock_timestamp())
FROM
    json_to_recordset(%(records)s::json) AS given (
        uid text, namespace text, name text, stage text, reason text, plan_id text, run_id text,
        digest text, kept_objects text[], at timestamptz
    )
ON CONFLICT (clustername, uid) DO UPDATE
SET
    stage = excluded.stage, reason = excluded.reason, plan_id = excluded.plan_id,
    run_id = excluded.run_id, digest = excluded.digest, kept_objects = excluded.kept_objects,
    at = CASE WHEN u.stage = excluded.stage THEN u.at ELSE excluded.at END;

-- name: digests
-- Of the rows of these uids as they are now; rows_read spares the computation where xmin says that it may.
SELECT
    r.uid,
    CASE WHEN d.row_xmin = r.xmin THEN d.digest ELSE md5(r.workflow::text) END AS digest
FROM
    argo_archived_workflows AS r
    LEFT JOIN argo_retention.rows_read AS d
        ON d.clustername = r.clustername AND d.uid = r.uid AND d.uid = ANY (%(uids)s::text[])
WHERE r.clustername = %(clustername)s::text AND r.uid = ANY (%(uids)s::text[]);

-- name: open
-- Units that a crash left between two stages.
SELECT
    clustername, uid, namespace, name, stage, reason, plan_id, run_id, digest, kept_objects, at
FROM argo_retention.expiry_units
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND stage IN ('intended', 'objects_done')
ORDER BY at, uid;

-- name: unit_of
-- The unit of one uid.
SELECT
    clustername, uid, namespace, name, stage, reason, plan_id, run_id, digest, kept_objects, at
FROM argo_retention.expiry_units
WHERE clustername = %(clustername)s::text AND uid = %(uid)s::text;

-- name: expire
-- Rows of these units, with all that names them, in one statement, and the units as done, recorded before or
-- not; rows held by others are skipped, rows that changed since the plan stay. A uid without a row is done as
-- well. Rows are found one by one by their key, or by an array of keys: a join would be done with a scan of
-- the whole table, whose dead rows grow with each batch.
WITH unit AS MATERIALIZED (
    SELECT *
    FROM
        json_to_recordset(%(records)s::json) AS given (
            uid text, namespace text, name text, reason text, plan_id text, run_id text, digest text
        )
),

held AS MATERIALIZED (
    SELECT row.place
    FROM
        unit
        CROSS JOIN LATERAL (
            SELECT
                r.ctid AS place,
                coalesce(
                    (
                        SELECT d.digest
                        FROM argo_retention.rows_read AS d
                        WHERE d.clustername = r.clustername AND d.uid = r.uid AND d.row_xmin = r.xmin
                    ),
                    md5(r.workflow::text)
                ) AS digest
            FROM argo_archived_workflows AS r
            WHERE
                r.clustername = %(clustername)s::text AND r.uid = unit.uid
                AND r.instanceid = %(instanceid)s::text
            LIMIT 1
            FOR UPDATE SKIP LOCKED
        ) AS row
    WHERE row.digest = unit.digest
),

expired AS (
    DELETE FROM argo_archived_workflows
    WHERE ctid = ANY (ARRAY(SELECT place FROM held))
    RETURNING uid, pg_column_size(workflow) AS bytes
),

gone AS MATERIALIZED (
    SELECT uid, bytes FROM expired
    UNION ALL
    SELECT unit.uid, 0
    FROM unit
    WHERE
        unit.uid NOT IN (SELECT uid FROM expired)
        AND NOT EXISTS (
            SELECT FROM argo_archived_workflows AS r
            WHERE r.clustername = %(clustername)s::text AND r.uid = unit.uid
        )
),

named AS (
    DELETE FROM argo_retention.log_references
    WHERE clustername = %(clustername)s::text AND uid = ANY (ARRAY(SELECT uid FROM gone))
),

proofs AS (
    DELETE FROM argo_retention.archived_versions
    WHERE
        clustername = %(clustername)s::text AND uid = ANY (ARRAY(SELECT uid FROM gone))
        AND uid <> ALL (%(live_uids)s::text[])
),

done AS (
    INSERT INTO argo_retention.expiry_units AS u (
        clustername, instanceid, uid, namespace, name, stage, reason, plan_id, run_id, digest,
        kept_objects, at
    )
    SELECT
        %(clustername)s::text, %(instanceid)s::text, unit.uid, unit.namespace, unit.name, 'done',
        unit.reason, unit.plan_id, unit.run_id, unit.digest, '{}', clock_timestamp()
    FROM unit INNER JOIN gone ON gone.uid = unit.uid
    ON CONFLICT (clustername, uid) DO UPDATE
    SET stage = 'done', at = clock_timestamp()
)

SELECT uid, bytes FROM gone;

-- name: remember
-- Proofs of live workflows whose row expired: neither archived again nor held back as unproven.
UPDATE argo_retention.archived_versions AS v
SET expired_while_live = true, resource_version = live.resource_version, live_version = 0
FROM unnest(%(uids)s::text[], %(versions)s::bigint[]) AS live (uid, resource_version)
WHERE v.clustername = %(clustername)s::text AND v.uid = live.uid;

-- name: lose_logs
-- Records of gone workflows stay as the unit's history; a live one may be archived again, and must not count on
-- objects that went.
UPDATE argo_retention.log_objects
SET state = 'lost', reason = 'expired together with its archive row', bucket = '', key = ''
WHERE
    clustername = %(clustername)s::text AND uid = ANY (%(uids)s::text[]) AND state = 'stored';
