"""P2: what policy keeps is never deleted, whatever happens between plan and deletion; looking is the default."""

from typing import Any

import dagster as dg
import pytest

from argo_retention.cli.executing import RunOutcome, outcome_of
from argo_retention.defs.building import build_definitions
from argo_retention.defs.jobs import (
    APPLY_PLAN_JOB,
    ARCHIVE_JOB,
    EXPIRY_JOB,
    PLAN_JOB,
    RETENTION_JOB,
)
from argo_retention.defs.keys import RETENTION_OUTCOME
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.worlds import World, later, workflow_path

HOLD = {"argo-retention.io/hold": "incident 4711"}


def planned(world: World) -> str:
    """Make a plan; its id."""
    return id_of(world.succeed(PLAN_JOB))


def id_of(outcome: RunOutcome) -> str:
    return str(outcome.assets["retention_plan"]["plan_id"])


def decided(world: World, plan: RunOutcome, verdict: str) -> list[dict[str, Any]]:
    """The live workflows that the plan removes, or keeps."""
    decisions = world.decisions(plan, "retention_plan")
    return [w for uid, w in world.live().items() if decisions[uid]["verdict"] == verdict]


def apply(world: World, plan_id: str, **options: Any) -> RunOutcome:
    """Carry the plan out in a run of its own, as `run retention --plan-id` does."""
    config = {"ops": {"argo__retention_outcome": {"config": {"plan_id": plan_id}}}}
    return world.run(APPLY_PLAN_JOB, run_config=config, **options)


def test_p2_the_floor_holds_when_somebody_deletes_what_the_plan_keeps(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=6, keep_count=2)
    plan = world.succeed(PLAN_JOB)
    for workflow in decided(world, plan, "keep"):
        world.delete(workflow)

    outcome = apply(world, id_of(plan))

    assert outcome.success, outcome.failure
    assert len(world.live()) == 2
    assert outcome.assets["retention_outcome"]["outcomes"] == {"deleted": 2, "kept": 2}


def test_p2_a_workflow_held_after_the_plan_stays(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=6, keep_count=2)
    plan = world.succeed(PLAN_JOB)
    going = decided(world, plan, "remove")[0]
    world.annotate(workflow_path(going), HOLD)

    apply(world, id_of(plan))

    assert going["metadata"]["uid"] in world.live()
    assert len(world.live()) == 3


def test_p2_a_namespace_held_after_the_plan_keeps_all_of_its_workflows(
    new_seed: SeedWorld,
) -> None:
    world = new_seed(hello_worlds=4, keep_count=1)
    plan_id = planned(world)
    world.annotate("/api/v1/namespaces/argo", HOLD)

    outcome = apply(world, plan_id)

    assert len(world.live()) == 4
    assert outcome.assets["retention_outcome"]["outcomes"] == {"kept": 3}


def test_p2_an_empty_list_is_not_believed(new_seed: SeedWorld) -> None:
    """Rows and logs are not expired by it either, since they would all seem to be of no live workflow."""
    world = new_seed(hello_worlds=3, texts={"archiveTTL: 180d": "archiveTTL: 1m"})
    world.succeed(ARCHIVE_JOB)
    for workflow in world.live().values():
        world.delete(workflow)

    outcomes = [world.run(job, clock=later(minutes=2)) for job in (RETENTION_JOB, EXPIRY_JOB)]

    for outcome in outcomes:
        assert not outcome.success
        assert "refused by the brake on falling counts" in outcome.failure
    assert (len(world.rows()), len(world.objects())) == (3, 3)


def test_p2_a_list_that_lost_most_workflows_is_not_believed(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=60, keep_count=10)
    plan_id = planned(world)
    for workflow in [*world.live().values()][:40]:
        world.delete(workflow)

    of_itself, of_the_plan = world.run(RETENTION_JOB), apply(world, plan_id)

    assert "refused by the brake on falling counts" in of_itself.failure
    assert "The list has 20 workflows, 60 were expected" in of_the_plan.failure
    assert (len(world.live()), of_itself.exit_code, of_the_plan.exit_code) == (20, 1, 1)


@pytest.mark.parametrize("how", ["jobs", "materialize all", "outcome alone"])
def test_p2_observe_deletes_nothing_however_it_was_started(new_seed: SeedWorld, how: str) -> None:
    world = new_seed(texts={"archiveTTL: 180d": "archiveTTL: 1m"}, retention={"mode": "observe"})
    if how == "jobs":
        for job in (RETENTION_JOB, EXPIRY_JOB):
            world.succeed(job, clock=later(minutes=2))
    else:
        plan_id = planned(world)
        materialize(world, plan_id, selection=[RETENTION_OUTCOME] if how[0] == "o" else None)

    assert (len(world.live()), len(world.rows()), len(world.objects())) == (6, 6, 6)
    assert world.ledger("deletions") == []
    assert world.ledger("expiry_units") == []


def materialize(world: World, plan_id: str, selection: list[dg.AssetKey] | None) -> None:
    """As the UI's buttons do: the job of all assets, or one asset of it."""
    definitions = build_definitions(world.settings, clock=later(minutes=2))
    config = {"ops": {"argo__retention_outcome": {"config": {"plan_id": plan_id}}}}
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=world.instance,
        partition_key=world.scene.name,
        asset_selection=selection,
        run_config=config if selection else None,
    )
    outcome = outcome_of(world.instance, result.run_id, job="", cluster=world.scene.name)
    assert outcome.assets["retention_outcome"]["mode"] == "observe"
    assert outcome.assets["retention_outcome"]["outcomes"] == {"observed": 4}


def test_p2_without_a_word_about_the_mode_nothing_is_deleted(new_seed: SeedWorld) -> None:
    world = new_seed()
    del world.scene.settings["retention"]["mode"]

    outcome = world.succeed(RETENTION_JOB)

    assert outcome.assets["retention_outcome"]["mode"] == "observe"
    assert len(world.live()) == 6


def test_p2_a_plan_of_another_policy_is_refused(new_seed: SeedWorld) -> None:
    world = new_seed()
    plan_id = planned(world)
    world.overrides = {"argo": {"retentionPolicy": {"completed": 1}}}

    outcome = apply(world, plan_id)

    assert "was made under another policy than the settings hold now" in outcome.failure
    assert (len(world.live()), outcome.exit_code) == (6, 1)


def test_p2_an_old_plan_is_refused(new_seed: SeedWorld) -> None:
    world = new_seed(retention={"plan_max_age": "1m"})
    plan_id = planned(world)

    outcome = apply(world, plan_id, clock=later(minutes=2))

    assert "longer ago than retention.plan_max_age allows" in outcome.failure
    assert (len(world.live()), outcome.exit_code) == (6, 1)


def test_p2_a_plan_is_used_once(new_seed: SeedWorld) -> None:
    world = new_seed()
    plan_id = planned(world)
    apply(world, plan_id)
    left = world.live()

    again = apply(world, plan_id)

    assert "is applied; a plan is used once" in again.failure
    assert world.live() == left
