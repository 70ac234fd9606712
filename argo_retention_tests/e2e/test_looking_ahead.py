"""Holds, plans of another day or policy, metrics, and what a run shows in the UI, on real parts."""

import json
from datetime import timedelta

import dagster as dg
from prometheus_client.parser import text_string_to_metric_families

from argo_retention.core import labels
from argo_retention.defs.jobs import ARCHIVE_JOB, RETENTION_JOB
from argo_retention.defs.keys import PLAN_TAG, RETENTION_PLAN
from argo_retention_tests.e2e.conftest import Cli, SeedWorld
from argo_retention_tests.e2e.worlds import utc_now


def test_p2_a_hold_is_set_listed_honoured_and_released(new_seed: SeedWorld, cli: Cli) -> None:
    world = new_seed(hello_worlds=3, keep_count=1)
    oldest = min(world.live().values(), key=lambda w: w["metadata"]["creationTimestamp"])
    place = f"{oldest['metadata']['namespace']}/{oldest['metadata']['name']}"

    code, text = cli(world, "hold", "add", place, "--because", "case 7", "--until", "2999-01-01")
    assert code == 0
    assert f"argo-retention hold release {place}" in text
    assert cli(world, "hold", "add", "a/b/c", "--because", "x")[0] == 2
    assert cli(world, "hold", "add", "a", "--because", "x", "--until", "2001-01-01")[0] == 2
    code, text = cli(world, "hold", "list", "--json")
    assert (code, list(json.loads(text))) == (0, [place])
    outcome = world.succeed(RETENTION_JOB)

    assert "case 7" in str(outcome.assets["retention_plan"]["exceptions"])
    assert len(world.live()) == 2
    assert oldest["metadata"]["uid"] in world.live()
    assert cli(world, "hold", "release", place)[0] == 0
    assert cli(world, "hold", "release", place)[0] == 1
    assert "nothing is held" in cli(world, "hold", "list")[1]
    world.succeed(RETENTION_JOB)
    assert len(world.live()) == 1


def test_p2_a_release_names_the_annotation_that_still_holds(new_seed: SeedWorld, cli: Cli) -> None:
    world = new_seed(hello_worlds=2, keep_count=2)
    [namespace] = {w["metadata"]["namespace"] for w in world.live().values()}
    world.ask(
        "PATCH",
        f"/api/v1/namespaces/{namespace}",
        {"metadata": {"annotations": {labels.HOLD: "audit"}}},
    )
    cli(world, "hold", "add", namespace, "--because", "case 7")

    code, text = cli(world, "hold", "release", namespace)

    assert code == 1
    assert "still held" in text
    assert "audit" in text


def test_another_day_is_looked_at_from_the_last_snapshot(new_seed: SeedWorld, cli: Cli) -> None:
    world = new_seed(hello_worlds=3, keep_count=1)
    assert cli(world, "plan", "--at", "2999-01-01")[0] == 2
    world.succeed(RETENTION_JOB)
    in_a_year = f"{utc_now() + timedelta(days=365):%Y-%m-%d}"

    code, text = cli(world, "plan", "--at", in_a_year)

    assert code == 0
    assert f"as if it were {in_a_year}" in text
    assert "from the snapshot of" in text
    document = json.loads(cli(world, "plan", "--at", in_a_year, "--json")[1])
    assert document["expiry"]["delete"] == 2
    assert len(world.rows()) == 3
    assert cli(world, "plan", "--at", in_a_year, "--plan-id", "x")[0] == 2


def test_metrics_are_what_prometheus_reads(new_seed: SeedWorld, cli: Cli) -> None:
    world = new_seed(hello_worlds=4, keep_count=1)
    world.succeed(RETENTION_JOB)

    code, text = cli(world, "metrics")

    assert code == 0
    families = {each.name: each for each in text_string_to_metric_families(text)}
    values = {
        name: [(sample.labels, sample.value) for sample in family.samples]
        for name, family in families.items()
    }
    name = {"cluster": world.scene.name}
    assert values["argo_retention_up"] == [(name, 1)]
    assert values["argo_retention_archived_workflows"] == [(name, 4)]
    assert values["argo_retention_unproven_workflows"] == [(name, 0)]
    assert values["argo_retention_deleted_workflows"] == [({**name, "rule": "retentionPolicy"}, 3)]
    assert values["argo_retention_log_bytes"][0][1] > 0
    assert json.loads(cli(world, "metrics", "--json")[1])[world.scene.name]["rows"] == 4


def test_p6_a_plan_shows_itself_in_the_ui(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=4, keep_count=1, retention={"mode": "observe", "proof_age": 0})
    first = world.succeed(RETENTION_JOB)
    second = world.succeed(RETENTION_JOB)

    plan = first.assets["retention_plan"]
    assert plan["difference"] == "Not compared: this is the first plan."
    assert f"what plan {plan['plan_id']} would remove" in str(
        second.assets["retention_plan"]["difference"]
    )
    assert "| retentionPolicy |" in str(plan["by_rule_and_namespace"])
    assert str(plan["removals"]).count("\n") == 1 + 3
    run = world.instance.get_run_by_id(first.run_id)
    assert run is not None
    assert run.tags[PLAN_TAG] == plan["plan_id"]
    [record] = world.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=RETENTION_PLAN, asset_partitions=[world.scene.name]),
        limit=1,
    ).records
    materialization = record.asset_materialization
    assert materialization is not None
    picture = str(materialization.metadata["by_age"].value)
    assert picture.startswith("![Finished workflows by age](data:image/png;base64,")
    assert len(picture) < 20_000


def test_each_cluster_has_its_own_results_of_the_checks(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=1, keep_count=1)
    outcome = world.succeed(ARCHIVE_JOB)

    evaluations = [
        record.dagster_event.asset_check_evaluation_data
        for record in world.instance.all_logs(outcome.run_id)
        if record.dagster_event is not None
        and record.dagster_event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]

    names = {each.check_name for each in evaluations}
    assert {"clocks_agree", "the_bucket_takes_and_gives_objects"} <= names
    assert {each.partition for each in evaluations} == {world.scene.name}
    assert all(each.passed for each in evaluations)
