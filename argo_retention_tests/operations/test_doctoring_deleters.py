from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from argo_retention.core.settings import ClusterSettings
from argo_retention.operations.doctoring.findings import Finding, Status
from argo_retention_tests.operations.examined import Practice, finding
from argo_retention_tests.operations.installations import (
    PERSISTENCE,
    REPOSITORY,
    put_argo,
    put_deployment,
)

TTL = {"secondsAfterCompletion": 3600, "secondsAfterSuccess": 60}


def examined(
    data: Mapping[str, object] | None = None, *objects: Mapping[str, Any]
) -> list[Finding]:
    practice = Practice()
    put_argo(practice.cluster, data)
    for each in objects:
        practice.cluster.add(each)
    return practice.examine()


def template(name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "kind": "WorkflowTemplate",
        "metadata": {"name": name, "namespace": "team"},
        "spec": dict(spec),
    }


def cron(
    name: str, spec: Mapping[str, Any], labels: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    return {
        "kind": "CronWorkflow",
        "metadata": {"name": name, "namespace": "team", "labels": dict(labels or {})},
        "spec": dict(spec),
    }


def test_a_retention_policy_in_the_configmap_is_a_warning_with_argos_meaning() -> None:
    found = finding(examined({"retentionPolicy": {"completed": 3}}), "retentionPolicy")

    assert found.status is Status.WARNING
    assert "(completed 3, failed 0, errored 0)" in found.what
    assert "`argo-retention adopt --cluster prod`" in found.what


@pytest.mark.parametrize(("ttl", "is_warned"), [("36h", True), ("0", False), (None, False)])
def test_an_archive_ttl_in_the_configmap_is_a_warning(ttl: str | None, is_warned: bool) -> None:
    found = finding(examined({"persistence": {**PERSISTENCE, "archiveTTL": ttl}}), "archiveTTL")

    assert (found.status is Status.WARNING) == is_warned
    assert ("(1.5 days)" in found.what) == is_warned


def put_controller(practice: Practice, period: str) -> None:
    env = [{"name": "ARCHIVED_WORKFLOW_GC_PERIOD", "value": period}]
    put_deployment(practice.cluster, "workflow-controller", image="workflow-controller", env=env)


@pytest.mark.parametrize(
    ("period", "expiry", "status", "cron"),
    [
        ("1m", "17 3 * * *", Status.WARNING, "* * * * *"),
        ("1m", "* * * * *", Status.OK, ""),
        ("1h30m", "17 3 * * *", Status.WARNING, "0 */2 * * *"),
    ],
)
def test_the_period_of_argos_own_collection_becomes_a_cron(
    period: str, expiry: str, status: Status, cron: str
) -> None:
    practice = Practice()
    put_argo(practice.cluster)
    put_controller(practice, period)

    found = finding(practice.examine(schedules={"expiry": expiry}), "expiry schedule")

    assert found.status is status
    assert f"ARCHIVED_WORKFLOW_GC_PERIOD {period}" in found.what
    if cron:
        assert yaml.safe_load(found.mend) == {"schedules": {"expiry": cron}}


@pytest.mark.parametrize("period", ["", "soon"])
def test_without_such_a_period_nothing_is_said(period: str) -> None:
    practice = Practice()
    put_argo(practice.cluster)
    put_controller(practice, period)

    assert "expiry schedule" not in {found.check for found in practice.examine()}


def rules_of(found: Finding) -> list[dict[str, Any]]:
    """The rules of a mend, which the settings must take as they are."""
    rules: list[dict[str, Any]] = yaml.safe_load(found.mend)["rules"]
    ClusterSettings.model_validate({"rules": rules})
    return rules


def test_a_ttl_strategy_for_all_workflows_becomes_a_rule() -> None:
    defaults = {"spec": {"ttlStrategy": TTL}}

    found = finding(examined({"workflowDefaults": defaults}), "ttlStrategy of workflowDefaults")

    assert found.status is Status.WARNING
    assert rules_of(found) == [{"name": "workflow-defaults", "keep": {"within": "3600s"}}]


def test_ttl_strategies_of_templates_are_named_and_the_first_becomes_a_rule() -> None:
    found = finding(
        examined(
            None,
            template("build", {"ttlStrategy": TTL}),
            template("plain", {}),
            cron("nightly", {"workflowSpec": {"ttlStrategy": {}}}),
            cron("hourly", {"workflowSpec": {"ttlStrategy": TTL}}),
        ),
        "ttlStrategy of templates",
    )

    assert "from WorkflowTemplate team/build, CronWorkflow team/hourly;" in found.what
    assert rules_of(found) == [
        {"name": "build", "match": {"template": "build"}, "keep": {"within": "3600s"}}
    ]


@pytest.mark.parametrize(
    ("archive_logs", "strategy", "status"),
    [
        (None, "OnPodCompletion", Status.WARNING),
        (False, "OnWorkflowSuccess", Status.WARNING),
        (True, "OnPodCompletion", Status.OK),
        (None, "", Status.OK),
    ],
)
def test_pod_gc_matters_where_argo_does_not_store_the_logs(
    archive_logs: bool | None, strategy: str, status: Status
) -> None:
    data = {
        "workflowDefaults": {"spec": {"podGC": {"strategy": strategy}}},
        "artifactRepository": {**REPOSITORY, "archiveLogs": archive_logs},
    }

    found = finding(examined(data), "podGC of workflowDefaults")

    assert found.status is status
    if found.mend:
        assert yaml.safe_load(found.mend) == {"artifactRepository": {"archiveLogs": True}}


def test_pod_gc_without_a_repository_is_a_warning() -> None:
    data = {
        "workflowDefaults": {"spec": {"podGC": {"strategy": "OnPodCompletion"}}},
        "artifactRepository": None,
    }

    assert finding(examined(data), "podGC of workflowDefaults").status is Status.WARNING


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ({}, "3/1"),
        ({"successfulJobsHistoryLimit": 0, "failedJobsHistoryLimit": 100_000}, "0/100000"),
        ({"successfulJobsHistoryLimit": 100_000, "failedJobsHistoryLimit": 100_000}, None),
        ({"successfulJobsHistoryLimit": "x", "failedJobsHistoryLimit": 100_000}, None),
    ],
)
def test_history_limits_of_cron_workflows(spec: Mapping[str, Any], shown: str | None) -> None:
    """Unset is 3 and 1 in Argo, and so deletes."""
    found = finding(examined(None, cron("nightly", spec)), "history limits of CronWorkflows")

    assert (found.status is Status.WARNING) == (shown is not None)
    assert shown is None or f"team/nightly ({shown})" in found.what
    if found.mend:
        assert set(yaml.safe_load(found.mend)["spec"].values()) == {100_000}


def test_cron_workflows_of_another_instance_are_left_out() -> None:
    other = {"workflows.argoproj.io/controller-instanceid": "blue"}

    found = finding(examined(None, cron("nightly", {}, other)), "history limits of CronWorkflows")

    assert found.status is Status.OK


def test_a_template_that_nobody_validated_is_said() -> None:
    found = finding(
        examined(None, template("odd", {"ttlStrategy": "soon"})), "templates and CronWorkflows"
    )

    assert found.status is Status.WARNING
    assert "WorkflowTemplate team/odd: ttlStrategy is text, expected a map" in found.what
