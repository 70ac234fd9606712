import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core.selectors import LabelSelector, Operator, Requirement, managed_selector
from argo_retention.errors import ConfigurationError

KEYS = st.sampled_from(["team", "tier", "in", "notin", "example.com/x", "n"])
VALUES = st.sampled_from(["", "ml", "gold", "in", "3", "7", "a.b-c"])


def requirement(key, operator, values):
    if operator in {Operator.EXISTS, Operator.DOES_NOT_EXIST}:
        return Requirement(key=key, operator=operator)
    if operator in {Operator.GREATER, Operator.LESS}:
        return Requirement(key=key, operator=operator, values=("5",))
    return Requirement(key=key, operator=operator, values=tuple(sorted(set(values))))


REQUIREMENTS = st.builds(
    requirement, KEYS, st.sampled_from(Operator), st.lists(VALUES, min_size=1, max_size=3)
)
SELECTORS = st.lists(REQUIREMENTS, max_size=4).map(
    lambda found: LabelSelector(requirements=tuple(found))
)
LABELS = st.dictionaries(KEYS, VALUES)


def naive(selector, labels):
    """What the Kubernetes documentation says, condition by condition."""
    for condition in selector.requirements:
        has = condition.key in labels
        value = labels.get(condition.key, "")
        number = int(value) if value.isdigit() else None
        fits = {
            Operator.IN: has and value in condition.values,
            Operator.NOT_IN: not has or value not in condition.values,
            Operator.EXISTS: has,
            Operator.DOES_NOT_EXIST: not has,
            Operator.GREATER: number is not None and number > 5,
            Operator.LESS: number is not None and number < 5,
        }[condition.operator]
        if not fits:
            return False
    return True


@given(SELECTORS, LABELS)
def test_matching_equals_the_naive_reading(selector, labels):
    assert selector.matches(labels) == naive(selector, labels)


@given(SELECTORS)
def test_written_and_read_again_is_the_same(selector):
    assert LabelSelector.parse(selector.to_query()) == selector


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("team=ml,tier!=gold,x in (b, a),!y", "team=ml,tier!=gold,x in (a,b),!y"),
        (" team == ml ", "team=ml"),
        ("", ""),
        ("a=,b", "a=,b"),
        ("in in (in)", "in=in"),
        ("a notin (x,)", "a notin (,x)"),
        ("a in (,)", "a="),
        ("a>5,b<-1", "a>5,b<-1"),
    ],
)
def test_grammar(text, query):
    assert LabelSelector.parse(text).to_query() == query


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("team=ml,", "position 9: found the end, expected a label name"),
        ("=ml", "position 1: found '=', expected a label name"),
        ("team=ml tier", "position 9: found 'tier', expected ','"),
        ("team=(", "position 6: found '(', expected a label value"),
        ("x in ()", "position 7: found ')', expected at least one value"),
        ("x in a", "position 6: found 'a', expected '('"),
        ("x in (a", "position 8: found the end, expected ','"),
        ("x > many", "position 5: found 'many', expected an integer"),
        ("x ~ y", "position 3: found '~', expected one of"),
        ("-x", "position 1: found '-x', expected a label name"),
        ("UPPER.com/x", "position 1: found 'UPPER.com/x', expected a label name"),
        ("x=" + "a" * 64, "expected a label value"),
    ],
)
def test_errors_name_the_position(text, message):
    with pytest.raises(ConfigurationError) as error:
        LabelSelector.parse(text)

    assert message in str(error.value)


def test_mapping_form():
    selector = LabelSelector.from_mapping(
        {
            "matchLabels": {"team": "ml"},
            "matchExpressions": [
                {"key": "tier", "operator": "NotIn", "values": ["gold", "gold"]},
                {"key": "x", "operator": "In", "values": ["b", "a"]},
                {"key": "y", "operator": "DoesNotExist"},
                {"key": "z", "operator": "Exists", "values": None},
            ],
        }
    )

    assert selector.to_query() == "team=ml,tier!=gold,x in (a,b),!y,z"
    assert LabelSelector.from_mapping({}).matches({"anything": "at all"})


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"matchLabel": {}}, "unknown key 'matchLabel'"),
        ({"matchLabels": ["a"]}, "matchLabels must be a map"),
        ({"matchLabels": {"a": 1}}, "matchLabels['a']: 1 is not a label value"),
        ({"matchLabels": {"a b": "1"}}, "'a b' is not a label name"),
        ({"matchExpressions": "a"}, "matchExpressions must be a list"),
        ({"matchExpressions": ["a"]}, "matchExpressions[0] must be a map"),
        (
            {"matchExpressions": [{"key": "a", "operator": "Gt"}]},
            "matchExpressions[0].operator is 'Gt'",
        ),
        (
            {"matchExpressions": [{"key": "a", "operator": "In", "values": "x"}]},
            "values must be a list",
        ),
        ({"matchExpressions": [{"key": "a", "operator": "In"}]}, "needs at least one value"),
        (
            {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]},
            "needs no values",
        ),
        ({"matchExpressions": [{"operator": "Exists"}]}, "None is not a label name"),
    ],
)
def test_mapping_errors_name_the_place(mapping, message):
    with pytest.raises(ConfigurationError) as error:
        LabelSelector.from_mapping(mapping)

    assert message in str(error.value)


def test_an_empty_instance_id_selects_workflows_without_the_label():
    label = "workflows.argoproj.io/controller-instanceid"

    assert managed_selector("") == f"!{label}"
    assert not LabelSelector.parse(managed_selector("")).matches({label: "other"})
    assert LabelSelector.parse(managed_selector("mine")).matches({label: "mine"})


@pytest.mark.parametrize(
    ("text", "value", "matches"),
    [
        ("n>5", "6", True),
        ("n>5", "5", False),
        ("n<5", "4", True),
        ("n<5", "5", False),
        ("n<5", "few", False),
        ("n<5", None, False),
    ],
)
def test_numbers_are_compared_as_numbers(text, value, matches):
    labels = {} if value is None else {"n": value}

    assert LabelSelector.parse(text).matches(labels) is matches
