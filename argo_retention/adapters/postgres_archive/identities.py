"""Whose database this is, and which cluster and bucket it was bound to."""

from collections.abc import Sequence
from dataclasses import asdict

from argo_retention.adapters.postgres_archive.connection import Connection, PostgresPart
from argo_retention.adapters.postgres_archive.statements import statements
from argo_retention.core.bindings import Binding, DatabaseIdentity
from argo_retention.core.ledger import LeaseGrant

_IDENTITIES = statements("identities")


class PostgresIdentities(PostgresPart):
    """Tables `installation`, `clusters` and `acceptances`."""

    def identity(self, *, clustername: str) -> DatabaseIdentity:
        """Read only; also before our tables were made."""
        with self._sessions.transaction() as connection:
            made = connection.execute(_IDENTITIES["has_tables"]).fetchone() or {}
            return _identity(connection, clustername) if made["has_tables"] else DatabaseIdentity()

    def begin_run(
        self, grant: LeaseGrant, binding: Binding, *, installation: str, runs: int
    ) -> DatabaseIdentity:
        """See the port."""
        with self._sessions.fenced(grant) as connection:
            connection.execute(
                _IDENTITIES["count_run"], {"installation": installation, "runs": runs}
            )
            connection.execute(_IDENTITIES["bind"], asdict(binding))
            return _identity(connection, grant.clustername)

    def accept(
        self,
        grant: LeaseGrant,
        binding: Binding,
        *,
        moved: Sequence[str],
        because: str,
        by_whom: str,
        void_proofs: bool,
    ) -> None:
        """One transaction."""
        parameters = asdict(binding)
        with self._sessions.fenced(grant) as connection:
            connection.execute(_IDENTITIES["unbind"], parameters)
            connection.execute(_IDENTITIES["bind"], parameters)
            connection.execute(
                _IDENTITIES["accepted"],
                {**parameters, "moved": list(moved), "because": because, "by_whom": by_whom},
            )
            if void_proofs:
                connection.execute(_IDENTITIES["void_proofs"], parameters)


def _identity(connection: Connection, clustername: str) -> DatabaseIdentity:
    found = connection.execute(_IDENTITIES["installation"]).fetchone()
    if found is None:
        return DatabaseIdentity()
    bindings = connection.execute(_IDENTITIES["bindings"], {"clustername": clustername})
    return DatabaseIdentity(**found, bindings=tuple(Binding(**row) for row in bindings))
