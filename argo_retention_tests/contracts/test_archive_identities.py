"""Contract of the archive port: whose database it is, what was accepted, and pauses."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from argo_retention.core.bindings import Binding, DatabaseIdentity
from argo_retention.core.ledger import Hold, Pause, SnapshotRecord
from argo_retention_tests.contracts.archive_worlds import (
    CLUSTER,
    ArchiveWorld,
    archive_worlds,
    argo_row,
    lease,
    write,
)

BOUND = Binding(
    clustername=CLUSTER,
    instanceid="",
    cluster_uid="uid-1",
    storage="s3://bucket/argo-retention/identity.json",
    resource_version=100,
)


@pytest.fixture(params=["fake", "postgres"])
def world(request: pytest.FixtureRequest) -> Iterator[ArchiveWorld]:
    yield from archive_worlds(request)


def known(world: ArchiveWorld) -> DatabaseIdentity:
    return world.archive.identity(clustername=CLUSTER)


def test_before_the_first_run_it_has_no_name(world: ArchiveWorld) -> None:
    assert known(world) == DatabaseIdentity()


def test_a_run_names_counts_and_binds(world: ArchiveWorld) -> None:
    made = world.archive.begin_run(lease(world.archive), BOUND, installation="i-1", runs=0)

    assert made == known(world)
    assert (made.installation, made.runs) == ("i-1", 1)
    assert made.made_at is not None
    [binding] = made.bindings
    assert binding.bound_at is not None
    assert replace(binding, bound_at=None) == BOUND


def test_it_keeps_its_name_and_counts_on_from_the_larger_number(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.begin_run(grant, BOUND, installation="i-1", runs=0)

    made = world.archive.begin_run(grant, BOUND, installation="i-2", runs=7)

    assert (made.installation, made.runs) == ("i-1", 8)


def test_a_list_that_came_late_takes_nothing_back(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.begin_run(grant, BOUND, installation="i-1", runs=0)

    world.archive.begin_run(grant, replace(BOUND, resource_version=50), installation="i-1", runs=0)

    assert [each.resource_version for each in known(world).bindings] == [100]


def test_a_binding_says_when_the_list_of_its_version_was_recorded(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.begin_run(grant, BOUND, installation="i-1", runs=0)
    assert [each.listed_at for each in known(world).bindings] == [None]
    for run_id, version in (("of it", "100"), ("of an older one", "99")):
        world.archive.record_snapshot(
            grant,
            SnapshotRecord(
                clustername=CLUSTER,
                instanceid="",
                run_id=run_id,
                path="x",
                live=1,
                finished=1,
                resource_version=version,
                accepted=True,
            ),
        )

    [binding] = known(world).bindings

    taken = world.archive.snapshot_of_run(clustername=CLUSTER, run_id="of it")
    assert taken is not None
    assert binding.listed_at == taken.taken_at


def test_accepting_binds_anew_also_downwards(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.begin_run(grant, BOUND, installation="i-1", runs=0)
    anew = replace(BOUND, cluster_uid="uid-2", resource_version=5)

    world.archive.accept(
        grant, anew, moved=["it moved"], because="rebuilt", by_whom="me", void_proofs=False
    )

    [binding] = known(world).bindings
    assert replace(binding, bound_at=None) == anew


@pytest.mark.parametrize(("void", "version"), [(False, 10), (True, 0)])
def test_accepting_voids_proofs_when_it_is_told_to(
    world: ArchiveWorld, void: bool, version: int
) -> None:
    grant = lease(world.archive)
    world.archive.write_rows(grant, [write()])

    world.archive.accept(grant, BOUND, moved=[], because="restored", by_whom="me", void_proofs=void)

    [proof] = world.archive.proven_versions(clustername=CLUSTER)
    assert proof.resource_version == version


SCOPE = {"clustername": CLUSTER, "instanceid": ""}


def paused(**given: object) -> Pause:
    return Pause(**{**SCOPE, "because": "x", "by_whom": "jo", "until": None, **given})  # type: ignore[arg-type]


def test_a_pause_holds_until_it_is_resumed_and_the_last_one_counts(world: ArchiveWorld) -> None:
    world.archive.pause(paused())
    world.archive.pause(paused(because="y"))

    found = world.archive.pause_of(**SCOPE)

    assert found is not None
    assert found.since is not None
    assert replace(found, since=None) == paused(because="y")
    assert world.archive.pause_of(clustername=CLUSTER, instanceid="blue") is None
    assert world.archive.resume(**SCOPE) == found
    assert world.archive.pause_of(**SCOPE) is None
    assert world.archive.resume(**SCOPE) is None


@pytest.mark.parametrize(("hours", "holds"), [(-1, False), (1, True)])
def test_a_pause_ends_by_itself(world: ArchiveWorld, hours: int, holds: bool) -> None:
    until = world.archive.facts().now + timedelta(hours=hours)
    world.archive.pause(paused(until=until))

    assert (world.archive.pause_of(**SCOPE) is not None) == holds


def held(place: str, **given: object) -> Hold:
    said = {"place": place, "because": "x", "by_whom": "jo", "until": None, **given}
    return Hold(**{**SCOPE, **said})  # type: ignore[arg-type]


def test_a_hold_keeps_its_place_until_it_is_released_and_the_last_one_counts(
    world: ArchiveWorld,
) -> None:
    world.archive.add_hold(held("ci/one"))
    world.archive.add_hold(held("ci"))
    world.archive.add_hold(held("ci/one", because="y"))

    whole, one = world.archive.holds(**SCOPE)

    assert one.since is not None
    assert replace(one, since=None) == held("ci/one", because="y")
    assert whole.place == "ci"
    assert world.archive.holds(clustername=CLUSTER, instanceid="blue") == []
    assert world.archive.release_hold(**SCOPE, place="ci/one") == one
    assert [each.place for each in world.archive.holds(**SCOPE)] == ["ci"]
    assert world.archive.release_hold(**SCOPE, place="ci/one") is None


@pytest.mark.parametrize(("hours", "holds"), [(-1, False), (1, True)])
def test_a_hold_ends_by_itself(world: ArchiveWorld, hours: int, holds: bool) -> None:
    until = world.archive.facts().now + timedelta(hours=hours)
    world.archive.add_hold(held("ci", until=until))

    assert bool(world.archive.holds(**SCOPE)) == holds


def test_whole_rows_are_as_they_were_written(world: ArchiveWorld) -> None:
    row = argo_row("u1", labels={"a": "b", "c": ""})
    world.put_row(row)
    world.put_row(argo_row("u2", labels={}))

    found = {
        r.uid: r for r in world.archive.whole_rows(clustername=CLUSTER, uids=["u1", "u2", "x"])
    }

    assert sorted(found) == ["u1", "u2"]
    one = found["u1"]
    assert replace(one, workflow=row.workflow) == row
    assert json.loads(one.workflow) == json.loads(row.workflow)
    assert found["u2"].labels == {}
