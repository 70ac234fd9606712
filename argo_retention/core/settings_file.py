"""Reading retention.yaml: each mistake names file, line, key and what was expected."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from argo_retention.core.config_maps import found
from argo_retention.core.settings import ClusterSettings, Settings
from argo_retention.errors import ConfigurationError

#: Kinds of pydantic's errors by how they begin, in words of YAML.
_WORDS = {
    "int_": "a whole number",
    "float_": "a number",
    "bool_": "true or false",
    "string_type": "text",
    "dict_type": "a map",
    "model_": "a map",
    "tuple_type": "a list",
}


def parse_settings(text: str, *, source: str) -> Settings:
    """Settings from the text of the file. Raises ConfigurationError of at most three lines."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(_yaml_message(error, source)) from error
    if not isinstance(data, dict):
        raise ConfigurationError(
            f"{source}: expected a mapping with the key clusters, found {_kind(data)}.\n"
            "Start with: clusters: {NAME: {}}"
        )
    clusters = data.get("clusters")
    defaults = data.get("defaults") or {}
    if isinstance(clusters, dict) and isinstance(defaults, dict):
        merged = {name: _merge(defaults, own or {}) for name, own in clusters.items()}
        data = {**data, "clusters": merged}
    try:
        if isinstance(defaults, dict):
            ClusterSettings.model_validate(defaults)
    except ValidationError as error:
        raise ConfigurationError(_message(error, ("defaults",), root, source)) from error
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(_message(error, (), root, source)) from error


def _merge(base: Mapping[str, Any], own: Any) -> Any:
    """Mappings are merged key by key, anything else is replaced."""
    if not isinstance(own, Mapping):
        return own
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(below, value) if both and isinstance(below, Mapping) else value
    return merged


def _kind(value: object) -> str:
    return "an empty file" if value is None else found(value)


def _yaml_message(error: yaml.YAMLError, source: str) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be read"
    where = f"{source}, line {mark.line + 1}, column {mark.column + 1}" if mark else source
    return f"{where}: this is not valid YAML: {problem}.\nMend that line; nothing was done."


def _message(
    error: ValidationError, prefix: tuple[str, ...], root: yaml.Node | None, source: str
) -> str:
    first = error.errors()[0]
    path = (*prefix, *_path_in_file(first["loc"]))
    line = _line_of(path, root)
    key = ".".join(str(part) for part in path)
    more = error.error_count() - 1
    also = f" ({more} more after this one)" if more else ""
    expected = _expected(first, path)
    return f"{source}, line {line}, key {key}: {expected}{also}.\nNothing was done; mend that key."


def _path_in_file(loc: Sequence[str | int]) -> tuple[str | int, ...]:
    """Without the names that pydantic puts in for kinds of checks, such as [key]."""
    return tuple(part for part in loc if part != "[key]")


def _expected(problem: Any, path: Sequence[str | int]) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    value = problem.get("input")
    shown = f", found {value!r}" if isinstance(value, str | int | float | bool) else ""
    if kind == "extra_forbidden":
        return f"there is no such key; expected one of {', '.join(_keys_beside(path))}"
    if kind == "missing":
        return "this key is missing"
    if kind == "value_error":
        return str(context.get("error", problem["msg"]))
    if kind == "literal_error":
        return f"expected {context['expected']}{shown}"
    if kind == "too_short":
        return f"expected at least {context['min_length']} entry, found {context['actual_length']}"
    for prefix, words in _WORDS.items():
        if kind.startswith(prefix):
            return f"expected {words}{shown}"
    return f"expected: {problem['msg'].removeprefix('Input should be ')}{shown}"


def _keys_beside(path: Sequence[str | int]) -> Sequence[str]:
    """Keys that are allowed where the last part of the path stands."""
    schema = Settings.model_json_schema()
    definitions: Mapping[str, Any] = schema["$defs"]
    at: Mapping[str, Any] = schema
    for part in path[:-1]:
        if isinstance(part, int):
            inner = at["items"]
        elif part == "defaults":
            inner = {"$ref": f"#/$defs/{ClusterSettings.__name__}"}
        else:  # a map of names, or an object
            inner = at.get("properties", {}).get(part) or next(
                iter(at["patternProperties"].values())
            )
        for choice in inner.get("anyOf", (inner,)):
            inner = choice if "$ref" in choice else inner
        name = inner.get("$ref", "").rpartition("/")[2]
        at = definitions[name] if name else inner
    return sorted(at["properties"])


def _line_of(path: Sequence[str | int], root: yaml.Node | None) -> int:
    """Line of the deepest node on the path that stands in the file."""
    node, line = root, 1
    for part in path:
        children = _children(node)
        if str(part) not in children:
            break
        key, node = children[str(part)]
        line = key.start_mark.line + 1
    return line


def _children(node: yaml.Node | None) -> Mapping[str, tuple[yaml.Node, yaml.Node]]:
    """Key, or place in a list, → where it begins, and its value."""
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): (key, value) for key, value in node.value}
    entries = node.value if isinstance(node, yaml.SequenceNode) else ()
    return {str(place): (entry, entry) for place, entry in enumerate(entries)}
