"""Where workflows come from: a WorkflowTemplate, a CronWorkflow, or another Workflow."""

from datetime import datetime

from argo_retention.core import labels as names
from argo_retention.demo.scenes.building import Run, stamp
from argo_retention.demo.scenes.scene import Document


def refer_to_template(run: Run, template: str) -> None:
    """Make it a workflow from a WorkflowTemplate: the spec that was executed stands in the status alone."""
    executed = run.workflow["spec"]
    reference = {"workflowTemplateRef": {"name": template}}
    run.workflow["spec"] = {"arguments": {}, **reference}
    run.workflow["status"]["storedWorkflowTemplateSpec"] = {**executed, **reference}
    run.metadata["labels"][names.WORKFLOW_TEMPLATE] = template


def belong_to_cron(run: Run, cron: str, *, uid: str, scheduled: datetime) -> None:
    """Make it a workflow that a CronWorkflow started."""
    run.metadata["labels"][names.CRON_WORKFLOW] = cron
    run.metadata["annotations"][names.SCHEDULED_TIME] = stamp(scheduled)
    run.metadata["ownerReferences"] = [owner_reference("CronWorkflow", cron, uid)]


def owner_reference(kind: str, name: str, uid: str) -> Document:
    """An entry of metadata.ownerReferences of one of Argo's kinds."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "blockOwnerDeletion": True,
        "controller": True,
        "kind": kind,
        "name": name,
        "uid": uid,
    }
