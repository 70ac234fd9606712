"""Rights in the Kubernetes API, each asked by an access review."""

from collections.abc import Iterator
from dataclasses import dataclass

from argo_retention.core.ports.cluster import Cluster
from argo_retention.core.settings import ClusterSettings
from argo_retention.errors import ClusterError
from argo_retention.operations.doctoring.findings import Finding, Findings
from argo_retention.operations.site import Installation

_ARGO = "argoproj.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Verbs on one resource that this product uses."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    namespace: str | None  # None: in all namespaces, or the resource has none
    why: str
    only_doctor: bool = False  # without it the product works, only doctor sees less

    @property
    def name(self) -> str:
        """As kubectl names the resource."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


def needed_rights(settings: ClusterSettings, installation: Installation | None) -> list[Right]:
    """What the settings and the installation, as far as it is known, make necessary."""
    managed = installation.managed_namespace if installation is not None else None
    home = (
        installation.controller_namespace if installation is not None else settings.argo.namespace
    )
    rights = [
        _right("list get watch patch delete", _ARGO, "workflows", managed, "seen and deleted"),
        _right("get list", "", "pods", managed, "their logs are saved"),
        _right("get", "", "pods/log", managed, "logs are saved"),
        _right("get", "", "configmaps", managed, "artifact repositories"),
        _right("list", "apps", "deployments", settings.argo.namespace, "Argo is found by them"),
        _right("list", "", "namespaces", None, "a namespace may be held by annotation"),
    ]
    if managed is not None and managed != home:
        rights.append(_right("get", "", "configmaps", home, "Argo's configuration"))
    if settings.s3.credentials == "argo":
        rights.append(_right("get", "", "secrets", managed, "keys of the buckets"))
    database = settings.database.url_env is None
    if database and (settings.s3.credentials == "own" or managed not in (None, home)):
        rights.append(_right("get", "", "secrets", home, "user and password of the database"))
    own = ("cronworkflows", "workflowtemplates")
    return rights + [
        _right("list", _ARGO, resource, managed, "doctor reads what they delete", doctor=True)
        for resource in own
    ]


def examine_rights(
    findings: Findings,
    cluster: Cluster,
    settings: ClusterSettings,
    installation: Installation | None,
) -> Iterator[Finding]:
    """One finding a resource; the mend is the rule that a role must have."""
    for right in needed_rights(settings, installation):
        check = f"right to {right.resource}"
        try:
            missing = [
                verb
                for verb in right.verbs
                if not cluster.allowed(
                    verb=verb,
                    group=right.group,
                    resource=right.resource,
                    namespace=right.namespace,
                )
            ]
        except ClusterError as error:
            yield findings.failed("rights", error)
            return
        where = f" in namespace {right.namespace}" if right.namespace else ""
        if not missing:
            yield findings.ok(check, f"may {', '.join(right.verbs)} {right.name}{where}")
            continue
        what = f"may not {', '.join(missing)} {right.name}{where} ({right.why})"
        report = findings.warning if right.only_doctor else findings.failed
        yield report(check, what, _rule(right, missing))


def _right(
    verbs: str, group: str, resource: str, namespace: str | None, why: str, *, doctor: bool = False
) -> Right:
    return Right(
        group=group,
        resource=resource,
        verbs=tuple(verbs.split()),
        namespace=namespace,
        why=why,
        only_doctor=doctor,
    )


def _rule(right: Right, verbs: list[str]) -> str:
    role = (
        f"Role in namespace {right.namespace}, or of a ClusterRole,"
        if right.namespace
        else "ClusterRole"
    )
    return (
        f"# add to the rules of a {role} that is bound to this user\n"
        f'- apiGroups: ["{right.group}"]\n'
        f'  resources: ["{right.resource}"]\n'
        f"  verbs: [{', '.join(verbs)}]"
    )
