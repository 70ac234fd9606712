"""API servers that are not as one expects: without a watch cache, crowded, or short of seats for us."""

import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from argo_retention.adapters.kubernetes_cluster.connecting import connect
from argo_retention.defs.jobs import RETENTION_JOB
from argo_retention_tests.cluster.seeding import RealServers, put_role
from argo_retention_tests.cluster.server import RealServer
from argo_retention_tests.e2e.worlds import World, seed_world

FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1"
NAMESPACES = 1000


def works(seed: World, *, of: int = 6) -> None:
    seed.succeed(RETENTION_JOB)
    assert (len(seed.live()), len(seed.rows())) == (2, of)


def test_without_a_watch_cache_all_is_as_with(
    servers: RealServers, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """Lists come from etcd then, and are paged and consistent all the same."""
    folder = tmp_path_factory.mktemp("no-watch-cache")
    with RealServer(folder, "--watch-cache=false") as server:
        put_role(server)
        with seed_world(replace(servers, server=server), tmp_path) as seed:
            works(seed)
            with closing(connect(kubeconfig=str(seed.kubeconfig), context=None, name="x")) as api:
                pages = list(api.list_metadata(selector="", namespace=None, page_size=1))
                assert [len(page.workflows) for page in pages] == [1, 1]
                assert len({page.resource_version for page in pages}) == 1


def test_p1_priority_and_fairness_that_leaves_us_few_seats_is_waited_for(
    servers: RealServers, server: RealServer, tmp_path: Path
) -> None:
    """429 with Retry-After, by the server itself: nothing is refused for good."""
    level = {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": "tight"},
        "spec": {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 1,
                "lendablePercent": 0,
                "borrowingLimitPercent": 0,
                "limitResponse": {"type": "Reject"},
            },
        },
    }
    subject = {"kind": "User", "user": {"name": "system:serviceaccount:argo:argo-retention"}}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}
    flow = {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": "tight"},
        "spec": {
            "priorityLevelConfiguration": {"name": "tight"},
            "matchingPrecedence": 2,  # below the one that is exempt
            "rules": [
                {"subjects": [subject], "resourceRules": [{**everything, "clusterScope": True}]}
            ],
        },
    }
    server.call("POST", f"{FLOWS}/prioritylevelconfigurations", level)
    server.call("POST", f"{FLOWS}/flowschemas", flow)
    try:
        with seed_world(servers, tmp_path, hello_worlds=40) as seed:
            works(seed, of=40)
    finally:
        server.call("DELETE", f"{FLOWS}/flowschemas/tight")
        server.call("DELETE", f"{FLOWS}/prioritylevelconfigurations/tight")
    assert rejected(server) > 0, "it met no 429"


def rejected(server: RealServer) -> float:
    """How often the server refused somebody of this flow."""
    metric = 'apiserver_flowcontrol_rejected_requests_total{flow_schema="tight"'
    lines = [line for line in server.metrics().splitlines() if line.startswith(metric)]
    return sum(float(re.split(r"\s+", line)[-1]) for line in lines)


def test_a_thousand_namespaces_are_listed_with_their_holds(
    servers: RealServers, server: RealServer, tmp_path: Path
) -> None:
    for number in range(NAMESPACES):
        document = {"metadata": {"name": f"crowd-{number:04d}"}}
        server.call("POST", "/api/v1/namespaces", document)

    with seed_world(servers, tmp_path) as seed:
        works(seed)
        with closing(connect(kubeconfig=str(seed.kubeconfig), context=None, name="x")) as api:
            assert len(api.namespaces()) >= NAMESPACES
