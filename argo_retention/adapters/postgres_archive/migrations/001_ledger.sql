-- The ledger of argo_retention: what was proven, saved, deleted and expired, and who may work on a cluster.
-- No foreign key leads from here to Argo's tables: Argo archives by delete and insert.

CREATE TABLE argo_retention.leases (
    clustername text        NOT NULL,
    instanceid  text        NOT NULL,
    token       bigint      NOT NULL DEFAULT 0,
    root_run    text        NOT NULL DEFAULT '',  -- empty: free
    host        text        NOT NULL DEFAULT '',
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    heartbeat   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (clustername, instanceid),
    -- Makes the token a key column: writers hold the row FOR KEY SHARE, which lets heartbeats pass and makes
    -- a takeover, which raises the token, wait until they have committed.
    UNIQUE (clustername, instanceid, token)
);

CREATE TABLE argo_retention.archived_versions (
    clustername              text        NOT NULL,
    uid                      text        NOT NULL,
    instanceid               text        NOT NULL,
    namespace                text        NOT NULL,
    name                     text        NOT NULL,
    resource_version         bigint      NOT NULL,
    live_version             bigint      NOT NULL DEFAULT 0,  -- after our own label patch; 0: none
    digest                   text        NOT NULL,  -- md5(workflow::text) of Argo's row
    proven_at                timestamptz NOT NULL DEFAULT clock_timestamp(),
    phase                    text        NOT NULL,
    finished_at              timestamptz,
    ttl_seconds              bigint,
    template                 text        NOT NULL,
    artifact_gc_deletes_logs boolean     NOT NULL,
    added                    text[]      NOT NULL,
    expired_while_live       boolean     NOT NULL DEFAULT false,  -- there is no row any more, on purpose
    PRIMARY KEY (clustername, uid)
);

CREATE INDEX archived_versions_name
    ON argo_retention.archived_versions (clustername, namespace, name);

-- Which version of a row was read, and what was found in it: its references are in log_references, and its
-- digest need not be computed again while xmin says that it is that version.
CREATE TABLE argo_retention.rows_read (
    clustername text NOT NULL,
    uid         text NOT NULL,
    row_xmin    xid  NOT NULL,
    digest      text NOT NULL,
    PRIMARY KEY (clustername, uid)
);

CREATE TABLE argo_retention.log_references (
    bucket      text NOT NULL,  -- empty: the row names none, so it may be any
    key         text NOT NULL,
    clustername text NOT NULL,
    uid         text NOT NULL,
    PRIMARY KEY (key, bucket, clustername, uid)
);

CREATE INDEX log_references_workflow ON argo_retention.log_references (clustername, uid);

CREATE TABLE argo_retention.log_objects (
    clustername text        NOT NULL,
    uid         text        NOT NULL,
    node_id     text        NOT NULL,
    container   text        NOT NULL,
    namespace   text        NOT NULL,
    workflow    text        NOT NULL,
    state       text        NOT NULL,
    reason      text        NOT NULL,
    source      text        NOT NULL,
    bucket      text        NOT NULL,
    key         text        NOT NULL,
    size        bigint,
    sha256      text,
    etag        text,
    run_id      text        NOT NULL,
    saved_at    timestamptz NOT NULL,
    PRIMARY KEY (clustername, uid, node_id, container)
);

CREATE INDEX log_objects_object ON argo_retention.log_objects (key, bucket) WHERE key <> '';

CREATE TABLE argo_retention.deletions (
    clustername      text        NOT NULL,
    instanceid       text        NOT NULL,
    uid              text        NOT NULL,
    namespace        text        NOT NULL,
    name             text        NOT NULL,
    resource_version bigint      NOT NULL,
    rule             text        NOT NULL,
    rank             integer,
    reason           text        NOT NULL,
    plan_id          text        NOT NULL,
    run_id           text        NOT NULL,
    by_whom          text        NOT NULL,
    outcome          text        NOT NULL,
    at               timestamptz NOT NULL,
    PRIMARY KEY (clustername, uid, plan_id)
);

CREATE INDEX deletions_at ON argo_retention.deletions (clustername, instanceid, at);
CREATE INDEX deletions_name ON argo_retention.deletions (clustername, namespace, name);
CREATE INDEX deletions_open ON argo_retention.deletions (clustername, instanceid)
    WHERE outcome IN ('intended', 'terminating');

CREATE TABLE argo_retention.expiry_units (
    clustername  text        NOT NULL,
    uid          text        NOT NULL,
    instanceid   text        NOT NULL,
    namespace    text        NOT NULL,
    name         text        NOT NULL,
    stage        text        NOT NULL,
    reason       text        NOT NULL,
    plan_id      text        NOT NULL,
    run_id       text        NOT NULL,
    digest       text        NOT NULL,
    kept_objects text[]      NOT NULL,
    at           timestamptz NOT NULL,
    PRIMARY KEY (clustername, uid)
);

CREATE INDEX expiry_units_name ON argo_retention.expiry_units (clustername, namespace, name);

CREATE TABLE argo_retention.snapshots (
    clustername      text        NOT NULL,
    instanceid       text        NOT NULL,
    run_id           text        NOT NULL,
    path             text        NOT NULL,
    live             bigint      NOT NULL,
    finished         bigint      NOT NULL,
    resource_version text        NOT NULL,
    accepted         boolean     NOT NULL,
    taken_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (clustername, instanceid, run_id)
);

CREATE TABLE argo_retention.plans (
    clustername   text        NOT NULL,
    instanceid    text        NOT NULL,
    plan_id       text        NOT NULL,
    kind          text        NOT NULL,
    root_run      text        NOT NULL,
    path          text        NOT NULL,
    policy_digest text        NOT NULL,
    removals      bigint      NOT NULL,
    state         text        NOT NULL,
    made_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (clustername, instanceid, plan_id)
);

CREATE INDEX plans_kind ON argo_retention.plans (clustername, kind, made_at);
