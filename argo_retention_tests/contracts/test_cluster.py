"""What each `Cluster` promises of Workflows, on the fake and on the emulated Kubernetes API.

The latter through the real adapter and its connections.
"""

import json
from datetime import datetime
from typing import Any

import pytest

from argo_retention.core.live_workflows import LiveWorkflow, OwnerReference
from argo_retention.core.ports.cluster import DeleteOutcome, PatchOutcome
from argo_retention.errors import ClusterForbiddenError, ListIncompleteError
from argo_retention_tests.contracts.cluster_worlds import NS, World, workflow
from argo_retention_tests.contracts.deleting import delete_one


def key(made: dict[str, Any]) -> dict[str, Any]:
    meta = made["metadata"]
    return {
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "resource_version": int(meta["resourceVersion"]),
    }


def listed(world: World, *, selector: str = "", page_size: int = 500) -> list[LiveWorkflow]:
    pages = world.cluster.list_metadata(selector=selector, namespace=NS, page_size=page_size)
    return [found for page in pages for found in page.workflows]


def names(world: World, **how: Any) -> list[str]:
    return [found.name for found in listed(world, **how)]


def test_a_metadata_list_has_everything_but_spec_and_status(world: World) -> None:
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "p", "uid": "u-p"}
    made = workflow(
        world,
        "full",
        labels={"workflows.argoproj.io/phase": "Failed"},
        annotations={"note": "é"},
        finalizers=["workflows.argoproj.io/artifact-gc"],
        ownerReferences=[owner],
    )

    (found,) = listed(world)

    world.release(NS, "full")
    assert found == LiveWorkflow(
        uid=made["metadata"]["uid"],
        namespace=NS,
        name="full",
        resource_version=int(made["metadata"]["resourceVersion"]),
        created_at=datetime.fromisoformat(made["metadata"]["creationTimestamp"]),
        deleting=False,
        labels={"workflows.argoproj.io/phase": "Failed"},
        annotations={"note": "é"},
        finalizers=("workflows.argoproj.io/artifact-gc",),
        owners=(OwnerReference(kind="Workflow", name="p", uid="u-p"),),
    )


def test_pages_hold_the_limit_and_count_down(world: World) -> None:
    for number in range(5):
        workflow(world, f"w{number}")

    pages = list(world.cluster.list_metadata(selector="", namespace=NS, page_size=2))

    assert [len(page.workflows) for page in pages] == [2, 2, 1]
    assert [page.remaining for page in pages] == [3, 1, None]
    assert len({page.resource_version for page in pages}) == 1


def test_pages_are_of_one_version_whatever_happens_between_them(world: World) -> None:
    for number in range(4):
        workflow(world, f"w{number}")

    pages = world.cluster.list_metadata(selector="", namespace=NS, page_size=2)
    first = next(pages)
    world.remove(NS, "w3")
    workflow(world, "w2-later")
    rest = list(pages)

    assert [found.name for page in (first, *rest) for found in page.workflows] == [
        "w0",
        "w1",
        "w2",
        "w3",
    ]
    assert {page.resource_version for page in rest} == {first.resource_version}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", ["bare", "gold", "tin"]),
        ("tier=gold", ["gold"]),
        ("tier!=gold", ["bare", "tin"]),
        ("!tier", ["bare"]),
        ("tier in (gold,tin)", ["gold", "tin"]),
    ],
)
def test_selectors_mean_what_they_mean_in_kubernetes(
    world: World, selector: str, expected: list[str]
) -> None:
    workflow(world, "bare")
    workflow(world, "gold", labels={"tier": "gold"})
    workflow(world, "tin", labels={"tier": "tin"})

    assert names(world, selector=selector, page_size=1) == expected
    full = world.cluster.list_full(selector=selector, namespace=NS, page_size=1)
    assert [json.loads(item)["metadata"]["name"] for page in full for item in page] == expected


def test_an_empty_namespace_lists_as_one_empty_page(world: World) -> None:
    workflow(world, "only")
    world.remove(NS, "only")

    (page,) = world.cluster.list_metadata(selector="", namespace=NS)

    assert not page.workflows


def test_p2_a_namespace_that_is_not_there_is_no_empty_list(world: World) -> None:
    with pytest.raises(ListIncompleteError):
        list(world.cluster.list_metadata(selector="", namespace="no-such-namespace"))
    with pytest.raises(ListIncompleteError):
        list(world.cluster.list_full(selector="", namespace="no-such-namespace"))


def test_all_namespaces_are_listed_together(world: World) -> None:
    workflow(world, "here", labels={"suite": "all"})
    workflow(world, "there", namespace="team-b", labels={"suite": "all"})

    pages = world.cluster.list_metadata(selector="suite=all", namespace=None)

    assert [found.path for page in pages for found in page.workflows] == [
        "team-a/here",
        "team-b/there",
    ]
    world.remove("team-b", "there")


def test_a_full_list_gives_each_object_as_a_get_does(world: World) -> None:
    workflow(world, "one")
    workflow(world, "two")

    pages = list(world.cluster.list_full(selector="", namespace=NS, page_size=1))

    items = [json.loads(item) for page in pages for item in page]
    assert [type(item) for page in pages for item in page] == [bytes, bytes]
    assert items == [
        json.loads(world.cluster.get_workflow(namespace=NS, name=name) or b"")
        for name in ("one", "two")
    ]
    assert items[0]["spec"] == {"entrypoint": "wählen"}


def test_a_workflow_that_is_not_there_is_none(world: World) -> None:
    assert world.cluster.get_workflow(namespace=NS, name="none") is None


def test_nothing_is_done_without_the_right(world: World) -> None:
    made = key(workflow(world, "kept"))
    place = {"namespace": NS, "name": "kept"}
    cluster = world.powerless
    for attempt in (
        lambda: list(cluster.list_metadata(selector="", namespace=NS)),
        lambda: list(cluster.list_metadata(selector="", namespace=None)),
        lambda: list(cluster.list_full(selector="", namespace=NS)),
        lambda: cluster.get_workflow(**place),
        lambda: delete_one(cluster, **made),
        lambda: cluster.mark_archived(**made),
        lambda: cluster.get_pod(**place),
        lambda: cluster.pods_of(namespace=NS, workflow="w"),
        lambda: cluster.open_pod_log(namespace=NS, pod="p", container="main").__enter__(),
        cluster.namespaces,
        lambda: cluster.get_object(kind="Secret", **place),
        lambda: cluster.list_objects(kind="ConfigMap", namespace=None),
        lambda: list(
            cluster.watch_metadata(selector="", namespace=NS, resource_version="1", seconds=1)
        ),
    ):
        with pytest.raises(ClusterForbiddenError):
            attempt()
    assert names(world) == ["kept"]


def test_a_delete_takes_the_version_that_was_meant(world: World) -> None:
    made = key(workflow(world, "w"))

    assert delete_one(world.cluster, **made) is DeleteOutcome.DELETED
    assert delete_one(world.cluster, **made) is DeleteOutcome.GONE
    assert names(world) == []


def test_p1_a_workflow_that_changed_is_not_deleted(world: World) -> None:
    made = key(workflow(world, "w"))
    world.relabel(NS, "w", {"argo": "retry"})

    assert delete_one(world.cluster, **made) is DeleteOutcome.CHANGED
    assert names(world) == ["w"]


def test_p1_another_workflow_of_the_same_name_is_not_deleted(world: World) -> None:
    first = key(workflow(world, "w"))
    world.remove(NS, "w")
    second = key(workflow(world, "w"))

    assert delete_one(world.cluster, **first) is DeleteOutcome.CHANGED
    assert (
        delete_one(world.cluster, **{**first, "resource_version": second["resource_version"]})
        is DeleteOutcome.CHANGED
    )
    assert [found.uid for found in listed(world)] == [second["uid"]]


def test_a_finalizer_keeps_the_object_until_it_is_taken_off(world: World) -> None:
    made = key(workflow(world, "w", finalizers=["workflows.argoproj.io/artifact-gc"]))
    identity = {name: made[name] for name in ("namespace", "name", "uid")}

    assert delete_one(world.cluster, **made) is DeleteOutcome.TERMINATING
    (found,) = listed(world)
    assert found.deleting
    assert world.cluster.workflow_exists(**identity)
    again = {**made, "resource_version": found.resource_version}
    assert delete_one(world.cluster, **again) is DeleteOutcome.TERMINATING

    world.release(NS, "w")
    assert not world.cluster.workflow_exists(**identity)


def test_existence_is_of_the_uid_and_not_of_the_name(world: World) -> None:
    made = key(workflow(world, "w"))
    identity = {"namespace": NS, "name": "w"}

    assert world.cluster.workflow_exists(**identity, uid=made["uid"])
    assert not world.cluster.workflow_exists(**identity, uid="another")


def test_the_archiving_label_makes_a_new_version(world: World) -> None:
    made = key(workflow(world, "w", labels={"kept": "yes"}))

    result = world.cluster.mark_archived(**made)

    (found,) = listed(world)
    assert result.outcome is PatchOutcome.PATCHED
    assert result.resource_version == found.resource_version > made["resource_version"]
    assert found.archiving_status == "Archived"
    assert found.labels["kept"] == "yes"


def test_the_archiving_label_is_set_on_the_archived_version_only(world: World) -> None:
    made = key(workflow(world, "w"))
    world.relabel(NS, "w", {"argo": "retry"})

    assert world.cluster.mark_archived(**made).outcome is PatchOutcome.CHANGED
    world.remove(NS, "w")
    assert world.cluster.mark_archived(**made).outcome is PatchOutcome.GONE


def test_a_label_that_is_there_already_makes_no_new_version(world: World) -> None:
    made = key(workflow(world, "w"))
    first = world.cluster.mark_archived(**made)

    again = world.cluster.mark_archived(**{**made, "resource_version": first.resource_version})

    assert again == first


def test_children_go_with_their_owner(world: World) -> None:
    """Background cascade over ownerReferences, which is why dependants keep their owner."""
    made = workflow(world, "owner")
    owner = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "name": "owner",
        "uid": made["metadata"]["uid"],
    }
    workflow(world, "child", ownerReferences=[owner])

    delete_one(world.cluster, **key(made))

    assert names(world) == []
