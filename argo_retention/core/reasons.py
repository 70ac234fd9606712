"""Why a workflow, a row or a log object is kept or goes: a closed set, each with a sentence for people."""

from enum import StrEnum


class Verdict(StrEnum):
    """What a plan says of one item."""

    KEEP = "keep"
    REMOVE = "remove"
    INELIGIBLE = (
        "ineligible"  #: policy does not speak of it (it has not finished, it is going already)
    )


class Reason(StrEnum):
    """The reasons of retention and expiry; the sentence is `sentence(reason, **facts)`."""

    # ineligible
    NOT_FINISHED = "not_finished"
    FINALIZING = "finalizing"
    # removed
    SURPLUS = "surplus"
    TTL = "ttl"
    RULE = "rule"
    # kept by policy
    NO_POLICY = "no_policy"
    WITHIN_COUNT = "within_count"
    WITHIN_TTL = "within_ttl"
    KEPT_BY_RULE = "kept_by_rule"
    NO_FINISH_TIME = "no_finish_time"
    # kept although policy would remove it
    HELD = "held"
    NOT_SELECTED = "not_selected"
    UNPROVEN = "unproven"
    UNSETTLED_LOGS = "unsettled_logs"
    ARTIFACT_GC = "artifact-gc-deletes-logs"
    HAS_DEPENDANTS = "has_dependants"
    PROOF_TOO_YOUNG = "proof_too_young"
    WAITING = "waiting"
    # while applying
    CHANGED = "changed"
    # expiry
    EXPIRED = "expired"
    EXPIRED_WHILE_LIVE = "expired_while_live"
    ROW_VANISHED = "row_vanished"
    LIVE = "live"
    GRACE = "grace"


SENTENCES: dict[Reason, str] = {
    Reason.NOT_FINISHED: "has not finished (phase {phase})",
    Reason.FINALIZING: "is being deleted already; finalizers hold it: {detail}",
    Reason.SURPLUS: "is number {rank} of the {phase} ones by creation, {limit} are kept",
    Reason.TTL: "finished {finished}, its ttlStrategy keeps it {limit}",
    Reason.RULE: "is number {rank} of its group, no condition of rule {rule} keeps it",
    Reason.NO_POLICY: "no policy speaks of it, so it is kept",
    Reason.WITHIN_COUNT: "is number {rank} of the {phase} ones by creation, {limit} are kept",
    Reason.WITHIN_TTL: "its TTL keeps it until {detail}",
    Reason.KEPT_BY_RULE: "rule {rule} keeps it: {detail}",
    Reason.NO_FINISH_TIME: "has no usable status.finishedAt ({detail}), so its age is unknown",
    Reason.HELD: "is held: {detail}",
    Reason.NOT_SELECTED: "is outside Argo's archiveLabelSelector, and archive.select is argo",
    Reason.UNPROVEN: "is not proven in the archive: {detail}",
    Reason.UNSETTLED_LOGS: "{detail}",
    Reason.ARTIFACT_GC: "its artifactGC would delete its stored logs together with it",
    Reason.HAS_DEPENDANTS: "owns {detail}, which stays; deleting it would delete that too",
    Reason.PROOF_TOO_YOUNG: "was proven at {detail}, less than retention.proof_age ago",
    Reason.WAITING: "waits for the next run: brakes.max_deletions is {limit}",
    Reason.CHANGED: "changed since the plan",
    Reason.EXPIRED: "finished {finished}, its archive TTL is {limit}",
    Reason.EXPIRED_WHILE_LIVE: "finished {finished}, its archive TTL is {limit} (still in the cluster)",
    Reason.ROW_VANISHED: "its archive row was removed by somebody else, first seen {detail}",
    Reason.LIVE: "is still in the cluster; {detail}",
    Reason.GRACE: "its archive row was removed by somebody else, first seen {detail}; {limit} of grace",
}


def sentence(reason: Reason, **facts: object) -> str:
    """The reason as a sentence whose subject is the workflow; facts that a sentence needs must be given."""
    return SENTENCES[reason].format(**facts)


#: Outcome of a deletion in the ledger → what it means, for people.
OUTCOMES = {
    "intended": "deletion begun, its outcome is not known yet",
    "deleted": "deleted from the cluster",
    "unknown": "deletion sent, and no answer came; the next run finds out",
    "terminating": "deletion accepted, a finalizer holds it",
    "vanished": "left the cluster without argo_retention: Argo or a person deleted it",
    "gone": "to be deleted, but somebody else was first",
    "changed": "to be deleted, but it had changed, so it was kept",
    "paused": "to be deleted, but somebody paused deletions",
}
