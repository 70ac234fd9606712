"""What was found out about a bucket by trying."""

from dataclasses import dataclass
from datetime import datetime

#: Where an object is put to try something, and removed again.
PROBE_PREFIX = "argo-retention/probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFacts:
    """Which rights there are in a bucket. Its lifecycle rules are unknown: that would need another right."""

    bucket: str
    can_write: bool
    can_read: bool
    can_delete: bool
    conditional_put_honoured: bool  # a second put of one key with If-None-Match: * was refused
    clock: datetime | None  # of the server, UTC, whole seconds; None where nothing could be written
    lacks_right: bool  # the keys are known, and something was refused to them
    message: str  # the first failure, for people; "" when all is well
