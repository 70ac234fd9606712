"""Other teams use us: as a component of their `dg` project, and by depending on our assets alone."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from argo_retention.component import ArgoRetentionComponent
from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.building import build_definitions

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


def test_another_location_depends_on_our_assets_without_importing_us() -> None:
    """By key alone; a job and an asset called plan of their own do no harm."""

    @dg.asset(deps=[dg.AssetKey(["argo", "archived_workflows"])])
    def plan() -> None: ...

    @dg.op
    def think() -> None: ...

    @dg.job(name="plan_job")
    def planning() -> None:
        think()

    theirs = dg.Definitions(assets=[plan], jobs=[planning], executor=dg.multiprocess_executor)
    ours = build_definitions(parse_settings("clusters: {production: {}}", source="retention.yaml"))

    merged = dg.Definitions.merge(theirs, ours)

    dg.Definitions.validate_loadable(theirs)
    dg.Definitions.validate_loadable(merged)
    graph = merged.resolve_asset_graph()
    assert graph.get(dg.AssetKey("plan")).parent_keys == {
        dg.AssetKey(["argo", "archived_workflows"])
    }
    assert merged.resolve_job_def("plan_job").name == "plan_job"


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
