"""The documents say what the code has: nothing is missing, nothing is named that is not there."""

import json
import re
import shlex
import textwrap
import tomllib
import typing
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from argo_retention.cli.main import COMMANDS, cli
from argo_retention.core.durations import format_duration
from argo_retention.core.logs import LogState
from argo_retention.core.reasons import Reason
from argo_retention.core.settings import ClusterSettings, Settings
from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.config import RetentionOutcomeConfig
from argo_retention.operations.snapshotting import SNAPSHOT_COLUMNS
from argo_retention_tests import cookbook
from argo_retention_tests.defs.described import described, location
from benchmarks.readme_table import filled, read_figures, rendered

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
]
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
README = TEXTS["README.md"]
OPERATIONS = TEXTS["docs/operations.md"]
CODE = re.compile(r"`([^`\n]+)`")
WORDS = set(CODE.findall(README))
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PARSERS: dict[str, Callable[[str], object]] = {
    "yaml": yaml.safe_load,
    "json": json.loads,
    "toml": tomllib.loads,
    "python": lambda text: compile(text, "example", "exec"),
}


def blocks(document: str, kind: str) -> list[str]:
    """Examples of one kind, without the indentation of the list that they stand in."""
    return [text for kind_of, text in _blocks(TEXTS[document]) if kind_of == kind]


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    for _, kind, body in BLOCK.findall(text):
        yield kind, textwrap.dedent(body)


def first_column(heading: str, text: str) -> list[str]:
    """What stands as code in the first column of the table with this heading."""
    table = text.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def fields_of(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """All fields by their paths, as the table of the configuration writes them."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *typing.get_args(field.annotation)]
        below = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if not below:
            yield f"{before}{name}", field
            continue
        many = "[]" if typing.get_origin(field.annotation) is tuple else ""
        if many:
            yield f"{before}{name}", field
        yield from fields_of(below[0], f"{before}{name}{many}.")


def line_of(path: str, field: FieldInfo) -> str:
    """The line of the table for one key: name, default, meaning."""
    default = "required" if field.is_required() else _shown(field.default)
    return f"| `{path}` | {default} | {field.description} |"


def _shown(value: object) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, timedelta):
        return f"`{format_duration(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def commands() -> dict[str, click.Command]:
    """Each command by what is typed; those of a group by both words."""
    context = click.Context(cli)
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            found |= {f"{name} {own}": each for own, each in command.commands.items()}
        elif command is not None:
            found[name] = command
    return found


@pytest.mark.parametrize("kind", ["assets", "jobs"])
def test_each_asset_and_job_stands_in_the_readme(kind: str) -> None:
    assert set(described(location())[kind]) - WORDS == set()


def test_each_check_stands_in_the_readme() -> None:
    checks = {
        re.sub("_(production|staging)$", "_CLUSTER", name.partition(": ")[2])
        for name in described(location())["checks"]
    }

    assert checks
    assert checks - WORDS == set()
    assert set(first_column("check", OPERATIONS)) == checks


@pytest.mark.parametrize("kind", ["schedules", "sensors"])
def test_each_schedule_and_sensor_stands_in_the_readme(kind: str) -> None:
    names = {
        name.removesuffix("_production").removesuffix("_staging") + "_CLUSTER"
        for name in described(location())[kind]
    }

    assert names - WORDS == set()


def test_the_table_of_the_settings_is_that_of_the_model() -> None:
    """Each key, its default and its meaning; no key that is not there."""
    table = README.partition("| key of a cluster |")[2].partition("\n\n")[0]

    found = table.splitlines()[2:]

    assert found == [line_of(path, field) for path, field in fields_of(ClusterSettings)]


def test_each_key_at_the_top_of_the_settings_stands_in_the_readme() -> None:
    assert set(Settings.model_fields) - WORDS == set()


def test_each_field_of_a_runs_config_stands_in_the_readme() -> None:
    assert set(RetentionOutcomeConfig.model_fields) - WORDS == set()


@pytest.mark.parametrize("name", commands())
def test_each_command_has_its_line_with_all_options(name: str) -> None:
    [line] = re.findall(rf"^\| `argo-retention {name}\b.*$", README, re.MULTILINE)
    options = {
        max(parameter.opts, key=len)
        for parameter in commands()[name].params
        if isinstance(parameter, click.Option) and "--help" not in parameter.opts
    }

    assert set(re.findall(r"`(--[a-z-]+)`", line)) == options


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_of_the_examples_are_taken(document: str) -> None:
    """Each `$ argo-retention ...` names a command, and options and arguments that it has."""
    lines = re.findall(r"^ *\$ argo-retention (.*)$", TEXTS[document], re.MULTILINE)
    assert lines or document not in {"README.md", "docs/operations.md"}

    for line in lines:
        words = shlex.split(line, comments=True)
        length = 1 if words[0] in commands() else 2
        name = " ".join(words[:length])
        context = commands()[name].make_context(name, words[length:])

        assert context.args == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", TEXTS[document])
    folder = (ROOT / document).parent

    assert [link for link in links if not (folder / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_targets_of_make_exist(document: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", TEXTS[document]))

    assert named - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_examples_parse(document: str) -> None:
    unparsed = []
    for kind, text in _blocks(TEXTS[document]):
        try:
            PARSERS.get(kind, str)(text)
        except (ValueError, SyntaxError, yaml.YAMLError) as error:
            unparsed.append(f"{text}: {error}")

    assert unparsed == []


def test_examples_of_settings_can_be_read() -> None:
    everything = [(name, text) for name in DOCUMENTS for text in blocks(name, "yaml")]
    examples = [(name, text) for name, text in everything if text.startswith("clusters:")]

    assert {name for name, _ in examples} >= {"README.md", "docs/getting-started.md"}
    for name, text in examples:
        assert parse_settings(text, source=name).clusters


def test_the_example_of_a_host_location_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = [code for code in blocks("README.md", "python") if "build_definitions" in code]
    path = tmp_path / "retention.yaml"
    path.write_text(yaml.safe_dump({"clusters": {"production": {}}}))
    monkeypatch.setenv("ARGO_RETENTION_CONFIG", str(path))

    names: dict[str, typing.Any] = {}
    exec(code, names)  # noqa: S102

    assert names["defs"].resolve_job_def("argo_retention").name == "argo_retention"


def test_the_example_of_a_notebook_imports_what_is_there() -> None:
    [code] = [code for code in blocks("README.md", "python") if "load_snapshot" in code]

    names: dict[str, typing.Any] = {}
    exec(code.partition("\n\n")[0], names)  # noqa: S102

    assert callable(names["load_snapshot"])
    assert callable(names["compare_snapshots"])


def test_each_column_of_a_snapshot_stands_in_the_readme() -> None:
    assert set(SNAPSHOT_COLUMNS) - WORDS == set()


def test_the_operations_guide_explains_each_reason() -> None:
    assert sorted(first_column("reason", OPERATIONS)) == sorted(Reason)


def test_the_operations_guide_explains_each_state_of_a_log() -> None:
    assert sorted(first_column("state", OPERATIONS)) == sorted(LogState)


def test_the_cookbook_says_what_its_policies_do() -> None:
    """Where a change is meant: `python -m argo_retention_tests.cookbook` writes it anew."""
    assert cookbook.page() == TEXTS["docs/policy-cookbook.md"]
    assert len(cookbook.RECIPES["recipes"]) >= 12


def test_figures_are_filled_in_between_their_marks() -> None:
    """The last line of a figure counts; what stood there before is gone."""
    old = {"figure": "plan", "unit": "s", "ours": 3.0, "limit": None, "today": None}
    old |= {"ratio_to_limit": None, "ratio_to_today": None, "bar": "<= 2", "holds": False}
    new = {**old, "ours": 1.5, "today": 6.0, "ratio_to_today": 0.25, "holds": True}
    lines = [json.dumps({**figure, "note": "of 100 workflows"}) for figure in (old, new)]

    readme = filled(README, rendered(read_figures(lines)))

    block = readme.partition("<!-- bench -->\n")[2].partition("<!-- /bench -->")[0]
    _, _, line, _, note = block.splitlines()
    assert line == "| plan | s | 1.5 |  | 6 (ratio 0.25) | <= 2 | yes |"
    assert note == "* plan: of 100 workflows"
    assert (
        filled(readme, rendered([])).partition("<!-- bench -->")[0]
        == (README.partition("<!-- bench -->")[0])
    )


def test_a_readme_without_marks_is_not_written() -> None:
    with pytest.raises(ValueError, match="once, found 0"):
        filled("# no marks", "| table |")
