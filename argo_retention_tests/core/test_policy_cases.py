"""The table testdata/policy_cases.yaml, run: what people write and read, from retention.yaml to the verdict."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from argo_retention.core import labels
from argo_retention.core.argo_settings import ArgoSettings
from argo_retention.core.durations import parse_ttl
from argo_retention.core.effective_policy import policy_of
from argo_retention.core.logs import LogSummary
from argo_retention.core.opinions import Candidate
from argo_retention.core.planning import plan_retention
from argo_retention.core.settings import ClusterSettings
from argo_retention_tests.core.factories import DAY, NOW, candidate

FILE = Path(__file__).parents[1] / "testdata" / "policy_cases.yaml"
CASES = yaml.safe_load(FILE.read_text())
VERDICTS = {"kept": "keep", "removed": "remove", "ineligible": "ineligible"}
WORDS: dict[str, dict[str, Any]] = {
    "held": {"annotations": {labels.HOLD: "wanted for the audit"}},
    "unproven": {"proof": None},
    "unsettled": {"logs": LogSummary(unsettled=1, first_reason="its log answered 403")},
    "young": {"proven_at": NOW - timedelta(seconds=1)},
    "artifact-gc": {"artifact_gc_deletes_logs": True},
    "deleting": {"deleting": True},
}


def read_workflow(line: str) -> Candidate:
    path, phase, age, *words = line.split()
    namespace, name = path.split("/")
    given: dict[str, Any] = {"namespace": namespace, "name": name, "phase": phase}
    given |= {"age": parse_ttl(age), "labels": {}}
    for word in words:
        key, _, value = word.partition("=")
        if word in WORDS:
            given |= WORDS[word]
        elif key == "ttl":
            given["ttl_seconds"] = int(parse_ttl(value).total_seconds())
        elif key == "template":
            given["template"] = value
        elif key == "owner":
            given["owners"] = (f"uid-{value.replace('/', '-')}",)
        elif key == "finished":
            known = {"absent": None, "tomorrow": NOW + DAY}
            given["finished_at"] = known[value] if value in known else NOW - parse_ttl(value)
        else:
            given["labels"][key] = value
    return candidate(**given)


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
