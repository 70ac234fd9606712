-- name: proven
-- Proofs with the existence of their row, by key only, and the summary of their logs.
SELECT
    v.clustername, v.uid, v.resource_version, v.live_version, v.digest, v.proven_at, v.phase, v.finished_at,
    v.ttl_seconds, v.template, v.artifact_gc_deletes_logs, v.added,
    r.uid IS NOT NULL AS row_exists, v.expired_while_live,
    coalesce(l.stored, 0) AS stored, coalesce(l.not_wanted, 0) AS not_wanted,
    coalesce(l.lost, 0) AS lost, coalesce(l.unsettled, 0) AS unsettled,
    coalesce(l.first_reason, '') AS first_reason
FROM
    argo_retention.archived_versions AS v
    LEFT JOIN argo_archived_workflows AS r ON r.clustername = v.clustername AND r.uid = v.uid
    LEFT JOIN (
        SELECT
            uid,
            count(*) FILTER (WHERE state = 'stored') AS stored,
            count(*) FILTER (WHERE state = 'not_wanted') AS not_wanted,
            count(*) FILTER (WHERE state = 'lost') AS lost,
            count(*) FILTER (WHERE state NOT IN ('stored', 'not_wanted', 'lost')) AS unsettled,
            min(reason) FILTER (WHERE state NOT IN ('stored', 'not_wanted', 'lost')) AS first_reason
        FROM argo_retention.log_objects
        WHERE
            clustername = %(clustername)s::text
            AND (%(uids)s::text[] IS NULL OR uid = ANY (%(uids)s::text[]))
        GROUP BY uid
    ) AS l ON l.uid = v.uid
WHERE
    v.clustername = %(clustername)s::text
    AND (%(uids)s::text[] IS NULL OR v.uid = ANY (%(uids)s::text[]));

-- name: patched
-- Our own label patch moved the live version on; only from a version that the proof holds for.
UPDATE argo_retention.archived_versions AS v
SET live_version = p.new_version
FROM
    unnest(%(uids)s::text[], %(proven)s::bigint[], %(new)s::bigint[])
        AS p (uid, proven_version, new_version)
WHERE
    v.clustername = %(clustername)s::text AND v.uid = p.uid
    AND p.proven_version IN (v.resource_version, v.live_version);

-- name: lock_rows
-- Rows read again just before deletion, with what the ledger says; nobody changes them until the end. The
-- text is made twice: a subquery that makes it once would keep that of before the wait for a lock.
SELECT
    r.uid, md5(r.workflow::text) AS digest, octet_length(r.workflow::text) AS size,
    v.resource_version, v.live_version,
    v.digest AS proven_digest, v.proven_at,
    NOT EXISTS (
        SELECT
        FROM argo_retention.log_objects AS l
        WHERE
            l.clustername = r.clustername AND l.uid = r.uid
            AND l.state NOT IN ('stored', 'not_wanted', 'lost')
    ) AS logs_settled
FROM
    argo_archived_workflows AS r
    INNER JOIN argo_retention.archived_versions AS v
        ON v.clustername = r.clustername AND v.uid = r.uid
WHERE
    r.clustername = %(clustername)s::text AND r.instanceid = %(instanceid)s::text
    AND r.uid = ANY (%(uids)s::text[])
ORDER BY r.uid
FOR SHARE OF r;

-- name: lock_expired
-- Proofs of workflows whose row expired on purpose while they were live.
SELECT
    v.uid, '' AS digest, v.resource_version, v.live_version, '' AS proven_digest, v.proven_at,
    true AS expired_while_live,
    NOT EXISTS (
        SELECT
        FROM argo_retention.log_objects AS l
        WHERE
            l.clustername = v.clustername AND l.uid = v.uid
            AND l.state NOT IN ('stored', 'not_wanted', 'lost')
    ) AS logs_settled
FROM argo_retention.archived_versions AS v
WHERE
    v.clustername = %(clustername)s::text AND v.instanceid = %(instanceid)s::text
    AND v.uid = ANY (%(uids)s::text[]) AND v.expired_while_live
    AND NOT EXISTS (
        SELECT
        FROM argo_archived_workflows AS r
        WHERE r.clustername = v.clustername AND r.uid = v.uid
    )
ORDER BY v.uid
FOR SHARE OF v;
