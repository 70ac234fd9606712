"""Cluster, database and bucket know one another: while one of them has moved, nothing is deleted (P1)."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from argo_retention.core.bindings import IDENTITY_FILE, Binding, DatabaseIdentity
from argo_retention.errors import IdentityError
from argo_retention.operations.identifying import accept, check_identity
from argo_retention.operations.previewing import preview
from argo_retention_tests.fakes.table_store import FakeTableStore
from argo_retention_tests.operations.at_work import AtWork
from argo_retention_tests.operations.collecting_world import deletes, work_with

KEY = ("default", "")


def rebuild_cluster(work: AtWork) -> None:
    work.cluster.change(
        "Namespace", "", "kube-system", lambda found: found["metadata"].update(uid="another")
    )


def restore_database(work: AtWork) -> None:
    work.archive.installation = replace(work.archive.installation, runs=0)


def exchange_database(work: AtWork) -> None:
    work.archive.installation = DatabaseIdentity(installation="another", runs=9)


def new_database(work: AtWork) -> None:
    work.archive.installation = DatabaseIdentity()
    work.archive.bindings.clear()


def empty_bucket(work: AtWork) -> None:
    bound = work.archive.bindings[KEY]  # as after the second run, which found the file
    work.archive.bindings[KEY] = replace(bound, storage=work.tables.uri(IDENTITY_FILE))
    work.tables.small.clear()


def exchange_bucket(work: AtWork) -> None:
    body = work.tables.small[IDENTITY_FILE]
    mine = work.archive.installation.installation.encode()
    work.tables.small[IDENTITY_FILE] = body.replace(mine, b"somebody-else")


def scribble(work: AtWork) -> None:
    work.tables.small[IDENTITY_FILE] = b'{"installation": 7}'


def set_back_etcd(work: AtWork) -> None:
    bound = work.archive.bindings[KEY]
    work.archive.bindings[KEY] = replace(bound, resource_version=10**9)


def take_kube_system_away(work: AtWork) -> None:
    work.cluster.remove("Namespace", "", "kube-system")


MOVES: dict[str, tuple[Callable[[AtWork], None], str]] = {
    "another cluster": (rebuild_cluster, "the cluster moved: the uid of its namespace kube-system"),
    "older database": (
        restore_database,
        "the database moved back: it counts 0 runs, .* counts [12] ",
    ),
    "another database": (exchange_database, "database or bucket moved: .* the database to another"),
    "new database": (new_database, "the database to none, no run was ever here"),
    "empty bucket": (empty_bucket, "the bucket moved: .*identity.json is gone"),
    "another bucket": (exchange_bucket, "belongs to installation somebody-else"),
    "not an identity": (scribble, "expected the identity of an installation"),
    "older etcd": (set_back_etcd, "the cluster moved back: this list has resourceVersion"),
}


@pytest.mark.parametrize(("move", "expected"), MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("step", ["snapshot", "collect", "expire"])
def test_p1_nothing_goes_when_a_side_moved(
    move: Callable[[AtWork], None], expected: str, step: str
) -> None:
    work = work_with("one", "two")
    if step == "expire":
        work.expiry_planned()
    move(work)

    with pytest.raises(IdentityError, match=expected) as caught:
        {"snapshot": work.archived, "collect": work.collected, "expire": work.expired}[step]()

    assert "othing was deleted" in str(caught.value)
    assert "argo-retention accept" in str(caught.value)
    assert deletes(work) == 0
    assert work.names() == {"one", "two"}
    assert len(work.row_uids()) == 2


@pytest.mark.parametrize(("move", "expected"), MOVES.values(), ids=MOVES)
def test_what_a_person_accepts_goes_on_and_is_recorded(
    move: Callable[[AtWork], None], expected: str
) -> None:
    work = work_with("one", "two")
    move(work)
    work.next_run()

    accepted = accept(work.site, work.grant(work.site.root_run), because="we rebuilt it")

    assert len(accepted.moved) == 1
    assert re.search(expected, accepted.moved[0])
    [(moved, because, by_whom)] = work.archive.acceptances
    assert (list(moved), because, by_whom) == (
        list(accepted.moved),
        "we rebuilt it",
        work.site.by_whom,
    )
    work.next_run()
    work.planned()
    assert work.collected().deleted == 2


def test_p1_after_a_restore_of_etcd_only_a_whole_comparison_proves() -> None:
    work = work_with("one")
    set_back_etcd(work)
    work.next_run()

    accepted = accept(work.site, work.grant(work.site.root_run), because="restored")

    assert accepted.proofs_voided
    [proof] = work.archive.proven_versions(clustername="default")
    assert (proof.resource_version, proof.live_version) == (0, 0)
    work.next_run()
    done = work.archived()
    assert (done.archived, done.proven_now) == (0, 1)


def test_accepting_where_nothing_moved_says_so_and_keeps_the_proofs() -> None:
    work = work_with("one")

    accepted = accept(work.site, work.grant(work.site.root_run), because="to be sure")

    assert (accepted.moved, accepted.proofs_voided) == ([], False)


def test_p1_a_list_of_namespaces_without_kube_system_is_no_list() -> None:
    work = work_with("one")
    take_kube_system_away(work)

    with pytest.raises(IdentityError, match="there is no namespace kube-system"):
        work.collected()

    assert deletes(work) == 0


def test_p1_a_version_that_is_no_number_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    work = work_with("one")
    pages = work.cluster.list_metadata

    def odd(**given: object) -> object:
        for page in pages(**given):  # type: ignore[arg-type]
            yield replace(page, resource_version="abc")

    monkeypatch.setattr(work.cluster, "list_metadata", odd)

    with pytest.raises(IdentityError, match="resourceVersion 'abc', which is no number"):
        work.collected()

    assert deletes(work) == 0


def test_the_first_run_binds_and_each_run_counts_in_database_and_bucket() -> None:
    work = work_with("one")
    work.next_run()
    work.archived()

    known = check_identity(work.site)

    assert known.database.runs == 2
    assert known.present.file is not None
    assert known.present.file.runs == 2
    assert known.present.file.installation == known.database.installation
    [binding] = known.database.bindings
    assert binding.cluster_uid == "kube-system-uid"
    assert binding.storage == "memory://tables/identity.json"


def test_p1_a_cluster_that_was_set_back_is_told_with_the_time_of_its_last_list() -> None:
    work = work_with("one")
    set_back_etcd(work)
    work.archive.snapshots = {
        key: replace(record, resource_version=str(10**9))
        for key, record in work.archive.snapshots.items()
    }

    with pytest.raises(
        IdentityError, match=r"that of \d{4}-\d\d-\d\d \d\d:\d\dZ had 1000000000: etcd"
    ):
        work.collected()


def test_a_new_place_for_plans_is_no_move() -> None:
    work = work_with("one")

    class Elsewhere(FakeTableStore):
        def uri(self, path: str) -> str:
            return f"memory://elsewhere/{path}"

    work.site = replace(work.site, tables=Elsewhere())
    work.next_run()
    work.planned()

    assert work.collected().deleted == 1


def test_p1_two_clusters_under_one_clustername_are_refused_whatever_their_instance() -> None:
    work = work_with("one")
    other = Binding(
        clustername="default",
        instanceid="blue",
        cluster_uid="of-another-cluster",
        storage="memory://other",
        resource_version=1,
    )
    work.archive.bindings["default", "blue"] = other

    with pytest.raises(IdentityError, match="and was of-another-cluster"):
        work.collected()


def test_p7_killed_between_database_and_bucket_the_first_run_is_no_conflict() -> None:
    work = work_with("one")
    work.tables.small.clear()

    assert check_identity(work.site).conflicts == []
    work.next_run()
    work.planned()
    assert work.collected().deleted == 1


def test_p7_killed_between_database_and_bucket_a_later_run_is_no_conflict() -> None:
    work = work_with("one")
    known = work.archive.installation
    work.archive.installation = replace(known, runs=known.runs + 3)

    assert check_identity(work.site).conflicts == []


def test_what_moved_stands_in_the_preview_too() -> None:
    work = work_with("one")
    rebuild_cluster(work)

    assert any("the cluster moved" in text for text in preview(work.site).refusals)
