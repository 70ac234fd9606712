"""What schedules ask for, on a real instance."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import yaml

from argo_retention.defs.keys import CLUSTER_TAG, TRIGGER_TAG
from argo_retention.defs.runs import PARTITION_TAG
from argo_retention.errors import ConfigurationError
from argo_retention_tests.defs.described import SETTINGS, location

MOMENT = datetime(2026, 6, 1, 4, tzinfo=UTC)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """One that a context of a schedule can find again, as in the daemon."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def schedule_of(
    settings: str = SETTINGS, name: str = "argo_retention_schedule_production"
) -> dg.ScheduleDefinition:
    schedule = next(each for each in location(settings).schedules or () if each.name == name)
    assert isinstance(schedule, dg.ScheduleDefinition)
    return schedule


def test_a_schedule_asks_for_its_own_cluster_once_a_tick(instance: dg.DagsterInstance) -> None:
    schedule = schedule_of()
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=MOMENT)

    request = schedule(context)

    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "production"
    assert request.tags[CLUSTER_TAG] == "production"
    assert request.tags[TRIGGER_TAG] == "schedule"
    assert request.run_key == MOMENT.isoformat()


def test_a_schedule_asks_for_nothing_while_its_last_run_still_waits(
    instance: dg.DagsterInstance,
) -> None:
    """Behind a run that takes long they would pile up, one for each tick."""
    definitions = location()
    schedule = schedule_of()
    job = definitions.resolve_job_def("argo_retention")
    for cluster, status in (
        ("production", dg.DagsterRunStatus.STARTED),
        ("staging", dg.DagsterRunStatus.NOT_STARTED),
    ):
        instance.create_run_for_job(job, tags={PARTITION_TAG: cluster}, status=status)
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=MOMENT)
    assert isinstance(schedule(context), dg.RunRequest)

    waiting = instance.create_run_for_job(
        job, tags={PARTITION_TAG: "production"}, status=dg.DagsterRunStatus.NOT_STARTED
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


@pytest.mark.parametrize(
    ("mode", "word", "last"),
    [
        ("observe", "retention", "retention_plan"),
        ("observe", "expiry", "expiry_plan"),
        ("apply", "retention", ""),
        ("apply", "expiry", ""),
    ],
)
def test_in_observe_a_schedule_goes_up_to_the_plan(
    instance: dg.DagsterInstance, mode: str, word: str, last: str
) -> None:
    settings = f"clusters: {{production: {{retention: {{mode: {mode}}}}}}}"
    schedule = schedule_of(settings, f"argo_{word}_schedule_production")
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=MOMENT)

    request = schedule(context)

    assert isinstance(request, dg.RunRequest)
    chosen = [key.path[-1] for key in request.asset_selection or ()]
    assert chosen[-1:] == ([last] if last else [])
    assert not any("outcome" in name for name in chosen)


def test_cron_and_time_zone_come_from_the_settings() -> None:
    crons = "{retention: '0 6 * * 1', expiry: '30 2 * * *', time_zone: Europe/Berlin}"
    settings = f"clusters: {{production: {{schedules: {crons}}}}}"

    found = [
        (each.cron_schedule, each.execution_timezone)
        for each in (
            schedule_of(settings),
            schedule_of(settings, "argo_expiry_schedule_production"),
        )
    ]

    assert found == [("0 6 * * 1", "Europe/Berlin"), ("30 2 * * *", "Europe/Berlin")]


@pytest.mark.parametrize(
    "crons", ["{retention: every day}", "{expiry: '61 * * * *'}", "{time_zone: Mars/Olympus}"]
)
def test_a_cron_that_is_none_is_one_clear_sentence(crons: str) -> None:
    with pytest.raises(ConfigurationError, match="is no schedule") as caught:
        location(f"clusters: {{production: {{schedules: {crons}}}}}")

    assert "Cluster production: schedules." in str(caught.value)


def test_the_shipped_instance_catches_up_once(tmp_path: Path) -> None:
    """After a night without a daemon one run does what all the missed ones would have done."""
    shipped = Path(__file__).parent.parent.parent / "deploy" / "dagster.yaml"
    (tmp_path / "dagster.yaml").write_text(shipped.read_text())

    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        assert getattr(made.scheduler, "max_catchup_runs", None) == 1


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
