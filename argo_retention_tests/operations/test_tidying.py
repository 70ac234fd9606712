"""Our own traces are bounded, and nothing that is in use is dropped."""

from datetime import timedelta

import pytest

from argo_retention.operations.snapshotting import last_snapshot
from argo_retention.operations.tidying import tidy
from argo_retention_tests.operations.at_work import NOW, AtWork

REMOVE_ALL = {"argo": {"retentionPolicy": {"completed": 0}}}


def work_of_days(settings: dict[str, object], *days: int) -> AtWork:
    """A run at each of these days."""
    work = AtWork(settings)
    work.run("one")
    for day in days:
        work.at(NOW + timedelta(days=day))
        work.tables.now = NOW + timedelta(days=day)
        work.next_run()
        work.planned()
    return work


def files(work: AtWork) -> list[str]:
    return [path for folder in ("snapshots", "plans") for path in work.site.tables.paths(folder)]


def test_old_snapshots_and_plans_go_with_their_records() -> None:
    work = work_of_days(REMOVE_ALL, 0, 20, 40)
    assert len(files(work)) == 6

    dropped = tidy(work.site, work.grant(work.site.root_run))

    assert dropped == 4  # files of the first run, and their records
    assert len(files(work)) == 4
    assert tidy(work.site, work.grant(work.site.root_run)) == 0


def test_the_newest_of_each_stay_however_old() -> None:
    work = work_of_days(REMOVE_ALL, 0)
    work.at(NOW + timedelta(days=900))

    assert tidy(work.site, work.grant(work.site.root_run)) == 0

    assert len(files(work)) == 2
    assert last_snapshot(work.site) is not None


def test_deletions_are_remembered_for_400_days() -> None:
    work = AtWork(REMOVE_ALL)
    work.run("one")
    work.planned()
    assert work.collected().deleted == 1
    grant = work.grant(work.site.root_run)

    work.at(NOW + timedelta(days=399))
    tidy(work.site, grant)
    assert len(work.archive.deletions) == 1
    work.at(NOW + timedelta(days=401))
    tidy(work.site, grant)

    assert len(work.archive.deletions) == 0


@pytest.mark.parametrize("storage", [{"keep": 0, "keep_ledger": 0}])
def test_0_keeps_for_ever(storage: dict[str, object]) -> None:
    work = work_of_days({**REMOVE_ALL, "storage": storage}, 0, 500)

    assert tidy(work.site, work.grant(work.site.root_run)) == 0
    assert len(files(work)) == 4
