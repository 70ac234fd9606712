"""What schedules and sensors ask for, on a real instance and the emulated API."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import yaml

from argo_retention.defs.keys import CLUSTER_TAG
from argo_retention_tests.defs.described import location
from argo_retention_tests.e2e.conftest import SeedWorld, new_seed, servers
from argo_retention_tests.e2e.worlds import World

__all__ = ["new_seed", "servers"]  # fixtures of the whole runs

MOMENT = datetime(2026, 6, 1, 4, tzinfo=UTC)


@pytest.fixture
def world(new_seed: SeedWorld) -> World:
    return new_seed(hello_worlds=3, keep_count=3)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """One that a context of a schedule can find again, as in the daemon."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def sensor_of(world: World) -> dg.SensorDefinition:
    [sensor] = location(world.settings_text).sensors or ()
    assert isinstance(sensor, dg.SensorDefinition)
    return sensor


def look(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = sensor(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def test_a_schedule_asks_for_its_own_cluster_once_a_tick(instance: dg.DagsterInstance) -> None:
    schedule = next(
        each
        for each in location().schedules or ()
        if each.name == "argo_retention_schedule_production"
    )
    assert isinstance(schedule, dg.ScheduleDefinition)
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=MOMENT)

    request = schedule(context)

    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "production"
    assert request.tags[CLUSTER_TAG] == "production"
    assert request.run_key == MOMENT.isoformat()


def test_a_schedule_asks_for_nothing_while_its_last_run_still_waits(
    instance: dg.DagsterInstance,
) -> None:
    """Behind a run that takes long they would pile up, one for each tick."""
    definitions = location()
    schedule = next(
        each
        for each in definitions.schedules or ()
        if each.name == "argo_retention_schedule_production"
    )
    assert isinstance(schedule, dg.ScheduleDefinition)
    job = definitions.resolve_job_def("argo_retention")
    for cluster, status in (
        ("production", dg.DagsterRunStatus.STARTED),
        ("staging", dg.DagsterRunStatus.NOT_STARTED),
    ):
        instance.create_run_for_job(job, tags={CLUSTER_TAG: cluster}, status=status)
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=MOMENT)
    assert isinstance(schedule(context), dg.RunRequest)

    waiting = instance.create_run_for_job(
        job, tags={CLUSTER_TAG: "production"}, status=dg.DagsterRunStatus.NOT_STARTED
    )

    skipped = schedule(context)
    assert isinstance(skipped, dg.SkipReason)
    assert f"Run {waiting.run_id} of argo_retention still waits" in str(skipped.skip_message)


def test_schedules_and_sensors_are_off_until_somebody_starts_them() -> None:
    definitions = location()
    each = [*(definitions.schedules or ()), *(definitions.sensors or ())]

    statuses = {made.name: made.default_status.value for made in each}  # type: ignore[union-attr]

    assert len(statuses) == 6
    assert set(statuses.values()) == {"STOPPED"}


def test_a_sensor_asks_for_an_archive_run_when_something_finished(
    world: World, instance: dg.DagsterInstance
) -> None:
    result = look(sensor_of(world), instance)

    assert isinstance(result, dg.SensorResult)
    [request] = result.run_requests or ()
    assert request.partition_key == world.scene.name
    assert request.tags == {CLUSTER_TAG: world.scene.name}
    assert result.cursor


def test_a_sensor_says_what_it_saw_where_nothing_finished(
    world: World, instance: dg.DagsterInstance
) -> None:
    first = look(sensor_of(world), instance)
    assert isinstance(first, dg.SensorResult)

    second = look(sensor_of(world), instance, first.cursor)

    assert isinstance(second, dg.SensorResult)
    assert second.run_requests == []
    assert "0 changes since the last look" in str(second.skip_reason)


def test_what_is_archived_wakes_no_sensor(world: World, instance: dg.DagsterInstance) -> None:
    world.succeed("argo_archive")

    result = look(sensor_of(world), instance)

    assert isinstance(result, dg.SensorResult)
    assert result.run_requests == []
    assert "None of 3 workflows has finished and waits" in str(result.skip_reason)


def test_a_sensor_waits_while_a_run_is_at_work(world: World, instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(
        location(world.settings_text).resolve_job_def("argo_archive"),
        tags={CLUSTER_TAG: world.scene.name},
    )

    result = look(sensor_of(world), instance)

    assert isinstance(result, dg.SkipReason)
    assert run.run_id in str(result.skip_message)


def test_the_shipped_instance_settings_are_accepted(tmp_path: Path) -> None:
    """deploy/dagster.yaml holds what code cannot set: one run a cluster, and watching over runs."""
    shipped = Path(__file__).parent.parent.parent / "deploy" / "dagster.yaml"
    (tmp_path / "dagster.yaml").write_text(shipped.read_text())

    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        queue = made.get_concurrency_config().run_queue_config
        assert queue is not None
        [limit] = queue.tag_concurrency_limits
        assert made.run_monitoring_enabled

    assert limit == {"key": CLUSTER_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    assert yaml.safe_load(shipped.read_text())["telemetry"] == {"enabled": False}
