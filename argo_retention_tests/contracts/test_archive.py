"""Contract of the archive port: lease, rows, proofs. On the fake and on real PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from argo_retention.core.ledger import RowWrite
from argo_retention.core.logs import LogState, LogSummary
from argo_retention.errors import LeaseHeldError, LeaseLostError, RowRefusedError
from argo_retention_tests.contracts.archive_worlds import (
    CLUSTER,
    ArchiveWorld,
    archive_worlds,
    argo_row,
    deletion,
    lease,
    log,
    proof,
    reference,
    unit,
    write,
)


@pytest.fixture(params=["fake", "postgres"])
def world(request: pytest.FixtureRequest) -> Iterator[ArchiveWorld]:
    yield from archive_worlds(request)


def acquire(world: ArchiveWorld, root_run: str, *, finished: bool = False, **kwargs):
    return world.archive.acquire_lease(
        clustername=CLUSTER,
        instanceid="",
        root_run=root_run,
        host="host-2",
        is_finished=lambda _: finished,
        **kwargs,
    )


def digest_now(world: ArchiveWorld, uid: str = "u1") -> str:
    [row] = world.archive.rows(clustername=CLUSTER, uids=[uid])
    return row.digest


# -- facts and lease ------------------------------------------------------------------------------------


def test_facts_of_a_database_that_is_ready(world: ArchiveWorld) -> None:
    facts = world.archive.facts()

    assert (facts.schema_version, facts.is_read_only) == (68, False)
    assert (list(facts.missing_rights), facts.our_tables) == ([], True)
    assert facts.now.utcoffset() == timedelta(0)


def test_migrating_again_does_nothing(world: ArchiveWorld) -> None:
    assert list(world.archive.migrate()) == []


def test_the_same_root_run_reenters_its_lease(world: ArchiveWorld) -> None:
    first = acquire(world, "run-1")

    assert acquire(world, "run-1") == first


def test_another_run_is_told_who_holds_the_lease(world: ArchiveWorld) -> None:
    acquire(world, "run-1")

    with pytest.raises(LeaseHeldError, match="run-1 on host-2 since"):
        acquire(world, "run-2")

    holder = world.archive.lease_holder(clustername=CLUSTER, instanceid="")
    assert holder is not None
    assert (holder["root_run"], holder["host"]) == ("run-1", "host-2")


@pytest.mark.parametrize(
    "kwargs",
    [
        pytest.param({"finished": True}, id="holder's run has ended"),
        pytest.param({"stale_after": timedelta(0)}, id="holder fell silent"),
    ],
)
def test_a_takeover_raises_the_token_and_fences_the_old_holder(world: ArchiveWorld, kwargs) -> None:
    old = acquire(world, "run-1")

    new = acquire(world, "run-2", **kwargs)

    assert new.token > old.token
    with pytest.raises(LeaseLostError):
        world.archive.heartbeat(old)
    world.archive.heartbeat(new)


def test_a_released_lease_is_free_and_its_grant_is_worth_nothing(world: ArchiveWorld) -> None:
    old = acquire(world, "run-1")

    world.archive.release_lease(old)

    assert world.archive.lease_holder(clustername=CLUSTER, instanceid="") is None
    with pytest.raises(LeaseLostError):
        world.archive.record_logs(old, [log()])
    assert acquire(world, "run-1").token > old.token


def test_releasing_a_lease_that_was_taken_over_leaves_it_with_the_new_holder(
    world: ArchiveWorld,
) -> None:
    old = acquire(world, "run-1")
    new = acquire(world, "run-2", finished=True)

    world.archive.release_lease(old)

    world.archive.heartbeat(new)


def test_leases_of_other_installations_are_independent(world: ArchiveWorld) -> None:
    acquire(world, "run-1")

    assert lease(world.archive, instanceid="other").instanceid == "other"
    assert lease(world.archive, clustername="fleet").clustername == "fleet"


def test_a_run_that_lost_its_lease_writes_nothing(world: ArchiveWorld) -> None:
    old = lease(world.archive)
    acquire(world, "run-2", finished=True)

    with pytest.raises(LeaseLostError):
        world.archive.write_rows(old, [write()])
    with pytest.raises(LeaseLostError):
        world.archive.record_deletions(old, [deletion()])
    with pytest.raises(LeaseLostError):
        world.archive.record_units(old, [unit()])
    with pytest.raises(LeaseLostError):
        world.archive.backfill_references(old)
    with pytest.raises(LeaseLostError):
        world.archive.claim_plan(old, "plan-1")
    with pytest.raises(LeaseLostError), world.archive.lock_rows(old, uids=["u1"]):
        pass

    counts = world.archive.counts(clustername=CLUSTER, instanceid="")
    assert {name: number for name, number in counts.items() if number} == {}


# -- writing rows ---------------------------------------------------------------------------------------


def test_row_labels_proof_logs_and_references_are_written_together(world: ArchiveWorld) -> None:
    grant = lease(world.archive)

    [written] = world.archive.write_rows(grant, [write()])

    [row] = world.archive.rows(clustername=CLUSTER, uids=["u1"])
    [proven] = world.archive.proven_versions(clustername=CLUSTER)
    assert written.refusal == ""
    assert row.digest == written.digest == proven.digest
    assert (row.name, row.phase, row.namespace) == ("hello-u1", "Succeeded", "team-a")
    assert world.labels(CLUSTER, "u1") == {"team": "ml"}
    assert proven.facts == proof().facts
    assert proven.added == ("node-0/main",)
    assert (proven.resource_version, proven.row_exists) == (10, True)
    assert proven.logs == LogSummary(stored=1)
    assert world.archive.log_records(clustername=CLUSTER, uids=["u1"]) == [log()]
    assert world.archive.references(clustername=CLUSTER, uids=["u1"]) == [reference()]


def test_written_again_with_the_digest_that_was_seen_a_row_is_replaced(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    [first] = world.archive.write_rows(grant, [write(labels={"team": "ml", "old": "1"})])
    newer = write(
        resource_version=11, labels={"team": "web"}, expected_digest=first.digest, references=[]
    )

    [second] = world.archive.write_rows(grant, [newer])

    [proven] = world.archive.proven_versions(clustername=CLUSTER, uids=["u1"])
    assert second.digest not in {"", first.digest}
    assert (proven.resource_version, proven.digest) == (11, second.digest)
    assert world.labels(CLUSTER, "u1") == {"team": "web"}
    assert world.archive.references(clustername=CLUSTER, uids=["u1"]) == []


@pytest.mark.parametrize(
    ("standing", "expected", "refusal"),
    [
        pytest.param(
            {"resource_version": 11}, "now", "the archive has a newer version of it", id="newer"
        ),
        pytest.param({"resource_version": 9}, "", "row changed meanwhile", id="appeared"),
        pytest.param({"resource_version": 9}, "0" * 32, "row changed meanwhile", id="changed"),
        pytest.param({"instanceid": "other"}, "now", "instanceID 'other'", id="of another"),
    ],
)
def test_p1_what_stands_there_is_left_alone_and_named(
    world: ArchiveWorld, standing, expected, refusal
) -> None:
    grant = lease(world.archive)
    world.put_row(argo_row(**standing))
    digest = digest_now(world)

    written = world.archive.write_rows(
        grant, [write(expected_digest=digest if expected == "now" else expected), write("u2")]
    )

    assert refusal in written[0].refusal
    assert (written[0].digest, digest_now(world)) == ("", digest)
    assert [p.uid for p in world.archive.proven_versions(clustername=CLUSTER)] == ["u2"]
    assert (written[1].uid, written[1].refusal) == ("u2", "")


def test_the_version_is_compared_as_a_number(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.put_row(argo_row(resource_version=9))

    [written] = world.archive.write_rows(
        grant, [write(resource_version=10, expected_digest=digest_now(world))]
    )

    assert written.refusal == ""


def test_a_row_that_was_there_and_is_gone_is_not_written(world: ArchiveWorld) -> None:
    [written] = world.archive.write_rows(lease(world.archive), [write(expected_digest="0" * 32)])

    assert written.refusal == "row changed meanwhile"


def test_a_proof_without_a_row_needs_the_digest_that_stands_there(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.put_row(argo_row("u1"))
    world.put_row(argo_row("u2"))
    only_proofs = [
        RowWrite(row=None, expected_digest=digest, proof=proof(uid), logs=[], references=[])
        for uid, digest in (("u1", digest_now(world, "u1")), ("u2", "0" * 32), ("u3", ""))
    ]

    written = world.archive.write_rows(grant, only_proofs)

    assert [w.refusal for w in written] == ["", "row changed meanwhile", "row changed meanwhile"]
    [proven] = world.archive.proven_versions(clustername=CLUSTER)
    assert (proven.uid, proven.digest) == ("u1", digest_now(world, "u1"))


@pytest.mark.parametrize(
    "kwargs",
    [
        pytest.param({"labels": {"team": "x" * 64}}, id="label"),
        pytest.param({"phase": "x" * 26}, id="phase"),
        pytest.param({"workflow": {"a": "\0"}}, id="NUL"),
    ],
)
def test_refused_data_refuses_the_batch_and_leaves_nothing(world: ArchiveWorld, kwargs) -> None:
    grant = lease(world.archive)

    with pytest.raises(RowRefusedError):
        world.archive.write_rows(grant, [write("u1"), write("u2", **kwargs)])

    assert world.archive.rows(clustername=CLUSTER, uids=["u1", "u2"]) == []
    assert list(world.archive.proven_versions(clustername=CLUSTER)) == []
    [written] = world.archive.write_rows(grant, [write("u1")])
    assert written.refusal == ""


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(write(clustername="fleet"), id="row of another cluster"),
        pytest.param(write(instanceid="other"), id="row of another instance"),
        pytest.param(write(logs=[log("u2")]), id="log of another workflow"),
        pytest.param(write(row=argo_row("u1"), references=[reference("u2")]), id="reference"),
    ],
)
def test_a_write_outside_the_lease_is_a_mistake_of_the_caller(world: ArchiveWorld, wrong) -> None:
    grant = lease(world.archive)

    with pytest.raises(ValueError, match=r"instance|mixes"):
        world.archive.write_rows(grant, [wrong])


def test_nothing_to_write_is_nothing(world: ArchiveWorld) -> None:
    assert list(world.archive.write_rows(lease(world.archive), [])) == []


def test_offloaded_nodes_are_found_by_cluster_uid_and_version(world: ArchiveWorld) -> None:
    world.offload(clustername=CLUSTER, uid="u1", version="fnv:1", nodes=b'{"a": 1}')

    found = world.archive.offloaded_nodes(clustername=CLUSTER, uid="u1", version="fnv:1")

    assert found == b'{"a": 1}'
    assert world.archive.offloaded_nodes(clustername=CLUSTER, uid="u1", version="fnv:2") is None


# -- proofs ---------------------------------------------------------------------------------------------


def test_after_our_own_patch_a_proof_holds_for_both_versions(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.write_rows(grant, [write("u1"), write("u2")])

    world.archive.record_patched(grant, {"u1": (10, 12), "u2": (9, 12), "unknown": (1, 2)})

    found = world.archive.proven_versions(clustername=CLUSTER)
    versions = {p.uid: (p.resource_version, p.live_version) for p in found}
    assert versions == {"u1": (10, 12), "u2": (10, 0)}
    with world.archive.lock_rows(grant, uids=["u1"]) as rows:
        assert (rows["u1"].resource_version, rows["u1"].live_version) == (10, 12)


def test_a_new_proof_forgets_the_patch_of_the_old_version(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    [first] = world.archive.write_rows(grant, [write()])
    world.archive.record_patched(grant, {"u1": (10, 12)})

    world.archive.write_rows(grant, [write(resource_version=20, expected_digest=first.digest)])

    [proven] = world.archive.proven_versions(clustername=CLUSTER)
    assert (proven.resource_version, proven.live_version) == (20, 0)


def test_a_proof_says_that_its_row_is_gone(world: ArchiveWorld) -> None:
    world.archive.write_rows(lease(world.archive), [write()])
    world.remove_row(CLUSTER, "u1")

    [proven] = world.archive.proven_versions(clustername=CLUSTER, uids=["u1", "u2"])

    assert not proven.row_exists


def test_logs_are_summed_up_by_their_state(world: ArchiveWorld) -> None:
    states = [*LogState, LogState.LOST]
    logs = [
        log(node_id=str(n), state=state, reason=f"reason {n}") for n, state in enumerate(states)
    ]
    world.archive.write_rows(lease(world.archive), [write(logs=logs)])

    [proven] = world.archive.proven_versions(clustername=CLUSTER)

    assert (proven.logs.stored, proven.logs.not_wanted, proven.logs.lost) == (1, 1, 2)
    assert (proven.logs.unsettled, proven.logs.first_reason) == (2, "reason 3")


def test_proofs_of_other_clusters_are_not_seen(world: ArchiveWorld) -> None:
    world.archive.write_rows(lease(world.archive), [write()])

    assert list(world.archive.proven_versions(clustername="fleet")) == []
    assert list(world.archive.proven_versions(clustername=CLUSTER, uids=[])) == []
