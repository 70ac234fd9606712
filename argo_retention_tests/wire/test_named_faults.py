"""The cuts that matter most, each by name: what was done, what is said, and that the next run ends it."""

import socket
import time
from typing import Any

import pytest

from argo_retention.adapters.kubernetes_cluster.answers import AnswerLostError
from argo_retention.adapters.kubernetes_cluster.connecting import connect
from argo_retention.adapters.postgres_archive import connection
from argo_retention.core.identities import identify
from argo_retention.defs.jobs import RETENTION_JOB
from argo_retention.errors import ClusterError, ListIncompleteError
from argo_retention_tests.e2e.oracle import NOTHING, Oracle
from argo_retention_tests.wire.conftest import WiredWorld
from argo_retention_tests.wire.http_wire import HttpFault
from argo_retention_tests.wire.tcp_wire import TcpFault
from argo_retention_tests.wire.test_rounds import finished
from argo_retention_tests.wire.world import Wires

WORKFLOWS = r"/workflows\?"


def seeded(wired: WiredWorld, **options: Any) -> Wires:
    return wired(
        hello_worlds=8, keep_count=2, retention={"mode": "apply", "proof_age": 0}, **options
    )


def ends(wires: Wires) -> None:
    """The next run on a good network leaves what policy wants."""
    wires.mend()
    finished(wires.world, RETENTION_JOB, wires)
    assert (len(wires.world.live()), len(wires.world.rows())) == (2, 8)


@pytest.mark.parametrize("kind", ["page_again", "dead_token", "truncate"])
def test_p2_a_list_that_is_not_whole_deletes_nothing(wired: WiredWorld, kind: str) -> None:
    wires = seeded(wired)
    wires.api.faults.append(HttpFault(kind=kind, method="GET", path=WORKFLOWS, times=50))

    outcome = wires.world.run(RETENTION_JOB)

    assert not outcome.success
    assert len(wires.world.live()) == 8
    assert wires.api.done
    ends(wires)


def test_p2_a_page_that_somebody_on_the_way_leaves_out_makes_policy_keep_more_not_less(
    wired: WiredWorld,
) -> None:
    """Nobody can see it in one list. What is left has a better rank in it than in the cluster."""
    wires = seeded(wired)
    newest = sorted(
        wires.world.live().values(), key=lambda each: each["metadata"]["creationTimestamp"]
    )[-2:]
    wires.api.faults.append(HttpFault(kind="page_missing", method="GET", path=WORKFLOWS, times=50))

    wires.world.run(RETENTION_JOB)

    assert {each["metadata"]["uid"] for each in newest} <= set(wires.world.live())
    ends(wires)


@pytest.mark.parametrize("kind", ["cut_answer", "reset_answer"])
def test_p2_a_page_cut_in_the_middle_is_asked_for_again(wired: WiredWorld, kind: str) -> None:
    wires = seeded(wired)
    wires.api.faults.append(HttpFault(kind=kind, method="GET", path=WORKFLOWS, skip=1, times=2))

    finished(wires.world, RETENTION_JOB, wires)

    assert len(wires.api.done) == 2
    assert len(wires.world.live()) == 2


@pytest.mark.parametrize("kind", ["cut_answer", "reset_answer"])
def test_p7_a_file_of_ours_cut_in_the_middle_is_asked_for_again(
    wired: WiredWorld, kind: str
) -> None:
    """Snapshots and plans: the library asks again for an answer, and not for a body that was cut."""
    wires = seeded(wired)
    fault = HttpFault(kind=kind, method="GET", path="parquet", times=2)
    wires.s3.faults.append(fault)

    finished(wires.world, RETENTION_JOB, wires)

    assert len(wires.s3.done) == 2
    assert len(wires.world.live()) == 2


@pytest.mark.parametrize("after", [0, 40, 3000])
def test_p1_a_copy_cut_in_the_middle_leaves_no_row_of_its_batch(
    wired: WiredWorld, after: int
) -> None:
    wires = seeded(wired)
    wires.database.faults.append(
        TcpFault(kind="reset", trigger=b"COPY ", after_bytes=after, times=50)
    )

    outcome = wires.world.run(RETENTION_JOB)

    assert not outcome.success
    assert "The connection to PostgreSQL" in outcome.failure
    assert len(wires.world.live()) == 8
    ends(wires)


def test_p7_a_step_whose_session_was_lost_is_done_again_and_takes_up_where_it_was(
    wired: WiredWorld,
) -> None:
    wires = seeded(wired)
    wires.database.faults.append(TcpFault(kind="reset", trigger=b"COPY ", after_bytes=40))

    wires.world.succeed(RETENTION_JOB)

    assert wires.database.done
    assert (len(wires.world.live()), len(wires.world.rows())) == (2, 8)
    assert Oracle(wires.world).look() == NOTHING


def test_p1_a_put_cut_in_the_middle_is_put_again_or_kept_for_the_next_run(
    wired: WiredWorld,
) -> None:
    wires = seeded(wired)
    wires.s3.faults.append(
        HttpFault(kind="cut_request", method="PUT", path="hello-world", times=100)
    )

    outcome = wires.world.run(RETENTION_JOB)

    assert outcome.success
    assert outcome.exit_code == 0
    assert len(wires.world.live()) == 8, "a log that could not be saved forbids the deletion"
    ends(wires)


@pytest.mark.parametrize("kind", ["lose_answer", "cut_answer", "reset_answer"])
def test_p1_an_answer_to_delete_that_is_lost_is_found_out_by_looking(
    wired: WiredWorld, kind: str
) -> None:
    wires = seeded(wired)
    wires.api.faults.append(HttpFault(kind=kind, method="DELETE", path="/workflows/", times=2))

    wires.world.run(RETENTION_JOB)

    assert len(wires.api.done) == 2
    assert "intended" not in outcomes(wires)
    assert Oracle(wires.world).look() == NOTHING
    ends(wires)


def test_p1_a_delete_that_may_be_under_way_is_left_open_and_the_next_run_finds_out(
    wired: WiredWorld,
) -> None:
    """No answer came and the object is there unchanged: to say "refused" or "deleted" would be a guess."""
    wires = seeded(wired)
    wires.api.faults.append(HttpFault(kind="silence", method="DELETE", path="/workflows/", times=2))

    wires.world.run(RETENTION_JOB)

    assert len(wires.api.done) == 2
    assert outcomes(wires).count("intended") == 2
    assert len(wires.world.live()) == 4
    ends(wires)
    assert "intended" not in outcomes(wires)
    assert Oracle(wires.world).look() == NOTHING


def outcomes(wires: Wires) -> list[str]:
    """Of the ledger, one for each deletion that was intended."""
    return [each["outcome"] for each in wires.world.ledger("deletions")]


@pytest.mark.parametrize("retry_after", [None, 1])
def test_p1_a_server_that_is_busy_is_left_alone_and_asked_again(
    wired: WiredWorld, retry_after: int | None
) -> None:
    wires = seeded(wired)
    wires.api.faults.append(
        HttpFault(
            kind="status",
            method="DELETE",
            path="/workflows/",
            times=3,
            status=429,
            retry_after=retry_after,
        )
    )

    finished(wires.world, RETENTION_JOB, wires)

    assert len(wires.world.live()) == 2


def test_a_half_open_connection_to_postgresql_is_given_up(
    wired: WiredWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    wires = seeded(wired)
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 1.0)
    wires.database.faults.append(TcpFault(kind="silence", trigger=b"COPY "))
    begun = time.monotonic()

    outcome = wires.world.run(RETENTION_JOB)

    assert time.monotonic() - begun < 30
    assert not outcome.success
    assert "no answer within 1 s" in outcome.failure
    assert len(wires.world.live()) == 8
    ends(wires)


def test_an_answer_that_drips_is_given_up(
    wired: WiredWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then would never meet a limit for silence."""
    monkeypatch.setattr("argo_retention_tests.wire.http_wire.SLOW_BYTES_PER_SECOND", 300)
    wires = seeded(wired)
    wires.api.faults.append(HttpFault(kind="slow", method="GET", path=WORKFLOWS, times=50))
    api = connect(kubeconfig=str(wires.world.kubeconfig), context=None, name="seed", read_seconds=1)
    monkeypatch.setattr("argo_retention.adapters.kubernetes_cluster.listing.LIST_SECONDS", 1.0)

    with pytest.raises(ListIncompleteError, match=r"sends too slowly \(\d+ bytes in \d s\)"):
        list(api.list_metadata(selector="", namespace=None))


@pytest.mark.parametrize("kind", ["silence", "slow", "stall"])
def test_a_look_ends_at_its_limit_whatever_the_server_does(
    wired: WiredWorld, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A sensor's tick that is not over in a minute is killed, and other sensors wait for it."""
    monkeypatch.setattr("argo_retention_tests.wire.http_wire.SLOW_BYTES_PER_SECOND", 300)
    wires = seeded(wired)
    wires.api.faults.append(HttpFault(kind=kind, seconds=60, times=50))
    begun = time.monotonic()
    api = connect(
        kubeconfig=str(wires.world.kubeconfig), context=None, name="seed", limit_seconds=2
    )

    with pytest.raises(ClusterError, match="within the 2 s that a look may take"):
        list(api.list_metadata(selector="", namespace=None))

    assert time.monotonic() - begun < 4
    with pytest.raises(ClusterError, match="within the 2 s"):
        api.get_workflow(namespace="argo", name="x")


def test_a_stall_of_thirty_seconds_is_waited_for(wired: WiredWorld) -> None:
    """With the product's own waits, unlike the rest of this suite; S3's read limit of 15 s asks again."""
    with pytest.MonkeyPatch.context() as patch:
        wires = seeded(wired)
        patch.setattr(connection, "SILENCE_SECONDS", 315.0)
        patch.setitem(connect.__kwdefaults__, "read_seconds", 60.0)
        patch.setattr("argo_retention.adapters.kubernetes_cluster.listing.LIST_SECONDS", 120.0)
        for wire in (wires.api, wires.s3):
            wire.faults.append(HttpFault(kind="stall", method="GET", seconds=30, skip=3))
        wires.database.faults.append(TcpFault(kind="stall", trigger=b"COPY ", seconds=30))

        finished(wires.world, RETENTION_JOB, wires)

    assert len(wires.world.live()) == 2


def test_a_name_that_dns_does_not_know_is_said_and_nothing_is_done(wired: WiredWorld) -> None:
    wires = seeded(wired)
    text = wires.world.kubeconfig.read_text()
    wires.world.kubeconfig.write_text(text.replace("127.0.0.1", "nobody.invalid"))

    outcome = wires.world.run(RETENTION_JOB)

    assert not outcome.success
    assert "the name of http://nobody.invalid" in outcome.failure
    assert "DNS" in outcome.failure
    wires.world.kubeconfig.write_text(text)
    ends(wires)


def test_a_name_that_fails_in_the_middle_stops_the_run_and_the_next_one_ends_it(
    wired: WiredWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    wires = seeded(wired)
    text = wires.world.kubeconfig.read_text()
    wires.world.kubeconfig.write_text(text.replace("127.0.0.1", "localhost"))
    original = socket.getaddrinfo
    asked = 0

    def failing(host: Any, *rest: Any, **options: Any) -> Any:
        nonlocal asked
        if host == "localhost":
            asked += 1
            if asked > 3:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return original(host, *rest, **options)

    # Each answer ends its connection, so that the name is asked again.
    wires.api.faults.append(HttpFault(kind="cut_answer", method="GET", skip=4, times=50))
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", failing)
        outcome = wires.world.run(RETENTION_JOB)

    assert not outcome.success
    assert "cannot be resolved" in outcome.failure
    assert len(wires.world.live()) == 8
    ends(wires)


def test_postgresql_that_refuses_connections_in_the_middle_is_named(wired: WiredWorld) -> None:
    wires = seeded(wired)
    wires.database.faults += [
        TcpFault(kind="reset", trigger=b"COPY "),
        TcpFault(kind="refuse", follows=True, times=1000),
    ]

    outcome = wires.world.run(RETENTION_JOB)

    assert not outcome.success
    assert "PostgreSQL" in outcome.failure
    # Sessions that were open go on: how far the run gets with them is a matter of time.
    assert Oracle(wires.world).look().lost == []
    ends(wires)


def test_the_adapter_says_that_a_lost_answer_may_have_been_done(wired: WiredWorld) -> None:
    wires = seeded(wired)
    body = next(iter(wires.world.raw_live().values()))
    workflow = identify(body)
    wires.api.faults.append(HttpFault(kind="silence", times=50))
    api = connect(
        kubeconfig=str(wires.world.kubeconfig), context=None, name="seed", read_seconds=0.5
    )

    with pytest.raises(AnswerLostError, match="did not answer in time"):
        api.get_workflow(namespace=workflow.namespace, name=workflow.name)
