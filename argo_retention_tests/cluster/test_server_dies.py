"""P7: API server and etcd are killed under a run, and come back with what they had."""

from dataclasses import replace
from pathlib import Path

import pytest

from argo_retention.defs.jobs import RETENTION_JOB
from argo_retention.operations.pacing import Pace
from argo_retention_tests.cluster.seeding import RealServers, put_role
from argo_retention_tests.cluster.server import RealServer
from argo_retention_tests.e2e.oracle import NOTHING, Oracle
from argo_retention_tests.e2e.worlds import seed_world

SLOWLY = {"brakes": {"per_second": 4}}


@pytest.mark.parametrize("turn", [1, 4])
def test_p7_a_server_that_was_killed_between_two_deletes_is_worked_on_where_it_was(
    servers: RealServers,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    turn: int,
) -> None:
    with RealServer(tmp_path_factory.mktemp("killed")) as server:
        put_role(server)
        own = replace(servers, server=server)
        with seed_world(own, tmp_path, hello_worlds=8, keep_count=2, **SLOWLY) as world:
            original = Pace.turn
            turns = 0

            def counted(pace: Pace) -> float:
                nonlocal turns
                turns += 1
                if turns == turn:
                    server.kill()
                return original(pace)

            with monkeypatch.context() as patched:
                patched.setattr(Pace, "turn", counted)

                broken = world.run(RETENTION_JOB)

            assert broken.exit_code == 1
            server.start()
            assert 2 < len(world.live()) <= 8
            assert len(world.rows()) == 8
            world.forget_the_dead()
            world.succeed(RETENTION_JOB)
            assert (len(world.live()), len(world.rows()), len(world.objects())) == (2, 8, 8)
            assert Oracle(world).look() == NOTHING
