"""Phases and node types of Argo Workflows, spelled as Argo spells them."""

from enum import StrEnum


class WorkflowPhase(StrEnum):
    """Phase of a Workflow."""

    UNKNOWN = ""  #: the controller has not seen it yet
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"

    @property
    def is_completed(self) -> bool:
        """Whether the workflow has ended; `completed` in a retentionPolicy means Succeeded only."""
        return self in {WorkflowPhase.SUCCEEDED, WorkflowPhase.FAILED, WorkflowPhase.ERROR}


class NodePhase(StrEnum):
    """Phase of a node of the status graph."""

    UNKNOWN = ""
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    SKIPPED = "Skipped"
    FAILED = "Failed"
    ERROR = "Error"
    OMITTED = "Omitted"


class NodeType(StrEnum):
    """Type of a node; only `POD` has a pod, and not even that one when it was memoized."""

    POD = "Pod"
    CONTAINER = "Container"  #: one container of a containerSet, inside the pod of its boundary node
    STEPS = "Steps"
    STEP_GROUP = "StepGroup"
    DAG = "DAG"
    TASK_GROUP = "TaskGroup"
    RETRY = "Retry"  #: carries a copy of the outputs of its last attempt
    SKIPPED = "Skipped"
    SUSPEND = "Suspend"
    HTTP = "HTTP"
    PLUGIN = "Plugin"
