"""Workflows full of what breaks programs: each is archived as it is, or kept and named; the others go on."""

import copy
import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from argo_retention.cli.main import main
from argo_retention.core.archive_rows import restore_null
from argo_retention.core.manifests import decode
from argo_retention.core.proving import same_workflow
from argo_retention.defs.jobs import RETENTION_JOB
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.worlds import World

TEXTS = {
    "sql": "x'); DROP TABLE argo_archived_workflows; --",
    "copy": "\\N\t\\.\n\\.",
    "shell": "$(rm -rf /) `id` && exit; ${IFS}",
    "ansi": "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "markup": "[bold red]x[/] [link=http://evil]y[/link]",
    "bidi": "\u202eevil\u2066\u200f",
    "nul": "a\x00b",
    "escaped nul": "a\\u0000b",
    "long": "ä" * 65536,
    "newlines": "a\r\nb\u2028c\u0085",
    "emoji": "👩‍👩‍👧‍👦" * 40,
    "json": '{"uid": "another", "a": [1, null]}',
    "template": "{{workflow.uid}}{{=sprig.env('HOME')}}",
    "path": "../../etc/passwd",
    "empty": "",
    "percent": "%s %(x)s {0} {x}",
}


def put_label(workflow: dict[str, Any], text: Any) -> None:
    workflow["metadata"]["labels"]["hostile"] = text


def put_label_name(workflow: dict[str, Any], text: Any) -> None:
    workflow["metadata"]["labels"][str(text)] = "x"


def put_annotation(workflow: dict[str, Any], text: Any) -> None:
    workflow["metadata"].setdefault("annotations", {})["hostile"] = text


def put_message(workflow: dict[str, Any], text: Any) -> None:
    workflow["status"]["message"] = text


def put_parameter(workflow: dict[str, Any], text: Any) -> None:
    workflow["spec"]["arguments"] = {"parameters": [{"name": "p", "value": text}]}


def put_node_message(workflow: dict[str, Any], text: Any) -> None:
    for node in workflow["status"]["nodes"].values():
        node["message"] = text


def put_key(workflow: dict[str, Any], text: Any) -> None:
    workflow["status"][str(text)] = {str(text): [text]}


def put_result(workflow: dict[str, Any], text: Any) -> None:
    for node in workflow["status"]["nodes"].values():
        node["outputs"] = {"result": text, "exitCode": "0"}


PLACES: dict[str, Callable[[dict[str, Any], Any], None]] = {
    "label": put_label,
    "label name": put_label_name,
    "annotation": put_annotation,
    "message": put_message,
    "parameter": put_parameter,
    "node message": put_node_message,
    "key": put_key,
    "result": put_result,
}
#: As they stand in JSON; Python would not write them so.
RAW = {
    "beyond 2^53": "9007199254740993",
    "beyond 2^64": "36893488147419103233",
    "a hundred digits": "1" * 100,
    "tiny": "1e-400",
    "huge": "1e400",
    "lone surrogate": '"\\ud800"',
    "surrogates turned round": '"\\udc00\\ud800"',
    "deep": "[" * 400 + "]" * 400,
    "very deep": "[" * 10_000 + "]" * 10_000,
    "just too deep": "[" * 990 + "]" * 990,
    "duplicate keys": '{"a": 1, "a": 2, "A": 3}',
    "minus zero": "-0.0",
}
TIMES = ("0001-01-01T00:00:00Z", "2040-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "yesterday", "")


def hostile_bodies(like: dict[str, Any]) -> dict[str, bytes]:
    """Name of the case → JSON of a finished workflow; those of one place and text each."""

    def fresh(number: int) -> dict[str, Any]:
        made = copy.deepcopy(like)
        for key in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
            made["metadata"].pop(key, None)
        made["metadata"]["name"] = f"hostile-{number}"
        return made

    bodies: dict[str, bytes] = {}
    for (what, text), (place, put) in product(TEXTS.items(), PLACES.items()):
        workflow = fresh(len(bodies))
        put(workflow, text)
        bodies[f"{what} as {place}"] = json.dumps(workflow).encode()
    # Metadata is typed: the API server takes no number as an annotation.
    for (what, raw), (place, put) in product(RAW.items(), list(PLACES.items())[3:6]):
        workflow = fresh(len(bodies))
        put(workflow, "@raw@")
        text = json.dumps(workflow).replace('"@raw@"', raw)
        bodies[f"{what} as {place}"] = text.encode()
    for what, at in product(("startedAt", "finishedAt"), TIMES):
        workflow = fresh(len(bodies))
        workflow["status"][what] = at
        bodies[f"{what} {at}"] = json.dumps(workflow).encode()
    return bodies


def visible(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


@pytest.fixture
def world(new_seed: SeedWorld) -> World:
    return new_seed(hello_worlds=2, keep_count=1000, logs={"save": "none"})


def test_p1_each_hostile_workflow_is_archived_as_it_is_or_kept_and_named(
    world: World,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    like = next(iter(world.live().values()))
    taken: dict[str, str] = {}  # uid → case
    refused: list[str] = []  # by the API server: they never get to us
    for case, body in hostile_bodies(like).items():
        answer = world.post_raw("/apis/argoproj.io/v1alpha1/namespaces/argo/workflows", body)
        if answer is None:
            refused.append(case)
        else:
            taken[answer["metadata"]["uid"]] = case
    assert len(taken) + len(refused) >= 150
    record_property("inputs", len(taken) + len(refused))

    outcome = world.run(RETENTION_JOB)

    assert outcome.success, outcome.failure
    assert outcome.assets["archived_workflows"]["finished"] == len(taken) + 2
    rows, live = world.rows(), world.raw_live()
    assert live.keys() >= taken.keys()
    not_archived = {case for uid, case in taken.items() if uid not in rows}
    assert len(not_archived) < 20  # only what no column can hold
    named = outcome.assets["archived_workflows"]["refused"]
    assert named == len(not_archived), (named, not_archived)
    for uid, case in taken.items():
        if uid in rows:
            archived = decode(restore_null(world.row_text(uid)))
            assert same_workflow(decode(live[uid]), archived) is None, case
    # Nothing of them gets at the terminal.
    settings = tmp_path / "retention.yaml"
    settings.write_text(world.settings_text)
    some = next(iter(taken))
    for command in (["plan", "--limit", "500"], ["status"], ["explain", some, "--all"]):
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main([*command, "--config", str(settings)])
        shown = capsys.readouterr()
        assert visible(shown.out)
        assert visible(shown.err)
