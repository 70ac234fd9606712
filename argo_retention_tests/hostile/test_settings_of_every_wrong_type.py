"""Settings of every wrong type, generated from the schema: one clear message that names the key, never a traceback."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from argo_retention.core.settings_file import parse_settings
from argo_retention.core.settings_schema import settings_schema
from argo_retention.errors import ConfigurationError

WRONG: dict[str, Any] = {
    "text": "x'; DROP TABLE y; --\x1b[31m",
    "number": -1.5,
    "huge": 10**400,
    "truth": True,
    "list": [[]],
    "map": {"a": {"b": 1}},
    "not a number": float("nan"),
}
SCHEMA = settings_schema()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the indirection of a $ref, and without null beside it."""
    for part in schema.get("anyOf", ()):
        if part.get("type") != "null":
            schema = {**schema, **part}
    reference = schema.get("$ref")
    return SCHEMA["$defs"][reference.rpartition("/")[2]] if reference else schema


def fields(
    schema: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for name, own in schema.get("properties", {}).items():
        part = resolved(own)
        yield (*path, name), own
        if "properties" in part:
            yield from fields(part, (*path, name))


def takes(schema: dict[str, Any], value: Any) -> bool:
    """Whether this value may be right there: it is then not a wrong one."""
    kinds = {part.get("type") for part in [schema, resolved(schema), *schema.get("anyOf", ())]}
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, str):
        return "string" in kinds and "enum" not in resolved(schema)
    if isinstance(value, int | float):
        return "number" in kinds
    return False


CASES = [
    pytest.param(path, value, id=f"{'.'.join(path)}-{name}")
    for path, schema in fields(SCHEMA["$defs"]["ClusterSettings"])
    for name, value in WRONG.items()
    if not takes(schema, value)
]


@pytest.mark.parametrize(("path", "value"), CASES)
def test_p2_a_wrong_type_is_one_message_that_names_the_key(
    path: tuple[str, ...], value: Any
) -> None:
    cluster: Any = value
    for name in reversed(path):
        cluster = {name: cluster}

    with pytest.raises(ConfigurationError) as caught:
        parse_settings(yaml.safe_dump({"clusters": {"prod": cluster}}), source="retention.yaml")

    message = str(caught.value)
    assert path[-1] in message
    assert caught.value.exit_code == 2
    assert len(message.splitlines()) <= 3
    assert "\x1b" not in message
    assert len(message) < 1000


def test_there_are_many_cases() -> None:
    assert len(CASES) > 200
