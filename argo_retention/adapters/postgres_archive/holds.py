"""Holds: what a person keeps, whatever policy says."""

from collections.abc import Sequence
from dataclasses import asdict

from argo_retention.adapters.postgres_archive.connection import PostgresPart
from argo_retention.adapters.postgres_archive.statements import statements
from argo_retention.core.ledger import Hold

_HOLDS = statements("holds")


class PostgresHolds(PostgresPart):
    """Table `holds`."""

    def add_hold(self, hold: Hold) -> None:
        """By the database's clock."""
        with self._sessions.transaction() as connection:
            connection.execute(_HOLDS["add_hold"], asdict(hold))

    def release_hold(self, *, clustername: str, instanceid: str, place: str) -> Hold | None:
        """One statement."""
        scope = {"clustername": clustername, "instanceid": instanceid, "place": place}
        with self._sessions.transaction() as connection:
            found = connection.execute(_HOLDS["release_hold"], scope).fetchone()
        return None if found is None else Hold(**found)

    def holds(self, *, clustername: str, instanceid: str) -> Sequence[Hold]:
        """One statement."""
        scope = {"clustername": clustername, "instanceid": instanceid}
        with self._sessions.transaction() as connection:
            return [Hold(**row) for row in connection.execute(_HOLDS["holds"], scope)]
