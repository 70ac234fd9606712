"""The bucket of the logs: rights, conditional put, and whether two workflows may share a key."""

import json
from collections.abc import Iterator
from datetime import timedelta

from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.bucket_facts import BucketFacts, BucketRules
from argo_retention.core.log_keys import key_format
from argo_retention.operations.doctoring.findings import Finding, Findings
from argo_retention.operations.early_rules import ending_logs_early, log_prefix, told

IDENTITY_FILE = "argo-retention/identity.json"
LIFECYCLE_MEND = (
    "# let the rule filter by another prefix, or last longer than the archive's TTL:\n"
    "aws s3api get-bucket-lifecycle-configuration --bucket BUCKET"
)
_UID = "workflow.uid"
_POD = "{{pod.name}}"


def examine_bucket(findings: Findings, facts: BucketFacts) -> Iterator[Finding]:
    """What the probe object showed."""
    done = {"write": facts.can_write, "read": facts.can_read, "delete": facts.can_delete}
    missing = [word for word, allowed in done.items() if not allowed]
    if missing:
        what = f"cannot {', '.join(missing)} objects in bucket {facts.bucket}: {facts.message}"
        yield findings.failed("bucket", what, policy(facts) if facts.lacks_right else "")
    else:
        yield findings.ok(
            "bucket", f"an object was written, read and deleted in bucket {facts.bucket}"
        )
    if not facts.can_write:
        return
    if facts.conditional_put_honoured:
        yield findings.ok(
            "conditional put", "a second put with If-None-Match was refused, as it must be"
        )
    else:
        yield findings.warning(
            "conditional put",
            f"bucket {facts.bucket} ignores If-None-Match: two writers may replace each other's logs,"
            " so they are saved under keys with the workflow's uid, and not under Argo's",
        )


def examine_rules(
    findings: Findings,
    rules: BucketRules,
    *,
    bucket: str,
    location: S3Location,
    ttl: timedelta | None,
    ours_too: bool,
) -> Iterator[Finding]:
    """What S3 itself would delete, and what it keeps although it was deleted.

    `ttl` is a row's longest; `ours_too`: this bucket holds our own files as well.
    """
    check = "lifecycle rules"
    if rules.lifecycle is None:
        yield findings.warning(
            check,
            f"those of bucket {bucket} cannot be read (s3:GetLifecycleConfiguration);"
            " see yourself that none is shorter than the archive's TTL",
        )
    else:
        early = ending_logs_early(rules, location, ttl)
        ours = [rule for rule in rules.lifecycle if ours_too and rule.is_for_all(IDENTITY_FILE)]
        for rule in early:
            what = told(rule, bucket, ttl)
            if rule.is_for_all(log_prefix(location)):
                yield findings.failed(check, what, LIFECYCLE_MEND)
            else:
                yield findings.warning(check, f"{what}, where a log has such a key", LIFECYCLE_MEND)
        for rule in ours if not early else ():
            yield findings.failed(
                check,
                f"rule {rule.name} of bucket {bucket} deletes {IDENTITY_FILE} after {rule.days} days;"
                " without it no run deletes anything any more",
                LIFECYCLE_MEND,
            )
        if not early and not ours:
            yield findings.ok(check, f"none of bucket {bucket} deletes logs before their rows")
    if rules.keeps_versions and not rules.drops_versions:
        yield findings.warning(
            "versions",
            f"bucket {bucket} keeps versions: a log that expires stays as an older version, and is paid for,"
            " until a rule with NoncurrentVersionExpiration ends it",
        )


def examine_key_format(findings: Findings, location: S3Location) -> Finding:
    """Argo's default key has neither namespace nor uid."""
    key = key_format(location)
    if _UID in key:
        return findings.ok("log keys", f"keyFormat {key} holds the workflow's uid")
    return findings.warning(
        "log keys",
        f"keyFormat {key} has no {{{{workflow.uid}}}}: two workflows of one name share a log object, Argo"
        " overwrites it, and unless bucket.exclusive is true such objects never expire",
        key_format_mend(key),
    )


def key_format_mend(key: str) -> str:
    """The key format with the uid in it, for Argo's ConfigMap; it holds for workflows that start later."""
    before, pod, after = key.rpartition(_POD)
    better = f"{before}{{{{{_UID}}}}}/{pod}{after}" if pod else f"{key}/{{{{{_UID}}}}}"
    return (
        "# in Argo's ConfigMap; holds for workflows that start after the controller's restart\n"
        "artifactRepository:\n"
        "  s3:\n"
        f"    keyFormat: {json.dumps(better, ensure_ascii=False)}"
    )


def policy(facts: BucketFacts) -> str:
    """A policy of S3 with what is missing; ListBucket tells a missing key from a forbidden one."""
    actions = {
        "s3:PutObject": facts.can_write,
        "s3:GetObject": facts.can_read,
        # Where nothing could be written, there was nothing to delete.
        "s3:DeleteObject": facts.can_delete,
    }
    arn = f"arn:aws:s3:::{facts.bucket}"
    statements = [
        {
            "Effect": "Allow",
            "Action": [action for action, allowed in actions.items() if not allowed],
            "Resource": [f"{arn}/*"],
        },
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [arn]},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
