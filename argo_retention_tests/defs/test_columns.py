"""Columns and their lineage, as the UI draws it: from each column back to a field of the live object."""

from typing import Any

import dagster as dg
import pytest

from argo_retention.defs import keys
from argo_retention_tests.defs.described import SETTINGS, location

WITH_LINEAGE = (
    *(keys.WORKFLOW_SNAPSHOT, keys.LOG_OBJECTS, keys.ARCHIVED_WORKFLOWS, keys.RETENTION_PLAN),
    *(keys.RETENTION_OUTCOME, keys.EXPIRY_PLAN, keys.EXPIRY_OUTCOME),
)


def metadata_of(key: dg.AssetKey) -> dict[str, Any]:
    return dict(location().resolve_asset_graph().get(key).metadata)


def columns_of(key: dg.AssetKey) -> set[str]:
    schema = metadata_of(key)["dagster/column_schema"]
    return {column.name for column in schema.columns}


@pytest.mark.parametrize("key", WITH_LINEAGE, ids=str)
def test_each_column_with_a_source_names_columns_that_are_there(key: dg.AssetKey) -> None:
    graph = location().resolve_asset_graph()
    lineage = metadata_of(key)["dagster/column_lineage"].deps_by_column

    assert lineage.keys() <= columns_of(key)
    sources = {dep for deps in lineage.values() for dep in deps}
    assert [d for d in sources if d.column_name not in columns_of(d.asset_key)] == []
    assert {d.asset_key for d in sources} <= graph.get_ancestor_asset_keys(key)


def test_uid_of_each_asset_leads_to_the_live_workflow() -> None:
    for key in WITH_LINEAGE:
        at, column = key, "uid"
        while at != keys.LIVE_WORKFLOWS:
            [source] = metadata_of(at)["dagster/column_lineage"].deps_by_column[column]
            at, column = source.asset_key, source.column_name
        assert column == "metadata.uid"


def test_owners_of_the_settings_own_each_asset() -> None:
    graph = location(
        f"owners: ['team:platform', 'ops@example.com']\n{SETTINGS}"
    ).resolve_asset_graph()

    for key in graph.get_all_asset_keys():
        assert list(graph.get(key).owners) == ["team:platform", "ops@example.com"]
