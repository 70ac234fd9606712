import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core.archive_logs import archives_logs, wants_log
from argo_retention.core.artifact_repositories import parse_repository
from argo_retention.errors import ManifestError
from argo_retention_tests.core.manifest_factory import workflow

OWN = {"endpoint": "s3", "bucket": "own", "key": "k"}
FLAG = st.sampled_from([None, True, False])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("TTT", True),
        ("TTF", True),
        ("TFT", True),
        ("TFF", True),
        ("FTT", True),
        ("FTF", False),
        ("FFT", True),
        ("FFF", False),
    ],
)
def test_the_documented_truth_table(row, expected):
    """Columns: repository, workflow, template."""
    repository, spec, template = (letter == "T" for letter in row)

    assert archives_logs(repository=repository, workflow=spec, template=template) is expected


@given(FLAG, FLAG, FLAG)
def test_wants_log_follows_the_table_where_the_template_has_no_location_of_its_own(
    repository, spec, template
):
    found = wants_log(
        workflow(spec={"archiveLogs": spec}),
        {"container": {}, "archiveLocation": {"archiveLogs": template}},
        parse_repository({"archiveLogs": repository, "s3": {"bucket": "b"}}),
    )

    assert found is archives_logs(repository=repository, workflow=spec, template=template)


@given(FLAG, FLAG, FLAG)
def test_a_template_with_a_complete_location_decides_alone(repository, spec, template):
    found = wants_log(
        workflow(spec={"archiveLogs": spec}),
        {"container": {}, "archiveLocation": {"archiveLogs": template, "s3": OWN}},
        parse_repository({"archiveLogs": repository}),
    )

    assert found is bool(template)


@pytest.mark.parametrize("kind", ["data", "http", "plugin"])
def test_templates_without_a_log(kind):
    assert not wants_log(
        workflow(spec={"archiveLogs": True}), {kind: {}}, parse_repository({"archiveLogs": True})
    )


def test_unset_everywhere_and_no_repository_is_no():
    assert not wants_log(workflow(), None, None)


def test_a_flag_that_is_no_boolean_is_refused():
    with pytest.raises(ManifestError, match="archiveLogs is 'yes'"):
        wants_log(workflow(spec={"archiveLogs": "yes"}), None, None)
