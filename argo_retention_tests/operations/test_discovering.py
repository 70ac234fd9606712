import base64
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from argo_retention.core.settings import ClusterSettings
from argo_retention.errors import ClusterForbiddenError, ConfigurationError
from argo_retention.operations.discovering import database_target, discover
from argo_retention.operations.site import Installation
from argo_retention_tests.fakes.cluster import FakeCluster
from argo_retention_tests.operations.installations import (
    CONFIG_MAP,
    PERSISTENCE,
    put_argo,
    put_configmap,
    put_deployment,
    put_secret,
)

POSTGRESQL: Mapping[str, Any] = PERSISTENCE["postgresql"]  # type: ignore[assignment]


def found(cluster: FakeCluster, **settings: object) -> Installation:
    return discover(cluster, ClusterSettings.model_validate(settings), partition="prod")


def refusal(cluster: FakeCluster, **settings: object) -> str:
    with pytest.raises(ConfigurationError) as refused:
        found(cluster, **settings)
    text = str(refused.value)
    assert len(text.splitlines()) <= 3
    return text


def test_the_servers_argument_names_the_configmap() -> None:
    cluster = FakeCluster()
    put_deployment(cluster, "controller", image="workflow-controller:v4", args=["--configmap=mine"])
    put_deployment(
        cluster,
        "server",
        image="registry:5000/argoproj/argocli:v4",
        args=["server", "--configmap", "mine"],
    )
    put_configmap(cluster, {"instanceID": "blue"}, name="mine")

    installation = found(cluster)

    assert installation.configmap == "mine"
    assert installation.instanceid == "blue"
    assert installation.found_by == "found by Deployment argo/server, its argument --configmap"
    assert installation.controllers == ("controller",)


@pytest.mark.parametrize(
    ("command", "args", "is_argo"),
    [
        pytest.param(["argo"], ["server", "--auth-mode=sso"], True, id="server of a mirror"),
        pytest.param([], ["server", "--auth-mode", "sso"], True, id="server without a command"),
        pytest.param(["workflow-controller"], [], True, id="controller of a mirror"),
        pytest.param(["nginx"], ["server"], False, id="another server"),
        pytest.param([], [], False, id="nothing to tell by"),
    ],
)
def test_a_renamed_image_is_told_by_its_command(
    command: Sequence[str], args: Sequence[str], is_argo: bool
) -> None:
    cluster = FakeCluster()
    put_deployment(cluster, "it", image="mirror/images@sha256:0", command=command, args=args)
    put_configmap(cluster, {})

    if is_argo:
        assert found(cluster).configmap == CONFIG_MAP
    else:
        assert "no Deployment of Argo's server or controller in any namespace" in refusal(cluster)


def test_a_deployment_without_containers_is_passed_over() -> None:
    cluster = FakeCluster()
    put_argo(cluster)
    cluster.add({"kind": "Deployment", "metadata": {"name": "odd", "namespace": "argo"}})

    assert found(cluster).controllers == ("workflow-controller",)


@pytest.mark.parametrize(
    ("args", "namespace"),
    [([], None), (["--namespaced"], "argo"), (["--managed-namespace", "team"], "team")],
)
def test_the_controllers_arguments_limit_what_is_managed(
    args: Sequence[str], namespace: str | None
) -> None:
    cluster = FakeCluster()
    put_argo(cluster)
    cluster.remove("Deployment", "argo", "workflow-controller")
    put_deployment(cluster, "workflow-controller", image="workflow-controller", args=args)

    assert found(cluster).managed_namespace == namespace


def test_settings_may_name_the_place_where_there_is_no_deployment() -> None:
    cluster = FakeCluster()
    put_configmap(cluster, {})

    installation = found(cluster, argo={"namespace": "argo", "configMap": CONFIG_MAP})

    assert installation.found_by == "named in retention.yaml"
    assert installation.controllers == ()


def test_nothing_found_in_the_named_namespace_is_said() -> None:
    assert "in namespace argo." in refusal(FakeCluster(), argo={"namespace": "argo"})


def test_several_namespaces_are_named_and_one_may_be_chosen() -> None:
    cluster = FakeCluster()
    put_argo(cluster)
    put_deployment(cluster, "controller", image="workflow-controller", namespace="test")

    assert "several namespaces: argo, test." in refusal(cluster)
    assert found(cluster, argo={"namespace": "argo"}).controller_namespace == "argo"


def test_several_configmaps_are_named_and_one_may_be_chosen() -> None:
    """Two controllers side by side: what one of them manages must not be taken for the other's."""
    cluster = FakeCluster()
    put_argo(cluster)
    put_deployment(
        cluster,
        "second",
        image="workflow-controller",
        args=["--configmap=second", "--managed-namespace=team"],
    )
    put_configmap(cluster, {"instanceID": "second"}, name="second")

    assert f"several ConfigMaps: second, {CONFIG_MAP}." in refusal(cluster)
    chosen = found(cluster, argo={"configMap": "second"})
    assert (chosen.managed_namespace, chosen.controllers) == ("team", ("second",))


def test_a_configmap_that_nobody_reads_is_taken_as_it_was_named() -> None:
    cluster = FakeCluster()
    put_argo(cluster)
    put_configmap(cluster, {}, name="mine")

    assert found(cluster, argo={"configMap": "mine"}).controllers == ()


def test_a_missing_configmap_is_named() -> None:
    cluster = FakeCluster()
    put_argo(cluster)
    cluster.remove("ConfigMap", "argo", CONFIG_MAP)

    assert f"there is no ConfigMap argo/{CONFIG_MAP}" in refusal(cluster)


def test_a_configmap_that_does_not_parse_is_named_with_key_and_line() -> None:
    cluster = FakeCluster()
    put_argo(cluster, {"persistence": "archive: true\narchiveTTL: 1h30m\n"})

    text = refusal(cluster)

    assert "key persistence.archiveTTL, line 2" in text
    assert text.endswith(f"kubectl --namespace argo edit configmap {CONFIG_MAP}")


def test_a_missing_right_stays_the_clusters_own_error() -> None:
    cluster = FakeCluster()
    cluster.deny("list", "deployments")

    with pytest.raises(ClusterForbiddenError):
        found(cluster)


class TestDatabase:
    def test_argos_secrets_say_who_connects(self) -> None:
        cluster = FakeCluster()
        put_argo(cluster)

        target = database_target(cluster, found(cluster), {})

        assert str(target) == "argo@db:5432/argo"
        assert target.password.get_secret_value() == "secret-password"
        assert target.sslmode == "disable"

    @pytest.mark.parametrize(
        ("ssl", "expected"),
        [
            ({"ssl": True}, "prefer"),
            ({"ssl": True, "sslMode": "verify-full"}, "verify-full"),
            ({"sslMode": "require"}, "disable"),
        ],
    )
    def test_ssl_mode_counts_only_with_ssl(self, ssl: Mapping[str, object], expected: str) -> None:
        cluster = FakeCluster()
        put_argo(cluster, {"persistence": {"postgresql": {**POSTGRESQL, **ssl, "port": 6432}}})

        target = database_target(cluster, found(cluster), {})

        assert (target.sslmode, target.port) == (expected, 6432)

    @pytest.mark.parametrize(
        ("persistence", "expected"),
        [
            (None, "expected postgresql, found no database"),
            ({"mysql": {"host": "db"}}, "expected postgresql, found mysql"),
            ({"postgresql": {"host": "db"}}, "expected userNameSecret and passwordSecret"),
            (
                {"postgresql": {**POSTGRESQL, "passwordSecret": None}},
                "expected userNameSecret and passwordSecret",
            ),
        ],
    )
    def test_what_is_missing_is_named(self, persistence: object, expected: str) -> None:
        cluster = FakeCluster()
        put_argo(cluster, {"persistence": persistence})

        with pytest.raises(ConfigurationError, match=expected):
            database_target(cluster, found(cluster), {})

    def test_the_environment_wins(self) -> None:
        cluster = FakeCluster()
        put_argo(cluster)
        installation = found(cluster, database={"url_env": "ARCHIVE_URL"})

        target = database_target(
            cluster, installation, {"ARCHIVE_URL": "postgresql://me:pw@else:1/db"}
        )

        assert str(target) == "me@else:1/db"

    @pytest.mark.parametrize(
        ("url_env", "environment"),
        [
            ("ARCHIVE_URL", {}),
            ("ARCHIVE_URL", {"ARCHIVE_URL": "mysql://me:marker@db/argo"}),
            ("postgresql://me:marker@db/argo", {}),
        ],
    )
    def test_a_url_that_cannot_be_used_is_never_shown(
        self, url_env: str, environment: Mapping[str, str]
    ) -> None:
        cluster = FakeCluster()
        put_argo(cluster)
        installation = found(cluster, database={"url_env": url_env})

        with pytest.raises(ConfigurationError) as refused:
            database_target(cluster, installation, environment)

        assert "marker" not in str(refused.value)
        assert "database.url_env" in str(refused.value)


class TestSecrets:
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (None, "There is no Secret 'postgres'"),
            ({}, "expected the key 'username', found no key"),
            ({"user": "YQ=="}, "expected the key 'username', found user"),
            ({"username": "marker!"}, "its value cannot be decoded"),
            ({"username": base64.b64encode(b"\xff").decode()}, "its value cannot be decoded"),
        ],
    )
    def test_secret_and_key_are_named_and_never_the_value(
        self, data: Mapping[str, str] | None, expected: str
    ) -> None:
        cluster = FakeCluster()
        put_argo(cluster)
        cluster.remove("Secret", "argo", "postgres")
        if data is not None:
            put_secret(cluster, "postgres", {})
            cluster.change("Secret", "argo", "postgres", lambda it: it.update(data=data))

        with pytest.raises(ConfigurationError, match=expected) as refused:
            database_target(cluster, found(cluster), {})

        assert "marker" not in str(refused.value)
