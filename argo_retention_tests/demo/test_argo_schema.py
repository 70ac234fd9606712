"""The demo's archive has the tables that Argo's own code made."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "testdata" / "golden" / "argo" / "schema.json").read_text()
)
COLUMNS = """
    SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default
      FROM information_schema.columns
     WHERE table_schema = 'public'
     ORDER BY table_name, ordinal_position
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
CONSTRAINTS = """
    SELECT conrelid::regclass::text AS table, conname, pg_get_constraintdef(oid) AS definition
      FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace
"""


def rows(dsn: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("table", sorted({each["table_name"] for each in SCHEMA["columns"]}))
def test_columns_and_their_order_are_those_of_argo(argo_database: str, table: str) -> None:
    columns = rows(argo_database, COLUMNS)

    assert [each for each in columns if each["table_name"] == table] == [
        each for each in SCHEMA["columns"] if each["table_name"] == table
    ]


def test_there_are_no_other_tables(argo_database: str) -> None:
    columns = rows(argo_database, COLUMNS)

    assert {each["table_name"] for each in columns} == {
        each["table_name"] for each in SCHEMA["columns"]
    }


def test_indexes_are_those_of_argo(argo_database: str) -> None:
    indexes = {each["indexname"]: each for each in rows(argo_database, INDEXES)}

    assert indexes == {each["indexname"]: each for each in SCHEMA["indexes"]}


def test_constraints_are_those_of_argo(argo_database: str) -> None:
    constraints = {each["conname"]: each for each in rows(argo_database, CONSTRAINTS)}

    assert constraints == {each["conname"]: each for each in SCHEMA["constraints"]}


def test_schema_version_is_the_one_of_the_recording(argo_database: str) -> None:
    history = rows(argo_database, "SELECT schema_version FROM schema_history")

    assert history == [{"schema_version": SCHEMA["schema_version"]}]
