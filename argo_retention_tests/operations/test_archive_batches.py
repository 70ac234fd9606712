"""Rows on fakes: made whole, compared, written with logs, references and proof, and refused one by one."""

import base64
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogReference, LogState
from argo_retention.core.proofs import ProvenVersion
from argo_retention.errors import DatabaseError, RowRefusedError
from argo_retention_tests.fakes.archive_tables import digest_of
from argo_retention_tests.operations.at_work import NAMESPACE, AtWork

NO_LOGS = {"logs": {"save": "none"}}


def refusals(work: AtWork) -> dict[str, tuple[str, str]]:
    return {each.name: (each.reason, each.sentence) for each in work.archived().refusals}


def proof_of(work: AtWork, workflow: LiveWorkflow) -> ProvenVersion:
    [proof] = work.archive.proven_versions(clustername="default", uids=[workflow.uid])
    return proof


def row_of(work: AtWork, workflow: LiveWorkflow) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(work.archive.argo_rows["default", workflow.uid].workflow)
    return row


def rewrite(work: AtWork, workflow: LiveWorkflow, part: str, **changed: Any) -> None:
    """Somebody else writes the row, with this in its metadata or status."""
    key = ("default", workflow.uid)
    body = row_of(work, workflow)
    body[part] |= changed
    work.archive.put_row(replace(work.archive.argo_rows[key], workflow=json.dumps(body).encode()))


def again(work: AtWork) -> None:
    """The proofs are lost; the next run looks at all of it anew."""
    work.archive.proofs.clear()
    work.next_run()


# -- the proof --------------------------------------------------------------------------------------------


def test_p1_the_proof_names_the_version_that_was_read_and_the_row_that_stands_there() -> None:
    work = AtWork()
    one = work.run("one")

    work.archived()

    proof = proof_of(work, one)
    row = work.archive.argo_rows["default", one.uid]
    assert proof.resource_version == one.resource_version == row.resource_version
    assert proof.digest == digest_of(row.workflow)
    assert proof.added == ("one/main", "artifactRepositoryRef")


def test_p1_a_row_that_differs_in_one_leaf_is_written_anew_before_it_is_proven() -> None:
    work = AtWork(NO_LOGS)
    one = work.run("one", log=None)
    work.archived()
    right = work.archive.argo_rows["default", one.uid].workflow
    rewrite(work, one, "status", message="edited by hand")
    again(work)

    done = work.archived()

    assert (done.archived, done.proven_now) == (1, 0)
    assert work.archive.argo_rows["default", one.uid].workflow == right
    assert proof_of(work, one).digest == digest_of(right)


def test_p1_a_row_that_names_no_log_of_ours_is_not_right() -> None:
    """Argo wrote it before we saved the log; without the artifact its UI would not show the log."""
    work = AtWork()
    one = work.run("one")
    work.archived()
    node = {**row_of(work, one)["status"]["nodes"]["one"], "outputs": {}}
    rewrite(work, one, "status", nodes={"one": node})
    again(work)

    assert work.archived().archived == 1
    assert row_of(work, one)["status"]["nodes"]["one"]["outputs"]["artifacts"]


@pytest.mark.parametrize("edit", ["message", "gone"])
def test_p1_a_row_that_changes_between_look_and_write_is_not_proven(edit: str) -> None:
    work = AtWork(NO_LOGS)
    one = work.run("one", log=None)
    work.archived()
    again(work)

    def meanwhile(_: object) -> None:
        if edit == "gone":
            work.archive.remove_row("default", one.uid)
        else:
            rewrite(work, one, "status", message="by Argo")

    work.archive.before("write_rows", meanwhile)

    assert refusals(work) == {"one": ("refused_row", "row changed meanwhile")}
    assert work.archive.proofs == {}

    work.next_run()
    assert refusals(work) == {}
    assert proof_of(work, one).row_exists


def test_p1_a_newer_row_that_comes_between_look_and_write_is_not_overwritten() -> None:
    work = AtWork(NO_LOGS)
    one = work.run("one", log=None)
    work.archived()
    rewrite(work, one, "status", message="wrong, so that it is written anew")
    again(work)

    work.archive.before(
        "write_rows", lambda _: rewrite(work, one, "metadata", resourceVersion="999999")
    )

    assert refusals(work) == {"one": ("refused_row", "the archive has a newer version of it")}
    assert row_of(work, one)["metadata"]["resourceVersion"] == "999999"


def test_p1_a_row_of_another_instance_is_left_alone() -> None:
    work = AtWork(NO_LOGS)
    one = work.run("one", log=None)
    work.archived()
    key = ("default", one.uid)
    theirs = replace(work.archive.argo_rows[key], instanceid="theirs")
    work.archive.put_row(theirs)
    again(work)

    assert refusals(work) == {"one": ("refused_row", "row belongs to instanceID 'theirs'")}
    assert work.archive.argo_rows[key] == theirs


def test_p7_one_that_is_being_deleted_does_not_get_its_row_written_anew() -> None:
    work = AtWork(NO_LOGS)
    one = work.run("one", log=None, metadata={"finalizers": ["wait"]})
    work.archived()
    before = work.archive.argo_rows["default", one.uid]
    work.cluster.delete_workflow(
        namespace=NAMESPACE, name="one", uid=one.uid, resource_version=one.resource_version
    )
    work.next_run()

    done = work.archived()

    assert (done.archived, done.proven_now) == (0, 1)
    assert work.archive.argo_rows["default", one.uid] == before


def test_p1_a_retried_workflow_is_archived_in_its_new_version() -> None:
    work = AtWork(NO_LOGS)
    one = work.run("one", log=None, phase="Failed")
    work.archived()
    work.cluster.change("Workflow", NAMESPACE, "one", _succeed)
    work.next_run()

    assert work.archived().archived == 1
    assert work.archive.argo_rows["default", one.uid].phase == "Succeeded"
    assert proof_of(work, one).resource_version > one.resource_version


def _succeed(manifest: dict[str, Any]) -> None:
    manifest["metadata"]["labels"]["workflows.argoproj.io/phase"] = "Succeeded"
    manifest["status"]["phase"] = "Succeeded"


def test_what_planning_needs_is_kept_with_the_proof() -> None:
    work = AtWork(NO_LOGS)
    label = {"workflows.argoproj.io/workflow-template": "nightly"}
    one = work.run(
        "one",
        log=None,
        age=timedelta(hours=2),
        spec={"ttlStrategy": {"secondsAfterCompletion": 60}},
        metadata={"labels": label},
    )

    work.archived()

    facts = proof_of(work, one).facts
    assert (facts.phase, facts.ttl_seconds, facts.template) == ("Succeeded", 60, "nightly")
    assert facts.finished_at == one.created_at
    assert not facts.artifact_gc_deletes_logs


# -- the node status made whole ---------------------------------------------------------------------------


def put_away(work: AtWork, instead: Callable[[bytes], Mapping[str, str]]) -> bytes:
    """Take the nodes of `one` out of its status as Argo does, with this instead; they are given back."""
    nodes = b""

    def change(manifest: dict[str, Any]) -> None:
        nonlocal nodes
        nodes = json.dumps(manifest["status"].pop("nodes")).encode()
        manifest["status"] |= instead(nodes)

    work.cluster.change("Workflow", NAMESPACE, "one", change)
    return nodes


def test_p5_compressed_nodes_are_whole_in_the_row() -> None:
    work = AtWork()
    one = work.run("one")
    put_away(work, lambda it: {"compressedNodes": base64.b64encode(gzip.compress(it)).decode()})

    work.archived()

    status = row_of(work, one)["status"]
    assert "compressedNodes" not in status
    assert status["nodes"]["one"]["outputs"]["artifacts"][0]["name"] == "main-logs"


def test_p5_offloaded_nodes_are_whole_in_the_row() -> None:
    work = AtWork()
    one = work.run("one")
    nodes = put_away(work, lambda _: {"offloadNodeStatusVersion": "fnv:1"})
    work.archive.offload(clustername="default", uid=one.uid, version="fnv:1", nodes=nodes)

    work.archived()

    status = row_of(work, one)["status"]
    assert "offloadNodeStatusVersion" not in status
    assert status["nodes"]["one"]["type"] == "Pod"
    assert work.log_of(one).state is LogState.STORED


def test_p1_nodes_that_were_offloaded_and_are_not_there_are_not_archived_without() -> None:
    work = AtWork()
    one = work.run("one")
    nodes = put_away(work, lambda _: {"offloadNodeStatusVersion": "fnv:2"})
    work.archive.offload(clustername="default", uid=one.uid, version="fnv:1", nodes=nodes)

    reason, sentence = refusals(work)["one"]

    assert reason == "unreadable"
    assert "offloaded as 'fnv:2' and is not there" in sentence
    assert work.archive.argo_rows == {}


# -- logs of a row ----------------------------------------------------------------------------------------


def test_p4_every_log_that_the_nodes_name_is_referenced_and_every_one_that_we_saved() -> None:
    """Nodes of any type; a memoized node and a retry name objects of other workflows."""
    work = AtWork()
    theirs = {"artifacts": [{"name": "main-logs", "s3": {"key": "other/other/main.log"}}]}
    elsewhere = {"name": "main-logs", "s3": {"key": "k", "bucket": "elsewhere"}}
    no_log = {"name": "result", "s3": {"key": "one/result.tgz"}}
    one = work.run("one")
    work.cluster.change(
        "Workflow",
        NAMESPACE,
        "one",
        lambda it: it["status"]["nodes"].update(
            skipped={"id": "skipped", "name": "s", "type": "Skipped", "outputs": theirs},
            group={
                "id": "g",
                "name": "g",
                "type": "DAG",
                "outputs": {"artifacts": [elsewhere, no_log]},
            },
        ),
    )

    work.archived()

    assert work.archive.references_by_row["default", one.uid] == {
        LogReference(bucket=bucket, key=key, clustername="default", uid=one.uid)
        for bucket, key in (
            ("logs", "one/one/main.log"),
            ("logs", "other/other/main.log"),
            ("elsewhere", "k"),
        )
    }


def test_p1_a_log_in_doubt_leaves_its_workflow_archived_but_unsettled_and_is_tried_again() -> None:
    work = AtWork()
    one = work.run("one")
    work.cluster.deny("get", "pods/log")

    done = work.archived()

    assert done.archived == 1
    assert not proof_of(work, one).logs.is_settled

    work.next_run()
    assert work.archived().proven_before == 0
    assert len(work.cluster.calls_of("open_pod_log")) == 2


def test_p7_what_the_ledger_has_of_a_log_is_not_written_again() -> None:
    work = AtWork()
    work.run("one")
    work.archived()
    again(work)

    work.archived()

    [first], [second] = (call["writes"] for call in work.archive.calls_of("write_rows"))
    assert len(first.logs) == 1
    assert second.logs == []


@pytest.mark.parametrize(("logs", "saved"), [({"save": "none"}, 0), ({"save": "all"}, 1), ({}, 1)])
def test_a_rule_says_which_logs_of_its_workflows_are_saved(
    logs: Mapping[str, str], saved: int
) -> None:
    rule = {"name": "ci", "match": {"namespaces": [NAMESPACE]}, "logs": logs}
    work = AtWork({"rules": [rule]})
    work.run("one")

    assert work.archived().saved_logs == saved


# -- rows that are refused --------------------------------------------------------------------------------


def refuse(work: AtWork, *names: str) -> None:
    """The database refuses each batch that has one of these."""
    bad = {workflow.uid for workflow in work.cluster.workflows() if workflow.name in names}
    work.archive.fail(
        "write_rows",
        RowRefusedError("value too long\nshorten it"),
        times=None,
        where=lambda call: any(write.proof.uid in bad for write in call["writes"]),
    )


@pytest.mark.parametrize("bad", [("run-0",), ("run-7",), ("run-2", "run-3"), ("run-0", "run-7")])
def test_p1_each_refused_row_is_found_by_halving_and_named_and_the_others_go_on(
    bad: tuple[str, ...],
) -> None:
    work = AtWork(NO_LOGS)
    workflows = [work.run(f"run-{number}", log=None) for number in range(8)]
    refuse(work, *bad)

    assert refusals(work) == dict.fromkeys(bad, ("refused_row", "value too long"))

    assert work.row_uids() == {w.uid for w in workflows if w.name not in bad}
    assert {uid for _, uid in work.archive.proofs} == work.row_uids()
    sizes = [len(call["writes"]) for call in work.archive.calls_of("write_rows")]
    # Of 8, then two halves at each of three levels for each that is refused; never one by one.
    assert sizes[0] == 8
    assert len(sizes) <= 1 + 2 * 3 * len(bad)


def test_p1_a_refused_row_is_tried_again_by_the_next_run() -> None:
    work = AtWork(NO_LOGS)
    one = work.run("one", log=None)
    work.archive.fail("write_rows", RowRefusedError("value too long"))
    assert refusals(work)
    work.next_run()

    assert refusals(work) == {}
    assert proof_of(work, one).row_exists


def test_p1_a_refused_row_leaves_its_saved_log_to_be_adopted() -> None:
    work = AtWork()
    one = work.run("one")
    refuse(work, "one")

    assert refusals(work)
    assert work.log_of(one).state is LogState.INTENDED
    assert list(work.bucket.objects) == ["one/one/main.log"]


def test_p1_a_lost_connection_is_no_refused_row() -> None:
    """It ends the step: halving would send the same to a server that is not there."""
    work = AtWork(NO_LOGS)
    for number in range(4):
        work.run(f"run-{number}", log=None)
    work.archive.fail("write_rows", DatabaseError("connection lost"), times=None)

    with pytest.raises(DatabaseError, match="connection lost"):
        work.archived()

    assert len(work.archive.calls_of("write_rows")) == 1
    assert work.archive.proofs == {}
