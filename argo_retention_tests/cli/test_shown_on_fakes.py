"""What `plan`, `status` and `explain` print of states that are rare on real servers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from argo_retention.cli import explain, plan, status
from argo_retention.core.ledger import ExpiryUnit
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogReference, LogState
from argo_retention.operations.site import Site
from argo_retention_tests.cli.operators_world import Ended, run
from argo_retention_tests.operations.looked_at import DAY, NOW, LookedAt, policy

Show = Callable[..., Ended]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Show:
    """Run a command on a world of fakes."""
    config = tmp_path / "retention.yaml"
    config.write_text("clusters: {prod: {}}")

    def shown(world: LookedAt, *arguments: str) -> Ended:
        @contextmanager
        def open_site(*_: Any, **__: Any) -> Iterator[Site]:
            yield world.site

        for module in (plan, status, explain):
            monkeypatch.setattr(module, "open_site", open_site)
        return run(*arguments, "--config", str(config))

    return shown


def unit(workflow: LiveWorkflow, stage: str, **overrides: Any) -> ExpiryUnit:
    fields: dict[str, Any] = {
        "clustername": "default",
        "uid": workflow.uid,
        "namespace": workflow.namespace,
        "name": workflow.name,
        "stage": stage,
        "reason": "its archive TTL is 30d",
        "plan_id": "plan-2",
        "run_id": "run-2",
        "digest": "",
        "at": NOW,
    }
    return ExpiryUnit(**{**fields, **overrides})


def test_all_of_a_name_shortly_and_the_newest_in_full(show: Show) -> None:
    world = LookedAt()
    older = world.proven("a", age=9 * DAY)
    world.cluster.remove("Workflow", "ci", "a")
    newer = world.proven("a", age=DAY)

    in_short, in_full = show(world, "explain", "ci/a"), show(world, "explain", "ci/a", "--all")

    assert "2 workflows had this name, newest first" in in_short.out
    assert in_short.out.index(newer.uid) < in_short.out.index(older.uid)
    assert in_short.out.count("What happened (UTC)") == 1
    assert in_full.out.count("What happened (UTC)") == 2


def test_a_live_one_that_owns_and_waits_for_finalizers(show: Show) -> None:
    world = LookedAt()
    metadata = {
        "deletionTimestamp": "2026-06-15T11:00:00Z",
        "finalizers": ["argo/artifact-gc"],
        "ownerReferences": [{"kind": "CronWorkflow", "name": "nightly", "uid": "u"}],
        "annotations": {"argo-retention.io/archive-ttl": "365d", "else": "left out"},
    }
    world.finished("a", metadata=metadata)

    ended = show(world, "explain", "ci/a")

    assert "being deleted" in ended.out
    assert "argo/artifact-gc" in ended.out
    assert "CronWorkflow nightly" in ended.out
    assert "365d" in ended.out
    assert "left out" not in ended.out
    assert "none; the next archive run compares it" in ended.out


def test_retried_since_it_was_proven(show: Show) -> None:
    world = LookedAt(policy=policy(completed=0))
    workflow = world.proven("a")
    world.cluster.change("Workflow", "ci", "a", lambda it: it["spec"].update(retried=True))

    ended = show(world, "explain", "ci/a")

    assert f"now at {workflow.resource_version + 1}, so it must be proven anew" in ended.out
    assert "hold back: is not proven in the archive" in ended.out


def test_entries_that_we_added_to_the_row(show: Show) -> None:
    world = LookedAt()
    workflow = world.finished("a")
    world.prove(workflow, added=("a/main",))

    assert (
        "entries added to the row so that Argo finds the logs: 1"
        in show(world, "explain", "ci/a").out
    )


def test_expired_while_live(show: Show) -> None:
    world = LookedAt()
    workflow = world.proven("a")
    world.archive.record_units(world.grant(), [unit(workflow, "objects_done")])
    (row,) = world.archive.rows(clustername="default", uids=[workflow.uid])
    gone = unit(workflow, "objects_done", digest=row.digest)
    versions = {workflow.uid: workflow.resource_version}
    world.archive.expire_rows(world.grant(), [gone], live_versions=versions)

    ended = show(world, "explain", "ci/a")

    assert "its row expired on purpose while it is in the cluster" in ended.out


def test_logs_with_their_state_and_those_that_only_the_row_names(show: Show) -> None:
    world = LookedAt()
    workflow = world.finished("a")
    lost = world.log(workflow, node_id="a-2", state=LogState.LOST, key="", reason="pod is gone")
    world.prove(workflow, world.log(workflow, size=1234), lost)
    named = LogReference(bucket="b", key="k", clustername="default", uid=workflow.uid)
    world.archive.references_by_row["default", workflow.uid].add(named)

    ended = show(world, "explain", "ci/a")

    assert "s3://logs/a/main.log, 1,234 bytes, by argo_retention" in ended.out
    assert "pod is gone" in ended.out
    assert "s3://b/k" in ended.out
    assert "not recorded by us" in ended.out


def test_objects_that_stayed_and_who_removed_it(show: Show) -> None:
    world = LookedAt()
    workflow = world.finished("a")
    world.cluster.remove("Workflow", "ci", "a")
    grant = world.grant()
    world.archive.record_logs(grant, [world.log(workflow)])
    kept = ("b/k: workflow u2 names it too\x1b[2J",)
    world.archive.record_units(grant, [unit(workflow, "done", kept_objects=kept)])

    ended = show(world, "explain", "ci/a")

    assert "Argo or a person; the ledger has no deletion of it" in ended.out
    assert "Logs, as they were before they expired" in ended.out
    assert "  b/k: workflow u2 names it too\\x1b[2J" in ended.out


def test_a_row_that_is_not_the_proven_one(show: Show) -> None:
    world = LookedAt()
    world.proven("a")
    key = next(iter(world.archive.argo_rows))
    row = world.archive.argo_rows[key]
    other = row.workflow.replace(b'"ci"', b'"cd"')
    world.archive.put_row(replace(row, workflow=other))

    assert "not the row that was proven" in show(world, "explain", "ci/a").out


def test_lost_logs_that_a_deletion_takes_along(show: Show) -> None:
    world = LookedAt(policy=policy(completed=0))
    workflow = world.finished("a")
    world.prove(workflow, world.log(workflow, state=LogState.LOST, key="", reason="pod is gone"))

    ended = show(world, "plan")

    assert "lost logs that would go with these: 1" in ended.out


def test_an_empty_cluster(show: Show) -> None:
    ended = show(LookedAt(), "plan")

    assert ended.code == 0
    assert "prod: retention: no workflow is in the cluster" in ended.out
    assert "prod: expiry: no row is past its TTL" in ended.out


def test_status_of_units_that_a_crash_left_open(show: Show) -> None:
    world = LookedAt()
    first, second = world.finished("a"), world.proven("b")
    grant = world.grant()
    units = [unit(first, "objects_done"), unit(second, "intended")]
    world.archive.record_units(grant, units)
    (row,) = world.archive.rows(clustername="default", uids=[second.uid])
    expired = unit(second, "objects_done", digest=row.digest)
    world.archive.expire_rows(grant, [expired], live_versions={second.uid: second.resource_version})
    world.archive.release_lease(grant)

    ended = show(world, "status")

    assert "1, 1 begun and open, 1 while still in the cluster" in ended.out
    assert "free" in ended.out
    assert "no snapshot yet" in ended.out


def test_a_database_on_which_no_run_would_start(show: Show) -> None:
    world = LookedAt()
    world.archive.schema_version = None
    world.archive.read_only = True

    shown, planned = show(world, "status"), show(world, "plan")

    assert "Argo's tables are not there, read-only" in shown.out
    assert (shown.code, planned.code) == (0, 1)
    assert "A run would refuse: The archive database is read-only" in planned.out


def test_clocks_that_disagree(show: Show) -> None:
    world = LookedAt()
    world.cluster.now = NOW - timedelta(minutes=6)

    ended = show(world, "plan")

    assert ended.code == 1
    assert "A run would refuse: The clock of the API server" in ended.out
