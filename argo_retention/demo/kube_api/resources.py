"""The kinds of objects that the emulator serves, and what discovery says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ARGO_GROUP = "argoproj.io"
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
BUILT_IN_VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """One kind of object: its names, its group and version, and its scope."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    #: A hash that the real server gives in discovery; a client caches by it.
    storage_hash: str = ""

    @property
    def is_custom(self) -> bool:
        """Whether a CustomResourceDefinition stands behind it (its lists are rendered otherwise)."""
        return self.group == ARGO_GROUP

    @property
    def has_generation(self) -> bool:
        """Whether the server counts the changes of its spec."""
        return self.plural not in {"configmaps", "events", "namespaces", "secrets"}

    @property
    def api_version(self) -> str:
        """The text of the field apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name in messages, `workflows.argoproj.io` or `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """The name in messages about preconditions, `Workflow.argoproj.io` or `Pod`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind


def _argo(
    plural: str,
    kind: str,
    short_names: tuple[str, ...],
    storage_hash: str,
    *,
    namespaced: bool = True,
) -> Resource:
    return Resource(
        group=ARGO_GROUP,
        version="v1alpha1",
        plural=plural,
        singular=kind.lower(),
        kind=kind,
        namespaced=namespaced,
        short_names=short_names,
        storage_hash=storage_hash,
    )


def _core(
    plural: str, kind: str, short_names: tuple[str, ...] = (), *, namespaced: bool = True
) -> Resource:
    return Resource(
        group="",
        version="v1",
        plural=plural,
        singular=kind.lower(),
        kind=kind,
        namespaced=namespaced,
        short_names=short_names,
    )


WORKFLOWS = _argo("workflows", "Workflow", ("wf",), "xBFBvQTk8XY=")
CRON_WORKFLOWS = _argo("cronworkflows", "CronWorkflow", ("cwf", "cronwf"), "SScdgFIcnwQ=")
PODS = _core("pods", "Pod", ("po",))
NAMESPACES = _core("namespaces", "Namespace", ("ns",), namespaced=False)
SECRETS = _core("secrets", "Secret")
CONFIG_MAPS = _core("configmaps", "ConfigMap", ("cm",))
EVENTS = _core("events", "Event", ("ev",))
DEPLOYMENTS = Resource(
    group="apps",
    version="v1",
    plural="deployments",
    singular="deployment",
    kind="Deployment",
    short_names=("deploy",),
)

#: In the order in which the real server lists them.
RESOURCES: tuple[Resource, ...] = (
    _argo("workflowtemplates", "WorkflowTemplate", ("wftmpl",), "oAyXs5+EY8E="),
    _argo(
        "clusterworkflowtemplates",
        "ClusterWorkflowTemplate",
        ("clusterwftmpl", "cwft"),
        "LK/d1NBVwBA=",
        namespaced=False,
    ),
    CRON_WORKFLOWS,
    _argo("workflowartifactgctasks", "WorkflowArtifactGCTask", ("wfat",), "bPdGywn9X8Y="),
    _argo("workfloweventbindings", "WorkflowEventBinding", ("wfeb",), "r8JOW9HpEyU="),
    WORKFLOWS,
    _argo("workflowtaskresults", "WorkflowTaskResult", (), "h+8WuvWnY6I="),
    _argo("workflowtasksets", "WorkflowTaskSet", ("wfts",), "2fL8Xq+XW80="),
    CONFIG_MAPS,
    EVENTS,
    NAMESPACES,
    PODS,
    SECRETS,
    DEPLOYMENTS,
)

BY_PATH: Mapping[tuple[str, str, str], Resource] = {
    (resource.group, resource.version, resource.plural): resource for resource in RESOURCES
}
BY_KIND: Mapping[tuple[str, str], Resource] = {
    (resource.api_version, resource.kind): resource for resource in RESOURCES
}

#: Kinds that the real server lists with a status subresource, after the kind itself.
_WITH_STATUS = frozenset({"workflowartifactgctasks", "workflowtasksets"})
_SUBRESOURCE_VERBS = ("get", "patch", "update")


def _entry(resource: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(CUSTOM_VERBS if resource.is_custom else BUILT_IN_VERBS),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.storage_hash:
        entry["storageVersionHash"] = resource.storage_hash
    return entry


def resource_list(group: str, version: str) -> dict[str, Any] | None:
    """The APIResourceList of a group and version, or None where it is not served."""
    entries: list[dict[str, Any]] = []
    for resource in RESOURCES:
        if (resource.group, resource.version) != (group, version):
            continue
        entries.append(_entry(resource))
        if resource.plural in _WITH_STATUS:
            entries.append(
                {
                    "name": f"{resource.plural}/status",
                    "singularName": "",
                    "namespaced": True,
                    "kind": resource.kind,
                    "verbs": list(_SUBRESOURCE_VERBS),
                }
            )
    if (group, version) == ("", "v1"):
        log = {"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod"}
        entries.append({**log, "verbs": ["get"]})
    if (group, version) == ("authorization.k8s.io", "v1"):
        entries.append(
            {
                "name": "selfsubjectaccessreviews",
                "singularName": "selfsubjectaccessreview",
                "namespaced": False,
                "kind": "SelfSubjectAccessReview",
                "verbs": ["create"],
            }
        )
    if not entries:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": entries,
    }


_GROUPS = (("apps", "v1"), ("argoproj.io", "v1alpha1"), ("authorization.k8s.io", "v1"))


def group_list() -> dict[str, Any]:
    """The answer to /apis."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*g) for g in _GROUPS]}


def _group(name: str, version: str) -> dict[str, Any]:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


VERSION: Mapping[str, str] = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "$Format:%H$",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.27.3",
    "compiler": "gc",
    "platform": "linux/amd64",
}


def discovery(parts: Sequence[str]) -> Mapping[str, Any] | None:
    """The discovery document at a path, given as its parts; None where there is none."""
    match parts:
        case ["version"]:
            return VERSION
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            return group_list()
        case ["api", version]:
            return resource_list("", version)
        case ["apis", group]:
            found = [_group(*g) for g in _GROUPS if g[0] == group]
            return {"kind": "APIGroup", "apiVersion": "v1", **found[0]} if found else None
        case ["apis", group, version]:
            return resource_list(group, version)
        case ["openapi", "v3"]:
            return {"paths": {}}
        case _:
            return None
