"""Deletion: preconditions, dry run, finalizers, and what goes with an owner."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from argo_retention.demo.kube_api.clock import Clock
from argo_retention.demo.kube_api.records import Record
from argo_retention.demo.kube_api.resources import NAMESPACES, PODS, RESOURCES
from argo_retention.demo.kube_api.statuses import bad_request, precondition_failed, success
from argo_retention.demo.kube_api.store import Store


class Propagation(StrEnum):
    """What becomes of the objects that the deleted one owns."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


#: The finalizer that stands for work of the garbage collector before the object may go.
_WORK = {Propagation.FOREGROUND: "foregroundDeletion", Propagation.ORPHAN: "orphan"}


class _Preconditions(msgspec.Struct, rename="camel"):
    uid: str | None = None
    resource_version: str | None = None


class DeleteOptions(msgspec.Struct, rename="camel"):
    """The body of a DELETE, as far as it matters here."""

    preconditions: _Preconditions | None = None
    propagation_policy: Propagation | None = None
    orphan_dependents: bool | None = None
    dry_run: Sequence[str] = ()

    @classmethod
    def from_request(cls, body: bytes, query: Mapping[str, str]) -> "DeleteOptions":
        """Read the options.

        As recorded from the real server: with a body, the query is not looked at, so that
        `?dryRun=All` beside a body deletes for good.
        """
        try:
            if body:
                return msgspec.json.decode(body, type=cls)
            return msgspec.convert(
                {
                    "propagationPolicy": query.get("propagationPolicy") or None,
                    "dryRun": [query["dryRun"]] if query.get("dryRun") else [],
                },
                cls,
            )
        except msgspec.DecodeError as error:
            raise bad_request(f"invalid DeleteOptions: {error}") from error

    @property
    def is_dry_run(self) -> bool:
        """Whether nothing is to be changed."""
        return "All" in self.dry_run

    @property
    def propagation(self) -> Propagation:
        """The policy; in the background where none is given."""
        if self.orphan_dependents:
            return Propagation.ORPHAN
        return self.propagation_policy or Propagation.BACKGROUND


class Deleter:
    """Deletes objects from a store, and collects what they leave behind."""

    def __init__(
        self, store: Store, clock: Clock, later: Callable[[Callable[[], None]], object]
    ) -> None:
        """Make one; `later` runs a function after the answer has been given."""
        self._store = store
        self._clock = clock
        self._later = later

    def delete(self, record: Record, options: DeleteOptions) -> bytes:
        """Delete one object.

        Returns:
            A Status when it is gone; the object where a finalizer still holds it.

        Raises:
            ApiError: 409 when a precondition does not hold.
        """
        _check(record, options.preconditions)
        after = self._begin(record, options)
        if after is None and record.resource not in {PODS, NAMESPACES}:
            return msgspec.json.encode(success(record.resource, record.name, record.uid))
        # The server gives these two kinds back even when they are gone at once.
        return (after or record).full

    def delete_collection(self, records: Sequence[Record], options: DeleteOptions) -> None:
        """Delete all of a list."""
        for record in records:
            self._begin(record, options)

    def _begin(self, record: Record, options: DeleteOptions) -> Record | None:
        """Start the deletion; None when nothing holds the object."""
        work = _WORK.get(options.propagation)
        held = record.finalizers or (work and self._store.dependants(record.uid))
        if options.is_dry_run:
            return record if held else None
        if not held:
            self._store.remove(record)
            self._later(lambda: self._collect(record))
            return None
        if record.is_deleting:
            return record
        fields = record.raw_fields()
        metadata = fields["metadata"]
        metadata["deletionTimestamp"] = self._clock.timestamp()
        metadata["deletionGracePeriodSeconds"] = 0
        if record.resource.has_generation:
            metadata["generation"] = metadata.get("generation", 1) + 1
        if work:
            metadata["finalizers"] = [*record.finalizers, work]
        written = self._store.write(record.resource, fields)
        if work:
            self._later(lambda: self._finish(written, options.propagation, work))
        return written

    def _finish(self, record: Record, propagation: Propagation, work: str) -> None:
        """Do the work that a finalizer stands for, and take the finalizer away."""
        for dependant in self._store.dependants(record.uid):
            if propagation is Propagation.ORPHAN:
                self._disown(dependant, record.uid)
            else:
                self._begin(dependant, DeleteOptions())
        current = self._store.get(record.resource, record.key)
        if current is None or current.uid != record.uid:
            return
        fields = current.raw_fields()
        fields["metadata"]["finalizers"] = [name for name in current.finalizers if name != work]
        written = self._store.write(current.resource, fields)
        if not written.finalizers:
            self._store.remove(written)

    def _disown(self, dependant: Record, uid: str) -> None:
        fields = dependant.raw_fields()
        owners: Sequence[Mapping[str, Any]] = fields["metadata"]["ownerReferences"]
        fields["metadata"]["ownerReferences"] = [o for o in owners if o["uid"] != uid]
        self._store.write(dependant.resource, fields)

    def _collect(self, gone: Record) -> None:
        """Delete what has no owner left, and what lived in a namespace that is gone."""
        for dependant in self._store.dependants(gone.uid):
            if not any(self._store.is_live(owner) for owner in dependant.owners):
                self._begin(dependant, DeleteOptions())
        if gone.resource is NAMESPACES:
            for resource in RESOURCES:
                inside = self._store.select(
                    resource, namespace=gone.name, version=self._store.version
                )
                for record in list(inside) if resource.namespaced else ():
                    self._begin(record, DeleteOptions())


def _check(record: Record, wanted: _Preconditions | None) -> None:
    if wanted is None:
        return
    if wanted.uid is not None and wanted.uid != record.uid:
        why = (
            f"the UID in the precondition ({wanted.uid}) does not match the UID in record "
            f"({record.uid}). The object might have been deleted and then recreated"
        )
        raise precondition_failed(record.resource, record.name, why)
    version = wanted.resource_version
    if version is not None and version != str(record.version):
        why = (
            f"the ResourceVersion in the precondition ({version}) does not match the "
            f"ResourceVersion in record ({record.version}). The object might have been modified"
        )
        raise precondition_failed(record.resource, record.name, why)
