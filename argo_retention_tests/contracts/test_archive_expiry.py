"""Contract of the archive port: expiry, and the life of a workflow afterwards."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from argo_retention.core.ledger import ExpiryCandidate
from argo_retention.core.logs import LogState
from argo_retention_tests.contracts.archive_worlds import (
    CLUSTER,
    FINISHED,
    ArchiveWorld,
    archive_worlds,
    argo_row,
    deletion,
    lease,
    log,
    reference,
    status,
    unit,
    write,
)


@pytest.fixture(params=["fake", "postgres"])
def world(request: pytest.FixtureRequest) -> Iterator[ArchiveWorld]:
    yield from archive_worlds(request)


def candidates(
    world: ArchiveWorld, *, before: datetime = FINISHED + timedelta(days=1), namespace=None
) -> Sequence[ExpiryCandidate]:
    batches = world.archive.expiry_candidates(
        clustername=CLUSTER, instanceid="", namespace=namespace, finished_before=before
    )
    return [candidate for batch in batches for candidate in batch]


def vanished(world: ArchiveWorld, *, namespace: str | None = None, instanceid: str = ""):
    return world.archive.vanished(clustername=CLUSTER, instanceid=instanceid, namespace=namespace)


def stored(world: ArchiveWorld, *uids: str, instanceid: str = "") -> dict[str, str]:
    """Archive workflows; uid → digest."""
    grant = lease(world.archive, instanceid=instanceid)
    written = world.archive.write_rows(grant, [write(u, instanceid=instanceid) for u in uids])
    return {w.uid: w.digest for w in written}


# -- candidates -----------------------------------------------------------------------------------------


def test_a_candidate_carries_what_the_plan_needs(world: ArchiveWorld) -> None:
    labels = {"team": "ml", "workflows.argoproj.io/cron-workflow": "nightly"}
    annotations = {"argo-retention.io/hold": "audit", "argo-retention.io/archive-ttl": "1d"}
    world.put_row(argo_row(workflow={"metadata": {"labels": labels, "annotations": annotations}}))

    [found] = candidates(world)

    [row] = world.archive.rows(clustername=CLUSTER, uids=["u1"])
    assert (found.uid, found.namespace, found.name) == ("u1", "team-a", "hello-u1")
    assert (found.phase, found.finished_at, found.digest) == ("Succeeded", FINISHED, row.digest)
    assert (found.labels, found.template) == (labels, "nightly")
    assert (found.hold, found.archive_ttl) == ("audit", "1d")


@pytest.mark.parametrize("finished_at", ["0001-01-01T00:00:00Z", None])
def test_a_row_that_never_finished_has_no_time(world: ArchiveWorld, finished_at) -> None:
    world.put_row(argo_row(workflow={"metadata": {}, "status": status(finished_at=finished_at)}))

    [found] = candidates(world)

    assert (found.finished_at, found.labels, found.template) == (None, {}, "")


def test_candidates_are_of_one_installation_and_come_oldest_first(world: ArchiveWorld) -> None:
    for days, (uid, kwargs) in enumerate(
        [
            ("u1", {}),
            ("u2", {"namespace": "team-b"}),
            ("u3", {"instanceid": "other"}),
            ("u4", {"clustername": "fleet"}),
            ("u5", {}),
        ]
    ):
        finished = datetime(2026, 11, 1) - timedelta(days=days)
        world.put_row(argo_row(uid, finishedat=finished, **kwargs))

    assert [c.uid for c in candidates(world)] == ["u5", "u2", "u1"]
    assert [c.uid for c in candidates(world, namespace="team-b")] == ["u2"]
    limit = datetime(2026, 11, 1, tzinfo=UTC)
    assert [c.uid for c in candidates(world, before=limit)] == ["u5", "u2"]


# -- units ----------------------------------------------------------------------------------------------


def test_a_unit_moves_through_its_stages(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.record_units(grant, [unit("u1"), unit("u2"), unit("u3", stage="row_vanished")])
    kept = ("logs/k: workflow u9 names it too",)
    world.archive.record_units(grant, [unit("u1", stage="objects_done", kept_objects=kept)])
    world.archive.record_units(grant, [unit("u2", stage="done")])

    [opened] = world.archive.open_units(clustername=CLUSTER, instanceid="")

    assert (opened.uid, opened.stage, opened.kept_objects) == ("u1", "objects_done", kept)
    assert world.archive.open_units(clustername=CLUSTER, instanceid="other") == []


def test_a_unit_that_stays_in_its_stage_keeps_its_time(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.record_units(grant, [unit(at=FINISHED)])
    world.archive.record_units(grant, [unit(at=FINISHED + timedelta(days=1))])

    [opened] = world.archive.open_units(clustername=CLUSTER, instanceid="")
    assert opened.at == FINISHED


def test_expired_rows_go_with_labels_references_and_proof(world: ArchiveWorld) -> None:
    digests = stored(world, "u1", "u2")
    grant = lease(world.archive)
    begun = unit("u1", stage="objects_done", digest=digests["u1"])
    world.archive.record_units(grant, [begun])

    gone = world.archive.expire_rows(grant, [begun], live_versions={})

    assert list(gone) == ["u1"]
    assert [r.uid for r in world.archive.rows(clustername=CLUSTER, uids=["u1", "u2"])] == ["u2"]
    assert world.labels(CLUSTER, "u1") == {}
    assert [p.uid for p in world.archive.proven_versions(clustername=CLUSTER)] == ["u2"]
    assert world.archive.references(clustername=CLUSTER, uids=["u1", "u2"]) == [reference("u2")]
    assert world.archive.open_units(clustername=CLUSTER, instanceid="") == []
    counts = world.archive.counts(clustername=CLUSTER, instanceid="")
    assert (counts["rows"], counts["labels"], counts["expired"]) == (1, 1, 1)
    assert (counts["proven"], counts["references"], counts["logs_stored"]) == (1, 1, 1)


def test_p6_a_row_without_logs_leaves_its_reason_although_no_intent_was_recorded(
    world: ArchiveWorld,
) -> None:
    digests = stored(world, "u1")

    world.archive.expire_rows(
        lease(world.archive), [unit("u1", digest=digests["u1"])], live_versions={}
    )

    told = world.archive.history(clustername=CLUSTER, uid="u1")["expiry"]
    assert (told.stage, told.reason, told.plan_id) == ("done", unit().reason, unit().plan_id)
    assert world.archive.find_uids(clustername=CLUSTER, namespace=told.namespace, name=told.name)


def test_expiring_again_is_the_same_as_once(world: ArchiveWorld) -> None:
    digests = stored(world, "u1")
    grant = lease(world.archive)
    units = [unit("u1", digest=digests["u1"])]
    world.archive.record_units(grant, units)

    first = world.archive.expire_rows(grant, units, live_versions={})

    again = world.archive.expire_rows(grant, units, live_versions={})
    assert (first["u1"] > 0, dict(again)) == (True, {"u1": 0})
    assert world.archive.counts(clustername=CLUSTER, instanceid="")["expired"] == 1


def test_a_row_that_changed_since_the_plan_stays(world: ArchiveWorld) -> None:
    digests = stored(world, "u1")
    grant = lease(world.archive)
    world.put_row(argo_row("u1", workflow={"status": status("other.log")}))

    gone = world.archive.expire_rows(grant, [unit("u1", digest=digests["u1"])], live_versions={})

    assert not gone
    assert world.labels(CLUSTER, "u1") == {"team": "ml"}


def test_a_row_that_argo_wrote_anew_with_the_same_content_may_go(world: ArchiveWorld) -> None:
    digests = stored(world, "u1")
    world.put_row(argo_row("u1"))
    grant = lease(world.archive)

    gone = world.archive.expire_rows(grant, [unit("u1", digest=digests["u1"])], live_versions={})

    assert list(gone) == ["u1"]


def test_a_row_that_somebody_holds_is_skipped_without_waiting(world: ArchiveWorld) -> None:
    digests = stored(world, "u1", "u2")
    grant = lease(world.archive)
    units = [unit(uid, digest=digest) for uid, digest in digests.items()]

    with world.hold_row(CLUSTER, "u1"):
        gone = world.archive.expire_rows(grant, units, live_versions={})

    assert list(gone) == ["u2"]
    assert list(world.archive.expire_rows(grant, units, live_versions={})) == ["u1", "u2"]


def test_rows_of_other_clusters_and_instances_are_untouched(world: ArchiveWorld) -> None:
    stored(world, "u1", instanceid="other")
    world.put_row(argo_row("u1", clustername="fleet"))
    [other] = world.archive.rows(clustername=CLUSTER, uids=["u1"])
    before = world.archive.counts(clustername=CLUSTER, instanceid="other")
    grant = lease(world.archive)

    gone = world.archive.expire_rows(grant, [unit("u1", digest=other.digest)], live_versions={})

    assert not gone
    assert world.archive.counts(clustername=CLUSTER, instanceid="other") == before
    assert len(world.archive.rows(clustername="fleet", uids=["u1"])) == 1


# -- live workflows whose row expired -------------------------------------------------------------------


def test_a_live_workflow_keeps_its_proof_without_a_row(world: ArchiveWorld) -> None:
    digests = stored(world, "u1", "u2")
    grant = lease(world.archive)
    units = [unit(uid, digest=digest) for uid, digest in digests.items()]

    world.archive.expire_rows(grant, units, live_versions={"u1": 14, "u9": 3})

    [proven] = world.archive.proven_versions(clustername=CLUSTER)
    assert (proven.uid, proven.resource_version) == ("u1", 14)
    assert (proven.expired_while_live, proven.row_exists) == (True, False)
    with world.archive.lock_rows(grant, uids=["u1", "u2"]) as rows:
        row = rows["u1"]
    assert list(rows) == ["u1"]
    assert (row.expired_while_live, row.digest, row.proven_digest) == (True, "", "")
    assert (row.resource_version, row.logs_settled) == (14, True)
    assert vanished(world) == []
    [lost] = world.archive.log_records(clustername=CLUSTER, uids=["u1"])
    assert (lost.state, lost.key) == (LogState.LOST, "")


def test_archived_again_it_is_an_ordinary_proof(world: ArchiveWorld) -> None:
    digests = stored(world, "u1")
    grant = lease(world.archive)
    world.archive.expire_rows(grant, [unit("u1", digest=digests["u1"])], live_versions={"u1": 14})

    world.archive.write_rows(grant, [write(resource_version=20)])

    [proven] = world.archive.proven_versions(clustername=CLUSTER)
    assert (proven.resource_version, proven.expired_while_live) == (20, False)


# -- rows that vanished ---------------------------------------------------------------------------------


def test_a_proven_row_with_stored_logs_that_is_gone_has_vanished(world: ArchiveWorld) -> None:
    stored(world, "u1", "u2", "u3")
    stored(world, "u4", instanceid="other")
    grant = lease(world.archive)
    world.archive.record_logs(grant, [log("u2", state=LogState.LOST)])
    for uid in ("u1", "u2", "u4"):
        world.remove_row(CLUSTER, uid)

    [found] = vanished(world)

    assert (found.uid, found.namespace, found.name) == ("u1", "team-a", "hello-u1")
    assert (found.stage, found.digest, found.at) == ("row_vanished", "", None)
    assert vanished(world, namespace="team-b") == []
    assert [u.uid for u in vanished(world, instanceid="other")] == ["u4"]


def test_a_vanished_unit_remembers_since_when_until_it_is_begun(world: ArchiveWorld) -> None:
    stored(world, "u1")
    world.remove_row(CLUSTER, "u1")
    grant = lease(world.archive)

    world.archive.record_units(grant, [unit(stage="row_vanished", at=FINISHED)])
    assert [u.at for u in vanished(world)] == [FINISHED]

    world.archive.record_units(grant, [unit(stage="intended")])
    assert vanished(world) == []
    assert dict(world.archive.expire_rows(grant, [unit()], live_versions={})) == {"u1": 0}
    assert vanished(world) == []


@pytest.mark.parametrize("by", ["us", "argo"])
def test_a_row_that_came_back_starts_its_grace_anew(world: ArchiveWorld, by) -> None:
    stored(world, "u1")
    world.remove_row(CLUSTER, "u1")
    grant = lease(world.archive)
    world.archive.record_units(grant, [unit(stage="row_vanished", at=FINISHED)])
    if by == "us":
        stored(world, "u1")
    else:
        world.put_row(argo_row("u1"))
        world.archive.backfill_references(grant)

    world.remove_row(CLUSTER, "u1")

    assert [u.at for u in vanished(world)] == [None]


# -- the whole life -------------------------------------------------------------------------------------


def test_history_tells_the_life_of_a_workflow_that_is_gone(world: ArchiveWorld) -> None:
    digests = stored(world, "u1")
    grant = lease(world.archive)
    world.archive.record_deletions(grant, [deletion(outcome="deleted")])
    before = world.archive.history(clustername=CLUSTER, uid="u1")
    begun = unit("u1", digest=digests["u1"])
    world.archive.record_units(grant, [begun])
    world.archive.expire_rows(grant, [begun], live_versions={})

    after = world.archive.history(clustername=CLUSTER, uid="u1")

    assert before["row"]["name"] == "hello-u1"
    assert before["proof"].resource_version == 10
    assert before["expiry"] is None
    assert (after["row"], after["proof"]) == (None, None)
    assert after["logs"] == before["logs"] == [log()]
    assert after["deletions"] == before["deletions"] == [deletion(outcome="deleted")]
    assert (after["expiry"].stage, after["expiry"].reason) == ("done", "older than 180d")
    others = world.archive.references_of_others(
        clustername=CLUSTER, objects=[reference("u9", "hello-u1/main.log")]
    )
    assert others == {}


def test_nothing_is_known_of_an_unknown_uid(world: ArchiveWorld) -> None:
    history = world.archive.history(clustername=CLUSTER, uid="unknown")

    assert (history["row"], history["proof"], history["expiry"]) == (None, None, None)
    assert (list(history["logs"]), list(history["deletions"])) == ([], [])


def test_a_name_finds_its_uids_newest_first_also_of_those_long_gone(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    same = {"name": "hello", "namespace": "team-a"}
    world.put_row(argo_row("row", startedat=datetime(2026, 11, 9), **same))
    world.put_row(
        argo_row("elsewhere", startedat=datetime(2026, 11, 9), name="hello", namespace="x")
    )
    world.archive.record_logs(
        grant, [log("log", workflow="hello", saved_at=datetime(2026, 11, 8, tzinfo=UTC))]
    )
    world.archive.record_deletions(
        grant, [deletion("deleted", name="hello", at=datetime(2026, 11, 7, tzinfo=UTC))]
    )
    world.archive.record_units(
        grant, [unit("expired", name="hello", at=datetime(2026, 11, 6, tzinfo=UTC))]
    )

    found = world.archive.find_uids(clustername=CLUSTER, namespace="team-a", name="hello")

    assert found == ["row", "log", "deleted", "expired"]
    assert world.archive.find_uids(clustername="fleet", namespace="team-a", name="hello") == []
