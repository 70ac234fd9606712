"""Saving a log: from the pod into the bucket, or an unsettled record that says why not."""

import json

import pytest

from argo_retention.core.logs import LogSource, LogState
from argo_retention.errors import (
    ClusterError,
    ClusterForbiddenError,
    ObjectStoreError,
    PodLogGoneError,
)
from argo_retention.operations import saving_logs
from argo_retention.operations.log_tasks import object_metadata
from argo_retention_tests.operations.at_work import NAMESPACE, AtWork


def test_a_log_that_argo_did_not_store_is_saved_under_argos_key() -> None:
    work = AtWork()
    one = work.run("one", log=b"hello\n")

    done = work.archived()

    record = work.log_of(one)
    assert (record.state, record.source) == (LogState.STORED, LogSource.OURS)
    assert work.bucket.objects[record.key].body == b"hello\n"
    assert record.key == "one/one/main.log"
    assert (done.saved_logs, done.saved_bytes) == (1, 6)


def test_p5_the_row_names_the_log_that_was_saved() -> None:
    work = AtWork()
    one = work.run("one")

    work.archived()

    [row] = work.archive.rows(clustername="default", uids=[one.uid])
    artifacts = json.loads(row.workflow)["status"]["nodes"]["one"]["outputs"]["artifacts"]
    assert [each["name"] for each in artifacts] == ["main-logs"]
    assert artifacts[0]["s3"]["key"] == "one/one/main.log"


def test_p4_a_key_that_somebody_else_has_is_not_overwritten() -> None:
    work = AtWork()
    work.bucket.add("one/one/main.log", b"of another workflow\n")
    one = work.run("one")

    work.archived()

    record = work.log_of(one)
    assert work.bucket.objects["one/one/main.log"].body == b"of another workflow\n"
    assert one.uid in record.key
    assert work.bucket.objects[record.key].body == b"hello\n"


def test_p1_where_both_keys_are_taken_the_log_is_not_settled() -> None:
    work = AtWork()
    one = work.run("one")
    work.bucket.before(
        "put_if_absent", lambda call: work.bucket.add(call["key"], b"theirs"), times=None
    )

    done = work.archived()

    record = work.log_of(one)
    assert record.state is LogState.UNSETTLED
    assert "is somebody else's, and the key with the uid too" in record.reason
    assert done.log_exceptions[0][0] == "ci/one"


def test_p7_an_object_that_a_crash_left_is_adopted() -> None:
    """Put and then killed: the intent is in the ledger, the object says whose it is."""
    work = AtWork()
    one = work.run("one")
    work.archive.fail("write_rows", ObjectStoreError("killed"), times=1)
    with pytest.raises(ObjectStoreError):
        work.archived()
    assert work.log_of(one).state is LogState.INTENDED
    work.cluster.remove("Pod", NAMESPACE, "one")

    work.next_run()
    work.archived()

    record = work.log_of(one)
    assert (record.state, record.key) == (LogState.STORED, "one/one/main.log")
    assert len(work.bucket.calls_of("put_if_absent")) == 1


def test_p7_an_intent_whose_object_was_never_put_is_saved_again() -> None:
    work = AtWork()
    one = work.run("one")
    work.archive.fail("write_rows", ObjectStoreError("killed"), times=1)
    with pytest.raises(ObjectStoreError):
        work.archived()
    work.bucket.objects.clear()

    work.next_run()
    work.archived()

    assert work.log_of(one).state is LogState.STORED
    assert list(work.bucket.objects) == ["one/one/main.log"]


def test_an_object_of_ours_under_the_key_counts_as_put() -> None:
    """A put whose answer was lost: the second one is refused, and finds our own object."""
    work = AtWork()
    one = work.run("one")

    def put_already(call) -> None:
        metadata = {**call["metadata"]} if "metadata" in call else None
        record = work.log_of(one)
        work.bucket.add(call["key"], b"hello\n", metadata=metadata or object_metadata(record, ""))

    work.bucket.before("put_if_absent", put_already)

    work.archived()

    assert work.log_of(one).state is LogState.STORED
    assert list(work.bucket.objects) == ["one/one/main.log"]


def test_a_long_log_is_streamed_to_a_key_with_the_uid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving_logs, "ONE_PUT_LIMIT", 10)
    work = AtWork()
    one = work.run("one", log=b"0123456789" * 3)

    work.archived()

    record = work.log_of(one)
    assert record.state is LogState.STORED
    assert one.uid in record.key
    assert work.bucket.objects[record.key].body == b"0123456789" * 3


def test_p1_the_runtimes_refusal_is_no_log() -> None:
    work = AtWork()
    body = b"unable to retrieve container logs for containerd://123"
    one = work.run("one", log=body)

    work.archived()

    assert work.log_of(one).state is LogState.UNSETTLED
    assert "refusal instead of the log" in work.log_of(one).reason
    assert work.bucket.objects == {}


def test_p1_a_log_that_may_not_be_read_is_not_lost() -> None:
    work = AtWork()
    one = work.run("one")
    work.cluster.fail("open_pod_log", ClusterForbiddenError("403 Forbidden\nask"))

    work.archived()

    record = work.log_of(one)
    assert (record.state, record.reason) == (LogState.UNSETTLED, "403 Forbidden")


def test_p1_a_stream_that_is_cut_is_no_log() -> None:
    work = AtWork()
    one = work.run("one", log=None)
    work.pod(one)
    work.cluster.add_pod_log(namespace=NAMESPACE, pod="one", body=b"half and half", cut_after=4)

    work.archived()

    assert work.log_of(one).state is LogState.UNSETTLED
    assert work.bucket.objects == {}


def test_p1_a_bucket_that_fails_loses_nothing() -> None:
    work = AtWork()
    one = work.run("one")
    work.bucket.fail("put_if_absent", ObjectStoreError("503 slow down"))

    work.archived()

    assert work.log_of(one).state is LogState.UNSETTLED


def test_a_pod_that_goes_while_its_log_is_asked_for_is_lost() -> None:
    work = AtWork()
    one = work.run("one")
    work.cluster.before("open_pod_log", lambda _: work.cluster.remove("Pod", NAMESPACE, "one"))

    work.archived()

    assert work.log_of(one).state is LogState.LOST
    assert "went while its log was asked for" in work.log_of(one).reason


def test_p1_a_404_for_the_log_of_a_pod_that_is_there_settles_nothing() -> None:
    work = AtWork()
    one = work.run("one")
    work.cluster.fail("open_pod_log", PodLogGoneError("404"))

    work.archived()

    assert work.log_of(one).state is LogState.UNSETTLED
    assert "is there, its log answers 404" in work.log_of(one).reason


def test_p1_a_404_for_a_log_whose_pod_cannot_be_asked_for_settles_nothing() -> None:
    work = AtWork()
    one = work.run("one")
    away = ClusterError("503")
    work.cluster.before("open_pod_log", lambda _: work.cluster.fail("get_pod", away))
    work.cluster.fail("open_pod_log", PodLogGoneError("404"))

    work.archived()

    assert (work.log_of(one).state, work.log_of(one).reason) == (LogState.UNSETTLED, "503")


def test_p1_a_pod_that_cannot_be_asked_for_settles_nothing() -> None:
    work = AtWork()
    one = work.run("one")
    work.cluster.fail("get_pod", ClusterError("timeout"))

    work.archived()

    assert work.log_of(one).state is LogState.UNSETTLED
