"""Contract of the archive port: whose database it is, and what was accepted."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from argo_retention.core.bindings import Binding, DatabaseIdentity
from argo_retention_tests.contracts.archive_worlds import (
    CLUSTER,
    ArchiveWorld,
    archive_worlds,
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
