"""Plans as they are kept, and the second fence behind them."""

from collections import Counter

from argo_retention.operations.expiry_plans import expiry_reasons
from argo_retention.operations.planning import reasons_of, refused, unproven_removals
from argo_retention_tests.operations.at_work import DAY, NAMESPACE, NOW, AtWork

KEEP_ONE = {
    "argo": {"retentionPolicy": {"completed": 1}, "archiveTTL": "30d"},
    "logs": {"save": "none"},
}


def planned() -> AtWork:
    work = AtWork(KEEP_ONE)
    for number in range(3):
        work.run(f"run-{number}", log=None, age=DAY * (number + 1))
    return work


def test_reasons_are_counted_and_refusals_named() -> None:
    work = planned()
    work.run(
        "held", log=None, age=DAY * 9, metadata={"annotations": {"argo-retention.io/hold": "x"}}
    )

    plan = work.planned().plan

    assert reasons_of(plan.decisions) == Counter(surplus=2, within_count=1, held=1)
    assert [decision.name for decision in refused(plan.decisions)] == ["held"]


def test_reasons_of_expiry_are_counted() -> None:
    work = planned()
    work.archived()
    work.next_run()

    work.at(NOW + 28 * DAY)
    plan = work.expiry_planned().plan

    # Finished 1, 2 and 3 days before, so 29, 30 and 31 days ago; all are in the cluster.
    assert expiry_reasons(plan.decisions) == Counter(within_ttl=1, live=2)


def test_p1_the_second_fence_finds_what_lost_its_proof_since_the_plan() -> None:
    work = planned()
    plan = work.planned().plan
    assert unproven_removals(work.site, plan) == []

    gone = next(iter(plan.removals))
    del work.archive.argo_rows["default", gone.uid]

    assert unproven_removals(work.site, plan) == [f"{NAMESPACE}/{gone.name}"]
