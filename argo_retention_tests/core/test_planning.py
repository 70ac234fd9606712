"""Single decisions of the retention plan that the table of cases cannot say."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from argo_retention.core import labels
from argo_retention.core.planning import Plan, intersection, plan_retention, runs_needed, waves
from argo_retention.core.policy import Brakes, Keep, Match, Policy, Rule
from argo_retention.core.reasons import Reason, Verdict
from argo_retention.core.selectors import LabelSelector
from argo_retention_tests.core.factories import DAY, NOW, candidate, policy

REMOVE_ALL = policy(rules=(Rule(name="all", keep=Keep(last=0)),))


def reasons(candidates, policy_: Policy = REMOVE_ALL, **given) -> dict[str, Reason]:
    plan = plan_retention(candidates, policy=policy_, now=NOW, **given)
    return {d.name: d.reason for d in plan.decisions}


def sentence_of(candidate_, policy_: Policy = REMOVE_ALL, **given) -> str:
    (decision,) = plan_retention([candidate_], policy=policy_, now=NOW, **given).decisions
    return decision.sentence


def test_p2_nothing_in_gives_an_empty_plan() -> None:
    plan = plan_retention([], policy=REMOVE_ALL, now=NOW)

    assert plan == Plan(decisions=())
    assert plan.removals == ()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"proof": None},
            (
                "is not proven in the archive: no row is proven for it; if the archive step refused it, "
                "it says why"
            ),
        ),
        ({"row_exists": False}, "is not proven in the archive: its archive row is gone"),
        (
            {"proven_version": 99},
            "is not proven in the archive: proven at resourceVersion 99, now at 100",
        ),
        ({"annotations": {labels.HOLD: ""}}, "is held: annotation argo-retention.io/hold: "),
        ({"deleting": True}, "is being deleted already; finalizers hold it: none"),
        (
            {"deleting": True, "finalizers": ("a", "b")},
            "is being deleted already; finalizers hold it: a, b",
        ),
        ({"phase": ""}, "has not finished (phase unknown)"),
        ({"labels": {labels.COMPLETED: "false"}}, "has not finished (phase Succeeded)"),
        ({}, "is number 1 of its group, no condition of rule all keeps it"),
    ],
)
def test_p6_sentence(given, sentence) -> None:
    assert sentence_of(candidate(**given)) == sentence


@pytest.mark.parametrize(("count", "noun"), [(1, "1 log is"), (2, "2 logs are")])
def test_p6_sentence_of_unsettled_logs(count, noun) -> None:
    logs = replace(candidate().proof.logs, unsettled=count, first_reason="its pod answered 403")

    assert sentence_of(candidate(logs=logs)) == f"{noun} not settled: its pod answered 403"


def test_p2_a_held_namespace_holds_all_in_it() -> None:
    found = reasons([candidate()], holds={"ci": "audit"})

    assert found == {"build-1": Reason.HELD}


def test_p2_outside_argos_selector_nothing_goes() -> None:
    selective = replace(REMOVE_ALL, archive_selector=LabelSelector.parse("team=ml"))

    found = reasons([candidate(name="in", labels={"team": "ml"}), candidate(name="out")], selective)

    assert found == {"in": Reason.RULE, "out": Reason.NOT_SELECTED}


def test_p1_pending_in_argos_own_queue_goes_once_it_is_proven() -> None:
    pending = {labels.ARCHIVING_STATUS: "Pending"}

    assert reasons([candidate(labels=pending)]) == {"build-1": Reason.RULE}


@pytest.mark.parametrize(
    ("age", "since", "reason"),
    [
        (timedelta(minutes=10), timedelta(minutes=10), Reason.RULE),
        (timedelta(minutes=10), timedelta(minutes=9), Reason.PROOF_TOO_YOUNG),
        (timedelta(0), timedelta(0), Reason.RULE),
        # The database's clock is a little ahead of ours.
        (timedelta(0), timedelta(seconds=-1), Reason.RULE),
        (timedelta(seconds=1), timedelta(seconds=-1), Reason.PROOF_TOO_YOUNG),
    ],
)
def test_p1_proof_age(age, since, reason) -> None:
    found = reasons([candidate(proven_at=NOW - since)], replace(REMOVE_ALL, proof_age=age))

    assert found == {"build-1": reason}


def test_p2_a_workflow_whose_template_nobody_knows_takes_no_rank() -> None:
    """It may belong to the rule; counted by retentionPolicy it would push out one that does not."""
    rules = (Rule(name="t", match=Match(template="t"), keep=Keep(last=1)),)
    limited = policy(completed=1, rules=rules)
    unseen = candidate(name="unseen", age=timedelta(hours=1), proof=None)
    known = candidate(name="known")

    assert reasons([unseen, known], limited) == {
        "unseen": Reason.UNPROVEN,
        "known": Reason.WITHIN_COUNT,
    }
    assert reasons([unseen, known], policy(completed=1))["known"] is Reason.SURPLUS


def test_p2_the_template_of_a_proof_counts_like_that_of_a_label() -> None:
    rules = (Rule(name="t", group_by=("template",), keep=Keep(last=1)),)

    found = reasons(
        [
            candidate(name="a", template="t"),
            candidate(name="b", proven_template="t", age=2 * DAY),
            candidate(name="c", age=2 * DAY),
        ],
        policy(rules=rules),
    )

    assert found == {"a": Reason.KEPT_BY_RULE, "b": Reason.RULE, "c": Reason.KEPT_BY_RULE}


def test_p2_rules_of_one_name_do_not_mix() -> None:
    rules = (
        Rule(name="r", match=Match(namespaces=("ml",)), keep=Keep(last=0)),
        Rule(name="r", match=Match(namespaces=("ci",))),
    )

    found = reasons([candidate(), candidate(name="train", namespace="ml")], policy(rules=rules))

    assert found == {"build-1": Reason.KEPT_BY_RULE, "train": Reason.RULE}


@pytest.mark.parametrize("finished_at", [None, NOW + DAY])
@pytest.mark.parametrize("keep", [Keep(within=DAY), Keep(daily=0)])
def test_p2_a_rule_by_age_keeps_what_has_no_usable_age(keep, finished_at) -> None:
    by_age = policy(rules=(Rule(name="all", keep=keep),))

    text = sentence_of(candidate(finished_at=finished_at), by_age)

    assert text.startswith("rule all keeps it: no usable status.finishedAt (")


def test_p2_days_are_those_of_utc_whatever_the_zone_of_the_times() -> None:
    """23:30 and 00:30 in UTC are one evening in New York."""
    new_york = timezone(timedelta(hours=-4))
    midnight = NOW.replace(hour=0)
    before, after = (
        (midnight + timedelta(minutes=minutes)).astimezone(new_york) for minutes in (-30, 30)
    )

    found = reasons(
        [candidate(name="a", finished_at=before), candidate(name="b", finished_at=after)],
        policy(rules=(Rule(name="all", keep=Keep(daily=2)),)),
    )

    assert set(found.values()) == {Reason.KEPT_BY_RULE}


@pytest.mark.parametrize("seconds", [10**12, 10**15, -(10**15)])
def test_p2_a_ttl_strategy_beyond_all_calendars_keeps(seconds) -> None:
    found = reasons([candidate(ttl_seconds=seconds)], policy())

    assert found == {"build-1": Reason.WITHIN_TTL}


def test_p2_within_beyond_all_calendars_keeps() -> None:
    for_ever = policy(rules=(Rule(name="all", keep=Keep(within=timedelta(days=999_999))),))

    assert reasons([candidate(age=900 * DAY)], for_ever) == {"build-1": Reason.KEPT_BY_RULE}


def test_p2_the_share_is_counted_before_max_deletions_cuts() -> None:
    fleet = [candidate(name=f"w{n}") for n in range(50)]
    brakes = Brakes(max_deletions=1, max_share=0.9)

    plan = plan_retention(fleet, policy=replace(REMOVE_ALL, brakes=brakes), now=NOW)

    assert plan.refusal.startswith("50 of 50 finished workflows would be deleted")


@pytest.mark.parametrize(("limit", "runs"), [(10, 1), (4, 3), (0, 0)])
def test_p6_plan_tells_how_many_runs_a_backlog_takes(limit, runs) -> None:
    brakes = Brakes(max_deletions=limit, max_share=1.0)
    fleet = [candidate(name=f"w{n}") for n in range(10)]

    plan = plan_retention(fleet, policy=replace(REMOVE_ALL, brakes=brakes), now=NOW)

    assert len(plan.removals) == limit
    assert runs_needed(plan, brakes) == runs
    assert sum(d.is_refused for d in plan.decisions) == 10 - limit


def test_p7_an_owner_that_is_older_than_its_dependants_does_not_wait_for_ever() -> None:
    brakes = Brakes(max_deletions=1, max_share=1.0)
    family = [
        candidate(name="owner", age=9 * DAY),
        candidate(name="child", owners=("uid-ci-owner",)),
    ]

    plan = plan_retention(family, policy=replace(REMOVE_ALL, brakes=brakes), now=NOW)

    assert [d.name for d in plan.removals] == ["child"]


def test_p1_owners_in_a_ring_go_together_or_not_at_all() -> None:
    ring = [candidate(name="a", owners=("uid-ci-b",)), candidate(name="b", owners=("uid-ci-a",))]
    cut = replace(REMOVE_ALL, brakes=Brakes(max_deletions=1, max_share=1.0))

    whole = plan_retention(ring, policy=REMOVE_ALL, now=NOW)
    half = plan_retention(ring, policy=cut, now=NOW)

    assert [len(wave) for wave in waves(whole.removals)] == [2]
    assert half.removals == ()


def test_p1_an_owner_stays_when_its_dependant_changed_since_the_plan() -> None:
    """Both plans remove both, but the child in another version: the cascade would take it unplanned."""
    owner = candidate(name="owner")
    child = candidate(name="child", owners=("uid-ci-owner",))
    later = candidate(name="child", owners=("uid-ci-owner",), resource_version=101)

    before = plan_retention([owner, child], policy=REMOVE_ALL, now=NOW)
    after = plan_retention([owner, later], policy=REMOVE_ALL, now=NOW)

    assert [d.name for d in intersection(before, before)] == ["child", "owner"]
    assert intersection(before, after) == ()


def test_p7_the_digest_of_a_plan_tells_contents_apart() -> None:
    plan = plan_retention([candidate()], policy=REMOVE_ALL, now=NOW)
    other = plan_retention([candidate(resource_version=101)], policy=REMOVE_ALL, now=NOW)

    assert plan.digest != other.digest
    assert plan.decisions[0].verdict is Verdict.REMOVE


def test_p2_of_a_workflow_that_is_listed_twice_the_newer_version_counts() -> None:
    old, new = candidate(), candidate(resource_version=101, phase="Running")

    for listed in ([old, new], [new, old]):
        assert reasons(listed) == {"build-1": Reason.NOT_FINISHED}
