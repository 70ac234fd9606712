"""`deploy/Dockerfile` and the pods: nobody, a root file system that cannot be written, /tmp alone to work in.

No image is built here (that takes a registry). What it holds is run as the image runs it: its environment, no
capabilities, every mount read-only but for one scratch folder in the place of /tmp.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from argo_retention.demo.processes import free_ports
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.oracle import NOTHING, Oracle

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
LAST_STAGE = DOCKERFILE.rpartition("\nFROM ")[2]
CRON_JOBS = list(yaml.safe_load_all((ROOT / "deploy" / "cronjob.yaml").read_text()))
SCRATCH = "/mnt"
READ_ONLY = f"""
mount --make-rprivate /
for mount in $(awk '{{print $2}}' /proc/self/mounts); do
    case $mount in /proc*|/sys*|/dev*) ;; *) mount -o remount,bind,ro "$mount" ;; esac
done
mount -t tmpfs tmpfs {SCRATCH}
mkdir {SCRATCH}/home
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


def image_environment() -> dict[str, str]:
    """ENV of the image, with our environment's programs and the scratch folder for /tmp."""
    [text] = re.findall(r"^ENV (.+?)(?<!\\)$", LAST_STAGE, re.MULTILINE | re.DOTALL)
    given = dict(pair.split("=", 1) for pair in text.replace("\\\n", " ").split())
    moved = {name: re.sub(r"^/tmp", SCRATCH, value) for name, value in given.items()}
    return {**moved, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TMPDIR": SCRATCH}


def container_of(cron_job: Mapping[str, object]) -> dict[str, object]:
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]  # type: ignore[index]
    [container] = pod["containers"]
    return container  # type: ignore[no-any-return]


def in_the_image(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *("unshare", "--user", "--map-root-user", "--mount"),
            *("sh", "-euc", READ_ONLY, "sh", *arguments),
        ],
        env={**image_environment(), **environment},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_root_file_system_of_these_tests_cannot_be_written() -> None:
    child = in_the_image(["sh", "-c", f"touch {SCRATCH}/there && touch {ROOT}/not-there"])

    _, errors = child.communicate(timeout=60)

    assert child.returncode != 0
    assert "Read-only file system" in errors


def test_the_image_is_small_locked_and_nobodys() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}

    assert names == let_in
    assert all((ROOT / name).exists() for name in names)
    assert all("--locked --no-dev" in line for line in re.findall(r"uv sync.*", DOCKERFILE))
    [user] = re.findall(r"^USER (\d+):(\d+)$", LAST_STAGE, re.MULTILINE)
    for cron_job in CRON_JOBS:
        pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        context = pod["securityContext"]
        assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user


@pytest.mark.parametrize("place", [0, 1], ids=["retention", "expiry"])
def test_the_command_of_the_cron_job_does_its_work_there(
    new_seed: SeedWorld, tmp_path: Path, place: int
) -> None:
    world = new_seed(hello_worlds=5, keep_count=2)
    container = container_of(CRON_JOBS[place])
    settings = tmp_path / "retention.yaml"
    settings.write_text(world.settings_text.replace(f"{world.scene.name}:", "production:", 1))
    [home] = [each["value"] for each in container["env"] if each["name"] == "DAGSTER_HOME"]

    child = in_the_image(
        [*container["args"], "--json"],
        ARGO_RETENTION_CONFIG=str(settings),
        DAGSTER_HOME=home.replace("/home/dagster", f"{SCRATCH}/home"),
    )
    text, errors = child.communicate(timeout=100)

    assert child.returncode == 0, text + errors
    assert json.loads(text)["success"] is True
    assert Oracle(world).look() == NOTHING
    if place == 0:
        assert len(world.live()) == 2


def test_the_code_server_of_the_chart_answers_there(tmp_path: Path) -> None:
    values = yaml.safe_load((ROOT / "deploy" / "dagster-values.yaml").read_text())
    [deployment] = values["dagster-user-deployments"]["deployments"]
    settings = yaml.safe_load((ROOT / "deploy" / "retention.yaml").read_text())
    (tmp_path / "retention.yaml").write_text(settings["data"]["retention.yaml"])
    [port] = free_ports(1)

    child = in_the_image(
        [
            *("dagster", "api", "grpc", "-h", "127.0.0.1", "-p", str(port)),
            *deployment["dagsterApiGrpcArgs"],
        ],
        ARGO_RETENTION_CONFIG=str(tmp_path / "retention.yaml"),
    )
    try:
        asked = [
            Path(sys.executable).parent / "dagster",
            "api",
            "grpc-health-check",
            "-p",
            str(port),
        ]
        deadline = time.monotonic() + 60
        while subprocess.run(
            asked, env={**os.environ}, capture_output=True, check=False
        ).returncode:
            assert child.poll() is None, child.communicate()[1]
            assert time.monotonic() < deadline
    finally:
        child.terminate()
        child.communicate(timeout=30)
