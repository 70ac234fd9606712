from datetime import timedelta

import pytest

from argo_retention.core.argo_settings import (
    configmap_name_from_args,
    managed_namespace_from_args,
    parse_controller_config,
)
from argo_retention.core.artifact_repositories import SecretKey
from argo_retention.core.policy import RetentionPolicy
from argo_retention.errors import ConfigurationError

SEED = {
    "instanceID": "mine\n",
    "retentionPolicy": "{completed: 3, failed: 4}",
    "persistence": """\
archive: true
archiveTTL: 180d
clusterName: 1
nodeStatusOffLoad: true
archiveLabelSelector:
  matchLabels: {team: ml}
postgresql:
  host: postgres
  port: 5432
  database: postgres
  tableName: argo_workflows
  userNameSecret: {name: argo-postgres-config, key: username}
  passwordSecret: {name: argo-postgres-config, key: password}
  ssl: true
  sslMode: require
""",
    "artifactRepository": "archiveLogs: true\ns3: {bucket: my-bucket}\n",
    "workflowDefaults": "spec: {ttlStrategy: {secondsAfterCompletion: 9}}",
    "parallelism": "10",
}


def parse(**data):
    return parse_controller_config(data, source="ConfigMap argo/cm")


def test_one_yaml_text_a_key():
    settings = parse(**SEED)

    assert settings.instance_id == "mine"
    assert settings.retention_policy == RetentionPolicy(succeeded=3, failed=4, errored=None)
    assert settings.persistence.archive
    assert settings.persistence.archive_ttl == timedelta(days=180)
    assert settings.persistence.cluster_name == "1"
    assert settings.persistence.node_status_offload
    assert settings.persistence.archive_label_selector.to_query() == "team=ml"
    database = settings.persistence.database
    assert (database.kind, database.host, database.port) == ("postgresql", "postgres", 5432)
    assert database.password_secret == SecretKey(name="argo-postgres-config", key="password")
    assert (database.ssl, database.ssl_mode) == (True, "require")
    assert settings.artifact_repository.s3.bucket == "my-bucket"
    assert settings.workflow_defaults["spec"]["ttlStrategy"]["secondsAfterCompletion"] == 9


def test_the_old_form_holds_all_under_config():
    old = "instanceID: mine\nretentionPolicy: {errored: 5}\npersistence: {mysql: {host: h}}"

    settings = parse(config=old)

    assert settings.instance_id == "mine"
    assert settings.retention_policy == RetentionPolicy(errored=5)
    assert settings.persistence.database.kind == "mysql"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"config": ""},
        dict.fromkeys(SEED, ""),
        dict.fromkeys(SEED, "null"),
        {"config": "\n".join(f"{key}: null" for key in SEED)},
    ],
)
def test_absent_empty_and_null_are_argos_defaults(data):
    settings = parse(**data)

    assert settings.instance_id == ""
    assert settings.retention_policy is None
    assert settings.artifact_repository is None
    assert not settings.persistence.archive
    assert settings.persistence.archive_ttl is None
    assert settings.persistence.cluster_name == "default"
    assert settings.persistence.database is None
    assert settings.workflow_defaults == {}


def test_persistence_may_name_no_database():
    assert parse(persistence="archive: true").persistence.database is None


def test_text_may_stand_unquoted_and_dates_stay_text():
    assert parse(instanceID="5").instance_id == "5"
    assert parse(instanceID="true").instance_id == "true"
    assert parse(instanceID="2026-01-02").instance_id == "2026-01-02"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"persistence": "archive: true\narchiveTTL: 180\n"},
            "ConfigMap argo/cm, key persistence.archiveTTL, line 2: TTL 180 is not text",
        ),
        (
            {"persistence": "archive: 'yes'"},
            "key persistence.archive, line 1: expected true or false, found text",
        ),
        ({"persistence": "[archive]"}, "key persistence: expected a map, found a list"),
        (
            {"retentionPolicy": "completed: '3'"},
            "key retentionPolicy.completed, line 1: expected a number, found text",
        ),
        (
            {"retentionPolicy": "failed: 1.5"},
            "key retentionPolicy.failed, line 1: expected a number, found a fraction",
        ),
        (
            {"retentionPolicy": "failed: -1"},
            "key retentionPolicy.failed, line 1: expected how many workflows to keep, found -1",
        ),
        ({"retentionPolicy": "completed: [1\n"}, "key retentionPolicy, line 2: not YAML: expected"),
        ({"retentionPolicy": "a: \x01"}, "key retentionPolicy: not YAML: it holds a character"),
        (
            {"retentionPolicy": "? [a]\n: b"},
            "key retentionPolicy, line 1: not YAML: found unhashable key",
        ),
        (
            {"persistence": "postgresql:\n  port: 1\n"},
            "key persistence.postgresql.host: expected the name of the database server",
        ),
        (
            {"persistence": "postgresql: {host: h, passwordSecret: hunter2}"},
            "key persistence.postgresql.passwordSecret, line 1: expected a map, found text",
        ),
        (
            {"persistence": "archiveLabelSelector: {matchExpressions: [{key: a, operator: Foo}]}"},
            "key persistence.archiveLabelSelector, line 1: label selector: matchExpressions[0].operator",
        ),
        (
            {"config": "persistence:\n  archive: 1\n"},
            "key persistence.archive, line 2: expected true",
        ),
        ({"config": "- a"}, "ConfigMap argo/cm: expected a map, found a list"),
        ({"config": "a: ["}, "ConfigMap argo/cm, line 1: not YAML"),
        ({"config": "", "instanceID": "x"}, "Argo allows no other key, found instanceID"),
        ({"instanceID": "!!python/object:x {}"}, "key instanceID, line 1: not YAML"),
    ],
)
def test_errors_name_config_map_key_line_and_what_was_expected(data, message):
    with pytest.raises(ConfigurationError) as error:
        parse(**data)

    assert message in str(error.value)
    assert "hunter2" not in str(error.value)


def test_an_alias_that_contains_itself_is_read():
    assert parse(workflowDefaults="&a {b: *a}").workflow_defaults["b"] is not None


@pytest.mark.parametrize(
    ("args", "name"),
    [
        ([], "workflow-controller-configmap"),
        (["server", "--configmap=mine"], "mine"),
        (["--configmap", "mine", "--namespaced"], "mine"),
        (["--configmap"], "workflow-controller-configmap"),
        (["--configmap=a", "--configmap", "b"], "b"),
    ],
)
def test_the_config_map_that_the_arguments_name(args, name):
    assert configmap_name_from_args(args) == name


@pytest.mark.parametrize(
    ("args", "namespace"),
    [
        ([], None),
        (["--namespaced"], "argo"),
        (["--namespaced=false"], None),
        (["--namespaced", "--managed-namespace", "team-a"], "team-a"),
        (["--managed-namespace=team-a"], "team-a"),
    ],
)
def test_the_namespace_that_the_arguments_limit_to(args, namespace):
    assert managed_namespace_from_args(args, "argo") == namespace
