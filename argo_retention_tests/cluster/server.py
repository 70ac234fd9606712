"""A real kube-apiserver with etcd in one process, made by `testing/cluster`, with Argo's CRDs and one node."""

import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3
import yaml

from argo_retention.demo.processes import free_ports
from argo_retention_tests.cluster.kubelet import Kubelet
from argo_retention_tests.contracts.cluster_worlds import ADMIN, POWERLESS

#: Set by `make test-cluster`: the binary that it built.
BINARY_VARIABLE = "ARGO_RETENTION_TEST_CLUSTER"
CRDS = Path(__file__).parents[2] / "testing" / "cluster" / "crds.yaml"
NODE = "n"
SERVICE_ACCOUNT = "service-account-token"  # of argo:argo-retention
SECONDS = 180.0
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class ApiError(Exception):
    """An answer that a test's own request did not expect."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body[:500]!r}")
        self.status = status


class RealServer:
    """Started by `with`; ends when its input is closed, so it outlives no test run."""

    def __init__(self, folder: Path, *flags: str) -> None:
        """`flags` are the API server's own."""
        self._folder = folder
        self._flags = flags
        self.url = self.ca_file = self._etcd = ""

    def __enter__(self) -> Self:
        tokens = self._folder / "tokens.csv"
        tokens.write_text(
            f"{ADMIN},admin,admin,system:masters\n"
            f"{POWERLESS},nobody,nobody,nobodies\n"
            f"{SERVICE_ACCOUNT},system:serviceaccount:argo:argo-retention,account,system:serviceaccounts\n"
        )
        port, etcd_port = free_ports(2)
        data = self._folder / "data"
        data.mkdir()
        self._command = [
            os.environ[BINARY_VARIABLE],
            f"-folder={data}",
            f"-port={port}",
            f"-etcd-port={etcd_port}",
            f"-tokens={tokens}",
            *(["--", *self._flags] if self._flags else []),
        ]
        self.start()
        self._http = urllib3.PoolManager(ca_certs=self.ca_file)
        certificate = Path(self.ca_file)
        self.kubelet = Kubelet(certificate, certificate.with_suffix(".key"))
        self._add_definitions()
        self._add_node()
        return self

    def start(self) -> None:
        """On what is in its folder; again after `kill`."""
        with (self._folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        line = self._child.stdout.readline() if self._child.stdout else b""
        if not line:
            self._end()
            tail = (self._folder / "log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the API server did not start; its log ends: {tail}")
        found = json.loads(line)
        self.url, self.ca_file, self._etcd = found["url"], found["ca_file"], found["etcd_url"]

    def kill(self) -> None:
        """SIGKILL, to etcd as well, which is in the same process."""
        self._child.kill()
        self._end()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kubelet.close()
        self._http.clear()
        self._end()

    def _end(self) -> None:
        if self._child.stdin:
            self._child.stdin.close()
        try:
            self._child.wait(30)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout:
            self._child.stdout.close()

    @property
    def version(self) -> str:
        """As the server names itself, for example v1.36.3."""
        return str(self.call("GET", "/version")["gitVersion"])

    def metrics(self) -> str:
        """The server's own, in Prometheus' words."""
        return str(self.ask("GET", "/metrics", None, {}).data.decode())

    def call(self, method: str, path: str, document: Any = None, **headers: str) -> Any:
        """A request of the administrator; ApiError for any answer but 2xx."""
        body = None if document is None else json.dumps(document)
        answer = self.ask(method, path, body, {"Content-Type": "application/json", **headers})
        if answer.status >= 300:
            raise ApiError(answer.status, answer.data)
        return json.loads(answer.data)

    def ask(
        self,
        method: str,
        path: str,
        body: str | None,
        headers: Mapping[str, str],
        *,
        token: str | None = ADMIN,
    ) -> urllib3.BaseHTTPResponse:
        """Any answer; without a token as nobody."""
        whose = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self._http.request(
            method, self.url + path, body=body, headers={**headers, **whose}, retries=False
        )

    def compact(self) -> None:
        """Let etcd forget what was before now."""
        now = self._ask_etcd("range", {"key": "AA=="})["header"]["revision"]
        self._ask_etcd("compaction", {"revision": now, "physical": True})

    def _ask_etcd(self, what: str, document: Any) -> Any:
        answer = urllib3.request("POST", f"{self._etcd}/v3/kv/{what}", json=document)
        if answer.status != 200:
            raise ApiError(answer.status, answer.data)
        return answer.json()

    def write_kubeconfig(self, path: Path, *, token: str) -> Path:
        """One context for this token."""
        server = {"server": self.url, "certificate-authority": self.ca_file}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "real", "cluster": server}],
            "users": [{"name": "real", "user": {"token": token}}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": "real"}}],
            "current-context": "real",
        }
        path.write_text(yaml.safe_dump(document))
        path.chmod(0o600)
        return path

    def _add_definitions(self) -> None:
        for item in yaml.safe_load(CRDS.read_text())["items"]:
            self.call("POST", _DEFINITIONS, item)
            self._wait_until_served(item["spec"]["names"]["plural"])

    def _wait_until_served(self, plural: str) -> None:
        for _ in range(int(SECONDS / 0.1)):
            try:
                self.call("GET", f"/apis/argoproj.io/v1alpha1/{plural}")
            except ApiError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"{plural} are not served")

    def _add_node(self) -> None:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        made = self.call("POST", "/api/v1/nodes", node)
        made["status"] = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.kubelet.port}},
        }
        self.call("PUT", f"/api/v1/nodes/{NODE}/status", made)
