"""The archive's database: reachable, writable, Argo's tables, rights, our tables."""

import re
from collections.abc import Iterator, Sequence

from argo_retention.core.database_target import DatabaseTarget
from argo_retention.core.ledger import DatabaseFacts
from argo_retention.errors import DatabaseError
from argo_retention.operations.doctoring.findings import Finding, Findings
from argo_retention.operations.guarding import check_schema, check_writable

_TABLE_RIGHT = re.compile(r"(\w+) on (\S+)")
_TEMPORARY = re.compile(r"TEMPORARY on database (.+)")


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
    try:
        check_schema(facts)
        yield findings.ok("Argo's tables", f"schema_version {facts.schema_version} is known")
    except DatabaseError as error:
        yield findings.failed("Argo's tables", error)
    if facts.missing_rights:
        yield findings.failed(
            "rights in the database",
            f"user {target.user} lacks: {', '.join(facts.missing_rights)}",
            grants(facts.missing_rights, target),
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
    for right in missing:
        if "no such table" in right:
            statements.append(f"-- {right}: Argo's controller makes it")
        elif right.startswith("schema argo_retention"):
            statements.append(
                f"GRANT CREATE ON DATABASE {database} TO {user};\n"
                f"-- or, where the schema may not be made by {target.user}:\n"
                f"-- CREATE SCHEMA argo_retention AUTHORIZATION {user};"
            )
        elif temporary := _TEMPORARY.fullmatch(right):
            statements.append(f"GRANT TEMPORARY ON DATABASE {_quoted(temporary[1])} TO {user};")
        elif table := _TABLE_RIGHT.fullmatch(right):
            statements.append(f"GRANT {table[1]} ON {_quoted(table[2])} TO {user};")
    return "\n".join(statements)


def _quoted(name: str) -> str:
    """An identifier of PostgreSQL."""
    return '"' + name.replace('"', '""') + '"'
