"""Runs one server for a parent process and cleans up after both, however either of them ends.

Started as `python -I -S guardian.py SPEC` with a pipe as standard input. The pipe is the life of the
parent: when it closes (`stop()`, exit, SIGKILL), the server is stopped and its files are removed. A flag
set by prctl alone would not do: it cannot remove files, and does not exist on macOS.

Standard library only: it runs without the environment's packages, so that it starts in a few milliseconds.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.1


def dies_with_guardian(stop_signal: int) -> Callable[[], None]:
    """A hook for the child, in case the guardian itself is killed.

    `subprocess` runs the hook after it has changed the user, which would have cleared the flag.
    """

    def hook() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, stop_signal)

    return hook


def parent_is_gone(parent: int) -> bool:
    """Waits for a moment; true as soon as the parent has closed the pipe or has died.

    The parent's id is looked at as well, because a forked child of the parent may hold the pipe open.
    """
    closed, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
    return bool(closed) or os.getppid() != parent


def run(command: list[str], spec: dict[str, Any], parent: int) -> int | None:
    """Runs one command; its exit code, or None if it was stopped because the parent is gone."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        cwd=spec["folder"],
        user=spec["user"],
        group=spec["group"],
        extra_groups=None if spec["user"] is None else [],
        preexec_fn=dies_with_guardian(spec["stop_signal"]),  # noqa: PLW1509  (one thread only)
    )
    try:
        while child.poll() is None:
            if parent_is_gone(parent):
                return None
        return child.returncode
    finally:
        if child.poll() is None:
            child.send_signal(spec["stop_signal"])
            try:
                child.wait(spec["grace_seconds"])
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def main() -> int:
    """Runs the commands one after the other; the exit code of the first that failed, else 0."""
    spec = json.loads(sys.argv[1])
    parent = spec["parent"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for command in spec["commands"]:
            code = run(command, spec, parent)
            if code != 0:
                return 0 if code is None else 1
        return 0
    finally:
        for name in spec["remove"]:
            Path(name).unlink(missing_ok=True)
        shutil.rmtree(spec["folder"], ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
