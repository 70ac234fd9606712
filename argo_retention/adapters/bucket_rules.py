"""Reads what the owner of a bucket has set: lifecycle rules and versions. The only module that imports boto3.

obstore knows objects only; boto3 comes with dagster-aws.
"""

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

from argo_retention.adapters.object_files import endpoint_and_region
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.bucket_facts import BucketRules, LifecycleRule
from argo_retention.core.s3_credentials import S3Credentials

SECONDS = 10
_NO_RULES = "NoSuchLifecycleConfiguration"
#: A session is for one thread at a time; its clients are for all.
_ONE_AT_A_TIME = threading.Lock()


def read_bucket_rules(location: S3Location, credentials: S3Credentials | None) -> BucketRules:
    """Never raises: what may not be read, or is not known to the server, is None."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - 0.3 s

    try:
        client = _client(location, credentials)
    except BotoCoreError:  # a profile or a region that is not there
        return BucketRules()

    def ask(call: Callable[..., Mapping[str, Any]]) -> Mapping[str, Any] | None:
        try:
            return call(Bucket=location.bucket)
        except ClientError as error:
            return {} if error.response.get("Error", {}).get("Code") == _NO_RULES else None
        except BotoCoreError:
            return None

    rules = ask(client.get_bucket_lifecycle_configuration)
    versioning = ask(client.get_bucket_versioning)
    return BucketRules(
        lifecycle=None if rules is None else _expirations(rules),
        keeps_versions=None if versioning is None else versioning.get("Status") == "Enabled",
        drops_versions=any(
            "NoncurrentVersionExpiration" in rule and rule.get("Status") == "Enabled"
            for rule in (rules or {}).get("Rules") or ()
        ),
    )


def _expirations(answer: Mapping[str, Any]) -> list[LifecycleRule]:
    """Those in force that end objects. A rule for tagged objects is not for ours; one for a size may be."""
    found = []
    for rule in answer.get("Rules") or ():
        expiration = rule.get("Expiration") or {}
        given = rule.get("Filter") or {}
        filters = {**given, **(given.get("And") or {})}
        if rule.get("Status") != "Enabled" or not {"Days", "Date"} & expiration.keys():
            continue
        if "Tag" in filters or "Tags" in filters:
            continue
        found.append(
            LifecycleRule(
                name=rule.get("ID") or "without an ID",
                prefix=filters.get("Prefix") or rule.get("Prefix") or "",
                days=int(expiration.get("Days") or 0),
            )
        )
    return found


@functools.cache
def session() -> Any:
    """One for the process: it reads megabytes of descriptions of services, which takes 0.2 s."""
    import boto3  # noqa: PLC0415

    return boto3.Session()


def _client(location: S3Location, credentials: S3Credentials | None) -> Any:
    from botocore.config import Config  # noqa: PLC0415

    endpoint, region = endpoint_and_region(location)
    keys = (
        {
            "aws_access_key_id": credentials.access_key,
            "aws_secret_access_key": credentials.secret_key,
            "aws_session_token": credentials.session_token,
        }
        if credentials is not None
        else {}
    )
    with _ONE_AT_A_TIME:
        return session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=region or ("us-east-1" if endpoint else None),
            config=Config(
                connect_timeout=SECONDS,
                read_timeout=SECONDS,
                retries={"max_attempts": 2},
                s3={"addressing_style": "path"},
            ),
            **keys,
        )
