"""The emulator as a child process, and a kubeconfig that leads to it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from argo_retention.demo.kube_api.messages import TOKEN_PATH

_POLL_SECONDS = 0.02
_STOP_SECONDS = 5.0
#: Of the log, shown when the process does not start.
_LOG_TAIL = 2000


class KubeApiStartError(Exception):
    """The emulator did not start."""


class KubeApiProcess:
    """One emulator in a process of its own; it ends with this process at the latest."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """Where it serves, `http://127.0.0.1:PORT`."""
        return self._url

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return None if self._child is None else self._child.pid

    def start(self, state_dir: Path, *, port: int = 0, timeout_seconds: float = 30.0) -> Self:
        """Start it on the files of a folder, and wait until it serves.

        Its output goes to `kube-api.log` in the folder.

        Raises:
            KubeApiStartError: it ended, or was not ready in time.
        """
        ready_file = state_dir / "kube-api.ready"
        ready_file.unlink(missing_ok=True)
        log_path = state_dir / "kube-api.log"
        with log_path.open("ab") as log:
            self._child = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "argo_retention.demo.kube_api",
                    "--state",
                    str(state_dir),
                    "--port",
                    str(port),
                    "--ready-file",
                    str(ready_file),
                    "--until-input-ends",
                ],
                # It closes when this process dies in whatever way, and the child then stops.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the parent, which then stops its children in order.
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout_seconds
        while not ready_file.exists():
            if self._child.poll() is not None or time.monotonic() > deadline:
                code = self._child.poll()
                self.stop()
                why = "was not ready in time" if code is None else f"ended with code {code}"
                tail = log_path.read_text(errors="replace")[-_LOG_TAIL:]
                raise KubeApiStartError(
                    f"The emulated Kubernetes API on {state_dir} {why}; its log ends: {tail}"
                )
            time.sleep(_POLL_SECONDS)
        self._url = ready_file.read_text()
        return self

    def stop(self) -> None:
        """End it, politely at first; harmless when it has ended."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()

    def __enter__(self) -> Self:
        """Give itself; `start` is called by the block."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()


def write_kubeconfig(
    path: Path,
    *,
    url: str,
    token: str,
    cluster: str,
    namespace: str = "default",
    for_kubectl: bool = False,
) -> Path:
    """Write a kubeconfig with one context, named as the cluster; readable by its owner only.

    kubectl sends a token over TLS only, which the emulator does not speak; `for_kubectl` puts the
    token into the path of the server's URL instead.
    """
    if for_kubectl:
        url = f"{url}{TOKEN_PATH}{token}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": url}}],
        "users": [{"name": cluster, "user": {"token": token}}],
        "contexts": [
            {
                "name": cluster,
                "context": {"cluster": cluster, "user": cluster, "namespace": namespace},
            }
        ],
        "current-context": cluster,
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(document, file, sort_keys=False)
    return path
