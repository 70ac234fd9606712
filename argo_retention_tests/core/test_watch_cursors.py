"""What the sensor remembers: no work is asked for twice, none is forgotten."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core.watch_cursors import (
    FIRST_PAUSE,
    FORM,
    LONGEST_PAUSE,
    REMEMBERED,
    Scope,
    WatchCursor,
    decode,
    encode,
)
from argo_retention_tests.core.factories import NOW

MINUTE = timedelta(minutes=1)
ANEW = WatchCursor(form=FORM, server="one")


def test_a_cursor_goes_on_where_it_was() -> None:
    cursor = WatchCursor(
        form=FORM,
        server="one",
        scope=Scope(selector="!workflows.argoproj.io/controller-instanceid", namespace=None),
        version="17",
        waiting={"u": NOW},
        not_before=NOW + MINUTE,
    )

    assert decode(encode(cursor), server="one") == (cursor, "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "this is the first look"),
        ("4711", "of another release"),
        ("{", "of another release"),
        ('{"form": 1, "server": "one"}', "of another release"),
        ('{"form": 2, "server": "two", "version": "9"}', "of another API server"),
    ],
)
def test_a_cursor_that_means_nothing_here_begins_anew(text: str, why: str) -> None:
    cursor, because = decode(text, server="one")

    assert cursor == ANEW
    assert why in because


def test_pauses_double_up_to_an_hour() -> None:
    cursor, pauses = ANEW, []
    for _ in range(9):
        cursor = cursor.put_off(NOW, trouble="It is down.")
        assert cursor.not_before is not None
        pauses.append(cursor.not_before - NOW)

    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE


def test_a_run_is_asked_for_when_enough_wait_or_one_has_waited_long_enough() -> None:
    cursor = ANEW.with_seen({"a"}, frozenset(), now=NOW, listed=False)
    cursor = cursor.with_seen({"b"}, frozenset(), now=NOW + MINUTE, listed=False)

    def is_due(now: timedelta, min_batch: int) -> bool:
        return cursor.batch_is_due(NOW + now, min_batch=min_batch, max_wait=2 * MINUTE)

    assert is_due(MINUTE, 2)
    assert not is_due(MINUTE, 3)
    assert is_due(2 * MINUTE, 3)
    assert not ANEW.batch_is_due(NOW, min_batch=1, max_wait=timedelta(0))


def test_a_queued_run_covers_all_that_waits_and_one_that_began_what_was_seen_before() -> None:
    cursor = ANEW.with_seen({"a"}, frozenset(), now=NOW, listed=False)
    cursor = cursor.with_seen({"b"}, frozenset(), now=NOW + MINUTE, listed=False)

    queued = cursor.covered_by("run", None)
    began = cursor.covered_by("run", NOW + MINUTE)
    before = cursor.covered_by("run", NOW)

    assert (dict(queued.waiting), queued.relied_on) == ({}, "run")
    assert (list(began.waiting), began.relied_on) == (["b"], "run")
    assert (list(before.waiting), before.relied_on) == (["a", "b"], "")


def test_more_than_are_remembered_are_a_batch() -> None:
    many = {f"u{number}" for number in range(REMEMBERED + 5)}
    cursor = ANEW.with_seen(many, frozenset(), now=NOW, listed=True)

    assert len(cursor.waiting) == REMEMBERED
    assert cursor.batch_is_due(NOW, min_batch=10_000, max_wait=MINUTE)
    assert len(encode(cursor)) < 100_000


@given(
    looks=st.lists(
        st.tuples(
            st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")), st.booleans()
        ),
        max_size=8,
    )
)
def test_what_waits_is_what_finished_and_has_not_gone(
    looks: list[tuple[set[str], set[str], bool]],
) -> None:
    """Against the plain set; the time of the first sight stays with each."""
    cursor, expected, first = ANEW, set[str](), {}
    for number, (finished, gone, listed) in enumerate(looks):
        now = NOW + number * MINUTE
        cursor = cursor.with_seen(finished, gone - finished, now=now, listed=listed)
        expected = finished if listed else (expected - (gone - finished)) | finished
        first = {uid: first.get(uid, now) for uid in expected}
        cursor, _ = decode(encode(cursor), server="one")

    assert dict(cursor.waiting) == first


def test_an_unchanged_cursor_is_small() -> None:
    assert len(msgspec.json.encode(ANEW)) < 40
