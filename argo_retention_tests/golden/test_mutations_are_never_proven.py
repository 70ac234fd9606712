"""No workflow with one changed leaf is taken for the one in its archive row."""

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from argo_retention.core import labels
from argo_retention.core.proving import same_workflow
from argo_retention_tests.golden import recorded

MUTATIONS = 1_000
LEFT_OUT = {
    ("metadata", "resourceVersion"),
    ("metadata", "generation"),
    ("metadata", "managedFields"),
    ("metadata", "labels", labels.ARCHIVING_STATUS),
}
PAIRS = [
    name
    for name in recorded.ARCHIVED_AND_LIVE
    if name not in {"team-a.artifact-gc", "team-a.pod-names-v1"}
]

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if path in LEFT_OUT:
        return
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from leaves(inner, (*path, key))
    elif value not in (None, "", {}, []):
        yield path, value


def mutated(value: Any, path: Path, change: Any) -> Any:
    """A copy with the leaf at `path` replaced; REMOVED and ADDED act on the map or list around it."""
    if not path:
        return change
    key, rest = path[0], path[1:]
    if isinstance(value, list):
        copy: Any = list(value)
    else:
        copy = dict(value)
    if not rest and change is REMOVED:
        del copy[key]
    elif not rest and change is ADDED:
        if isinstance(copy, list):
            copy.insert(key, copy[key])
        else:
            copy[f"{key}-added"] = "x"
    else:
        copy[key] = mutated(copy[key], rest, change)
    return copy


REMOVED, ADDED = object(), object()


def changes(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value, int(value), str(value).lower(), None]
    if isinstance(value, int | Decimal):
        return [value + 1, str(value), bool(value), [value]]
    return [value + " ", value.swapcase() + "x", value[:-1], None, [value], {"x": value}, 1]


def test_p1_a_thousand_single_leaf_mutations_are_all_refused():
    source = random.Random(20261124)
    places = {name: list(leaves(recorded.whole(name))) for name in PAIRS}
    accepted = []

    for number in range(MUTATIONS):
        name = PAIRS[number % len(PAIRS)]
        path, value = source.choice(places[name])
        change = source.choice([*changes(value), REMOVED, ADDED])
        live = mutated(recorded.whole(name), path, change)
        if same_workflow(live, recorded.row(name)["workflow"]) is None:
            accepted.append((name, path, value, change))

    assert accepted == []


@pytest.mark.parametrize("name", PAIRS)
def test_the_difference_names_the_leaf(name):
    live = recorded.whole(name)

    changed = mutated(live, ("status", "phase"), "Error!")

    difference = same_workflow(changed, recorded.row(name)["workflow"])
    assert difference is not None
    assert str(difference) == "$.status.phase: live has text, the archive row has text"


@pytest.mark.parametrize("path", sorted(LEFT_OUT - {("metadata", "managedFields")}))
def test_what_is_left_out_may_differ(path):
    live = mutated(recorded.whole("team-a.hello-world"), path, "other")

    assert same_workflow(live, recorded.row("team-a.hello-world")["workflow"]) is None
