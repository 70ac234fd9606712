"""Archiving on fakes: what is fetched, what is written, what is kept for later, and why."""

from dataclasses import replace
from datetime import timedelta

import pytest

from argo_retention.core.selectors import LabelSelector
from argo_retention.errors import (
    ClusterError,
    DatabaseError,
    ListIncompleteError,
    RowRefusedError,
)
from argo_retention.operations import archiving
from argo_retention.operations.archive_batches import BatchArchiver, Refusal
from argo_retention_tests.operations.at_work import NAMESPACE, AtWork

PENDING = {"workflows.argoproj.io/workflow-archiving-status": "Pending"}


def refusals(done: archiving.Archived) -> dict[str, tuple[str, str]]:
    return {each.name: (each.reason, each.sentence) for each in done.refusals}


# -- what is fetched --------------------------------------------------------------------------------------


def test_few_are_fetched_one_by_one() -> None:
    work = AtWork()
    for name in ("one", "two"):
        work.run(name)

    done = work.archived()

    assert (done.finished, done.archived) == (2, 2)
    assert len(work.cluster.calls_of("get_workflow")) == 2
    assert work.cluster.calls_of("list_full") == []


def test_many_come_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "SINGLE_GETS_UP_TO", 2)
    monkeypatch.setattr(archiving, "BATCH", 2)
    work = AtWork()
    for number in range(5):
        work.run(f"run-{number}")
    work.cluster.add_workflow("running", namespace=NAMESPACE, phase=None)

    done = work.archived()

    assert (done.finished, done.archived) == (5, 5)
    assert work.cluster.calls_of("get_workflow") == []
    assert len(work.row_uids()) == 5


def test_p1_a_list_that_fails_in_the_middle_fails_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("SINGLE_GETS_UP_TO", 0), ("PAGE", 1), ("BATCH", 1)):
        monkeypatch.setattr(archiving, name, value)
    work = AtWork()
    runs = [work.run(f"run-{number}").uid for number in range(4)]
    work.cluster.fail("list_full", ListIncompleteError("page 3 failed"), after=2)

    with pytest.raises(ListIncompleteError):
        work.archived()

    assert set(work.row_uids()) <= set(runs[:2])  # batches that were not begun are called off
    work.next_run()
    work.archived()
    assert set(work.row_uids()) == set(runs)


def test_p1_a_failed_list_is_no_snapshot() -> None:
    work = AtWork()
    work.run("one")
    work.cluster.fail("list_metadata", ListIncompleteError("410 twice"))

    with pytest.raises(ListIncompleteError):
        work.archived()

    assert work.archive.last_snapshot(clustername="default", instanceid="") is None


def test_without_a_snapshot_of_its_run_nothing_is_archived() -> None:
    work = AtWork()
    work.run("one")

    with pytest.raises(ListIncompleteError, match="has no snapshot of cluster prod"):
        archiving.archive_finished(work.site, work.grant())


def test_p7_what_is_proven_is_not_fetched_again() -> None:
    work = AtWork()
    work.run("one")
    work.archived()
    work.next_run()

    done = work.archived()

    assert (done.finished, done.proven_before, done.archived) == (1, 1, 0)
    assert len(work.cluster.calls_of("get_workflow")) == 1


@pytest.mark.parametrize(("on_purpose", "archived"), [(False, 1), (True, 0)])
def test_p1_a_proof_whose_row_is_gone_counts_only_if_it_expired_on_purpose(
    on_purpose: bool, archived: int
) -> None:
    work = AtWork()
    one = work.run("one")
    work.archived()
    key = ("default", one.uid)
    work.archive.remove_row(*key)
    proof = work.archive.proofs[key]
    version = replace(proof.version, expired_while_live=on_purpose)
    work.archive.proofs[key] = replace(proof, version=version)
    work.next_run()

    done = work.archived()

    assert (done.archived, done.proven_before) == (archived, 1 - archived)
    assert (key in work.archive.argo_rows) is not on_purpose


def test_into_tables_that_are_not_known_nothing_is_archived() -> None:
    work = AtWork()
    work.run("one")
    work.archive.schema_version = 67

    with pytest.raises(DatabaseError, match="schema_version 67"):
        work.archived()

    assert work.cluster.calls_of("get_workflow") == []
    assert work.row_uids() == set()


def test_one_that_goes_meanwhile_is_named() -> None:
    work = AtWork()
    work.run("one")
    work.cluster.before("get_workflow", lambda _: work.cluster.remove("Workflow", NAMESPACE, "one"))

    done = work.archived()

    assert refusals(done) == {"one": ("gone", "it went between the snapshot and now")}


def test_another_one_of_the_same_name_is_not_taken_for_it() -> None:
    work = AtWork()
    work.run("one")

    def again(_: object) -> None:
        work.cluster.remove("Workflow", NAMESPACE, "one")
        work.run("one", log=None)

    work.cluster.before("get_workflow", again)

    assert refusals(work.archived())["one"][0] == "gone"
    assert work.row_uids() == set()


def test_p2_workflows_of_another_instance_are_nobodys_business() -> None:
    work = AtWork()
    work.run("ours")
    instance = {"workflows.argoproj.io/controller-instanceid": "theirs"}
    work.run("theirs", metadata={"labels": instance})

    done = work.archived()

    assert (done.finished, done.archived) == (1, 1)


def test_archives_what_argos_selector_says_where_that_is_asked_for() -> None:
    work = AtWork()
    work.run("one", metadata={"labels": {"team": "a"}})
    work.run("two")
    policy = replace(work.site.installation.policy, archive_selector=LabelSelector.parse("team=a"))
    work.site = replace(work.site, installation=replace(work.site.installation, policy=policy))

    done = work.archived()

    assert (done.archived, done.proven_before) == (1, 1)


# -- what is kept for later -------------------------------------------------------------------------------


def test_one_that_runs_again_since_the_snapshot_is_left() -> None:
    work = AtWork()
    work.run("one")

    def retried(_: object) -> None:
        work.cluster.change(
            "Workflow",
            NAMESPACE,
            "one",
            lambda it: it["metadata"]["labels"].pop("workflows.argoproj.io/completed"),
        )

    work.cluster.before("get_workflow", retried)

    assert refusals(work.archived())["one"] == ("running", "it runs again since the snapshot")


@pytest.mark.parametrize(("age", "archived"), [(timedelta(minutes=5), 0), (timedelta(hours=1), 1)])
def test_argos_own_queue_is_left_to_argo_for_a_while(age: timedelta, archived: int) -> None:
    work = AtWork()
    work.run("one", age=age, metadata={"labels": PENDING})

    done = work.archived()

    assert done.archived == archived
    assert ("one" in refusals(done)) == (not archived)


def test_one_in_argos_queue_without_a_finish_time_is_archived() -> None:
    work = AtWork()
    work.run("one", metadata={"labels": PENDING})
    work.cluster.change(
        "Workflow", NAMESPACE, "one", lambda it: it["status"].update(finishedAt=None)
    )

    assert work.archived().archived == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": {"phase": "Succeeded", "compressedNodes": "!!"}}, "compressedNodes"),
        ({"status": {"phase": "Succeeded", "finishedAt": "yesterday"}}, "finishedAt"),
        (
            {"status": {"phase": "Succeeded", "nodes": {"one": {"type": "Pod", "startedAt": "x"}}}},
            "",
        ),
    ],
)
def test_p1_what_cannot_be_read_is_kept_and_named_and_the_others_go_on(
    change: dict[str, object], words: str
) -> None:
    work = AtWork()
    work.run("one")
    work.run("two")
    work.cluster.change("Workflow", NAMESPACE, "one", lambda it: it.update(change))

    done = work.archived()

    reason, sentence = refusals(done)["one"]
    assert reason == "unreadable"
    assert words in sentence
    assert done.archived == 1


@pytest.mark.parametrize("part", [b'"\xff"', b"[" * 3000 + b"]" * 3000, b"[[}"])
def test_p1_a_body_that_cannot_be_decoded_is_kept_and_the_others_go_on(part: bytes) -> None:
    work = AtWork()
    one = work.run("one")
    whole = work.cluster.get_workflow(namespace=NAMESPACE, name="one")
    assert whole is not None
    broken = whole.replace(b'"spec":', b'"other":' + part + b',"spec":').replace(b"one", b"two")

    with BatchArchiver(work.site, work.grant()) as archiver:
        refused, archived = archiver.archive([broken, whole])

    assert isinstance(refused, Refusal)
    assert refused.reason == "unreadable"
    assert archived.uid == one.uid


def test_p6_a_body_that_cannot_be_decoded_is_named_if_it_says_who_it_is() -> None:
    work = AtWork()
    body = b'{"metadata":{"uid":"u-1","namespace":"ci","name":"one"},"spec":"\xff"}'

    with BatchArchiver(work.site, work.grant()) as archiver:
        [result] = archiver.archive([body])

    assert isinstance(result, Refusal)
    assert (result.uid, result.namespace, result.name) == ("u-1", "ci", "one")


@pytest.mark.parametrize(("up_to", "name"), [(200, "one"), (0, "")])
def test_p6_one_that_does_not_say_who_it_is_is_unreadable_not_gone(
    up_to: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By single GETs its name is still known; in a list it has none, but it is counted and said."""
    monkeypatch.setattr(archiving, "SINGLE_GETS_UP_TO", up_to)
    work = AtWork()
    work.run("one")
    two = work.run("two")

    def forget(_: object) -> None:
        work.cluster.change("Workflow", NAMESPACE, "one", lambda it: it["metadata"].pop("uid"))

    work.cluster.before("list_full", forget)
    work.cluster.before("get_workflow", forget)

    done = work.archived()

    reason, sentence = refusals(done)[name]
    assert reason == "unreadable"
    assert "uid" in sentence
    assert work.row_uids() == {two.uid}


# -- what is written --------------------------------------------------------------------------------------


def test_a_row_that_argo_wrote_rightly_is_only_proven() -> None:
    work = AtWork({"logs": {"save": "none"}})
    work.run("one", log=None)
    work.archived()
    work.archive.proofs.clear()
    work.next_run()

    done = work.archived()

    assert (done.archived, done.proven_now) == (0, 1)


def test_p1_a_row_that_the_database_refuses_is_found_and_the_others_go_on() -> None:
    work = AtWork()
    for number in range(5):
        work.run(f"run-{number}")
    bad = next(w.uid for w in work.cluster.workflows() if w.name == "run-3")
    work.archive.fail(
        "write_rows",
        RowRefusedError("value too long\nshorten it"),
        times=None,
        where=lambda call: any(write.proof.uid == bad for write in call["writes"]),
    )

    done = work.archived()

    assert done.archived == 4
    assert refusals(done) == {"run-3": ("refused_row", "value too long")}


@pytest.mark.parametrize("method", ["write_rows", "rows"])
def test_a_database_that_fails_ends_the_step(method: str) -> None:
    work = AtWork()
    work.run("one")
    work.archive.fail(method, DatabaseError("connection lost"))

    with pytest.raises(DatabaseError):
        work.archived()


def test_an_api_server_that_fails_ends_the_step() -> None:
    work = AtWork()
    work.run("one")
    work.cluster.fail("get_workflow", ClusterError("500"))

    with pytest.raises(ClusterError):
        work.archived()


def test_only_the_first_thousand_exceptions_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archiving, "EXCEPTIONS_KEPT", 1)
    work = AtWork()
    for name in ("one", "two"):
        work.run(name, log=None)

    done = work.archived()

    assert done.logs["lost"] == 2
    assert len(done.lost_logs) == 1


@pytest.mark.parametrize("templates", ["main", {"name": "main"}])
def test_p1_a_workflow_whose_logs_cannot_be_told_is_kept(templates: object) -> None:
    """Its templates are not what they must be: what logs it has cannot be said, so no row is written."""
    work = AtWork()
    work.run("one", log=None, spec={"templates": templates})
    work.run("two")

    done = work.archived()

    assert refusals(done)["one"][0] == "unreadable"
    assert done.archived == 1
