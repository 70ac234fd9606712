-- Argo's tables as Argo v4.1 makes them in PostgreSQL: schema version 68.
-- The order of the columns is the order in which Argo's migrations added them.

CREATE TABLE argo_archived_workflows (
    uid               varchar(128) NOT NULL,
    name              varchar(256) NOT NULL,
    phase             varchar(25)  NOT NULL,
    namespace         varchar(256) NOT NULL,
    workflow          jsonb        NOT NULL,
    startedat         timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,
    finishedat        timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,
    clustername       varchar(64)  NOT NULL,
    instanceid        varchar(64)  NOT NULL,
    creationtimestamp timestamp             DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (clustername, uid)
);

CREATE INDEX argo_archived_workflows_i1
    ON argo_archived_workflows (clustername, instanceid, namespace, startedat DESC);
CREATE INDEX argo_archived_workflows_i2
    ON argo_archived_workflows (clustername, instanceid, finishedat);
CREATE INDEX argo_archived_workflows_i3
    ON argo_archived_workflows (clustername, instanceid, name);
CREATE INDEX argo_archived_workflows_i4
    ON argo_archived_workflows (clustername, startedat);
CREATE INDEX argo_archived_workflows_i5
    ON argo_archived_workflows (creationtimestamp);

CREATE TABLE argo_archived_workflows_labels (
    clustername varchar(64)  NOT NULL,
    uid         varchar(128) NOT NULL,
    name        varchar(317) NOT NULL,
    value       varchar(63)  NOT NULL,
    PRIMARY KEY (clustername, uid, name),
    FOREIGN KEY (clustername, uid)
        REFERENCES argo_archived_workflows (clustername, uid) ON DELETE CASCADE
);

CREATE INDEX argo_archived_workflows_labels_i1
    ON argo_archived_workflows_labels (name, value);

-- Offloaded node status; the name is the ConfigMap's `persistence.tableName`.
CREATE TABLE argo_workflows (
    uid               varchar(128) NOT NULL,
    namespace         varchar(256) NOT NULL,
    creationtimestamp timestamp             DEFAULT CURRENT_TIMESTAMP,
    clustername       varchar(64)  NOT NULL,
    version           varchar(64)  NOT NULL,
    nodes             json         NOT NULL,
    updatedat         timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (clustername, uid, version)
);

CREATE INDEX argo_workflows_i1
    ON argo_workflows (clustername, namespace, updatedat);

CREATE TABLE schema_history (
    schema_version integer NOT NULL,
    PRIMARY KEY (schema_version)
);

INSERT INTO schema_history (schema_version) VALUES (68);
