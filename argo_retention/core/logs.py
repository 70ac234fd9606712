"""What is known about the log of one container of one node: its state, its object, who recorded it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec


class LogState(StrEnum):
    """Where a log stands (design section 3). Only `UNSETTLED` and `INTENDED` forbid deletion."""

    STORED = "stored"  #: the object was seen: size and ETag are known
    NOT_WANTED = "not_wanted"  #: archiveLogs and logs.save say no
    LOST = "lost"  #: positive proof that it cannot be had any more
    UNSETTLED = "unsettled"  #: anything else: a refusal, a failure, a container still running
    INTENDED = (
        "intended"  #: written before the put; a crash left it so; the next run looks at the object
    )

    @property
    def is_settled(self) -> bool:
        """Whether deletion may go on as far as this log is concerned."""
        return self in {LogState.STORED, LogState.NOT_WANTED, LogState.LOST}


class LogSource(StrEnum):
    """Who put the object there."""

    ARGO = "argo"  #: Argo's executor; the node carries the artifact
    OURS = "argo_retention"  #: this product; the object's metadata says for which uid
    NONE = ""  #: no object


class LogRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of our table `log_objects`; identity is (clustername, uid, node_id, container)."""

    clustername: str
    uid: str  # of the workflow
    namespace: str
    workflow: str  # name of the workflow
    node_id: str
    container: str
    state: LogState
    reason: str  # a short sentence: why it is lost, unsettled, not wanted; "" when stored
    source: LogSource = LogSource.NONE
    bucket: str = ""
    key: str = ""
    size: int | None = None
    sha256: str | None = None  # hex; only of what we wrote
    etag: str | None = None
    run_id: str = ""
    saved_at: datetime | None = None  # UTC, by the database's clock when None is given


class LogReference(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of `log_references`: an archived workflow names this object in one of its nodes."""

    bucket: str
    key: str
    clustername: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSummary:
    """How many logs of one workflow are in each state; none at all is settled."""

    stored: int = 0
    not_wanted: int = 0
    lost: int = 0
    unsettled: int = 0  # INTENDED counts here
    first_reason: str = ""  # of an unsettled one

    @property
    def is_settled(self) -> bool:
        """Whether every log is stored, not wanted or provably lost."""
        return self.unsettled == 0
