"""What is held, by whom and why; it is kept in the cluster and in the archive whatever policy says."""

from datetime import timedelta

import pytest

from argo_retention.core.holds import describe, holds_of, place_of, why_held
from argo_retention.core.labels import HOLD
from argo_retention.core.ledger import Hold
from argo_retention.errors import ConfigurationError, DatabaseError
from argo_retention.operations.holding import holds_now
from argo_retention_tests.core.factories import NOW
from argo_retention_tests.operations.at_work import NAMESPACE, AtWork

REMOVE_ALL = {"argo": {"retentionPolicy": {"completed": 0}, "archiveTTL": "1d"}}


def hold(work: AtWork, place: str, **given: object) -> None:
    installation = work.site.installation
    said = {"because": "case 7", "by_whom": "jo", "until": None, **given}
    work.archive.add_hold(
        Hold(
            clustername=installation.clustername,
            instanceid=installation.instanceid,
            place=place,
            **said,  # type: ignore[arg-type]
        )
    )


def test_p2_a_namespace_is_held_by_its_annotation_even_without_a_text() -> None:
    work = AtWork()
    for name, annotations in (("audit", {HOLD: "case 7"}), ("empty", {HOLD: ""}), ("free", {})):
        metadata = {"name": name, "annotations": annotations}
        work.cluster.add({"kind": "Namespace", "metadata": metadata})

    holds = holds_now(work.site)

    assert holds == {
        "audit": f"namespace audit has {HOLD}: case 7",
        "empty": f"namespace empty has {HOLD}: ",
    }
    assert why_held(holds, namespace="empty", name="any") is not None
    assert why_held(holds, namespace="free", name="any") is None


@pytest.mark.parametrize("place", [NAMESPACE, f"{NAMESPACE}/kept"])
def test_p2_what_a_person_holds_is_neither_deleted_nor_expired(place: str) -> None:
    work = AtWork(REMOVE_ALL)
    work.run("kept", age=timedelta(days=9))
    hold(work, place)

    retention = work.planned()
    expiry = work.expiry_planned()

    assert [d.reason.value for d in retention.plan.decisions] == ["held"]
    assert "by jo since" in retention.plan.decisions[0].sentence
    assert [d.reason.value for d in expiry.plan.decisions] == ["held"]


def test_p2_a_hold_that_is_set_after_the_plan_holds() -> None:
    work = AtWork(REMOVE_ALL)
    work.run("one")
    made = work.planned()
    assert len(made.plan.removals) == 1
    hold(work, f"{NAMESPACE}/one")

    done = work.collected()

    assert done.deleted == 0
    [deletion] = done.deletions
    assert deletion.outcome.startswith(f"kept: is held: {NAMESPACE}/one, by jo since")


def test_p2_a_ledger_that_cannot_say_what_is_held_stops_the_run() -> None:
    work = AtWork(REMOVE_ALL)
    work.run("one")
    work.archive.fail("holds", DatabaseError("down"))

    with pytest.raises(DatabaseError):
        work.planned()


def test_p6_a_hold_says_who_since_when_until_when_and_why() -> None:
    held = Hold(
        clustername="c",
        instanceid="",
        place="ci/one",
        because="case 7",
        by_whom="jo",
        until=NOW + timedelta(days=1),
        since=NOW,
    )

    assert describe(held) == (
        "ci/one, by jo since 2026-06-15 12:00Z until 2026-06-16 12:00Z: case 7"
    )
    assert holds_of((), [held]) == {"ci/one": describe(held)}


@pytest.mark.parametrize("text", ["", "/", "ci/", "/one", "a/b/c", " ci"])
def test_a_place_is_a_namespace_or_a_workflow_in_it(text: str) -> None:
    assert place_of("ci") == "ci"
    assert place_of("ci/one") == "ci/one"
    with pytest.raises(ConfigurationError, match="expected NAMESPACE or NAMESPACE/WORKFLOW"):
        place_of(text)
