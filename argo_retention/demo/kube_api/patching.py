"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902), as far as the server is asked for them."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from argo_retention.demo.kube_api.statuses import ApiError


def merge_patch(target: Any, patch: Any) -> Any:
    """The target with a merge patch applied; null takes a field away."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(target: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """The target with a JSON patch applied.

    Raises:
        ApiError: 422 when an operation cannot be applied or a test fails.
    """
    document = {"": copy.deepcopy(target)}
    for operation in operations:
        try:
            _apply(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise _refused() from error
    return document[""]


def _refused() -> ApiError:
    message = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", message, details={})


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")]


def _parent(document: Any, path: Sequence[str]) -> Any:
    for part in path[:-1]:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _read(document: Any, path: Sequence[str]) -> Any:
    parent = _parent(document, path)
    return parent[int(path[-1])] if isinstance(parent, list) else parent[path[-1]]


def _remove(document: Any, path: Sequence[str]) -> Any:
    parent = _parent(document, path)
    return parent.pop(int(path[-1])) if isinstance(parent, list) else parent.pop(path[-1])


def _add(document: Any, path: Sequence[str], value: Any) -> None:
    parent = _parent(document, path)
    if not isinstance(parent, list):
        parent[path[-1]] = value
    elif path[-1] == "-":
        parent.append(value)
    else:
        parent.insert(int(path[-1]), value)


def _apply(document: Any, operation: Mapping[str, Any]) -> None:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "test":
            if _read(document, path) != operation["value"]:
                raise _refused()
        case "add":
            _add(document, path, operation["value"])
        case "remove":
            _remove(document, path)
        case "replace":
            _remove(document, path)
            _add(document, path, operation["value"])
        case "move":
            _add(document, path, _remove(document, _pointer(operation["from"])))
        case "copy":
            _add(document, path, copy.deepcopy(_read(document, _pointer(operation["from"]))))
        case _:
            raise _refused()
