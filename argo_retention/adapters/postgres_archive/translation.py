"""Errors of psycopg as ours, in words for operators.

Only the server's primary message is repeated: its details may hold a whole row, and the parameters of the
connection hold the password.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from argo_retention.core.database_target import DatabaseTarget
from argo_retention.errors import DatabaseError, DatabaseLostError, RowRefusedError

LONGEST_MESSAGE = 300

#: How a message of the client begins that the server sent while the connection was made.
_REFUSED = "FATAL: "

#: How a message of the client begins when no connection was made.
_UNMADE = ("connection failed", "connection timeout", "failed to resolve", "connection is bad")
#: Said while the server starts, replays its log, or stops.
_PASSES = ("starting up", "shutting down", "recovery mode", "not yet accepting connections")

#: What PostgreSQL says when it is the data that cannot be stored, not the connection or the rights.
REFUSALS = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded)


@contextmanager
def translated(target: DatabaseTarget, *, writes_rows: bool = False) -> Iterator[None]:
    """Raise DatabaseError for psycopg's errors, RowRefusedError for refused data where rows are written."""
    try:
        yield
    except psycopg.Error as error:
        if writes_rows and isinstance(error, REFUSALS):
            raise RowRefusedError(f"PostgreSQL {target} refused a row: {_said(error)}") from error
        kind = DatabaseLostError if _was_lost(error) else DatabaseError
        raise kind(_message(target, error)) from error


def may_pass(error: psycopg.OperationalError) -> bool:
    """Whether a connection that could not be made may be made a moment later: nobody refused it for good."""
    text = str(error)
    if error.sqlstate is not None:
        return error.sqlstate.startswith("57P")
    return _REFUSED not in text or any(word in text for word in _PASSES)


def _was_lost(error: psycopg.Error) -> bool:
    """Whether a session that had been made has ended: cut, silent, or ended by the server (class 57P)."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    if error.sqlstate is not None:
        return error.sqlstate.startswith("57P")
    return _REFUSED not in str(error) and not str(error).startswith(_UNMADE)


def _said(error: psycopg.Error) -> str:
    text = error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__
    return text[:LONGEST_MESSAGE]


def _message(target: DatabaseTarget, error: psycopg.Error) -> str:
    said = _said(error)
    match error:
        case errors.ReadOnlySqlTransaction():
            return (
                f"PostgreSQL {target} is read-only (a standby, or default_transaction_read_only is on); "
                "nothing was written. Name the primary in persistence.postgresql."
            )
        case errors.InsufficientPrivilege():
            return f"PostgreSQL {target}: {said}; `argo-retention doctor` prints the GRANT that mends it."
        case errors.UndefinedTable() | errors.InvalidSchemaName() | errors.UndefinedColumn():
            return (
                f"PostgreSQL {target}: {said}; Argo's tables or ours are not those of this version; "
                "`argo-retention doctor` says which."
            )
        case errors.LockNotAvailable():
            return f"PostgreSQL {target}: another session holds the rows for too long ({said}); run again."
        case errors.QueryCanceled():
            return f"PostgreSQL {target} stopped a statement: {said}"
        case psycopg.OperationalError() if error.sqlstate is None and _REFUSED in said:
            return (
                f"PostgreSQL {target} refused the connection: {said.rpartition(_REFUSED)[2].strip()}.\n"
                "Mend user, password or database: the Secrets and persistence.postgresql in Argo's ConfigMap,"
                " or database.url_env."
            )
        case psycopg.OperationalError() if error.sqlstate is None and _was_lost(error):
            return (
                f"The connection to PostgreSQL {target} was lost: {said.rstrip('.')}.\n"
                "What was not committed is undone; run again."
            )
        case psycopg.OperationalError() if error.sqlstate is None:
            # The client adds a question to what the operating system said.
            why = said.rpartition(" failed: ")[2].partition(" Is the server running")[0]
            return (
                f"PostgreSQL {target} cannot be reached: {why}.\n"
                "Mend host and port (persistence.postgresql in Argo's ConfigMap, or database.url_env),"
                " or the network."
            )
        case _:
            return f"PostgreSQL {target} failed: {said}"
