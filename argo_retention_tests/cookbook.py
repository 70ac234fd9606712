"""Runs the recipes of testdata/cookbook.yaml and writes docs/policy-cookbook.md: what each policy keeps, and why."""

from pathlib import Path
from typing import Any

import yaml

from argo_retention.core.argo_settings import ArgoSettings
from argo_retention.core.durations import format_duration
from argo_retention.core.effective_policy import policy_of
from argo_retention.core.opinions import Candidate
from argo_retention.core.planning import Decision, plan_retention
from argo_retention.core.policy import Policy
from argo_retention.core.reasons import Verdict
from argo_retention.core.settings import ClusterSettings
from argo_retention_tests.core.factories import NOW, read_workflow

RECIPES = yaml.safe_load((Path(__file__).parent / "testdata" / "cookbook.yaml").read_text())
PAGE = Path(__file__).parent.parent / "docs" / "policy-cookbook.md"
HEAD = """# Policy cookbook

Twelve policies and what each of them keeps. This page is written by running them (`python -m argo_retention_tests.cookbook`) on
the same {count} finished workflows, all archived and proven, at {now:%A, %-d %B %Y, %H:%M} UTC; a test compares it. `lab/quick`
has a `ttlStrategy` of one hour, `lab/incident` is held by an annotation, `audit/*` has the label `tier=gold`, `data/*` comes from
templates. A policy decides nothing while `retention.mode` is `observe`; `argo-retention plan --config OTHER.yaml` shows what
another file would do to your own cluster.
"""


def page() -> str:
    """The whole text."""
    parts = [HEAD.format(count=len(RECIPES["workflows"]), now=NOW)]
    parts += [_section(number, each) for number, each in enumerate(RECIPES["recipes"], start=1)]
    return "\n".join(parts)


def _section(number: int, recipe: dict[str, Any]) -> str:
    settings = ClusterSettings.model_validate(recipe["policy"])
    policy = policy_of(settings, ArgoSettings(source="nothing"))
    candidates = {line: read_workflow(line) for line in RECIPES["workflows"]}
    plan = plan_retention(candidates.values(), policy=policy, now=NOW)
    decisions = {(d.namespace, d.name): d for d in plan.decisions}
    lines = [
        _line(
            line,
            candidate,
            decisions[candidate.workflow.namespace, candidate.workflow.name],
            policy,
        )
        for line, candidate in candidates.items()
    ]
    goes = len(plan.removals)
    document = yaml.safe_dump(
        {"clusters": {"production": recipe["policy"]}},
        sort_keys=False,
        default_flow_style=None,
        width=110,
    )
    return "\n".join(
        [
            f"## {number}. {recipe['title']}",
            "",
            recipe["why"],
            "",
            "```yaml",
            document.rstrip(),
            "```",
            "",
            f"{goes} of {len(lines)} would go.",
            "",
            "| workflow | phase | age | in the cluster | why | row and logs |",
            "|---|---|---:|---|---|---|",
            *lines,
            "",
        ]
    )


def _line(line: str, candidate: Candidate, decision: Decision, policy: Policy) -> str:
    path, phase, age, *_ = line.split()
    word = "**goes**" if decision.verdict is Verdict.REMOVE else "stays"
    why = decision.sentence.replace("|", "\\|")
    return f"| `{path}` | {phase} | {age} | {word} | {why} | {_kept(candidate, policy)} |"


def _kept(candidate: Candidate, policy: Policy) -> str:
    live = candidate.workflow
    rule = policy.rule_for(
        namespace=live.namespace, labels=live.labels, phase=live.phase, template=live.template
    )
    own = rule.archive_ttl if rule is not None else None
    ttl = own if own is not None else policy.archive_ttl
    return format_duration(ttl) if ttl else "for ever"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
