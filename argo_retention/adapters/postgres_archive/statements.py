"""The named statements of `sql/*.sql`.

SQL is never built from strings: a statement is text of a file of this package, its values are parameters,
and the one identifier that is not known before is composed by psycopg.
"""

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

from psycopg import sql

PACKAGE = "argo_retention.adapters.postgres_archive"

_HEADER = re.compile(r"^-- name: (\w+)\n((?:-- .+\n)+)", re.MULTILINE)


def statements(name: str) -> Mapping[str, sql.SQL]:
    """Statements of one file, by their names; each must say in a comment what it is for."""
    text = resources.files(PACKAGE).joinpath("sql", f"{name}.sql").read_text("utf-8")
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    found = {
        header[1]: sql.SQL(text[header.end() : end].strip().removesuffix(";"))
        for header, end in zip(headers, ends, strict=True)
    }
    if len(found) != text.count("-- name: "):
        raise ValueError(f"{name}.sql: a statement has no description, or a name is there twice")
    return MappingProxyType(found)


def migrations() -> Mapping[str, sql.SQL]:
    """Our migrations by name, in their order."""
    folder = resources.files(PACKAGE).joinpath("migrations")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name
    )
    return MappingProxyType(
        {file.name.removesuffix(".sql"): sql.SQL(file.read_text("utf-8")) for file in files}
    )
