"""Log objects of what expires are kept before they are deleted, where that is wanted, and put back."""

from datetime import timedelta

import pytest

from argo_retention.core.settings_file import parse_settings
from argo_retention.errors import ConfigurationError, ObjectStoreError
from argo_retention.operations.saving_logs import ONE_PUT_LIMIT
from argo_retention.operations.undoing import find_kept, kept_files, restore_row, throw_away
from argo_retention.operations.undoing_logs import LogsBack, restore_logs
from argo_retention_tests.operations.at_work import NOW, AtWork

KEPT = {"undo": "7d", "undo_logs": True}
EXPIRES = {"argo": {"archiveTTL": "1h"}, "bucket": {"exclusive": True}}


def expired(log: bytes = b"hello", expiry: object = KEPT) -> tuple[AtWork, str, str, bytes]:
    """The work, the uid, and key and body of the log object before it expired."""
    work = AtWork({**EXPIRES, "expiry": expiry})
    one = work.run("one", log=log)
    work.archived()
    work.cluster.remove("Workflow", one.namespace, one.name)
    work.archive.snapshots.clear()
    work.next_run()
    work.expiry_planned()
    [(key, found)] = work.bucket.objects.items()
    return work, one.uid, key, found.body


@pytest.mark.parametrize("length", [1, ONE_PUT_LIMIT + 1])
def test_p3_row_and_log_come_back_as_they_were(length: int) -> None:
    work, uid, key, body = expired(b"x" * length)
    assert work.expired().objects == {"deleted": 1}
    assert work.bucket.objects == {}
    kept = find_kept(work.site, uid)

    told = restore_logs(work.site, kept)
    restore_row(work.site, work.grant(work.site.root_run), kept)

    assert told == LogsBack(back=1)
    assert work.bucket.objects[key].body == body
    assert work.row_uids() == {uid}
    assert [file.kind for file in kept_files(work.site)] == ["expired"]


def test_p4_what_is_there_is_not_replaced() -> None:
    work, uid, key, _ = expired()
    work.expired()
    work.bucket.add(key, b"of somebody else")

    assert restore_logs(work.site, find_kept(work.site, uid)) == LogsBack(there=1)

    assert work.bucket.objects[key].body == b"of somebody else"


def test_p4_what_comes_while_we_look_is_not_replaced() -> None:
    work, uid, key, _ = expired()
    work.expired()
    work.bucket.before("put_if_absent", lambda _: work.bucket.add(key, b"of somebody else"))

    assert restore_logs(work.site, find_kept(work.site, uid)) == LogsBack(there=1)

    assert work.bucket.objects[key].body == b"of somebody else"


def test_p3_a_log_that_cannot_be_kept_is_not_deleted() -> None:
    work, uid, _, _ = expired()
    work.tables.fail("write_stream", ObjectStoreError("no room"))

    done = work.expired()

    assert done.objects == {"failed": 1}
    assert len(work.bucket.objects) == 1
    assert work.row_uids() == {uid}


def test_logs_are_not_kept_unless_it_is_wanted() -> None:
    work, uid, _, _ = expired(expiry={"undo": "7d"})
    work.expired()

    assert restore_logs(work.site, find_kept(work.site, uid)) == LogsBack(not_kept=1)
    assert work.bucket.objects == {}


@pytest.mark.parametrize(("age", "left"), [(6, 2), (8, 0)])
def test_kept_logs_are_thrown_away_with_their_rows(age: int, left: int) -> None:
    work, _, _, _ = expired()
    work.expired()
    work.at(NOW + timedelta(days=age))

    throw_away(work.site)

    assert len(work.tables.paths("undo")) == left


def test_to_keep_logs_for_no_time_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"expected expiry\.undo beside expiry\.undo_logs"):
        parse_settings("clusters: {prod: {expiry: {undo_logs: true}}}", source="retention.yaml")
