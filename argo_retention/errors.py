"""Every error that this package raises on purpose.

The message is for the operator: what was tried on what, what was found, what to do. It never holds a secret.
`exit_code` is what the command line ends with.
"""


class ArgoRetentionError(Exception):
    """Root of all errors of this package."""

    exit_code = 1


class ConfigurationError(ArgoRetentionError):
    """A setting, ConfigMap or argument is missing or wrong; nothing was done."""

    exit_code = 2


class ManifestError(ArgoRetentionError):
    """A Workflow object or an archive row cannot be read; it is neither archived nor deleted."""


class ClusterError(ArgoRetentionError):
    """The Kubernetes API refused or failed."""


class ClusterForbiddenError(ClusterError):
    """The Kubernetes API answered 401 or 403: a right or a token is missing."""


class DeletionUnknownError(ClusterError):
    """A DELETE was sent and nothing says whether it was carried out; the next run finds out by a list."""


class PodLogGoneError(ClusterError):
    """404 for a pod's log: the pod is not there (any more)."""


class WatchExpiredError(ClusterError):
    """The version to watch from is too old (410); a new list is needed."""


class ListIncompleteError(ClusterError):
    """A list could not be read to its end from one consistent version; it counts as no list."""


class DatabaseError(ArgoRetentionError):
    """PostgreSQL refused, failed, or is not what was expected."""


class DatabaseLostError(DatabaseError):
    """A session of PostgreSQL ended in the middle; what was not committed is undone."""


class RowRefusedError(DatabaseError):
    """PostgreSQL refused the data of one of the rows in a batch (not the connection, not the rights)."""


class ObjectStoreError(ArgoRetentionError):
    """S3 refused or failed."""


class ObjectForbiddenError(ObjectStoreError):
    """S3 knows the keys and refuses: a right is missing."""


class WebhookError(ArgoRetentionError):
    """A webhook was not reached, or refused."""


class ClockSkewError(ArgoRetentionError):
    """Clocks differ by more than five minutes; whatever depends on age is refused."""


class PlanRefusedError(ArgoRetentionError):
    """A plan may not be applied: too old, used, of another policy, or stopped by a brake."""


class IdentityError(ArgoRetentionError):
    """Cluster, database and bucket do not belong together as they did; a person has to accept it."""


class LeaseHeldError(ArgoRetentionError):
    """Another run works on this cluster."""

    exit_code = 3


class LeaseLostError(ArgoRetentionError):
    """The lease was taken over; this run stops before it changes anything more."""
