"""What the sensor of finished workflows says and asks for, on a real instance and the emulated API."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.cluster.checks import api_answers_name, archived_lately_name
from argo_retention.defs.keys import CLUSTER_TAG, LIVE_WORKFLOWS, TRIGGER_TAG
from argo_retention.defs.runs import PARTITION_TAG, RUN_KEY_TAG
from argo_retention.defs.sensors import build_sensors
from argo_retention.demo.kube_api.process import write_kubeconfig
from argo_retention.demo.scenes.installation import NAMESPACE
from argo_retention_tests.defs.described import location
from argo_retention_tests.e2e.conftest import SeedWorld, new_seed, servers
from argo_retention_tests.e2e.worlds import World, utc_now
from argo_retention_tests.wire.http_wire import HttpFault, HttpWire, kubernetes_refusal

__all__ = ["new_seed", "servers"]  # fixtures of the whole runs

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(new_seed: SeedWorld) -> World:
    return new_seed(hello_worlds=3, keep_count=3)


@pytest.fixture
def wire(world: World) -> Iterator[HttpWire]:
    """Between the sensor and the API server."""
    with HttpWire(world.url, refusal=kubernetes_refusal) as made:
        write_kubeconfig(
            world.kubeconfig,
            url=f"http://127.0.0.1:{made.port}",
            token=world.scene.token,
            cluster=world.scene.name,
            namespace=NAMESPACE,
        )
        yield made


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """One that a context of a sensor can find again, as in the daemon."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


class Ticks:
    """The sensor of a world, ticking by its own clock with the cursor of the tick before."""

    def __init__(self, settings_text: str, instance: dg.DagsterInstance, now: datetime) -> None:
        self.now = now
        self.cursor: str | None = None
        self.instance = instance
        settings = parse_settings(settings_text, source="retention.yaml")
        [self._sensor] = build_sensors(settings, clock=lambda: self.now)

    def tick(self) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = self._sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def said(self) -> str:
        result = self.tick()
        assert not result.run_requests
        return str(result.skip_reason)

    def requests(self) -> list[dg.RunRequest]:
        return list(self.tick().run_requests or ())


Ticking = Callable[..., Ticks]


@pytest.fixture
def ticking(world: World, instance: dg.DagsterInstance) -> Ticking:
    def make(*, min_batch: int = 1, max_wait: str = "2m") -> Ticks:
        world.overrides["sensor"] = {"min_batch": min_batch, "max_wait": max_wait}
        return Ticks(world.settings_text, instance, utc_now())

    return make


def test_it_asks_for_an_archive_run_when_something_finished(world: World, ticking: Ticking) -> None:
    ticks = ticking()

    [request] = ticks.requests()

    assert request.partition_key == world.scene.name
    assert request.tags == {CLUSTER_TAG: world.scene.name, TRIGGER_TAG: "sensor"}


def test_it_asks_once_for_the_same_work(world: World, ticking: Ticking) -> None:
    ticks = ticking()
    [request] = ticks.requests()
    run(world, ticks, request, dg.DagsterRunStatus.SUCCESS)

    assert "0 changes since the last look" in ticks.said()


def test_it_batches(world: World, ticking: Ticking) -> None:
    ticks = ticking(min_batch=10)

    said = ticks.said()
    assert "3 finished workflows wait; a run is asked for from 10 on (sensor.min_batch)" in said
    ticks.now += MINUTE
    assert "3 finished workflows wait" in ticks.said()
    ticks.now += MINUTE
    assert len(ticks.requests()) == 1


def test_it_waits_while_a_run_of_this_cluster_is_at_work_and_relies_on_it(
    world: World, ticking: Ticking, instance: dg.DagsterInstance
) -> None:
    ticks = ticking()
    at_work = instance.create_run_for_job(
        location(world.settings_text).resolve_job_def("argo_retention"),
        tags={PARTITION_TAG: world.scene.name},
        status=dg.DagsterRunStatus.NOT_STARTED,
    )

    assert f"Run {at_work.run_id} is at work on cluster {world.scene.name}." in ticks.said()
    end(instance, at_work, dg.DagsterRunStatus.SUCCESS)
    ticks.now += MINUTE

    assert "0 changes since the last look" in ticks.said()


def test_runs_of_others_with_a_partition_of_the_same_name_are_not_in_its_way(
    world: World, ticking: Ticking, instance: dg.DagsterInstance
) -> None:
    @dg.job
    def theirs() -> None: ...

    instance.create_run_for_job(theirs, tags={PARTITION_TAG: world.scene.name})

    assert len(ticking().requests()) == 1


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
def test_what_a_failed_run_did_not_archive_is_asked_for_again_later_each_time(
    world: World, ticking: Ticking, status: dg.DagsterRunStatus
) -> None:
    ticks = ticking()
    [request] = ticks.requests()
    failed = run(world, ticks, request, status)

    said = ticks.said()
    assert f"Run {failed.run_id}, which was to archive what had finished," in said
    assert "Looks again at" in said
    ticks.now += MINUTE
    [again] = ticks.requests()
    run(world, ticks, again, status)

    assert "This was the 2. time in a row." in ticks.said()
    ticks.now += MINUTE
    assert "Looks again at" in ticks.said()
    ticks.now += MINUTE
    assert len(ticks.requests()) == 1


def test_what_is_archived_wakes_no_sensor(world: World, ticking: Ticking) -> None:
    world.succeed("argo_archive")

    said = ticking().said()

    assert "None of 3 workflows has finished and waits" in said
    assert "this is the first look" in said


def test_p7_a_tick_that_is_killed_is_made_good_by_the_next(
    world: World, ticking: Ticking, instance: dg.DagsterInstance
) -> None:
    """Dagster has launched the run, and the cursor is still the old one."""
    ticks = ticking()
    ticks.cursor = None
    [request] = ticks.requests()
    launched = instance.create_run_for_job(
        location(world.settings_text).resolve_job_def("argo_archive"),
        tags={**request.tags, PARTITION_TAG: world.scene.name, RUN_KEY_TAG: request.run_key or ""},
        status=dg.DagsterRunStatus.NOT_STARTED,
    )
    ticks.cursor = None

    assert f"Run {launched.run_id} is at work" in ticks.said()
    world.succeed("argo_archive")
    end(instance, launched, dg.DagsterRunStatus.SUCCESS)

    assert "none of them a workflow that finished" in ticks.said()


def test_it_reports_what_is_live_when_something_changed_and_not_too_often(
    world: World, ticking: Ticking
) -> None:
    ticks = ticking(min_batch=10, max_wait="1d")

    [report] = reports(ticks.tick())
    assert report.asset_key == LIVE_WORKFLOWS
    assert report.partition == world.scene.name
    told = {name: value.value for name, value in report.metadata.items()}
    assert (told["dagster/row_count"], told["finished"], told["waiting_to_be_archived"]) == (
        3,
        3,
        3,
    )
    assert told["bytes_about"] > 1000
    assert "| Succeeded | 3 |" in told["by_phase"]
    assert told["oldest_waiting_minutes"] > 0
    ticks.now += 6 * MINUTE
    assert reports(ticks.tick()) == []  # nothing changed

    world.succeed("argo_archive")
    ticks.now += MINUTE
    [again] = reports(ticks.tick())
    assert again.metadata["waiting_to_be_archived"].value == 0
    ticks.now += MINUTE
    assert reports(ticks.tick()) == []


@pytest.mark.parametrize(
    "fault",
    [
        HttpFault(kind="status", status=503, times=99),
        HttpFault(kind="reset", times=99),
        HttpFault(kind="silence", times=99),
        HttpFault(kind="silence", method="GET", path="watch=true", times=99),
    ],
    ids=["503", "reset", "silent", "silent watch"],
)
def test_a_server_that_is_down_is_a_skip_a_failed_check_and_a_pause(
    world: World, ticking: Ticking, wire: HttpWire, fault: HttpFault
) -> None:
    ticks = ticking(min_batch=10, max_wait="1d")  # the next tick watches
    [first] = checks(ticks.tick())
    assert first.passed
    wire.faults.append(fault)
    begun = time.monotonic()

    down = ticks.tick()

    assert time.monotonic() - begun < 10
    said = str(down.skip_reason)
    assert f"cluster {world.scene.name}" in said
    assert "Looks again at" in said
    assert "\n" not in said
    [check] = checks(down)
    assert (check.check_name, check.passed) == (api_answers_name(world.scene.name), False)
    asked = len(wire.done)
    assert checks(ticks.tick()) == []
    assert len(wire.done) == asked  # within the pause nobody is asked

    wire.mend()
    ticks.now += MINUTE
    [well] = checks(ticks.tick())
    assert well.passed


def test_it_says_when_the_archive_falls_behind_and_when_it_is_well_again(
    world: World, ticking: Ticking
) -> None:
    ticks = ticking(min_batch=10, max_wait="1d")

    def lateness() -> list[tuple[str, bool]]:
        return [
            (check.check_name, check.passed)
            for check in evaluations(ticks.tick())
            if "answers" not in check.check_name
        ]

    name = archived_lately_name(world.scene.name)
    ticks.instance = world.instance
    assert lateness() == [(name, False)]  # nothing has been archived yet
    assert lateness() == []
    world.succeed("argo_archive")
    assert lateness() == [(name, True)]
    ticks.now += 61 * MINUTE
    assert lateness() == [(name, False)]


def test_a_kubeconfig_that_is_missing_leaves_the_cursor_as_it_is(
    instance: dg.DagsterInstance,
) -> None:
    ticks = Ticks("clusters: {production: {kubeconfig: /nowhere}}", instance, utc_now())
    ticks.cursor = "something"

    result = ticks.tick()

    assert "there is no kubeconfig at /nowhere" in str(result.skip_reason)
    assert ticks.cursor == "something"
    assert [check.passed for check in checks(result)] == [False]


def run(
    world: World, ticks: Ticks, request: dg.RunRequest, status: dg.DagsterRunStatus
) -> dg.DagsterRun:
    """The run of a request as the daemon makes it, at its end."""
    return ticks.instance.create_run_for_job(
        location(world.settings_text).resolve_job_def("argo_archive"),
        tags={**request.tags, PARTITION_TAG: world.scene.name, RUN_KEY_TAG: request.run_key or ""},
        status=status,
    )


def end(instance: dg.DagsterInstance, run: dg.DagsterRun, status: dg.DagsterRunStatus) -> None:
    events = {
        dg.DagsterRunStatus.SUCCESS: dg.DagsterEventType.RUN_SUCCESS,
        dg.DagsterRunStatus.FAILURE: dg.DagsterEventType.RUN_FAILURE,
    }
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value=events[status].value, job_name=run.job_name), run.run_id
    )


def reports(result: dg.SensorResult) -> list[dg.AssetMaterialization]:
    return [each for each in result.asset_events if isinstance(each, dg.AssetMaterialization)]


def checks(result: dg.SensorResult) -> list[dg.AssetCheckEvaluation]:
    """Of the API server."""
    return [check for check in evaluations(result) if "answers" in check.check_name]


def evaluations(result: dg.SensorResult) -> list[dg.AssetCheckEvaluation]:
    return [each for each in result.asset_events if isinstance(each, dg.AssetCheckEvaluation)]
