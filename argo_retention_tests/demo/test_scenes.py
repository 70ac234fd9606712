import gzip
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import yaml

from argo_retention.core.log_references import named_objects
from argo_retention.core.nodes import log_artifacts, pod_nodes
from argo_retention.core.pod_names import pod_name, pod_name_version
from argo_retention.core.settings_file import parse_settings
from argo_retention.demo.scenes.fleet import GOLDEN_NAMESPACES, fleet_scene
from argo_retention.demo.scenes.scene import PostgresAddress, S3Address, Scene
from argo_retention.demo.scenes.seed import seed_scene
from argo_retention_tests.demo import pack_golden

NOW = datetime(2026, 11, 25, 9, 30, 12, 345678, tzinfo=UTC)
SERVERS: dict[str, Any] = {
    "s3": S3Address(endpoint="http://127.0.0.1:9000", access_key="key", secret_key="s3-secret"),
    "postgres": PostgresAddress(
        host="127.0.0.1", port=5432, database="argo", user="postgres", password="db-secret"
    ),
}
LETTERS_OF_GENERATED_NAMES = set("bcdfghjklmnpqrstvwxz2456789")
TRAPS = {
    "running": "trap-running",
    "deletionTimestamp with a finalizer": "trap-being-deleted",
    "held by annotation": "trap-held-by-annotation",
    "held by namespace": "trap-held-by-namespace",
    "label Archived without a row": "trap-label-without-row",
    "archived in an older version and retried since": "trap-retried-since",
    "the same name in two namespaces sharing one log key": "trap-shared-log-key",
    "the same, and neither log is stored": "trap-same-name",
    "the same name run again after the first was archived": "trap-same-name-again",
    "pod gone": "trap-pod-gone",
    "pod of the same name with another uid": "trap-pod-of-another",
    "memoized node": "trap-memoized",
    "a pod whose log answers 403": "trap-log-403",
    "one 503": "trap-log-503",
    "one with the runtime's refusal as its body": "trap-log-refused-in-body",
    "row that differs in one leaf": "trap-row-differs",
    "literal backslash-u0000": "trap-backslash-u0000",
    "artifact GC finalizer": "trap-artifact-gc",
    "owner of a running child workflow": "trap-owner",
    "workflow of another instanceID": "trap-other-instance",
    "template from workflowTemplateRef": "trap-from-template",
    "a row of another cluster": "trap-another-cluster",
}


def seed(**overrides: Any) -> Scene:
    return seed_scene(**{"now": NOW, **SERVERS, **overrides})


@pytest.fixture(scope="module")
def fleet() -> Scene:
    return fleet_scene(now=NOW, **SERVERS)


def controller_config(scene: Scene) -> dict[str, Any]:
    [found] = [
        each["data"]
        for each in scene.objects
        if each["kind"] == "ConfigMap"
        and each["metadata"]["name"] == "argo-workflows-workflow-controller-configmap"
    ]
    return {key: yaml.safe_load(text) for key, text in found.items()}


def test_the_packed_golden_data_is_current() -> None:
    """Run `python -m argo_retention_tests.demo.pack_golden` after a change of the recorded data."""
    assert gzip.decompress(pack_golden.PACKED.read_bytes()) == pack_golden.pack()


@pytest.mark.parametrize("build", [seed_scene, fleet_scene])
def test_a_scene_is_the_same_every_time(build: Any) -> None:
    assert build(now=NOW, **SERVERS) == build(now=NOW, **SERVERS)


@pytest.mark.parametrize("build", [seed_scene, fleet_scene])
def test_the_same_happens_on_another_day(build: Any) -> None:
    """Names, uids and phases do not depend on the day, only times do."""

    def identities(now: datetime) -> list[tuple[str, ...]]:
        scene = build(now=now, **SERVERS)
        return [
            (w["metadata"]["name"], w["metadata"]["uid"], w["status"]["phase"])
            for w in scene.workflows
        ]

    assert identities(NOW) == identities(NOW + timedelta(days=40))


def test_keys_and_tokens_are_not_in_a_repr() -> None:
    scene = seed()

    shown = f"{SERVERS} {scene}"

    assert "s3-secret" not in shown
    assert "db-secret" not in shown
    assert scene.token not in shown
    assert scene.admin_token not in shown


def test_building_both_scenes_is_quick() -> None:
    started = time.process_time()

    seed()
    fleet_scene(now=NOW, **SERVERS)

    assert time.process_time() - started < 1.5


def test_the_seed_is_what_its_numbers_say() -> None:
    scene = seed(hello_worlds=12, keep_count=4)

    names = [workflow["metadata"]["name"] for workflow in scene.workflows]
    assert len(set(names)) == 12
    for name in names:
        assert set(name.removeprefix("hello-world-")) <= LETTERS_OF_GENERATED_NAMES
    assert controller_config(scene)["retentionPolicy"] == {
        "completed": 4,
        "failed": 3,
        "errored": 3,
    }
    assert len(scene.pod_logs) == 12
    assert all("< hello world >" in log["body"] for log in scene.pod_logs)


def test_nothing_of_the_seed_is_archived_yet() -> None:
    scene = seed()

    assert not scene.rows
    assert not scene.s3_objects
    for workflow in scene.workflows:
        assert workflow["metadata"]["labels"].keys() == {
            "workflows.argoproj.io/completed",
            "workflows.argoproj.io/creator",
            "workflows.argoproj.io/phase",
        }


def test_the_clusters_have_their_own_names_in_one_database(fleet: Scene) -> None:
    assert controller_config(seed())["persistence"]["clusterName"] == "seed"
    assert "clusterName" not in controller_config(fleet)["persistence"]
    assert {row.clustername for row in fleet.rows} == {"default", "other"}


@pytest.mark.parametrize("wanted", TRAPS.values(), ids=TRAPS.keys())
def test_every_trap_is_set(fleet: Scene, wanted: str) -> None:
    trap = fleet.traps[wanted]

    live = {workflow["metadata"]["uid"] for workflow in fleet.workflows}
    rows = {(row.clustername, row.uid) for row in fleet.rows}
    assert (trap.uid in live) == trap.live
    assert trap.live or (trap.clustername, trap.uid) in rows
    assert trap.path.startswith("traps")


def test_policy_alone_would_remove_every_trap(fleet: Scene) -> None:
    settings = parse_settings(
        yaml.safe_dump({"clusters": {"fleet": fleet.settings, "seed": seed().settings}}),
        source="retention.yaml",
    )

    first = settings.clusters["fleet"].rules[0]
    assert first.keep is not None
    assert first.keep.last == 0
    assert first.match.namespaces == ("traps*",)


def test_all_phases_and_all_ages_are_there(fleet: Scene) -> None:
    phases = {workflow["status"].get("phase") for workflow in fleet.workflows}
    ages = [NOW.replace(tzinfo=None) - row.finishedat for row in fleet.rows]

    assert phases == {"Running", "Succeeded", "Failed", "Error"}
    assert max(ages) > timedelta(days=180)
    assert min(len(msgspec.json.encode(w)) for w in fleet.workflows) > 2_000


def test_made_up_workflows_have_the_names_and_keys_that_argo_computes(fleet: Scene) -> None:
    """The recorded ones have Argo's own; these must not differ from the rules that the product follows."""
    pods = {
        (each["metadata"]["namespace"], each["metadata"]["name"])
        for each in fleet.objects
        if each["kind"] == "Pod"
    }
    seen = set()
    for workflow in fleet.workflows:
        metadata = workflow["metadata"]
        if metadata["namespace"] in GOLDEN_NAMESPACES:
            continue
        for node in pod_nodes(workflow):
            name = pod_name(
                workflow_name=metadata["name"], node=node, version=pod_name_version(workflow)
            )
            seen.add((metadata["namespace"], name))
            for artifact in log_artifacts(workflow):
                if artifact.node_id == node.id and not node.memoized:
                    assert artifact.key == f"{metadata['name']}/{name}/main.log"
    assert pods - seen == {each for each in pods if each[0] in GOLDEN_NAMESPACES}


def test_no_age_is_so_near_to_a_limit_that_the_time_of_day_decides(fleet: Scene) -> None:
    """The demo takes a minute; what it decides must not depend on which one."""
    limits = [timedelta(days=days) for days in (1, 2, 3, 60, 90, 180)]
    finished = [
        datetime.fromisoformat(workflow["status"]["finishedAt"]).replace(tzinfo=None)
        for workflow in fleet.workflows
        if "finishedAt" in workflow["status"]
        and workflow["metadata"]["namespace"] not in GOLDEN_NAMESPACES
    ]
    rows = [row.finishedat for row in fleet.rows if row.namespace not in GOLDEN_NAMESPACES]

    for moment in finished + rows:
        age = NOW.replace(tzinfo=None) - moment
        assert not any(timedelta(0) <= limit - age < timedelta(minutes=10) for limit in limits), age


def test_every_object_that_a_made_up_row_names_is_in_the_bucket(fleet: Scene) -> None:
    stored = {(each.bucket, each.key) for each in fleet.s3_objects}
    for row in fleet.rows:
        if row.namespace not in GOLDEN_NAMESPACES:
            document = msgspec.json.decode(row.workflow)
            assert set(named_objects(document, repository_bucket="my-bucket")) <= stored


def test_versions_and_uids_are_unique(fleet: Scene) -> None:
    metadata = [each["metadata"] for each in fleet.objects]

    assert len({each["uid"] for each in metadata}) == len(metadata)
    assert len({each["resourceVersion"] for each in metadata}) == len(metadata)
