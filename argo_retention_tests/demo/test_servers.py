import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
import urllib3
import yaml

from argo_retention.demo.kube_api.process import KubeApiProcess
from argo_retention.demo.processes import ServerStartError
from argo_retention.demo.scenes.fleet import fleet_scene
from argo_retention.demo.scenes.scene import Scene
from argo_retention.demo.scenes.seed import seed_scene
from argo_retention.demo.servers import DemoServers

WORKFLOWS = "/apis/argoproj.io/v1alpha1/workflows"
STARTS_AND_WAITS = """
import json, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from argo_retention.demo.servers import DemoServers
from argo_retention.demo.scenes.seed import seed_scene

with DemoServers(Path(sys.argv[1])) as servers:
    scene = seed_scene(
        now=datetime.now(UTC), s3=servers.s3_address, postgres=servers.postgres_address
    )
    servers.load([scene])
    api = servers.clusters["seed"].process
    print(json.dumps([servers.postgres.pid, servers.s3.pid, api.pid]), flush=True)
    signal.pause()
"""


def scenes_for(servers: DemoServers) -> dict[str, Scene]:
    now = datetime.now(UTC)
    where: Any = {"s3": servers.s3_address, "postgres": servers.postgres_address}
    return {
        "seed": seed_scene(now=now, hello_worlds=4, **where),
        "fleet": fleet_scene(now=now, **where),
    }


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServers]:
    with DemoServers(tmp_path_factory.mktemp("demo")) as started:
        yield started


@pytest.fixture(scope="module")
def scenes(servers: DemoServers) -> dict[str, Scene]:
    made = scenes_for(servers)
    servers.load(list(made.values()))
    return made


def ask(url: str, token: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", url, headers={"Authorization": f"Bearer {token}"})


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("name", ["seed", "fleet"])
def test_each_cluster_has_the_workflows_of_its_scene(
    servers: DemoServers, scenes: dict[str, Scene], name: str
) -> None:
    listed = ask(servers.clusters[name].url + WORKFLOWS, scenes[name].token).json()["items"]

    assert {each["metadata"]["uid"] for each in listed} == {
        each["metadata"]["uid"] for each in scenes[name].workflows
    }


def test_the_product_may_do_what_it_needs_and_nothing_else(
    servers: DemoServers, scenes: dict[str, Scene]
) -> None:
    url, token = servers.clusters["seed"].url, scenes["seed"].token

    assert ask(f"{url}/api/v1/namespaces/argo/secrets/argo-postgres-config", token).status == 200
    assert ask(f"{url}/api/v1/secrets", token).status == 403


def test_a_kubeconfig_leads_to_its_cluster(servers: DemoServers, scenes: dict[str, Scene]) -> None:
    cluster = servers.clusters["fleet"]
    config = yaml.safe_load(cluster.kubeconfig.read_text())

    assert config["clusters"][0]["cluster"]["server"] == cluster.url
    assert config["users"][0]["user"]["token"] == scenes["fleet"].token
    assert cluster.kubeconfig.stat().st_mode & 0o077 == 0


def test_rows_labels_and_offloaded_nodes_are_in_the_database(
    servers: DemoServers, scenes: dict[str, Scene]
) -> None:
    fleet = scenes["fleet"]
    counts = """
        SELECT (SELECT count(*) FROM argo_archived_workflows),
               (SELECT count(*) FROM argo_archived_workflows_labels),
               (SELECT count(*) FROM argo_workflows)
    """
    with psycopg.connect(servers.archive_dsn) as connection:
        found = connection.execute(counts).fetchone()

    assert found == (
        len(fleet.rows),
        sum(len(row.labels) for row in fleet.rows),
        len(fleet.offload),
    )


def test_objects_are_in_their_buckets(servers: DemoServers, scenes: dict[str, Scene]) -> None:
    address = servers.s3_address
    client = boto3.client(
        "s3",
        endpoint_url=address.endpoint,
        aws_access_key_id=address.access_key,
        aws_secret_access_key=address.secret_key,
    )
    pages = client.get_paginator("list_objects_v2")

    for bucket in scenes["fleet"].buckets:
        found = {
            (bucket, each["Key"], each["Size"])
            for page in pages.paginate(Bucket=bucket)
            for each in page.get("Contents", [])
        }
        assert found == {
            (each.bucket, each.key, len(each.body))
            for each in scenes["fleet"].s3_objects
            if each.bucket == bucket
        }
    client.close()


def test_the_pods_of_the_seed_print_the_whale(
    servers: DemoServers, scenes: dict[str, Scene]
) -> None:
    name = scenes["seed"].workflows[0]["metadata"]["name"]
    url = f"{servers.clusters['seed'].url}/api/v1/namespaces/argo/pods/{name}/log?container=main"

    assert b"< hello world >" in ask(url, scenes["seed"].token).data


def test_two_at_once_do_not_meet_and_nothing_is_left_of_the_second(
    servers: DemoServers, tmp_path: Path
) -> None:
    with DemoServers(tmp_path) as second:
        second.load([scenes_for(second)["seed"]])
        ports = {servers.postgres_address.port, second.postgres_address.port}
        assert len(ports) == 2
        assert second.s3_address.endpoint != servers.s3_address.endpoint
        assert second.clusters["seed"].process.pid is not None
        pids = [second.postgres.pid, second.s3.pid, second.clusters["seed"].process.pid]

    assert not list(tmp_path.iterdir())
    assert not any(is_alive(pid) for pid in pids if pid is not None)
    assert servers.postgres.is_running()


def test_a_server_that_does_not_start_stops_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = DemoServers(tmp_path)

    def refuse() -> None:
        raise ServerStartError("no room for S3")

    monkeypatch.setattr(servers, "_start_s3", refuse)
    with pytest.raises(ServerStartError, match="no room"):
        servers.__enter__()

    assert not servers.postgres.is_running()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_servers_start_stops_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: signal.Signals
) -> None:
    servers = DemoServers(tmp_path)
    monkeypatch.setattr(servers, "_start_s3", lambda: os.kill(os.getpid(), ending))
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises((SystemExit, KeyboardInterrupt)):
        servers.__enter__()

    assert not servers.postgres.is_running()
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_nothing_behind(tmp_path: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-c", STARTS_AND_WAITS, str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as demo:
        assert demo.stdout is not None
        pids = json.loads(demo.stdout.readline())
        assert all(is_alive(pid) for pid in pids)

        demo.send_signal(ending)
        demo.wait(15)

    assert not list(tmp_path.iterdir())
    assert not any(is_alive(pid) for pid in pids)


def test_kube_api_processes_end_with_the_block(tmp_path: Path) -> None:
    """An error in the block stops them too."""
    processes: list[KubeApiProcess] = []

    def work() -> None:
        with DemoServers(tmp_path) as servers:
            servers.load([scenes_for(servers)["seed"]])
            processes.append(servers.clusters["seed"].process)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        work()

    assert processes[0].pid is None
    assert not list(tmp_path.iterdir())
