"""Lifecycle rules of the bucket by which S3 deletes logs before their rows expire."""

from collections.abc import Sequence
from datetime import timedelta

from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.bucket_facts import BucketRules, LifecycleRule, shorter_than
from argo_retention.core.expiry_planning import longest_ttl
from argo_retention.core.log_keys import key_format
from argo_retention.errors import ArgoRetentionError
from argo_retention.operations.site import Site


def early_rules(site: Site) -> Sequence[str]:
    """What each rule for all logs does, a sentence each; none where the rules may not be read."""
    installation = site.installation
    repository = installation.repository
    if repository is None or repository.s3 is None:
        return []
    try:
        store = site.log_stores.of(repository.s3, namespace=installation.controller_namespace)
    except ArgoRetentionError:
        return []  # where logs are wanted, each of them says why its bucket cannot be opened
    ttl = longest_ttl(installation.policy)
    rules = ending_logs_early(store.rules(), repository.s3, ttl)
    prefix = log_prefix(repository.s3)
    return [told(rule, store.bucket, ttl) for rule in rules if rule.is_for_all(prefix)]


def ending_logs_early(
    rules: BucketRules, location: S3Location, ttl: timedelta | None
) -> Sequence[LifecycleRule]:
    """Those that are for keys of some logs, and shorter than the longest TTL of a row."""
    return shorter_than(rules, ttl, prefix=log_prefix(location))


def log_prefix(location: S3Location) -> str:
    """What the keys of all logs begin with; "" for Argo's default, which begins with the workflow's name."""
    return key_format(location).partition("{{")[0]


def told(rule: LifecycleRule, bucket: str, ttl: timedelta | None) -> str:
    """What such a rule does, for people."""
    age = f"after {rule.days} days" if rule.days else "at a date"
    row = "rows never expire" if ttl is None else f"rows live up to {ttl.days} days"
    where = f"keys {rule.prefix}*" if rule.prefix else "all keys"
    return f"rule {rule.name} of bucket {bucket} deletes {where} {age}, {row}: their logs go first"
