"""Answers of kind Status, with the reasons and words of the real server."""

from collections.abc import Mapping, Sequence
from typing import Any

from argo_retention.demo.kube_api.resources import Resource


class ApiError(Exception):
    """A request is answered with a Status of a failure."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.metadata = metadata or {}
        self.retry_after = retry_after

    def document(self) -> dict[str, Any]:
        """The Status as the body of the answer."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": dict(self.metadata),
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details is not None:
            status["details"] = dict(self.details)
        status["code"] = self.code
        return status


def _named(resource: Resource, name: str) -> dict[str, Any]:
    details: dict[str, Any] = {"name": name}
    if resource.group:
        details["group"] = resource.group
    return {**details, "kind": resource.plural}


def success(resource: Resource, name: str, uid: str) -> dict[str, Any]:
    """The Status that a deletion is answered with once the object is gone."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {**_named(resource, name), "uid": uid},
    }


def not_found(resource: Resource, name: str) -> ApiError:
    """404 of an object that is not there."""
    message = f'{resource.qualified} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_named(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    """409 of a create whose name is taken."""
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_named(resource, name))


def modified(resource: Resource, name: str) -> ApiError:
    """409 of a write that carries another resourceVersion than the object has."""
    message = (
        f'Operation cannot be fulfilled on {resource.qualified} "{name}": the object has been '
        "modified; please apply your changes to the latest version and try again"
    )
    return ApiError(409, "Conflict", message, details=_named(resource, name))


def precondition_failed(resource: Resource, name: str, why: str) -> ApiError:
    """409 of a DELETE whose preconditions do not hold; the server names the kind here."""
    message = f'Operation cannot be fulfilled on {resource.qualified_kind} "{name}": {why}'
    details = {**_named(resource, name), "kind": resource.kind}
    return ApiError(409, "Conflict", message, details=details)


def bad_request(message: str) -> ApiError:
    """400, the request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401, the token is nobody's."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(
    user: str, *, verb: str, group: str, resource: str, namespace: str | None, name: str | None
) -> ApiError:
    """403, nothing allows the user to do this."""
    plural, _, _ = resource.partition("/")
    subject = (f"{plural}.{group}" if group else plural) + (f' "{name}"' if name else "")
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = (
        f'{subject} is forbidden: User "{user}" cannot {verb} resource "{resource}" '
        f'in API group "{group}" {scope}'
    )
    details: dict[str, Any] = {"name": name} if name else {}
    if group:
        details["group"] = group
    return ApiError(403, "Forbidden", message, details={**details, "kind": plural})


def forbidden_path(user: str, verb: str, path: str) -> ApiError:
    """403 of a path that names no resource."""
    message = f'forbidden: User "{user}" cannot {verb} path "{path}"'
    return ApiError(403, "Forbidden", message, details={})


def invalid(kind: str, name: str, field: str, why: str, *, value_kind: str) -> ApiError:
    """422 of a value that is not allowed."""
    details = {
        "name": name,
        "kind": kind,
        "causes": [{"reason": value_kind, "message": why, "field": field}],
    }
    message = f'{kind} "{name}" is invalid: {field}: {why}'
    return ApiError(422, "Invalid", message, details=details)


def expired(message: str, *, continue_token: str | None = None) -> ApiError:
    """410, the version asked for is no longer kept."""
    metadata = {} if continue_token is None else {"continue": continue_token}
    return ApiError(410, "Expired", message, metadata=metadata)


def version_too_large(asked: int, current: int) -> ApiError:
    """504, the version asked for lies in the future."""
    causes: Sequence[Mapping[str, str]] = [
        {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    ]
    return ApiError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {asked}, current: {current}",
        details={"causes": causes, "retryAfterSeconds": 1},
        retry_after=1,
    )
