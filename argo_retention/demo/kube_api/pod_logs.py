"""Logs of pods, as the API server fetches them from a kubelet."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from argo_retention.demo.kube_api.clock import Clock
from argo_retention.demo.kube_api.records import Record
from argo_retention.demo.kube_api.statuses import ApiError, bad_request, invalid
from argo_retention.demo.kube_api.store import Event, EventType

#: Between the timestamps of two lines.
_LINE_STEP = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class PodLog:
    """What the log of one container answers: a body, or a failure."""

    body: bytes
    #: When the first line was written; each further one a millisecond later.
    started_at: datetime | None = None
    status: int = 200
    reason: str = ""
    message: str = ""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "PodLog":
        """Read one line of pod_logs.ndjson."""
        encoded = document.get("body_base64")
        started = document.get("started_at")
        return cls(
            body=document.get("body", "").encode()
            if encoded is None
            else base64.b64decode(encoded),
            started_at=None if started is None else datetime.fromisoformat(started),
            status=document.get("status", 200),
            reason=document.get("reason", "InternalError"),
            message=document.get("message", "the log cannot be read"),
        )


class _Container(msgspec.Struct):
    name: str


class _State(msgspec.Struct):
    waiting: dict[str, Any] | None = None
    terminated: dict[str, Any] | None = None
    running: dict[str, Any] | None = None


class _ContainerStatus(msgspec.Struct):
    name: str
    state: _State = msgspec.field(default_factory=_State)


class _PodSpec(msgspec.Struct, rename="camel"):
    containers: list[_Container] = []
    init_containers: list[_Container] = []
    node_name: str = ""


class _PodStatus(msgspec.Struct, rename="camel"):
    container_statuses: list[_ContainerStatus] = []


class _Pod(msgspec.Struct, rename="camel"):
    spec: _PodSpec = msgspec.field(default_factory=_PodSpec)
    status: _PodStatus = msgspec.field(default_factory=_PodStatus)


_pod_decoder = msgspec.json.Decoder(_Pod)


class PodLogs:
    """The logs of all containers, by namespace, pod and container."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._logs: dict[tuple[str, str], dict[str, PodLog]] = {}  # namespace and pod → container

    def put(self, document: Mapping[str, Any]) -> None:
        """Add or replace the log that a line of pod_logs.ndjson describes."""
        of_pod = self._logs.setdefault((document["namespace"], document["pod"]), {})
        of_pod[document.get("container", "main")] = PodLog.from_document(document)

    def follow(self, event: Event) -> None:
        """Forget the logs of a pod that was deleted."""
        if event.type is EventType.DELETED and event.before is not None:
            self._logs.pop((event.before.namespace, event.before.name), None)

    def read(self, pod: Record, query: Mapping[str, str]) -> bytes | None:
        """The log that a request asks for; None while the pod is on no node.

        Raises:
            ApiError: with the words of the real server, or the failure the log was given.
        """
        parsed = _pod_decoder.decode(pod.body)
        container = _container(pod.name, parsed.spec, query.get("container", ""))
        tail = _number(pod.name, query, "tailLines")
        limit = _number(pod.name, query, "limitBytes", minimum=1)
        log = self._logs.get((pod.namespace, pod.name), {}).get(container)
        if log is None:
            return _without_log(pod.name, parsed, container)
        if log.status >= 400:
            raise ApiError(log.status, log.reason, log.message)
        if query.get("previous") in {"true", "1"}:
            raise bad_request(
                f'previous terminated container "{container}" in pod "{pod.name}" not found'
            )
        body = log.body
        since = self._since(query)
        timestamps = query.get("timestamps") in {"true", "1"}
        if since is not None or timestamps or tail is not None:
            body = _lines(log, since=since, tail=tail, timestamps=timestamps, pod=pod)
        return body if limit is None else body[:limit]

    def _since(self, query: Mapping[str, str]) -> datetime | None:
        try:
            if query.get("sinceTime"):
                return datetime.fromisoformat(query["sinceTime"])
            if query.get("sinceSeconds"):
                return self._clock.now() - timedelta(seconds=int(query["sinceSeconds"]))
        except ValueError as error:
            raise bad_request(f"the time that the log is asked for since: {error}") from error
        return None


def _container(pod: str, spec: _PodSpec, asked: str) -> str:
    names = [container.name for container in spec.containers]
    init_names = [container.name for container in spec.init_containers]
    if asked:
        if names and asked not in names and asked not in init_names:
            raise bad_request(f"container {asked} is not valid for pod {pod}")
        return asked
    if len(names) == 1:
        return names[0]
    choice = f"a container name must be specified for pod {pod}, choose one of: [{' '.join(names)}]"
    if init_names:
        choice += f" or one of the init containers: [{' '.join(init_names)}]"
    raise bad_request(choice)


def _number(pod: str, query: Mapping[str, str], name: str, *, minimum: int = 0) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        number = int(text)
    except ValueError as error:
        complaint = f'strconv.ParseInt: parsing "{text}": invalid syntax'
        raise bad_request(complaint) from error
    if number < minimum:
        bound = f"must be greater than or equal to {minimum}"
        raise invalid(
            "PodLogOptions",
            pod,
            name,
            f"Invalid value: {number}: {bound}",
            value_kind="FieldValueInvalid",
        )
    return number


def _without_log(pod: str, parsed: _Pod, container: str) -> bytes | None:
    for status in parsed.status.container_statuses:
        if status.name == container and status.state.waiting is not None:
            reason = status.state.waiting.get("reason", "ContainerCreating")
            raise bad_request(
                f'container "{container}" in pod "{pod}" is waiting to start: {reason}'
            )
    return b"" if parsed.spec.node_name else None


def _lines(
    log: PodLog, *, since: datetime | None, tail: int | None, timestamps: bool, pod: Record
) -> bytes:
    started = log.started_at
    if started is None:
        started = datetime.fromisoformat(pod.metadata()["creationTimestamp"])
    numbered = list(enumerate(log.body.splitlines(keepends=True)))
    if since is not None:
        # As recorded: the very second that is asked for is not sent again.
        asked = since.replace(microsecond=0)
        numbered = [
            (number, line)
            for number, line in numbered
            if (started + number * _LINE_STEP).replace(microsecond=0) > asked
        ]
    if tail is not None:
        numbered = numbered[len(numbered) - min(tail, len(numbered)) :]
    if not timestamps:
        return b"".join(line for _, line in numbered)
    return b"".join(_stamp(started + number * _LINE_STEP) + line for number, line in numbered)


def _stamp(moment: datetime) -> bytes:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode()
