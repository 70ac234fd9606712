-- name: has_tables
-- Whether our tables were made; before that no run was here.
SELECT to_regclass('argo_retention.clusters') IS NOT NULL AS has_tables;

-- name: installation
-- Whose database this is.
SELECT installation, runs, made_at FROM argo_retention.installation;

-- name: bindings
-- What a clusterName meant, for each of its instanceIDs, and when the list of that version was recorded.
SELECT
    c.clustername, c.instanceid, c.cluster_uid, c.storage, c.resource_version, c.bound_at,
    max(s.taken_at) AS listed_at
FROM argo_retention.clusters AS c
LEFT JOIN argo_retention.snapshots AS s
    ON
        c.clustername = s.clustername AND c.instanceid = s.instanceid
        AND c.resource_version::text = s.resource_version
WHERE c.clustername = %(clustername)s::text
GROUP BY c.clustername, c.instanceid
ORDER BY c.instanceid;

-- name: count_run
-- One more run than the database, and the bucket, know of.
INSERT INTO argo_retention.installation AS i (installation, runs)
VALUES (%(installation)s::text, %(runs)s::bigint + 1)
ON CONFLICT (only_one) DO UPDATE
SET runs = greatest(i.runs, %(runs)s::bigint) + 1;

-- name: bind
-- What was right; an older list that came late takes nothing back.
INSERT INTO argo_retention.clusters AS c (
    clustername, instanceid, cluster_uid, storage, resource_version
)
VALUES (
    %(clustername)s::text, %(instanceid)s::text, %(cluster_uid)s::text, %(storage)s::text,
    %(resource_version)s::bigint
)
ON CONFLICT (clustername, instanceid) DO UPDATE
SET
    cluster_uid = excluded.cluster_uid, storage = excluded.storage,
    resource_version = greatest(c.resource_version, excluded.resource_version);

-- name: unbind
-- All of a clusterName: what a person accepted holds for each of its instanceIDs.
DELETE FROM argo_retention.clusters
WHERE
    clustername = %(clustername)s::text
    AND (instanceid = %(instanceid)s::text OR cluster_uid <> %(cluster_uid)s::text);

-- name: accepted
-- Who took what for right, and why.
INSERT INTO argo_retention.acceptances (clustername, instanceid, moved, because, by_whom)
VALUES (
    %(clustername)s::text, %(instanceid)s::text, %(moved)s::text[], %(because)s::text, %(by_whom)s::text
);

-- name: void_proofs
-- No version of the cluster is known any more; whether a row holds its workflow is seen by comparing both.
UPDATE argo_retention.archived_versions
SET resource_version = 0, live_version = 0
WHERE clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text;
