"""Failures that a test or a demonstration asks for."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from argo_retention.demo.kube_api.messages import Request, Response
from argo_retention.demo.kube_api.statuses import ApiError

_REASONS: Mapping[int, str] = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class _Match(msgspec.Struct, forbid_unknown_fields=True):
    method: str | None = None
    #: Searched for in the path with its query.
    path_regex: str = ""


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One failure, and the requests that it meets.

    Without a status the request is only delayed, or its answer cut off.
    """

    match: _Match = msgspec.field(default_factory=_Match)
    status: int | None = None
    retry_after: int | None = None
    #: How many requests it meets before it is over; None for all.
    times: int | None = None
    delay_ms: int = 0
    #: The connection breaks after so many bytes of the answer's body.
    cut_after_bytes: int | None = None

    def meets(self, request: Request, target: str) -> bool:
        """Whether a request is to fail."""
        method = self.match.method
        return (method is None or method == request.method) and (
            re.search(self.match.path_regex, target) is not None
        )

    def response(self) -> Response | None:
        """The answer in place of the real one."""
        if self.status is None:
            return None
        reason = _REASONS.get(self.status, "InternalError")
        details: dict[str, Any] = {}
        if self.retry_after is not None:
            details["retryAfterSeconds"] = self.retry_after
        error = ApiError(self.status, reason, "a fault that was asked for", details=details)
        return Response(
            status=self.status,
            body=msgspec.json.encode(error.document()),
            retry_after=self.retry_after,
        )


class Faults:
    """The failures in force, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, document: bytes) -> None:
        """Put one in force."""
        self._faults.append(msgspec.json.decode(document, type=Fault))

    def clear(self) -> None:
        """End all of them."""
        self._faults.clear()

    def take(self, request: Request, query_string: str) -> Fault | None:
        """The fault that a request meets, if any; it counts as used."""
        if not self._faults:
            return None
        target = f"{request.path}?{query_string}" if query_string else request.path
        for fault in self._faults:
            if fault.meets(request, target):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return fault
        return None
