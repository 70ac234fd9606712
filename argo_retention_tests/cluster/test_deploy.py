"""What `deploy/` ships for a cluster, applied to a real API server: known fields only, pods that may do nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from argo_retention_tests.cluster.server import SERVICE_ACCOUNT, RealServer

DEPLOY = Path(__file__).parents[2] / "deploy"
COLLECTIONS = {
    "ServiceAccount": "/api/v1/namespaces/argo/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/argo/configmaps",
    "CronJob": "/apis/batch/v1/namespaces/argo/cronjobs",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "FlowSchema": "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    "PriorityLevelConfiguration": (
        "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations"
    ),
}
STRICT = "fieldValidation=Strict"
RESTRICTED = "restricted-pods"
APPLY = {"Content-Type": "application/apply-patch+yaml"}


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def apply(server: RealServer, document: Mapping[str, Any], *, dry: bool) -> dict[str, Any]:
    """Server-side, as `kubectl apply --server-side` does; unknown fields are refused."""
    name = document["metadata"]["name"]
    how = f"?fieldManager=tests&force=true&{STRICT}{'&dryRun=All' if dry else ''}"
    path = f"{COLLECTIONS[document['kind']]}/{name}{how}"
    made: dict[str, Any] = server.call("PATCH", path, document, **APPLY)
    return made


@contextmanager
def namespaces(server: RealServer, *wanted: Mapping[str, Any]) -> Iterator[None]:
    for metadata in wanted:
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        path = f"/api/v1/namespaces/{metadata['name']}?fieldManager=tests&force=true"
        server.call("PATCH", path, document, **APPLY)
    yield


@pytest.mark.parametrize(
    "name",
    ["rbac.yaml", "rbac-with-secrets.yaml", "retention.yaml", "cronjob.yaml", "flow-schema.yaml"],
)
def test_a_manifest_is_taken_as_it_is(server: RealServer, name: str) -> None:
    with namespaces(server, {"name": "argo"}):
        for document in documents(name):
            made = apply(server, document, dry=True)

            assert made["metadata"]["name"] == document["metadata"]["name"]


def pods() -> dict[str, Mapping[str, Any]]:
    """Pod specs: of each CronJob, and what the chart's values give to code server and runs."""
    found = {
        each["metadata"]["name"]: each["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        for each in documents("cronjob.yaml")
    }
    [values] = documents("dagster-values.yaml")
    [deployment] = values["dagster-user-deployments"]["deployments"]
    image = f"{deployment['image']['repository']}:{deployment['image']['tag']}"
    container = {
        "name": "dagster",
        "image": image,
        "volumeMounts": deployment["volumeMounts"],
        "envFrom": [{"secretRef": each} for each in deployment["envSecrets"]],
        "resources": deployment["resources"],
        "securityContext": deployment["securityContext"],
    }
    common = {"volumes": deployment["volumes"]}
    found["code server"] = {
        **common,
        "securityContext": deployment["podSecurityContext"],
        "containers": [container],
    }
    run = values["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    found["run"] = {
        **common,
        **{k: v for k, v in run["podSpecConfig"].items() if k != "serviceAccountName"},
        "containers": [{**container, **run["containerConfig"]}],
    }
    return found


@pytest.mark.parametrize("name", list(pods()))
def test_pods_are_taken_where_only_restricted_ones_are(server: RealServer, name: str) -> None:
    """Kubernetes' own pod security standard `restricted`, enforced by the server."""
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    spec = {k: v for k, v in pods()[name].items() if k != "serviceAccountName"}
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": RESTRICTED},
        "spec": spec,
    }
    with namespaces(server, {"name": RESTRICTED, "labels": enforced}):
        made = server.call(
            "POST", f"/api/v1/namespaces/{RESTRICTED}/pods?dryRun=All&{STRICT}", document
        )

        [container] = made["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert made["spec"]["securityContext"]["runAsNonRoot"] is True


def test_requests_of_the_service_account_wait_in_a_queue_of_their_own(server: RealServer) -> None:
    level, schema = (apply(server, each, dry=False) for each in documents("flow-schema.yaml"))
    try:
        answered = {}
        for _ in range(100):  # the server takes new ones up after a moment
            answer = server.ask(
                "GET",
                "/apis/argoproj.io/v1alpha1/workflows?limit=1",
                None,
                {},
                token=SERVICE_ACCOUNT,
            )
            answered = {
                "schema": answer.headers["X-Kubernetes-PF-FlowSchema-UID"],
                "level": answer.headers["X-Kubernetes-PF-PriorityLevel-UID"],
            }
            if answered["schema"] == schema["metadata"]["uid"]:
                break
        assert answered == {
            "schema": schema["metadata"]["uid"],
            "level": level["metadata"]["uid"],
        }
        others = server.ask("GET", "/apis/argoproj.io/v1alpha1/workflows?limit=1", None, {})
        assert others.headers["X-Kubernetes-PF-FlowSchema-UID"] != schema["metadata"]["uid"]
    finally:
        for each in (schema, level):
            server.call("DELETE", f"{COLLECTIONS[each['kind']]}/{each['metadata']['name']}")
