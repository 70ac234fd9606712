"""What deletes besides us: Argo's controller, by keys that many people do not know of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from argo_retention.core.durations import cron_every, parse_go_duration
from argo_retention.core.manifests import section
from argo_retention.core.ports.cluster import Cluster
from argo_retention.core.selectors import LabelSelector
from argo_retention.errors import ClusterError, ManifestError
from argo_retention.operations.discovering import GC_PERIOD
from argo_retention.operations.doctoring.findings import Finding, Findings, listed
from argo_retention.operations.site import Installation

_LIMITS = {"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1}  # Argo's defaults
_KEPT_RUNS = 100_000


def examine_deleters(
    findings: Findings, cluster: Cluster, installation: Installation
) -> Iterator[Finding]:
    """Keys of the ConfigMap, then WorkflowTemplates and CronWorkflows of this installation."""
    yield from _of_configmap(findings, installation)
    yield from _of_gc_period(findings, installation)
    try:
        yield from _of_defaults(findings, installation)
        templates = _managed(cluster, "WorkflowTemplate", installation)
        crons = _managed(cluster, "CronWorkflow", installation)
        yield from _of_templates(findings, templates, crons)
        yield _of_crons(findings, crons)
    except ClusterError as error:
        yield findings.warning(
            "templates and CronWorkflows", f"they could not be looked at: {error}"
        )
    except ManifestError as error:  # a spec that nobody validated
        yield findings.warning("templates and CronWorkflows", f"not all can be read: {error}")


def _of_configmap(findings: Findings, installation: Installation) -> Iterator[Finding]:
    argo = installation.argo
    adopt = f"`argo-retention adopt --cluster {installation.partition}` prints how to take it over"
    policy = argo.retention_policy
    if policy is None:
        yield findings.ok("retentionPolicy", f"not in {argo.source}: Argo deletes by no count")
    else:
        counts = {"completed": policy.succeeded, "failed": policy.failed, "errored": policy.errored}
        shown = ", ".join(f"{key} {count or 0}" for key, count in counts.items())
        yield findings.warning(
            "retentionPolicy",
            f"{argo.source} has it ({shown}): Argo's controller deletes by itself, before logs are saved;"
            f" {adopt}",
        )
    ttl = argo.persistence.archive_ttl
    if not ttl:
        yield findings.ok("archiveTTL", f"not in {argo.source}: Argo expires no rows")
    else:
        yield findings.warning(
            "archiveTTL",
            f"{argo.source} has it ({ttl.total_seconds() / 86_400:g} days): Argo's controller expires rows"
            f" and leaves their log objects behind; {adopt}",
        )


def _of_gc_period(findings: Findings, installation: Installation) -> Iterator[Finding]:
    """Somebody who had Argo look every minute will want us to look as often."""
    period = parse_go_duration(installation.gc_period)
    if period is None:
        return
    cron, ours = cron_every(period), installation.settings.schedules.expiry
    said = (
        f"the controller has {GC_PERIOD} {installation.gc_period}, and schedules.expiry is {ours}"
    )
    if cron == ours:
        yield findings.ok("expiry schedule", said)
    else:
        mend = yaml.safe_dump({"schedules": {"expiry": cron}}, sort_keys=False).rstrip()
        yield findings.warning("expiry schedule", f"{said}; as often would be", mend)


def _of_defaults(findings: Findings, installation: Installation) -> Iterator[Finding]:
    spec = section(installation.argo.workflow_defaults, "spec")
    source = installation.argo.source
    strategy = section(spec, "ttlStrategy")
    if strategy:
        yield findings.warning(
            "ttlStrategy of workflowDefaults",
            f"{source} has it ({_shown(strategy)}): Argo's controller deletes each workflow by itself;"
            " take it out and write a rule",
            _rule("workflow-defaults", strategy, template=None),
        )
    else:
        yield findings.ok("ttlStrategy of workflowDefaults", f"not in {source}")
    strategy_of_pods = str(section(spec, "podGC").get("strategy") or "")
    repository = installation.repository
    archives_logs = repository is not None and repository.archive_logs is True
    if not strategy_of_pods:
        yield findings.ok("podGC of workflowDefaults", f"not in {source}")
    elif archives_logs:
        yield findings.ok(
            "podGC of workflowDefaults",
            f"{strategy_of_pods}: pods go early, and archiveLogs has stored their logs by then",
        )
    else:
        yield findings.warning(
            "podGC of workflowDefaults",
            f"{strategy_of_pods}: Argo deletes pods before their logs are saved, and archiveLogs is not on",
            "# in Argo's ConfigMap\nartifactRepository:\n  archiveLogs: true",
        )


def _of_templates(
    findings: Findings,
    templates: Sequence[Mapping[str, Any]],
    crons: Sequence[Mapping[str, Any]],
) -> Iterator[Finding]:
    strategies: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for kind, manifests, path in (
        ("WorkflowTemplate", templates, ("spec",)),
        ("CronWorkflow", crons, ("spec", "workflowSpec")),
    ):
        for manifest in manifests:
            strategy = _inside(manifest, kind, *path, "ttlStrategy")
            if strategy:
                name = str(section(manifest, "metadata")["name"])
                strategies[f"{kind} {_name(manifest)}"] = (name, strategy)
    if not strategies:
        yield findings.ok("ttlStrategy of templates", "no WorkflowTemplate or CronWorkflow has one")
        return
    template, strategy = next(iter(strategies.values()))
    yield findings.warning(
        "ttlStrategy of templates",
        f"Argo's controller deletes by itself what comes from {listed(list(strategies))};"
        " take it out there and write rules, such as",
        _rule(template, strategy, template=template),
    )


def _of_crons(findings: Findings, crons: Sequence[Mapping[str, Any]]) -> Finding:
    check = "history limits of CronWorkflows"
    limited = []
    for cron in crons:
        spec = _inside(cron, "CronWorkflow", "spec")
        limits = [
            default if spec.get(key) is None else spec[key] for key, default in _LIMITS.items()
        ]
        # What nobody will reach is no limit; text in place of a number is for Argo to refuse.
        if any(isinstance(limit, int) and limit < _KEPT_RUNS for limit in limits):
            limited.append(f"{_name(cron)} ({'/'.join(map(str, limits))})")
    if not limited:
        return findings.ok(check, "no CronWorkflow deletes its runs")
    mend = "# in each CronWorkflow; retention.yaml decides then\nspec:\n" + "\n".join(
        f"  {key}: {_KEPT_RUNS}" for key in _LIMITS
    )
    return findings.warning(
        check,
        "Argo's cron controller deletes older runs by itself (succeeded/failed kept; unset is 3/1): "
        f"{listed(limited)}",
        mend,
    )


def _managed(cluster: Cluster, kind: str, installation: Installation) -> list[Mapping[str, Any]]:
    wanted = LabelSelector.parse(installation.selector)
    return [
        found
        for found in cluster.list_objects(kind=kind, namespace=installation.managed_namespace)
        if kind == "WorkflowTemplate"  # templates carry no instance id
        or wanted.matches(section(section(found, "metadata"), "labels"))
    ]


def _inside(manifest: Mapping[str, Any], kind: str, *path: str) -> Mapping[str, Any]:
    """The map at this path, empty where there is none. Raises ManifestError that names the object."""
    inner = manifest
    try:
        for key in path:
            inner = section(inner, key)
    except ManifestError as error:
        raise ManifestError(f"{kind} {_name(manifest)}: {error}") from error
    return inner


def _name(manifest: Mapping[str, Any]) -> str:
    metadata = section(manifest, "metadata")
    return f"{metadata.get('namespace')}/{metadata.get('name')}"


def _shown(strategy: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in strategy.items())


def _rule(name: str, strategy: Mapping[str, Any], *, template: str | None) -> str:
    """A rule for retention.yaml that keeps as long as the longest of the strategy's times."""
    seconds = max((value for value in strategy.values() if isinstance(value, int)), default=0)
    rule: dict[str, Any] = {"name": name}
    if template is not None:
        rule["match"] = {"template": template}
    rule["keep"] = {"within": f"{seconds}s"}
    return yaml.safe_dump({"rules": [rule]}, sort_keys=False, allow_unicode=True).rstrip()
