-- name: add_hold
-- The last one of a place counts.
INSERT INTO argo_retention.holds AS h (clustername, instanceid, place, because, by_whom, until)
VALUES (
    %(clustername)s::text, %(instanceid)s::text, %(place)s::text, %(because)s::text,
    %(by_whom)s::text, %(until)s::timestamptz
)
ON CONFLICT (clustername, instanceid, place) DO UPDATE
SET
    because = excluded.because, by_whom = excluded.by_whom, until = excluded.until,
    since = clock_timestamp();

-- name: release_hold
-- The place is held no more.
DELETE FROM argo_retention.holds
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND place = %(place)s::text
RETURNING clustername, instanceid, place, because, by_whom, until, since;

-- name: holds
-- Those that hold now.
SELECT clustername, instanceid, place, because, by_whom, until, since
FROM argo_retention.holds
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND (until IS NULL OR until > clock_timestamp())
ORDER BY place;
