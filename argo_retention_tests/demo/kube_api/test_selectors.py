import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.demo.kube_api.selectors import field_selector, label_selector
from argo_retention.demo.kube_api.statuses import ApiError

KEYS = st.sampled_from(["team", "tier", "workflows.argoproj.io/phase", "in"])
VALUES = st.sampled_from(["ml", "gold", "Failed", ""])
LABELS = st.dictionaries(KEYS, VALUES)


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        pytest.param("", {}, True, id="nothing selects everything"),
        pytest.param("a=1", {"a": "1"}, True, id="equal"),
        pytest.param("a==1", {"a": "2"}, False, id="double equals"),
        pytest.param("a!=1", {}, True, id="an absent label is unequal"),
        pytest.param("a", {"a": ""}, True, id="exists, whatever the value"),
        pytest.param("!a", {"a": "1"}, False, id="absent"),
        pytest.param(" a in (1, 2) , !b", {"a": "2"}, True, id="set and absence, with spaces"),
        pytest.param("a notin (1,2)", {}, True, id="an absent label is in no set"),
        pytest.param("a=,b=1", {"a": "", "b": "1"}, True, id="the empty value"),
        pytest.param("a=1,b=1", {"a": "1"}, False, id="all requirements must hold"),
    ],
)
def test_label_selectors(text, labels, expected) -> None:
    predicate = label_selector(text)

    assert (predicate is None or predicate(labels)) is expected


@pytest.mark.parametrize("text", ["a===", "=1", "a in 1", "a in (1", "a ? b", ",", "!", "a b"])
def test_broken_label_selectors_are_bad_requests(text) -> None:
    with pytest.raises(ApiError) as caught:
        label_selector(text)

    assert caught.value.code == 400


@given(key=KEYS, values=st.lists(VALUES, min_size=1, max_size=3), labels=LABELS)
def test_a_set_and_its_complement_divide_everything(key, values, labels) -> None:
    inside = label_selector(f"{key} in ({','.join(values)})")
    outside = label_selector(f"{key} notin ({','.join(values)})")

    assert inside(labels) is (labels.get(key) in values)
    assert outside(labels) is not inside(labels)


def test_field_selectors_know_their_fields() -> None:
    supported = frozenset({"metadata.name", "status.phase"})
    predicate = field_selector("metadata.name=a,status.phase!=Failed", supported)

    assert predicate({"metadata.name": "a", "status.phase": "Running"})
    assert not predicate({"metadata.name": "a", "status.phase": "Failed"})
    with pytest.raises(ApiError, match="field label not supported"):
        field_selector("spec.x=1", supported)
    with pytest.raises(ApiError, match="invalid selector"):
        field_selector("metadata.name", supported)
