"""The policy that holds for a cluster: Argo's own configuration, and retention.yaml where it wins."""

from argo_retention.core.argo_settings import ArgoSettings
from argo_retention.core.policy import Brakes, Keep, Match, Policy, RetentionPolicy, Rule
from argo_retention.core.selectors import LabelSelector
from argo_retention.core.settings import ClusterSettings, KeepSettings, RuleSettings


def policy_of(settings: ClusterSettings, argo: ArgoSettings) -> Policy:
    """Join both; a key that stands in neither keeps everything."""
    overrides = settings.argo
    retention_policy = argo.retention_policy or RetentionPolicy()
    if overrides.retentionPolicy is not None:
        retention_policy = RetentionPolicy(
            succeeded=overrides.retentionPolicy.completed,
            failed=overrides.retentionPolicy.failed,
            errored=overrides.retentionPolicy.errored,
        )
    persistence = argo.persistence
    own_ttl = overrides.archiveTTL
    selects_as_argo = settings.archive.select == "argo"
    brakes = settings.brakes
    return Policy(
        retention_policy=retention_policy,
        archive_ttl=persistence.archive_ttl if own_ttl is None else own_ttl,
        rules=tuple(_rule(rule) for rule in settings.rules),
        brakes=Brakes(
            max_deletions=brakes.max_deletions,
            max_share=brakes.max_share,
            max_drop=brakes.max_drop,
            per_second=brakes.per_second,
        ),
        proof_age=settings.retention.proof_age,
        archive_selector=persistence.archive_label_selector if selects_as_argo else None,
        expire_while_live=settings.expiry.while_live == "expire",
        exclusive_bucket=settings.bucket.exclusive,
        vanished_grace=settings.expiry.vanished_grace,
    )


def _rule(rule: RuleSettings) -> Rule:
    match = rule.match
    return Rule(
        name=rule.name,
        match=Match(
            namespaces=match.namespaces,
            selector=LabelSelector.parse(match.selector) if match.selector is not None else None,
            phases=match.phases,
            template=match.template,
        ),
        group_by=rule.group_by,
        keep=_keep(rule.keep) if rule.keep is not None else None,
        archive_ttl=rule.archive.ttl,
        save_logs=rule.logs.save,
    )


def _keep(keep: KeepSettings) -> Keep:
    return Keep(
        last=keep.last,
        within=keep.within,
        hourly=keep.hourly,
        daily=keep.daily,
        weekly=keep.weekly,
        monthly=keep.monthly,
        yearly=keep.yearly,
    )
