"""What each `Cluster` promises of pods, logs, watches and configuration; on the fake and on the emulated API."""

import time
from datetime import UTC
from typing import Any

import pytest

from argo_retention.core.ports.cluster import ContainerState, Namespace
from argo_retention.errors import ClusterError, PodLogGoneError, WatchExpiredError
from argo_retention_tests.contracts.cluster_worlds import CREATED, NS, World, workflow


def test_namespaces_come_with_their_annotations(world: World) -> None:
    hold = {"argo-retention.io/hold": "audit"}
    held = world.add("Namespace", {"name": "held", "annotations": hold})
    plain = world.add("Namespace", {"name": "plain"})

    found = world.cluster.namespaces()

    assert Namespace(name="held", annotations=hold, uid=held["metadata"]["uid"]) in found
    assert Namespace(name="plain", annotations={}, uid=plain["metadata"]["uid"]) in found


def test_the_servers_time_is_utc_in_whole_seconds(world: World) -> None:
    now = world.cluster.server_time()

    assert now.tzinfo is UTC
    assert now.microsecond == 0


def test_objects_of_configuration_are_read_and_listed(world: World) -> None:
    world.add("ConfigMap", {"name": "settings", "namespace": "team-c"}, data={"a": "1"})
    world.add("Deployment", {"name": "server", "namespace": "team-c"}, spec={"replicas": 1})

    found = world.cluster.get_object(kind="ConfigMap", namespace="team-c", name="settings")
    deployments = world.cluster.list_objects(kind="Deployment", namespace="team-c")

    assert found is not None
    assert found["data"] == {"a": "1"}
    assert [it["metadata"]["name"] for it in deployments] == ["server"]
    assert world.cluster.get_object(kind="Secret", namespace="team-c", name="settings") is None


def test_rights_are_what_the_server_says(world: World) -> None:
    for resource, group in (("workflows", "argoproj.io"), ("pods/log", "")):
        asked = {"verb": "get", "group": group, "resource": resource}
        assert world.cluster.allowed(**asked, namespace=NS)
        assert not world.powerless.allowed(**asked, namespace=NS)
        assert not world.powerless.allowed(**asked, namespace=None)


def test_a_pod_shows_owners_node_and_containers(world: World) -> None:
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "w", "uid": "u-w"}
    other = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u-r"}
    made = world.add(
        "Pod",
        {
            "name": "p",
            "namespace": NS,
            "ownerReferences": [owner, other],
            "annotations": {"workflows.argoproj.io/node-id": "w-1"},
        },
        spec={"nodeName": "n", "containers": [{"name": "main"}, {"name": "wait"}]},
        status={
            "phase": "Running",
            "initContainerStatuses": [
                {"name": "init", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}
            ],
            "containerStatuses": [
                {"name": "main", "state": {"running": {"startedAt": CREATED}}},
                {"name": "wait", "state": {"waiting": {"reason": "PodInitializing"}}},
                {"name": "odd", "state": {}},
            ],
        },
    )

    pod = world.cluster.get_pod(namespace=NS, name="p")

    assert pod is not None
    assert (pod.uid, pod.phase, pod.node_id) == (made["metadata"]["uid"], "Running", "w-1")
    assert pod.workflow_uids == ("u-w",)
    assert pod.containers == {
        "init": ContainerState(name="init", state="terminated", reason="Completed"),
        "main": ContainerState(name="main", state="running"),
        "wait": ContainerState(name="wait", state="waiting", reason="PodInitializing"),
        "odd": ContainerState(name="odd", state="unknown"),
    }


def test_a_pod_without_statuses_has_no_containers(world: World) -> None:
    world.add("Pod", {"name": "young", "namespace": NS}, spec={"containers": [{"name": "main"}]})

    pod = world.cluster.get_pod(namespace=NS, name="young")

    assert pod is not None
    assert pod.containers == {}
    assert world.cluster.get_pod(namespace=NS, name="none") is None


def test_the_pods_of_a_workflow_are_those_with_its_label(world: World) -> None:
    spec = {"containers": [{"name": "main"}]}
    for name, labels in (("p-1", "w"), ("p-2", "w"), ("other", "w-2")):
        marks = {"workflows.argoproj.io/workflow": labels}
        world.add("Pod", {"name": name, "namespace": NS, "labels": marks}, spec=spec)
    world.add("Pod", {"name": "bare", "namespace": NS}, spec=spec)

    found = world.cluster.pods_of(namespace=NS, workflow="w")

    assert sorted(pod.name for pod in found) == ["p-1", "p-2"]
    assert list(found) == [world.cluster.get_pod(namespace=NS, name=pod.name) for pod in found]
    assert world.cluster.pods_of(namespace=NS, workflow="none") == []


@pytest.mark.parametrize("size", [0, 5, 200_000])
def test_a_log_comes_as_the_bytes_it_is(world: World, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"\xff" * (size % 256)
    world.add(
        "Pod",
        {"name": "logged", "namespace": NS},
        spec={"nodeName": "n", "containers": [{"name": "main"}]},
    )
    world.log(NS, "logged", "main", body)

    with world.cluster.open_pod_log(namespace=NS, pod="logged", container="main") as chunks:
        assert b"".join(chunks) == body


def test_a_log_that_is_not_read_to_its_end_is_left_in_peace(world: World) -> None:
    world.add("Pod", {"name": "long", "namespace": NS}, spec={"nodeName": "n"})
    world.log(NS, "long", "main", b"x" * 1_000_000)

    with world.cluster.open_pod_log(namespace=NS, pod="long", container="main") as chunks:
        assert next(chunks)
    assert world.cluster.get_pod(namespace=NS, name="long") is not None


def test_the_log_of_a_pod_that_is_gone_says_so(world: World) -> None:
    with (
        pytest.raises(PodLogGoneError),
        world.cluster.open_pod_log(namespace=NS, pod="none", container="main"),
    ):
        pass


@pytest.mark.parametrize(
    ("pod", "spec", "container"),
    [
        ("unscheduled", {"containers": [{"name": "main"}]}, "main"),
        ("other", {"nodeName": "n", "containers": [{"name": "main"}]}, "zzz"),
    ],
)
def test_a_log_that_is_refused_is_not_a_log_that_is_gone(
    world: World, pod: str, spec: dict[str, Any], container: str
) -> None:
    world.add("Pod", {"name": pod, "namespace": NS}, spec=spec)

    with (
        pytest.raises(ClusterError) as caught,
        world.cluster.open_pod_log(namespace=NS, pod=pod, container=container),
    ):
        pass
    assert not isinstance(caught.value, PodLogGoneError)


def test_a_watch_tells_what_changed_since_the_version(world: World) -> None:
    workflow(world, "before", labels={"watched": "yes"})
    (page,) = world.cluster.list_metadata(selector="", namespace=NS)
    workflow(world, "new", labels={"watched": "yes"})
    workflow(world, "other")
    world.relabel(NS, "before", {"watched": "yes", "more": "1"})
    world.remove(NS, "new")

    events = list(
        world.cluster.watch_metadata(
            selector="watched=yes",
            namespace=NS,
            resource_version=page.resource_version,
            seconds=1,
        )
    )

    seen = [(kind, found.name) for kind, found, _ in events if found is not None]
    assert seen == [("ADDED", "new"), ("MODIFIED", "before"), ("DELETED", "new")]
    versions = [int(version) for _, _, version in events]
    assert versions == sorted(versions)
    assert versions[0] > int(page.resource_version)


def test_a_watch_that_has_nothing_more_to_say_is_ended_by_its_silence(world: World) -> None:
    workflow(world, "before")
    (page,) = world.cluster.list_metadata(selector="", namespace=NS)
    workflow(world, "new")
    begun = time.monotonic()

    events = list(
        world.cluster.watch_metadata(
            selector="",
            namespace=NS,
            resource_version=page.resource_version,
            seconds=20,
            quiet_seconds=0.3,
        )
    )

    assert [found.name for _, found, _ in events if found is not None] == ["new"]
    assert time.monotonic() - begun < 10
    (page,) = world.cluster.list_metadata(selector="", namespace=NS)
    assert [each.name for each in page.workflows] == [
        "before",
        "new",
    ]  # the connection is in nobody's way


def test_a_watch_from_a_forgotten_version_is_expired(world: World) -> None:
    made = workflow(world, "w")
    world.relabel(NS, "w", {"later": "1"})
    world.compact()

    with pytest.raises(WatchExpiredError):
        list(
            world.cluster.watch_metadata(
                selector="",
                namespace=NS,
                resource_version=made["metadata"]["resourceVersion"],
                seconds=1,
            )
        )
