"""What was found out about a bucket: by trying, and by reading its owner's rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFacts:
    """Which rights there are in a bucket."""

    bucket: str
    can_write: bool
    can_read: bool
    can_delete: bool
    conditional_put_honoured: bool  # a second put of one key with If-None-Match: * was refused
    clock: datetime | None  # of the server, UTC, whole seconds; None where nothing could be written
    lacks_right: bool  # the keys are known, and something was refused to them
    message: str  # the first failure, for people; "" when all is well


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRule:
    """A rule by which S3 itself deletes objects."""

    name: str
    prefix: str  # of the keys that it is for; "" for all
    days: int  # of an object's age at which it goes; 0 for a rule with a date

    def is_for_all(self, prefix: str) -> bool:
        """Whether it is for every key below the prefix, not only for some."""
        return prefix.startswith(self.prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRules:
    """What the bucket's owner has set; None where it may not be read, or the server does not know it."""

    lifecycle: Sequence[LifecycleRule] | None = None
    keeps_versions: bool | None = None
    drops_versions: bool = False  # some rule ends what deletions leave as an older version


def shorter_than(
    rules: BucketRules, ttl: timedelta | None, *, prefix: str
) -> Sequence[LifecycleRule]:
    """Rules by which some object below the prefix goes before its time (None: it never goes)."""
    return [
        rule
        for rule in rules.lifecycle or ()
        if (rule.prefix.startswith(prefix) or rule.is_for_all(prefix))
        and (ttl is None or timedelta(days=rule.days) < ttl)
    ]
