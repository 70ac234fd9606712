"""A plan as people look at it."""

from collections import Counter
from datetime import timedelta

from argo_retention.operations.plan_figures import (
    AGES,
    by_age,
    by_rule_and_namespace,
    difference,
    last_plan,
)
from argo_retention.operations.previewing import Effect
from argo_retention_tests.core.factories import NOW
from argo_retention_tests.operations.at_work import NAMESPACE, AtWork

KEEP_ONE = {"argo": {"retentionPolicy": {"completed": 1}}}


def work_with(*names: str) -> AtWork:
    work = AtWork(KEEP_ONE)
    for number, name in enumerate(names):
        work.run(name, age=timedelta(hours=len(names) - number))
    return work


def test_groups_are_by_rule_and_namespace_those_that_lose_most_first() -> None:
    work = work_with("a", "b", "c")
    work.cluster.add_workflow("running", namespace="other", phase=None)

    groups = by_rule_and_namespace(work.planned().plan.decisions)

    assert [(g.rule, g.namespace, g.effects) for g in groups] == [
        ("retentionPolicy", NAMESPACE, Counter({Effect.DELETE: 2, Effect.KEEP: 1})),
        ("", "other", Counter({Effect.LEAVE: 1})),
    ]


def test_each_finished_workflow_has_its_age() -> None:
    work = AtWork(KEEP_ONE)
    for days in (0, 2, 5, 5, 100):
        work.run(f"w{days}-{len(work.names())}", age=timedelta(days=days))
    work.cluster.add_workflow("running", phase=None)

    ages = by_age(work.planned().plan.decisions, now=NOW)

    assert [label for label, _ in ages] == [label for label, _ in AGES]
    assert {label: effects.total() for label, effects in ages if effects} == {
        "under 1 h": 1,
        "1 to 3 d": 1,
        "3 to 7 d": 2,
        "over 30 d": 1,
    }


def test_p6_what_is_new_since_the_plan_before() -> None:
    work = work_with("a", "b")
    assert last_plan(work.site) is None
    first = work.planned()
    before = last_plan(work.site)
    assert before is not None
    assert difference(work.site, first.plan, None).why_none == "this is the first plan"
    work.next_run()
    work.run("c", age=timedelta(minutes=1))

    second = work.planned()
    diff = difference(work.site, second.plan, before)

    assert diff.plan_id == first.record.plan_id
    assert (list(diff.more), diff.more_count) == ([f"{NAMESPACE}/b"], 1)
    assert (list(diff.less), diff.less_count) == ([], 0)


def test_p6_what_is_no_longer_removed_is_named() -> None:
    work = work_with("a", "b")
    work.planned()
    before = last_plan(work.site)
    work.next_run()
    work.cluster.remove("Workflow", NAMESPACE, "b")

    diff = difference(work.site, work.planned().plan, before)

    assert (list(diff.less), diff.less_count) == ([f"{NAMESPACE}/a"], 1)


def test_a_plan_whose_file_is_gone_is_not_compared() -> None:
    work = work_with("a", "b")
    made = work.planned()
    before = last_plan(work.site)
    work.site.tables.remove(made.record.path)

    assert "cannot be read" in difference(work.site, made.plan, before).why_none
