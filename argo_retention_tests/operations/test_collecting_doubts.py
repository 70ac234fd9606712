"""Collecting on fakes: plans that do not fit, and what earlier runs left open."""

from dataclasses import replace
from datetime import timedelta

import pytest

from argo_retention.core.ledger import Deletion
from argo_retention.errors import DeletionUnknownError, PlanRefusedError
from argo_retention_tests.operations.at_work import NAMESPACE, NOW, AtWork
from argo_retention_tests.operations.collecting_world import (
    ALL,
    NO_LOGS,
    deletes,
    ledger,
    outcomes,
    work_with,
)

# -- plans are used once ----------------------------------------------------------------------------------


def test_p7_a_plan_is_used_once() -> None:
    work = work_with("one")
    plan_id = work.collected().plan.plan_id

    with pytest.raises(PlanRefusedError, match="is applied; a plan is used once"):
        work.collected(plan_id=plan_id)


def test_p7_a_plan_that_another_run_takes_meanwhile_deletes_nothing() -> None:
    work = work_with("one")
    [record] = work.archive.plans.values()
    work.archive.before(
        "claim_plan",
        lambda _: work.archive.plans.update(
            {key: replace(plan, state="applied") for key, plan in work.archive.plans.items()}
        ),
    )

    with pytest.raises(PlanRefusedError, match=f"Plan {record.plan_id} was used or superseded"):
        work.collected()

    assert deletes(work) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "superseded"}, "is superseded"),
        ({"policy_digest": "another"}, "was made under another policy"),
        ({"made_at": NOW - timedelta(days=2)}, "longer ago than"),
        ({"kind": "expiry"}, "There is no plan"),
    ],
)
def test_p2_a_plan_that_does_not_fit_is_refused(change: dict[str, object], words: str) -> None:
    work = work_with("one")
    [(key, record)] = work.archive.plans.items()
    work.archive.plans[key] = replace(record, **change)  # type: ignore[arg-type]

    with pytest.raises(PlanRefusedError, match=words):
        work.collected(plan_id=record.plan_id)

    assert deletes(work) == 0


def test_without_a_plan_of_its_run_nothing_is_deleted() -> None:
    work = AtWork()

    with pytest.raises(PlanRefusedError, match="There is no retention plan of run root-1"):
        work.collected()


def test_p1_a_refused_snapshot_plans_nothing() -> None:
    work = AtWork({**ALL, **NO_LOGS})
    work.run("one", log=None)
    work.archived()
    work.cluster.remove("Workflow", NAMESPACE, "one")
    work.next_run()

    with pytest.raises(PlanRefusedError, match="refused by the brake on falling counts"):
        work.planned()


# -- what earlier runs left open --------------------------------------------------------------------------


def test_p7_open_intents_of_a_dead_run_are_resolved_by_a_list() -> None:
    work = work_with("here", "gone", "held-by-a-finalizer")
    uids = {w.name: w.uid for w in work.cluster.workflows()}
    [record] = work.archive.plans.values()
    left = [
        Deletion(
            clustername="default",
            uid=uids[name],
            namespace=NAMESPACE,
            name=name,
            resource_version=1,
            rule="r",
            rank=1,
            reason="surplus",
            plan_id="earlier",
            run_id="dead",
            by_whom="tester",
            outcome=outcome,
        )
        for name, outcome in [
            ("here", "intended"),
            ("gone", "intended"),
            ("held-by-a-finalizer", "terminating"),
        ]
    ]
    work.archive.record_deletions(work.grant(), left)
    work.cluster.remove("Workflow", NAMESPACE, "gone")

    done = work.collected(plan_id=record.plan_id)

    resolved = {deletion.name: deletion.outcome for deletion in done.resolved}
    assert resolved == {
        "here": "refused: the run had no answer, or ended before the request; it is still there",
        "gone": "deleted",
    }


def test_p6_a_deletion_of_which_no_answer_came_stays_open_for_the_next_run() -> None:
    """It may have been carried out: the ledger must not say that it was refused."""
    work = work_with("one")
    error = DeletionUnknownError("the answer was lost\nthe next run finds out")
    work.cluster.fail("delete_workflow", error)

    done = work.collected()

    assert outcomes(done) == {"one": "unknown: the answer was lost"}
    assert [d.name for d in done.problems] == ["one"]
    assert ledger(work) == {"one": "intended"}

    work.cluster.remove("Workflow", NAMESPACE, "one")
    work.run("other", log=None)
    work.next_run()
    work.planned()

    assert [(d.name, d.outcome) for d in work.collected().resolved] == [("one", "deleted")]


def test_a_finalizer_holds_it_until_a_later_run_sees_it_gone() -> None:
    work = work_with("one", metadata={"finalizers": ["example.com/wait"]})

    assert outcomes(work.collected()) == {"one": "terminating"}
    assert ledger(work) == {"one": "terminating"}

    work.cluster.remove("Workflow", NAMESPACE, "one")
    work.run("other", log=None)
    work.next_run()
    work.planned()
    done = work.collected()

    assert [(d.name, d.outcome) for d in done.resolved] == [("one", "deleted")]
