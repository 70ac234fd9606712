"""The roles that we ship: what doctor asks for, and nothing else; the demo and the end-to-end tests run with them."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from argo_retention.core.settings_file import parse_settings
from argo_retention.demo.scenes.scene import RULES
from argo_retention.operations.doctoring.rights import needed_rights

DEPLOY = Path(__file__).parents[2] / "deploy"
OWN = """
clusters:
  prod:
    s3: {credentials: own}
    database: {url_env: ARCHIVE_URL}
"""
FROM_ARGO = "clusters: {prod: {}}"

Rights = dict[tuple[str, str], set[str]]  # (group, resource) → verbs


def role(name: str) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all((DEPLOY / name).read_text())
    [found] = [each for each in documents if each["kind"] == "ClusterRole"]
    return list(found["rules"])


def rights_of(rules: Any) -> Rights:
    rights: Rights = defaultdict(set)
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                rights[group, resource] |= set(rule["verbs"])
    return rights


@pytest.mark.parametrize(
    ("name", "text"), [("rbac.yaml", OWN), ("rbac-with-secrets.yaml", FROM_ARGO)]
)
def test_a_role_is_what_doctor_asks_for(name: str, text: str) -> None:
    settings = parse_settings(text, source="retention.yaml").clusters["prod"]
    asked: Rights = defaultdict(set)
    for right in needed_rights(settings, None):
        asked[right.group, right.resource] |= set(right.verbs)

    assert rights_of(role(name)) == asked


def test_the_demo_runs_with_the_role_that_is_shipped() -> None:
    assert rights_of(RULES) == rights_of(role("rbac-with-secrets.yaml"))


@pytest.mark.parametrize("name", ["rbac.yaml", "rbac-with-secrets.yaml"])
def test_the_role_is_bound_to_the_service_account(name: str) -> None:
    account, role_, binding = yaml.safe_load_all((DEPLOY / name).read_text())

    assert binding["roleRef"]["name"] == role_["metadata"]["name"]
    [subject] = binding["subjects"]
    assert (subject["kind"], subject["name"], subject["namespace"]) == (
        account["kind"],
        account["metadata"]["name"],
        account["metadata"]["namespace"],
    )
