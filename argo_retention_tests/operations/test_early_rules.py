"""P3: what S3 itself would delete before the row expires is found, for all logs or for some."""

from datetime import timedelta

import pytest

from argo_retention.core.bucket_facts import BucketRules, LifecycleRule
from argo_retention.core.expiry_planning import longest_ttl
from argo_retention.core.policy import Policy, Rule
from argo_retention.errors import ConfigurationError
from argo_retention.operations.early_rules import early_rules
from argo_retention_tests.operations.at_work import AtWork

SHORT = LifecycleRule(name="short", prefix="", days=30)
FOR_SOME = LifecycleRule(name="some", prefix="ci-", days=1)


def test_p3_rules_for_all_logs_are_said_and_those_for_some_left_to_doctor() -> None:
    work = AtWork({"argo": {"archiveTTL": "180d"}})
    work.bucket.of_owner = BucketRules(lifecycle=[SHORT, FOR_SOME])

    [said] = early_rules(work.site)

    assert said.startswith("rule short of bucket")
    assert said.endswith("rows live up to 180 days: their logs go first")


def test_rules_that_may_not_be_read_say_nothing() -> None:
    work = AtWork()
    work.bucket.of_owner = BucketRules()

    assert early_rules(work.site) == []


def test_a_bucket_that_cannot_be_opened_says_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no logs are wanted, its Secret may be missing."""
    work = AtWork()

    def refuse(*_: object, **__: object) -> None:
        raise ConfigurationError("no Secret")

    monkeypatch.setattr(work.site.log_stores, "of", refuse)

    assert early_rules(work.site) == []


def test_without_a_bucket_there_are_no_rules() -> None:
    assert early_rules(AtWork(repository=None).site) == []


def test_the_longest_ttl_is_none_as_soon_as_some_rows_never_expire() -> None:
    def of(ttl: timedelta | None, *rules: timedelta | None) -> timedelta | None:
        own = tuple(Rule(name="r", archive_ttl=each) for each in rules)
        return longest_ttl(Policy(archive_ttl=ttl, rules=own))

    day = timedelta(days=1)
    assert of(None) is None
    assert of(timedelta(0)) is None
    assert of(day) == day
    assert of(day, None, 3 * day) == 3 * day
    assert of(day, timedelta(0)) is None
