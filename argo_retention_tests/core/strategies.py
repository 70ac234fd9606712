"""Hypothesis strategies for clusters and policies: small, so that ties, groups and limits really meet."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from argo_retention.core import labels
from argo_retention.core.logs import LogSummary
from argo_retention.core.opinions import Candidate
from argo_retention.core.policy import Brakes, Keep, Match, Policy, RetentionPolicy, Rule
from argo_retention.core.selectors import LabelSelector
from argo_retention_tests.core.factories import DAY, NOW, candidate

PHASES = ("Succeeded", "Failed", "Error")
AGES = st.sampled_from(
    [timedelta(0), timedelta(hours=1), DAY, 2 * DAY, 8 * DAY, 40 * DAY, 400 * DAY]
)
COUNTS = st.integers(0, 4)
HOLD = {labels.HOLD: "audit"}


@st.composite
def candidates(draw: st.DrawFn, number: int) -> Candidate:
    """One workflow in any state; its owner, if any, is one of the first five."""
    plain = candidate(
        uid=f"u{number}",
        name=draw(st.sampled_from(["a", "b", f"w{number}"])),
        namespace=draw(st.sampled_from(["ci", "ml"])),
        phase=draw(st.sampled_from([*PHASES, *PHASES, "Running", ""])),
        age=draw(AGES),
        resource_version=draw(st.integers(1, 3)),
        deleting=draw(st.sampled_from([False] * 7 + [True])),
        labels=draw(st.sampled_from([{}, {"team": "x"}, {"team": "y"}])),
        annotations=draw(st.sampled_from([{}] * 7 + [HOLD])),
        owners=draw(st.sampled_from([()] * 4 + [(f"u{number % 5}",), ("u1", "u2")])),
        finished_at=draw(st.one_of(st.none(), AGES.map(lambda age: NOW - age), st.just(NOW + DAY))),
        ttl_seconds=draw(st.sampled_from([None, None, 0, 86_400, 10**15])),
        proven_template=draw(st.sampled_from(["", "t"])),
        artifact_gc_deletes_logs=draw(st.sampled_from([False] * 7 + [True])),
        proven_at=NOW - draw(AGES),
        row_exists=draw(st.sampled_from([True] * 7 + [False])),
        logs=LogSummary(unsettled=draw(st.sampled_from([0] * 7 + [1])), lost=draw(COUNTS)),
    )
    proof = plain.proof
    known = draw(st.sampled_from(["this", "this", "this", "older", "none"]))
    if known == "none" or proof is None:
        return replace(plain, proof=None)
    older = {"resource_version": proof.resource_version - 1} if known == "older" else {}
    return replace(plain, proof=replace(proof, **older))


@st.composite
def clusters(draw: st.DrawFn) -> list[Candidate]:
    """Up to twelve workflows, each uid once."""
    size = draw(st.integers(0, 12))
    return [draw(candidates(number)) for number in range(size)]


def keeps() -> st.SearchStrategy[Keep]:
    """Conditions of a rule, none of them, or some."""
    count = st.one_of(st.none(), COUNTS)
    within = st.one_of(st.none(), AGES, st.just(timedelta(days=999_999)))
    return st.builds(
        Keep, last=count, within=within, hourly=count, daily=count, weekly=count, yearly=count
    )


def rules() -> st.SearchStrategy[tuple[Rule, ...]]:
    """Up to three rules that overlap."""
    match = st.builds(
        Match,
        namespaces=st.sampled_from([(), ("c*",), ("ml", "web")]),
        selector=st.sampled_from(
            [None, LabelSelector.parse("team=x"), LabelSelector.parse("team")]
        ),
        phases=st.sampled_from([(), ("Failed",), ("Succeeded", "Error")]),
        template=st.sampled_from([None, None, "t"]),
    )
    words = st.sampled_from(["namespace", "template", "phase", "label:team"])
    rule = st.builds(
        Rule,
        name=st.sampled_from(["r", "s"]),  # equal names must not mix two rules up
        match=match,
        group_by=st.lists(words, max_size=2, unique=True).map(tuple),
        keep=st.one_of(st.none(), keeps()),
    )
    return st.lists(rule, max_size=3).map(tuple)


def policies() -> st.SearchStrategy[Policy]:
    """A policy with brakes that never hold."""
    count = st.one_of(st.none(), COUNTS)
    return st.builds(
        Policy,
        retention_policy=st.builds(RetentionPolicy, succeeded=count, failed=count, errored=count),
        rules=rules(),
        brakes=st.just(Brakes(max_deletions=1_000_000, max_share=1.0)),
        proof_age=st.sampled_from([timedelta(0), timedelta(minutes=10)]),
        archive_selector=st.sampled_from([None, None, LabelSelector.parse("team!=y")]),
    )
