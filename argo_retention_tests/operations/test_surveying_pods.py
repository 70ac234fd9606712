"""How the pods of a workflow are looked for, before anything is said of their logs."""

from dataclasses import replace

import pytest

from argo_retention.core.logs import LogState
from argo_retention_tests.operations.at_work import NAMESPACE, AtWork

V1, V2 = ({"workflows.argoproj.io/pod-name-format": form} for form in ("v1", "v2"))
TWO_CONTAINERS = [
    {"name": "main", "containerSet": {"containers": [{"name": "main"}, {"name": "second"}]}}
]


@pytest.mark.parametrize(
    ("annotations", "asked", "state"),
    [
        ({}, ["one-main-1162711067", "one"], LogState.STORED),
        (V1, ["one"], LogState.STORED),
        (V2, ["one-main-1162711067"], LogState.LOST),
    ],
)
def test_p1_a_pod_is_gone_only_if_it_is_there_under_no_name_that_it_may_have(
    annotations: dict[str, str], asked: list[str], state: LogState
) -> None:
    """Names of form v1, as a controller with POD_NAMES=v1 gives them; its workflows need not say so."""
    work = AtWork()
    node = {"name": "one[0]"}
    one = work.run("one", log=None, node=node, metadata={"annotations": annotations})
    work.pod(one)
    work.cluster.add_pod_log(namespace=NAMESPACE, pod="one", body=b"hello\n")

    work.archived()

    assert [call["name"] for call in work.cluster.calls_of("get_pod")] == asked
    assert work.log_of(one).state is state


def test_p1_of_many_pods_those_that_are_there_are_listed_and_each_other_is_asked_for() -> None:
    """A list shows what is there; that a pod is gone is said only by the answer to its own name."""
    work = AtWork()
    names = ("one-1", "one-2", "one-3")
    nodes = {
        name: {
            "id": name,
            "name": name,
            "type": "Pod",
            "phase": "Succeeded",
            "templateName": "main",
        }
        for name in names
    }
    one = work.finished(
        "one",
        spec={"templates": [{"name": "main", "container": {}}]},
        status={"nodes": nodes},
        metadata={"annotations": V1},
    )
    labels = {"workflows.argoproj.io/workflow": "one"}
    for name, marks in (("one-1", labels), ("one-2", {})):
        work.pod(replace(one, name=name))
        work.cluster.change(
            "Pod", NAMESPACE, name, lambda it, m=marks: it["metadata"].update(labels=m)
        )
        work.cluster.add_pod_log(namespace=NAMESPACE, pod=name, body=b"hello\n")

    work.archived()

    records = work.archive.log_records(clustername="default", uids=[one.uid])
    assert {record.node_id: record.state for record in records} == {
        "one-1": LogState.STORED,
        "one-2": LogState.STORED,
        "one-3": LogState.LOST,
    }
    assert len(work.cluster.calls_of("pods_of")) == 1
    assert [call["name"] for call in work.cluster.calls_of("get_pod")] == ["one-2", "one-3"]


def test_containers_of_one_pod_are_asked_for_once() -> None:
    work = AtWork()
    one = work.run("one", log=None, spec={"templates": TWO_CONTAINERS})

    work.archived()

    records = work.archive.log_records(clustername="default", uids=[one.uid])
    assert {record.container for record in records} == {"main", "second"}
    assert len(work.cluster.calls_of("get_pod")) == 1


def test_p7_what_is_settled_is_not_looked_at_while_another_log_is() -> None:
    """Two containers: the log of one was saved before, the other's could not be had then."""
    work = AtWork()
    one = work.run("one", spec={"templates": TWO_CONTAINERS})
    work.cluster.change(
        "Pod",
        NAMESPACE,
        "one",
        lambda pod: pod["status"]["containerStatuses"].append(
            {"name": "second", "state": {"running": {}}}
        ),
    )
    work.archived()
    work.cluster.remove("Pod", NAMESPACE, "one")
    work.next_run()

    work.archived()

    records = work.archive.log_records(clustername="default", uids=[one.uid])
    assert {record.container: record.state for record in records} == {
        "main": LogState.STORED,
        "second": LogState.LOST,
    }


def test_what_the_node_settles_needs_no_question_while_another_log_does() -> None:
    work = AtWork()
    deleted = {"name": "second-logs", "s3": {"key": "k"}, "deleted": True}
    one = work.run(
        "one", spec={"templates": TWO_CONTAINERS}, node={"outputs": {"artifacts": [deleted]}}
    )

    work.archived()

    records = work.archive.log_records(clustername="default", uids=[one.uid])
    assert {record.container: record.state for record in records} == {
        "main": LogState.STORED,
        "second": LogState.LOST,
    }
