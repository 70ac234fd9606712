"""Each thing that forbids deletion, alone: policy would remove the workflow, and it stays for this reason."""

from datetime import timedelta

import pytest

from argo_retention.core import labels
from argo_retention.core.logs import LogSummary
from argo_retention.core.planning import plan_retention
from argo_retention.core.policy import Keep, Policy, Rule
from argo_retention.core.reasons import Reason, Verdict
from argo_retention_tests.core.factories import NOW, candidate

REMOVE_ALL = Policy(rules=(Rule(name="all", keep=Keep(last=0)),), proof_age=timedelta(minutes=10))
OLD_PROOF = NOW - timedelta(hours=1)


def test_p1_without_any_of_these_it_goes() -> None:
    plan = plan_retention([candidate(proven_at=OLD_PROOF)], policy=REMOVE_ALL, now=NOW)

    assert [d.verdict for d in plan.decisions] == [Verdict.REMOVE]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        pytest.param({"row_exists": False}, Reason.UNPROVEN, id="its row is gone"),
        pytest.param({"proven_version": 99}, Reason.UNPROVEN, id="proven in another version"),
        pytest.param(
            {"logs": LogSummary(unsettled=1, first_reason="403")},
            Reason.UNSETTLED_LOGS,
            id="a log is not settled",
        ),
        pytest.param({"artifact_gc_deletes_logs": True}, Reason.ARTIFACT_GC, id="artifact GC"),
        pytest.param(
            {"proven_at": NOW - timedelta(minutes=9)}, Reason.PROOF_TOO_YOUNG, id="fresh proof"
        ),
        pytest.param({"annotations": {labels.HOLD: "audit"}}, Reason.HELD, id="held"),
    ],
)
def test_p1_each_of_these_alone_keeps_it(state, reason: Reason) -> None:
    one = candidate(**{"proven_at": OLD_PROOF, **state})

    (decision,) = plan_retention([one], policy=REMOVE_ALL, now=NOW).decisions

    assert (decision.verdict, decision.reason) == (Verdict.KEEP, reason)
    assert decision.is_refused
