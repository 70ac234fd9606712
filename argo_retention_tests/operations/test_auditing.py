"""P6: killed at any moment, no deletion lacks its line in the audit."""

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from argo_retention.errors import DatabaseError, ObjectStoreError
from argo_retention_tests.operations.at_work import AtWork
from argo_retention_tests.operations.collecting_world import work_with
from argo_retention_tests.operations.test_undoing import expired_work


def audited(work: AtWork, kind: str, field: str = "uid") -> list[Any]:
    """A field of each line, in their order."""
    return [
        json.loads(line)[field]
        for path, body in sorted(work.tables.small.items())
        if path.startswith("audit/") and f"/{kind}-" in path
        for line in gzip.decompress(body).splitlines()
    ]


def test_p6_killed_before_the_ledger_closes_the_intent_the_line_is_there_and_comes_again() -> None:
    work = work_with("one")
    [uid] = work.row_uids()
    work.archive.fail(
        "record_deletions",
        DatabaseError("killed here"),
        where=lambda call: any(each.outcome == "deleted" for each in call["deletions"]),
    )

    with pytest.raises(DatabaseError):
        work.collected()

    assert audited(work, "deletions") == [uid]
    work.archive.snapshots.clear()  # or the brake on falling counts holds
    work.next_run()
    work.planned()
    work.collected()
    assert audited(work, "deletions") == [uid, uid]
    assert {d.outcome for _, d in work.archive.deletions.values()} == {"deleted"}


def test_p6_an_audit_that_cannot_be_written_leaves_the_ledger_right() -> None:
    work = work_with("one")
    work.tables.fail(
        "write_bytes",
        ObjectStoreError("no room"),
        where=lambda call: call["path"].startswith("audit/"),
    )

    with pytest.raises(ObjectStoreError, match="no room"):
        work.collected()

    assert {d.outcome for _, d in work.archive.deletions.values()} == {"deleted"}


def test_p6_rows_that_expire_have_their_lines_before_they_go() -> None:
    work = expired_work()
    uids = work.row_uids()
    work.archive.fail("expire_rows", DatabaseError("killed here"))

    with pytest.raises(DatabaseError):
        work.expired()

    assert set(audited(work, "expired")) == uids == work.row_uids()


def test_p6_a_row_that_stays_after_all_has_a_line_that_says_so() -> None:
    work = expired_work()
    [changed, _] = work.archive.argo_rows

    def change(_: object) -> None:
        row = work.archive.argo_rows[changed]
        work.archive.argo_rows[changed] = replace(
            row, workflow=row.workflow.replace(b"Succeeded", b"Failed")
        )

    work.archive.before("expire_rows", change)

    work.expired()

    assert work.row_uids() == {changed[1]}
    assert sorted(audited(work, "expired", "stage")) == ["going", "going", "stayed"]
    assert audited(work, "expired")[-1] == changed[1]
