"""Children forked by a server that has imported everything: a command or a death costs no import of Dagster."""

import multiprocessing
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

SECONDS = 100.0


def fork(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Started already."""
    context = _context()
    child: BaseProcess = context.Process(target=target, args=arguments)
    child.start()
    return child


def pipe() -> Any:
    """(reader, writer) to a child."""
    return _context().Pipe(duplex=False)


def run_command(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """`argo-retention` with these arguments in a process of its own: exit code, stdout and stderr.

    `environment` is added to that of now.
    """
    environment = {**os.environ, **environment}
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name) / "out", Path(name) / "err"
        child = fork(_command, list(arguments), environment, str(out), str(err))
        child.join(SECONDS)
        if child.exitcode is None:
            child.kill()
            raise subprocess.TimeoutExpired(list(arguments), SECONDS)
        return subprocess.CompletedProcess(
            list(arguments), child.exitcode, out.read_text(), err.read_text()
        )


def _command(arguments: list[str], environment: dict[str, str], out: str, err: str) -> None:
    for number, path in ((1, out), (2, err)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    from argo_retention.cli.main import main

    main(arguments)


def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.warm"])
    return context
