-- Which cluster, database and bucket belong together; what was accepted when one of them had moved.

CREATE TABLE argo_retention.installation (
    only_one     boolean     PRIMARY KEY DEFAULT true CHECK (only_one),
    installation text        NOT NULL,
    runs         bigint      NOT NULL DEFAULT 0,  -- the bucket's identity.json has it too
    made_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE argo_retention.clusters (
    clustername      text        NOT NULL,
    instanceid       text        NOT NULL,
    cluster_uid      text        NOT NULL,  -- metadata.uid of the namespace kube-system
    storage          text        NOT NULL,  -- address of identity.json, once a run found it there
    resource_version bigint      NOT NULL,  -- the highest that a complete list had
    bound_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (clustername, instanceid)
);

CREATE TABLE argo_retention.acceptances (
    clustername text        NOT NULL,
    instanceid  text        NOT NULL,
    moved       text[]      NOT NULL,  -- what was refused until then
    because     text        NOT NULL,
    by_whom     text        NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
