"""Each trap of the demo's fleet ends as it must, and so does everything else in it.

A trap's own fields say how it must end. It is tested under the name of the promise that it is about.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from argo_retention.core.archive_rows import restore_null
from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention.demo.scenes.fleet import fleet_scene
from argo_retention.demo.scenes.scene import PostgresAddress, S3Address, Trap
from argo_retention_tests.e2e.conftest import Worked
from argo_retention_tests.e2e.oracle import NOTHING, Oracle

NOWHERE = fleet_scene(
    now=datetime(2026, 6, 1, tzinfo=UTC),
    s3=S3Address(endpoint="http://nowhere:1", access_key="", secret_key=""),
    postgres=PostgresAddress(host="nowhere", port=1, database="", user="", password=""),
)
P2 = frozenset({"trap-held-by-annotation", "trap-held-by-namespace", "trap-owner"})
P3 = frozenset({"trap-running", "trap-owner-child", "trap-being-deleted"})
P4 = frozenset(
    {
        "trap-shared-log-key",
        "trap-shared-log-key-expired",
        "trap-same-name",
        "trap-same-name-twin",
        "trap-same-name-before",
        "trap-same-name-again",
        "trap-memoized",
        "trap-memoized-source",
        "trap-artifact-gc",
        "trap-another-cluster",
        "trap-other-instance-row",
    }
)
P5 = frozenset({"trap-backslash-u0000", "trap-from-template"})
P1 = NOWHERE.traps.keys() - P2 - P3 - P4 - P5

Ends = Callable[[str], None]


@pytest.fixture(scope="session")
def ends_as_it_must(worked: dict[str, Worked]) -> Ends:
    """Checks one trap: cluster, archive, plan, ledger, objects."""
    fleet = worked["fleet"]
    world = fleet.world
    live, objects = world.live(), world.objects()
    rows = {
        (row["clustername"], row["uid"])
        for row in world.query("SELECT clustername, uid FROM argo_archived_workflows")
    }
    plan = world.decisions(fleet.outcomes[RETENTION_JOB], "retention_plan")
    expiry = world.decisions(fleet.outcomes[EXPIRY_JOB], "expiry_plan")
    deletions = {d["uid"]: d for d in world.ledger("deletions")}
    units = {u["uid"]: u for u in world.ledger("expiry_units")}

    def check(name: str) -> None:
        trap = world.scene.traps[name]
        assert (trap.uid in live) == trap.stays_live, trap.ends
        assert ((trap.clustername, trap.uid) in rows) == trap.row_at_end, trap.ends
        assert [place for place in trap.keeps if place not in objects] == []
        assert [place for place in trap.loses if place in objects] == []
        if trap.live and trap.reason:
            assert plan[trap.uid]["reason"] == trap.reason
        if trap.live and not trap.stays_live:
            assert_explained(trap, plan[trap.uid], deletions[trap.uid])
        if not trap.live and not trap.row_at_end:
            assert expiry[trap.uid]["verdict"] == "remove"
            assert units[trap.uid]["reason"] == expiry[trap.uid]["sentence"]

    return check


def assert_explained(trap: Trap, decision: Mapping[str, Any], deletion: Mapping[str, Any]) -> None:
    """It was planned with a reason, and the ledger holds that very reason."""
    assert decision["verdict"] == "remove", trap.name
    assert decision["sentence"]
    assert (deletion["outcome"], deletion["reason"]) == ("deleted", decision["sentence"])


@pytest.mark.parametrize("name", sorted(P1))
def test_p1_nothing_unproven_goes(ends_as_it_must: Ends, name: str) -> None:
    ends_as_it_must(name)


@pytest.mark.parametrize("name", sorted(P2))
def test_p2_what_must_stay_stays(ends_as_it_must: Ends, name: str) -> None:
    ends_as_it_must(name)


@pytest.mark.parametrize("name", sorted(P3))
def test_p3_what_is_live_is_left_whole(ends_as_it_must: Ends, name: str) -> None:
    ends_as_it_must(name)


@pytest.mark.parametrize("name", sorted(P4))
def test_p4_a_log_that_another_needs_stays(ends_as_it_must: Ends, name: str) -> None:
    ends_as_it_must(name)


@pytest.mark.parametrize("name", sorted(P5))
def test_p5_argo_can_read_it(ends_as_it_must: Ends, name: str) -> None:
    ends_as_it_must(name)


@pytest.mark.parametrize("name", ["fleet", "seed"])
def test_p1_nothing_is_lost_and_nothing_is_left_over(worked: dict[str, Worked], name: str) -> None:
    assert Oracle(worked[name].world).look() == NOTHING


@pytest.mark.parametrize("name", ["fleet", "seed"])
def test_all_jobs_of_the_demo_succeed(worked: dict[str, Worked], name: str) -> None:
    assert [o.failure for o in worked[name].outcomes.values() if not o.success] == []


def test_p1_a_newer_row_is_not_overwritten_by_an_older_object(worked: dict[str, Worked]) -> None:
    world = worked["fleet"].world
    uid = world.scene.traps["trap-row-is-newer"].uid
    [before] = [row for row in world.scene.rows if row.uid == uid]

    row = world.rows()[uid]["workflow"]

    assert row["status"]["message"] == "stopped by hand"
    assert int(row["metadata"]["resourceVersion"]) == before.resource_version


def test_p1_a_row_of_an_earlier_attempt_is_replaced(worked: dict[str, Worked]) -> None:
    world = worked["fleet"].world

    row = world.rows()[world.scene.traps["trap-retried-since"].uid]

    assert (row["phase"], row["workflow"]["status"]["phase"]) == ("Succeeded", "Succeeded")


def test_p4_two_that_want_one_key_both_have_their_own_log(worked: dict[str, Worked]) -> None:
    world = worked["fleet"].world
    traps = [world.scene.traps[name] for name in ("trap-same-name", "trap-same-name-twin")]
    logs = {record["uid"]: record for record in world.ledger("log_objects")}

    bodies = [world.body(logs[t.uid]["bucket"], logs[t.uid]["key"]) for t in traps]

    assert bodies == [f"{t.path} was here\n".encode() for t in traps]


def test_p4_an_object_overwritten_since_still_holds_the_later_log(
    worked: dict[str, Worked],
) -> None:
    world = worked["fleet"].world
    [place] = world.scene.traps["trap-same-name-before"].keeps

    assert world.body(*place) == b"the second run\n"


def test_p5_texts_that_postgresql_cannot_hold_come_back_as_they_were(
    worked: dict[str, Worked],
) -> None:
    world = worked["fleet"].world
    uid = world.scene.traps["trap-backslash-u0000"].uid

    [row] = world.query("SELECT workflow::text FROM argo_archived_workflows WHERE uid = %s", uid)

    whole = msgspec.json.decode(restore_null(row["workflow"].encode()))
    assert whole["spec"]["arguments"]["parameters"] == [
        {"name": "literal", "value": r"C:\u0000"},
        {"name": "nul", "value": "a\0b"},
    ]
