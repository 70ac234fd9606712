"""P1, P2, P3, P6: whoever else is at work, at whatever moment, nothing is lost, half, or without a word."""

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from argo_retention_tests.e2e.worlds import Servers, World, seed_world
from argo_retention_tests.rivals.machine import RivalsMachine

STEPS = int(os.environ.get("ARGO_RETENTION_TEST_STEPS") or "2000")
STEPS_EACH = 40


@pytest.mark.timeout(1800)
def test_p1_whatever_rivals_do_nothing_is_lost(
    servers: Servers, record_property: Callable[..., None]
) -> None:
    @contextlib.contextmanager
    def new_world() -> Iterator[World]:
        with (
            tempfile.TemporaryDirectory() as folder,
            seed_world(
                servers,
                Path(folder),
                hello_worlds=0,
                keep_count=1,
                texts={"archiveTTL: 180d": "archiveTTL: 1h"},
                retention={"mode": "apply", "proof_age": 0},
                brakes={"max_share": 1, "max_drop": 1},
                archive={"pending_grace": 0},
            ) as world,
        ):
            yield world

    class Machine(RivalsMachine):
        counted = Counter()

    Machine.new_world = staticmethod(new_world)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=STEPS // STEPS_EACH,
            stateful_step_count=STEPS_EACH,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate),
        ),
    )

    assert Machine.counted.total() >= STEPS * 0.9
    record_property("rivals", dict(Machine.counted))
