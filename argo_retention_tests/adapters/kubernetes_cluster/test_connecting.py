"""Finding the cluster, and sending the credentials that belong to it and showing them to nobody else."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from argo_retention.adapters.kubernetes_cluster.cluster import KubernetesCluster
from argo_retention.adapters.kubernetes_cluster.connecting import connect
from argo_retention.adapters.kubernetes_cluster.transport import (
    CREDENTIALS_SECONDS,
    Credentials,
)
from argo_retention.errors import ClusterForbiddenError, ConfigurationError
from argo_retention_tests.adapters.kubernetes_cluster.scripted_api import (
    ScriptedApi,
    golden,
)

SECRET = "do-not-show-me"


def kubeconfig(folder: Path, url: str, user: Any = None, **change: Any) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": SECRET} if user is None else user}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
        **change,
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def authorization(api: ScriptedApi, cluster: KubernetesCluster) -> str | None:
    api.will_give(golden("version"))
    cluster.server_time()
    cluster.close()
    return api.requests[-1].headers.get("Authorization")


def test_a_token_is_sent(api: ScriptedApi, tmp_path: Path) -> None:
    cluster = connect(kubeconfig=kubeconfig(tmp_path, api.url), context="here", name="prod")

    assert authorization(api, cluster) == f"Bearer {SECRET}"


def test_a_token_file_is_read_without_its_line_break(api: ScriptedApi, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"{SECRET}\n")
    path = kubeconfig(tmp_path, api.url, {"tokenFile": str(token)})

    cluster = connect(kubeconfig=path, context=None, name="prod")

    assert authorization(api, cluster) == f"Bearer {SECRET}"


def test_an_exec_plugin_gives_the_token(api: ScriptedApi, tmp_path: Path) -> None:
    version = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": "fresh"}}
    plugin = {
        "apiVersion": version,
        "command": sys.executable,
        "args": ["-c", f"print({json.dumps(json.dumps(credential))})"],
        "interactiveMode": "Never",
    }
    path = kubeconfig(tmp_path, api.url, {"exec": plugin})

    cluster = connect(kubeconfig=path, context=None, name="prod")

    assert authorization(api, cluster) == "Bearer fresh"


def test_without_credentials_the_refusal_says_so(api: ScriptedApi, tmp_path: Path) -> None:
    """The client passes over an exec plugin that fails; the server then sees nobody."""
    cluster = connect(kubeconfig=kubeconfig(tmp_path, api.url, {}), context=None, name="prod")
    api.will_give(golden("unauthorized"))

    with pytest.raises(ClusterForbiddenError, match="carried no credentials"):
        cluster.namespaces()
    cluster.close()
    assert "Authorization" not in api.requests[0].headers


def test_KUBECONFIG_is_followed_when_nothing_else_is_said(  # noqa: N802
    api: ScriptedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{kubeconfig(tmp_path, api.url)}")

    cluster = connect(kubeconfig=None, context=None, name="prod")

    assert authorization(api, cluster) == f"Bearer {SECRET}"


def test_a_pods_service_account_comes_before_KUBECONFIG(  # noqa: N802
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, "http://127.0.0.1:1"))

    with pytest.raises(ConfigurationError, match="service account"):
        connect(kubeconfig=None, context=None, name="prod")


def test_a_proxy_is_used_for_a_server_elsewhere(
    api: ScriptedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, api.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")

    path = kubeconfig(tmp_path, "http://cluster.invalid/c-1")
    cluster = connect(kubeconfig=path, context=None, name="prod")

    assert authorization(api, cluster) == f"Bearer {SECRET}"
    assert api.asked() == ["GET http://cluster.invalid/c-1/version"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_proxy_is_not_used_for_this_machine(
    api: ScriptedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.invalid")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    path = kubeconfig(tmp_path, api.url.replace("127.0.0.1", host))

    cluster = connect(kubeconfig=path, context=None, name="prod")

    assert authorization(api, cluster) == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"contexts": []}, 'has no context "here".\nIts contexts are: none'),
        ({"current-context": "away"}, 'has no context "away".\nIts contexts are: here.'),
        ({"current-context": None}, "names no current-context"),
        ({"clusters": []}, "an entry is missing or malformed"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, "is not a URL like https://HOST:PORT"),
        ({"contexts": "no list"}, "is not a kubeconfig"),
        ({"contexts": [{"context": {"token": SECRET}}]}, "is not a kubeconfig"),
        ({"users": [{"user": {"token": SECRET}}]}, "an entry is missing or malformed"),
        (
            {
                "clusters": [
                    {
                        "name": "c",
                        "cluster": {"server": "https://h", "certificate-authority": "/no/ca"},
                    }
                ]
            },
            "File does not exist: /no/ca",
        ),
    ],
)
def test_a_kubeconfig_that_does_not_serve_is_explained(
    tmp_path: Path, change: dict[str, Any], text: str
) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:1", **change)

    with pytest.raises(ConfigurationError) as caught:
        connect(kubeconfig=path, context=None, name="prod")
    message = str(caught.value)
    assert text in message
    assert message.startswith("Cluster prod: ")
    assert len(message.splitlines()) <= 3
    assert SECRET not in f"{message} {caught.value.__cause__!r}"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (f"users: [token: {SECRET}\n", "is not YAML, line 2"),
        ("- a list\n", "is not a kubeconfig"),
        ("", "is not a kubeconfig"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_explained(tmp_path: Path, content: str, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)

    with pytest.raises(ConfigurationError) as caught:
        connect(kubeconfig=str(path), context=None, name="prod")
    assert text in str(caught.value)
    assert SECRET not in f"{caught.value} {caught.value.__cause__!r}"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"no kubeconfig at {tmp_path}/none"):
        connect(kubeconfig=f"{tmp_path}/none", context=None, name="prod")


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not readable: Is a directory"):
        connect(kubeconfig=str(tmp_path), context=None, name="prod")


def test_credentials_are_asked_for_again_after_a_while() -> None:
    tokens, now = iter(("one", "two")), [0.0]
    credentials = Credentials(lambda: next(tokens), timer=lambda: now[0])

    seen = []
    for now[0] in (0.0, CREDENTIALS_SECONDS - 1, CREDENTIALS_SECONDS):
        seen.append(credentials.headers()["Authorization"])

    assert seen == ["one", "one", "two"]


@pytest.mark.parametrize("token", [f"Bearer {SECRET}\nX: y", f"Bearer {SECRET}ü"])
def test_a_token_that_no_header_may_hold_is_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Credentials(lambda: token).headers()
    assert SECRET not in str(caught.value)
