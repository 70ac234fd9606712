"""Saving a log: from the pod into the bucket, or an unsettled record that says why not."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from argo_retention.core.logs import LogRecord, LogSource, LogState
from argo_retention.errors import (
    ClusterError,
    ClusterForbiddenError,
    ObjectStoreError,
    PodLogGoneError,
)
from argo_retention.operations import saving_logs
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

    def taken(call: Mapping[str, Any]) -> None:
        work.bucket.add(call["key"], b"theirs")

    work.bucket.before("put_if_absent", taken, times=None)

    done = work.archived()

    record = work.log_of(one)
    assert record.state is LogState.UNSETTLED
    assert "is somebody else's, and the key with the uid too" in record.reason
    assert done.log_exceptions[0][0] == "ci/one"


@pytest.mark.parametrize(
    ("size", "with_uid"), [(0, False), (10, False), (11, True), (200_000, True)]
)
def test_a_log_is_stored_whole_and_a_long_one_streamed_to_a_key_with_the_uid(
    size: int, with_uid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving_logs, "ONE_PUT_LIMIT", 10)
    work = AtWork()
    body = bytes(number % 251 for number in range(size))
    one = work.run("one", log=body)

    work.archived()

    record = work.log_of(one)
    assert record.state is LogState.STORED
    assert (one.uid in record.key) is with_uid
    stored = work.bucket.objects[record.key]
    assert stored.body == body
    assert (record.size, record.etag) == (size, stored.head.etag)
    assert record.sha256 == hashlib.sha256(body).hexdigest()
    assert len(work.bucket.objects) == 1


@pytest.mark.parametrize("limit", [2, saving_logs.ONE_PUT_LIMIT])
def test_p4_no_long_or_short_log_of_one_name_overwrites_another(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is used again in the same namespace: one key of Argo's for both."""
    monkeypatch.setattr(saving_logs, "ONE_PUT_LIMIT", limit)
    work = AtWork()
    first = work.run("one", log=b"first\n")
    work.archived()
    work.cluster.remove("Workflow", NAMESPACE, "one")
    work.next_run()
    second = work.run("one", log=b"second\n")

    work.archived()

    stored = [work.bucket.objects[work.log_of(it).key].body for it in (first, second)]
    assert stored == [b"first\n", b"second\n"]


def test_p1_the_runtimes_refusal_is_no_log() -> None:
    work = AtWork()
    body = b"unable to retrieve container logs for containerd://123"
    one = work.run("one", log=body)

    work.archived()

    assert work.log_of(one).state is LogState.UNSETTLED
    assert "refusal instead of the log" in work.log_of(one).reason
    assert work.bucket.objects == {}


@pytest.mark.parametrize(
    "body",
    [
        b"said: unable to retrieve container logs for containerd://123",
        b"unable to retrieve container logs for containerd://123" + b"\n" * 1024,
    ],
)
def test_a_log_that_only_tells_of_a_refusal_is_a_log(body: bytes) -> None:
    work = AtWork()
    one = work.run("one", log=body)

    work.archived()

    assert work.log_of(one).state is LogState.STORED


@pytest.mark.parametrize(
    "error",
    [
        ClusterForbiddenError("401 Unauthorized\nask"),
        ClusterError("429 Too Many Requests\nwait"),
        ClusterError("503 Service Unavailable\nwait"),
        ClusterError("timed out after 30 s\nwait"),
    ],
)
def test_p1_a_log_that_is_refused_for_now_is_not_lost(error: ClusterError) -> None:
    work = AtWork()
    one = work.run("one")
    work.cluster.fail("open_pod_log", error)

    done = work.archived()

    record = work.log_of(one)
    assert (record.state, record.reason) == (LogState.UNSETTLED, str(error).partition("\n")[0])
    assert done.log_exceptions == [("ci/one", "unsettled", f"one/main: {record.reason}")]

    work.next_run()
    work.archived()
    assert work.log_of(one).state is LogState.STORED


def record_after(method: str, error: Exception) -> LogRecord:
    """What is known of a log after the cluster answered so."""
    work = AtWork()
    one = work.run("one")
    work.cluster.fail(method, error)
    work.archived()
    return work.log_of(one)


def test_p1_a_log_that_may_not_be_read_is_not_lost() -> None:
    record = record_after("open_pod_log", ClusterForbiddenError("403 Forbidden\nask"))

    assert (record.state, record.reason) == (LogState.UNSETTLED, "403 Forbidden")


def test_p1_a_stream_that_is_cut_is_no_log() -> None:
    work = AtWork()
    one = work.run("one", log=None)
    work.pod(one)
    work.cluster.add_pod_log(namespace=NAMESPACE, pod="one", body=b"half and half", cut_after=4)

    work.archived()

    assert work.log_of(one).state is LogState.UNSETTLED
    assert work.bucket.objects == {}


@pytest.mark.parametrize("fails", ["chunk", "put"])
def test_p1_a_long_log_that_is_cut_while_it_is_stored_is_no_log(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving_logs, "ONE_PUT_LIMIT", 10)
    work = AtWork()
    one = work.run("one", log=b"x" * 200_000)
    if fails == "chunk":
        work.cluster.fail("open_pod_log", ClusterError("cut"), after=2)
    else:
        work.bucket.fail("put_stream", ObjectStoreError("cut"), after=1)

    work.archived()

    assert (work.log_of(one).state, work.log_of(one).reason) == (LogState.UNSETTLED, "cut")
    assert work.bucket.objects == {}


def is_a_log(call: Any) -> bool:
    return str(call["key"]).endswith(".log")


@pytest.mark.parametrize("operation", ["put_if_absent", "head"])
def test_p1_a_bucket_that_fails_loses_nothing(operation: str) -> None:
    """head: the key is taken, and whose object it is cannot be asked."""
    work = AtWork()
    one = work.run("one")
    work.bucket.add("one/one/main.log", b"theirs")
    work.bucket.fail(operation, ObjectStoreError("503 slow down"), where=is_a_log)

    work.archived()

    assert (work.log_of(one).state, work.log_of(one).reason) == (
        LogState.UNSETTLED,
        "503 slow down",
    )
    assert list(work.bucket.objects) == ["one/one/main.log"]


def test_p4_where_conditions_are_not_honoured_only_keys_with_the_uid_are_written() -> None:
    """Such a server would let our put replace the log of another workflow of that name."""
    work = AtWork()
    one = work.run("one")
    work.bucket.honours_conditions = False
    work.bucket.add("one/one/main.log", b"theirs")

    work.archived()

    assert work.log_of(one).key == f"one/{one.uid}/one/main.log"
    assert work.bucket.objects["one/one/main.log"].body == b"theirs"
    assert set(work.bucket.objects) == {"one/one/main.log", f"one/{one.uid}/one/main.log"}


def test_p4_a_bucket_that_cannot_be_tried_leaves_the_log_unsettled() -> None:
    work = AtWork()
    one = work.run("one")
    work.bucket.fail(
        "put_if_absent", ObjectStoreError("503"), where=lambda call: "probe" in str(call["key"])
    )

    work.archived()

    assert (work.log_of(one).state, work.log_of(one).reason) == (LogState.UNSETTLED, "503")


def test_an_object_that_goes_while_its_key_is_tried_leaves_the_key_with_the_uid() -> None:
    work = AtWork()
    one = work.run("one")
    work.bucket.add("one/one/main.log", b"theirs")
    work.bucket.before("head", lambda _: work.bucket.objects.clear(), where=is_a_log)

    work.archived()

    assert work.log_of(one).key == f"one/{one.uid}/one/main.log"


def test_a_pod_that_goes_while_its_log_is_asked_for_is_lost() -> None:
    work = AtWork()
    one = work.run("one")
    work.cluster.before("open_pod_log", lambda _: work.cluster.remove("Pod", NAMESPACE, "one"))

    work.archived()

    record = work.log_of(one)
    assert record.state is LogState.LOST
    assert "went while its log was asked for" in record.reason
    assert (record.source, record.bucket, record.key) == (LogSource.NONE, "", "")


def test_a_pod_that_is_replaced_while_its_log_is_asked_for_is_lost() -> None:
    """Another workflow of that name has a pod of that name now; its log is not ours."""
    work = AtWork()
    one = work.run("one", log=None)
    work.pod(one)

    def replaced(_: object) -> None:
        work.cluster.remove("Pod", NAMESPACE, "one")
        work.pod(one)

    work.cluster.before("open_pod_log", replaced)
    work.cluster.fail("open_pod_log", PodLogGoneError("404"))

    work.archived()

    assert work.log_of(one).state is LogState.LOST


def test_p1_a_404_for_the_log_of_a_pod_that_is_there_settles_nothing() -> None:
    record = record_after("open_pod_log", PodLogGoneError("404"))

    assert record.state is LogState.UNSETTLED
    assert "is there, its log answers 404" in record.reason


def test_p1_a_404_for_a_log_whose_pod_cannot_be_asked_for_settles_nothing() -> None:
    work = AtWork()
    one = work.run("one")
    away = ClusterError("503")
    work.cluster.before("open_pod_log", lambda _: work.cluster.fail("get_pod", away))
    work.cluster.fail("open_pod_log", PodLogGoneError("404"))

    work.archived()

    assert (work.log_of(one).state, work.log_of(one).reason) == (LogState.UNSETTLED, "503")


def test_p1_a_pod_that_cannot_be_asked_for_settles_nothing() -> None:
    assert record_after("get_pod", ClusterError("timeout")).state is LogState.UNSETTLED
