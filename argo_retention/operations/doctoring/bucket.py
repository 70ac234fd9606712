"""The bucket of the logs: rights, conditional put, and whether two workflows may share a key."""

import json
from collections.abc import Iterator

from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.bucket_facts import BucketFacts
from argo_retention.core.log_keys import key_format
from argo_retention.operations.doctoring.findings import Finding, Findings

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
