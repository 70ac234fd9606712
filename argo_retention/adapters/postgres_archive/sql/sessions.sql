-- name: settings
-- What each session of ours has: commits that are on disk, UTC, and no long wait for or of Argo.
SET synchronous_commit = on;
SET timezone = 'UTC';
SET lock_timeout = '5s';
SET statement_timeout = '5min';
SET idle_in_transaction_session_timeout = '5min';
SET client_min_messages = error;
-- The server notices after a minute that our host is gone, and lets its locks go.
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 3;
