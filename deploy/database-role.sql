-- A role for argo-retention: what it uses of Argo's tables and no more, and a schema of its own. To be run in
-- Argo's database by the owner of its tables, once; a second time changes nothing. Give it a password then:
--     psql ... -c '\password argo_retention'
-- `argo-retention doctor` names what is missing of it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'argo_retention') THEN
        CREATE ROLE argo_retention LOGIN;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO argo_retention', current_database());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO argo_retention', current_schema());
END
$$;

-- Rows are written and proven; UPDATE is also what it takes to lock one while its workflow is deleted.
GRANT SELECT, INSERT, UPDATE, DELETE ON argo_archived_workflows TO argo_retention;
GRANT SELECT, INSERT, DELETE ON argo_archived_workflows_labels TO argo_retention;
-- Nodes of workflows that are too large for etcd (nodeStatusOffLoad), and the version of these tables.
GRANT SELECT ON argo_workflows TO argo_retention;
GRANT SELECT ON schema_history TO argo_retention;

-- The ledger is its own: it makes the tables, and later releases change them.
CREATE SCHEMA IF NOT EXISTS argo_retention AUTHORIZATION argo_retention;
