import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from argo_retention.demo import processes
from argo_retention.demo.processes import Launch, Server, ServerStartError

SHELL = ("/bin/sh", "-c")


class ShellServer(Server):
    """Runs a script; it is ready when the file `ready` stands in its folder."""

    start_timeout = 10.0

    def __init__(self, parent: Path, *scripts: str, remove: tuple[Path, ...] = ()) -> None:
        super().__init__()
        self._scripts = scripts
        self._remove = remove
        self.folder = parent / "server"

    def launch(self) -> Launch:
        self.folder.mkdir()
        return Launch(
            name="The script",
            commands=[[*SHELL, script] for script in self._scripts],
            folder=self.folder,
            log_path=self.folder / "log",
            environment={"PATH": os.defpath},
            stop_signal=signal.SIGTERM,
            remove=self._remove,
            grace_seconds=0.2,
        )

    def is_ready(self) -> bool:
        return (self.folder / "ready").exists()


def process_id(server: ShellServer) -> int:
    return int((server.folder / "pid").read_text())


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(folder: Path) -> None:
    deadline = time.monotonic() + 15
    while folder.exists():
        assert time.monotonic() < deadline, f"{folder} is still there"
        time.sleep(processes.POLL_SECONDS)


SERVE = "echo $$ > pid; touch ready; exec sleep 60"


def test_free_ports_are_distinct() -> None:
    assert len(set(processes.free_ports(50))) == 50


def test_stop_ends_the_server_and_removes_its_files(tmp_path: Path) -> None:
    outside = tmp_path / "outside.sock"
    outside.touch()
    server = ShellServer(tmp_path, SERVE, remove=(outside,)).start()
    pid = process_id(server)

    server.stop()

    assert not is_alive(pid)
    assert list(tmp_path.iterdir()) == []


def test_stop_twice_is_stop_once(tmp_path: Path) -> None:
    server = ShellServer(tmp_path, SERVE).start()

    server.stop()
    server.stop()

    assert not server.is_running()


def test_stop_before_start_does_nothing(tmp_path: Path) -> None:
    ShellServer(tmp_path, SERVE).stop()


def test_a_server_that_ignores_its_signal_is_killed(tmp_path: Path) -> None:
    server = ShellServer(tmp_path, "trap '' TERM; echo $$ > pid; touch ready; sleep 60 & wait")
    server.start()
    pid = process_id(server)

    server.stop()

    assert not is_alive(pid)


def test_commands_run_one_after_the_other(tmp_path: Path) -> None:
    with ShellServer(tmp_path, "echo one > first", f"cat first; {SERVE}") as server:
        assert (server.folder / "log").read_text() == "one\n"


def test_a_server_that_fails_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    server = ShellServer(tmp_path, "echo no space left; exit 3", SERVE)

    with pytest.raises(ServerStartError, match=r"The script ended .*\n.*no space left"):
        server.start()

    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_ready_in_time_is_stopped(tmp_path: Path) -> None:
    server = ShellServer(tmp_path, "echo thinking; exec sleep 60")
    server.start_timeout = 0.2

    with pytest.raises(ServerStartError, match=r"not ready after 0\.2 seconds"):
        server.start()

    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_tried_again(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"test -e {mark} || {{ touch {mark}; echo 'bind: Address already in use'; exit 1; }}"

    with ShellServer(tmp_path, script, SERVE) as server:
        assert server.is_running()


def test_a_port_that_is_always_taken_is_an_error(tmp_path: Path) -> None:
    server = ShellServer(tmp_path, "echo 'bind: address already in use'; exit 1")

    with pytest.raises(ServerStartError, match="address already in use"):
        server.start()


KILLED_PARENT = """
import os, signal, sys
from pathlib import Path
from {module} import {name}

server = {name}(Path(sys.argv[1])).start()
print({address}, server.log_path.parent, flush=True)
sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("module", "name", "address"),
    [
        ("argo_retention.demo.postgres_server", "PostgresServer", "server.port"),
        ("argo_retention.demo.s3_server", "S3Server", "server.endpoint.rpartition(':')[2]"),
    ],
    ids=["postgres", "s3"],
)
def test_a_killed_parent_leaves_no_process_and_no_file(
    tmp_path: Path, module: str, name: str, address: str
) -> None:
    script = KILLED_PARENT.format(module=module, name=name, address=address)
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    port, folder = parent.stdout.readline().split()
    assert Path(folder).exists()

    parent.communicate("", timeout=10)

    assert parent.returncode == -signal.SIGKILL
    wait_until_gone(Path(folder))
    # The folder is removed after the server has ended.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((processes.LOOPBACK, int(port)))
