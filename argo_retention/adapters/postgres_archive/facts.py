"""What the database is and allows, and our own tables in it."""

from collections.abc import Sequence

from argo_retention.adapters.postgres_archive.connection import Connection, PostgresPart
from argo_retention.adapters.postgres_archive.statements import migrations, statements
from argo_retention.core.ledger import DatabaseFacts

_FACTS = statements("facts")

_ROWS = "argo_archived_workflows"
_LABELS = "argo_archived_workflows_labels"
#: SELECT ... FOR SHARE and FOR UPDATE need UPDATE, too.
_RIGHTS = (
    *((right, _ROWS) for right in ("SELECT", "INSERT", "UPDATE", "DELETE")),
    *((right, _LABELS) for right in ("SELECT", "INSERT", "DELETE")),
    ("SELECT", "schema_history"),
)


class PostgresFacts(PostgresPart):
    """Facts and migrations."""

    def facts(self) -> DatabaseFacts:
        """Read only; also on a standby."""
        with self._sessions.transaction() as connection:
            server = connection.execute(_FACTS["server"]).fetchone() or {}
            version = None
            missing = self._missing_rights(connection)
            if server["has_schema_history"] and not any(
                "schema_history" in right for right in missing
            ):
                row = connection.execute(_FACTS["schema_version"]).fetchone() or {}
                version = row["version"]
            done: set[str] = set()
            if server["has_migrations"]:
                done = {row["name"] for row in connection.execute(_FACTS["migrations"])}
        return DatabaseFacts(
            server_version=server["server_version"],
            schema_version=version,
            is_read_only=server["is_read_only"],
            now=server["now"],
            missing_rights=missing,
            our_tables=done >= migrations().keys(),
        )

    def _missing_rights(self, connection: Connection) -> Sequence[str]:
        rights = (*_RIGHTS, ("SELECT", self._offload_table))
        found = connection.execute(
            _FACTS["missing_rights"],
            {"rights": [right for right, _ in rights], "tables": [table for _, table in rights]},
        ).fetchall()
        missing = [
            f"{row['right_name']} on {row['table_name']}"
            + (" (there is no such table)" if row["is_absent"] else "")
            for row in found
        ]
        own = connection.execute(_FACTS["own_rights"]).fetchone() or {}
        if not own["has_schema"]:
            missing.append("schema argo_retention (USAGE on it, or CREATE on the database)")
        missing += [
            f"SELECT, INSERT, UPDATE, DELETE on argo_retention.{row['table_name']}"
            for row in connection.execute(_FACTS["missing_own_rights"])
        ]
        return missing

    def migrate(self) -> Sequence[str]:
        """All that is missing, in one transaction, one process at a time."""
        with self._sessions.transaction() as connection:
            server = connection.execute(_FACTS["server"]).fetchone() or {}
            if server["has_migrations"]:
                done = {row["name"] for row in connection.execute(_FACTS["migrations"])}
                if done >= migrations().keys():
                    # Also for users who may not make tables, once somebody else has.
                    return []
            connection.execute(_FACTS["lock_migrations"])
            found = connection.execute(_FACTS["has_schema"]).fetchone() or {}
            if not found["has_schema"]:
                connection.execute(_FACTS["make_schema"])
            connection.execute(_FACTS["make_migrations"])
            done = {row["name"] for row in connection.execute(_FACTS["migrations"])}
            missing = {name: text for name, text in migrations().items() if name not in done}
            for name, text in missing.items():
                connection.execute(text)
                connection.execute(_FACTS["migration_done"], {"name": name})
        return list(missing)
