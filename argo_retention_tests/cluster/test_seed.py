"""The demo's seed on a real API server, worked on by the role that is shipped and no other right."""

import base64
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
import yaml

from argo_retention.adapters.kubernetes_cluster.connecting import connect
from argo_retention.adapters.kubernetes_cluster.paths import WORKFLOWS
from argo_retention.adapters.object_files import open_bucket
from argo_retention.cli.executing import RunOutcome, run_job
from argo_retention.cli.main import main
from argo_retention.core import labels
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.jobs import RETENTION_JOB
from argo_retention.demo.scenes.scene import Scene
from argo_retention.demo.scenes.seed import seed_scene
from argo_retention.errors import ClusterForbiddenError
from argo_retention.operations.doctoring.findings import Findings
from argo_retention.operations.doctoring.rights import examine_rights
from argo_retention.operations.site import no_progress
from argo_retention_tests.cluster.server import NODE, SERVICE_ACCOUNT, RealServer
from argo_retention_tests.cluster.world import PATHS, RealWorld
from argo_retention_tests.e2e.worlds import (
    OUR_FILES,
    Servers,
    credentials_of,
    replaced,
    utc_now,
)

DEPLOY = Path(__file__).parents[2] / "deploy"
ROLE = DEPLOY / "rbac-with-secrets.yaml"
ROLE_WITHOUT_SECRETS = DEPLOY / "rbac.yaml"
URL_VARIABLE = "ARCHIVE_URL"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
#: Rights that this job on this cluster does not use, each with who does.
NOT_IN_THIS_RUN = {
    ("workflows", "watch"): "the sensor",
    ("pods", "list"): "workflows of three pods and more",
    ("cronworkflows", "list"): "doctor",
    ("workflowtemplates", "list"): "doctor",
}


#: Argo's own retentionPolicy stands in the seed's ConfigMap, which doctor calls a failure.
DELETES_BY_ITSELF = {"Argo deletes by itself", "retentionPolicy", "archiveTTL"}


@dataclass(kw_only=True)
class Seed:
    """The seed in the real API server."""

    server: RealServer
    scene: Scene = field(repr=False)
    kubeconfig: Path
    dsn: str = field(repr=False)
    servers: Servers = field(repr=False)

    def run(self, **own: Any) -> RunOutcome:
        """The job `argo_retention`; `own` are keys of the cluster in retention.yaml."""
        cluster = {"kubeconfig": str(self.kubeconfig), **self.scene.settings, **own}
        text = yaml.safe_dump({"clusters": {self.scene.name: cluster}})
        with dg.DagsterInstance.ephemeral() as instance:
            return run_job(
                parse_settings(text, source="retention.yaml"),
                job=RETENTION_JOB,
                cluster=self.scene.name,
                instance=instance,
                progress=no_progress,
                by_whom="the tests",
                clock=utc_now,
            )

    def live(self) -> set[str]:
        items = self.server.call("GET", WORKFLOWS.collection("argo"))["items"]
        return {item["metadata"]["name"] for item in items}

    def row_names(self) -> set[str]:
        with psycopg.connect(self.dsn) as connection:
            return {
                name for (name,) in connection.execute("SELECT name FROM argo_archived_workflows")
            }

    def log_keys(self) -> list[str]:
        location = S3Location(
            endpoint=self.servers.s3_address.endpoint, bucket=self.scene.buckets[0]
        )
        files = open_bucket(location, credentials_of(self.servers.s3_address))
        return [key for key in files.keys("") if not key.startswith(OUR_FILES)]

    def missing_rights(self) -> list[str]:
        """What doctor says is missing."""
        settings = parse_settings("clusters: {seed: {}}", source="x").clusters["seed"]
        with closing(
            connect(kubeconfig=str(self.kubeconfig), context=None, name="seed")
        ) as cluster:
            found = list(examine_rights(Findings(cluster="seed"), cluster, settings, None))
        return [f"{each.what}" for each in found if "may not" in each.what]


def put_role(server: RealServer) -> None:
    """What is shipped, whole."""
    for document in yaml.safe_load_all(ROLE.read_text()):
        path = {"ClusterRole": ROLES, "ClusterRoleBinding": BINDINGS}.get(document["kind"])
        if path:
            server.call("POST", path, document)


@contextmanager
def seeded(server: RealServer, servers: Servers, folder: Path) -> Iterator[Seed]:
    """Nothing of it is archived yet."""
    with servers.database() as database:
        scene = seed_scene(
            now=utc_now(), s3=servers.s3_address, postgres=servers.postgres_address(database)
        )
        scene = replaced(scene, {scene.buckets[0]: f"seed-{uuid.uuid4().hex[:12]}"})
        servers.s3.create_bucket(scene.buckets[0])
        kubeconfig = server.write_kubeconfig(folder / "kubeconfig", token=SERVICE_ACCOUNT)
        with closing(RealWorld(server, folder)) as world:
            load(world, server, scene)
            yield Seed(
                server=server,
                scene=scene,
                kubeconfig=kubeconfig,
                dsn=servers.postgres.dsn(database),
                servers=servers,
            )


@pytest.fixture
def seed(real_servers: Servers, server: RealServer, tmp_path: Path) -> Iterator[Seed]:
    with seeded(server, real_servers, tmp_path) as made:
        yield made


def load(world: RealWorld, server: RealServer, scene: Scene) -> None:
    """Put the scene's objects in; the server gives workflows uids of its own, which pods must name."""
    uids: dict[str, str] = {}
    for document in scene.objects:
        text = json.dumps(document)
        for old, new in uids.items():
            text = text.replace(old, new)
        given = json.loads(text)
        metadata = given.pop("metadata")
        kind = given.pop("kind")
        given.pop("apiVersion", None)
        if kind not in PATHS:
            continue
        old = metadata.get("uid")
        for field_ in (
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
            "generation",
        ):
            metadata.pop(field_, None)
        if kind == "Pod":
            given["spec"]["nodeName"] = NODE
        made = world.add(kind, metadata, **given)
        if old and kind == "Workflow":
            uids[old] = made["metadata"]["uid"]
    for log in scene.pod_logs:
        body = log.get("body", "").encode() or base64.b64decode(log.get("body_base64", ""))
        server.kubelet.logs[log["namespace"], log["pod"], log["container"]] = body


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
    seed: Seed, rule: dict[str, Any], verb: str
) -> None:
    before = seed.live()
    with allowed(seed.server, without(rule, verb)):
        for _ in range(50):  # the server learns of a changed role a moment later
            missing = [w for w in seed.missing_rights() if rule["resources"][0] in w and verb in w]
            if missing:
                break
        assert missing, seed.missing_rights()
        if (rule["resources"][0], verb) not in NOT_IN_THIS_RUN:
            outcome = seed.run()
            assert outcome.exit_code == 1 or outcome.failed_checks

    assert seed.live() == before
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
    seed: Seed, right: tuple[str, str]
) -> None:
    """So no verb is granted that nothing needs: each of the others makes the run refuse, above."""
    resource, verb = right
    [rule] = [
        r for r in role_of(ROLE)["rules"] if resource in r["resources"] and verb in r["verbs"]
    ]
    with closing(connect(kubeconfig=str(seed.kubeconfig), context=None, name="seed")) as api:
        USED_ELSEWHERE[right](api)
        with allowed(seed.server, without(rule, verb)):
            for _ in range(50):
                if any(resource in what and verb in what for what in seed.missing_rights()):
                    break
            with pytest.raises(ClusterForbiddenError):
                USED_ELSEWHERE[right](api)


def test_doctor_finds_nothing_wrong_with_the_seed(
    seed: Seed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "retention.yaml"
    cluster = {"kubeconfig": str(seed.kubeconfig), **seed.scene.settings}
    settings.write_text(yaml.safe_dump({"clusters": {seed.scene.name: cluster}}))

    with pytest.raises(SystemExit):
        main(["doctor", "--json", "--config", str(settings)])

    findings = json.loads(capsys.readouterr().out)["findings"]
    failed = {each["check"] for each in findings if each["status"] == "failed"}
    found = {each["check"] for each in findings}
    assert failed <= DELETES_BY_ITSELF, findings
    assert {"Kubernetes API", "database", "bucket", "lifecycle rules", "identity"} <= found


def test_the_seed_is_archived_and_its_surplus_deleted(seed: Seed) -> None:
    before = seed.live()

    outcome = seed.run()

    assert outcome.success, outcome.failure
    assert seed.row_names() == before
    assert len(seed.live()) == 3
    assert len(seed.log_keys()) == 10
    assert seed.missing_rights() == []


def test_p8_the_form_without_secrets_does_the_same_with_credentials_of_its_own(
    seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`deploy/rbac.yaml`, the default: nobody may read a Secret, and nobody needs to."""
    s3 = seed.servers.s3_address
    monkeypatch.setenv(URL_VARIABLE, seed.dsn)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    rules = role_of(ROLE_WITHOUT_SECRETS)["rules"]
    assert not any("secrets" in rule["resources"] for rule in rules)

    with allowed(seed.server, rules):
        for _ in range(50):  # the server learns of a changed role a moment later
            if any("secrets" in what for what in seed.missing_rights()):
                break
        outcome = seed.run(database={"url_env": URL_VARIABLE}, s3={"credentials": "own"})

    assert outcome.success, outcome.failure
    assert len(seed.live()) == 3
    assert len(seed.log_keys()) == 10


def test_p1_another_cluster_under_the_same_name_deletes_nothing(seed: Seed) -> None:
    """As after a rebuild: the archive knows another uid of the namespace kube-system."""
    with psycopg.connect(seed.dsn) as connection:
        seed.run(brakes={"max_deletions": 0})
        connection.execute("UPDATE argo_retention.clusters SET cluster_uid = 'of-the-old-one'")

    outcome = seed.run()

    assert not outcome.success
    assert "the cluster moved: the uid of its namespace kube-system" in str(outcome.failure)
    assert len(seed.live()) == 10


def test_p2_an_annotation_on_the_configmap_pauses(seed: Seed) -> None:
    name = "argo-workflows-workflow-controller-configmap"
    path = f"/api/v1/namespaces/argo/configmaps/{name}"
    how = {"Content-Type": "application/merge-patch+json"}
    pause = {"metadata": {"annotations": {labels.PAUSE: "incident 4711"}}}
    seed.server.call("PATCH", path, pause, **how)

    outcome = seed.run()

    assert outcome.assets["retention_outcome"]["mode"] == "paused"
    assert "incident 4711" in str(outcome.assets["retention_outcome"]["paused"])
    assert len(seed.live()) == 10
