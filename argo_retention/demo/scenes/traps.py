"""Workflows on which a careless retention loses something: one function a trap, said what must happen.

All stand in namespaces `traps*`, where the rule keeps nothing: policy removes every one of them, and only a
guard keeps it. Rows expire there after 90 days. Traps around logs are in `log_traps`.
"""

import copy
from collections.abc import Callable
from datetime import datetime, timedelta

from argo_retention.core import labels as names
from argo_retention.core.labels import ArchivingStatus
from argo_retention.demo.scenes import log_traps
from argo_retention.demo.scenes.building import SceneBuilder
from argo_retention.demo.scenes.origins import owner_reference, refer_to_template
from argo_retention.demo.scenes.trap_setter import EXPIRED, HELD, TrapSetter
from argo_retention.demo.scenes.workflows import Maker

OTHER_INSTANCE = "other"
OTHER_CLUSTER = "other"


def running(trap: TrapSetter) -> None:
    """It still runs: it is not finished, so nobody may speak of it."""
    run = trap.run("trap-running", age=timedelta(hours=2), phase="Running")
    trap.stage.put_live(run)
    trap.register(run, "stays, not archived", stays=True, row=False, reason="not_finished")


def being_deleted(trap: TrapSetter) -> None:
    """Somebody deleted it and a finalizer holds it: it may not be deleted again, nor counted."""
    run = trap.run("trap-being-deleted", stored=True)
    run.metadata["deletionTimestamp"] = run.workflow["status"]["finishedAt"]
    run.metadata["deletionGracePeriodSeconds"] = 0
    run.metadata["finalizers"] = ["example.com/inventory"]
    trap.stage.put_live(run)
    trap.register(run, "stays until its finalizer goes", stays=True, reason="finalizing")


def held_by_annotation(trap: TrapSetter) -> None:
    """Somebody put a hold on it: it stays, whatever policy says, and is archived all the same."""
    run = trap.run("trap-held-by-annotation", annotations={names.HOLD: "incident 4711"})
    trap.stage.put_live(run)
    trap.register(run, "archived and stays", stays=True, reason="held", keeps=run.objects)


def held_by_namespace(trap: TrapSetter) -> None:
    """The hold is on its namespace: everything in it stays."""
    run = trap.run("trap-held-by-namespace", namespace=HELD)
    trap.stage.put_live(run)
    trap.register(run, "archived and stays", stays=True, reason="held", keeps=run.objects)


def label_without_row(trap: TrapSetter) -> None:
    """Its label says Archived, no row is there (Argo's archive was switched off): a label proves nothing."""
    run = trap.run("trap-label-without-row", stored=True, archiving=ArchivingStatus.ARCHIVED)
    trap.stage.put_live(run)
    trap.register(run, "archived by us, then deleted", keeps=run.objects)


def retried_since(trap: TrapSetter) -> None:
    """Its row holds the first, failed attempt; it was retried since: the row must become the new version."""
    run = trap.run("trap-retried-since", stored=True)
    before = copy.deepcopy(run.workflow)
    before["status"]["phase"] = before["metadata"]["labels"][names.PHASE] = "Failed"
    for node in before["status"]["nodes"].values():
        node |= {"phase": "Failed", "message": "main: Error (exit code 1)"}
    trap.stage.put_row(run, workflow=before, behind=7)
    trap.stage.put_live(run)
    trap.register(run, "row replaced by Succeeded, then deleted", keeps=run.objects)


def row_differs(trap: TrapSetter) -> None:
    """Its row differs from it in one leaf: it is not proven by it, and is archived anew."""
    run = trap.run("trap-row-differs", stored=True, archiving=ArchivingStatus.ARCHIVED)
    other = copy.deepcopy(run.workflow)
    other["spec"]["templates"][0]["container"]["args"] = ["echo trap-row-differz"]
    trap.stage.put_row(run, workflow=other)
    trap.stage.put_live(run)
    trap.register(run, "row written anew, then deleted", keeps=run.objects)


def row_is_newer(trap: TrapSetter) -> None:
    """Its row is of a later version than the live object: an older one never overwrites it."""
    run = trap.run("trap-row-is-newer", stored=True, archiving=ArchivingStatus.ARCHIVED)
    other = copy.deepcopy(run.workflow)
    other["status"]["message"] = "stopped by hand"
    trap.stage.put_row(run, workflow=other, behind=-2)
    trap.stage.put_live(run)
    trap.register(run, "row and live object stay", stays=True, reason="unproven", keeps=run.objects)


def backslash_u0000(trap: TrapSetter) -> None:
    r"""An argument holds a literal backslash-u0000, which Argo can never archive on PostgreSQL, and a NUL."""
    parameters = [
        {"name": "literal", "value": r"C:\u0000"},
        {"name": "nul", "value": "a\0b"},
    ]
    run = trap.run(
        "trap-backslash-u0000",
        stored=True,
        archiving=ArchivingStatus.PENDING,
        spec={"arguments": {"parameters": parameters}},
    )
    trap.stage.put_live(run)
    trap.register(run, "archived by us, both texts kept, then deleted", keeps=run.objects)


def artifact_gc(trap: TrapSetter) -> None:
    """Argo's artifact GC would delete the stored log at our DELETE: it stays."""
    run = trap.run(
        "trap-artifact-gc", stored=True, spec={"artifactGC": {"strategy": "OnWorkflowDeletion"}}
    )
    run.metadata["finalizers"] = [names.ARTIFACT_GC_FINALIZER]
    run.workflow["status"]["artifactGCStatus"] = {
        "strategiesProcessed": {"OnWorkflowCompletion": True}
    }
    trap.stage.put_live(run)
    trap.register(
        run, "archived and stays", stays=True, reason="artifact-gc-deletes-logs", keeps=run.objects
    )


def owner_of_running_child(trap: TrapSetter) -> None:
    """It owns a workflow that still runs: deleting it would delete that too."""
    run = trap.run("trap-owner", stored=True)
    trap.stage.put_live(run)
    child = trap.run("trap-owner-child", age=timedelta(hours=1), phase="Running")
    child.metadata["ownerReferences"] = [owner_reference("Workflow", "trap-owner", run.uid)]
    trap.stage.put_live(child)
    trap.register(run, "archived and stays", stays=True, reason="has_dependants", keeps=run.objects)
    trap.register(child, "stays, not archived", stays=True, row=False, reason="not_finished")


def other_instance(trap: TrapSetter) -> None:
    """Another controller's, by its instanceID: neither it nor a row of that instance is ours to see."""
    label = {names.INSTANCE_ID: OTHER_INSTANCE}
    run = trap.run("trap-other-instance", stored=True, labels=label)
    trap.stage.put_live(run)
    trap.register(run, "stays, not archived, not seen", stays=True, row=False, keeps=run.objects)
    gone = trap.run("trap-other-instance-row", age=EXPIRED, stored=True, labels=label)
    trap.stage.put_row(gone, instanceid=OTHER_INSTANCE)
    trap.register(gone, "row and object stay", live=False, keeps=gone.objects)


def from_template(trap: TrapSetter) -> None:
    """Its spec names a WorkflowTemplate only; that its log is wanted stands in the stored spec alone."""
    run = trap.run("trap-from-template", spec={"archiveLogs": True})
    refer_to_template(run, "trap-template")
    status = run.workflow["status"]
    repository = dict(status["artifactRepositoryRef"]["artifactRepository"])
    del repository["archiveLogs"]
    status["artifactRepositoryRef"] = {"artifactRepository": repository, "default": True}
    trap.stage.put_live(run)
    trap.register(run, "archived, its log saved, deleted", keeps=run.objects)


def row_of_another_cluster(trap: TrapSetter) -> None:
    """An expired row of a cluster that shares the database and the bucket: not ours to expire."""
    run = trap.run("trap-another-cluster", age=EXPIRED, stored=True)
    trap.stage.put_row(run, clustername=OTHER_CLUSTER)
    trap.register(
        run, "row and object stay", live=False, clustername=OTHER_CLUSTER, keeps=run.objects
    )


ALL: tuple[Callable[[TrapSetter], None], ...] = (
    running,
    being_deleted,
    held_by_annotation,
    held_by_namespace,
    label_without_row,
    retried_since,
    log_traps.shared_log_key,
    log_traps.same_name_in_two_namespaces,
    log_traps.same_name_again,
    log_traps.pod_gone,
    log_traps.pod_of_another,
    log_traps.memoized,
    log_traps.log_forbidden,
    log_traps.log_unavailable,
    log_traps.log_refused_in_body,
    row_differs,
    row_is_newer,
    backslash_u0000,
    artifact_gc,
    owner_of_running_child,
    other_instance,
    from_template,
    row_of_another_cluster,
)


def set_traps(stage: SceneBuilder, maker: Maker, *, now: datetime) -> None:
    """Set all of them; their namespaces must be there."""
    setter = TrapSetter(stage=stage, maker=maker, now=now)
    for each in ALL:
        each(setter)
