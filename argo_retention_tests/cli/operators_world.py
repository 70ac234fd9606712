"""Argo installations in the emulator, each in a namespace of its own, for commands that are run as people do."""

import base64
import contextlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml

from argo_retention.cli.main import main
from argo_retention.core.database_target import DatabaseTarget
from argo_retention.demo.kube_api.process import KubeApiProcess, write_kubeconfig
from argo_retention.demo.s3_server import S3Server

ADMIN, POWERLESS, NOBODY = "admin-token-3f9c", "powerless-token-77aa", "nobodys-token-51d0"
CONFIG_MAP = "workflow-controller-configmap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def run(*args: str) -> Ended:
    """A command in this process: starting Python for each costs a second."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(args))
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    return Ended(code=code, out=out.getvalue(), err=err.getvalue())


class OperatorsWorld:
    """One emulator; installations are told apart by `argo.namespace` in the settings."""

    def __init__(self, process: KubeApiProcess, folder: Path, s3: S3Server) -> None:
        self.folder = folder
        self.s3 = s3
        self._url = process.url
        self._http = urllib3.PoolManager(headers={"Authorization": f"Bearer {ADMIN}"})

    def close(self) -> None:
        self._http.clear()

    def put(self, kind: str, namespace: str, name: str, **fields: Any) -> None:
        api = "apps/v1" if kind == "Deployment" else "v1"
        if kind.endswith(("Workflow", "Template")):
            api = "argoproj.io/v1alpha1"
        document = {
            "apiVersion": api,
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            **fields,
        }
        answer = self._http.request("POST", f"{self._url}/emulator/objects", json=document)
        assert answer.status < 300, answer.data

    def put_deployment(self, namespace: str, name: str, *, image: str, args: list[str]) -> None:
        container = {"name": name, "image": f"quay.io/argoproj/{image}:v4.1.2", "args": args}
        self.put(
            "Deployment",
            namespace,
            name,
            spec={"template": {"spec": {"containers": [container]}}},
        )

    def put_secret(self, namespace: str, name: str, values: Mapping[str, str]) -> None:
        data = {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}
        self.put("Secret", namespace, name, data=data)

    def install(
        self,
        namespace: str,
        *,
        database: str,
        bucket: str = "logs",
        data: Mapping[str, str] | None = None,
        database_secret: Mapping[str, str] | None = None,
        s3_secret: Mapping[str, str] | None = None,
    ) -> None:
        """Server, controller, ConfigMap and Secrets; `data` replaces keys of the ConfigMap."""
        target = DatabaseTarget.from_url(database)
        self.put_deployment(
            namespace, "argo-server", image="argocli", args=["server", "--auth-mode=server"]
        )
        self.put_deployment(namespace, "workflow-controller", image="workflow-controller", args=[])
        self.put(
            "ConfigMap",
            namespace,
            CONFIG_MAP,
            data={**self.configuration(target, bucket), **(data or {})},
        )
        user = {"username": target.user, "password": target.password.get_secret_value()}
        self.put_secret(
            namespace, "argo-postgres-config", user if database_secret is None else database_secret
        )
        keys = {"accesskey": self.s3.access_key, "secretkey": self.s3.secret_key}
        self.put_secret(namespace, "my-s3-secret", keys if s3_secret is None else s3_secret)

    def configuration(self, target: DatabaseTarget, bucket: str) -> dict[str, str]:
        """The ConfigMap's data, with comments as people write them."""
        persistence = f"""\
archive: true
# asked for by audit
archiveTTL: 180d
postgresql:
  host: {target.host}
  port: {target.port}
  database: {target.database}
  tableName: argo_workflows
  userNameSecret: {{name: argo-postgres-config, key: username}}
  passwordSecret: {{name: argo-postgres-config, key: password}}
"""
        repository = {
            "archiveLogs": True,
            "s3": {
                "endpoint": self.s3.endpoint.removeprefix("http://"),
                "bucket": bucket,
                "insecure": True,
                "accessKeySecret": {"name": "my-s3-secret", "key": "accesskey"},
                "secretKeySecret": {"name": "my-s3-secret", "key": "secretkey"},
            },
        }
        return {
            "retentionPolicy": "completed: 3\nfailed: 3\n",
            "persistence": persistence,
            "artifactRepository": yaml.safe_dump(repository),
        }

    def settings(
        self, name: str, *, token: str = ADMIN, url: str | None = None, **cluster: Any
    ) -> Path:
        """retention.yaml for the namespace `name`; keys of the cluster may be given."""
        kubeconfig = write_kubeconfig(
            self.folder / f"kubeconfig-{name}", url=url or self._url, token=token, cluster="prod"
        )
        own = {"kubeconfig": str(kubeconfig), "argo": {"namespace": name}, **cluster}
        return self.write(name, yaml.safe_dump({"clusters": {"prod": own}}))

    def write(self, name: str, text: str) -> Path:
        """A settings file of this text."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        path = folder / "retention.yaml"
        path.write_text(text)
        return path


def write_access(folder: Path) -> None:
    """Who may ask the emulator."""
    access = {
        "tokens": {
            ADMIN: {"user": "admin", "admin": True},
            POWERLESS: {"user": "system:serviceaccount:argo:argo-retention", "rules": []},
        }
    }
    (folder / "access.json").write_text(json.dumps(access))
