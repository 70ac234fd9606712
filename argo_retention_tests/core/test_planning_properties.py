"""Promises of the retention plan, for any cluster and any policy."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core.opinions import Candidate
from argo_retention.core.planning import Plan, intersection, plan_retention, waves
from argo_retention.core.policy import Brakes, Keep, Match, Policy, RetentionPolicy, Rule
from argo_retention.core.reasons import Reason, Verdict
from argo_retention_tests.core.factories import NOW
from argo_retention_tests.core.strategies import clusters, keeps, policies

HELD = st.sampled_from([{}, {"ml": "audit"}])
FIELDS = ("last", "within", "hourly", "daily", "weekly", "monthly", "yearly")


def removed(cluster: list[Candidate], policy: Policy) -> set[str]:
    return {d.uid for d in plan_retention(cluster, policy=policy, now=NOW).removals}


@given(clusters(), policies(), HELD, st.randoms())
def test_p2_order_of_input_has_no_influence(cluster, policy, held, random) -> None:
    plan = plan_retention(cluster, policy=policy, now=NOW, holds=held)
    random.shuffle(cluster)

    again = plan_retention(cluster, policy=policy, now=NOW, holds=held)

    assert again == plan
    assert again.removals == plan.removals
    assert again.digest == plan.digest


@given(clusters(), policies(), st.data())
def test_p2_a_workflow_that_is_listed_twice_takes_no_second_rank(cluster, policy, data) -> None:
    twice = data.draw(st.lists(st.sampled_from(cluster), max_size=3)) if cluster else []

    plan = plan_retention([*twice, *cluster], policy=policy, now=NOW)

    assert plan == plan_retention(cluster, policy=policy, now=NOW)


@given(clusters(), policies())
def test_p6_each_workflow_has_exactly_one_decision_with_a_reason_to_read(cluster, policy) -> None:
    plan = plan_retention(cluster, policy=policy, now=NOW)

    assert Counter(d.uid for d in plan.decisions) == Counter(c.workflow.uid for c in cluster)
    assert all(d.sentence and "{" not in d.sentence for d in plan.decisions)


@given(clusters(), policies(), HELD)
def test_p1_what_goes_is_finished_not_held_and_proven_with_settled_logs(
    cluster, policy, held
) -> None:
    by_uid = {c.workflow.uid: c for c in cluster}

    plan = plan_retention(cluster, policy=policy, now=NOW, holds=held)

    for decision in plan.removals:
        candidate = by_uid[decision.uid]
        workflow, proof = candidate.workflow, candidate.proof
        assert workflow.is_finished
        assert not workflow.deleting
        assert not workflow.annotations
        assert workflow.namespace not in held
        assert proof is not None
        assert proof.resource_version == workflow.resource_version == decision.resource_version
        assert proof.row_exists
        assert proof.logs.is_settled
        assert not proof.facts.artifact_gc_deletes_logs
        assert proof.proven_at <= NOW - policy.proof_age
        selector = policy.archive_selector
        assert selector is None or selector.matches(workflow.labels)


@given(clusters(), policies())
def test_p2_no_policy_removes_nothing_but_what_its_own_ttl_strategy_says(cluster, policy) -> None:
    unset = replace(policy, retention_policy=RetentionPolicy(), rules=())

    plan = plan_retention(cluster, policy=unset, now=NOW)

    assert {d.reason for d in plan.removals} <= {Reason.TTL}
    keep_all = replace(policy, rules=(Rule(name="all"),))
    assert removed(cluster, keep_all) == set()


@given(clusters(), policies(), st.sampled_from(["succeeded", "failed", "errored"]), st.booleans())
def test_p2_a_larger_or_unset_limit_never_keeps_less(cluster, policy, phase, unset) -> None:
    limit = getattr(policy.retention_policy, phase)
    more = None if unset or limit is None else limit + 1
    limits = replace(policy.retention_policy, **{phase: more})

    assert removed(cluster, replace(policy, retention_policy=limits)) <= removed(cluster, policy)


@given(clusters(), policies(), st.sampled_from(FIELDS), keeps())
def test_p2_another_or_a_larger_keep_condition_never_keeps_less(
    cluster, policy, word, others
) -> None:
    def grown(keep: Keep | None) -> Keep | None:
        if keep is None or keep.is_empty:
            return keep  # keeps everything already; a first condition is what makes a rule remove
        old = getattr(keep, word)
        if old is None:
            new = getattr(others, word)
        else:
            new = old + timedelta(hours=1) if isinstance(old, timedelta) else old + 1
        return replace(keep, **{word: new})

    more = replace(policy, rules=tuple(replace(r, keep=grown(r.keep)) for r in policy.rules))

    assert removed(cluster, more) <= removed(cluster, policy)


@given(clusters(), policies(), st.sampled_from(["ml", "ci", "*"]), st.integers(0, 3))
def test_p2_another_rule_that_keeps_never_keeps_less(cluster, policy, namespace, at) -> None:
    keeping = Rule(name="keep", match=Match(namespaces=(namespace,)))
    more = replace(policy, rules=(*policy.rules[:at], keeping, *policy.rules[at:]))

    assert removed(cluster, more) <= removed(cluster, policy)


@given(clusters(), policies(), st.integers(0, 6))
def test_p1_an_owner_never_goes_while_a_dependant_stays(cluster, policy, limit) -> None:
    """Also where max_deletions cuts: background deletion would take the dependant along."""
    cut = replace(policy, brakes=Brakes(max_deletions=limit, max_share=1.0))

    plan = plan_retention(cluster, policy=cut, now=NOW)

    going = {d.uid for d in plan.removals}
    for candidate in cluster:
        if candidate.workflow.uid not in going:
            assert not going & {owner.uid for owner in candidate.workflow.owners}
    assert len(going) <= limit


@given(clusters(), policies())
def test_p1_dependants_are_deleted_before_their_owners(cluster, policy) -> None:
    plan = plan_retention(cluster, policy=policy, now=NOW)

    place = {d.uid: n for n, wave in enumerate(waves(plan.removals)) for d in wave}

    assert len(place) == len(plan.removals)
    last = max(place.values(), default=0)
    for decision in plan.removals:
        for owner in set(decision.owners) & set(place) - {decision.uid}:
            ring = place[owner] == place[decision.uid] == last
            assert ring or place[decision.uid] < place[owner]


@given(clusters(), policies(), st.integers(1, 6))
def test_p2_max_deletions_only_delays(cluster, policy, limit) -> None:
    """Run after run the whole plan is carried out, in as many runs as were foretold or fewer."""
    whole = removed(cluster, policy)
    cut = replace(policy, brakes=Brakes(max_deletions=limit, max_share=1.0))
    left, gone = list(cluster), set()

    while going := removed(left, cut):
        assert len(going) <= limit
        gone |= going
        left = [c for c in left if c.workflow.uid not in going]

    # A ring of owners larger than a whole run is kept; Argo makes none.
    assert gone <= whole
    assert gone == whole or any(
        c.workflow.owners for c in cluster if c.workflow.uid in whole - gone
    )


@given(clusters(), policies(), st.floats(0, 1))
def test_p2_a_plan_that_removes_too_large_a_share_is_refused(cluster, policy, share) -> None:
    fleet = [
        replace(
            c,
            workflow=replace(c.workflow, uid=f"{c.workflow.uid}-{n}"),
            proof=replace(c.proof, uid=f"{c.workflow.uid}-{n}") if c.proof else None,
        )
        for n in range(12)
        for c in cluster
    ]
    braked = replace(policy, brakes=Brakes(max_deletions=1, max_share=share))

    plan = plan_retention(fleet, policy=braked, now=NOW)

    finished = sum(1 for d in plan.decisions if d.verdict is not Verdict.INELIGIBLE)
    too_many = len(removed(fleet, policy)) > share * finished
    assert bool(plan.refusal) == (finished >= 50 and too_many)


@given(clusters(), policies())
def test_p2_nothing_is_common_with_a_refused_plan(cluster, policy) -> None:
    plan = plan_retention(cluster, policy=policy, now=NOW)
    refused = Plan(decisions=plan.decisions, refusal="too many")

    assert intersection(plan, plan) == plan.removals
    assert intersection(refused, plan) == ()
    assert intersection(plan, refused) == ()
