import json
from collections.abc import Mapping
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core.durations import parse_ttl
from argo_retention.core.settings import ClusterSettings
from argo_retention.core.settings_file import parse_settings
from argo_retention.errors import ConfigurationError
from argo_retention.operations.adopting import Adoption, adopt, ttl_text
from argo_retention.operations.discovering import discover
from argo_retention_tests.fakes.cluster import FakeCluster
from argo_retention_tests.operations.installations import (
    CONFIG_MAP,
    NAMESPACE,
    PERSISTENCE,
    put_argo,
    put_configmap,
    put_deployment,
)

POLICY = {"completed": 3, "failed": 0}
WITH_TTL = {**PERSISTENCE, "archiveTTL": "180d"}


def adoption(cluster: FakeCluster) -> Adoption:
    return adopt(cluster, discover(cluster, ClusterSettings(), partition="prod"))


def applied(cluster: FakeCluster, patch: Mapping[str, object] | None) -> FakeCluster:
    """A cluster whose ConfigMap was changed by the merge patch."""
    assert patch is not None
    changes = patch["data"]
    assert isinstance(changes, Mapping)
    found = cluster.get_object(kind="ConfigMap", namespace=NAMESPACE, name=CONFIG_MAP)
    assert found is not None
    data = {**found["data"], **changes}
    patched = FakeCluster()
    put_deployment(patched, "workflow-controller", image="workflow-controller")
    put_configmap(patched, {key: text for key, text in data.items() if text is not None})
    return patched


FORMS = {
    "a key each": {"retentionPolicy": POLICY, "persistence": WITH_TTL},
    "old form": {"config": {"retentionPolicy": POLICY, "persistence": WITH_TTL}},
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
def test_after_adoption_the_policy_is_the_same_and_argo_deletes_nothing(
    data: Mapping[str, object],
) -> None:
    """Block and patch together change who deletes, not what is kept (but for keys that Argo has unset)."""
    cluster = FakeCluster()
    put_deployment(cluster, "workflow-controller", image="workflow-controller")
    put_configmap(cluster, data)
    before = discover(cluster, ClusterSettings(), partition="prod")

    made = adoption(cluster)

    own = parse_settings(made.settings, source="retention.yaml").clusters["prod"]
    after = discover(applied(cluster, made.patch), own, partition="prod")
    assert after.policy == before.policy
    assert after.argo.retention_policy is None
    assert after.argo.persistence.archive_ttl is None
    assert after.argo.persistence.database == before.argo.persistence.database


def test_a_key_that_argo_leaves_unset_is_shown_with_what_argo_does() -> None:
    cluster = FakeCluster()
    put_argo(cluster, {"retentionPolicy": POLICY})

    made = adoption(cluster)

    assert "failed: 0\n" in made.settings
    assert "errored: null  # keeps all; Argo takes unset as 0 (keeps none)" in made.settings
    assert "archiveTTL: 0  # never" in made.settings


def test_the_patch_carries_the_version_that_was_read() -> None:
    """A change that somebody made meanwhile is not undone: the API server answers 409."""
    cluster = FakeCluster()
    put_argo(cluster, {"persistence": WITH_TTL})

    made = adoption(cluster)

    found = cluster.get_object(kind="ConfigMap", namespace=NAMESPACE, name=CONFIG_MAP)
    assert found is not None
    assert made.patch is not None
    assert made.patch["metadata"] == {"resourceVersion": found["metadata"]["resourceVersion"]}
    assert list(made.patch["data"]) == ["persistence"]
    json.dumps(made.patch)


def test_the_command_holds_the_patch_as_readable_yaml() -> None:
    cluster = FakeCluster()
    put_argo(cluster, {"retentionPolicy": POLICY, "persistence": WITH_TTL})

    made = adoption(cluster)

    command, restart = made.commands
    first, *body, last = command.splitlines()
    assert first == (
        f"kubectl --namespace argo patch configmap {CONFIG_MAP} --type merge"
        " --patch-file /dev/stdin <<'EOF'"
    )
    assert last == "EOF"
    assert yaml.safe_load("\n".join([*body, ""])) == made.patch
    assert "    archive: true" in body
    assert restart == "kubectl --namespace argo rollout restart deployment/workflow-controller"


@pytest.mark.parametrize("note", ["ä", "\x85", "\u2028", "a b \t", "'\"$(id)`"])
def test_whatever_stands_in_the_configmap_survives_the_command(note: str) -> None:
    cluster = FakeCluster()
    put_argo(cluster, {"persistence": yaml.safe_dump({**WITH_TTL, "note": f"{note}\nEOF"})})

    made = adoption(cluster)

    _, _, rest = made.commands[0].partition("<<'EOF'\n")
    body, _, behind = rest.partition("\nEOF")
    assert behind == ""
    assert yaml.safe_load(f"{body}\n") == made.patch


def test_without_a_controller_the_restart_names_its_usual_name_and_says_so() -> None:
    cluster = FakeCluster()
    put_deployment(cluster, "argo-server", image="argocli")
    put_configmap(cluster, {"retentionPolicy": POLICY})

    made = adoption(cluster)

    assert made.commands[-1].endswith("rollout restart deployment/workflow-controller")
    assert any("No Deployment of the controller" in note for note in made.notes)
    assert "# no retentionPolicy" not in made.settings


def test_who_manages_the_configmap_is_named() -> None:
    cluster = FakeCluster()
    put_deployment(cluster, "controller", image="workflow-controller")
    put_configmap(
        cluster, {"retentionPolicy": POLICY}, labels={"app.kubernetes.io/managed-by": "Helm"}
    )

    made = adoption(cluster)

    assert any("managed by Helm" in note for note in made.notes)
    assert made.commands[-1].endswith("deployment/controller")


OWN = {
    "a key each": {"persistence": PERSISTENCE},
    "no persistence": {"instanceID": "a"},
    "old form": {"config": {"persistence": PERSISTENCE}},
}


@pytest.mark.parametrize("data", OWN.values(), ids=OWN)
def test_where_there_is_nothing_to_take_over_nothing_is_to_be_done(
    data: Mapping[str, object],
) -> None:
    cluster = FakeCluster()
    put_deployment(cluster, "workflow-controller", image="workflow-controller")
    put_configmap(cluster, data)

    made = adoption(cluster)

    assert made.patch is None
    assert made.commands == made.notes == ()
    assert "# no retentionPolicy in ConfigMap argo/" in made.settings


def test_a_configmap_that_goes_meanwhile_is_said() -> None:
    cluster = FakeCluster()
    put_argo(cluster)
    installation = discover(cluster, ClusterSettings(), partition="prod")
    cluster.remove("ConfigMap", NAMESPACE, CONFIG_MAP)

    with pytest.raises(ConfigurationError, match="has just gone"):
        adopt(cluster, installation)


@given(st.integers(min_value=1, max_value=10**9))
def test_a_ttl_is_written_as_argo_reads_it(seconds: int) -> None:
    ttl = timedelta(seconds=seconds)

    assert parse_ttl(ttl_text(ttl)) == ttl
