"""P1, P2, P3, P6: whoever else is at work, at whatever moment, nothing is lost, half, or without a word."""

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from argo_retention_tests.e2e.worlds import Servers, World, seed_world
from argo_retention_tests.rivals.machine import RivalsMachine

#: Of all parts together; what one rule does may be several steps.
STEPS = int(os.environ.get("ARGO_RETENTION_TEST_STEPS") or "2000")
PARTS = 4
RULES_EACH = 30


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_p1_whatever_rivals_do_nothing_is_lost(
    servers: Servers, record_property: Callable[..., None], part: int
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
        """Of this test."""

    Machine.counted = Counter()
    Machine.new_world = staticmethod(new_world)
    number = 0
    while Machine.counted.total() < STEPS / PARTS:
        number += 1
        run_state_machine_as_test(
            seed(100 * part + number)(Machine),
            settings=settings(
                max_examples=4,
                stateful_step_count=RULES_EACH,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=(Phase.explicit, Phase.generate),
            ),
        )

    record_property("rivals", dict(Machine.counted))
