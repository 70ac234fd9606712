"""What policy alone says of each finished workflow, before proof, holds and brakes speak.

Two tongues: Argo's `retentionPolicy` and `ttlStrategy` (either may remove), and the rules of
retention.yaml in restic's words (what no condition keeps is removed). The first rule that matches takes a
workflow out of both of Argo's.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from argo_retention.core.durations import format_duration
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.policy import Keep, Policy, Rule
from argo_retention.core.proofs import ProvenVersion
from argo_retention.core.reasons import Reason, sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A live workflow with what the ledger knows of it."""

    workflow: LiveWorkflow
    proof: ProvenVersion | None = None  # of whatever version; planning compares

    #: The proof, if it is of this very version and its row stands there (or expired on purpose).
    proven: ProvenVersion | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Judge the proof once: it is asked for many times."""
        proof = self.proof
        stands = (
            proof is not None
            and proof.holds_for(self.workflow.resource_version)
            and (proof.row_exists or proof.expired_while_live)
        )
        object.__setattr__(self, "proven", proof if stands else None)

    @property
    def phase(self) -> str:
        """Phase by the label, which a metadata-only list shows."""
        return self.workflow.phase

    @property
    def template(self) -> str:
        """Template by labels, else by the facts of the proof."""
        return self.workflow.template or (self.proof.facts.template if self.proof else "")

    @property
    def knows_template(self) -> bool:
        """Whether `template` is certain; without label and proof an empty one may only be unseen."""
        return self.proof is not None or bool(self.workflow.template)

    @property
    def why_unproven(self) -> str:
        """Why `proven` is None, for people."""
        if self.proof is None:
            return "no row is proven for it; if the archive step refused it, it says why"
        if not self.proof.row_exists:
            return "its archive row is gone"
        return (
            f"proven at resourceVersion {self.proof.resource_version}, "
            f"now at {self.workflow.resource_version}"
        )

    @property
    def finished_at(self) -> datetime | None:
        """status.finishedAt of the version that was proven; None where nothing is proven."""
        proven = self.proven
        return proven.facts.finished_at if proven else None


class Opinion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What policy alone says of one workflow; made by the hundred thousand, hence a struct."""

    removes: bool
    reason: Reason
    sentence: str
    rule: str = ""
    rank: int | None = None


def _newest_first(candidate: Candidate) -> tuple[float, str, str, str]:
    """Creation time, newest first; equal times by namespace, name, uid, so that ties are decided."""
    workflow = candidate.workflow
    return (-workflow.created_at.timestamp(), workflow.namespace, workflow.name, workflow.uid)


def opinions_of(
    finished: Sequence[Candidate], *, policy: Policy, now: datetime
) -> dict[str, Opinion]:
    """uid → opinion, for workflows that finished and are not being deleted."""
    ruled: dict[int, tuple[Rule, list[Candidate]]] = {}
    by_phase: dict[str, list[Candidate]] = defaultdict(list)
    opinions: dict[str, Opinion] = {}
    needs_template = policy.speaks_of_templates
    for candidate in finished:
        workflow = candidate.workflow
        phase = workflow.phase
        if needs_template and not candidate.knows_template:
            # Counted in a group that is not its own it would push out what that group has to keep.
            opinions[workflow.uid] = Opinion(
                removes=False,
                reason=Reason.UNPROVEN,
                sentence=sentence(Reason.UNPROVEN, detail=candidate.why_unproven),
            )
            continue
        rule = policy.rule_for(
            namespace=workflow.namespace,
            labels=workflow.labels,
            phase=phase,
            template=candidate.template,
        )
        if rule is None:
            by_phase[phase].append(candidate)
        else:
            ruled.setdefault(id(rule), (rule, []))[1].append(candidate)
    for rule, members in ruled.values():
        opinions.update(_opinions_of_rule(rule, members, now=now))
    for phase, members in by_phase.items():
        limit = policy.retention_policy.limit(phase)
        for rank, candidate in enumerate(sorted(members, key=_newest_first), start=1):
            opinions[candidate.workflow.uid] = _argo_opinion(candidate, phase, rank, limit, now=now)
    return opinions


def _argo_opinion(
    candidate: Candidate, phase: str, rank: int, limit: int | None, *, now: datetime
) -> Opinion:
    """Argo's two ways to delete: either of them may remove."""
    if limit is not None and rank > limit:
        text = sentence(Reason.SURPLUS, rank=rank, phase=phase, limit=limit)
        return Opinion(
            removes=True, reason=Reason.SURPLUS, sentence=text, rule="retentionPolicy", rank=rank
        )
    proven = candidate.proven
    if proven is not None and proven.facts.ttl_seconds is not None:
        opinion = _ttl_opinion(proven.facts.finished_at, proven.facts.ttl_seconds, now=now)
        if opinion.removes or limit is None:
            return opinion
    if limit is not None:
        text = sentence(Reason.WITHIN_COUNT, rank=rank, phase=phase, limit=limit)
        return Opinion(
            removes=False,
            reason=Reason.WITHIN_COUNT,
            sentence=text,
            rule="retentionPolicy",
            rank=rank,
        )
    return Opinion(removes=False, reason=Reason.NO_POLICY, sentence=sentence(Reason.NO_POLICY))


def _ttl_opinion(finished_at: datetime | None, seconds: int, *, now: datetime) -> Opinion:
    doubt = _age_doubt(finished_at, now=now)
    if doubt or finished_at is None:
        return Opinion(
            removes=False,
            reason=Reason.NO_FINISH_TIME,
            sentence=sentence(Reason.NO_FINISH_TIME, detail=doubt),
            rule="ttlStrategy",
        )
    try:
        until = finished_at + timedelta(seconds=seconds)
    except OverflowError:  # a ttl beyond year 9999 keeps for ever
        until = datetime.max.replace(tzinfo=UTC)
    if until <= now:
        limit = format_duration(timedelta(seconds=seconds))
        text = sentence(Reason.TTL, finished=show_time(finished_at), limit=limit)
        return Opinion(removes=True, reason=Reason.TTL, sentence=text, rule="ttlStrategy")
    text = sentence(Reason.WITHIN_TTL, detail=show_time(until))
    return Opinion(removes=False, reason=Reason.WITHIN_TTL, sentence=text, rule="ttlStrategy")


def _opinions_of_rule(
    rule: Rule, members: Sequence[Candidate], *, now: datetime
) -> dict[str, Opinion]:
    groups: dict[tuple[str, ...], list[Candidate]] = defaultdict(list)
    for candidate in members:
        groups[tuple(_group_value(candidate, word) for word in rule.group_by)].append(candidate)
    opinions: dict[str, Opinion] = {}
    for group in groups.values():
        group.sort(key=_newest_first)
        kept = _kept_by(rule.keep, group, now=now)
        for rank, candidate in enumerate(group, start=1):
            uid = candidate.workflow.uid
            why = kept.get(uid)
            if why is not None:
                reason = Reason.KEPT_BY_RULE
                text = sentence(reason, rule=rule.name, detail=", ".join(why))
            else:
                reason = Reason.RULE
                text = sentence(reason, rule=rule.name, rank=rank)
            opinions[uid] = Opinion(
                removes=why is None, reason=reason, sentence=text, rule=rule.name, rank=rank
            )
    return opinions


def _group_value(candidate: Candidate, word: str) -> str:
    if word == "namespace":
        return candidate.workflow.namespace
    if word == "template":
        return candidate.template
    if word == "phase":
        return candidate.phase
    return candidate.workflow.labels.get(word.removeprefix("label:"), "")


def _kept_by(
    keep: Keep | None, newest: Sequence[Candidate], *, now: datetime
) -> dict[str, list[str]]:
    """uid → the conditions that keep it, for a group in order of `_newest_first`.

    A condition only ever adds, so more policy never keeps less.
    """
    if keep is None or keep.is_empty:
        return {c.workflow.uid: ["it has no keep conditions"] for c in newest}
    kept: dict[str, list[str]] = defaultdict(list)
    if keep.last is not None:
        for candidate in newest[: keep.last]:
            kept[candidate.workflow.uid].append(f"last {keep.last}")
    needs_age = keep.within is not None or bool(keep.periods)
    aged: list[tuple[datetime, Candidate]] = []
    for candidate in newest:
        finished_at = candidate.finished_at
        doubt = _age_doubt(finished_at, now=now) if needs_age else ""
        if doubt or finished_at is None:
            # An unproven workflow has no known age; the proof forbids its deletion anyway.
            if doubt and candidate.proven is not None:
                kept[candidate.workflow.uid].append(f"no usable status.finishedAt ({doubt})")
            continue
        aged.append((finished_at, candidate))
        if keep.within is not None and finished_at > _before(now, keep.within):
            kept[candidate.workflow.uid].append(f"within {format_duration(keep.within)}")
    aged.sort(key=lambda pair: pair[0], reverse=True)
    for word, form, count in keep.periods:
        _keep_newest_of_each(aged, word, _strftime(form), count, kept)
    return kept


def _keep_newest_of_each(
    aged: Sequence[tuple[datetime, Candidate]],
    word: str,
    period_of: Callable[[datetime], str],
    count: int,
    kept: dict[str, list[str]],
) -> None:
    seen: set[str] = set()
    for finished_at, candidate in aged:
        if len(seen) >= count:
            return
        period = period_of(finished_at)
        if period not in seen:
            seen.add(period)
            kept[candidate.workflow.uid].append(f"{word} {period}")


def _strftime(form: str) -> Callable[[datetime], str]:
    return lambda moment: moment.astimezone(UTC).strftime(form)


def _before(now: datetime, span: timedelta) -> datetime:
    try:
        return now - span
    except OverflowError:  # "within 10000 years" keeps everything
        return datetime.min.replace(tzinfo=UTC)


def _age_doubt(finished_at: datetime | None, *, now: datetime) -> str:
    """Why an age cannot be told; "" when it can."""
    if finished_at is None:
        return "absent"
    if finished_at > now:
        return f"{show_time(finished_at)} is in the future"
    return ""


def show_time(moment: datetime) -> str:
    """UTC to the second, as Kubernetes writes it but for the T."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
