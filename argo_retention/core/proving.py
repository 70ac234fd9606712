"""Rule 3 of the proof: is the live workflow, compared whole, what its archive row holds?

Absent, null, "", {} and [] are the same (Go writes its zero values here and not there), numbers are compared
as decimals, and what the archive must change or we added is left out. Anything else that differs, even one
leaf, refuses the proof.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from argo_retention.core import labels
from argo_retention.core.archive_rows import REPOSITORY_REF_ADDED
from argo_retention.core.config_maps import found
from argo_retention.core.manifests import section

_METADATA_LEFT_OUT = frozenset({"resourceVersion", "generation", "managedFields"})
_NOT_WHOLE = ("compressedNodes", "offloadNodeStatusVersion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first place where the two differ, and the kind of what stands there (values may be secret)."""

    path: str  # JSON path, for example $.status.nodes["a-1"].phase
    live: str
    row: str

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.path}: live has {self.live}, the archive row has {self.row}"


def same_workflow(
    live: Mapping[str, Any], row: Mapping[str, Any], *, added: Collection[str] = ()
) -> Difference | None:
    """Compare a live workflow with the JSON of its row, both whole; None when they are the same.

    `added` is what the ledger says we added to the row: `node_id/container`, `REPOSITORY_REF_ADDED`.
    Decode both with `manifests.decode`, which keeps numbers exact; turn replaced NULs back before.
    """
    for key in _NOT_WHOLE:
        sides = section(live, "status").get(key), section(row, "status").get(key)
        if any(sides):
            return _difference(f"$.status.{key}", *sides)
    return next(_compare(_comparable(live, added), _comparable(row, added), "$"), None)


def row_resource_version(row: Mapping[str, Any]) -> int | None:
    """`metadata.resourceVersion` in the JSON of a row; None when it is not a number."""
    version = section(row, "metadata").get("resourceVersion")
    if isinstance(version, str) and version.isascii() and version.isdigit():
        return int(version)
    return None


def _comparable(workflow: Mapping[str, Any], added: Collection[str]) -> dict[str, Any]:
    """Leave out what the proof leaves out; nothing is changed in place."""
    metadata = {
        key: value
        for key, value in section(workflow, "metadata").items()
        if key not in _METADATA_LEFT_OUT
    }
    metadata["labels"] = {
        key: value
        for key, value in section(metadata, "labels").items()
        if key != labels.ARCHIVING_STATUS
    }
    status = dict(section(workflow, "status"))
    for key in _NOT_WHOLE:
        status.pop(key, None)
    if REPOSITORY_REF_ADDED in added:
        status.pop("artifactRepositoryRef", None)
    by_node: dict[str, set[str]] = {}
    for entry in added:
        node_id, slash, container = entry.rpartition("/")
        if slash:
            by_node.setdefault(node_id, set()).add(f"{container}-logs")
    if by_node:
        status["nodes"] = {
            node_id: _without(node, by_node.get(node_id, set()))
            for node_id, node in section(status, "nodes").items()
        }
    return {**workflow, "metadata": metadata, "status": status}


def _without(node: Any, names: Collection[str]) -> Any:
    artifacts = (node.get("outputs") or {}).get("artifacts") if names else None
    if not artifacts:
        return node
    left = [artifact for artifact in artifacts if artifact.get("name") not in names]
    return {**node, "outputs": {**node["outputs"], "artifacts": left}}


def _compare(live: Any, row: Any, path: str) -> Iterator[Difference]:
    """Yield the differences in the order of the keys; the caller takes the first."""
    if isinstance(live, dict) and isinstance(row, dict):
        for key in sorted(live.keys() | row.keys()):
            yield from _compare(live.get(key), row.get(key), _child(path, key))
    elif isinstance(live, list) and isinstance(row, list) and len(live) == len(row):
        for index, (one, other) in enumerate(zip(live, row, strict=True)):
            yield from _compare(one, other, f"{path}[{index}]")
    elif not _same_leaf(live, row):
        yield _difference(path, live, row)


def _same_leaf(live: Any, row: Any) -> bool:
    if isinstance(live, str) and isinstance(row, str):
        return live == row
    # In Python True == 1, in JSON it is not.
    if isinstance(live, bool) or isinstance(row, bool):
        return live is row
    if isinstance(live, int | float | Decimal) and isinstance(row, int | float | Decimal):
        return Decimal(str(live)) == Decimal(str(row))
    return _is_empty(live) and _is_empty(row)


def _is_empty(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_empty, value.values()))
    return value is None or value in ("", [])


def _child(path: str, key: str) -> str:
    return f"{path}.{key}" if key.isidentifier() else f'{path}["{key}"]'


def _difference(path: str, live: Any, row: Any) -> Difference:
    return Difference(path=path, live=_kind(live), row=_kind(row))


def _kind(value: Any) -> str:
    if _is_empty(value):
        return "nothing"
    return f"{len(value)} entries" if isinstance(value, list) else found(value)
