"""The objects in all versions that somebody may still ask for.

One rising resourceVersion for everything, as in etcd. Old versions live as long as the log of
events that replaced them; the log is bounded in bytes, and what falls out of it is compacted.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from argo_retention.demo.kube_api.records import Record
from argo_retention.demo.kube_api.resources import Resource

#: Roughly what an event costs beside the bytes of the version that it replaced.
_EVENT_OVERHEAD = 500


class EventType(StrEnum):
    """What happened to an object, in the words of a watch."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One change: the version it made, and the object before and after."""

    version: int
    type: EventType
    resource: Resource
    before: Record | None
    after: Record | None

    @property
    def cost(self) -> int:
        """The memory that is held for the sake of this event."""
        kept = 0 if self.before is None else len(self.before.body) + len(self.before.partial)
        return kept + _EVENT_OVERHEAD


class _Collection:
    """All objects of one kind, in the order of their keys, with their versions."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        #: Oldest first; None stands for a deletion.
        self.versions: dict[str, list[tuple[int, Record | None]]] = {}

    def put(self, key: str, version: int, record: Record | None) -> None:
        versions = self.versions.get(key)
        if versions is None:
            insort(self.keys, key)
            self.versions[key] = versions = []
        versions.append((version, record))

    def trim(self, key: str, version: int) -> None:
        """Forget what was before a version; the key too if it is gone by then."""
        versions = self.versions.get(key)
        if versions is None:
            return
        while len(versions) > 1 and versions[1][0] <= version:
            versions.pop(0)
        if len(versions) == 1 and versions[0][0] <= version and versions[0][1] is None:
            del self.versions[key]
            del self.keys[bisect_left(self.keys, key)]


class Store:
    """Objects of all kinds. Not thread-safe: it belongs to one event loop."""

    def __init__(self, *, history_bytes: int) -> None:
        self._history_bytes = history_bytes
        self._held_bytes = 0
        self._collections: dict[Resource, _Collection] = {}
        self._log: deque[Event] = deque()
        self._listeners: dict[Resource, set[Callable[[Event], None]]] = {}
        self._dependants: dict[str, set[tuple[Resource, str]]] = {}
        self._live_uids: set[str] = set()
        #: The newest version.
        self.version = 1
        #: The oldest version that can still be listed or watched from.
        self.floor = 1

    def get(self, resource: Resource, key: str) -> Record | None:
        """The object as it is now."""
        versions = self._collection(resource).versions.get(key)
        return versions[-1][1] if versions else None

    def select(
        self, resource: Resource, *, namespace: str, version: int, after: str = ""
    ) -> Iterator[Record]:
        """The objects of a kind as they were at a version, in order, from behind a key on."""
        collection = self._collection(resource)
        prefix = f"{namespace}/" if namespace else ""
        start = bisect_left(collection.keys, max(prefix, f"{after}\0" if after else ""))
        for key in collection.keys[start:]:
            if not key.startswith(prefix):
                return
            for written, record in reversed(collection.versions[key]):
                if written <= version:
                    if record is not None:
                        yield record
                    break

    def load(self, record: Record) -> None:
        """Put an object as it is, with its own version, and without an event."""
        self._forget_uid(self.get(record.resource, record.key))
        collection = self._collection(record.resource)
        collection.put(record.key, record.version, record)
        del collection.versions[record.key][:-1]
        self._index(record)
        self.version = max(self.version, record.version)
        self.compact()

    def write(self, resource: Resource, fields: Mapping[str, Any]) -> Record:
        """Create or replace an object under the next version; its metadata is completed by it."""
        self.version += 1
        metadata = {**fields["metadata"], "resourceVersion": str(self.version)}
        record = Record.render(resource, {**fields, "metadata": metadata})
        before = self.get(resource, record.key)
        self._forget_uid(before)
        self._index(record)
        kind = EventType.ADDED if before is None else EventType.MODIFIED
        self._commit(kind, record.key, before, record, resource)
        return record

    def remove(self, record: Record) -> None:
        """Delete an object under the next version."""
        self.version += 1
        self._forget_uid(record)
        self._commit(EventType.DELETED, record.key, record, None, record.resource)

    def dependants(self, uid: str) -> list[Record]:
        """The objects that name this uid among their owners."""
        found = (self.get(resource, key) for resource, key in self._dependants.get(uid, ()))
        return [record for record in found if record is not None]

    def is_live(self, uid: str) -> bool:
        """Whether an object of this uid is there."""
        return uid in self._live_uids

    def events_since(self, resource: Resource, version: int) -> list[Event]:
        """What happened to a kind after a version that is not below the floor, in order."""
        found: list[Event] = []
        for event in reversed(self._log):
            if event.version <= version:
                break
            if event.resource is resource:
                found.append(event)
        found.reverse()
        return found

    def listen(self, resource: Resource, listener: Callable[[Event], None]) -> None:
        """Call a function at each event of a kind, until `unlisten`."""
        self._listeners.setdefault(resource, set()).add(listener)

    def unlisten(self, resource: Resource, listener: Callable[[Event], None]) -> None:
        """Stop what `listen` began."""
        self._listeners[resource].discard(listener)

    def compact(self) -> None:
        """Forget every version but the newest."""
        while self._log:
            self._drop_oldest()
        self.floor = self.version

    def _collection(self, resource: Resource) -> _Collection:
        collection = self._collections.get(resource)
        if collection is None:
            collection = self._collections[resource] = _Collection()
        return collection

    def _commit(
        self,
        kind: EventType,
        key: str,
        before: Record | None,
        after: Record | None,
        resource: Resource,
    ) -> None:
        self._collection(resource).put(key, self.version, after)
        event = Event(
            version=self.version, type=kind, resource=resource, before=before, after=after
        )
        self._log.append(event)
        self._held_bytes += event.cost
        while self._held_bytes > self._history_bytes:
            self._drop_oldest()
        for listener in tuple(self._listeners.get(resource, ())):
            listener(event)

    def _drop_oldest(self) -> None:
        event = self._log.popleft()
        self._held_bytes -= event.cost
        self.floor = event.version
        record = event.after or event.before
        if record is not None:
            self._collection(event.resource).trim(record.key, event.version)

    def _index(self, record: Record) -> None:
        self._live_uids.add(record.uid)
        for owner in record.owners:
            self._dependants.setdefault(owner, set()).add((record.resource, record.key))

    def _forget_uid(self, record: Record | None) -> None:
        if record is None:
            return
        self._live_uids.discard(record.uid)
        for owner in record.owners:
            dependants = self._dependants.get(owner)
            if dependants is not None:
                dependants.discard((record.resource, record.key))
                if not dependants:
                    del self._dependants[owner]
