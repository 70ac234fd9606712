"""One log object of an expiring unit: judged once more at the moment, and deleted if nobody else needs it."""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from argo_retention.core.ledger import ExpiryUnit
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.log_guards import object_guard
from argo_retention.core.ports.log_store import LogStore, ObjectDeletion
from argo_retention.errors import ArgoRetentionError, ObjectStoreError
from argo_retention.operations.log_tasks import METADATA_UID
from argo_retention.operations.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class LogObject:
    """One log object that a unit names; `etag` is "" where nobody recorded one yet."""

    unit: ExpiryUnit
    bucket: str
    key: str
    etag: str


class ObjectDeleter:
    """Deletes log objects of units whose intent is recorded; safe to call from many threads."""

    def __init__(
        self,
        site: Site,
        live: Sequence[LiveWorkflow],
        *,
        committed: Collection[str],
        stop: threading.Event,
        keep: Callable[[LogStore, str], None],
    ) -> None:
        """`committed`: uids whose intent is recorded, by now; they do not need each other's objects.

        `keep` is called with the store and the key of each object before it is deleted.
        """
        self._site = site
        self._committed = committed
        self._stop = stop
        self._keep = keep
        self._unproven = _unproven_live(site, live)

    def delete(self, o: LogObject, others: Sequence[str]) -> tuple[str, str, int]:
        """(outcome, why, bytes that went) of one object; never raises but on an interruption."""
        if self._stop.is_set():
            return "failed", "the run was stopped", 0
        if not o.bucket:
            why = "its row does not tell the bucket (a template has a location of its own)"
            return "kept", why, 0
        try:
            store = store_of(self._site, o.bucket, namespace=o.unit.namespace)
            head = store.head(o.key)
            if head is None:
                return ObjectDeletion.GONE.value, "", 0
            etag = o.etag or head.etag
            guard = object_guard(
                o.key,
                uid=o.unit.uid,
                others=[uid for uid in others if uid not in self._committed],
                live_namesakes=self._namesakes(o),
                exclusive_bucket=self._site.installation.policy.exclusive_bucket,
                owner_in_metadata=head.metadata.get(METADATA_UID, ""),
            )
            if guard:
                return "kept", guard, 0
            self._keep(store, o.key)
            outcome = store.delete(o.key, etag=etag)
        except ArgoRetentionError as error:
            return "failed", str(error).partition("\n")[0], 0
        if outcome is ObjectDeletion.CHANGED:
            return "kept", "it was overwritten since it was recorded (another ETag)", 0
        return outcome.value, "", head.size if outcome is ObjectDeletion.DELETED else 0

    def _namesakes(self, o: LogObject) -> frozenset[str]:
        """Live workflows, not proven yet, whose name stands in the key: they may name the object next."""
        names = {o.unit.name, *o.key.split("/")}
        found = {uid for name in names for uid in self._unproven.get(name, ())}
        return frozenset(found - {o.unit.uid})


def store_of(site: Site, bucket: str, *, namespace: str) -> LogStore:
    """A bucket, reached as the repository is. Raises ObjectStoreError where there is none any more."""
    repository = site.installation.repository
    if repository is None or repository.s3 is None:
        raise ObjectStoreError(
            f"There is no S3 repository in the configuration any more to reach {bucket}."
        )
    return site.log_stores.of(replace(repository.s3, bucket=bucket), namespace=namespace)


def _unproven_live(site: Site, live: Sequence[LiveWorkflow]) -> dict[str, frozenset[str]]:
    """Name → uids of live workflows of that name whose references are not recorded (not proven)."""
    proven = {
        proof.uid: proof
        for proof in site.archive.proven_versions(
            clustername=site.installation.clustername, uids=[w.uid for w in live]
        )
    }
    names: dict[str, set[str]] = defaultdict(set)
    for workflow in live:
        proof = proven.get(workflow.uid)
        if proof is None or not proof.holds_for(workflow.resource_version):
            names[workflow.name].add(workflow.uid)
    return {name: frozenset(uids) for name, uids in names.items()}
