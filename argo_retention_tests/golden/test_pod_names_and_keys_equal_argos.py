"""Pod names and log keys are byte for byte those of Argo, for every recorded pod and object."""

import json
from functools import cache

import pytest

from argo_retention.core import archive_logs, artifact_repositories, labels, manifests, nodes
from argo_retention.core.argo_settings import parse_controller_config
from argo_retention.core.log_keys import log_key
from argo_retention.core.pod_names import PodNameVersion, fnv1_32, pod_name, pod_name_version
from argo_retention_tests.golden import recorded

NAMES = sorted(set(recorded.names("cluster")) | set(recorded.names("archive")))


@cache
def workflow(name):
    """As it was when its pods ran: the row where there is one (an annotation was changed after)."""
    if name in recorded.names("archive"):
        return recorded.row(name)["workflow"]
    return recorded.whole(name)


def computed_logs(name, *, recorded_status=True):
    """(node id, container) → (bucket, key) for all logs that Argo's rules want."""
    found = workflow(name)
    if not recorded_status:
        status = {k: v for k, v in found["status"].items() if k != "artifactRepositoryRef"}
        found = {**found, "status": status}
    controller = recorded.config_map("argo", "argo-workflows-workflow-controller-configmap")
    repository = artifact_repositories.resolve(
        found,
        controller_repository=parse_controller_config(
            controller["data"], source="ConfigMap"
        ).artifact_repository,
        controller_namespace="argo",
        find_config_map=recorded.config_map,
    )
    logs = {}
    for node in nodes.pod_nodes(found):
        template = manifests.template_of(found, node.raw)
        if not archive_logs.wants_log(found, template, repository):
            continue
        for container in manifests.main_containers(template):
            key = log_key(
                workflow=found,
                node=node.raw,
                template=template,
                container=container,
                repository=repository,
                pod_name=pod_name(
                    workflow_name=found["metadata"]["name"],
                    node=node,
                    version=pod_name_version(found),
                ),
            )
            logs[node.id, container] = (key.bucket, key.key)
    return logs


def test_every_recorded_pod_gets_its_name():
    computed = {}
    for name in recorded.names("cluster"):
        found = recorded.whole(name)
        for node in nodes.pod_nodes(found):
            for version in PodNameVersion:
                pod = pod_name(workflow_name=found["metadata"]["name"], node=node, version=version)
                computed[found["metadata"]["namespace"], pod] = node

    assert set(recorded.pods()) <= set(computed)
    for key, pod in recorded.pods().items():
        annotations = pod["metadata"]["annotations"]
        assert annotations[labels.NODE_ID] == computed[key].id
        assert annotations[labels.NODE_NAME] == computed[key].name


@pytest.mark.parametrize("recorded_status", [True, False], ids=["resolved", "resolved-by-us"])
@pytest.mark.parametrize("name", NAMES)
def test_p5_logs_wanted_and_their_keys_are_those_in_the_nodes(name, recorded_status):
    """With Argo's recorded repository, and with the one that we resolve from ConfigMaps."""
    in_pod_nodes = {
        (log.node_id, log.container): log.key
        for log in nodes.log_artifacts(workflow(name))
        if workflow(name)["status"]["nodes"][log.node_id]["type"] == "Pod"
    }

    computed = computed_logs(name, recorded_status=recorded_status)

    assert {place: key for place, (_, key) in computed.items()} == in_pod_nodes


def test_every_recorded_object_is_computed():
    computed = {target for name in NAMES for target in computed_logs(name).values()}
    artifacts = {target for target in recorded.objects() if not target[1].endswith(".log")}

    assert computed | artifacts == recorded.objects()


def go_order(node):
    """The order of fields in Argo's Go struct; a jsonb of the recording lost it."""
    order = [
        "id", "name", "displayName", "type", "templateName", "templateRef", "templateScope",
        "phase", "boundaryID", "message", "startedAt", "finishedAt", "estimatedDuration",
        "progress", "resourcesDuration", "podIP", "daemoned", "nodeFlag", "inputs", "outputs",
        "children", "outboundNodes", "hostNodeName", "memoizationStatus",
        "synchronizationStatus", "taskResultSynced",
    ]  # fmt: skip
    return {key: node[key] for key in order if key in node} | node


def go_json(value):
    """JSON as Go's encoder writes it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


@pytest.mark.parametrize(
    "row", json.loads((recorded.ARGO / "offload.json").read_text()), ids=lambda row: row["version"]
)
def test_offload_versions_are_fnv_1_of_the_json(row):
    encoded = go_json({key: go_order(row["nodes"][key]) for key in sorted(row["nodes"])})

    assert f"fnv:{fnv1_32(encoded.encode())}" == row["version"]
