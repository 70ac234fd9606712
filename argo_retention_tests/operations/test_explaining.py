"""The life of one workflow, from first seen to long gone."""

from datetime import timedelta

import pytest

from argo_retention.core import labels
from argo_retention.core.archive_rows import build_row
from argo_retention.core.ledger import Deletion, ExpiryUnit
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogState
from argo_retention.core.manifests import decode
from argo_retention.core.policy import Match, Rule
from argo_retention.core.reasons import Reason, Verdict
from argo_retention.errors import ConfigurationError
from argo_retention.operations.explaining import Life, explain
from argo_retention_tests.operations.looked_at import (
    DAY,
    NOW,
    LookedAt,
    UnmigratedArchive,
    policy,
)


def only(world: LookedAt, subject: str) -> Life:
    (life,) = explain(world.site, subject)
    return life


def deleted(workflow: LiveWorkflow, **overrides: object) -> Deletion:
    fields = {
        "clustername": "default",
        "uid": workflow.uid,
        "namespace": workflow.namespace,
        "name": workflow.name,
        "resource_version": workflow.resource_version,
        "rule": "retentionPolicy",
        "rank": 4,
        "reason": "is number 4 of the Succeeded ones by creation, 3 are kept",
        "plan_id": "plan-1",
        "run_id": "run-1",
        "by_whom": "schedule",
        "outcome": "deleted",
        "at": NOW,
    }
    return Deletion(**{**fields, **overrides})  # type: ignore[arg-type]


def unit(workflow: LiveWorkflow, stage: str, **overrides: object) -> ExpiryUnit:
    fields = {
        "clustername": "default",
        "uid": workflow.uid,
        "namespace": workflow.namespace,
        "name": workflow.name,
        "stage": stage,
        "reason": "its archive TTL is 30d",
        "plan_id": "plan-2",
        "run_id": "run-2",
        "digest": "",
        "at": NOW,
    }
    return ExpiryUnit(**{**fields, **overrides})  # type: ignore[arg-type]


def test_live_and_not_finished() -> None:
    world = LookedAt()
    workflow = world.cluster.add_workflow("a", namespace="ci", phase=None)

    life = only(world, "ci/a")

    assert life.uid == workflow.uid
    assert life.standing == "in the cluster (Running)"
    assert life.decision is not None
    assert life.decision.reason is Reason.NOT_FINISHED
    assert life.expiry is None
    assert [event.what for event in life.events] == ["created"]
    assert not life.removed_by_others


def test_live_archived_and_proven_says_what_both_plans_say() -> None:
    world = LookedAt(policy=policy(completed=0, archive_ttl=30 * DAY))
    workflow = world.finished("a")
    lost = world.log(workflow, node_id="a-2", state=LogState.LOST, key="", reason="pod is gone")
    world.prove(workflow, world.log(workflow), lost)

    life = only(world, workflow.uid)

    assert life.standing == "in the cluster (Succeeded), archived"
    assert life.row is not None
    assert life.row.is_proven
    assert life.row.resource_version == workflow.resource_version
    assert {log.state for log in life.logs} == {LogState.STORED, LogState.LOST}
    assert life.named_only == []
    assert life.decision is not None
    assert (life.decision.verdict, life.decision.rule, life.decision.rank) == (
        Verdict.REMOVE,
        "retentionPolicy",
        1,
    )
    assert life.expiry is not None
    assert life.expiry.reason is Reason.WITHIN_TTL
    assert [event.what for event in life.events] == [
        "created",
        "finished as Succeeded",
        "logs: 1 lost, 1 stored",
        f"proven in the archive at resourceVersion {workflow.resource_version}",
    ]


def test_a_row_that_argo_wrote_names_logs_that_we_did_not_record() -> None:
    world = LookedAt()
    node = {"outputs": {"artifacts": [{"name": "main-logs", "s3": {"bucket": "b", "key": "k"}}]}}
    workflow = world.finished("a", status={"nodes": {"a": node}})
    body = world.cluster.get_workflow(namespace="ci", name="a")
    assert body is not None
    world.archive.put_row(build_row(decode(body), clustername="default", instanceid=""))
    world.archive.backfill_references(world.grant())
    world.cluster.remove("Workflow", "ci", "a")

    life = only(world, "ci/a")

    assert life.uid == workflow.uid
    assert life.standing == "archived, not in the cluster any more"
    assert life.row is not None
    assert not life.row.is_proven
    assert [(named.bucket, named.key) for named in life.named_only] == [("b", "k")]
    assert life.removed_by_others
    assert [event.what for event in life.events] == ["created", "finished as Succeeded"]


def test_a_row_of_another_instance_has_no_expiry_here() -> None:
    world = LookedAt(policy=policy(archive_ttl=DAY))
    world.finished("a")
    body = world.cluster.get_workflow(namespace="ci", name="a")
    assert body is not None
    world.archive.put_row(build_row(decode(body), clustername="default", instanceid="theirs"))
    world.cluster.remove("Workflow", "ci", "a")

    assert only(world, "ci/a").expiry is None


def test_the_expiry_of_a_row_is_that_of_the_plan() -> None:
    """Hold, TTL of a rule by template, and holds of the live object speak as in the expiry plan."""
    by_template = Rule(name="builds", match=Match(template="build"), archive_ttl=DAY)
    world = LookedAt(
        policy=policy(archive_ttl=999 * DAY, rules=(by_template,), expire_while_live=True)
    )
    template = {"labels": {labels.WORKFLOW_TEMPLATE: "build"}}
    world.proven("expires", age=9 * DAY, metadata=template)
    annotations = {"annotations": {labels.HOLD: "audit"}}
    world.proven("held", age=9 * DAY, metadata=template | annotations)

    expires, held = only(world, "ci/expires").expiry, only(world, "ci/held").expiry

    assert expires is not None
    assert (expires.reason, expires.rule) == (Reason.EXPIRED_WHILE_LIVE, "builds")
    assert held is not None
    assert held.reason is Reason.HELD


def test_deleted_by_us_and_why() -> None:
    world = LookedAt()
    workflow = world.proven("a")
    world.archive.record_deletions(
        world.grant(),
        [
            deleted(workflow, plan_id="plan-0", outcome="refused: 403", rank=None, at=NOW - DAY),
            deleted(workflow),
        ],
    )
    world.cluster.remove("Workflow", "ci", "a")

    life = only(world, "ci/a")

    assert not life.removed_by_others
    assert [event.what for event in life.events if "plan" in event.what] == [
        (
            "refused: 403: is number 4 of the Succeeded ones by creation, 3 are kept "
            "(rule retentionPolicy; plan plan-0, run run-1, by schedule)"
        ),
        (
            "deleted from the cluster: is number 4 of the Succeeded ones by creation, 3 are kept "
            "(rule retentionPolicy, rank 4; plan plan-1, run run-1, by schedule)"
        ),
    ]


@pytest.mark.parametrize(
    ("stage", "standing", "told"),
    [
        ("intended", "expiring; the next expiry run finishes it", "expiry begun"),
        ("objects_done", "expiring; the next expiry run finishes it", "its log objects expired"),
        ("done", "expired: its row and logs are gone", "row, labels and log objects expired"),
    ],
)
def test_long_gone(stage: str, standing: str, told: str) -> None:
    """Nothing is left but the unit, and it still tells when and why."""
    world = LookedAt()
    workflow = world.finished("a")
    world.cluster.remove("Workflow", "ci", "a")
    kept = ("b/k: another workflow needs it",)
    world.archive.record_units(world.grant(), [unit(workflow, stage, kept_objects=kept)])

    life = only(world, "ci/a")

    assert (life.namespace, life.name, life.standing) == ("ci", "a", standing)
    assert life.expiry_unit is not None
    assert life.expiry_unit.kept_objects == kept
    assert life.events[-1].what.startswith(told)
    assert life.events[-1].what.endswith("(plan plan-2, run run-2)")


def test_a_row_that_somebody_else_removed() -> None:
    world = LookedAt(policy=policy(vanished_grace=7 * DAY))
    workflow = world.finished("a")
    world.prove(workflow, world.log(workflow))
    other = world.finished("b")
    world.prove(other, world.log(other))
    for name in ("a", "b"):
        world.cluster.remove("Workflow", "ci", name)
    for uid in (workflow.uid, other.uid):
        world.archive.remove_row("default", uid)
    missed = unit(workflow, "row_vanished", plan_id="", at=NOW - 8 * DAY)
    world.archive.record_units(world.grant(), [missed])

    life = only(world, "ci/a")

    assert life.standing == "its archive row was removed by somebody else"
    assert life.expiry is not None
    assert life.expiry.reason is Reason.ROW_VANISHED
    assert "its archive row was missed for the first time: its archive TTL is 30d" in [
        event.what for event in life.events
    ]


def test_only_a_log_is_remembered() -> None:
    """A crash before the row was written: the intent of the log is all there is."""
    world = LookedAt()
    workflow = world.finished("a")
    world.cluster.remove("Workflow", "ci", "a")
    world.archive.record_logs(world.grant(), [world.log(workflow, state=LogState.INTENDED)])

    life = only(world, workflow.uid)

    assert (life.namespace, life.name) == ("ci", "a")
    assert life.standing == "not in the cluster, no archive row; the ledger remembers it"
    assert [event.what for event in life.events] == ["logs: 1 intended"]


def test_a_proof_alone_has_no_name() -> None:
    world = LookedAt()
    workflow = world.proven("a")
    world.cluster.remove("Workflow", "ci", "a")
    world.archive.remove_row("default", workflow.uid)

    life = only(world, workflow.uid)

    assert (life.namespace, life.name, life.expiry) == ("", "", None)


def test_all_uids_of_a_name_newest_first() -> None:
    world = LookedAt()
    uids = []
    for age in (9, 5, 1):
        workflow = world.proven("a", age=timedelta(days=age))
        uids.append(workflow.uid)
        if age > 1:
            world.cluster.remove("Workflow", "ci", "a")

    lives = explain(world.site, "ci/a")

    assert [life.uid for life in lives] == uids[::-1]
    assert [life.live is not None for life in lives] == [True, False, False]


@pytest.mark.parametrize("subject", ["ci/nothing", "no-such-uid", ""])
def test_nothing_is_known_of_it(subject: str) -> None:
    world = LookedAt()
    world.finished("a")

    with pytest.raises(ConfigurationError, match=f"no workflow {subject} in cluster") as caught:
        explain(world.site, subject)

    assert caught.value.exit_code == 2


@pytest.mark.parametrize("namespace", [None, "ci"])
def test_a_workflow_that_another_installation_manages(namespace: str | None) -> None:
    world = LookedAt(managed_namespace=namespace)
    instance = {"labels": {labels.INSTANCE_ID: "theirs"}}
    world.finished("a", metadata=instance)

    with pytest.raises(ConfigurationError, match="this installation does not manage it"):
        explain(world.site, "ci/a")


def test_before_the_first_run_the_cluster_is_all_that_knows_it() -> None:
    world = LookedAt(policy=policy(completed=0), archive=UnmigratedArchive(now=NOW))
    workflow = world.finished("a")

    life = only(world, "ci/a")

    assert life.uid == workflow.uid
    assert life.decision is not None
    assert life.decision.reason is Reason.UNPROVEN
    assert (life.row, life.proof, life.expiry) == (None, None, None)
    with pytest.raises(ConfigurationError):
        explain(world.site, "unknown-uid")
