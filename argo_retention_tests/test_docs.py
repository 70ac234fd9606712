"""The documents say what the code has: nothing is missing, nothing is named that is not there."""

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from pydantic import BaseModel

from argo_retention.cli.main import COMMANDS, cli
from argo_retention.core.settings import ClusterSettings
from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.config import OutcomeConfig
from argo_retention_tests.defs.described import described, location

ROOT = Path(__file__).parent.parent
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`\n]+)`")
WORDS = set(CODE.findall(README))
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def keys_of(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Paths of all fields, as the table of the configuration writes them."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *typing.get_args(field.annotation)]
        below = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if not below:
            yield f"{before}{name}"
            continue
        many = "[]" if typing.get_origin(field.annotation) is tuple else ""
        yield from keys_of(below[0], f"{before}{name}{many}.")


def commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in COMMANDS}
    return {name: command for name, command in found.items() if command is not None}


@pytest.mark.parametrize("kind", ["assets", "jobs"])
def test_each_asset_and_job_stands_in_the_readme(kind: str) -> None:
    assert set(described(location())[kind]) - WORDS == set()


def test_each_check_stands_in_the_readme() -> None:
    checks = {name.partition(": ")[2] for name in described(location())["checks"]}

    assert checks
    assert checks - WORDS == set()


@pytest.mark.parametrize("kind", ["schedules", "sensors"])
def test_each_schedule_and_sensor_stands_in_the_readme(kind: str) -> None:
    names = {
        name.removesuffix("_production").removesuffix("_staging") + "_CLUSTER"
        for name in described(location())[kind]
    }

    assert names - WORDS == set()


def test_each_key_of_the_settings_has_its_line_in_the_readme() -> None:
    lines = set(re.findall(r"^\| `([^`]+)` \|", README, re.MULTILINE))

    assert set(keys_of(ClusterSettings)) - lines == set()


def test_the_readme_has_no_line_for_a_key_that_is_not_there() -> None:
    table = README.partition("| key of a cluster |")[2].partition("\n\n")[0]
    lines = set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))

    assert lines - set(keys_of(ClusterSettings)) - {"rules"} == set()


def test_each_field_of_a_runs_config_stands_in_the_readme() -> None:
    assert set(OutcomeConfig.model_fields) - WORDS == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_line_with_all_options(name: str) -> None:
    [line] = re.findall(rf"^\| `argo-retention {name}\b.*$", README, re.MULTILINE)
    options = {
        max(parameter.opts, key=len)
        for parameter in commands()[name].params
        if isinstance(parameter, click.Option) and "--help" not in parameter.opts
    }

    assert set(re.findall(r"`(--[a-z-]+)`", line)) == options


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", text)

    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_targets_of_make_exist(document: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = (ROOT / document).read_text(encoding="utf-8")

    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", text))

    assert named - targets == set()


def test_examples_of_settings_can_be_read() -> None:
    examples = [text for kind, text in BLOCK.findall(README) if kind == "yaml"]

    assert len(examples) >= 3
    for text in examples:
        lines = [
            line.removeprefix("   ") if text.startswith("   ") else line
            for line in text.splitlines()
        ]
        assert parse_settings("\n".join(lines), source="README.md").clusters


def test_the_example_of_a_host_location_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = [text for kind, text in BLOCK.findall(README) if kind == "python"]
    path = tmp_path / "retention.yaml"
    path.write_text(yaml.safe_dump({"clusters": {"production": {}}}))
    monkeypatch.setenv("ARGO_RETENTION_CONFIG", str(path))

    names: dict[str, typing.Any] = {}
    exec(code, names)  # noqa: S102

    assert names["defs"].resolve_job_def("argo_retention").name == "argo_retention"
