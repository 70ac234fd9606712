"""Whatever happens to the cluster between plan and deletion, the floor of the policy holds (promise P2)."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from argo_retention.core import labels
from argo_retention.core.opinions import Candidate
from argo_retention.core.planning import Decision, Plan, intersection, plan_retention
from argo_retention.core.policy import Brakes, Keep, Policy, Rule
from argo_retention_tests.core.factories import NOW, live_workflow, proof
from argo_retention_tests.core.strategies import AGES, HOLD, PHASES, policies

PERIODS = {"hourly": "%Y%m%d%H", "daily": "%Y%m%d", "weekly": "%G%V", "yearly": "%Y"}


class ApplyMachine(RuleBasedStateMachine):
    """A cluster that people change while plans are made and carried out.

    The oracle knows what the planner may not: the template of a workflow that was never proven.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cluster: dict[str, Candidate] = {}
        self.template: dict[str, str] = {}  # the true one, also where no label shows it
        self.planned: Plan | None = None
        self.policy = Policy()
        self.made = 0

    @initialize(policy=policies(), limit=st.sampled_from([2, 1_000_000]))
    def begin(self, policy: Policy, limit: int) -> None:
        self.policy = replace(policy, brakes=Brakes(max_deletions=limit, max_share=1.0))

    @rule(
        phase=st.sampled_from([*PHASES, "Running"]),
        namespace=st.sampled_from(["ci", "ml"]),
        age=AGES,
        template=st.sampled_from(["", "t"]),
        labelled=st.booleans(),
        proven=st.booleans(),
        team=st.sampled_from([{}, {"team": "x"}]),
        owned=st.booleans(),
        data=st.data(),
    )
    def create(self, phase, namespace, age, template, labelled, proven, team, owned, data) -> None:
        self.made += 1
        uid = f"u{self.made}"
        owners = (
            (data.draw(st.sampled_from(sorted(self.cluster))),) if owned and self.cluster else ()
        )
        workflow = live_workflow(
            uid=uid,
            name=uid,
            namespace=namespace,
            phase=phase,
            age=age,
            template=template if labelled else "",
            labels=team,
            owners=owners,
        )
        self.cluster[uid] = Candidate(workflow=workflow)
        self.template[uid] = template
        if proven:
            self._prove(uid)

    def _prove(self, uid: str) -> None:
        workflow = self.cluster[uid].workflow
        known = proof(workflow, template=self.template[uid])
        self.cluster[uid] = Candidate(workflow=workflow, proof=known)

    def _change(self, uid: str, **changes: Any) -> None:
        """Another resourceVersion, so that what was proven is proven no more."""
        candidate = self.cluster[uid]
        version = candidate.workflow.resource_version + 1
        workflow = replace(candidate.workflow, resource_version=version, **changes)
        self.cluster[uid] = replace(candidate, workflow=workflow)

    @precondition(lambda self: self.cluster)
    @rule(
        what=st.sampled_from(["gone", "retried", "finished", "held", "patched", "proven", "going"]),
        phase=st.sampled_from(PHASES),
        data=st.data(),
    )
    def happen(self, what: str, phase: str, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.cluster)))
        seen = dict(self.cluster[uid].workflow.labels)
        if what == "gone":
            del self.cluster[uid]
        elif what == "retried":
            seen.pop(labels.COMPLETED, None)
            self._change(uid, labels=seen | {labels.PHASE: "Running"})
        elif what == "finished":
            self._change(uid, labels=seen | {labels.COMPLETED: "true", labels.PHASE: phase})
        elif what == "held":
            self._change(uid, annotations=HOLD)
        elif what == "patched":
            self._change(uid)
        elif what == "going":
            self._change(uid, deleting=True)
        else:
            self._prove(uid)

    @rule(archive=st.booleans())
    def plan(self, archive: bool) -> None:
        """Mostly after everything was archived, else there would be little to delete."""
        for uid in sorted(self.cluster) if archive else ():
            self._prove(uid)
        self.planned = self._plan()

    def _plan(self) -> Plan:
        return plan_retention(self.cluster.values(), policy=self.policy, now=NOW)

    @precondition(lambda self: self.planned is not None)
    @rule()
    def apply(self) -> None:
        planned, self.planned = self.planned, None
        assert planned is not None
        live = dict(self.cluster)
        going = intersection(planned, self._plan())
        for decision in going:
            self._delete(decision, planned)
        self._check_floor(live)

    def _delete(self, decision: Decision, planned: Plan) -> None:
        """As the API does: exactly this version, and with it all that it still owns."""
        candidate = self.cluster.pop(decision.uid)
        assert candidate.workflow.resource_version == decision.resource_version
        assert candidate.proven is not None
        assert not candidate.workflow.annotations
        assert decision.uid in {d.uid for d in planned.removals}
        owned = [
            c.workflow.uid
            for c in self.cluster.values()
            if decision.uid in {owner.uid for owner in c.workflow.owners}
        ]
        assert owned == [], "deleting it would have deleted these"

    def _check_floor(self, live: dict[str, Candidate]) -> None:
        groups: dict[Any, list[Candidate]] = defaultdict(list)
        for uid, candidate in live.items():
            workflow = candidate.workflow
            if workflow.is_finished and not workflow.deleting:
                groups[self._group(uid, candidate)].append(candidate)
        for (number, *rest), members in groups.items():
            members.sort(key=lambda c: c.workflow.created_at, reverse=True)
            if number is None:
                limit = self.policy.retention_policy.limit(rest[0])
                self._check_count(members, len(members) if limit is None else limit)
            else:
                self._check_rule(self.policy.rules[number], members)

    def _group(self, uid: str, candidate: Candidate) -> tuple[Any, ...]:
        workflow, template = candidate.workflow, self.template[uid]
        for number, each in enumerate(self.policy.rules):
            if each.match.matches(
                namespace=workflow.namespace,
                labels=workflow.labels,
                phase=workflow.phase,
                template=template,
            ):
                values = {
                    "namespace": workflow.namespace,
                    "template": template,
                    "phase": workflow.phase,
                    "label:team": workflow.labels.get("team"),
                }
                return (number, *(values[word] for word in each.group_by))
        return (None, workflow.phase)

    def _check_rule(self, rule_: Rule, members: list[Candidate]) -> None:
        keep = rule_.keep
        if keep is None or keep == Keep():
            self._check_count(members, len(members))
            return
        self._check_count(members, keep.last or 0)
        for candidate in members:
            young = keep.within is not None and NOW - candidate.workflow.created_at < keep.within
            assert not young or candidate.workflow.uid in self.cluster
        for word, form in PERIODS.items():
            before = {c.workflow.created_at.strftime(form) for c in members}
            after = {
                c.workflow.created_at.strftime(form)
                for c in members
                if c.workflow.uid in self.cluster
            }
            latest = sorted(before, reverse=True)[: getattr(keep, word) or 0]
            assert set(latest) <= after, word

    def _check_count(self, newest_first: list[Candidate], limit: int) -> None:
        """As many as the limit says are left, and none went that was newer than one of those."""
        for candidate in newest_first:
            newer = [
                c
                for c in newest_first
                if c.workflow.created_at >= candidate.workflow.created_at and c is not candidate
            ]
            if len(newer) < limit:
                assert candidate.workflow.uid in self.cluster
        left = sum(1 for c in newest_first if c.workflow.uid in self.cluster)
        assert left >= min(limit, len(newest_first))


def test_p2_floor_holds_whatever_happens_between_plan_and_deletion() -> None:
    run_state_machine_as_test(
        ApplyMachine,
        settings=settings(max_examples=200, stateful_step_count=40, deadline=None),
    )
