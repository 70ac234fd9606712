-- name: pause
-- The last one counts.
INSERT INTO argo_retention.pauses AS p (clustername, instanceid, because, by_whom, until)
VALUES (
    %(clustername)s::text, %(instanceid)s::text, %(because)s::text, %(by_whom)s::text,
    %(until)s::timestamptz
)
ON CONFLICT (clustername, instanceid) DO UPDATE
SET
    because = excluded.because, by_whom = excluded.by_whom, until = excluded.until,
    since = clock_timestamp();

-- name: resume
-- Nothing is paused any more.
DELETE FROM argo_retention.pauses
WHERE clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
RETURNING clustername, instanceid, because, by_whom, until, since;

-- name: pause_of
-- The pause that holds now.
SELECT clustername, instanceid, because, by_whom, until, since
FROM argo_retention.pauses
WHERE
    clustername = %(clustername)s::text AND instanceid = %(instanceid)s::text
    AND (until IS NULL OR until > clock_timestamp());
