from collections.abc import Callable

import pytest

from argo_retention.adapters.retries import Patience
from argo_retention.errors import ClusterError, ObjectStoreError


def failing(*errors: Exception) -> tuple[list[float], Patience, Callable[[], str]]:
    waiting = iter(errors)
    pauses: list[float] = []

    def call() -> str:
        for error in waiting:
            raise error
        return "done"

    return pauses, Patience(attempts=4, sleep=pauses.append), call


def test_the_first_success_is_given_back() -> None:
    pauses, patience, call = failing(ClusterError("a"), ClusterError("b"))

    assert patience.retry(call, transient=(ClusterError,)) == "done"
    assert pauses == [0.2, 0.4]


def test_the_last_failure_is_raised() -> None:
    pauses, patience, call = failing(*(ClusterError(str(number)) for number in range(9)))

    with pytest.raises(ClusterError, match="3"):
        patience.retry(call, transient=(ClusterError,))
    assert pauses == [0.2, 0.4, 0.8]


def test_what_is_not_transient_is_raised_at_once() -> None:
    pauses, patience, call = failing(ObjectStoreError("no"))

    with pytest.raises(ObjectStoreError):
        patience.retry(call, transient=(ClusterError,))
    assert pauses == []


def test_what_a_server_asks_for_is_waited_for_within_bounds() -> None:
    pauses, patience, call = failing(*[ClusterError("busy")] * 3)
    wishes = iter((3.0, 3600.0, 0.0))

    patience.retry(call, transient=(ClusterError,), asked=lambda _: next(wishes))

    assert pauses == [3.0, 10.0, 0.8]
