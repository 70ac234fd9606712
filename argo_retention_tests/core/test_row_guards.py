"""What may be written over what stands in the archive."""

from dataclasses import replace

import pytest

from argo_retention.core.ledger import ArchiveRow, LeaseGrant, RowWrite
from argo_retention.core.logs import LogReference
from argo_retention.core.row_guards import ExistingRow, check_scope, refusal_of
from argo_retention_tests.contracts.archive_worlds import write
from argo_retention_tests.core.factories import log_record

GRANT = LeaseGrant(clustername="default", instanceid="", root_run="r", token=1)
HERE = ExistingRow(instanceid="", resource_version=5, digest="d")


def written(*, version: int = 7, expected_digest: str = "d") -> RowWrite:
    plain = write("u1")
    assert isinstance(plain.row, ArchiveRow)
    row = replace(plain.row, resource_version=version)
    return replace(plain, row=row, expected_digest=expected_digest)


@pytest.mark.parametrize(
    ("given", "existing", "expected"),
    [
        (written(), HERE, ""),
        (written(version=5), HERE, ""),
        (written(version=4), HERE, "the archive has a newer version of it"),
        (written(expected_digest="other"), HERE, "row changed meanwhile"),
        (written(expected_digest=""), None, ""),
        (written(), None, "row changed meanwhile"),
        (replace(written(), row=None, expected_digest=""), None, "row changed meanwhile"),
        (replace(written(), row=None), HERE, ""),
        (written(), replace(HERE, instanceid="other"), "row belongs to instanceID 'other'"),
    ],
)
def test_p1_only_the_row_that_was_read_is_replaced_and_never_by_an_older_object(
    given: RowWrite, existing: ExistingRow | None, expected: str
) -> None:
    assert refusal_of(given, existing, instanceid="") == expected


def grant_of(given: RowWrite) -> LeaseGrant:
    return replace(GRANT, clustername=given.proof.clustername)


def test_a_write_of_one_workflow_passes() -> None:
    given = written()

    check_scope(grant_of(given), given)
    check_scope(grant_of(given), replace(given, row=None))


def test_a_row_of_another_instance_is_our_own_mistake() -> None:
    given = written()
    assert given.row is not None
    other = replace(given, row=replace(given.row, instanceid="other"))

    with pytest.raises(ValueError, match="row of instanceID 'other'"):
        check_scope(grant_of(given), other)


@pytest.mark.parametrize("what", ["cluster", "log", "reference"])
def test_a_write_that_mixes_workflows_is_our_own_mistake(what: str) -> None:
    given = written()
    name = given.proof.clustername
    mixed = {
        "cluster": replace(given, proof=replace(given.proof, clustername="other")),
        "log": replace(given, logs=[log_record(clustername=name, uid="u2")]),
        "reference": replace(
            given, references=[LogReference(bucket="b", key="k", clustername=name, uid="u2")]
        ),
    }

    with pytest.raises(ValueError, match="mixes workflows"):
        check_scope(grant_of(given), mixed[what])
