"""The rows that we build from the live objects are the rows that Argo wrote."""

from datetime import datetime
from typing import Any

import pytest
import yaml

from argo_retention.core import labels, manifests
from argo_retention.core.archive_rows import build_row, restore_null
from argo_retention.core.live_workflows import FINISHED_PHASES
from argo_retention.core.proving import row_resource_version, same_workflow
from argo_retention_tests.golden import recorded

DIFFERENCES: dict[str, dict[str, str]] = yaml.safe_load(
    (recorded.ARGO.parent.parent / "golden_differences.yaml").read_text()
)
COLUMNS = ("clustername", "instanceid", "uid", "name", "namespace", "phase")
TIMES = ("startedat", "finishedat", "creationtimestamp")
PROVEN = [name for name in recorded.ARCHIVED_AND_LIVE if name not in DIFFERENCES]


def without(document: dict[str, Any], path: str) -> dict[str, Any]:
    """A copy without one path of the two forms that the file of differences uses."""
    keys = path.removeprefix("$.").removesuffix('"]').replace('["', ".", 1).split(".", 2)
    first, second, *rest = keys
    inner = dict(document[first])
    if rest:
        inner[second] = {key: value for key, value in inner[second].items() if key != rest[0]}
    else:
        inner.pop(second, None)
    return {**document, first: inner}


def test_there_are_27_pairs_and_few_differences():
    assert len(recorded.ARCHIVED_AND_LIVE) == 27
    assert sum(len(paths) for paths in DIFFERENCES.values()) <= 6
    assert all(reason for paths in DIFFERENCES.values() for reason in paths.values())


@pytest.mark.parametrize("name", recorded.ARCHIVED_AND_LIVE)
def test_p5_columns_and_labels_are_exactly_argos(name):
    argos = recorded.row(name)

    ours = build_row(recorded.whole(name), clustername="default", instanceid="")

    assert {column: getattr(ours, column) for column in COLUMNS} == {c: argos[c] for c in COLUMNS}
    assert {time: str(getattr(ours, time)) for time in TIMES} == {t: argos[t] for t in TIMES}
    assert ours.labels == argos["labels"]


@pytest.mark.parametrize("name", recorded.ARCHIVED_AND_LIVE)
def test_p5_json_is_argos_but_for_the_listed_differences(name):
    ours = manifests.decode(
        build_row(recorded.whole(name), clustername="default", instanceid="").workflow
    )
    argos = recorded.row(name)["workflow"]
    for path in DIFFERENCES.get(name, {}):
        ours, argos = without(ours, path), without(argos, path)

    assert same_workflow(ours, argos) is None
    assert "managedFields" not in ours["metadata"]
    assert ours["metadata"]["labels"][labels.ARCHIVING_STATUS] == "Persisted"


@pytest.mark.parametrize("name", PROVEN)
def test_a_live_workflow_is_proven_by_argos_row(name):
    assert same_workflow(recorded.whole(name), recorded.row(name)["workflow"]) is None


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_workflow_that_changed_after_archiving_is_unproven_and_archived_anew(name):
    live = recorded.whole(name)

    difference = same_workflow(live, recorded.row(name)["workflow"])
    anew = manifests.decode(build_row(live, clustername="default", instanceid="").workflow)

    assert difference is not None
    assert any(difference.path.startswith(path) for path in DIFFERENCES[name])
    assert same_workflow(live, anew) is None
    assert row_resource_version(anew) == int(live["metadata"]["resourceVersion"])


@pytest.mark.parametrize(
    "name", [name for name in recorded.LIVE_ONLY if name != "team-a.suspended"]
)
def test_workflows_without_a_row_give_the_row_that_argos_rules_imply(name):
    live = recorded.whole(name)
    metadata, status = live["metadata"], live["status"]

    row = build_row(live, clustername="default", instanceid="")
    stored = manifests.decode(restore_null(row.workflow))

    assert (row.uid, row.name, row.namespace) == (
        metadata["uid"],
        metadata["name"],
        metadata["namespace"],
    )
    assert row.phase == status["phase"]
    assert row.finishedat == datetime.fromisoformat(status["finishedAt"]).replace(tzinfo=None)
    assert row.labels == metadata["labels"] | {labels.ARCHIVING_STATUS: "Persisted"}
    assert stored["spec"] == live["spec"]
    assert stored["status"] == live["status"]
    assert row_resource_version(stored) == row.resource_version
    assert same_workflow(live, stored) is None


def test_a_literal_backslash_u0000_stays_what_it_is():
    """Argo cannot archive this one on PostgreSQL at all."""
    live = recorded.whole("team-a.dag-retries-on-exit")

    row = build_row(live, clustername="default", instanceid="")

    assert rb"\\u0000" in row.workflow
    assert manifests.decode(row.workflow)["spec"] == live["spec"]


def test_the_suspended_workflow_is_not_finished():
    live = recorded.live("team-a.suspended")

    assert manifests.phase_of(live) not in FINISHED_PHASES
    assert manifests.finished_at(live) is None
    assert live["metadata"]["labels"][labels.COMPLETED] == "false"


def test_rows_that_argo_wrote_on_mariadb_hold_the_same_workflows():
    """There the column is text as Go wrote it, NUL escapes included."""
    lines = (recorded.ARGO / "mariadb" / "rows.ndjson").read_text().splitlines()
    compared = 0

    for line in lines:
        row = manifests.decode(line)
        name = f"{row['namespace']}.{row['name']}"
        if name in recorded.names("archive"):
            compared += 1
            stored = manifests.decode(row["workflow"])
            assert same_workflow(stored, recorded.row(name)["workflow"]) is None

    assert compared
