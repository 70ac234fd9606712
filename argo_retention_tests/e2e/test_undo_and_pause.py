"""Undo, pause and audit on real parts, as a person uses them."""

import gzip
import json

import yaml

from argo_retention.core import labels
from argo_retention.defs.jobs import ARCHIVE_JOB, EXPIRY_JOB, RETENTION_JOB
from argo_retention_tests.e2e.conftest import Cli, SeedWorld
from argo_retention_tests.e2e.worlds import OUR_FILES, later


def test_p1_a_deleted_workflow_is_found_shown_and_made_again_when_the_database_is_gone(
    new_seed: SeedWorld, cli: Cli
) -> None:
    world = new_seed(hello_worlds=3, keep_count=1)
    before = world.live()
    world.succeed(RETENTION_JOB)
    gone = before.keys() - world.live().keys()
    world.execute("DROP SCHEMA argo_retention CASCADE")
    world.execute("DELETE FROM argo_archived_workflows")

    code, text = cli(world, "undo", "list", "--json")

    assert code == 0
    [file] = json.loads(text)["files"]
    assert (file["kind"], file["rows"]) == ("deleted", 2)
    code, text = cli(world, "undo", "list", "--run", file["run_id"], "--json")
    assert {row["uid"] for row in json.loads(text)["rows"]} == gone
    uid = min(gone)
    code, text = cli(world, "undo", "show", uid, "--copy")
    assert code == 0
    copy = yaml.safe_load(text)
    namespace, name = copy["metadata"]["namespace"], copy["metadata"]["name"]
    world.ask("POST", f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows", copy)
    [made] = [each for each in world.live().values() if each["metadata"]["name"] == name]
    assert made["metadata"]["annotations"][labels.RESTORED_FROM] == uid
    assert made["status"]["phase"] == before[uid]["status"]["phase"]


def test_p3_an_expired_row_is_put_back_as_it_was_with_its_log(
    new_seed: SeedWorld, cli: Cli
) -> None:
    world = new_seed(hello_worlds=2, keep_count=0, texts={"archiveTTL: 180d": "archiveTTL: 1m"})
    world.overrides = {"expiry": {"undo": "7d", "undo_logs": True}}
    world.succeed(RETENTION_JOB)
    rows, row_labels = world.rows(), world.labels()
    logs = {place: world.body(*place) for place in world.objects()}
    world.succeed(EXPIRY_JOB, clock=later(minutes=2))
    assert (world.rows(), world.objects()) == ({}, set())
    uid = min(rows)

    code, text = cli(world, "undo", "restore", uid)

    assert code == 0
    assert "is in the archive again" in text
    assert "Log objects: 1 put back, 0 there already, 0 not kept." in text
    [place] = world.objects()
    assert world.body(*place) == logs[place]
    assert rows[uid]["name"] in place[1]
    assert world.rows() == {uid: rows[uid]}
    assert world.labels() == {uid: row_labels[uid]}
    assert cli(world, "undo", "restore", uid)[0] == 1  # nothing is overwritten
    assert cli(world, "undo", "show", "nobody")[0] == 2


def test_p2_pause_and_resume(new_seed: SeedWorld, cli: Cli) -> None:
    world = new_seed(hello_worlds=3, keep_count=1)
    world.succeed(ARCHIVE_JOB)
    name = world.scene.name
    code, text = cli(world, "pause", name, "--because", "an incident", "--until", "2999-01-01")
    assert (code, text.split(":")[0]) == (0, name)

    outcome = world.succeed(RETENTION_JOB)

    assert outcome.assets["retention_outcome"]["mode"] == "paused"
    assert "an incident" in str(outcome.assets["retention_outcome"]["paused"])
    assert len(world.live()) == 3
    assert "an incident" in cli(world, "status")[1]
    assert cli(world, "pause", name, "--because", "x", "--until", "2001-01-01")[0] == 2
    code, text = cli(world, "resume", name)
    assert (code, text) == (0, f"{name}: its pause has ended (an incident)\n")
    world.succeed(RETENTION_JOB)
    assert len(world.live()) == 1


def test_p6_the_audit_names_each_that_went(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=3, keep_count=1)
    before = world.live()
    world.succeed(RETENTION_JOB)

    lines = [
        json.loads(line)
        for key in world.files().keys(f"{OUR_FILES}audit/{world.scene.name}")
        for line in gzip.decompress(world.body(world.scene.buckets[0], key) or b"").splitlines()
    ]

    assert {line["uid"] for line in lines} == before.keys() - world.live().keys()
    assert {line["outcome"] for line in lines} == {"deleted"}
