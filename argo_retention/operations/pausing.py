"""Whether somebody said that nothing is to be deleted now: in our table, or on the controller's ConfigMap."""

from argo_retention.core import labels
from argo_retention.core.manifests import section
from argo_retention.operations.site import Site


def pause_now(site: Site) -> str:
    """Who paused, since when and why, for people; "" where nothing is paused.

    Asked before each batch. Raises DatabaseError or ClusterError: who cannot ask does not delete.
    """
    installation = site.installation
    pause = site.archive.pause_of(
        clustername=installation.clustername, instanceid=installation.instanceid
    )
    if pause is not None:
        until = f"until {pause.until:%Y-%m-%d %H:%MZ}" if pause.until else "until it is resumed"
        since = f" since {pause.since:%Y-%m-%d %H:%MZ}" if pause.since else ""
        return f"paused by {pause.by_whom}{since}, {until}: {pause.because}"
    place = f"{installation.controller_namespace}/{installation.configmap}"
    found = site.cluster.get_object(
        kind="ConfigMap",
        namespace=installation.controller_namespace,
        name=installation.configmap,
    )
    if found is None:
        return f"ConfigMap {place} is gone, so whether somebody paused cannot be told"
    annotations = section(section(found, "metadata"), "annotations")
    if labels.PAUSE in annotations:
        return (
            f"paused by annotation {labels.PAUSE} of ConfigMap {place}: {annotations[labels.PAUSE]}"
        )
    return ""
