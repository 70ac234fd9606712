"""The emulator as a child process, asked with the official client."""

import http.client
import json
import os
import select
import subprocess
import sys
from urllib.parse import urlsplit

import kubernetes
import pytest

from argo_retention.demo.kube_api.process import (
    KubeApiProcess,
    KubeApiStartError,
    write_kubeconfig,
)
from argo_retention_tests.demo.kube_api.client import ACCESS, ADMIN, WORKFLOWS, workflow


def seed(folder, count: int = 3) -> None:
    lines = [workflow(f"wf-{n}", resourceVersion=str(100 + n), uid=f"u{n}") for n in range(count)]
    (folder / "objects.ndjson").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    (folder / "access.json").write_text(json.dumps(ACCESS))


@pytest.mark.parametrize("for_kubectl", [False, True])
def test_the_official_client_works_through_the_kubeconfig(tmp_path, for_kubectl) -> None:
    seed(tmp_path)
    with KubeApiProcess() as server:
        server.start(tmp_path)
        config = write_kubeconfig(
            tmp_path / "kubeconfig",
            url=server.url,
            token=ADMIN,
            cluster="seed",
            for_kubectl=for_kubectl,
        )
        with kubernetes.config.new_client_from_config(str(config)) as api:
            custom = kubernetes.client.CustomObjectsApi(api)
            found = custom.list_namespaced_custom_object(
                "argoproj.io", "v1alpha1", "demo", "workflows"
            )
            namespaces = kubernetes.client.CoreV1Api(api).list_namespace()

        assert [item["metadata"]["uid"] for item in found["items"]] == ["u0", "u1", "u2"]
        assert [item.metadata.name for item in namespaces.items] == ["demo", "kube-system"]
        assert config.stat().st_mode & 0o077 == 0
        pid = server.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_says_why_it_did_not_start(tmp_path) -> None:
    (tmp_path / "access.json").write_text("{")

    with pytest.raises(KubeApiStartError, match=r"ended with code 1; its log ends"):
        KubeApiProcess().start(tmp_path)


def test_it_ends_when_its_parent_is_killed(tmp_path) -> None:
    seed(tmp_path)
    code = (
        "import sys, pathlib, os, signal\n"
        "from argo_retention.demo.kube_api.process import KubeApiProcess\n"
        "print(KubeApiProcess().start(pathlib.Path(sys.argv[1])).pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()

        assert select.select([child], [], [], 10)[0], "the child is still there"
    os.close(child)


def test_a_cut_answer_is_seen_as_one_by_a_client(tmp_path) -> None:
    seed(tmp_path)
    with KubeApiProcess() as server:
        address = urlsplit(server.start(tmp_path).url)
        connection = http.client.HTTPConnection(address.hostname, address.port)
        headers = {"Authorization": f"Bearer {ADMIN}"}
        connection.request("POST", "/emulator/faults", '{"cut_after_bytes": 10}', headers)
        connection.getresponse().read()
        connection.request("GET", WORKFLOWS, headers=headers)

        with pytest.raises(http.client.IncompleteRead):
            connection.getresponse().read()
        connection.close()
