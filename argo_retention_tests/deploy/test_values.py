"""`deploy/dagster-values.yaml` and `deploy/dagster.yaml`: the same instance, in words that Dagster takes."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster_k8s import K8sRunLauncher

from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.building import build_location
from argo_retention.defs.instance import examine_instance
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.errors import ConfigurationError
from argo_retention.operations.doctoring.findings import Findings, Status

DEPLOY = Path(__file__).parents[2] / "deploy"
VALUES = yaml.safe_load((DEPLOY / "dagster-values.yaml").read_text())
INSTANCE = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())


def snake(value: Any) -> Any:
    """The chart's camelCase keys as those of dagster.yaml."""
    if isinstance(value, dict):
        return {re.sub(r"(?<!^)(?=[A-Z])", "_", k).lower(): snake(v) for k, v in value.items()}
    return [snake(each) for each in value] if isinstance(value, list) else value


def test_the_chart_makes_the_instance_of_dagster_yaml() -> None:
    daemon = VALUES["dagsterDaemon"]
    said = {
        "concurrency": {"runs": snake(VALUES["concurrency"]["runs"])},
        "run_monitoring": snake(daemon["runMonitoring"]),
        "scheduler": snake(VALUES["scheduler"]["config"]["daemonScheduler"]),
        "sensors": snake(daemon["sensors"]),
        "schedules": snake(daemon["schedules"]),
        "retention": {k: snake(v) for k, v in VALUES["retention"].items() if k != "enabled"},
        "telemetry": VALUES["telemetry"],
    }

    shipped = snake({**INSTANCE, "scheduler": INSTANCE["scheduler"]["config"]})
    assert said == shipped


def test_the_run_launcher_takes_its_configuration() -> None:
    given = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
    launcher = {
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "dagster_home": "/opt/dagster/dagster_home",
        "image_pull_policy": given["imagePullPolicy"],
        "run_k8s_config": snake(given["runK8sConfig"]),
    }

    checked = process_config(resolve_to_config_type(K8sRunLauncher.config_type()), launcher)

    assert checked.success, checked.errors


@pytest.fixture
def home(tmp_path: Path, postgres: PostgresServer) -> Path:
    """A Dagster home with storage in PostgreSQL."""
    postgres.create_database("dagster_values")
    storage = {"postgres": {"postgres_url": postgres.dsn("dagster_values")}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"storage": storage, **INSTANCE}))
    yield tmp_path
    postgres.drop_database("dagster_values")


def test_doctor_finds_an_instance_of_dagster_yaml_in_order(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        found = list(examine_instance(Findings(cluster=""), instance))

    assert {each.status for each in found} == {Status.OK}
    assert len(found) == 6
    assert "--submit" in " ".join(each.what for each in found)


@pytest.mark.parametrize(
    ("left_out", "check"),
    [
        ("concurrency", "one run a cluster"),
        ("run_monitoring", "watched runs"),
        ("scheduler", "missed ticks"),
        ("sensors", "sensors"),
        ("retention", "ticks of sensors"),
    ],
)
def test_doctor_names_what_an_instance_lacks(home: Path, left_out: str, check: str) -> None:
    document = yaml.safe_load((home / "dagster.yaml").read_text())
    del document[left_out]
    (home / "dagster.yaml").write_text(yaml.safe_dump(document))

    with dg.DagsterInstance.from_config(str(home)) as instance:
        found = list(examine_instance(Findings(cluster=""), instance))

    [finding] = [each for each in found if each.status is not Status.OK]
    assert (finding.check, finding.status) == (check, Status.WARNING)
    assert "deploy/dagster.yaml" in finding.what


def test_an_instance_of_its_own_needs_nothing_of_it(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        [finding] = examine_instance(Findings(cluster=""), instance)

    assert finding.status is Status.OK
    assert str(tmp_path) in finding.what


def test_steps_are_jobs_of_kubernetes_where_the_settings_say_so() -> None:
    text = "executor: k8s_job\nclusters: {production: {}}"

    location = build_location(parse_settings(text, source="retention.yaml"))

    assert location.executor is not None
    assert location.executor.name == "k8s"  # type: ignore[union-attr]


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dagster_k8s", None)
    text = "executor: k8s_job\nclusters: {production: {}}"

    with pytest.raises(ConfigurationError, match=r"argo-retention\[k8s\]"):
        build_location(parse_settings(text, source="retention.yaml"))
