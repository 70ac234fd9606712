"""Which cluster a command means."""

from argo_retention.core.settings import Settings
from argo_retention.errors import ConfigurationError


def chosen_cluster(settings: Settings, cluster: str | None) -> str:
    """The cluster that was named, or the only one. Raises ConfigurationError."""
    known = ", ".join(sorted(settings.clusters))
    if cluster is None:
        if len(settings.clusters) == 1:
            return next(iter(settings.clusters))
        raise ConfigurationError(f"Say which cluster with --cluster; there are: {known}.")
    if cluster not in settings.clusters:
        raise ConfigurationError(
            f"There is no cluster {cluster!r} in the settings; there are: {known}.\n"
            "Name one of them with --cluster, or add it under clusters in the settings."
        )
    return cluster
