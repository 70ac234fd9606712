from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core.archive_rows import REPOSITORY_REF_ADDED
from argo_retention.core.proving import row_resource_version, same_workflow
from argo_retention_tests.core.manifest_factory import log_artifact, node, workflow

EMPTY = st.sampled_from([None, "", {}, [], {"a": None, "b": {"c": []}}])
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.text(max_size=3),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


def path_of(live, row, **options):
    difference = same_workflow(live, row, **options)
    return None if difference is None else difference.path


@given(JSON)
def test_everything_is_the_same_as_itself(value):
    found = workflow(spec={"x": value})

    assert same_workflow(found, workflow(spec={"x": value})) is None


@given(EMPTY, EMPTY)
def test_all_empty_values_and_absence_are_the_same(one, other):
    assert same_workflow(workflow(spec={"x": one}), workflow(spec={"x": other})) is None
    assert same_workflow(workflow(spec={"x": one}), workflow()) is None


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (Decimal("1.50"), 1.5), (1000, Decimal("1e3")), (0, -0.0)]
)
def test_numbers_are_compared_as_decimals(one, other):
    assert same_workflow(workflow(spec={"x": one}), workflow(spec={"x": other})) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(1, True, id="in Python True == 1"),
        pytest.param(0, None, id="zero is a value"),
        pytest.param(False, None, id="false is a value"),
        pytest.param("1", 1, id="text is no number"),
        pytest.param(Decimal("0.1"), Decimal("0.1000000000000000055"), id="not as floats"),
        pytest.param([None], [], id="an empty element is an element"),
        pytest.param([1, 2], [2, 1], id="order counts in lists"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, id="a key more"),
        pytest.param({"a": 1}, [1], id="map and list"),
    ],
)
def test_anything_else_differs(one, other):
    assert path_of(workflow(spec={"x": one}), workflow(spec={"x": other})).startswith("$.spec.x")
    assert path_of(workflow(spec={"x": other}), workflow(spec={"x": one})).startswith("$.spec.x")


def test_the_path_names_nodes_and_list_positions():
    live = workflow(status={"nodes": {"wf-1": node(children=["a", "b"])}})
    row = workflow(status={"nodes": {"wf-1": node(children=["a", "c"])}})

    assert path_of(live, row) == '$.status.nodes["wf-1"].children[1]'


def test_a_difference_says_kinds_but_never_values():
    difference = same_workflow(workflow(spec={"x": ["s3cr3t"]}), workflow(spec={"x": 7}))

    assert str(difference) == "$.spec.x: live has 1 entries, the archive row has a number"


@pytest.mark.parametrize("key", ["compressedNodes", "offloadNodeStatusVersion"])
def test_a_side_that_is_not_whole_proves_nothing(key):
    """Otherwise two workflows without nodes would be taken for the same."""
    found = workflow(status={"nodes": None, key: "something"})

    assert path_of(found, workflow(status={"nodes": None})) == f"$.status.{key}"
    assert path_of(workflow(status={"nodes": None}), found) == f"$.status.{key}"


def test_only_what_the_ledger_names_is_left_out():
    live = workflow(status={"nodes": {"a/b": node(), "c": node()}})
    outputs = {"artifacts": [log_artifact("k")]}
    row = workflow(
        status={
            "nodes": {"a/b": node(outputs=outputs), "c": node(outputs=outputs)},
            "artifactRepositoryRef": {"artifactRepository": {"s3": {}}, "default": True},
        }
    )

    assert same_workflow(live, row, added=["a/b/main", "c/main", REPOSITORY_REF_ADDED]) is None
    assert (
        path_of(live, row, added=["a/b/main", REPOSITORY_REF_ADDED]) == "$.status.nodes.c.outputs"
    )
    assert (
        path_of(live, row, added=["a/b/side", "c/main", REPOSITORY_REF_ADDED])
        == '$.status.nodes["a/b"].outputs'
    )
    assert path_of(live, row, added=["a/b/main", "c/main"]) == "$.status.artifactRepositoryRef"


@pytest.mark.parametrize(("version", "number"), [("12", 12), (None, None), ("x", None), (12, None)])
def test_resource_version_of_a_row(version, number):
    assert row_resource_version(workflow(metadata={"resourceVersion": version})) == number
