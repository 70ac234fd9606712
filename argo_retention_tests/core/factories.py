"""Values for tests: a plain one that may go, with overrides for what a test is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from argo_retention.core import labels
from argo_retention.core.durations import parse_ttl
from argo_retention.core.ledger import ExpiryCandidate, ExpiryUnit
from argo_retention.core.live_workflows import LiveWorkflow, OwnerReference
from argo_retention.core.logs import LogRecord, LogSource, LogState, LogSummary
from argo_retention.core.opinions import Candidate
from argo_retention.core.policy import Brakes, Policy, RetentionPolicy
from argo_retention.core.proofs import Facts, ProvenVersion

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def live_workflow(**overrides: Any) -> LiveWorkflow:
    """A Succeeded workflow, made and finished a day ago.

    `phase`, `template` and `instance` are written into its labels; `labels` and `annotations` are added. A
    phase that is not a completed one leaves the label `completed` out. `age` is short for `created_at`.
    """
    phase = overrides.pop("phase", "Succeeded")
    name = overrides.pop("name", "build-1")
    namespace = overrides.pop("namespace", "ci")
    created_at = NOW - overrides.pop("age", DAY)
    own_labels = {labels.PHASE: phase} if phase else {}
    if phase in {"Succeeded", "Failed", "Error"}:
        own_labels[labels.COMPLETED] = "true"
    template = overrides.pop("template", "")
    if template:
        own_labels[labels.WORKFLOW_TEMPLATE] = template
    own_labels |= overrides.pop("labels", {})
    owners = tuple(
        owner
        if isinstance(owner, OwnerReference)
        else OwnerReference(kind="Workflow", name=f"owner-{owner}", uid=owner)
        for owner in overrides.pop("owners", ())
    )
    plain = LiveWorkflow(
        uid=f"uid-{namespace}-{name}",
        namespace=namespace,
        name=name,
        resource_version=100,
        created_at=created_at,
        deleting=False,
        labels=own_labels,
        annotations={},
        owners=owners,
    )
    return replace(plain, **overrides)


def proof(workflow: LiveWorkflow | None = None, **overrides: Any) -> ProvenVersion:
    """The proof of this very version, an hour old, logs settled. Fields of Facts may be given too."""
    workflow = workflow or live_workflow()
    facts = Facts(
        phase=workflow.phase,
        finished_at=workflow.created_at,
        ttl_seconds=None,
        template=workflow.template,
        artifact_gc_deletes_logs=False,
    )
    of_facts = {
        name: overrides.pop(name)
        for name in ("finished_at", "ttl_seconds", "template", "artifact_gc_deletes_logs")
        if name in overrides
    }
    plain = ProvenVersion(
        clustername="default",
        uid=workflow.uid,
        resource_version=workflow.resource_version,
        digest="d" * 32,
        proven_at=NOW - timedelta(hours=1),
        facts=replace(facts, **of_facts),
    )
    return replace(plain, **overrides)


_OF_PROOF = frozenset(
    {"finished_at", "ttl_seconds", "artifact_gc_deletes_logs", "proven_at", "row_exists", "logs"}
)


def candidate(**overrides: Any) -> Candidate:
    """A proven finished workflow; overrides of workflow and proof together.

    `proof=None` leaves it unproven; `proven_version` proves another version; `proven_template` is the
    template that only the proof knows.
    """
    of_proof = {name: overrides.pop(name) for name in _OF_PROOF & set(overrides)}
    if "proven_version" in overrides:
        of_proof["resource_version"] = overrides.pop("proven_version")
    if "proven_template" in overrides:
        of_proof["template"] = overrides.pop("proven_template")
    given = {"proof": overrides.pop("proof")} if "proof" in overrides else {}
    workflow = overrides.pop("workflow", None) or live_workflow(**overrides)
    known = given["proof"] if given else proof(workflow, **of_proof)
    return Candidate(workflow=workflow, proof=known)


def policy(**overrides: Any) -> Policy:
    """No policy at all, with brakes that never hold; `completed`, `failed`, `errored` as in Argo."""
    limits = {
        ours: overrides.pop(word)
        for word, ours in (("completed", "succeeded"), ("failed", "failed"), ("errored", "errored"))
        if word in overrides
    }
    plain = Policy(
        retention_policy=RetentionPolicy(**limits),
        brakes=Brakes(max_deletions=1_000_000, max_share=1.0),
    )
    return replace(plain, **overrides)


def row_candidate(**overrides: Any) -> ExpiryCandidate:
    """An archive row that finished 100 days ago. `age` is short for `finished_at`."""
    if "age" in overrides:
        overrides["finished_at"] = NOW - overrides.pop("age")
    name = overrides.get("name", "build-1")
    namespace = overrides.get("namespace", "ci")
    plain = ExpiryCandidate(
        uid=f"uid-{namespace}-{name}",
        namespace=namespace,
        name=name,
        phase="Succeeded",
        finished_at=NOW - 100 * DAY,
        digest="d" * 32,
        labels={},
        template="",
        hold="",
        archive_ttl="",
    )
    return structs.replace(plain, **overrides)


def vanished_unit(**overrides: Any) -> ExpiryUnit:
    """A workflow whose row somebody else removed ten days ago. `age` is short for `at`."""
    if "age" in overrides:
        overrides["at"] = NOW - overrides.pop("age")
    name = overrides.get("name", "gone-1")
    plain = ExpiryUnit(
        clustername="default",
        uid=f"uid-ci-{name}",
        namespace="ci",
        name=name,
        stage="row_vanished",
        reason="",
        plan_id="",
        run_id="",
        digest="",
        at=NOW - 10 * DAY,
    )
    return structs.replace(plain, **overrides)


def log_record(**overrides: Any) -> LogRecord:
    """A stored log of our own under Argo's default key."""
    plain = LogRecord(
        clustername="default",
        uid="uid-ci-build-1",
        namespace="ci",
        workflow="build-1",
        node_id="build-1",
        container="main",
        state=LogState.STORED,
        reason="",
        source=LogSource.OURS,
        bucket="logs",
        key="build-1/build-1/main.log",
        size=11,
        sha256="0" * 64,
        etag='"e"',
    )
    return structs.replace(plain, **overrides)


WORDS: dict[str, dict[str, Any]] = {
    "held": {"annotations": {labels.HOLD: "wanted for the audit"}},
    "unproven": {"proof": None},
    "unsettled": {"logs": LogSummary(unsettled=1, first_reason="its log answered 403")},
    "young": {"proven_at": NOW - timedelta(seconds=1)},
    "artifact-gc": {"artifact_gc_deletes_logs": True},
    "deleting": {"deleting": True},
}


def read_workflow(line: str) -> Candidate:
    """A candidate from a line of testdata/policy_cases.yaml: namespace/name, phase, age, and more words."""
    path, phase, age, *words = line.split()
    namespace, name = path.split("/")
    given: dict[str, Any] = {"namespace": namespace, "name": name, "phase": phase}
    given |= {"age": parse_ttl(age), "labels": {}}
    for word in words:
        key, _, value = word.partition("=")
        if word in WORDS:
            given |= WORDS[word]
        elif key == "ttl":
            given["ttl_seconds"] = int(parse_ttl(value).total_seconds())
        elif key == "template":
            given["template"] = value
        elif key == "owner":
            given["owners"] = (f"uid-{value.replace('/', '-')}",)
        elif key == "finished":
            known = {"absent": None, "tomorrow": NOW + DAY}
            given["finished_at"] = known[value] if value in known else NOW - parse_ttl(value)
        else:
            given["labels"][key] = value
    return candidate(**given)
