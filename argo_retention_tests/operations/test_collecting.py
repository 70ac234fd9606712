"""Collecting on fakes: everything that may change between plan and deletion keeps, and says why."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from argo_retention.core.ledger import LeaseGrant
from argo_retention.errors import (
    ClockSkewError,
    ClusterError,
    DatabaseError,
    LeaseLostError,
    ListIncompleteError,
    PlanRefusedError,
)
from argo_retention.operations import collecting
from argo_retention_tests.operations.at_work import NAMESPACE, NOW, AtWork
from argo_retention_tests.operations.collecting_world import (
    ALL,
    NO_LOGS,
    deletes,
    ledger,
    outcomes,
    work_with,
)

# -- what goes --------------------------------------------------------------------------------------------


def test_p6_what_both_plans_remove_goes_and_is_recorded_with_its_reason() -> None:
    work = work_with("one", "two")

    done = work.collected()

    assert outcomes(done) == {"one": "deleted", "two": "deleted"}
    assert done.deleted == 2
    assert work.names() == set()
    assert ledger(work) == {"one": "deleted", "two": "deleted"}
    assert all(deletion.reason for deletion in done.deletions)


def test_p1_each_request_names_uid_and_version() -> None:
    work = work_with("one")
    [one] = work.cluster.workflows()

    work.collected()

    [call] = work.cluster.calls_of("delete_workflow")
    assert (call["uid"], call["resource_version"]) == (one.uid, one.resource_version)


def test_p6_the_intent_stands_in_the_ledger_before_the_request() -> None:
    work = work_with("one")
    seen: list[dict[str, str]] = []
    work.cluster.before("delete_workflow", lambda _: seen.append(ledger(work)))

    work.collected()

    assert seen == [{"one": "intended"}]


def test_p1_observe_sends_nothing_and_records_nothing() -> None:
    work = work_with("one", settings={"retention": {"mode": "observe", "proof_age": 0}})

    done = work.collected()

    assert (done.applied, outcomes(done), done.deleted) == (False, {"one": "observed"}, 0)
    assert deletes(work) == 0
    assert ledger(work) == {}
    assert work.names() == {"one"}


# -- what keeps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"digest": "0" * 32}, "its archive row is not the one that was proven"),
        ({"digest": ""}, "its archive row is not the one that was proven"),
        ({"logs_settled": False}, "a log of it is not settled any more"),
        ({"resource_version": 1}, "proven at resourceVersion 1, planned at"),
        ({"proven_at": NOW + timedelta(hours=1)}, "its proof is younger than"),
    ],
)
def test_p1_a_row_that_says_something_else_under_lock_keeps_the_workflow(
    change: dict[str, object], words: str
) -> None:
    work = work_with("one")
    original = work.archive._locked
    work.archive._locked = lambda key: replace(original(key), **change)  # type: ignore[method-assign,assignment,misc,arg-type]

    done = work.collected()

    assert outcomes(done)["one"].startswith(f"refused: {words}")
    assert done.problems == done.deletions
    assert deletes(work) == 0


def test_p1_a_row_that_went_since_the_plan_keeps_the_workflow() -> None:
    work = work_with("one")
    work.archive.before("lock_rows", lambda _: work.archive.argo_rows.clear())

    done = work.collected()

    assert outcomes(done) == {"one": "refused: its archive row is gone"}
    assert work.names() == {"one"}


def test_p2_what_a_fresh_look_keeps_stays() -> None:
    work = work_with("one", "two")
    hold = {"argo-retention.io/hold": "audit"}
    work.cluster.change(
        "Workflow", NAMESPACE, "one", lambda it: it["metadata"].update(annotations=hold)
    )
    work.cluster.remove("Workflow", NAMESPACE, "two")

    done = work.collected()

    assert outcomes(done)["one"].startswith("changed: ")
    assert outcomes(done)["two"] == "gone"
    assert deletes(work) == 0
    assert ledger(work) == outcomes(done)


def test_p2_what_the_fresh_plan_keeps_is_left_out_with_its_reason() -> None:
    work = work_with("one")
    work.cluster.add(
        {
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "annotations": {"argo-retention.io/hold": "audit"}},
        }
    )

    done = work.collected()

    assert outcomes(done)["one"].startswith("kept: is held: namespace ci")
    assert work.names() == {"one"}


def test_p1_a_conflict_is_said_and_kept() -> None:
    work = work_with("one")
    work.cluster.before(
        "delete_workflow",
        lambda _: work.cluster.change(
            "Workflow", NAMESPACE, "one", lambda it: it["metadata"].update(annotations={"a": "b"})
        ),
    )

    assert outcomes(work.collected()) == {"one": "changed"}
    assert work.names() == {"one"}


def test_one_that_is_gone_already_is_gone() -> None:
    work = work_with("one")
    work.cluster.before(
        "delete_workflow", lambda _: work.cluster.remove("Workflow", NAMESPACE, "one")
    )

    assert outcomes(work.collected()) == {"one": "gone"}


# -- owners -----------------------------------------------------------------------------------------------


def owner_and_dependant() -> AtWork:
    work = AtWork({**ALL, **NO_LOGS})
    owner = work.run("owner", log=None)
    reference = {"kind": "Workflow", "name": "owner", "uid": owner.uid, "apiVersion": "v1"}
    work.run("dependant", log=None, metadata={"ownerReferences": [reference]})
    work.planned()
    return work


def test_a_dependant_goes_before_its_owner() -> None:
    work = owner_and_dependant()

    work.collected()

    calls = work.cluster.calls_of("delete_workflow")
    assert [call["name"] for call in calls] == ["dependant", "owner"]


def test_p1_an_owner_whose_dependant_did_not_go_stays() -> None:
    """Its cascade would take the dependant along."""
    work = owner_and_dependant()
    work.cluster.fail("delete_workflow", ClusterError("503"))

    done = work.collected()

    assert outcomes(done) == {
        "dependant": "refused: 503",
        "owner": "refused: it owns a workflow that stays",
    }
    assert ledger(work) == outcomes(done)
    assert work.names() == {"owner", "dependant"}


def test_p2_an_owner_whose_dependant_the_fresh_plan_keeps_is_left_out() -> None:
    work = owner_and_dependant()
    work.cluster.change(
        "Workflow",
        NAMESPACE,
        "dependant",
        lambda it: it["metadata"].update(annotations={"argo-retention.io/hold": "x"}),
    )

    done = work.collected()

    assert outcomes(done)["owner"].startswith("kept: ")
    assert deletes(work) == 0


def test_p2_an_owner_whose_dependant_got_our_label_since_the_plan_is_left_out() -> None:
    """The dependant is proven and surplus still, but not in the version that was planned."""
    work = owner_and_dependant()
    [dependant] = [w for w in work.cluster.workflows() if w.name == "dependant"]
    patched = work.cluster.mark_archived(
        namespace=NAMESPACE,
        name="dependant",
        uid=dependant.uid,
        resource_version=dependant.resource_version,
    )
    versions = {dependant.uid: (dependant.resource_version, patched.resource_version)}
    work.archive.record_patched(work.grant(), versions)

    done = work.collected()

    assert outcomes(done)["dependant"].startswith("changed: ")
    assert outcomes(done)["owner"] == "kept: it owns a workflow that stays"
    assert deletes(work) == 0


# -- failures ---------------------------------------------------------------------------------------------


def test_an_api_server_that_keeps_failing_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "FAILURES_BEFORE_STOP", 3)
    monkeypatch.setattr(collecting, "BATCH", 2)
    monkeypatch.setattr(collecting, "BATCHES_AT_ONCE", 1)
    work = work_with(*[f"run-{number}" for number in range(10)])
    work.cluster.fail("delete_workflow", ClusterError("503\nretry"), times=None)

    done = work.collected()

    said = Counter(outcomes(done).values())
    assert set(said) == {"refused: 503", "refused: the run was stopped before the request"}
    assert deletes(work) < 10
    assert len(work.names()) == 10


@pytest.mark.parametrize(
    ("part", "method", "error"),
    [
        ("cluster", "list_metadata", ListIncompleteError("410")),
        ("archive", "lock_rows", DatabaseError("gone")),
        ("archive", "record_deletions", DatabaseError("gone")),
        ("archive", "claim_plan", LeaseLostError("taken over")),
    ],
)
def test_p1_a_server_that_fails_deletes_nothing(part: str, method: str, error: Exception) -> None:
    work = work_with("one", "two")
    getattr(work, part).fail(method, error)

    with pytest.raises(type(error)):
        work.collected()

    assert deletes(work) == 0
    assert work.names() == {"one", "two"}


def test_p1_a_batch_that_fails_stops_those_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "BATCH", 1)
    monkeypatch.setattr(collecting, "BATCHES_AT_ONCE", 1)
    work = work_with(*[f"run-{number}" for number in range(6)])
    work.archive.fail("lock_rows", DatabaseError("gone"))

    with pytest.raises(DatabaseError):
        work.collected()

    assert len(work.names()) >= 5


def test_p7_outcomes_are_recorded_although_giving_back_the_locks_fails() -> None:
    work = work_with("one")
    original = work.archive.lock_rows

    @contextmanager
    def lost_at_the_end(grant: LeaseGrant, *, uids: Sequence[str]) -> Iterator[object]:
        with original(grant, uids=uids) as rows:
            yield rows
        raise DatabaseError("connection lost")

    work.archive.lock_rows = lost_at_the_end  # type: ignore[method-assign,assignment]

    with pytest.raises(DatabaseError):
        work.collected()

    assert ledger(work) == {"one": "deleted"}


def test_p1_an_empty_list_is_not_believed() -> None:
    work = work_with("one")
    work.cluster.remove("Workflow", NAMESPACE, "one")

    with pytest.raises(PlanRefusedError, match="The list is empty, 1 workflows were expected"):
        work.collected()


def test_p1_a_clock_that_is_off_deletes_nothing() -> None:
    work = work_with("one")
    work.cluster.now = NOW + timedelta(hours=1)

    with pytest.raises(ClockSkewError):
        work.collected()

    assert work.names() == {"one"}


def braked_work() -> AtWork:
    """60 planned to go, and a brake that refuses so many."""
    names = [f"run-{number}" for number in range(60)]
    settings = {"brakes": {"max_share": 0.99, "max_drop": 1, "per_second": 1e6}}
    keeping = {"argo": {"retentionPolicy": {"completed": 1}}}
    work = work_with(*names, settings={**settings, **keeping})
    policy = replace(
        work.site.installation.policy,
        brakes=replace(work.site.installation.policy.brakes, max_share=0.5),
    )
    work.site = replace(work.site, installation=replace(work.site.installation, policy=policy))
    work.archive.plans = {
        key: replace(plan, policy_digest=policy.digest) for key, plan in work.archive.plans.items()
    }
    return work


@pytest.mark.parametrize("allowed", [None, 0, 58])
def test_p2_a_fresh_plan_over_its_brake_refuses(allowed: int | None) -> None:
    work = braked_work()

    with pytest.raises(PlanRefusedError, match="59 of 60 finished workflows would be deleted"):
        work.collected(allow_deletions=allowed)

    assert deletes(work) == 0


@pytest.mark.parametrize("allowed", [59, 1000])
def test_p2_a_person_lets_a_plan_of_so_many_pass(allowed: int) -> None:
    work = braked_work()

    assert work.collected(allow_deletions=allowed).deleted == 59


def test_p2_what_is_allowed_is_counted_before_max_deletions_cuts() -> None:
    work = braked_work()
    brakes = replace(work.site.installation.policy.brakes, max_deletions=5)
    policy = replace(work.site.installation.policy, brakes=brakes)
    work.site = replace(work.site, installation=replace(work.site.installation, policy=policy))
    work.archive.plans = {
        key: replace(plan, policy_digest=policy.digest) for key, plan in work.archive.plans.items()
    }

    with pytest.raises(PlanRefusedError, match="59 of 60"):
        work.collected(allow_deletions=58)
    assert work.collected(allow_deletions=59).deleted == 5
