-- name: make
-- The row of a cluster that was never held.
INSERT INTO argo_retention.leases (clustername, instanceid)
VALUES (%(clustername)s::text, %(instanceid)s::text)
ON CONFLICT DO NOTHING;

-- name: read
-- Holder, token, and whether the holder fell silent, by the database's clock.
SELECT
    token, root_run, host, since, heartbeat,
    heartbeat < clock_timestamp() - %(stale_after)s::interval AS is_stale
FROM argo_retention.leases
WHERE clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text;

-- name: reenter
-- The same root run again; nothing changes but the heartbeat.
UPDATE argo_retention.leases
SET heartbeat = clock_timestamp(), host = %(host)s::text
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND token = %(token)s::bigint AND root_run = %(root_run)s::text
RETURNING token;

-- name: take
-- A new holder, if nobody was faster than this one since it read the row; waits for writers of the old one.
UPDATE argo_retention.leases
SET
    token = token + 1, root_run = %(root_run)s::text, host = %(host)s::text,
    since = clock_timestamp(), heartbeat = clock_timestamp()
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND token = %(token)s::bigint AND root_run = %(seen_root_run)s::text
    AND (root_run = '' OR heartbeat = %(seen_heartbeat)s::timestamptz)
RETURNING token;

-- name: heartbeat
-- The holder lives.
UPDATE argo_retention.leases
SET heartbeat = clock_timestamp()
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND token = %(token)s::bigint AND root_run = %(root_run)s::text
RETURNING token;

-- name: release
-- Free again; the token stays, so that the next one is higher.
UPDATE argo_retention.leases
SET root_run = '', host = ''
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND token = %(token)s::bigint AND root_run = %(root_run)s::text;

-- name: hold
-- The fence of every transaction that writes: while it is open, nobody takes the lease over.
SELECT token
FROM argo_retention.leases
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND token = %(token)s::bigint AND root_run = %(root_run)s::text
FOR KEY SHARE;
