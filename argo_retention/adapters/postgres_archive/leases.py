"""The lease on one cluster: a row, whose token rises with each new holder; times by the database's clock."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from argo_retention.adapters.postgres_archive.connection import (
    PostgresPart,
    grant_parameters,
    lease_lost,
)
from argo_retention.adapters.postgres_archive.statements import statements
from argo_retention.core.ledger import LeaseGrant
from argo_retention.errors import LeaseHeldError

_LEASES = statements("leases")

ATTEMPTS = 3  # others may take, free or renew it between our look and our update


class PostgresLeases(PostgresPart):
    """Leases by conditional updates."""

    def acquire_lease(
        self,
        *,
        clustername: str,
        instanceid: str,
        root_run: str,
        host: str,
        is_finished: Callable[[str], bool],
        stale_after: timedelta = timedelta(seconds=60),
    ) -> LeaseGrant:
        """`is_finished` is asked outside of any transaction."""
        if not root_run:
            raise ValueError("a lease needs the id of a run")
        scope = {"clustername": clustername, "instanceid": instanceid}
        wanted = {**scope, "root_run": root_run, "host": host}
        with self._sessions.transaction() as connection:
            connection.execute(_LEASES["make"], scope)
        for _ in range(ATTEMPTS):
            seen = self._read(scope, stale_after)
            holder = seen["root_run"]
            if holder == root_run:
                statement = _LEASES["reenter"]
            elif not holder or seen["is_stale"] or is_finished(holder):
                statement = _LEASES["take"]
            else:
                break
            parameters = {
                **wanted,
                "token": seen["token"],
                "seen_root_run": holder,
                "seen_heartbeat": seen["heartbeat"],
            }
            with self._sessions.transaction() as connection:
                granted = connection.execute(statement, parameters).fetchone()
            if granted is not None:
                return LeaseGrant(
                    clustername=clustername,
                    instanceid=instanceid,
                    root_run=root_run,
                    token=granted["token"],
                )
        raise LeaseHeldError(
            f"Cluster {clustername!r} is worked on by run {seen['root_run']} on {seen['host']} since "
            f"{seen['since']:%Y-%m-%d %H:%M:%S} UTC; wait until it has ended, or terminate it."
        )

    def _read(self, scope: Mapping[str, str], stale_after: timedelta) -> Mapping[str, Any]:
        with self._sessions.transaction() as connection:
            return (
                connection.execute(
                    _LEASES["read"], {**scope, "stale_after": stale_after}
                ).fetchone()
                or {}
            )

    def heartbeat(self, grant: LeaseGrant) -> None:
        """Does not wait for transactions that write."""
        with self._sessions.transaction() as connection:
            beaten = connection.execute(_LEASES["heartbeat"], grant_parameters(grant)).fetchone()
        if beaten is None:
            raise lease_lost(grant)

    def release_lease(self, grant: LeaseGrant) -> None:
        """The token stays, so that the next holder's is higher."""
        with self._sessions.transaction() as connection:
            connection.execute(_LEASES["release"], grant_parameters(grant))

    def lease_holder(self, *, clustername: str, instanceid: str) -> Mapping[str, Any] | None:
        """None when it was never held, too."""
        scope = {"clustername": clustername, "instanceid": instanceid}
        seen = self._read(scope, timedelta(0))
        if not seen or not seen["root_run"]:
            return None
        return {key: seen[key] for key in ("root_run", "host", "since", "heartbeat")}
