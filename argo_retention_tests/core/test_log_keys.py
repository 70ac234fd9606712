import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core.artifact_repositories import parse_repository
from argo_retention.core.log_keys import key_contains_uid, log_key, uid_key
from argo_retention.errors import ConfigurationError
from argo_retention_tests.core.manifest_factory import UID, node, workflow

OWN_KEY = f"wf/{UID}/wf-main-7/main.log"
KNOWN = {
    "workflow.name": "wf",
    "workflow.namespace": "team-a",
    "workflow.uid": UID,
    "workflow.creationTimestamp": "2026-01-02T03:04:05Z",
    "workflow.creationTimestamp.Y": "2026",
    "workflow.creationTimestamp.m": "01",
    "workflow.creationTimestamp.d": "02",
    "workflow.creationTimestamp.H": "03",
    "workflow.creationTimestamp.M": "04",
    "workflow.creationTimestamp.S": "05",
    "workflow.creationTimestamp.RFC3339": "2026-01-02T03:04:05Z",
    "workflow.creationTimestamp.s": "1767323045",
    "workflow.parameters.env": "prod",
    "workflow.parameters.flag": "true",
    "workflow.labels.team": "ml",
    "workflow.annotations.note": "n",
    "workflow.scheduledTime": "2026-01-02T03:00:00Z",
    "workflow.mainEntrypoint": "main",
    "workflow.serviceAccountName": "sa",
    "workflow.priority": "3",
    "inputs.parameters.m": "x",
    "node.name": "wf.a",
    "pod.name": "wf-main-7",
}
UNKNOWN = [
    "workflow.parameters.missing",
    "workflow.parameters.from-config-map",
    "workflow.labels.workflows.argoproj.io/phase",
    "workflow.status",
    "workflow.creationTimestamp.Q",
    "=workflow.name",
    "",
]


def found_workflow(**overrides):
    arguments = [
        {"name": "env", "value": "prod"},
        {"name": "flag", "value": True},
        {"name": "from-config-map", "valueFrom": {"configMapKeyRef": {}}},
        {"name": "braces", "value": "{{inputs}}"},
    ]
    return workflow(
        metadata={
            "labels": {"team": "ml", "workflows.argoproj.io/phase": "Succeeded"},
            "annotations": {
                "note": "n",
                "workflows.argoproj.io/scheduled-time": "2026-01-02T03:00:00Z",
            },
            **overrides,
        },
        spec={"arguments": {"parameters": arguments}, "serviceAccountName": "sa", "priority": 3},
    )


def key_of(key_format, *, template=None, found=None, **s3):
    return log_key(
        workflow=found or found_workflow(),
        node=node(name="wf.a", inputs={"parameters": [{"name": "m", "value": "x"}]}),
        template=template,
        container="main",
        repository=parse_repository({"s3": {"bucket": "b", "keyFormat": key_format, **s3}}),
        pod_name="wf-main-7",
    )


@pytest.mark.parametrize("variable", KNOWN)
def test_each_known_variable(variable):
    assert key_of(f"a/{{{{ {variable} }}}}").key == f"a/{KNOWN[variable]}/main.log"


@pytest.mark.parametrize("variable", [*UNKNOWN, "workflow.parameters.braces"])
def test_what_cannot_be_resolved_gets_a_key_with_the_uid(variable):
    found = key_of(f"a/{{{{{variable}}}}}")

    assert found.key == OWN_KEY
    assert found.has_uid


PARTS = st.one_of(
    st.sampled_from(
        ["{{" + name + "}}" for name in [*KNOWN, *UNKNOWN, "workflow.parameters.braces"]]
    ),
    st.text("{}/.a=", max_size=6),
)


@given(st.lists(PARTS, min_size=1, max_size=6).map("".join), st.text("{}/ab", max_size=5))
def test_a_key_never_contains_braces_and_is_deterministic(key_format, prefix):
    found = key_of(key_format, keyPrefix=prefix)

    assert "{{" not in found.key
    assert found.key.endswith("/main.log") or found.key == "main.log"
    assert found.has_uid == key_contains_uid(found.key, UID)
    assert key_of(key_format, keyPrefix=prefix) == found


@pytest.mark.parametrize(
    ("s3", "key"),
    [
        ({}, "wf/wf-main-7/main.log"),
        ({"keyPrefix": "prefix/"}, "prefix/wf/wf-main-7/main.log"),
        ({"keyPrefix": "prefix", "keyFormat": "x"}, "x/main.log"),
        ({"keyFormat": "/abs//x/../{{pod.name}}/"}, "/abs/wf-main-7/main.log"),
        ({"keyFormat": "//x"}, "/x/main.log"),
    ],
)
def test_default_prefix_and_joining_as_go_joins(s3, key):
    assert key_of("", **s3).key == key


def test_without_a_creation_time_its_variables_are_unknown():
    found = found_workflow(creationTimestamp=None)

    assert key_of("{{workflow.creationTimestamp.Y}}", found=found).key == OWN_KEY


def test_a_templates_own_location_wins():
    own = {"endpoint": "e", "bucket": "own", "key": "custom/{{workflow.uid}}"}

    found = key_of("x", template={"archiveLocation": {"s3": own}})

    assert (found.bucket, found.key) == ("own", f"custom/{UID}/main.log")
    assert found.location.endpoint == "e"
    assert found.has_uid


@pytest.mark.parametrize(
    ("repository", "template", "message"),
    [
        (None, None, "go to no artifact repository"),
        (parse_repository({"gcs": {}}), None, "go to gcs"),
        (parse_repository({"s3": {}}), None, "go to s3"),
        (parse_repository({"s3": {}}), {"archiveLocation": {"oss": {}}}, "go to oss"),
    ],
)
def test_logs_that_do_not_go_to_a_bucket_are_an_error(repository, template, message):
    with pytest.raises(ConfigurationError, match=message):
        log_key(
            workflow=workflow(),
            node=node(),
            template=template,
            container="main",
            repository=repository,
            pod_name="wf",
        )


def test_our_own_form_contains_uid_pod_and_container():
    key = uid_key(workflow=workflow(), key_prefix="{{bad}}", pod_name="p", container="c")

    assert key == f"wf/{UID}/p/c.log"


@pytest.mark.parametrize(
    ("key", "uid", "contains"),
    [
        ("a/wf-u1/main.log", "u1", True),
        ("a/wf-u12/main.log", "u1", False),
        ("u1", "u1", True),
        ("a/main.log", "", False),
    ],
)
def test_a_uid_counts_only_between_separators(key, uid, contains):
    assert key_contains_uid(key, uid) is contains
