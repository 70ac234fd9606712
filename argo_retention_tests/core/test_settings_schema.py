"""The JSON Schema that editors read says what the program takes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from argo_retention.core import settings_schema as settings_schema_module
from argo_retention.core.settings_schema import KEPT, settings_schema

CLUSTER = """
kubeconfig: /etc/kube
argo: {retentionPolicy: {completed: 3}, archiveTTL: 180d}
rules:
  - name: ci
    match: {namespaces: ["ci-*"], selector: "team=ml", phases: [Failed], template: build}
    group_by: [namespace, "label:team"]
    keep: {last: 3, within: 7d, daily: 14}
    archive: {ttl: 90d}
    logs: {save: all}
brakes: {max_deletions: 10, max_share: 0.5, per_second: 2.5}
retention: {mode: apply, proof_age: 0, plan_max_age: 1h}
"""


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    kept = json.loads(KEPT.read_text())
    Draft202012Validator.check_schema(kept)
    return Draft202012Validator(kept)


def test_the_kept_schema_is_current() -> None:
    """Where a change is meant: `python -m argo_retention.core.settings_schema` writes it anew."""
    assert json.loads(KEPT.read_text()) == settings_schema()


def test_what_the_program_takes_is_valid(validator: Draft202012Validator) -> None:
    cluster = yaml.safe_load(CLUSTER)

    validator.validate({"clusters": {"a": cluster, "b": {}}, "defaults": cluster})


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"clusters": {}},
        {"clusters": {"a": {"retention": {"mode": "delete"}}}},
        {"clusters": {"a": {"retention": {"proof_age": "ten minutes"}}}},
        {"clusters": {"a": {"brakes": {"max_deletions": -1}}}},
        {"clusters": {"a": {"rulez": []}}},
        {"clusters": {"a": {"rules": [{}]}}},
        {"clusters": {"a": {}}, "defaults": {"rulez": []}},
    ],
    ids=json.dumps,
)
def test_what_the_program_refuses_is_not_valid(
    validator: Draft202012Validator, wrong: dict[str, Any]
) -> None:
    assert not validator.is_valid(wrong)


def test_the_command_writes_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_schema_module, "KEPT", tmp_path / "schema.json")

    settings_schema_module.write_schema()

    assert (tmp_path / "schema.json").read_text() == KEPT.read_text()
