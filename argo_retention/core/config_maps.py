"""Reading YAML from ConfigMaps so that an error can name source, key, line and what was expected.

Absent and null are the same everywhere, as in Argo.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from argo_retention.errors import ConfigurationError

Path = tuple[str | int, ...]

_KINDS = {
    dict: "a map",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a fraction",
}


class _Loader(yaml.SafeLoader):
    """YAML as Argo reads it: a date stays text."""


_Loader.yaml_implicit_resolvers = {
    first: [entry for entry in resolvers if entry[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A map inside a document, which knows where it stands."""

    value: Mapping[str, Any]
    source: str  # for example "ConfigMap argo/workflow-controller-configmap"
    path: Path = ()
    lines: Mapping[Path, int] = field(default_factory=dict)

    def error(self, key: str, problem: str) -> ConfigurationError:
        """Return the error for one key: source, key, line, problem."""
        path = (*self.path, key)
        line = self.lines.get(path)
        where = ".".join(str(part) for part in path)
        at = f", line {line}" if line is not None else ""
        return ConfigurationError(f"{self.source}, key {where}{at}: {problem}")

    def text(self, key: str, default: str = "") -> str:
        """Text under a key; a number or boolean counts as its text, as in Argo."""
        value = self.value.get(key)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return str(value)
        text: str = self._typed(key, str, default)
        return text

    def number(self, key: str) -> int | None:
        """Return the integer under a key, None when absent."""
        value: int | None = self._typed(key, int, None)
        return value

    def boolean(self, key: str) -> bool | None:
        """Boolean under a key, None when absent."""
        value: bool | None = self._typed(key, bool, None)
        return value

    def section(self, key: str) -> "Section | None":
        """Return the map under a key, None when absent."""
        value = self._typed(key, dict, None)
        if value is None:
            return None
        return Section(value=value, source=self.source, path=(*self.path, key), lines=self.lines)

    def _typed(self, key: str, kind: type, default: Any) -> Any:
        value = self.value.get(key)
        if value is None:
            return default
        if type(value) is not kind:
            raise self.error(key, f"expected {_KINDS[kind]}, found {found(value)}")
        return value


def found(value: object) -> str:
    """Kind of a value for messages; never the value, which may be a password in the wrong place."""
    return _KINDS.get(type(value), type(value).__name__)


def parse_yaml(text: str, *, source: str, path: Path = ()) -> tuple[Any, dict[Path, int]]:
    """Parse YAML; returns the value and the line (from 1) of each key by its path.

    `path` says where the text stands in the source and is put in front. Raises ConfigurationError.
    """
    lines: dict[Path, int] = {}
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, lines
            _collect_lines(node, path, lines)
            return loader.construct_document(node), lines
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        key = f", key {'.'.join(str(part) for part in path)}" if path else ""
        at = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it holds a character that YAML does not allow"
        raise ConfigurationError(f"{source}{key}{at}: not YAML: {problem}") from error


def parse_section(text: str, *, source: str, path: Path = ()) -> Section:
    """Parse YAML that must be a map; an empty text is an empty map."""
    value, lines = parse_yaml(text, source=source, path=path)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        key = f", key {'.'.join(str(part) for part in path)}" if path else ""
        raise ConfigurationError(f"{source}{key}: expected a map, found {found(value)}")
    return Section(value=value, source=source, path=path, lines=lines)


def _collect_lines(node: yaml.Node, path: Path, lines: dict[Path, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            if inner not in lines and len(inner) < 20:  # an alias may contain itself
                lines[inner] = key.start_mark.line + 1
                _collect_lines(value, inner, lines)
