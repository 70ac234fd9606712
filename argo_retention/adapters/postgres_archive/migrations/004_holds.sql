-- What a person keeps, whatever policy says.

CREATE TABLE argo_retention.holds (
    clustername text        NOT NULL,
    instanceid  text        NOT NULL,
    place       text        NOT NULL,  -- NAMESPACE or NAMESPACE/NAME of workflows
    because     text        NOT NULL,
    by_whom     text        NOT NULL,
    until       timestamptz,  -- null: until somebody releases it
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (clustername, instanceid, place)
);
