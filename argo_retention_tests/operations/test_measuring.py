"""Numbers for a monitoring system."""

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from argo_retention.cli.metrics import prometheus_text
from argo_retention.operations.measuring import measure
from argo_retention_tests.operations.at_work import NAMESPACE, NOW, AtWork
from argo_retention_tests.operations.looked_at import LookedAt, UnmigratedArchive

POLICY = {"argo": {"retentionPolicy": {"completed": 1}, "archiveTTL": "3d"}}


def test_a_cluster_that_was_worked_on_has_all_its_numbers() -> None:
    work = AtWork(POLICY)
    for number, name in enumerate(("old", "newer", "newest")):
        work.run(name, age=timedelta(hours=3 - number))
    work.planned()
    assert work.collected().deleted == 2
    work.at(NOW + timedelta(minutes=10))
    work.next_run()
    work.run("late", age=timedelta(hours=1))
    work.cluster.add_workflow("running", namespace=NAMESPACE, phase=None)
    work.planned()
    work.at(NOW + timedelta(minutes=20))
    work.run("unseen")

    measured = measure(work.site)

    assert measured is not None
    assert (measured.live, measured.finished, measured.unproven) == (3, 2, 0)
    assert 600 <= measured.snapshot_age <= 601
    assert measured.deleted_by_rule == {"retentionPolicy": 2}
    assert (measured.rows, measured.expired, measured.vanished) == (4, 0, 0)
    assert (measured.to_delete, measured.to_expire) == (1, 2)
    assert measured.log_bytes == 4 * len(b"hello\n")
    assert measured.archive_bytes > 0
    assert measured.archive_lag == 0


def test_what_is_not_proven_has_a_lag() -> None:
    world = LookedAt()
    from argo_retention.operations.snapshotting import take_snapshot

    world.finished("waits", age=timedelta(hours=2))
    take_snapshot(world.site, world.grant(world.site.root_run))

    measured = measure(world.site)

    assert measured is not None
    assert (measured.unproven, measured.archive_lag) == (1, 7200)


def test_before_the_first_run_there_is_nothing_to_measure() -> None:
    assert measure(LookedAt().site) is None
    assert measure(LookedAt(archive=UnmigratedArchive(now=NOW)).site) is None


def test_prometheus_reads_it() -> None:
    work = AtWork(POLICY)
    work.run("one")
    work.planned()
    measured = measure(work.site)

    text = prometheus_text(["prod", "new", "down"], {"prod": measured, "new": None})

    families = {each.name: each for each in text_string_to_metric_families(text)}
    up = {s.labels["cluster"]: s.value for s in families["argo_retention_up"].samples}
    assert up == {"prod": 1, "new": 1, "down": 0}
    [live] = families["argo_retention_live_workflows"].samples
    assert (live.labels, live.value) == ({"cluster": "prod"}, 1)
    assert all(family.documentation for family in families.values())
