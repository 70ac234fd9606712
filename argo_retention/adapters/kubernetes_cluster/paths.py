"""Where the API server keeps each kind of object; every name is quoted."""

from dataclasses import dataclass
from urllib.parse import quote

ARGO_GROUP = "argoproj.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind of object."""

    group: str
    version: str
    plural: str

    def collection(self, namespace: str | None) -> str:
        """The path of all objects of a namespace, or of all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if namespace is None:
            return f"{root}/{self.plural}"
        return f"{root}/namespaces/{segment(namespace)}/{self.plural}"

    def object(self, namespace: str | None, name: str) -> str:
        """The path of one object."""
        return f"{self.collection(namespace)}/{segment(name)}"


def segment(name: str) -> str:
    """A name as one segment of a path.

    A name that is only dots would be read as a way up the tree; the server has none of that name.
    """
    if name.strip(".") == "":
        raise ValueError(f"not the name of an object: {name!r}")
    return quote(name, safe="")


WORKFLOWS = Resource(group=ARGO_GROUP, version="v1alpha1", plural="workflows")
PODS = Resource(group="", version="v1", plural="pods")
NAMESPACES = Resource(group="", version="v1", plural="namespaces")
REVIEWS = Resource(group="authorization.k8s.io", version="v1", plural="selfsubjectaccessreviews")

BY_KIND = {
    "ConfigMap": Resource(group="", version="v1", plural="configmaps"),
    "Secret": Resource(group="", version="v1", plural="secrets"),
    "Deployment": Resource(group="apps", version="v1", plural="deployments"),
    "CronWorkflow": Resource(group=ARGO_GROUP, version="v1alpha1", plural="cronworkflows"),
    "WorkflowTemplate": Resource(group=ARGO_GROUP, version="v1alpha1", plural="workflowtemplates"),
    "Pod": PODS,
}
