"""The expiry plan: which rows go with their logs, and what keeps them."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from argo_retention.core import labels
from argo_retention.core.durations import parse_ttl
from argo_retention.core.expiry_planning import (
    ExpiryDecision,
    ExpiryPlan,
    live_holds,
    plan_expiry,
    shortest_ttl,
)
from argo_retention.core.policy import Brakes, Match, Policy, Rule
from argo_retention.core.reasons import Reason, Verdict
from argo_retention_tests.core.factories import (
    DAY,
    NOW,
    live_workflow,
    policy,
    row_candidate,
    vanished_unit,
)

TTL = policy(archive_ttl=30 * DAY)
WHILE_LIVE = replace(TTL, expire_while_live=True)
UID = row_candidate().uid


def plan(rows, policy_: Policy = TTL, **overrides) -> ExpiryPlan:
    plain = {"live_versions": {}, "held_live": {}, "now": NOW, "total_rows": 0}
    return plan_expiry(rows, policy=policy_, **plain | overrides)


def only(rows, policy_: Policy = TTL, **overrides) -> ExpiryDecision:
    (decision,) = plan(rows, policy_, **overrides).decisions
    return decision


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, Reason.EXPIRED),
        ({"age": 30 * DAY}, Reason.EXPIRED),
        ({"age": 30 * DAY - timedelta(seconds=1)}, Reason.WITHIN_TTL),
        ({"finished_at": None}, Reason.NO_FINISH_TIME),
        ({"finished_at": NOW + DAY}, Reason.NO_FINISH_TIME),
        ({"hold": "audit"}, Reason.HELD),
        ({"archive_ttl": "200d"}, Reason.WITHIN_TTL),
        ({"archive_ttl": "1d"}, Reason.EXPIRED),  # only lengthens
        ({"archive_ttl": "0"}, Reason.NO_POLICY),  # for ever
        ({"archive_ttl": "-1d"}, Reason.NO_POLICY),
        ({"archive_ttl": "1h30m"}, Reason.HELD),  # cannot be read, so somebody meant to keep it
        ({"archive_ttl": "100000d", "finished_at": NOW}, Reason.WITHIN_TTL),
    ],
)
def test_p3_row(row, reason) -> None:
    decision = only([row_candidate(**row)])

    assert decision.reason is reason
    assert (decision.verdict is Verdict.REMOVE) == (reason is Reason.EXPIRED)
    assert decision.sentence
    assert "{" not in decision.sentence


@pytest.mark.parametrize("ttl", [None, timedelta(0), -DAY])
def test_p3_without_a_ttl_nothing_expires(ttl) -> None:
    assert only([row_candidate()], policy(archive_ttl=ttl)).reason is Reason.NO_POLICY


def test_p3_a_ttl_beyond_all_calendars_keeps() -> None:
    for_ever = policy(archive_ttl=timedelta(days=999_999_999))

    assert only([row_candidate()], for_ever).reason is Reason.WITHIN_TTL


@pytest.mark.parametrize(
    ("ttl", "reason", "rule"),
    [
        (7 * DAY, Reason.EXPIRED, "ci"),
        (200 * DAY, Reason.WITHIN_TTL, "ci"),
        (timedelta(0), Reason.NO_POLICY, "ci"),
        (None, Reason.EXPIRED, "archiveTTL"),
    ],
)
def test_p3_the_ttl_of_the_first_matching_rule_counts(ttl, reason, rule) -> None:
    rules = (
        Rule(name="ci", match=Match(namespaces=("ci",)), archive_ttl=ttl),
        Rule(name="all", archive_ttl=DAY),
    )

    decision = only([row_candidate()], replace(TTL, rules=rules))

    assert (decision.reason, decision.rule) == (reason, rule)


def test_p3_a_held_namespace_holds_rows_and_vanished_ones() -> None:
    found = plan([row_candidate()], vanished=[vanished_unit()], holds={"ci": "audit"})

    assert [d.reason for d in found.decisions] == [Reason.HELD, Reason.HELD]


def test_p3_a_live_workflow_keeps_its_row() -> None:
    decision = only([row_candidate()], live_versions={UID: 7})

    assert decision.reason is Reason.LIVE
    assert decision.live_version is None


def test_p3_while_live_expire_does_as_argo_and_remembers_the_version() -> None:
    decision = only([row_candidate()], WHILE_LIVE, live_versions={UID: 7})

    assert decision.reason is Reason.EXPIRED_WHILE_LIVE
    assert decision.verdict is Verdict.REMOVE
    assert decision.live_version == 7


@pytest.mark.parametrize("changed", [{"annotations": {labels.HOLD: "audit"}}, {"phase": "Running"}])
def test_p3_while_live_expire_spares_what_was_held_or_retried_since_it_was_archived(
    changed,
) -> None:
    live = live_workflow(**changed)

    decision = only(
        [row_candidate()],
        WHILE_LIVE,
        live_versions={live.uid: live.resource_version},
        held_live=live_holds([live]),
    )

    assert decision.reason is Reason.HELD


def test_p3_a_finished_live_workflow_without_a_hold_holds_nothing() -> None:
    assert live_holds([live_workflow()]) == {}


@pytest.mark.parametrize(
    ("unit", "given", "reason"),
    [
        ({}, {}, Reason.ROW_VANISHED),
        ({"age": 7 * DAY}, {}, Reason.ROW_VANISHED),
        ({"age": 7 * DAY - timedelta(seconds=1)}, {}, Reason.GRACE),
        ({"at": None}, {}, Reason.GRACE),
        ({"age": -DAY}, {}, Reason.GRACE),
        ({}, {"live_versions": {"uid-ci-gone-1": 7}}, Reason.LIVE),
    ],
)
def test_p3_logs_of_a_vanished_row_go_after_their_grace(unit, given, reason) -> None:
    decision = only([], vanished=[vanished_unit(**unit)], **given)

    assert decision.reason is reason
    assert (decision.verdict is Verdict.REMOVE) == (reason is Reason.ROW_VANISHED)


def test_p6_the_grace_is_told_as_it_is_set() -> None:
    decision = only([], replace(TTL, vanished_grace=3 * DAY), vanished=[vanished_unit(at=None)])

    assert decision.sentence.endswith("; 3d of grace")


def test_p3_a_row_that_stands_there_again_has_not_vanished() -> None:
    found = plan([row_candidate(age=DAY)], vanished=[vanished_unit(uid=UID)])

    assert [d.reason for d in found.decisions] == [Reason.WITHIN_TTL]


@pytest.mark.parametrize(
    ("rows", "gone", "total", "refused"),
    [
        (46, 0, 50, True),
        (45, 0, 50, False),
        (49, 0, 49, False),  # too few to speak of a share
        (0, 60, 0, True),  # somebody emptied the table
        (0, 60, 1000, False),
    ],
)
def test_p2_too_large_a_share_is_refused(rows, gone, total, refused) -> None:
    braked = replace(TTL, brakes=Brakes(max_share=0.9))

    found = plan(
        [row_candidate(name=f"w{n}") for n in range(rows)],
        braked,
        vanished=[vanished_unit(name=f"g{n}") for n in range(gone)],
        total_rows=total,
    )

    assert bool(found.refusal) is refused
    assert len(found.removals) == rows + gone


@pytest.mark.parametrize(
    ("ttls", "shortest"),
    [
        ((None, None), None),
        ((timedelta(0), timedelta(0)), None),
        ((30 * DAY, None), 30 * DAY),
        ((30 * DAY, 7 * DAY), 7 * DAY),
        ((None, 7 * DAY), 7 * DAY),
        ((30 * DAY, timedelta(0)), 30 * DAY),
    ],
)
def test_shortest_ttl(ttls, shortest) -> None:
    mixed = policy(archive_ttl=ttls[0], rules=(Rule(name="r", archive_ttl=ttls[1]),))

    assert shortest_ttl(mixed) == shortest


TTLS = st.sampled_from([None, timedelta(0), DAY, 30 * DAY, 400 * DAY])
ROWS = st.builds(
    row_candidate,
    uid=st.sampled_from([f"u{n}" for n in range(12)]),
    namespace=st.sampled_from(["ci", "ml"]),
    finished_at=st.one_of(st.none(), st.integers(-2, 500).map(lambda days: NOW - days * DAY)),
    hold=st.sampled_from(["", "", "", "audit"]),
    archive_ttl=st.sampled_from(["", "", "0", "2d", "300d", "-3d", "rubbish", "1.5h"]),
)
POLICIES = st.builds(
    lambda ttl, own, live: policy(
        archive_ttl=ttl,
        rules=(Rule(name="ml", match=Match(namespaces=("ml",)), archive_ttl=own),),
        expire_while_live=live,
    ),
    TTLS,
    TTLS,
    st.booleans(),
)
UNITS = st.builds(
    vanished_unit,
    uid=st.sampled_from([f"u{n}" for n in range(12)]),
    at=st.one_of(st.none(), st.integers(-2, 20).map(lambda days: NOW - days * DAY)),
)
LIVE = st.dictionaries(st.sampled_from([f"u{n}" for n in range(12)]), st.integers(1, 9))


@given(
    st.lists(ROWS, unique_by=lambda r: r.uid),
    st.lists(UNITS, unique_by=lambda u: u.uid),
    POLICIES,
    LIVE,
    st.dictionaries(st.sampled_from([f"u{n}" for n in range(12)]), st.just("audit")),
    st.randoms(),
)
def test_p3_for_any_archive_what_expires_is_past_its_ttl_not_live_and_not_held(
    rows, units, policy_, live, held_live, random
) -> None:
    given_ = {"vanished": units, "live_versions": live, "held_live": held_live}
    found = plan(rows, policy_, **given_)

    by_uid = {row.uid: row for row in rows}
    vanished = {unit.uid for unit in units} - set(by_uid)
    assert Counter(d.uid for d in found.decisions) == Counter([*by_uid, *vanished])
    for decision in found.removals:
        row = by_uid.get(decision.uid)
        assert decision.uid not in live or (policy_.expire_while_live and row is not None)
        if row is None:
            continue
        ttl = policy_.archive_ttl
        own = policy_.rules[0].archive_ttl
        if row.namespace == "ml" and own is not None:
            ttl = own
        assert ttl
        assert row.finished_at is not None
        assert row.finished_at + ttl <= NOW
        assert not row.hold
        assert row.uid not in held_live
        if row.archive_ttl:
            assert parse_ttl(row.archive_ttl) > timedelta(0)
            assert row.finished_at + parse_ttl(row.archive_ttl) <= NOW

    random.shuffle(rows)
    random.shuffle(units)
    assert plan(rows, policy_, **given_) == found
    assert plan(rows, policy_, **given_).digest == found.digest


@given(ROWS, POLICIES, LIVE, st.sampled_from(["0", "1d", "300d", "rubbish"]))
def test_p3_an_annotation_only_lengthens(row, policy_, live, text) -> None:
    plain = only([structs.replace(row, archive_ttl="")], policy_, live_versions=live)
    annotated = only([structs.replace(row, archive_ttl=text)], policy_, live_versions=live)

    assert plain.verdict is Verdict.REMOVE or annotated.verdict is Verdict.KEEP


def test_p7_the_digest_of_an_expiry_plan_tells_contents_apart() -> None:
    one, other = plan([row_candidate()]), plan([row_candidate(digest="e" * 32)])

    assert one.digest != other.digest
