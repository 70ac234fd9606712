from datetime import timedelta

import pytest

from argo_retention.core.settings import RetentionSettings
from argo_retention.core.settings_file import parse_settings
from argo_retention.errors import ConfigurationError


def test_defaults_hold_for_every_cluster_and_its_own_keys_win() -> None:
    text = """\
defaults:
  brakes: {max_deletions: 10, max_share: 0.5}
  rules: [{name: a}]
clusters:
  blue:
  green:
    brakes: {max_deletions: 20}
    rules: [{name: b}]
"""

    clusters = parse_settings(text, source="retention.yaml").clusters

    blue, green = clusters["blue"], clusters["green"]
    assert (blue.brakes.max_deletions, blue.rules[0].name) == (10, "a")
    assert (green.brakes.max_deletions, green.brakes.max_share) == (20, 0.5)
    assert [rule.name for rule in green.rules] == ["b"]


def test_durations_are_read_as_argo_reads_them() -> None:
    text = "clusters: {a: {argo: {archiveTTL: 180d}, retention: {proof_age: 0}}}"

    own = parse_settings(text, source="x").clusters["a"]

    assert own.argo.archiveTTL == timedelta(days=180)
    assert own.retention.proof_age == timedelta(0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a", "expected a mapping with the key clusters, found a list"),
        ("a", "expected a mapping with the key clusters, found text"),
        ("", "found an empty file"),
        ("a: '\n", "line 2, column 1: this is not valid YAML"),
        ("clusters: \0", "f.yaml: this is not valid YAML"),
        ("cluster: {}", "line 1, key clusters: this key is missing (1 more after this one)"),
        ("clusters: 1", "line 1, key clusters: expected a map"),
        ("clusters:\n  A: {}", "line 2, key clusters.A: expected: "),
        ("clusters:\n  a: 1", "line 2, key clusters.a: expected a map, found 1"),
        ("defaults: 1\nclusters: {a: {}}", "line 1, key defaults: expected a map, found 1"),
        (
            "defaults:\n  x: 1\nclusters: {a: {}}",
            "line 2, key defaults.x: there is no such key; expected one of archive, argo,",
        ),
        (
            "clusters:\n  a:\n    rules:\n      - name: r\n        keep: {lst: 1}",
            "line 5, key clusters.a.rules.0.keep.lst: there is no such key; expected one of daily, ",
        ),
        (
            "clusters:\n  a:\n    rules:\n      - name: r\n      - keep: {last: 1}",
            "line 5, key clusters.a.rules.1.name: this key is missing",
        ),
        (
            "clusters: {a: {rules: [{name: r}, {name: r}]}}",
            "key clusters.a.rules: expected each rule to have its own name, found 'r' twice",
        ),
        (
            "clusters: {a: {rules: [{name: r, group_by: [owner]}]}}",
            "expected namespace, template, phase or label:KEY, found 'owner'",
        ),
        ("clusters: {a: {logs: {save: some}}}", "expected 'argo', 'all' or 'none', found 'some'"),
        ("clusters: {a: {logs: {parallel: 0}}}", "greater than or equal to 1, found 0"),
        ("clusters: {a: {brakes: {max_share: x}}}", "expected a number, found 'x'"),
        ("clusters: {a: {bucket: {exclusive: x}}}", "expected true or false, found 'x'"),
        ("clusters: {a: {context: [1]}}", "key clusters.a.context: expected text."),
        ("clusters: {a: {rules: x}}", "expected a list, found 'x'"),
        ("defaults: {}\nclusters:\n", "line 2, key clusters: expected a map"),
        ("clusters: {}", "expected at least 1 entry, found 0"),
        (
            "clusters: {a: {argo: {archiveTTL: -1d}}}",
            "expected a duration that is not negative, such as 7d",
        ),
        ("defaults: {rules: [{}]}\nclusters: {a: {}}", "key defaults.rules.0.name: this key"),
        ("base: &b {x: 1}\nclusters: {a: {<<: *b}}", "key clusters.a.x: there is no such key"),
    ],
)
def test_a_mistake_is_named_with_line_key_and_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_settings(text, source="f.yaml")

    assert expected in str(refused.value)
    assert str(refused.value).startswith("f.yaml")
    assert len(str(refused.value).splitlines()) <= 3


def test_durations_and_selectors_may_be_given_as_values() -> None:
    settings = RetentionSettings(proof_age=timedelta(seconds=5))

    assert settings.proof_age == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("retention: {proof_age: -1s}", "proof_age"),
        ("retention: {proof_age: soon}", "proof_age"),
        ('rules: [{name: a, match: {selector: "a=b=c"}}]', "selector"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        parse_settings(f"clusters: {{a: {{{text}}}}}", source="retention.yaml")


def test_owners_are_addresses_and_teams() -> None:
    text = "owners: ['team:platform', 'ops@example.com']\nclusters: {production: {}}"

    assert parse_settings(text, source="r.yaml").owners == ("team:platform", "ops@example.com")


@pytest.mark.parametrize(
    ("owner", "says"),
    [("team:", "name after team:"), ("platform", "e-mail address or team:NAME")],
)
def test_an_owner_that_dagster_would_not_take_is_named(owner: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        parse_settings(f"owners: ['{owner}']\nclusters: {{production: {{}}}}", source="r.yaml")
