-- Until when, and why, nothing is to be deleted.

CREATE TABLE argo_retention.pauses (
    clustername text        NOT NULL,
    instanceid  text        NOT NULL,
    because     text        NOT NULL,
    by_whom     text        NOT NULL,
    until       timestamptz,  -- null: until somebody resumes
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (clustername, instanceid)
);
