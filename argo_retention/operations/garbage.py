"""When Python looks for cycles of garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: Some 400 for each workflow in flight while archiving, so they are gone before it is reached.
GARBAGE_OBJECTS = 500_000


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let Python look for cycles of garbage less often.

    It would go through all workflows in memory again and again, which took a third of an archive step's time
    (`python -m benchmarks archive`); they have no cycles and are freed without it.
    """
    before = gc.get_threshold()
    gc.set_threshold(GARBAGE_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
