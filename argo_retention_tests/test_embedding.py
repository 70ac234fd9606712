"""Other teams use us: as a component of their `dg` project, and by depending on our assets alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from argo_retention.component import ArgoRetentionComponent

BIN = Path(sys.executable).parent
TYPE = "argo_retention.component.ArgoRetentionComponent"
#: What Dagster says of its own features; nothing else may be said.
NOTICES = ("PreviewWarning", "BetaWarning", "is currently in preview", "is currently in beta")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A foreign project, as `dg` lays it out."""
    root = tmp_path / "foreign"
    (root / "src" / "foreign" / "defs").mkdir(parents=True)
    (root / "pyproject.toml").write_text(
        """[project]
name = "foreign"
version = "0.1"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "foreign"
"""
    )
    (root / "src" / "foreign" / "__init__.py").write_text("")
    (root / "src" / "foreign" / "definitions.py").write_text(
        """from pathlib import Path

from dagster import definitions, load_from_defs_folder


@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
    )
    (root / "src" / "foreign" / "defs" / "__init__.py").write_text("")
    return root


def run_dg(project: Path, *arguments: str) -> str:
    """What it prints; it must end well, and say nothing but Dagster's own notices."""
    ended = subprocess.run(
        [str(BIN / "dg"), *arguments],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": str(project / "src"),
            "PATH": f"{BIN}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_a_foreign_project_lists_scaffolds_and_checks_the_component(project: Path) -> None:
    assert TYPE in run_dg(project, "list", "components", "--json")

    run_dg(project, "scaffold", "defs", TYPE, "retention")
    folder = project / "src" / "foreign" / "defs" / "retention"
    written = (folder / "defs.yaml").read_text()
    assert written.splitlines()[0] == f"type: {TYPE}"
    (folder / "retention.yaml").write_text("clusters: {production: {}}\n")
    (folder / "defs.yaml").write_text(f"type: {TYPE}\n\nattributes:\n  config: retention.yaml\n")
    run_dg(project, "check", "yaml")
    run_dg(project, "check", "defs")

    listed = run_dg(project, "list", "defs", "--json")
    assert "argo/retention_plan" in listed
    assert "argo_retention_schedule_production" in listed


def test_a_mistake_in_the_components_yaml_is_found(project: Path) -> None:
    folder = project / "src" / "foreign" / "defs" / "retention"
    folder.mkdir()
    (folder / "defs.yaml").write_text(f"type: {TYPE}\n\nattributes:\n  confg: x\n")

    ended = subprocess.run(
        [str(BIN / "dg"), "check", "yaml"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert ended.returncode != 0
    assert "confg" in ended.stdout + ended.stderr


def test_every_attribute_has_a_default() -> None:
    assert all(not field.is_required() for field in ArgoRetentionComponent.model_fields.values())


BY_KEY = """
import dagster as dg


@dg.asset(deps=[dg.AssetKey(["argo", "archived_workflows"])])
def plan() -> None: ...


@dg.op
def think() -> None: ...


@dg.job(name="plan_job")
def planning() -> None:
    think()


defs = dg.Definitions(assets=[plan], jobs=[planning], executor=dg.multiprocess_executor)
"""
MERGED = """
import dagster as dg

from analytics.by_key import defs as own
from argo_retention.defs.building import build_definitions
from argo_retention.sites import load_settings

defs = dg.Definitions.merge(own, build_definitions(load_settings()))
"""
LOOKED_AT = """
import json, sys
from importlib import import_module

import dagster as dg

defs = import_module(sys.argv[1]).defs
dg.Definitions.validate_loadable(defs)
graph = defs.resolve_asset_graph()
print(json.dumps({
    "parents": [key.to_user_string() for key in graph.get(dg.AssetKey("plan")).parent_keys],
    "jobs": sorted(job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")),
    "executor": defs.executor.name,
    "imports us": any(name.split(".")[0] == "argo_retention" for name in sys.modules),
}))
"""


@pytest.mark.parametrize("way", ["by_key", "merged"])
def test_a_second_package_uses_us_by_key_alone_or_by_merging(tmp_path: Path, way: str) -> None:
    """Its own executor, and an asset and a job called plan, do no harm."""
    package = tmp_path / "analytics"
    package.mkdir()
    for name, text in (("__init__", ""), ("by_key", BY_KEY), ("merged", MERGED)):
        (package / f"{name}.py").write_text(text)
    settings = tmp_path / "retention.yaml"
    settings.write_text("clusters: {production: {}}\n")
    ended = subprocess.run(
        [sys.executable, "-c", LOOKED_AT, f"analytics.{way}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "ARGO_RETENTION_CONFIG": str(settings)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["parents"] == ["argo/archived_workflows"]
    assert found["executor"] == "multiprocess"
    assert found["imports us"] == (way == "merged")
    ours = {"argo_archive", "argo_retention", "argo_expiry"} if way == "merged" else set()
    assert {"plan_job", *ours} <= set(found["jobs"])


@pytest.mark.parametrize("arguments", [("check", "defs"), ("list", "defs", "--json")], ids=" ".join)
def test_dg_takes_our_own_project_without_a_word_of_warning(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    settings = tmp_path / "retention.yaml"
    settings.write_text("clusters: {production: {}}\n")
    ended = subprocess.run(
        [str(BIN / "dg"), *arguments],
        cwd=Path(__file__).parent.parent,
        env={
            **os.environ,
            "ARGO_RETENTION_CONFIG": str(settings),
            "VIRTUAL_ENV": str(BIN.parent),
            "PATH": f"{BIN}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    said = f"{ended.stdout}\n{ended.stderr}".splitlines()
    assert ended.returncode == 0, said
    assert [line for line in said if "warning" in line.lower()] == []
    if arguments[0] == "check":
        assert "All definitions loaded successfully." in said


def test_our_own_location_loads_with_nothing_but_dagsters_own_notices(tmp_path: Path) -> None:
    settings = tmp_path / "retention.yaml"
    settings.write_text("clusters: {production: {}}\n")
    ended = subprocess.run(
        [sys.executable, "-W", "default", "-c", "import argo_retention.definitions"],
        env={**os.environ, "ARGO_RETENTION_CONFIG": str(settings)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr
    said = [line for line in ended.stderr.splitlines() if "Warning" in line]
    assert [line for line in said if not any(notice in line for notice in NOTICES)] == []
