"""The intent: in the ledger before the put, so that an object is known again after a crash."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from argo_retention.core.artifact_repositories import ArtifactRepository
from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.logs import LogRecord, LogSource, LogState
from argo_retention.core.ports.log_store import ObjectHead
from argo_retention.errors import DatabaseError, LeaseLostError, ObjectStoreError
from argo_retention.operations import saving_logs
from argo_retention.operations.archiving import archive_finished
from argo_retention.operations.log_tasks import is_ours, object_metadata
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention_tests.core import factories
from argo_retention_tests.operations.at_work import NAMESPACE, NOW, REPOSITORY, AtWork


def killed_before_the_row(work: AtWork) -> None:
    """One run saves its logs and writes no row."""
    work.archive.fail("write_rows", ObjectStoreError("killed"))
    with pytest.raises(ObjectStoreError):
        work.archived()


def is_a_log(call: Mapping[str, Any]) -> bool:
    """Not what is put to try the bucket."""
    return str(call["key"]).endswith(".log")


# -- before the put ---------------------------------------------------------------------------------------


def test_p7_the_intent_is_in_the_ledger_before_the_object_is_put() -> None:
    work = AtWork()
    one = work.run("one")
    found: list[LogRecord] = []
    work.bucket.before("put_if_absent", lambda _: found.append(work.log_of(one)), where=is_a_log)

    work.archived()

    [intent] = found
    assert (intent.state, intent.source) == (LogState.INTENDED, LogSource.OURS)
    assert (intent.bucket, intent.key) == ("logs", "one/one/main.log")
    assert not intent.state.is_settled


def test_p7_without_the_intent_nothing_is_put() -> None:
    work = AtWork()
    work.run("one")
    work.archive.fail("record_logs", DatabaseError("connection lost"))

    with pytest.raises(DatabaseError):
        work.archived()

    assert work.bucket.calls_of("put_if_absent") == []
    assert work.cluster.calls_of("open_pod_log") == []


def test_p7_whose_lease_was_taken_over_puts_nothing_more() -> None:
    work = AtWork()
    work.run("one")
    grant: LeaseGrant = work.grant(work.site.root_run)
    take_snapshot(work.site, grant)
    work.grant("another run")

    with pytest.raises(LeaseLostError):
        archive_finished(work.site, grant)

    assert work.bucket.objects == {}
    assert work.row_uids() == set()


def test_the_object_says_whose_log_it_is() -> None:
    work = AtWork()
    one = work.run("one")

    work.archived()

    record = work.log_of(one)
    head = work.bucket.objects[record.key].head
    assert is_ours(head, record)
    assert head.metadata["argo-retention-sha256"] == record.sha256


@pytest.mark.parametrize("other", [{}, {"uid": "b"}, {"node_id": "b"}, {"container": "b"}])
def test_p4_an_object_is_ours_only_if_uid_node_and_container_say_so(other: dict[str, str]) -> None:
    record = factories.log_record(uid="a", node_id="a", container="a")
    theirs = object_metadata(
        factories.log_record(**{"uid": "a", "node_id": "a", "container": "a", **other}), ""
    )
    head = ObjectHead(size=1, etag='"e"', last_modified=NOW, metadata=theirs)

    assert is_ours(head, record) is (not other)
    assert not is_ours(ObjectHead(size=1, etag='"e"', last_modified=NOW, metadata={}), record)


# -- after a crash ----------------------------------------------------------------------------------------


def test_p7_an_object_that_a_crash_left_is_adopted() -> None:
    """Put and then killed: the intent is in the ledger, the object says whose it is."""
    work = AtWork()
    one = work.run("one")
    killed_before_the_row(work)
    assert work.log_of(one).state is LogState.INTENDED
    work.cluster.remove("Pod", NAMESPACE, "one")

    work.next_run()
    work.archived()

    record = work.log_of(one)
    head = work.bucket.objects["one/one/main.log"].head
    assert (record.state, record.key) == (LogState.STORED, "one/one/main.log")
    assert (record.size, record.etag) == (head.size, head.etag)
    assert record.sha256 == head.metadata["argo-retention-sha256"]
    puts = [call["key"] for call in work.bucket.calls_of("put_if_absent")]
    assert puts.count(record.key) == 1


def test_p7_an_intent_whose_object_was_never_put_is_saved_again() -> None:
    work = AtWork()
    one = work.run("one")
    killed_before_the_row(work)
    work.bucket.objects.clear()

    work.next_run()
    work.archived()

    assert work.log_of(one).state is LogState.STORED
    assert list(work.bucket.objects) == ["one/one/main.log"]


def test_p7_an_object_of_ours_under_the_key_counts_as_put() -> None:
    """A put whose answer was lost: the second one is refused, and finds our own object."""
    work = AtWork()
    one = work.run("one")

    def put_already(call: Mapping[str, Any]) -> None:
        work.bucket.add(call["key"], b"hello\n", metadata=object_metadata(work.log_of(one), ""))

    work.bucket.before("put_if_absent", put_already, where=is_a_log)

    work.archived()

    assert work.log_of(one).state is LogState.STORED
    assert list(work.bucket.objects) == ["one/one/main.log"]


@pytest.mark.parametrize("repository", [REPOSITORY, None])
@pytest.mark.parametrize("why", ["taken", "long"])
def test_p7_an_object_that_a_crash_left_under_the_key_with_the_uid_is_adopted(
    why: str, repository: ArtifactRepository | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The intent names Argo's key, which was taken, or is not used for a log that is streamed.

    The pod has gone meanwhile: if the object were not found, its log would count as lost.
    """
    location = {"endpoint": "s3.example:9000", "bucket": "logs", "key": "k"}
    own = {"archiveLocation": {"archiveLogs": True, "s3": location}}
    template = {"name": "main", "container": {}, **({} if repository else own)}
    work = AtWork(repository=repository)
    one = work.run("one", spec={"templates": [template]})
    if why == "long":
        monkeypatch.setattr(saving_logs, "ONE_PUT_LIMIT", 1)
    else:
        work.bucket.add("one/one/main.log" if repository else "k/main.log", b"theirs")
    killed_before_the_row(work)
    work.cluster.remove("Pod", NAMESPACE, "one")
    work.next_run()

    work.archived()

    record = work.log_of(one)
    assert record.state is LogState.STORED
    assert record.key == f"one/{one.uid}/one/main.log"
    assert work.bucket.objects[record.key].body == b"hello\n"


def test_p7_an_object_is_adopted_from_the_bucket_that_it_was_put_into() -> None:
    """The repository names another bucket since; the workflow's own status says so too."""
    work = AtWork()
    one = work.run("one")
    killed_before_the_row(work)
    assert REPOSITORY.s3 is not None
    moved = replace(REPOSITORY, s3=replace(REPOSITORY.s3, bucket="new"))
    argo = replace(work.site.installation.argo, artifact_repository=moved)
    work.site = replace(work.site, installation=replace(work.site.installation, argo=argo))
    work.next_run()

    work.archived()

    record = work.log_of(one)
    assert (record.state, record.bucket) == (LogState.STORED, "logs")
    assert work.bucket_of("new").objects == {}


def test_p4_a_key_that_may_hold_our_object_is_referenced() -> None:
    """The put failed, or its answer was lost: nobody else's expiry may take what may be there."""
    work = AtWork()
    one = work.run("one")
    work.bucket.fail("put_if_absent", ObjectStoreError("timed out"), where=is_a_log)

    work.archived()

    assert {
        (each.bucket, each.key) for each in work.archive.references_by_row["default", one.uid]
    } == {("logs", "one/one/main.log")}


def test_p4_an_object_that_another_log_has_is_not_adopted() -> None:
    """Killed before the put, and another workflow of that name stored its log there since."""
    work = AtWork()
    one = work.run("one")
    killed_before_the_row(work)
    work.bucket.objects.clear()
    theirs = object_metadata(structs.replace(work.log_of(one), uid="another"), "")
    work.bucket.add("one/one/main.log", b"theirs", metadata=theirs)
    work.cluster.remove("Pod", NAMESPACE, "one")
    work.next_run()

    work.archived()

    assert work.log_of(one).state is LogState.LOST


def test_p7_an_intent_without_a_repository_now_is_not_wanted_any_more() -> None:
    work = AtWork()
    one = work.run("one")
    killed_before_the_row(work)
    later = AtWork(repository=None)
    later.cluster, later.archive, later.tables = work.cluster, work.archive, work.tables
    later.site = replace(later.site, cluster=work.cluster, archive=work.archive, tables=work.tables)
    later.next_run()

    later.archived()

    assert later.log_of(one).state is LogState.NOT_WANTED


def test_p7_an_intent_of_a_node_that_nobody_wants_any_more_is_not_asked_for() -> None:
    """The intent counts as an object that may be there until the bucket says no."""
    work = AtWork()
    one = work.run("one")
    killed_before_the_row(work)
    work.bucket.objects.clear()
    settings = work.site.installation.settings.model_copy(
        update={"logs": work.site.installation.settings.logs.model_copy(update={"save": "none"})}
    )
    work.site = replace(work.site, installation=replace(work.site.installation, settings=settings))
    work.next_run()

    work.archived()

    assert work.log_of(one).state is LogState.NOT_WANTED
