"""The demo's seed on a real API server, worked on by the role that is shipped and no other right."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from argo_retention.adapters.kubernetes_cluster.cluster import KubernetesCluster
from argo_retention.adapters.kubernetes_cluster.connecting import connect
from argo_retention.cli.main import main
from argo_retention.core import labels
from argo_retention.defs.jobs import RETENTION_JOB
from argo_retention.errors import ClusterForbiddenError
from argo_retention.operations.doctoring.findings import Findings
from argo_retention.operations.doctoring.rights import examine_rights
from argo_retention_tests.cluster.seeding import (
    ROLE,
    ROLE_WITHOUT_SECRETS,
    ROLES,
    RealServers,
)
from argo_retention_tests.cluster.server import RealServer
from argo_retention_tests.e2e.worlds import World, seed_world

URL_VARIABLE = "ARCHIVE_URL"
#: Rights that this job on this cluster does not use, each with who does.
NOT_IN_THIS_RUN = {
    ("workflows", "watch"): "the sensor",
    ("pods", "list"): "workflows of three pods and more",
    ("cronworkflows", "list"): "doctor",
    ("workflowtemplates", "list"): "doctor",
}


#: Argo's own retentionPolicy stands in the seed's ConfigMap, which doctor calls a failure.
DELETES_BY_ITSELF = {"Argo deletes by itself", "retentionPolicy", "archiveTTL"}


@pytest.fixture
def seed(servers: RealServers, tmp_path: Path) -> Iterator[World]:
    """Ten finished workflows, of which policy keeps three; nothing of it is archived yet."""
    with seed_world(servers, tmp_path, hello_worlds=10, keep_count=3) as world:
        yield world


def missing_rights(world: World) -> list[str]:
    """What doctor says is missing."""
    settings = world.settings.clusters[world.scene.name]
    with closing(connected(world)) as cluster:
        found = list(examine_rights(Findings(cluster="seed"), cluster, settings, None))
    return [f"{each.what}" for each in found if "may not" in each.what]


def connected(world: World) -> KubernetesCluster:
    return connect(kubeconfig=str(world.kubeconfig), context=None, name="seed")


def role_of(path: Path) -> dict[str, Any]:
    [role] = [d for d in yaml.safe_load_all(path.read_text()) if d["kind"] == "ClusterRole"]
    return role  # type: ignore[no-any-return]


@contextmanager
def allowed(server: RealServer, rules: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    """The role has these rules for a while."""
    role = role_of(ROLE)
    path = f"{ROLES}/{role['metadata']['name']}"
    server.call("PUT", path, {**role, "rules": list(rules)})
    try:
        yield
    finally:
        server.call("PUT", path, role)


def without(rule: Mapping[str, Any], verb: str) -> list[Mapping[str, Any]]:
    """The rules of the role, but for this verb of this one."""
    rules = [
        {**each, "verbs": [v for v in each["verbs"] if v != verb]} if each == rule else each
        for each in role_of(ROLE)["rules"]
    ]
    return [each for each in rules if each["verbs"]]


def rights() -> list[Any]:
    return [
        pytest.param(rule, verb, id=f"{verb}-{rule['resources'][0]}".replace("/", "-"))
        for rule in role_of(ROLE)["rules"]
        for verb in rule["verbs"]
    ]


@pytest.mark.parametrize(("rule", "verb"), rights())
def test_p1_without_one_right_doctor_names_it_and_nothing_is_deleted(
    seed: World, server: RealServer, rule: dict[str, Any], verb: str
) -> None:
    before = seed.live().keys()
    with allowed(server, without(rule, verb)):
        for _ in range(50):  # the server learns of a changed role a moment later
            missing = [w for w in missing_rights(seed) if rule["resources"][0] in w and verb in w]
            if missing:
                break
        assert missing, missing_rights(seed)
        if (rule["resources"][0], verb) not in NOT_IN_THIS_RUN:
            outcome = seed.run(RETENTION_JOB)
            assert outcome.exit_code == 1 or outcome.failed_checks

    assert seed.live().keys() == before
    assert len(before) == 10


USED_ELSEWHERE: dict[tuple[str, str], Callable[[Any], object]] = {
    ("workflows", "watch"): lambda api: list(
        api.watch_metadata(selector="", namespace=None, resource_version="0", seconds=1)
    ),
    ("pods", "list"): lambda api: api.pods_of(namespace="argo", workflow="x"),
    ("cronworkflows", "list"): lambda api: api.list_objects(kind="CronWorkflow", namespace=None),
    ("workflowtemplates", "list"): lambda api: api.list_objects(
        kind="WorkflowTemplate", namespace=None
    ),
}


@pytest.mark.parametrize("right", list(NOT_IN_THIS_RUN), ids=str)
def test_p1_a_right_that_the_run_does_not_use_is_used_by_something_else(
    seed: World, server: RealServer, right: tuple[str, str]
) -> None:
    """So no verb is granted that nothing needs: each of the others makes the run refuse, above."""
    resource, verb = right
    [rule] = [
        r for r in role_of(ROLE)["rules"] if resource in r["resources"] and verb in r["verbs"]
    ]
    with closing(connected(seed)) as api:
        USED_ELSEWHERE[right](api)
        with allowed(server, without(rule, verb)):
            for _ in range(50):
                if any(resource in what and verb in what for what in missing_rights(seed)):
                    break
            with pytest.raises(ClusterForbiddenError):
                USED_ELSEWHERE[right](api)


def test_doctor_finds_nothing_wrong_with_the_seed(
    seed: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "retention.yaml"
    settings.write_text(seed.settings_text)

    with pytest.raises(SystemExit):
        main(["doctor", "--json", "--config", str(settings)])

    findings = json.loads(capsys.readouterr().out)["findings"]
    failed = {each["check"] for each in findings if each["status"] == "failed"}
    found = {each["check"] for each in findings}
    assert failed <= DELETES_BY_ITSELF, findings
    assert {"Kubernetes API", "database", "bucket", "lifecycle rules", "identity"} <= found


def test_the_seed_is_archived_and_its_surplus_deleted(seed: World) -> None:
    before = seed.live().keys()

    seed.succeed(RETENTION_JOB)

    assert seed.rows().keys() == before
    assert len(seed.live()) == 3
    assert len(seed.objects()) == 10
    assert missing_rights(seed) == []


def test_p8_the_form_without_secrets_does_the_same_with_credentials_of_its_own(
    seed: World, server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`deploy/rbac.yaml`, the default: nobody may read a Secret, and nobody needs to."""
    monkeypatch.setenv(URL_VARIABLE, seed.dsn)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seed.s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seed.s3.secret_key)
    seed.overrides = {"database": {"url_env": URL_VARIABLE}, "s3": {"credentials": "own"}}
    rules = role_of(ROLE_WITHOUT_SECRETS)["rules"]
    assert not any("secrets" in rule["resources"] for rule in rules)

    with allowed(server, rules):
        for _ in range(50):  # the server learns of a changed role a moment later
            if not may_read_secrets(seed):
                break
        seed.succeed(RETENTION_JOB)

    assert len(seed.live()) == 3
    assert len(seed.objects()) == 10


def may_read_secrets(world: World) -> bool:
    with closing(connected(world)) as cluster:
        return cluster.allowed(verb="get", group="", resource="secrets", namespace="argo")


def test_p1_another_cluster_under_the_same_name_deletes_nothing(seed: World) -> None:
    """As after a rebuild: the archive knows another uid of the namespace kube-system."""
    seed.overrides = {"brakes": {"max_deletions": 0}}
    seed.run(RETENTION_JOB)
    seed.execute("UPDATE argo_retention.clusters SET cluster_uid = 'of-the-old-one'")
    seed.overrides = {}

    outcome = seed.run(RETENTION_JOB)

    assert not outcome.success
    assert "the cluster moved: the uid of its namespace kube-system" in str(outcome.failure)
    assert len(seed.live()) == 10


def test_p2_an_annotation_on_the_configmap_pauses(seed: World) -> None:
    name = "argo-workflows-workflow-controller-configmap"
    seed.annotate(f"/api/v1/namespaces/argo/configmaps/{name}", {labels.PAUSE: "incident 4711"})

    outcome = seed.run(RETENTION_JOB)

    assert outcome.assets["retention_outcome"]["mode"] == "paused"
    assert "incident 4711" in str(outcome.assets["retention_outcome"]["paused"])
    assert len(seed.live()) == 10
