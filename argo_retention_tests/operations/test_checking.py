"""What has to hold of an installation: each property with its evidence, and no verdict where nobody answered."""

from dataclasses import replace
from datetime import timedelta

import pytest

from argo_retention.errors import (
    ClusterError,
    DatabaseLostError,
    ObjectForbiddenError,
)
from argo_retention.operations.checking import PROPERTIES, Health, look_at
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention_tests.operations.at_work import AtWork

IDENTITY, CLOCKS, TABLES, BUCKET = PROPERTIES


@pytest.mark.parametrize("name", list(PROPERTIES))
def test_a_sound_installation_passes_and_says_what_was_found(name: str) -> None:
    seen = look_at(AtWork().site, name)

    assert seen.passed
    assert seen.asked
    assert seen.found.endswith(".")


def test_another_cluster_does_not_belong_here() -> None:
    work = AtWork()
    take_snapshot(work.site, work.grant(work.site.root_run))
    work.cluster.change(
        "Namespace", "", "kube-system", lambda it: it["metadata"].update(uid="another")
    )

    seen = look_at(work.site, IDENTITY)

    assert (seen.passed, seen.asked) == (False, True)
    assert "argo-retention accept" in seen.found


def test_a_clock_that_is_off_is_named() -> None:
    work = AtWork()
    work.cluster.now += timedelta(hours=1)

    seen = look_at(work.site, CLOCKS)

    assert (seen.passed, seen.asked) == (False, True)
    assert "The clock of the API server says" in seen.found


def test_tables_of_an_unknown_version_are_named() -> None:
    work = AtWork()
    work.archive.schema_version = 99

    seen = look_at(work.site, TABLES)

    assert (seen.passed, seen.asked) == (False, True)
    assert "schema_version 99" in seen.found


def test_a_bucket_that_refuses_is_named() -> None:
    work = AtWork()
    work.bucket.fail("put_if_absent", ObjectForbiddenError("403"), times=None)

    seen = look_at(work.site, BUCKET)

    assert (seen.passed, seen.asked) == (False, True)
    assert "403" in seen.found


def test_without_a_bucket_there_is_nothing_to_try() -> None:
    assert look_at(AtWork(repository=None).site, BUCKET) == Health(
        passed=True, found="Argo's ConfigMap names no S3 bucket for logs."
    )


@pytest.mark.parametrize(
    ("name", "method", "error"),
    [
        (CLOCKS, "server_time", ClusterError("down\nRun again.")),
        (TABLES, "facts", DatabaseLostError("down\nRun again.")),
    ],
)
def test_a_server_that_does_not_answer_gives_no_verdict(
    name: str, method: str, error: Exception
) -> None:
    work = AtWork()
    server = work.cluster if method == "server_time" else work.archive
    server.fail(method, error, times=None)  # type: ignore[arg-type]

    assert look_at(work.site, name) == replace(Health(passed=False, found="down"), asked=False)
