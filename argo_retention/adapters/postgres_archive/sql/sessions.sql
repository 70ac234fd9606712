-- name: settings
-- What each session of ours has: commits that are on disk, times in UTC as ISO has them, and no long wait for or of Argo.
SET synchronous_commit = on;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET lock_timeout = '5s';
SET statement_timeout = '5min';
SET idle_in_transaction_session_timeout = '5min';
SET client_min_messages = error;
-- The server notices after a minute that our host is gone, and lets its locks go.
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 3;

-- name: local_settings
-- The same for one transaction, behind a pooler that gives the next one to another session.
SET LOCAL synchronous_commit = on;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, MDY';
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '5min';
SET LOCAL idle_in_transaction_session_timeout = '5min';
SET LOCAL client_min_messages = error;

-- name: pid
-- The session's process at the server, which a pooler does not tell when the connection is made.
SELECT pg_backend_pid();
