"""An HTTP server that gives the answers it was told to give, in that order, and remembers what it was asked."""

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from argo_retention.adapters.kubernetes_cluster.cluster import KubernetesCluster
from argo_retention.adapters.kubernetes_cluster.connecting import connect
from argo_retention.adapters.retries import Patience
from argo_retention.demo.kube_api.process import write_kubeconfig

GOLDEN = Path(__file__).parents[2] / "testdata" / "golden" / "kube-api"
TOKEN = "a-very-secret-token"


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """One answer; `cut_after` sends so much of the body and breaks the connection, None sends all."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    #: Send neither a length nor chunks: the body ends with the connection.
    endless: bool = False
    before: Callable[[], None] = lambda: None


def golden(name: str) -> Scripted:
    """A recorded answer of the real API server."""
    answer = json.loads((GOLDEN / f"{name}.json").read_text())["response"]
    return Scripted(
        status=answer["status"], headers=answer["headers"], body=answer["body"].encode()
    )


def status(code: int, reason: str = "", message: str = "", **headers: str) -> Scripted:
    """A Status of the given code."""
    document = {"kind": "Status", "code": code, "reason": reason, "message": message}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status=code, headers=names, body=json.dumps(document).encode())


def answer(document: Any, **how: Any) -> Scripted:
    """200 with a JSON document."""
    return Scripted(body=json.dumps(document).encode(), **how)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the server was asked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class ScriptedApi:
    """Answers waiting to be given, requests that came, and seconds that the client waited in between."""

    def __init__(self) -> None:
        self.answers: deque[Scripted] = deque()
        self.requests: list[Request] = []
        self.pauses: list[float] = []
        self.url = ""

    def will_give(self, *answers: Scripted) -> None:
        self.answers.extend(answers)

    def asked(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]

    def cluster(self, folder: Path, **how: Any) -> KubernetesCluster:
        """A cluster that leads here and does not really wait."""
        kubeconfig = write_kubeconfig(
            folder / "kubeconfig", url=self.url, token=TOKEN, cluster="prod"
        )
        return connect(
            kubeconfig=str(kubeconfig),
            context=None,
            name="prod",
            patience=Patience(sleep=self.pauses.append),
            **how,
        )


@contextmanager
def scripted_api() -> Iterator[ScriptedApi]:
    api = ScriptedApi()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer_next(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            with lock:
                api.requests.append(
                    Request(
                        method=self.command,
                        path=self.path,
                        headers=dict(self.headers),
                        body=json.loads(body) if body else None,
                    )
                )
                given = api.answers.popleft()
            given.before()
            self.send_response(given.status)
            chunked = "Transfer-Encoding" in given.headers
            for name, value in given.headers.items():
                self.send_header(name, value)
            if not chunked and not given.endless and given.status != 204:
                self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            body = given.body if given.cut_after is None else given.body[: given.cut_after]
            if chunked:
                body = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
                body += b"" if given.cut_after is not None else b"0\r\n\r\n"
            # A client that has seen enough may have closed its end.
            with suppress(OSError):
                self.wfile.write(body)
                if given.cut_after is not None or given.endless:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_WR)

        do_GET = answer_next  # noqa: N815 - the names that http.server looks for
        do_DELETE = answer_next  # noqa: N815
        do_PATCH = answer_next  # noqa: N815
        do_POST = answer_next  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
