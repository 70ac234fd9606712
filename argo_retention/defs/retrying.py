"""Steps that delete nothing are done again when PostgreSQL was lost in the middle.

They take up where they were. Answers of the cluster and of S3 are asked for again where they are asked for; a
transaction cannot be.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from argo_retention.errors import DatabaseLostError

TRIES_AGAIN = 2
PAUSE_SECONDS = 5.0


@contextmanager
def tried_again() -> Iterator[None]:
    """Around the work of such a step; whatever else fails, fails it at once."""
    try:
        yield
    except DatabaseLostError as error:
        raise dg.RetryRequested(max_retries=TRIES_AGAIN, seconds_to_wait=PAUSE_SECONDS) from error
