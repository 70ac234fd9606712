import json
from typing import Any

import pytest
import yaml

from argo_retention.core.bucket_facts import BucketRules, LifecycleRule
from argo_retention.core.settings import Settings
from argo_retention.errors import ObjectForbiddenError
from argo_retention.operations.doctoring.findings import Status
from argo_retention_tests.operations.examined import Practice, finding, of_status
from argo_retention_tests.operations.installations import S3, put_argo


@pytest.fixture
def practice() -> Practice:
    """A sound installation."""
    made = Practice()
    put_argo(made.cluster)
    return made


def test_missing_rights_are_mended_by_a_policy(practice: Practice) -> None:
    practice.store.fail("delete", ObjectForbiddenError("DELETE: refused"), times=None)

    found = finding(practice.examine(), "bucket")

    assert found.status is Status.FAILED
    assert found.what == "cannot delete objects in bucket logs: DELETE: refused"
    document = json.loads(found.mend)
    assert document["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["s3:DeleteObject"],
            "Resource": ["arn:aws:s3:::logs/*"],
        },
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::logs"]},
    ]


def test_a_missing_bucket_is_not_mended_by_a_policy(practice: Practice) -> None:
    practice.store.exists = False

    findings = practice.examine()

    assert finding(findings, "bucket").mend == ""
    assert "conditional put" not in {each.check for each in findings}


def test_one_that_ignores_conditions_is_a_warning(practice: Practice) -> None:
    store = practice.store
    store.before("put_if_absent", lambda call: store.objects.pop(call["key"], None), times=None)

    assert of_status(practice.examine(), Status.WARNING) == ["conditional put"]


def rule(**given: Any) -> LifecycleRule:
    return LifecycleRule(**{"name": "short", "prefix": "", "days": 30, **given})


@pytest.mark.parametrize(
    ("rules", "status", "said"),
    [
        ([], Status.OK, "none of bucket logs deletes logs before their rows"),
        ([rule(days=1000)], Status.FAILED, "deletes argo-retention/identity.json after 1000 days"),
        ([rule(prefix="argo-retention/plans/", days=900)], Status.OK, "none of bucket"),
        ([rule(prefix="ci-")], Status.WARNING, "keys ci-* after 30 days"),
        ([rule(prefix="ci-", days=1000)], Status.OK, "none of bucket"),
        ([rule()], Status.FAILED, "rule short of bucket logs deletes all keys after 30 days"),
        ([rule(days=0)], Status.FAILED, "deletes all keys at a date"),
        ([rule(prefix="argo-ret", days=900)], Status.FAILED, "identity.json after 900 days"),
        (None, Status.WARNING, "cannot be read (s3:GetLifecycleConfiguration)"),
    ],
)
def test_p3_a_lifecycle_rule_shorter_than_the_ttl_is_a_failure(
    practice: Practice, rules: list[LifecycleRule] | None, status: Status, said: str
) -> None:
    practice.store.of_owner = BucketRules(lifecycle=rules)

    found = finding(practice.examine(argo={"archiveTTL": "180d"}), "lifecycle rules")

    assert found.status is status
    assert said in found.what


def test_p3_any_rule_is_shorter_than_rows_that_never_expire(practice: Practice) -> None:
    practice.store.of_owner = BucketRules(lifecycle=[rule(days=100_000)])

    found = finding(practice.examine(argo={"archiveTTL": "0"}), "lifecycle rules")

    assert "rows never expire: their logs go first" in found.what


@pytest.mark.parametrize("drops", [False, True])
def test_a_bucket_with_versions_keeps_what_expired(practice: Practice, drops: bool) -> None:
    practice.store.of_owner = BucketRules(lifecycle=[], keeps_versions=True, drops_versions=drops)

    warnings = of_status(practice.examine(), Status.WARNING)

    assert ("versions" in warnings) is not drops


def test_a_missing_secret_is_a_failure(practice: Practice) -> None:
    practice.cluster.remove("Secret", "argo", "s3")

    assert "no Secret 's3'" in finding(practice.examine(), "bucket").what


@pytest.mark.parametrize(
    ("key_format", "better"),
    [
        ("", "{{workflow.name}}/{{workflow.uid}}/{{pod.name}}"),
        ("logs", "logs/{{workflow.uid}}"),
        ("{{workflow.uid}}", None),
    ],
)
def test_a_key_without_the_uid_is_a_warning(key_format: str, better: str | None) -> None:
    practice = Practice()
    repository = {"s3": {**S3, "keyFormat": key_format}}
    put_argo(practice.cluster, {"artifactRepository": repository})

    found = finding(practice.examine(), "log keys")

    assert (found.status is Status.WARNING) == (better is not None)
    if better is not None:
        mend = yaml.safe_load(found.mend)
        assert mend == {"artifactRepository": {"s3": {"keyFormat": better}}}


@pytest.mark.parametrize("repository", [None, {"archiveLogs": True}, {"gcs": {"bucket": "b"}}])
def test_without_s3_there_must_be_a_place_for_plans(repository: object) -> None:
    practice = Practice()
    put_argo(practice.cluster, {"artifactRepository": repository})

    without, with_place = (
        finding(practice.examine(storage=storage), "bucket")
        for storage in ({}, {"uri": "file:///plans"})
    )

    assert without.status is Status.FAILED
    settings = yaml.safe_load(without.mend)
    assert Settings.model_validate(settings).clusters["prod"].storage.uri is not None
    assert with_place.status is Status.WARNING
