-- name: server
-- Version, clock, and whether this session may write.
SELECT
    current_setting('server_version') AS server_version,
    current_setting('transaction_read_only') = 'on' AS is_read_only,
    clock_timestamp() AS now,
    to_regclass('schema_history') IS NOT NULL AS has_schema_history,
    CASE
        -- Even to ask whether a table is there needs USAGE on its schema.
        WHEN coalesce(has_schema_privilege(to_regnamespace('argo_retention'), 'USAGE'), false)
            THEN coalesce(has_table_privilege(to_regclass('argo_retention.migrations'), 'SELECT'), false)
        ELSE false
    END AS has_migrations;

-- name: schema_version
-- Version of Argo's tables.
SELECT max(schema_version) AS version FROM schema_history;

-- name: migrations
-- Which of our migrations were done.
SELECT name FROM argo_retention.migrations;

-- name: missing_rights
-- Rights on Argo's tables that this user lacks; a table that is not there is named, too.
SELECT
    wanted.right_name AS right_name,
    wanted.table_name AS table_name,
    to_regclass(quote_ident(wanted.table_name)) IS NULL AS is_absent
FROM
    unnest(%(rights)s::text[], %(tables)s::text[]) AS wanted (right_name, table_name)
WHERE
    CASE
        WHEN to_regclass(quote_ident(wanted.table_name)) IS NULL THEN true
        ELSE NOT has_table_privilege(to_regclass(quote_ident(wanted.table_name)), wanted.right_name)
    END;

-- name: own_rights
-- Whether our own schema is there and usable, or may be made.
SELECT
    CASE
        WHEN to_regnamespace('argo_retention') IS NULL
            THEN has_database_privilege(current_database(), 'CREATE')
        ELSE has_schema_privilege('argo_retention', 'USAGE')
    END AS has_schema;

-- name: missing_own_rights
-- Our own tables that this user may not read and write.
SELECT c.relname AS table_name
FROM
    pg_class AS c
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE
    n.nspname = 'argo_retention' AND c.relkind = 'r'
    AND NOT (
        has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
        AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')
    )
ORDER BY c.relname;

-- name: lock_migrations
-- One at a time; the number is ours alone, and the lock ends with the transaction.
SELECT set_config('lock_timeout', '60s', true), pg_advisory_xact_lock(hashtext('argo_retention'), 1);

-- name: has_schema
-- Whether our schema is there: IF NOT EXISTS asks for the right to make one all the same. From the catalog, since
-- to_regnamespace may remember what was so before the lock was waited for.
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'argo_retention') AS has_schema;

-- name: make_schema
-- Our schema.
CREATE SCHEMA argo_retention;

-- name: make_migrations
-- The list of what was done to it.
CREATE TABLE IF NOT EXISTS argo_retention.migrations (
    name text        NOT NULL PRIMARY KEY,
    at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: migration_done
-- Remember a migration.
INSERT INTO argo_retention.migrations (name) VALUES (%(name)s::text);
