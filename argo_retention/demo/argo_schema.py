"""Makes Argo's tables in an empty database, as Argo's controller does at its first start."""

from importlib import resources

import psycopg


def make_argo_tables(dsn: str) -> None:
    """Executes argo_tables.sql in one transaction; the database must not have the tables yet."""
    text = resources.files("argo_retention.demo").joinpath("argo_tables.sql").read_text("utf-8")
    with psycopg.connect(dsn) as connection:
        connection.execute(text)
