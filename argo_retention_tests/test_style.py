"""House rules that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import argo_retention

PACKAGE = Path(argo_retention.__file__).parent
TESTS = Path(__file__).parent
LONGEST = 400

SOURCES = sorted(PACKAGE.rglob("*.py"))
TEST_SOURCES = sorted(path for path in TESTS.rglob("*.py") if "sabotage" not in path.parts)


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE.parent))


def _calls(tree: ast.AST) -> Iterator[str]:
    """Dotted names of everything that is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_files_are_short() -> None:
    lengths = {_name(p): len(p.read_text().splitlines()) for p in [*SOURCES, *TEST_SOURCES]}

    assert {name: n for name, n in lengths.items() if n >= LONGEST} == {}


def test_annotations_are_not_postponed() -> None:
    """Dagster reads them when a module is loaded, and fails on text."""
    postponed = [
        _name(path)
        for path in [*SOURCES, *TEST_SOURCES]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]

    assert postponed == []


def test_nothing_prints() -> None:
    printing = [_name(p) for p in SOURCES if "print" in _calls(ast.parse(p.read_text()))]

    assert printing == []


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    """So an import says where a thing is; nothing is exported twice."""
    wordy = [
        _name(path)
        for path in SOURCES
        if path.name == "__init__.py"
        for node in ast.parse(path.read_text()).body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]

    assert wordy == []


def test_no_client_is_mocked() -> None:
    """Fakes subclass a port and run its contract; a mock agrees with whatever is asked."""
    mocking = [
        _name(path)
        for path in TEST_SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith(("unittest", "mock"))
        )
        or (isinstance(node, ast.Import) and any(a.name.startswith("unittest") for a in node.names))
    ]

    assert mocking == []


def test_no_test_is_skipped() -> None:
    forbidden = re.compile(r"pytest\.(skip|importorskip|xfail|mark\.(skip|skipif|xfail))")
    found = [
        (_name(path), ast.unparse(node))
        for path in TEST_SOURCES
        if path.name.startswith("test_")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and forbidden.fullmatch(ast.unparse(node))
    ]

    assert found == []


def test_no_module_is_a_drawer_for_everything() -> None:
    names = {_name(path) for path in SOURCES if path.stem in {"utils", "helpers", "common", "misc"}}

    assert names == set()


def _test_names() -> set[str]:
    return {
        node.name
        for path in TEST_SOURCES
        if path.name.startswith("test_")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("promise", [f"p{number}" for number in range(1, 9)])
def test_each_promise_is_named_by_a_test(promise: str) -> None:
    """A promise of the design, P1 to P8, stands in the name of each test that keeps it."""
    assert any(f"_{promise}_" in name for name in _test_names())
