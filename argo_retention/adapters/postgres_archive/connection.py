"""Connections to the archive's database: settings of our sessions, transactions, one connection a thread.

Not psycopg_pool: its background threads turn a wrong password into a timeout, and what is wanted here is the
server's own word, at once.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors
from psycopg.abc import RV, PQGen
from psycopg.rows import DictRow, dict_row, scalar_row

from argo_retention.adapters.postgres_archive.statements import statements
from argo_retention.adapters.postgres_archive.translation import may_pass, translated
from argo_retention.core.database_target import DatabaseTarget
from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.ports.archive import Archive
from argo_retention.errors import DatabaseError, LeaseLostError

CONNECT_TIMEOUT = 10
CONNECT_PAUSES = (0.2, 0.4, 0.8, 1.6)  # seconds
#: Without a word of the server, which ends a statement itself after five minutes (sessions.sql).
SILENCE_SECONDS = 315.0

_SESSIONS = statements("sessions")
_LEASES = statements("leases")
_LOCAL_SETTINGS = _SESSIONS["local_settings"]


class Connection(psycopg.Connection[DictRow]):
    """Waits for the server, but not for ever: a half-open connection looks like a slow statement."""

    #: Whether a pooler such as PgBouncer may give each transaction to another session of the server.
    is_pooled = False

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """As psycopg's own; OperationalError when nothing came in time, and the connection is closed."""
        try:
            return super().wait(
                gen, interval=interval, timeout=SILENCE_SECONDS if timeout is None else timeout
            )
        except errors._WaitTimeout:  # noqa: SLF001 - psycopg documents that wait raises it
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"no answer within {SILENCE_SECONDS:g} s; what was asked last may have been done or not"
            ) from None


class Sessions:
    """Idle connections, used again; as many are open as transactions ran at the same time."""

    def __init__(self, target: DatabaseTarget, *, application_name: str) -> None:
        """Opens nothing yet."""
        self.target = target
        self._application_name = application_name
        self._idle: deque[Connection] = deque()
        self._closed = False

    @contextmanager
    def transaction(self, *, writes_rows: bool = False) -> Iterator[Connection]:
        """A transaction on a connection of its own; committed at the end, rolled back when the block raises.

        Raises DatabaseError for what psycopg raises, and RowRefusedError for refused data if `writes_rows`.
        """
        with translated(self.target, writes_rows=writes_rows):
            connection = self._take()
            try:
                with connection.transaction():
                    if connection.is_pooled:
                        connection.execute(_LOCAL_SETTINGS)
                    yield connection
            finally:
                self._give_back(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one statement that reads, its own transaction: a round trip, not three."""
        with translated(self.target, writes_rows=False):
            connection = self._take()
            try:
                if connection.is_pooled:
                    with connection.transaction():
                        connection.execute(_LOCAL_SETTINGS)
                        yield connection
                else:
                    yield connection
            finally:
                self._give_back(connection)

    @contextmanager
    def fenced(self, grant: LeaseGrant, *, writes_rows: bool = False) -> Iterator[Connection]:
        """A transaction during which nobody can take the lease over; LeaseLostError when somebody did."""
        with self.transaction(writes_rows=writes_rows) as connection:
            held = connection.execute(_LEASES["hold"], grant_parameters(grant)).fetchone()
            if held is None:
                raise lease_lost(grant)
            yield connection

    def close(self) -> None:
        """Close what is idle, and the others when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> Connection:
        if self._closed:
            raise DatabaseError(f"PostgreSQL {self.target}: this archive was closed before")
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._connect()
            if not connection.closed:
                return connection

    def _give_back(self, connection: Connection) -> None:
        if self._closed or connection.broken:
            connection.close()
        elif not connection.closed:
            self._idle.append(connection)

    def _connect(self) -> Connection:
        """A server that restarts is asked again for some seconds: nothing was begun yet."""
        for pause in CONNECT_PAUSES:
            try:
                return self._open()
            except psycopg.OperationalError as error:
                if not may_pass(error):
                    raise
            time.sleep(pause)
        return self._open()

    def _open(self) -> Connection:
        connection = Connection.connect(
            host=self.target.host,
            port=self.target.port,
            dbname=self.target.database,
            user=self.target.user,
            password=self.target.password.get_secret_value(),
            sslmode=self.target.sslmode,
            application_name=self._application_name,
            connect_timeout=CONNECT_TIMEOUT,
            # A host that is gone is noticed after about a minute, not after the system's two hours.
            keepalives=1,
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            tcp_user_timeout=60_000,
            autocommit=True,
            # Each statement is planned for its own parameters: a plan for arrays of unknown length goes
            # through whole tables. (plan_cache_mode would plan each check of a foreign key, too.)
            prepare_threshold=None,
            row_factory=dict_row,
        )
        try:
            with connection.cursor(row_factory=scalar_row) as cursor:
                pid = cursor.execute(_SESSIONS["pid"]).fetchone()
            # A pooler answers for the server, with a process id of its own. What would be set there for the
            # session would be lost for us and stay for somebody else.
            connection.is_pooled = pid != connection.info.backend_pid
            if not connection.is_pooled:
                connection.execute(_SESSIONS["settings"])
        except BaseException:
            connection.close()
            raise
        return connection


def grant_parameters(grant: LeaseGrant) -> dict[str, Any]:
    """The grant as parameters of a statement."""
    return {
        "clustername": grant.clustername,
        "instanceid": grant.instanceid,
        "root_run": grant.root_run,
        "token": grant.token,
    }


def lease_lost(grant: LeaseGrant) -> LeaseLostError:
    """The error for a grant that is no longer valid."""
    return LeaseLostError(
        f"The lease on cluster {grant.clustername!r} is not held by run {grant.root_run} any more: it was "
        "taken over or given back. Nothing more was changed."
    )


class PostgresPart(Archive):
    """Base of the parts of the archive, which share the sessions."""

    def __init__(self, sessions: Sessions, *, offload_table: str) -> None:
        """Opens nothing yet; `offload_table` is Argo's persistence.tableName."""
        self._sessions = sessions
        self._offload_table = offload_table
