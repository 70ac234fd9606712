-- name: record_snapshot
-- What a list saw.
INSERT INTO argo_retention.snapshots (
    clustername, instanceid, run_id, path, live, finished, resource_version, accepted, taken_at
)
VALUES (
    %(clustername)s::text, %(instanceid)s::text, %(run_id)s::text, %(path)s::text, %(live)s::bigint,
    %(finished)s::bigint, %(resource_version)s::text, %(accepted)s::boolean,
    coalesce(%(taken_at)s::timestamptz, clock_timestamp())
)
ON CONFLICT (clustername, instanceid, run_id) DO UPDATE
SET
    path = excluded.path, live = excluded.live, finished = excluded.finished,
    resource_version = excluded.resource_version, accepted = excluded.accepted,
    taken_at = excluded.taken_at;

-- name: last_snapshot
-- The last accepted one.
SELECT clustername, instanceid, run_id, path, live, finished, resource_version, accepted, taken_at
FROM argo_retention.snapshots
WHERE clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text AND accepted
ORDER BY taken_at DESC
LIMIT 1;

-- name: snapshot_of_run
-- The one that a root run took.
SELECT clustername, instanceid, run_id, path, live, finished, resource_version, accepted, taken_at
FROM argo_retention.snapshots
WHERE clustername = %(clustername)s::text AND run_id = %(run_id)s::text
ORDER BY taken_at DESC
LIMIT 1;

-- name: supersede_plans
-- Older plans of the same kind can no longer be applied.
UPDATE argo_retention.plans
SET state = 'superseded'
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND kind = %(kind)s::text AND state = 'made' AND plan_id <> %(plan_id)s::text;

-- name: record_plan
-- A plan; the same plan made again is usable again, unless it was applied.
INSERT INTO argo_retention.plans (
    clustername, instanceid, plan_id, kind, root_run, path, policy_digest, removals, state, made_at
)
VALUES (
    %(clustername)s::text, %(instanceid)s::text, %(plan_id)s::text, %(kind)s::text, %(root_run)s::text,
    %(path)s::text, %(policy_digest)s::text, %(removals)s::bigint, %(state)s::text,
    coalesce(%(made_at)s::timestamptz, clock_timestamp())
)
ON CONFLICT (clustername, instanceid, plan_id) DO UPDATE
SET
    root_run = excluded.root_run, path = excluded.path, removals = excluded.removals,
    made_at = excluded.made_at,
    state = CASE plans.state WHEN 'applied' THEN 'applied' ELSE excluded.state END;

-- name: plan
-- By id, else the last one of a root run, else the last one.
SELECT
    plan_id, clustername, instanceid, kind, root_run, path, policy_digest, removals, state, made_at
FROM argo_retention.plans
WHERE
    clustername = %(clustername)s::text AND kind = %(kind)s::text
    AND (%(plan_id)s::text IS NULL OR plan_id = %(plan_id)s::text)
    AND (
        %(plan_id)s::text IS NOT NULL OR %(root_run)s::text IS NULL OR root_run = %(root_run)s::text
    )
ORDER BY made_at DESC
LIMIT 1;

-- name: claim_plan
-- A plan is used once.
UPDATE argo_retention.plans
SET state = 'applied'
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND plan_id = %(plan_id)s::text AND state = 'made'
RETURNING plan_id;

-- name: record_deletions
-- Intents, and their outcomes.
INSERT INTO argo_retention.deletions (
    clustername, instanceid, uid, namespace, name, resource_version, rule, rank, reason, plan_id, run_id,
    by_whom, outcome, at
)
SELECT
    %(clustername)s::text, %(instanceid)s::text, uid, namespace, name, resource_version, rule, rank, reason,
    plan_id, run_id, by_whom, outcome, coalesce(at, clock_timestamp())
FROM
    json_to_recordset(%(records)s::json) AS given (
        uid text, namespace text, name text, resource_version bigint, rule text, rank integer, reason text,
        plan_id text, run_id text, by_whom text, outcome text, at timestamptz
    )
ON CONFLICT (clustername, uid, plan_id) DO UPDATE
SET
    resource_version = excluded.resource_version, rule = excluded.rule, rank = excluded.rank,
    reason = excluded.reason, run_id = excluded.run_id, by_whom = excluded.by_whom,
    outcome = excluded.outcome, at = excluded.at;

-- name: open_deletions
-- Intents without an outcome, and those that a finalizer holds.
SELECT
    clustername, uid, namespace, name, resource_version, rule, rank, reason, plan_id, run_id, by_whom,
    outcome, at
FROM argo_retention.deletions
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND outcome IN ('intended', 'terminating')
ORDER BY at, uid;

-- name: deletions_of
-- All decisions on one uid.
SELECT
    clustername, uid, namespace, name, resource_version, rule, rank, reason, plan_id, run_id, by_whom,
    outcome, at
FROM argo_retention.deletions
WHERE clustername = %(clustername)s::text AND uid = %(uid)s::text
ORDER BY at;

-- name: deletions_since
-- Workflows that we removed from the cluster.
SELECT count(DISTINCT uid) AS deletions
FROM argo_retention.deletions
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND at >= %(since)s::timestamptz AND outcome IN ('deleted', 'terminating');

-- name: explained
-- Which of these left the cluster with a word of ours.
SELECT DISTINCT uid
FROM argo_retention.deletions
WHERE
    clustername = %(clustername)s::text AND uid = ANY(%(uids)s::text[])
    AND outcome IN ('intended', 'terminating', 'deleted', 'gone', 'vanished');

-- name: row_of
-- What stands in Argo's archive for a uid, without its JSON.
SELECT instanceid, namespace, name, phase, startedat, finishedat
FROM argo_archived_workflows
WHERE clustername = %(clustername)s::text AND uid = %(uid)s::text;

-- name: find_uids
-- uids that ever had this name, newest first.
SELECT uid
FROM (
    SELECT uid, startedat AT TIME ZONE 'UTC' AS at
    FROM argo_archived_workflows
    WHERE clustername = %(clustername)s::text AND namespace = %(namespace)s::text AND name = %(name)s::text
    UNION ALL
    SELECT uid, coalesce(finished_at, proven_at)
    FROM argo_retention.archived_versions
    WHERE clustername = %(clustername)s::text AND namespace = %(namespace)s::text AND name = %(name)s::text
    UNION ALL
    SELECT uid, saved_at
    FROM argo_retention.log_objects
    WHERE
        clustername = %(clustername)s::text AND namespace = %(namespace)s::text
        AND workflow = %(name)s::text
    UNION ALL
    SELECT uid, at
    FROM argo_retention.deletions
    WHERE clustername = %(clustername)s::text AND namespace = %(namespace)s::text AND name = %(name)s::text
    UNION ALL
    SELECT uid, at
    FROM argo_retention.expiry_units
    WHERE clustername = %(clustername)s::text AND namespace = %(namespace)s::text AND name = %(name)s::text
) AS known
GROUP BY uid
ORDER BY min(at) DESC, uid;

-- name: counts
-- What is there, for one installation; references and log objects are those of its cluster.
SELECT 'rows' AS what, count(*) AS number
FROM argo_archived_workflows
WHERE clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
UNION ALL
SELECT 'labels', count(*)
FROM
    argo_archived_workflows_labels AS l
    INNER JOIN argo_archived_workflows AS r ON r.clustername = l.clustername AND r.uid = l.uid
WHERE r.clustername = %(clustername)s::text AND r.instanceid = %(instanceid)s::text
UNION ALL
SELECT 'proven', count(*)
FROM argo_retention.archived_versions
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text AND NOT expired_while_live
UNION ALL
SELECT 'references', count(*)
FROM argo_retention.log_references
WHERE clustername = %(clustername)s::text
UNION ALL
SELECT 'logs_' || l.state, count(*)
FROM argo_retention.log_objects AS l
WHERE
    l.clustername = %(clustername)s::text
    AND NOT EXISTS (
        SELECT FROM argo_retention.expiry_units AS u
        WHERE u.clustername = l.clustername AND u.uid = l.uid AND u.stage = 'done'
    )
GROUP BY l.state
UNION ALL
SELECT 'deletions_' || split_part(outcome, ':', 1), count(*)
FROM argo_retention.deletions
WHERE clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
GROUP BY split_part(outcome, ':', 1)
UNION ALL
SELECT 'expired', count(*)
FROM argo_retention.expiry_units
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text AND stage = 'done'
UNION ALL
SELECT 'expiry_open', count(*)
FROM argo_retention.expiry_units
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND stage IN ('intended', 'objects_done')
UNION ALL
SELECT 'expired_while_live', count(*)
FROM argo_retention.archived_versions
WHERE clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text AND expired_while_live;

-- name: forget_snapshots
-- Old ones, but the newest that was believed.
WITH old AS (
    SELECT s.run_id
    FROM argo_retention.snapshots AS s
    WHERE
        s.clustername = %(clustername)s::text AND s.instanceid = %(instanceid)s::text
        AND s.taken_at < %(before)s::timestamptz
        AND s.run_id <> coalesce(
            (
                SELECT n.run_id FROM argo_retention.snapshots AS n
                WHERE
                    n.clustername = %(clustername)s::text AND n.instanceid = %(instanceid)s::text
                    AND n.accepted
                ORDER BY n.taken_at DESC
                LIMIT 1
            ),
            ''
        )
    LIMIT %(most)s::bigint
)

DELETE FROM argo_retention.snapshots AS s
USING old
WHERE
    s.clustername = %(clustername)s::text AND s.instanceid = %(instanceid)s::text
    AND s.run_id = old.run_id;

-- name: forget_plans
-- Old ones, but the newest of each kind.
WITH old AS (
    SELECT p.plan_id
    FROM argo_retention.plans AS p
    WHERE
        p.clustername = %(clustername)s::text AND p.instanceid = %(instanceid)s::text
        AND p.made_at < %(before)s::timestamptz
        AND EXISTS (
            SELECT FROM argo_retention.plans AS n
            WHERE
                n.clustername = p.clustername AND n.instanceid = p.instanceid AND n.kind = p.kind
                AND n.made_at > p.made_at
        )
    LIMIT %(most)s::bigint
)

DELETE FROM argo_retention.plans AS p
USING old
WHERE
    p.clustername = %(clustername)s::text AND p.instanceid = %(instanceid)s::text
    AND p.plan_id = old.plan_id;

-- name: forget_deletions
-- Those whose outcome is known.
WITH old AS (
    SELECT d.uid, d.plan_id
    FROM argo_retention.deletions AS d
    WHERE
        d.clustername = %(clustername)s::text AND d.instanceid = %(instanceid)s::text
        AND d.at < %(before)s::timestamptz AND d.outcome NOT IN ('intended', 'terminating')
    LIMIT %(most)s::bigint
)

DELETE FROM argo_retention.deletions AS d
USING old
WHERE
    d.clustername = %(clustername)s::text AND d.instanceid = %(instanceid)s::text
    AND d.uid = old.uid AND d.plan_id = old.plan_id;

-- name: forget_units
-- Those that have expired, and what is recorded of their logs.
WITH old AS MATERIALIZED (
    SELECT u.uid
    FROM argo_retention.expiry_units AS u
    WHERE
        u.clustername = %(clustername)s::text AND u.instanceid = %(instanceid)s::text
        AND u.at < %(before)s::timestamptz AND u.stage = 'done'
    LIMIT %(most)s::bigint
),

logs AS (
    DELETE FROM argo_retention.log_objects AS l
    USING old
    WHERE l.clustername = %(clustername)s::text AND l.uid = old.uid
)

DELETE FROM argo_retention.expiry_units AS u
USING old
WHERE u.clustername = %(clustername)s::text AND u.uid = old.uid;

-- name: deleted_by_rule
-- What left the cluster, by the rule that let it go.
SELECT rule, count(*) AS number
FROM argo_retention.deletions
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND outcome IN ('deleted', 'vanished')
GROUP BY rule;

-- name: sizes
-- Bytes of stored logs that have not expired, and of Argo's tables.
SELECT
    (
        SELECT coalesce(sum(l.size), 0)
        FROM argo_retention.log_objects AS l
        WHERE
            l.clustername = %(clustername)s::text AND l.state = 'stored'
            AND NOT EXISTS (
                SELECT FROM argo_retention.expiry_units AS u
                WHERE u.clustername = l.clustername AND u.uid = l.uid AND u.stage = 'done'
            )
    )::bigint AS logs,
    pg_total_relation_size('argo_archived_workflows')
    + pg_total_relation_size('argo_archived_workflows_labels') AS archive;
