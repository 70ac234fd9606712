import pytest

from argo_retention.core.artifact_repositories import (
    SecretKey,
    own_location,
    parse_repository,
    resolve,
)
from argo_retention.errors import ConfigurationError, ManifestError
from argo_retention_tests.core.manifest_factory import workflow

DEFAULT = "workflows.argoproj.io/default-artifact-repository"
CONTROLLER = parse_repository({"s3": {"bucket": "controller"}})


def config_map(default=None, **buckets):
    return {
        "metadata": {"annotations": {DEFAULT: default} if default else None},
        "data": {key: f"s3: {{bucket: {bucket}}}\n" for key, bucket in buckets.items()},
    }


def resolved(found, config_maps):
    repository = resolve(
        found,
        controller_repository=CONTROLLER,
        controller_namespace="argo",
        find_config_map=lambda namespace, name: config_maps.get((namespace, name)),
    )
    return repository.s3.bucket


def reference(**fields):
    return workflow(spec={"artifactRepositoryRef": fields})


@pytest.mark.parametrize(
    ("found", "config_maps", "bucket"),
    [
        pytest.param(workflow(), {}, "controller", id="nothing said: the controller's"),
        pytest.param(
            workflow(),
            {("team-a", "artifact-repositories"): config_map("x", x="default")},
            "default",
            id="default of the namespace",
        ),
        pytest.param(
            workflow(),
            {("team-a", "artifact-repositories"): config_map(x="unused")},
            "controller",
            id="the namespace names no default",
        ),
        pytest.param(
            workflow(),
            {("argo", "artifact-repositories"): config_map("x", x="unused")},
            "controller",
            id="a default counts in the workflow's namespace only",
        ),
        pytest.param(
            reference(configMap="mine", key="k"),
            {("team-a", "mine"): config_map(k="near"), ("argo", "mine"): config_map(k="far")},
            "near",
            id="reference: the workflow's namespace first",
        ),
        pytest.param(
            reference(configMap="mine", key="k"),
            {("team-a", "mine"): config_map(z="near"), ("argo", "mine"): config_map(k="far")},
            "far",
            id="reference: then the controller's",
        ),
        pytest.param(
            reference(key="k"),
            {("team-a", "artifact-repositories"): config_map(k="named")},
            "named",
            id="reference without a ConfigMap",
        ),
        pytest.param(
            reference(configMap="mine"),
            {("team-a", "mine"): config_map("k", k="annotated")},
            "annotated",
            id="reference without a key",
        ),
        pytest.param(
            workflow(
                status={"artifactRepositoryRef": {"artifactRepository": {"s3": {"bucket": "seen"}}}}
            ),
            {("team-a", "artifact-repositories"): config_map("x", x="later")},
            "seen",
            id="what Argo recorded wins",
        ),
    ],
)
def test_order_of_resolution(found, config_maps, bucket):
    assert resolved(found, config_maps) == bucket


def test_a_reference_to_nothing_is_an_error_that_says_where_was_looked():
    with pytest.raises(
        ManifestError,
        match=r"ConfigMap mine, key default\) is neither in namespace team-a nor in argo",
    ):
        resolved(reference(configMap="mine"), {})


def test_a_reference_to_nothing_does_not_matter_to_a_workflow_without_pods():
    """Argo ends it with an error before its first pod."""
    found = reference(configMap="mine")
    found["status"]["nodes"] = None

    repository = resolve(
        found,
        controller_repository=CONTROLLER,
        controller_namespace="argo",
        find_config_map=lambda _namespace, _name: None,
    )

    assert repository is None


def test_an_s3_repository_is_read_whole():
    repository = parse_repository(
        {
            "archiveLogs": True,
            "s3": {
                "endpoint": "s3:9000",
                "bucket": "b",
                "region": "r",
                "insecure": True,
                "keyFormat": "{{workflow.uid}}",
                "accessKeySecret": {"name": "s", "key": "a"},
                "secretKeySecret": {},
                "useSDKCreds": True,
            },
        }
    )

    assert (repository.kind, repository.archive_logs) == ("s3", True)
    assert repository.s3.access_key_secret == SecretKey(name="s", key="a")
    assert repository.s3.secret_key_secret is None
    assert repository.s3.insecure
    assert repository.s3.use_sdk_creds


def test_of_several_kinds_the_first_in_the_alphabet_wins():
    assert parse_repository({"s3": {}, "gcs": {}}).kind == "gcs"
    assert parse_repository({}).kind == ""


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"s3": {"bucket": ["b"]}}, "key s3.bucket: expected text, found a list"),
        (
            {"s3": {"accessKeySecret": {"name": "s"}}},
            r"key s3.accessKeySecret: expected \{name, key\}",
        ),
        ({"archiveLogs": "yes"}, "key archiveLogs: expected true or false, found text"),
    ],
)
def test_errors_name_the_key(mapping, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_repository(mapping, source="ConfigMap argo/x")


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ({"s3": {"endpoint": "e", "bucket": "b", "key": "k"}}, "s3"),
        ({"s3": {"bucket": "b", "key": "k"}}, None),
        ({"gcs": {"bucket": "b"}}, "gcs"),
        ({"archiveLogs": True}, None),
    ],
)
def test_own_location_counts_only_when_complete(location, kind):
    own = own_location({"archiveLocation": location})

    assert (own.kind if own else None) == kind


def test_what_a_workflow_says_wrongly_is_that_workflows_error():
    """It is refused alone; a configuration error would stop the run for all."""
    with pytest.raises(ManifestError, match="archiveLocation, key s3: expected a map"):
        own_location({"archiveLocation": {"s3": "mine"}})
    recorded = {"artifactRepositoryRef": {"artifactRepository": {"s3": "mine"}}}
    with pytest.raises(
        ManifestError, match="team-a/wf: artifactRepositoryRef, key s3: expected a map"
    ):
        resolved(workflow(status=recorded), {})
