"""The expiry plan: which archive rows go, together with their labels and log objects, and why.

A pure function of rows past the shortest TTL, of what is live, of policy and now. Whether a log object may go
with its row is decided object by object when it comes to it (`core.log_guards`), since others may need it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from argo_retention.core import labels
from argo_retention.core.durations import format_duration, parse_ttl
from argo_retention.core.holds import Holds, why_held
from argo_retention.core.ledger import ExpiryCandidate, ExpiryUnit
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.opinions import show_time
from argo_retention.core.policy import SHARE_COUNTS_FROM, Policy
from argo_retention.core.reasons import Reason, Verdict, sentence
from argo_retention.errors import ConfigurationError


class ExpiryDecision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the plan says of one archive row, and why."""

    uid: str
    namespace: str
    name: str
    phase: str
    finished_at: datetime | None
    digest: str  # of the row when planned; "" where the row vanished
    verdict: Verdict
    reason: Reason
    sentence: str
    rule: str  # name of the rule whose TTL counts, "archiveTTL", or ""
    expires_at: datetime | None = None  # when TTL or grace end; None where it never expires
    live_version: int | None = None  # of the live object, with expiry.while_live: expire


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryPlan:
    """Decisions for all rows past the shortest TTL, oldest first; `refusal` stops it as a whole."""

    decisions: tuple[ExpiryDecision, ...]
    refusal: str = ""

    @property
    def removals(self) -> tuple[ExpiryDecision, ...]:
        """What expires."""
        return tuple(d for d in self.decisions if d.verdict is Verdict.REMOVE)

    @property
    def digest(self) -> str:
        """Names the content of the plan."""
        digest = hashlib.sha256()
        for d in self.decisions:
            digest.update(
                f"{d.uid} {d.digest} {d.verdict} {d.reason} {d.rule} {d.live_version}\n".encode()
            )
        return digest.hexdigest()


def shortest_ttl(policy: Policy) -> timedelta | None:
    """The shortest TTL that any row can have; None where no row ever expires."""
    ttls = [policy.archive_ttl, *(rule.archive_ttl for rule in policy.rules)]
    lasting = [ttl for ttl in ttls if ttl is not None and ttl > timedelta(0)]
    return min(lasting, default=None)


def longest_ttl(policy: Policy) -> timedelta | None:
    """The longest TTL that any row can have; None where some rows never expire."""
    own = [rule.archive_ttl for rule in policy.rules if rule.archive_ttl is not None]
    ttls = [policy.archive_ttl or timedelta(0), *own]
    return max(ttls) if all(ttl > timedelta(0) for ttl in ttls) else None


def live_holds(workflows: Iterable[LiveWorkflow]) -> dict[str, str]:
    """uid → why row and logs of a live workflow stay even with `expiry.while_live: expire`.

    Its row may be of an older version: before a hold was set, or before it was retried.
    """
    holds = {}
    for workflow in workflows:
        if labels.HOLD in workflow.annotations:
            holds[workflow.uid] = f"annotation {labels.HOLD}: {workflow.annotations[labels.HOLD]}"
        elif not workflow.is_finished:
            holds[workflow.uid] = "it runs again in the cluster"
    return holds


def plan_expiry(
    candidates: Iterable[ExpiryCandidate],
    *,
    vanished: Sequence[ExpiryUnit] = (),
    live_versions: Mapping[str, int],
    policy: Policy,
    now: datetime,
    holds: Holds | None = None,
    held_live: Mapping[str, str],
    total_rows: int,
) -> ExpiryPlan:
    """Decide on every candidate row, and on workflows whose row somebody else removed.

    Args:
        candidates: rows past the shortest TTL by their column, which only preselects.
        vanished: stage "row_vanished" with `at` = when it was first seen.
        live_versions: uid → resourceVersion of every workflow in the cluster now.
        policy: what the operator wrote.
        now: UTC; ages count from it.
        holds: places that are held, and why.
        held_live: uid → why its live object holds it, from `live_holds`.
        total_rows: rows of this installation, for the brake on the share.
    """
    holds = holds or {}
    rows = {
        row.uid: _decide(row, live_versions, holds, held_live, policy=policy, now=now)
        for row in candidates
    }
    # A row that stands there again has not vanished.
    gone = {
        unit.uid: _decide_vanished(unit, live_versions, holds, policy=policy, now=now)
        for unit in vanished
        if unit.uid not in rows
    }
    decisions = (
        *sorted(rows.values(), key=lambda d: (d.finished_at or now, d.namespace, d.name, d.uid)),
        *sorted(gone.values(), key=lambda d: (d.namespace, d.name, d.uid)),
    )
    total = total_rows + len(gone)
    expiring = sum(1 for d in decisions if d.verdict is Verdict.REMOVE)
    return ExpiryPlan(decisions=decisions, refusal=share_refusal(expiring, total, policy=policy))


def still_removed(
    removals: Iterable[ExpiryDecision],
    *,
    vanished: Iterable[str],
    live_versions: Mapping[str, int],
    policy: Policy,
    now: datetime,
    holds: Holds,
    held_live: Mapping[str, str],
) -> Iterator[ExpiryDecision]:
    """Those of a plan that a fresh look at the cluster removes, too; never more than the plan.

    What the row itself says cannot have changed: another digest keeps it when its turn comes. The policy must
    be the one that the plan was made under.
    """
    gone = frozenset(vanished)
    for decision in removals:
        uid = decision.uid
        held = why_held(holds, namespace=decision.namespace, name=decision.name)
        if held is not None or uid in held_live:
            continue
        if decision.expires_at is None or decision.expires_at > now:  # a clock was set back
            continue
        if decision.reason is Reason.ROW_VANISHED and uid not in gone:
            continue
        if uid not in live_versions:
            yield (
                decision if decision.live_version is None else replace(decision, live_version=None)
            )
        elif policy.expire_while_live and decision.reason is Reason.EXPIRED_WHILE_LIVE:
            yield replace(decision, live_version=live_versions[uid])


def _decide(
    row: ExpiryCandidate,
    live_versions: Mapping[str, int],
    holds: Holds,
    held_live: Mapping[str, str],
    *,
    policy: Policy,
    now: datetime,
) -> ExpiryDecision:
    rule = policy.rule_for(
        namespace=row.namespace, labels=row.labels, phase=row.phase, template=row.template
    )
    own_ttl = rule is not None and rule.archive_ttl is not None
    ttl = rule.archive_ttl if rule is not None and own_ttl else policy.archive_ttl
    decision = ExpiryDecision(
        uid=row.uid,
        namespace=row.namespace,
        name=row.name,
        phase=row.phase,
        finished_at=row.finished_at,
        digest=row.digest,
        verdict=Verdict.KEEP,
        reason=Reason.NO_POLICY,
        sentence=sentence(Reason.NO_POLICY),
        rule=rule.name if rule is not None and own_ttl else "archiveTTL",
    )
    if row.hold:
        return _kept(decision, Reason.HELD, detail=f"annotation {labels.HOLD}: {row.hold}")
    held = why_held(holds, namespace=row.namespace, name=row.name)
    if held is not None:
        return _kept(decision, Reason.HELD, detail=held)
    if row.uid in held_live:
        return _kept(decision, Reason.HELD, detail=held_live[row.uid])
    if row.archive_ttl:
        try:
            wanted = parse_ttl(row.archive_ttl)
        except ConfigurationError as error:
            detail = f"annotation {labels.ARCHIVE_TTL} cannot be read: {error}"
            return _kept(decision, Reason.HELD, detail=detail)
        ttl = _longer(ttl, wanted)
    if ttl is None or ttl <= timedelta(0):
        return decision
    if row.finished_at is None or row.finished_at > now:
        detail = (
            "absent" if row.finished_at is None else f"{show_time(row.finished_at)}, in the future"
        )
        return _kept(decision, Reason.NO_FINISH_TIME, detail=detail)
    until = _after(row.finished_at, ttl)
    decision = replace(decision, expires_at=until)
    if until > now:
        return _kept(decision, Reason.WITHIN_TTL, detail=show_time(until))
    facts = {"finished": show_time(row.finished_at), "limit": format_duration(ttl)}
    if row.uid not in live_versions:
        return _expires(decision, Reason.EXPIRED, **facts)
    if not policy.expire_while_live:
        return _kept(decision, Reason.LIVE, detail="expiry.while_live is keep")
    return replace(
        _expires(decision, Reason.EXPIRED_WHILE_LIVE, **facts),
        live_version=live_versions[row.uid],
    )


def _decide_vanished(
    unit: ExpiryUnit,
    live_versions: Mapping[str, int],
    holds: Holds,
    *,
    policy: Policy,
    now: datetime,
) -> ExpiryDecision:
    first_seen = unit.at or now
    until = _after(first_seen, policy.vanished_grace)
    grace = format_duration(policy.vanished_grace)
    decision = ExpiryDecision(
        uid=unit.uid,
        namespace=unit.namespace,
        name=unit.name,
        phase="",
        finished_at=None,
        digest="",
        verdict=Verdict.KEEP,
        reason=Reason.GRACE,
        sentence=sentence(Reason.GRACE, detail=show_time(first_seen), limit=grace),
        rule="",
        expires_at=until,
    )
    if unit.uid in live_versions:
        return _kept(decision, Reason.LIVE, detail="its logs are still needed there")
    held = why_held(holds, namespace=unit.namespace, name=unit.name)
    if held is not None:
        return _kept(decision, Reason.HELD, detail=held)
    if until > now:
        return decision
    return _expires(decision, Reason.ROW_VANISHED, detail=show_time(first_seen))


def _kept(decision: ExpiryDecision, reason: Reason, **facts: object) -> ExpiryDecision:
    return replace(decision, reason=reason, sentence=sentence(reason, **facts))


def _expires(decision: ExpiryDecision, reason: Reason, **facts: object) -> ExpiryDecision:
    return replace(
        decision, verdict=Verdict.REMOVE, reason=reason, sentence=sentence(reason, **facts)
    )


def _longer(ttl: timedelta | None, wanted: timedelta) -> timedelta | None:
    """An annotation only lengthens; zero or unset is for ever, which is longest."""
    if ttl is None or ttl <= timedelta(0) or wanted <= timedelta(0):
        return None
    return max(ttl, wanted)


def _after(moment: datetime, span: timedelta) -> datetime:
    try:
        return moment + span
    except OverflowError:  # beyond year 9999: never
        return datetime.max.replace(tzinfo=UTC)


def share_refusal(expiring: int, total: int, *, policy: Policy) -> str:
    """Why so many may not expire at once; rows that vanished count on both sides.

    A table that was emptied by mistake must not cost the logs.
    """
    max_share = policy.brakes.max_share
    if total < SHARE_COUNTS_FROM or expiring <= max_share * total:
        return ""
    return (
        f"{expiring} of {total} archived workflows would expire, more than brakes.max_share "
        f"{max_share:g} allows. If that is meant, raise brakes.max_share in retention.yaml and plan again."
    )
