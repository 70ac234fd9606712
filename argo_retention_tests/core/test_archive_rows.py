from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core import manifests
from argo_retention.core.archive_rows import (
    POSTGRES_NULL_REPLACEMENT,
    REPOSITORY_REF_ADDED,
    SavedLog,
    build_row,
    replace_null,
    restore_null,
    with_saved_logs,
)
from argo_retention.core.artifact_repositories import parse_repository
from argo_retention.core.proving import same_workflow
from argo_retention.errors import ManifestError
from argo_retention_tests.core.manifest_factory import log_artifact, node, workflow

S3 = {
    "bucket": "b",
    "endpoint": "e",
    "accessKeySecret": {"name": "s", "key": "a"},
    "secretKeySecret": {"name": "s", "key": "k"},
    "keyFormat": "not part of an artifact",
}
REPOSITORY = parse_repository({"s3": S3})
RECORDED = {"artifactRepositoryRef": {"default": True, "artifactRepository": {"s3": S3}}}
LOG = SavedLog(node_id="wf", container="main", bucket="b", key="wf/wf/main.log")


def row_of(found, **options):
    return build_row(found, clustername="default", instanceid="", **options)


def artifacts(found):
    return found["status"]["nodes"]["wf"]["outputs"]["artifacts"]


@given(st.text('\\u0 n"\0ä', max_size=30))
def test_nul_characters_go_and_come_back(text):
    """PostgreSQL refuses an escaped NUL, and only that; the literal text backslash-u0000 is none."""
    encoded = manifests.encode({"text": text})

    replaced = replace_null(encoded, POSTGRES_NULL_REPLACEMENT)

    in_database = manifests.decode(replaced)["text"]
    assert in_database == text.replace("\0", POSTGRES_NULL_REPLACEMENT)
    assert manifests.decode(restore_null(replaced)) == {"text": text}


def test_nul_characters_stay_for_a_database_that_takes_them():
    found = workflow(spec={"arguments": {"parameters": [{"name": "p", "value": "a\0b"}]}})

    assert rb"a\u0000b" in row_of(found, null_replacement=None).workflow
    assert rb"aARGO_POSTGRES_NULL_REPLACEMENTb" in row_of(found).workflow


def test_missing_times_are_year_1_as_argo_writes_them():
    row = row_of(
        workflow(status={"startedAt": None, "finishedAt": "0001-01-01T00:00:00Z", "phase": None})
    )

    assert row.startedat == row.finishedat == datetime(1, 1, 1)
    assert row.phase == ""


def test_times_with_a_zone_are_stored_in_utc():
    row = row_of(workflow(status={"finishedAt": "2026-01-02T01:00:00+02:00"}))

    assert row.finishedat == datetime(2026, 1, 1, 23)


def test_a_workflow_without_labels_gets_the_persisted_label():
    assert row_of(workflow(metadata={"labels": None})).labels == {
        "workflows.argoproj.io/workflow-archiving-status": "Persisted"
    }


def test_the_workflow_that_comes_in_is_not_changed():
    found = workflow(metadata={"managedFields": [{}]})

    row_of(found)
    with_saved_logs(found, [LOG], REPOSITORY)

    assert found == workflow(metadata={"managedFields": [{}]})


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (workflow(metadata={"uid": ""}), "team-a/wf: metadata.uid is missing"),
        (workflow(metadata={"name": 7}), "metadata.name is missing"),
        (workflow(metadata={"resourceVersion": "x"}), "metadata.resourceVersion is 'x'"),
        (workflow(status={"compressedNodes": "H4sI"}), "its node status is not whole"),
        (workflow(status={"offloadNodeStatusVersion": "fnv:1"}), "its node status is not whole"),
    ],
)
def test_what_gives_no_row_is_refused(found, message):
    with pytest.raises(ManifestError, match=message):
        row_of(found)


def test_nothing_saved_changes_nothing():
    assert with_saved_logs(found := workflow(), [], REPOSITORY) == (found, ())


def test_a_log_in_the_recorded_repository_is_named_by_key_only():
    found, added = with_saved_logs(workflow(status=RECORDED), [LOG], REPOSITORY)

    assert artifacts(found) == [log_artifact(LOG.key)]
    assert added == ("wf/main",)


def test_a_log_in_the_templates_own_location_is_named_by_key_only():
    own = {"archiveLocation": {"s3": {"endpoint": "e", "bucket": "b", "key": "k"}}}
    spec = {"templates": [{"name": "main", "container": {}, **own}]}

    found, added = with_saved_logs(workflow(spec=spec), [LOG], None)

    assert artifacts(found) == [log_artifact(LOG.key)]
    assert added == ("wf/main", REPOSITORY_REF_ADDED)


def test_a_log_elsewhere_is_named_whole_and_the_reference_is_usable():
    found, added = with_saved_logs(
        workflow(status={"artifactRepositoryRef": {"key": "k"}}), [LOG], REPOSITORY
    )

    assert artifacts(found)[0]["s3"] == {
        "key": LOG.key,
        "bucket": "b",
        "endpoint": "e",
        "insecure": False,
        "accessKeySecret": S3["accessKeySecret"],
        "secretKeySecret": S3["secretKeySecret"],
    }
    assert found["status"]["artifactRepositoryRef"] == {
        "default": True,
        "key": "k",
        "artifactRepository": {},
    }
    assert added == ("wf/main", REPOSITORY_REF_ADDED)


def test_a_log_that_no_repository_holds_is_refused():
    with pytest.raises(ManifestError, match="is in no repository"):
        with_saved_logs(workflow(), [LOG], None)


def test_a_log_of_an_unknown_node_is_refused():
    with pytest.raises(ManifestError, match="no node gone"):
        with_saved_logs(
            workflow(), [SavedLog(node_id="gone", container="m", bucket="b", key="k")], REPOSITORY
        )


def test_an_artifact_that_names_the_object_is_left_alone():
    status = {**RECORDED, "nodes": {"wf": node(outputs={"artifacts": [log_artifact(LOG.key)]})}}

    found, added = with_saved_logs(workflow(status=status), [LOG], REPOSITORY)

    assert added == ()
    assert found == workflow(status=status)


@pytest.mark.parametrize("present", [log_artifact("old"), log_artifact(LOG.key, deleted=True)])
def test_an_artifact_that_names_another_object_is_replaced(present):
    other = {"name": "result", "s3": {"key": "r"}}
    status = {
        **RECORDED,
        "nodes": {"wf": node(outputs={"artifacts": [present, other], "exitCode": "0"})},
    }

    found, added = with_saved_logs(workflow(status=status), [LOG], REPOSITORY)

    assert artifacts(found) == [other, log_artifact(LOG.key)]
    assert found["status"]["nodes"]["wf"]["outputs"]["exitCode"] == "0"
    assert added == ("wf/main",)


@pytest.mark.parametrize("status", [{}, RECORDED])
def test_the_row_with_our_logs_still_proves_the_live_workflow(status):
    live = workflow(status=status)

    found, added = with_saved_logs(live, [LOG], REPOSITORY)
    row = manifests.decode(row_of(found).workflow)

    assert same_workflow(live, row, added=added) is None
    assert same_workflow(live, row) is not None
