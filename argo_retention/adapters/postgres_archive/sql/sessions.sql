-- name: settings
-- What each session of ours has: commits that are on disk, UTC, and no long wait for or of Argo.
SET synchronous_commit = on;
SET timezone = 'UTC';
SET lock_timeout = '5s';
SET statement_timeout = '5min';
SET idle_in_transaction_session_timeout = '5min';
SET client_min_messages = error;

-- name: has_staging
-- Whether this session has its temporary table already.
SELECT to_regclass('pg_temp.argo_retention_staged') IS NOT NULL AS has_staging;

-- name: staging
-- Where COPY puts the rows of a batch; the text is neither compressed nor parsed on its way.
CREATE TEMPORARY TABLE argo_retention_staged (
    instanceid        text,
    uid               text,
    name              text,
    namespace         text,
    phase             text,
    startedat         timestamp,
    finishedat        timestamp,
    creationtimestamp timestamp,
    workflow          text
) ON COMMIT DELETE ROWS;
ALTER TABLE pg_temp.argo_retention_staged ALTER COLUMN workflow SET STORAGE EXTERNAL;
