"""Labels, annotations and finalizers, spelled as Argo Workflows spells them, and our own annotations."""

from enum import StrEnum

PREFIX = "workflows.argoproj.io/"

COMPLETED = PREFIX + "completed"  # "true" once the controller is through; on Workflow and Pod
PHASE = PREFIX + "phase"
ARCHIVING_STATUS = PREFIX + "workflow-archiving-status"
INSTANCE_ID = PREFIX + "controller-instanceid"  # must be absent when the instanceID is empty
WORKFLOW = PREFIX + "workflow"  # on Pod: the workflow's name, which is not unique over time
CRON_WORKFLOW = PREFIX + "cron-workflow"
WORKFLOW_TEMPLATE = PREFIX + "workflow-template"
CLUSTER_WORKFLOW_TEMPLATE = PREFIX + "cluster-workflow-template"
RESUBMITTED_FROM = PREFIX + "resubmitted-from-workflow"
CREATOR = PREFIX + "creator"

POD_NAME_FORMAT = PREFIX + "pod-name-format"  # annotation of the Workflow: "v1" or "v2"
NODE_ID = PREFIX + "node-id"  # annotation of the Pod
NODE_NAME = PREFIX + "node-name"  # annotation of the Pod
SCHEDULED_TIME = PREFIX + "scheduled-time"  # annotation that a CronWorkflow sets
DEFAULT_ARTIFACT_REPOSITORY = PREFIX + "default-artifact-repository"  # annotation of a ConfigMap

ARTIFACT_GC_FINALIZER = PREFIX + "artifact-gc"

HOLD = "argo-retention.io/hold"  # annotation of a Workflow or Namespace; its value is the reason
ARCHIVE_TTL = "argo-retention.io/archive-ttl"  # annotation of a Workflow; only lengthens


RESTORED_FROM = (
    "argo-retention.io/restored-from"  # annotation of a copy that is only looked at: the uid
)
PAUSE = (
    "argo-retention.io/pause"  # annotation of the controller's ConfigMap; its value is the reason
)


class ArchivingStatus(StrEnum):
    """Values of the label `workflow-archiving-status`."""

    NONE = ""  #: needs no archiving (yet)
    PENDING = "Pending"  #: completed, waits in Argo's own queue
    ARCHIVED = "Archived"  #: Argo says so; proves nothing, look at the row
    PERSISTED = "Persisted"  #: only inside archived JSON and the labels table
