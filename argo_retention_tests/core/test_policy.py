"""Policy as values: what a match means, when a keep is empty, what the digest tells apart."""

from dataclasses import replace
from datetime import timedelta

import pytest

from argo_retention.core import labels
from argo_retention.core.logs import LogState, LogSummary
from argo_retention.core.policy import Keep, Match, Policy, RetentionPolicy, Rule
from argo_retention.core.selectors import LabelSelector
from argo_retention_tests.core.factories import candidate, live_workflow, policy


@pytest.mark.parametrize(
    "word", ["last", "within", "hourly", "daily", "weekly", "monthly", "yearly"]
)
def test_p2_zero_is_a_condition_and_none_is_not(word) -> None:
    zero = timedelta(0) if word == "within" else 0

    assert Keep().is_empty
    assert not Keep(**{word: zero}).is_empty


def test_p2_a_phase_that_no_limit_names_is_kept_whole() -> None:
    limits = RetentionPolicy(succeeded=1)

    assert [limits.limit(phase) for phase in ("Succeeded", "Failed", "Error", "Running")] == [
        1,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        (Match(), True),
        (Match(namespaces=("web", "c?")), True),
        (Match(namespaces=("C*",)), False),
        (Match(phases=("Failed",)), False),
        (Match(template="bu*"), True),
        (Match(template="build-all"), False),
        (Match(selector=LabelSelector.parse("team=ml")), True),
        (Match(selector=LabelSelector.parse("team!=ml")), False),
    ],
)
def test_match(match, matches) -> None:
    found = match.matches(
        namespace="ci", labels={"team": "ml"}, phase="Succeeded", template="build"
    )

    assert found is matches


def test_p7_another_policy_has_another_digest() -> None:
    plain = policy()
    others = [
        policy(completed=1),
        policy(completed=0),
        policy(rules=(Rule(name="r"),)),
        policy(rules=(Rule(name="r", keep=Keep()),)),
        replace(plain, archive_selector=LabelSelector.parse("a=b")),
        Policy(),
    ]

    assert plain.digest == policy().digest
    assert len({p.digest for p in [plain, *others]}) == len(others) + 1


@pytest.mark.parametrize(
    ("phase", "completed", "finished"),
    [
        ("Succeeded", "true", True),
        ("Succeeded", "false", False),
        ("Running", "true", False),
        ("", "true", False),
    ],
)
def test_p1_finished_needs_label_and_phase(phase, completed, finished) -> None:
    workflow = live_workflow(phase=phase, labels={labels.COMPLETED: completed})

    assert workflow.is_finished is finished


def test_a_retried_workflow_is_not_finished() -> None:
    assert not live_workflow(phase="Running").is_finished


@pytest.mark.parametrize(
    ("given", "template"),
    [
        ({}, ""),
        ({labels.CRON_WORKFLOW: "nightly"}, "nightly"),
        ({labels.CRON_WORKFLOW: "nightly", labels.WORKFLOW_TEMPLATE: "build"}, "build"),
        ({labels.CLUSTER_WORKFLOW_TEMPLATE: "shared"}, "shared"),
    ],
)
def test_template_of_a_live_workflow(given, template) -> None:
    assert live_workflow(labels=given).template == template


def test_words_for_people() -> None:
    workflow = live_workflow(labels={labels.ARCHIVING_STATUS: "Archived"})

    assert workflow.path == "ci/build-1"
    assert workflow.archiving_status == "Archived"
    assert candidate().phase == "Succeeded"


def test_p1_only_stored_not_wanted_and_lost_are_settled() -> None:
    settled = {state for state in LogState if state.is_settled}

    assert settled == {LogState.STORED, LogState.NOT_WANTED, LogState.LOST}
    assert LogSummary(stored=1, not_wanted=1, lost=1).is_settled
    assert not LogSummary(stored=9, unsettled=1).is_settled
