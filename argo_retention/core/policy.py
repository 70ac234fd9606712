"""What the operator wrote, as values: rules in restic's words, and Argo's own retentionPolicy and TTL.

Unset means keep, everywhere. How a policy is applied to workflows is `planning`; this module only holds it.
"""

import fnmatch
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from argo_retention.core.selectors import LabelSelector


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """Argo's `retentionPolicy`: how many to keep in the cluster by phase; None keeps all of that phase.

    Argo's key `completed` counts Succeeded only, and a key left out is 0 there; here it is None.
    """

    succeeded: int | None = None
    failed: int | None = None
    errored: int | None = None

    def limit(self, phase: str) -> int | None:
        """Limit for a completed phase; None where nothing is said."""
        return {"Succeeded": self.succeeded, "Failed": self.failed, "Error": self.errored}.get(
            phase
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Conditions of a rule; each that is set keeps what it matches. No condition at all keeps everything."""

    last: int | None = None  # the newest by creation in each group
    within: timedelta | None = None  # finished less than this ago
    hourly: int | None = (
        None  # the newest of each of the latest hours, and so on, by finish time in UTC
    )
    daily: int | None = None
    weekly: int | None = None
    monthly: int | None = None
    yearly: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no condition is set: then everything is kept."""
        return all(
            value is None
            for value in (
                self.last,
                self.within,
                self.hourly,
                self.daily,
                self.weekly,
                self.monthly,
                self.yearly,
            )
        )

    @property
    def periods(self) -> tuple[tuple[str, str, int], ...]:
        """(word, strftime format of the period, how many) for each calendar condition that is set."""
        formats = (
            ("hourly", "%Y-%m-%dT%H", self.hourly),
            ("daily", "%Y-%m-%d", self.daily),
            ("weekly", "%G-W%V", self.weekly),
            ("monthly", "%Y-%m", self.monthly),
            ("yearly", "%Y", self.yearly),
        )
        return tuple((word, form, count) for word, form, count in formats if count is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a rule speaks of; everything that is set must match."""

    namespaces: tuple[str, ...] = ()  # shell patterns
    selector: LabelSelector | None = None
    phases: tuple[str, ...] = ()
    template: str | None = None  # shell pattern on the template's name

    def matches(
        self, *, namespace: str, labels: Mapping[str, str], phase: str, template: str
    ) -> bool:
        """Whether a workflow or row with these is meant."""
        if self.phases and phase not in self.phases:
            return False
        if self.namespaces and not any(fnmatch.fnmatchcase(namespace, p) for p in self.namespaces):
            return False
        if self.template is not None and not fnmatch.fnmatchcase(template, self.template):
            return False
        return self.selector is None or self.selector.matches(labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of `rules`; the first that matches a workflow decides on it."""

    name: str
    match: Match = Match()
    group_by: tuple[str, ...] = ()  # "namespace", "template", "phase", or "label:KEY"
    keep: Keep | None = None
    archive_ttl: timedelta | None = None  # None: argo.archiveTTL; zero: never expires
    save_logs: str | None = None  # "argo", "all", "none"; None: logs.save


SHARE_COUNTS_FROM = 50  # fewer finished workflows than this are too few to speak of a share


@dataclass(frozen=True, slots=True, kw_only=True)
class Brakes:
    """Limits on one run."""

    max_deletions: int = 5000  # cuts: oldest first, the others wait
    max_share: float = 0.9  # refuses: of the finished workflows, from 50 on
    max_drop: float = 0.5  # refuses: how far the live count may fall between two snapshots
    per_second: float = 200.0  # rate of DELETE requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All that decides, for one cluster."""

    retention_policy: RetentionPolicy = RetentionPolicy()
    archive_ttl: timedelta | None = None  # None and zero: rows never expire
    rules: tuple[Rule, ...] = ()
    brakes: Brakes = Brakes()
    proof_age: timedelta = timedelta(minutes=10)
    archive_selector: LabelSelector | None = None  # set only with archive.select: argo
    expire_while_live: bool = False
    exclusive_bucket: bool = False
    vanished_grace: timedelta = timedelta(days=7)

    @property
    def speaks_of_templates(self) -> bool:
        """Whether a rule needs to know from which template a workflow came."""
        return any(
            rule.match.template is not None or "template" in rule.group_by for rule in self.rules
        )

    def rule_for(
        self, *, namespace: str, labels: Mapping[str, str], phase: str, template: str
    ) -> Rule | None:
        """The first rule that matches."""
        for rule in self.rules:
            if rule.match.matches(
                namespace=namespace, labels=labels, phase=phase, template=template
            ):
                return rule
        return None

    @property
    def digest(self) -> str:
        """Names the content: a plan made under another policy is refused."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]
