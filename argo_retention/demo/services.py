"""Dagster's webserver and daemon, started as a real installation starts them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

from argo_retention.demo.processes import free_ports

START_SECONDS = 90
STOP_SECONDS = 15


@contextmanager
def dagster_services(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Start both and wait until the UI answers; its address. Both are stopped at the end."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    commands = service_commands(environment, port=port)
    with ExitStack() as stack:
        processes = []
        for name, arguments in commands.items():
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(
                arguments,
                env={**os.environ, **environment},
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C comes to us first; we stop them in order
            )
            stack.callback(_stop, process)
            processes.append(process)
        wait_until_ready(address, processes, folder)
        yield address


def service_commands(environment: Mapping[str, str], *, port: int) -> dict[str, list[str]]:
    """What starts the webserver and the daemon of a DAGSTER_HOME that `write_dagster_home` wrote."""
    workspace = str(Path(environment["DAGSTER_HOME"]) / "workspace.yaml")
    binaries = Path(sys.executable).parent
    return {
        "webserver": [
            str(binaries / "dagster-webserver"),
            *("-h", "127.0.0.1", "-p", str(port), "-w", workspace),
        ],
        "daemon": [str(binaries / "dagster-daemon"), "run", "-w", workspace],
    }


def wait_until_ready(
    address: str, processes: Sequence[subprocess.Popen[bytes]], folder: Path
) -> None:
    """Return when the UI answers; RuntimeError with the end of webserver.log when it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in processes):
            break
        with suppress(OSError), urlopen(f"{address}/server_info", timeout=5):  # noqa: S310
            return
        time.sleep(0.3)
    tail = (folder / "webserver.log").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"Dagster's webserver did not come up at {address}:\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
