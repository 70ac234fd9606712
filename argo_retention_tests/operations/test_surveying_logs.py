"""Where a log stands, by ledger, node, bucket and pod, before anything is saved."""

from dataclasses import replace
from typing import Any

import pytest

from argo_retention.core.artifact_repositories import ArtifactRepository
from argo_retention.core.logs import LogSource, LogState
from argo_retention.errors import ObjectForbiddenError, ObjectStoreError
from argo_retention_tests.operations.at_work import NAMESPACE, NOW, REPOSITORY, AtWork

ARTIFACT = {"outputs": {"artifacts": [{"name": "main-logs", "s3": {"key": "one/one/main.log"}}]}}


@pytest.mark.parametrize(
    ("state", "phase", "expected", "words"),
    [
        ({"running": {}}, "Succeeded", LogState.UNSETTLED, "is still running"),
        ({"waiting": {}}, "Failed", LogState.LOST, "never started"),
        ({"waiting": {}}, "Running", LogState.UNSETTLED, "is waiting"),
        (
            {"terminated": {"reason": "ContainerStatusUnknown"}},
            "Succeeded",
            LogState.LOST,
            "no longer knows",
        ),
    ],
)
def test_the_containers_state_says_whether_there_is_a_log(
    state: dict[str, Any], phase: str, expected: LogState, words: str
) -> None:
    work = AtWork()
    one = work.run("one", log=None)
    work.pod(one, **state)
    work.cluster.change("Pod", NAMESPACE, "one", lambda pod: pod["status"].update(phase=phase))

    work.archived()

    record = work.log_of(one)
    assert record.state is expected
    assert words in record.reason


def test_p1_a_running_pod_without_a_status_of_the_container_settles_nothing() -> None:
    work = AtWork()
    one = work.run("one", log=None)
    work.pod(one)
    work.cluster.change(
        "Pod",
        NAMESPACE,
        "one",
        lambda pod: pod.update(status={"phase": "Running", "containerStatuses": []}),
    )

    work.archived()

    assert "without a status" in work.log_of(one).reason
    assert work.log_of(one).state is LogState.UNSETTLED


def test_a_pod_of_another_workflow_of_that_name_has_not_its_log() -> None:
    work = AtWork()
    one = work.run("one", log=None)
    work.pod(one, uid="somebody")

    work.archived()

    assert work.log_of(one).state is LogState.LOST
    assert "is another one of the same name" in work.log_of(one).reason


def test_a_pod_that_is_gone_took_its_log_with_it() -> None:
    work = AtWork()
    one = work.run("one", log=None)

    done = work.archived()

    record = work.log_of(one)
    assert (record.state, record.reason) == (LogState.LOST, "pod one is gone")
    assert (record.source, record.bucket, record.key) == (LogSource.NONE, "", "")
    assert done.lost_logs == [("ci/one", "lost", "one/main: pod one is gone")]


def test_a_pod_of_another_node_has_not_its_log() -> None:
    work = AtWork()
    one = work.run("one")
    annotation = {"workflows.argoproj.io/node-id": "another"}
    work.cluster.change(
        "Pod", NAMESPACE, "one", lambda pod: pod["metadata"].update(annotations=annotation)
    )

    work.archived()

    assert work.log_of(one).state is LogState.LOST
    assert "is another one of the same name" in work.log_of(one).reason


def test_an_object_of_argos_executor_is_enough() -> None:
    work = AtWork()
    work.bucket.add("one/one/main.log", b"of the executor\n")
    one = work.run("one", log=None, node=ARTIFACT)

    work.archived()

    record = work.log_of(one)
    head = work.bucket.objects["one/one/main.log"].head
    assert (record.state, record.source) == (LogState.STORED, LogSource.ARGO)
    assert (record.bucket, record.key) == ("logs", "one/one/main.log")
    assert (record.size, record.etag) == (head.size, head.etag)
    assert work.bucket.calls_of("put_if_absent") == []


def test_an_object_that_is_older_than_the_node_is_not_its_log() -> None:
    work = AtWork()
    work.bucket.add("one/one/main.log", b"of last year\n", last_modified=NOW.replace(year=2025))
    one = work.run("one", log=None, node=ARTIFACT)

    work.archived()

    assert work.log_of(one).state is LogState.LOST


def test_a_named_object_that_is_not_there_is_saved_from_the_pod() -> None:
    work = AtWork()
    one = work.run("one", node=ARTIFACT)

    work.archived()

    assert work.log_of(one).source is LogSource.OURS
    assert work.bucket.objects["one/one/main.log"].body == b"hello\n"


def test_what_artifact_gc_deleted_is_lost() -> None:
    work = AtWork()
    artifact = {"name": "main-logs", "s3": {"key": "one/one/main.log"}, "deleted": True}
    one = work.run("one", node={"outputs": {"artifacts": [artifact]}})

    work.archived()

    assert work.log_of(one).state is LogState.LOST


def test_a_bucket_of_its_own_is_asked() -> None:
    work = AtWork()
    artifact = {"name": "main-logs", "s3": {"key": "k", "bucket": "elsewhere"}}
    work.bucket_of("elsewhere").add("k", b"there\n")
    one = work.run("one", log=None, node={"outputs": {"artifacts": [artifact]}})

    work.archived()

    assert work.log_of(one).state is LogState.STORED


@pytest.mark.parametrize(
    "error", [ObjectStoreError("503 slow down\nwait"), ObjectForbiddenError("403\nask")]
)
def test_p1_a_bucket_that_does_not_answer_settles_nothing(error: ObjectStoreError) -> None:
    """The pod is not asked either: Argo's object may be there, and is then the whole log."""
    work = AtWork()
    one = work.run("one", node=ARTIFACT)
    work.bucket.fail("head", error)

    work.archived()

    record = work.log_of(one)
    assert (record.state, record.reason) == (LogState.UNSETTLED, str(error).partition("\n")[0])
    assert work.cluster.calls_of("get_pod") == []


def test_p1_a_bucket_that_is_not_there_settles_nothing() -> None:
    work = AtWork()
    one = work.run("one", log=None, node=ARTIFACT)
    work.bucket.exists = False

    work.archived()

    assert work.log_of(one).state is LogState.UNSETTLED
    assert "the bucket does not exist" in work.log_of(one).reason


def test_p1_logs_that_go_to_another_kind_of_store_are_not_settled() -> None:
    work = AtWork(repository=ArtifactRepository(kind="gcs", archive_logs=True, s3=None))
    one = work.run("one")

    work.archived()

    assert work.log_of(one).state is LogState.UNSETTLED
    assert "its logs go to gcs, expected s3" in work.log_of(one).reason


@pytest.mark.parametrize("repository", [REPOSITORY, None])
def test_p1_a_template_with_a_location_of_its_own_has_its_log_there(
    repository: ArtifactRepository | None,
) -> None:
    """It needs no repository."""
    location = {"endpoint": "s3.example:9000", "bucket": "own", "key": "of/{{pod.name}}"}
    work = AtWork(repository=repository)
    work.bucket_of("own").add("of/one/main.log", b"of another run\n")
    template = {
        "name": "main",
        "container": {},
        "archiveLocation": {"archiveLogs": True, "s3": location},
    }
    one = work.run("one", spec={"templates": [template]})

    work.archived()

    record = work.log_of(one)
    assert (record.state, record.bucket) == (LogState.STORED, "own")
    assert record.key == f"one/{one.uid}/one/main.log"
    assert work.bucket_of("own").objects[record.key].body == b"hello\n"


def test_p1_an_artifact_in_a_store_that_is_not_known_settles_nothing() -> None:
    work = AtWork(repository=None)
    one = work.run("one", log=None, node=ARTIFACT)

    work.archived()

    assert work.log_of(one).state is LogState.UNSETTLED
    assert "in no S3 repository that is known" in work.log_of(one).reason


@pytest.mark.parametrize(
    ("settings", "archive_logs", "words"),
    [
        ({"logs": {"save": "none"}}, True, "logs.save is none"),
        ({}, False, "archiveLogs is off"),
    ],
)
def test_a_log_that_nobody_wants_is_not_saved(
    settings: dict[str, object], archive_logs: bool, words: str
) -> None:
    work = AtWork(settings, repository=replace(REPOSITORY, archive_logs=archive_logs))
    one = work.run("one")

    work.archived()

    record = work.log_of(one)
    assert (record.state, record.reason) == (LogState.NOT_WANTED, words)


def test_without_a_repository_there_is_nowhere_to_store_it() -> None:
    work = AtWork({"logs": {"save": "all"}}, repository=None)
    one = work.run("one")

    work.archived()

    assert work.log_of(one).state is LogState.NOT_WANTED
    assert "no artifact repository is configured" in work.log_of(one).reason


def test_the_ledgers_settled_records_are_not_asked_for_again() -> None:
    work = AtWork()
    one = work.run("one")
    work.archived()
    work.cluster.change(
        "Workflow", NAMESPACE, "one", lambda it: it["metadata"].update(annotations={"a": "b"})
    )
    asked = len(work.cluster.calls_of("get_pod"))

    work.next_run()
    done = work.archived()

    assert (done.archived, done.saved_logs, done.saved_bytes) == (1, 0, 0)
    assert len(work.cluster.calls_of("get_pod")) == asked
    assert work.log_of(one).state is LogState.STORED


def test_a_memoized_node_ran_no_pod() -> None:
    work = AtWork()
    one = work.run("one", log=None, node={"memoizationStatus": {"hit": True, "key": "k"}})

    work.archived()

    assert work.log_of(one).reason == "memoized: the node ran no pod of its own"


def test_a_template_that_only_moves_data_has_no_log() -> None:
    work = AtWork()
    one = work.run("one", spec={"templates": [{"name": "main", "data": {}}]})

    assert work.archived().archived == 1
    assert work.archive.log_records(clustername="default", uids=[one.uid]) == []


@pytest.mark.parametrize("templates", [[], [{"name": "main", "container": {}}]])
def test_p4_a_container_that_only_an_artifact_names_has_a_log_too(
    templates: list[dict[str, object]],
) -> None:
    work = AtWork()
    artifact = {"name": "sidecar-logs", "s3": {"key": "one/one/sidecar.log"}}
    work.bucket.add("one/one/sidecar.log", b"of a sidecar\n")
    one = work.run(
        "one", spec={"templates": templates}, node={"outputs": {"artifacts": [artifact]}}
    )

    work.archived()

    records = work.archive.log_records(clustername="default", uids=[one.uid])
    assert {record.container: record.source for record in records} == {
        "main": LogSource.OURS,
        "sidecar": LogSource.ARGO,
    }
