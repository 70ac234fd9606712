"""What is posted to a webhook, to a real server on loopback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest

from argo_retention.adapters.webhooks import post_text
from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.alerts import FAILED_CHECKS, FAILED_RUNS
from argo_retention.defs.building import build_definitions
from argo_retention.defs.keys import ARCHIVED_WORKFLOWS, CLUSTER_TAG
from argo_retention.errors import ConfigurationError, WebhookError

VARIABLE = "TEST_WEBHOOK"
SETTINGS = f"alerts: {{webhook_env: {VARIABLE}}}\nclusters: {{production: {{}}}}\n"
CHECK = "the_api_server_answers_production"


class Webhook:
    """A server that keeps what it is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.status == 200:
                    hook.texts.append(json.loads(body)["text"])
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/services/S3CRET"


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    made = Webhook()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    monkeypatch.setenv(VARIABLE, made.url)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def definitions(text: str = SETTINGS) -> dg.Definitions:
    return build_definitions(parse_settings(text, source="retention.yaml"))


def sensor(name: str) -> dg.SensorDefinition:
    [found] = [each for each in definitions().sensors or () if each.name == name]
    assert isinstance(found, dg.SensorDefinition)
    return found


def test_without_a_webhook_there_are_no_such_sensors() -> None:
    names = {each.name for each in definitions("clusters: {production: {}}").sensors or ()}

    assert names.isdisjoint({FAILED_RUNS, FAILED_CHECKS})


def test_a_failed_run_is_told_with_our_words_and_without_a_secret(
    webhook: Webhook, instance: dg.DagsterInstance
) -> None:
    text = SETTINGS.replace("production: {}", "production: {kubeconfig: /nowhere/at/all}")
    result = (
        definitions(text)
        .resolve_job_def("argo_archive")
        .execute_in_process(
            instance=instance,
            partition_key="production",
            tags={CLUSTER_TAG: "production"},
            raise_on_error=False,
        )
    )
    assert not result.success
    [failure] = [
        event for event in result.all_events if event.event_type is dg.DagsterEventType.RUN_FAILURE
    ]
    context = dg.build_run_status_sensor_context(
        sensor_name=FAILED_RUNS,
        dagster_event=failure,
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    ).for_run_failure()

    sensor(FAILED_RUNS)(context)

    [told] = webhook.texts
    assert told.startswith(f"Run {result.run_id} of argo_archive on production failed: ")
    assert "there is no kubeconfig at /nowhere/at/all" in told
    assert "S3CRET" not in told


def report(
    instance: dg.DagsterInstance, *, passed: bool, asset: dg.AssetKey = ARCHIVED_WORKFLOWS
) -> None:
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=CHECK,
            passed=passed,
            metadata={"found": "they are an hour apart\nSet the clocks."},
        )
    )


def test_a_check_is_told_when_it_begins_to_fail_and_when_it_is_well_again(
    webhook: Webhook, instance: dg.DagsterInstance
) -> None:
    cursor: str | None = None

    def tick() -> str:
        nonlocal cursor
        result = sensor(FAILED_CHECKS)(dg.build_sensor_context(instance=instance, cursor=cursor))
        assert isinstance(result, dg.SensorResult)
        cursor = result.cursor
        return str(result.skip_reason)

    report(instance, passed=True)
    report(instance, passed=False, asset=dg.AssetKey("another_teams"))
    assert "none that begins to fail" in tick()
    report(instance, passed=False)
    webhook.status = 500
    assert "answered 500" in tick()
    webhook.status = 200
    tick()
    report(instance, passed=False)
    tick()
    report(instance, passed=True)
    tick()
    tick()

    where = f"argo/archived_workflows: {CHECK}"
    assert webhook.texts == [
        f"Check {where} fails: they are an hour apart",
        f"Check {where} is well again",
    ]


@pytest.mark.parametrize("url", ["", "slack", "ftp://host/x"])
def test_a_webhook_that_is_no_url_is_said_without_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"alerts\.webhook_env"):
        post_text(url, "x")


def test_a_webhook_that_is_not_reached_is_named_by_its_host_only() -> None:
    with pytest.raises(
        WebhookError, match=r"The webhook at 127\.0\.0\.1 was not reached"
    ) as caught:
        post_text("http://127.0.0.1:9/S3CRET", "x")

    assert "S3CRET" not in str(caught.value)
