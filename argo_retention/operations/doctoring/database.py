"""The archive's database: reachable, writable, Argo's tables, rights, our tables."""

import re
from collections.abc import Iterator, Sequence

from argo_retention.core.database_target import DatabaseTarget
from argo_retention.core.ledger import DatabaseFacts
from argo_retention.errors import DatabaseError
from argo_retention.operations.doctoring.findings import Finding, Findings
from argo_retention.operations.guarding import UNREADABLE_VERSION, check_schema, check_writable

_ABSENT = "(there is no such table)"
_TABLE_RIGHT = re.compile(r"(\w+) on (\S+)")


def examine_database(
    findings: Findings, target: DatabaseTarget, facts: DatabaseFacts
) -> Iterator[Finding]:
    """What follows from the facts of a database that answered."""
    yield findings.ok(
        "database", f"PostgreSQL {facts.server_version} answers at {target}, the password is right"
    )
    try:
        check_writable(facts)
        yield findings.ok("database is writable", "it is the primary")
    except DatabaseError as error:
        yield findings.failed("database is writable", error)
    missing = facts.missing_rights
    if UNREADABLE_VERSION in missing:
        yield findings.failed(
            "Argo's tables", "schema_version cannot be read: the right is missing"
        )
    else:
        try:
            check_schema(facts)
            yield findings.ok("Argo's tables", f"schema_version {facts.schema_version} is known")
        except DatabaseError as error:
            yield findings.failed("Argo's tables", error)
            if facts.schema_version is None:  # that says it all
                missing = [right for right in missing if _ABSENT not in right]
    if missing:
        yield findings.failed(
            "rights in the database",
            f"user {target.user} lacks: {', '.join(missing)}",
            grants(missing, target),
        )
    else:
        yield findings.ok("rights in the database", f"user {target.user} has all that are used")
    if facts.our_tables:
        yield findings.ok("our tables", "schema argo_retention is at this release's version")
    else:
        yield findings.warning(
            "our tables",
            "schema argo_retention is not there, or older than this release; the first run makes it",
        )


def grants(missing: Sequence[str], target: DatabaseTarget) -> str:
    """SQL for the owner of the tables; a table that is not there cannot be granted on."""
    user, database = _quoted(target.user), _quoted(target.database)
    statements = []
    of_tables: dict[str, list[str]] = {}
    for right in missing:
        if _ABSENT in right:
            statements.append(f"-- {right}: Argo's controller makes it")
        elif right.startswith("schema argo_retention"):
            statements.append(
                f"GRANT CREATE ON DATABASE {database} TO {user};\n"
                f"-- or, where the schema may not be made by {target.user}:\n"
                f"-- CREATE SCHEMA argo_retention AUTHORIZATION {user};"
            )
        elif table := _TABLE_RIGHT.fullmatch(right):
            of_tables.setdefault(table[2], []).append(table[1])
    on_tables = [
        f"GRANT {', '.join(rights)} ON {_quoted(table)} TO {user};"
        for table, rights in of_tables.items()
    ]
    return "\n".join(on_tables + statements)


def _quoted(name: str) -> str:
    """An identifier of PostgreSQL."""
    return '"' + name.replace('"', '""') + '"'
