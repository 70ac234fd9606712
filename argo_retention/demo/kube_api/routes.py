"""From a path to what it is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from argo_retention.demo.kube_api.messages import Request
from argo_retention.demo.kube_api.resources import BY_PATH, NAMESPACES, PODS, Resource

_ITEM_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A collection, one object (with a name), or a subresource of it."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource_path(self) -> str:
        """The resource as rules name it, `pods` or `pods/log`."""
        plural = self.resource.plural
        return f"{plural}/{self.subresource}" if self.subresource else plural

    @property
    def scope(self) -> str | None:
        """The namespace that rights are asked for; a Namespace lies in itself."""
        if self.resource is NAMESPACES:
            return self.name or None
        return self.namespace or None

    def verb(self, request: Request) -> str:
        """The verb of the request, as rules name it."""
        if self.name:
            return _ITEM_VERBS.get(request.method, request.method.lower())
        if request.is_watch:
            return "watch"
        return _COLLECTION_VERBS.get(request.method, request.method.lower())


def target_of(parts: Sequence[str]) -> Target | None:
    """What a path names; None where there is no such resource."""
    match parts:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return None
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        _, namespace, *rest = rest
    resource = BY_PATH.get((group, version, rest[0])) if rest else None
    if resource is None or (bool(namespace) and not resource.namespaced):
        return None
    name = rest[1] if len(rest) > 1 else ""
    if name and resource.namespaced and not namespace:
        return None
    match rest[2:]:
        case []:
            return Target(resource=resource, namespace=namespace, name=name)
        case ["log"] if resource is PODS:
            return Target(resource=resource, namespace=namespace, name=name, subresource="log")
        case _:
            return None
