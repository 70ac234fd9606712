"""The asset graph is what issue trackers, dashboards and other assets refer to: a change must be meant."""

from pathlib import Path

import dagster as dg
import yaml

from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.building import build_definitions
from argo_retention.defs.config import RetentionOutcomeConfig
from argo_retention_tests.defs.described import SETTINGS, described, location

KEPT = Path(__file__).parent.parent / "testdata" / "asset_graph.yaml"


def test_the_graph_is_the_one_that_is_kept() -> None:
    """Where a change is meant: `python -m argo_retention_tests.defs.test_graph` writes it anew."""
    assert described(location()) == yaml.safe_load(KEPT.read_text())


def test_each_asset_and_job_tells_people_what_it_is() -> None:
    definitions = location()
    graph = definitions.resolve_asset_graph()

    silent = [str(key) for key in graph.get_all_asset_keys() if not graph.get(key).description]
    silent += [job.name for job in definitions.resolve_all_job_defs() if not job.description]
    silent += [each.name for each in definitions.schedules or () if not each.description]
    silent += [each.name for each in definitions.sensors or () if not each.description]
    silent += [
        name for name, field in RetentionOutcomeConfig.model_fields.items() if not field.description
    ]

    assert [name for name in silent if not name.startswith("__")] == []


def test_a_host_merges_them_with_its_own() -> None:
    @dg.asset
    def report() -> None:
        """An asset of the host."""

    own = dg.Definitions(
        assets=[report],
        resources={"warehouse": "a resource of the host"},
        executor=dg.multiprocess_executor,
    )
    ours = build_definitions(parse_settings(SETTINGS, source="retention.yaml"))

    merged = dg.Definitions.merge(own, ours)

    dg.Definitions.validate_loadable(merged)
    keys = merged.resolve_asset_graph().get_all_asset_keys()
    assert dg.AssetKey("report") in keys
    assert dg.AssetKey(["argo", "retention_outcome"]) in keys
    assert merged.executor is dg.multiprocess_executor


def test_clusters_of_the_settings_are_the_partitions() -> None:
    graph = location("clusters: {eu-west: {}, eu-north: {}}").resolve_asset_graph()

    for key in graph.get_all_asset_keys():
        partitions = graph.get(key).partitions_def
        assert partitions is not None
        assert list(partitions.get_partition_keys()) == ["eu-north", "eu-west"]


if __name__ == "__main__":
    KEPT.write_text(yaml.safe_dump(described(location()), sort_keys=False))
