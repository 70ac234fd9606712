import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core.config_maps import parse_yaml
from argo_retention.core.yaml_cutting import without_key
from argo_retention.errors import ConfigurationError

keys = st.sampled_from(["archive", "archiveTTL", "postgresql", "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


def test_comments_and_layout_of_the_rest_stay() -> None:
    text = """\
# the archive
archive:   true   # yes
archiveTTL: 180d  # goes with its comment

# behind it
postgresql: {host: db}
"""

    assert (
        without_key(text, ("archiveTTL",))
        == """\
# the archive
archive:   true   # yes

# behind it
postgresql: {host: db}
"""
    )


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        pytest.param("a: 1\n", ("b",), "a: 1\n", id="no such key"),
        pytest.param("a: 1\n", ("a", "b"), "a: 1\n", id="no map there"),
        pytest.param("", ("a",), "", id="empty"),
        pytest.param("a: 1\n", ("a",), "", id="the only key"),
        pytest.param(
            "a:\n  b: 1\n  # of c\n  c: 2\n", ("a", "b"), "a:\n  # of c\n  c: 2\n", id="inner"
        ),
        pytest.param("a: {b: 1}\nc: 2\n", ("a",), "c: 2\n", id="flow map as value"),
        pytest.param("a:\n- 1\n- b: 2\n# of c\nc: 2\n", ("a",), "# of c\nc: 2\n", id="list"),
        pytest.param("a: |\n  x\n  y\nc: 2\n", ("a",), "c: 2\n", id="text of lines"),
        pytest.param("a:\nc: 2\n", ("a",), "c: 2\n", id="null"),
        pytest.param("a: []\nc: 2\n", ("a",), "c: 2\n", id="empty list"),
        # Where lines cannot be cut, the text is written anew.
        pytest.param("{a: 1, c: 2}", ("a",), "c: 2\n", id="flow style"),
        pytest.param("a: &x 1\nc: *x\n", ("a",), "c: 1\n", id="anchor that is used elsewhere"),
        pytest.param("a:\n  b: 1\n", ("a", "b"), "a: {}\n", id="map that becomes empty"),
        pytest.param(
            "z: &z {b: 1, d: 2}\na:\n  <<: *z\n",
            ("a", "b"),
            "z:\n  b: 1\n  d: 2\na:\n  d: 2\n",
            id="merge key",
        ),
    ],
)
def test_one_key_goes(text: str, path: tuple[str, ...], expected: str) -> None:
    assert without_key(text, path) == expected


def test_text_that_is_not_yaml_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not YAML"):
        without_key("a: b: c", ("a",))


@given(st.dictionaries(keys, values), st.booleans())
def test_nothing_else_changes(document: dict[str, object], flow: bool) -> None:
    """Whatever the text looks like, the value without the key is what is left."""
    import yaml

    text = yaml.safe_dump(document, default_flow_style=flow)

    left = without_key(text, ("archiveTTL",))

    document.pop("archiveTTL", None)
    assert (parse_yaml(left, source="test")[0] or {}) == document
