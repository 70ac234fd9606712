"""Worlds whose cluster is a real API server, worked on with the rights that are shipped and no other."""

import base64
import json
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import dagster as dg
import yaml

from argo_retention.adapters.kubernetes_cluster.paths import WORKFLOWS
from argo_retention.demo.scenes.installation import NAMESPACE
from argo_retention.demo.scenes.scene import Scene
from argo_retention_tests.cluster.server import NODE, SERVICE_ACCOUNT, RealServer
from argo_retention_tests.cluster.world import PATHS, RealWorld
from argo_retention_tests.contracts.cluster_worlds import ADMIN
from argo_retention_tests.e2e.worlds import Servers, World, replaced

DEPLOY = Path(__file__).parents[2] / "deploy"
ROLE = DEPLOY / "rbac-with-secrets.yaml"
ROLE_WITHOUT_SECRETS = DEPLOY / "rbac.yaml"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
#: What the server gives by itself.
ITS_OWN = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation")


@dataclass(frozen=True, kw_only=True)
class RealServers(Servers):
    """Worlds of one real API server; one after the other, since they share its namespaces."""

    server: RealServer = field(repr=False)

    def open_world(
        self,
        scene: Scene,
        dsn: str,
        instance: dg.DagsterInstance,
        folder: Path,
        stack: ExitStack,
    ) -> World:
        """The scene as it stands in the server, with the uids that it gave."""
        server = self.server
        real = stack.enter_context(closing(RealWorld(server, folder)))
        stack.callback(_clear, real, server)
        uids = _load(real, server, scene)
        made = replace(replaced(scene, uids), token=SERVICE_ACCOUNT, admin_token=ADMIN)
        return World(
            scene=made,
            dsn=dsn,
            s3=self.s3_address,
            instance=instance,
            kubeconfig=server.write_kubeconfig(folder / "kubeconfig", token=SERVICE_ACCOUNT),
            url=server.url,
            ca_file=server.ca_file,
        )


def put_role(server: RealServer) -> None:
    """What is shipped, whole."""
    for document in yaml.safe_load_all(ROLE.read_text()):
        path = {"ClusterRole": ROLES, "ClusterRoleBinding": BINDINGS}.get(document["kind"])
        if path:
            server.call("POST", path, document)


def _clear(world: RealWorld, server: RealServer) -> None:
    """What tests made by themselves in the seed's namespace, and what they wrote on it."""
    server.call("DELETE", WORKFLOWS.collection(NAMESPACE))
    world.merge(f"/api/v1/namespaces/{NAMESPACE}", {"metadata": {"annotations": None}})


def _load(world: RealWorld, server: RealServer, scene: Scene) -> dict[str, str]:
    """Put the objects in; uid of the scene → uid of the server, which what comes later names."""
    uids: dict[str, str] = {}
    for document in scene.objects:
        text = json.dumps(document)
        for old, new in uids.items():
            text = text.replace(old, new)
        given = json.loads(text)
        metadata = given.pop("metadata")
        kind = given.pop("kind")
        given.pop("apiVersion", None)
        if kind not in PATHS:
            continue
        old = metadata.get("uid")
        for each in ITS_OWN:
            metadata.pop(each, None)
        if kind == "Pod":
            given["spec"]["nodeName"] = NODE
        made = world.add(kind, metadata, **given)
        if old and kind == "Workflow":
            uids[old] = made["metadata"]["uid"]
    for log in scene.pod_logs:
        body = log.get("body", "").encode() or base64.b64decode(log.get("body_base64", ""))
        server.kubelet.logs[log["namespace"], log["pod"], log["container"]] = body
    return uids
