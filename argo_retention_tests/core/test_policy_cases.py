"""The table testdata/policy_cases.yaml, run: what people write and read, from retention.yaml to the verdict."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from argo_retention.core.argo_settings import ArgoSettings
from argo_retention.core.effective_policy import policy_of
from argo_retention.core.planning import plan_retention
from argo_retention.core.settings import ClusterSettings
from argo_retention_tests.core.factories import NOW, read_workflow

FILE = Path(__file__).parents[1] / "testdata" / "policy_cases.yaml"
CASES = yaml.safe_load(FILE.read_text())
VERDICTS = {"kept": "keep", "removed": "remove", "ineligible": "ineligible"}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_p2_policy_case(case: dict[str, Any]) -> None:
    settings = ClusterSettings.model_validate(case["policy"])
    policy = policy_of(settings, ArgoSettings(source="nothing"))

    plan = plan_retention(map(read_workflow, case["workflows"]), policy=policy, now=NOW)

    decisions = {f"{d.namespace}/{d.name}": d for d in plan.decisions}
    for line, expected in case["workflows"].items():
        decision = decisions[line.split()[0]]
        verdict, reason = expected.split()
        found = (decision.verdict, decision.reason)
        assert found == (VERDICTS[verdict], reason), f"{line}: {decision.sentence}"


def test_the_table_has_twenty_cases() -> None:
    assert len(CASES) >= 20
