"""What Argo deletes by itself before it is proven."""

from dataclasses import replace
from datetime import timedelta

import pytest

from argo_retention.core import labels
from argo_retention.core.policy import RetentionPolicy
from argo_retention.errors import ClusterError
from argo_retention.operations import racing
from argo_retention.operations.racing import AtRisk, at_risk
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention_tests.operations.at_work import NAMESPACE, AtWork

HOUR = timedelta(hours=1)
CRON = {"labels": {labels.CRON_WORKFLOW: "nightly"}}


def risks(work: AtWork, *names: str) -> list[tuple[str, str]]:
    return [(risk.path, risk.key) for risk in found(work, *names)]


def found(work: AtWork, *names: str) -> list[AtRisk]:
    take_snapshot(work.site, work.grant(work.site.root_run))
    uids = {w.name: w.uid for w in work.cluster.workflows()}
    return list(at_risk(work.site, [uids[name] for name in names]))


def with_argo(work: AtWork, **changes: object) -> AtWork:
    argo = replace(work.site.installation.argo, **changes)  # type: ignore[arg-type]
    work.site = replace(work.site, installation=replace(work.site.installation, argo=argo))
    return work


def work_with(*names: str, **given: object) -> AtWork:
    """The first is the oldest."""
    work = AtWork()
    for number, name in enumerate(names):
        work.run(name, age=HOUR * (len(names) - number), **given)
    return work


def test_what_is_proven_is_at_no_risk() -> None:
    assert at_risk(AtWork().site, []) == ()


def test_without_a_key_of_argos_nothing_is_at_risk() -> None:
    assert risks(work_with("a", "b"), "a", "b") == []


def test_argos_retention_policy_counts_by_creation_and_what_is_left_out_is_0() -> None:
    policy = RetentionPolicy(succeeded=1, failed=None, errored=None)
    work = with_argo(work_with("a", "b"), retention_policy=policy)
    work.run("failed", phase="Failed")

    assert found(work, "a", "b", "failed") == [
        AtRisk(
            path=f"{NAMESPACE}/a",
            key="retentionPolicy",
            sentence="is number 2 of the Succeeded ones, Argo keeps 1",
        ),
        AtRisk(
            path=f"{NAMESPACE}/failed",
            key="retentionPolicy",
            sentence="is number 1 of the Failed ones, Argo keeps 0",
        ),
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (None, ["a"]),  # Argo's default keeps three
        ({"successfulJobsHistoryLimit": 2}, ["a", "b"]),
        ({"successfulJobsHistoryLimit": 10}, []),
        ({"successfulJobsHistoryLimit": "two"}, ["a"]),
    ],
)
def test_history_limits_of_cron_workflows(
    spec: dict[str, object] | None, expected: list[str]
) -> None:
    work = work_with("a", "b", "c", "d", metadata=CRON)
    if spec is not None:
        metadata = {"name": "nightly", "namespace": NAMESPACE}
        work.cluster.add({"kind": "CronWorkflow", "metadata": metadata, "spec": spec})

    assert [path for path, _ in risks(work, "a", "b", "c", "d")] == [
        f"{NAMESPACE}/{name}" for name in expected
    ]


def test_cron_workflows_that_cannot_be_read_have_argos_limits() -> None:
    work = work_with("a", "b", "c", "d", metadata=CRON)
    work.cluster.fail("list_objects", ClusterError("403"))

    assert risks(work, "a") == [(f"{NAMESPACE}/a", "successfulJobsHistoryLimit")]


def test_a_ttl_in_workflow_defaults_is_a_risk_for_each() -> None:
    defaults = {"spec": {"ttlStrategy": {"secondsAfterCompletion": 60}}}
    work = with_argo(work_with("a"), workflow_defaults=defaults)

    assert found(work, "a") == [
        AtRisk(
            path=f"{NAMESPACE}/a",
            key="ttlStrategy",
            sentence="workflowDefaults has secondsAfterCompletion 60",
        )
    ]


def test_a_ttl_of_its_own_or_of_its_template_is_looked_for_in_the_object() -> None:
    work = work_with("a")
    work.run("b", spec={"ttlStrategy": {"secondsAfterCompletion": 3600}})

    assert found(work, "a", "b") == [
        AtRisk(
            path=f"{NAMESPACE}/b",
            key="ttlStrategy",
            sentence="its own keeps it 1h after its end",
        )
    ]


def test_what_cannot_be_fetched_for_its_ttl_is_not_said_to_be_at_risk() -> None:
    work = work_with("a")
    work.cluster.fail("get_workflow", ClusterError("503"))

    assert found(work, "a") == []


def test_only_some_are_fetched_for_their_ttl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "LOOKED_INTO", 1)
    work = AtWork()
    for name in ("a", "b"):
        work.run(name, spec={"ttlStrategy": {"secondsAfterCompletion": 60}})

    assert len(found(work, "a", "b")) == 1


@pytest.mark.parametrize("stored", [False, True])
def test_pods_that_argo_removes_take_logs_along_that_it_does_not_store(stored: bool) -> None:
    defaults = {"spec": {"podGC": {"strategy": "OnPodCompletion"}}}
    work = with_argo(work_with("a"), workflow_defaults=defaults)
    repository = replace(work.site.installation.repository, archive_logs=stored)  # type: ignore[type-var]
    work = with_argo(work, artifact_repository=repository)

    says = "workflowDefaults has OnPodCompletion: its pods go, and Argo does not store their logs"
    expected = AtRisk(path=f"{NAMESPACE}/a", key="podGC", sentence=says)
    assert found(work, "a") == ([] if stored else [expected])


def test_pods_that_argo_leaves_alone_keep_their_logs() -> None:
    work = work_with("a")
    repository = replace(work.site.installation.repository, archive_logs=False)  # type: ignore[type-var]

    assert found(with_argo(work, artifact_repository=repository), "a") == []
