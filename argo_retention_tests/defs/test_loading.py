"""The definitions load with nothing but a settings file and without a warning, in the checkout and outside."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent.parent
SETTINGS = "clusters:\n  production: {}\n"
LOADS = """
import warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", category=DeprecationWarning, module="dagster")
import argo_retention
from argo_retention.definitions import defs
print(argo_retention.__file__)
print(len(defs.resolve_asset_graph().get_all_asset_keys()))
"""


def run(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **env},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "retention.yaml"
    path.write_text(SETTINGS)
    return {"ARGO_RETENTION_CONFIG": str(path)}


@pytest.fixture(scope="module")
def second_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with our wheel, and with our dependencies but not the checkout."""
    folder = tmp_path_factory.mktemp("second")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CHECKOUT / "argo_retention", source / "argo_retention", ignore=ignored)
    built = run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=source,
        env={},
    )
    assert built.returncode == 0, built.stderr
    shutil.rmtree(source)
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    packages = next(environment.glob("lib/python*/site-packages"))
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # Files of the kind .pth in that folder are not read, so the checkout is not on the path.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment


def test_from_the_checkout_without_a_warning(settings: dict[str, str]) -> None:
    loaded = run([sys.executable, "-c", LOADS], cwd=CHECKOUT, env=settings)

    assert (loaded.returncode, loaded.stderr) == (0, "")
    assert loaded.stdout.splitlines()[1] == "9"


def test_the_workspace_file_loads_the_location_under_its_name(settings: dict[str, str]) -> None:
    """The name in [tool.dg] wins over that of the workspace file, with a warning where they differ."""
    dagster = Path(sys.executable).with_name("dagster")

    loaded = run(
        [dagster, "definitions", "validate", "-w", "workspace.yaml"], cwd=CHECKOUT, env=settings
    )

    said = loaded.stdout + loaded.stderr
    assert loaded.returncode == 0, said
    assert "Validation successful for code location argo_retention." in said
    warnings = [line for line in said.splitlines() if "warning" in line.lower()]
    # Of Dagster about its own command.
    assert [line for line in warnings if "definitions_validate_command" not in line] == []


def test_from_the_wheel_outside_the_checkout(
    second_environment: Path, settings: dict[str, str], tmp_path: Path
) -> None:
    loaded = run([second_environment / "bin" / "python", "-c", LOADS], cwd=tmp_path, env=settings)

    assert (loaded.returncode, loaded.stderr) == (0, "")
    place, assets = loaded.stdout.splitlines()
    assert place.startswith(str(second_environment))
    assert assets == "9"


def test_the_wheel_holds_all_that_is_read_at_run_time(second_environment: Path) -> None:
    [installed] = second_environment.glob("lib/python*/site-packages/argo_retention")
    here = CHECKOUT / "argo_retention"

    files = {path.relative_to(here) for path in here.rglob("*") if path.is_file()}
    wanted = {path for path in files if path.suffix != ".pyc"}

    assert {path for path in wanted if not (installed / path).is_file()} == set()
    assert {path.suffix for path in wanted} >= {".py", ".sql", ".typed"}


def test_without_a_settings_file_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    loaded = run(
        [sys.executable, "-c", "import argo_retention.definitions"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(CHECKOUT)},
    )

    assert loaded.returncode == 1
    assert loaded.stderr.splitlines()[-2:] == [
        (
            "argo_retention.errors.ConfigurationError: retention.yaml: the settings file cannot be read "
            "(No such file or directory)."
        ),
        "Write one (README, Configuration), or set ARGO_RETENTION_CONFIG to its path.",
    ]
