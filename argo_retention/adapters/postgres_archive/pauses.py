"""Pauses: until when, and why, nothing is to be deleted."""

from dataclasses import asdict

from argo_retention.adapters.postgres_archive.connection import PostgresPart
from argo_retention.adapters.postgres_archive.statements import statements
from argo_retention.core.ledger import Pause

_PAUSES = statements("pauses")


class PostgresPauses(PostgresPart):
    """Table `pauses`."""

    def pause(self, pause: Pause) -> None:
        """By the database's clock."""
        with self._sessions.transaction() as connection:
            connection.execute(_PAUSES["pause"], asdict(pause))

    def resume(self, *, clustername: str, instanceid: str) -> Pause | None:
        """One statement."""
        return self._found("resume", clustername, instanceid)

    def pause_of(self, *, clustername: str, instanceid: str) -> Pause | None:
        """One statement."""
        return self._found("pause_of", clustername, instanceid)

    def _found(self, name: str, clustername: str, instanceid: str) -> Pause | None:
        scope = {"clustername": clustername, "instanceid": instanceid}
        with self._sessions.transaction() as connection:
            found = connection.execute(_PAUSES[name], scope).fetchone()
        return None if found is None else Pause(**found)
