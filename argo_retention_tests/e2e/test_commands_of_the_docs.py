"""Each command in the documents is run, in their order, on one installation; names are changed for those it has."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from argo_retention_tests.e2e.conftest import Cli, SeedWorld
from argo_retention_tests.e2e.worlds import World

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("docs/getting-started.md", "README.md", "docs/operations.md", "docs/kubernetes.md")
NAMESPACE, CONFIG_MAP = "argo", "argo-workflows-workflow-controller-configmap"
#: The ConfigMap has Argo's own deleters; the namespace was held by annotation, too.
MAY_END_WITH = {"argo-retention doctor": {0, 1}, "argo-retention hold release team-a": {1}}
PLAN = "1a2e31a2cb0c936b59da"
#: What other tests run, or what takes more than a test has.
ELSEWHERE = {
    "make": "targets are looked up by test_docs; the gate runs them",
    "docker build": "takes a registry; deploy/test_image.py runs what the image holds",
    "helm upgrade": "takes a chart; deploy/test_values.py checks the values",
    "psql": "deploy/test_database_role.py runs the file",
    "kubectl apply": "cluster/test_deploy.py applies each file to a real API server",
    "kubectl --namespace argo create": "a Secret and a Job of whoever runs the cluster",
    "kubectl --namespace argo logs": "the same",
}


def lines() -> Iterator[str]:
    for document in DOCUMENTS:
        for line in re.findall(r"^ *\$ (.*)$", (ROOT / document).read_text(), re.MULTILINE):
            yield " ".join(shlex.split(line, comments=True)) if "#" in line else line


def annotate(world: World, command: str) -> None:
    """What `kubectl annotate` sends."""
    words = shlex.split(command)
    namespace = words[words.index("--namespace") + 1] if "--namespace" in words else ""
    kind, name, annotation = words[words.index("annotate") + 1 :]
    key, _, value = annotation.partition("=")
    path = {
        "namespace": f"/api/v1/namespaces/{name}",
        "configmap": f"/api/v1/namespaces/{namespace}/configmaps/{name}",
        "workflow": f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows/{name}",
    }[kind]
    world.annotate(path, {key: value})


@pytest.mark.timeout(240)
def test_each_command_does_what_it_is_for(
    new_seed: SeedWorld, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "dagster-home"
    home.mkdir()
    (home / "dagster.yaml").touch()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    world = new_seed(hello_worlds=6, keep_count=2)
    before = world.live()
    namespace = next(iter(before.values()))["metadata"]["namespace"]
    oldest, *_, newest = sorted(before.values(), key=lambda w: w["metadata"]["creationTimestamp"])
    run = []

    def as_here(command: str) -> str:
        """With names that this installation has."""
        plan = ""
        if PLAN in command:
            [found] = world.query(
                "SELECT plan_id FROM argo_retention.plans WHERE kind = 'retention'"
            )
            plan = found["plan_id"]
        names = {
            "team-a/fails": f"{namespace}/{oldest['metadata']['name']}",
            "nightly-orders-x7k2p": newest["metadata"]["name"],
            "team-a": namespace,
            PLAN: plan,
            "8d3a6f0e-1c2b-4e0f-9a55-0b6f2f4d2a11": oldest["metadata"]["uid"],
            "pause prod ": f"pause {world.scene.name} ",
            "workflow-controller-configmap": CONFIG_MAP,
            "2026-12-24": "2099-12-24",
            "2027-03-31": "2099-03-31",
        }
        for name, own in names.items():
            command = command.replace(name, own)
        return command

    for line in lines():
        if any(line.startswith(word) for word in ELSEWHERE):
            continue
        first, _, rest = line.partition(" ")
        if first == "kubectl":
            annotate(world, as_here(line))
            continue
        assert first == "argo-retention", line
        arguments = shlex.split(as_here(rest))
        if arguments[:2] == ["undo", "restore"]:  # nothing is put over a row that is there
            world.execute("DELETE FROM argo_archived_workflows WHERE uid = %s", arguments[2])
        code, text = cli(world, *arguments)
        assert code in MAY_END_WITH.get(line, {0}), f"{line}: {code}\n{text}"
        run.append(line)

    assert len(run) >= 18
    assert len(world.live()) == 2
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert {each.job_name for each in instance.get_runs()} == {
            "argo_archive",
            "argo_retention",
            "argo_expiry",
        }
