"""Figure 7: the plan of a hundred thousand workflows, from candidates in memory."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

from argo_retention.core import labels
from argo_retention.core.argo_settings import ArgoSettings
from argo_retention.core.effective_policy import policy_of
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogSummary
from argo_retention.core.opinions import Candidate
from argo_retention.core.planning import plan_retention
from argo_retention.core.policy import Policy
from argo_retention.core.proofs import Facts, ProvenVersion
from argo_retention.core.reasons import Verdict
from argo_retention.core.settings_file import parse_settings
from argo_retention.operations.garbage import rare_collections
from benchmarks.figures import Bar, Figure, Spent, clock, rounds
from benchmarks.opening import CLUSTER
from benchmarks.stage import NOW, Stage

ROUNDS = 5
PHASES = ("Succeeded", "Succeeded", "Succeeded", "Failed", "Error")
SETTINGS = """
clusters:
  bench:
    argo: {retentionPolicy: {completed: 1000, failed: 500, errored: 500}}
    rules:
      - name: ci
        match: {namespaces: ["ci-*"], selector: "tier!=gold"}
        group_by: [namespace, template]
        keep: {last: 20, within: 7d, daily: 14, weekly: 8}
      - name: failures
        match: {phases: [Failed, Error], template: "pipeline-1*"}
        keep: {within: 30d}
    brakes: {max_deletions: 1000000, max_share: 1}
    retention: {mode: apply, proof_age: 0}
"""


def measure(stage: Stage) -> list[Figure]:
    """Rules with groups and calendar conditions for half of them, Argo's retentionPolicy for the others."""
    count = stage.size(100_000, 5000)
    policy = _policy()
    everything = list(_candidates(count))

    def ours(_: int) -> Spent:
        with rare_collections(), clock(count) as spent:  # as `operations.planning.plan_now` does
            plan = plan_retention(everything, policy=policy, now=NOW)
        verdicts = dict.fromkeys(Verdict, 0)
        for decision in plan.decisions:
            verdicts[decision.verdict] += 1
        if plan.refusal or min(verdicts[Verdict.KEEP], verdicts[Verdict.REMOVE]) < count / 100:
            raise AssertionError(f"not a plan to measure: {verdicts}, {plan.refusal}")
        return spent

    [median] = rounds(stage.size(ROUNDS, 1), ours)
    return [
        Figure(
            figure=f"plan of {count} workflows",
            unit="s",
            ours=median.seconds,
            cpu={"ours": median},
            bars=[Bar(of="ours", sign="<=", bound=2)],
            note="two rules with groups and calendar conditions, and retentionPolicy",
        )
    ]


def _policy() -> Policy:
    settings = parse_settings(SETTINGS, source="the benchmark").clusters[CLUSTER]
    return policy_of(settings, ArgoSettings(source="the benchmark"))


def _candidates(count: int) -> Iterator[Candidate]:
    for index in range(count):
        uid = str(uuid.UUID(int=index * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)))
        phase = PHASES[index % len(PHASES)]
        created = NOW - timedelta(minutes=index * 3 % 250_000)
        namespace = f"ci-{index % 7}" if index % 2 else f"team-{index % 11}"
        workflow = LiveWorkflow(
            uid=uid,
            namespace=namespace,
            name=f"run-{index}",
            resource_version=index + 1,
            created_at=created,
            deleting=False,
            labels={
                labels.PHASE: phase,
                labels.COMPLETED: "true",
                labels.WORKFLOW_TEMPLATE: f"pipeline-{index % 40}",
                "tier": "gold" if index % 10 == 0 else "silver",
            },
            annotations={},
        )
        facts = Facts(
            phase=phase,
            finished_at=created + timedelta(minutes=2),
            ttl_seconds=None,
            template=f"pipeline-{index % 40}",
            artifact_gc_deletes_logs=False,
        )
        proof = ProvenVersion(
            clustername=CLUSTER,
            uid=uid,
            resource_version=index + 1,
            digest="0" * 32,
            proven_at=NOW - timedelta(hours=1),
            facts=facts,
            logs=LogSummary(stored=3),
        )
        yield Candidate(workflow=workflow, proof=proof)
