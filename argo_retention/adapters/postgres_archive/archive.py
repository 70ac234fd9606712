"""The archive on PostgreSQL, joined from its parts."""

from types import TracebackType
from typing import Self

from argo_retention.adapters.postgres_archive.connection import Sessions
from argo_retention.adapters.postgres_archive.expiry import PostgresExpiry
from argo_retention.adapters.postgres_archive.facts import PostgresFacts
from argo_retention.adapters.postgres_archive.holds import PostgresHolds
from argo_retention.adapters.postgres_archive.identities import PostgresIdentities
from argo_retention.adapters.postgres_archive.leases import PostgresLeases
from argo_retention.adapters.postgres_archive.ledger import PostgresLedger
from argo_retention.adapters.postgres_archive.logs import PostgresLogs
from argo_retention.adapters.postgres_archive.pauses import PostgresPauses
from argo_retention.adapters.postgres_archive.proofs import PostgresProofs
from argo_retention.adapters.postgres_archive.rows import PostgresRows
from argo_retention.core.database_target import DatabaseTarget


class PostgresArchive(
    PostgresFacts,
    PostgresLeases,
    PostgresIdentities,
    PostgresPauses,
    PostgresHolds,
    PostgresRows,
    PostgresProofs,
    PostgresLogs,
    PostgresLedger,
    PostgresExpiry,
):
    """Argo's archive and our ledger on PostgreSQL; may be used by several threads at once.

    Connects on first use, one connection for each transaction that runs at the same time. A pooler between
    must be in session mode.

    Args:
        target: the primary.
        offload_table: Argo's `persistence.tableName`.
        application_name: shown in pg_stat_activity.
    """

    def __init__(
        self,
        target: DatabaseTarget,
        *,
        offload_table: str,
        application_name: str = "argo-retention",
    ) -> None:
        """Opens nothing yet."""
        super().__init__(
            Sessions(target, application_name=application_name), offload_table=offload_table
        )

    def close(self) -> None:
        """Close all connections."""
        self._sessions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
