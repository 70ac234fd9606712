"""An HTTP server on loopback that gives the answers of a script, for what a sound S3 never answers."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; `close` ends the connection without one."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    close: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]  # lower-case names


@dataclass(slots=True, kw_only=True)
class ScriptedS3:
    """Where it is, and what it was asked."""

    endpoint: str
    requests: list[Request] = field(default_factory=list)


def error(status: int, code: str, more: str = "") -> Answer:
    """An error as S3 gives it."""
    body = f"<?xml version='1.0'?>\n<Error><Code>{code}</Code>{more}</Error>"
    return Answer(status=status, body=body.encode())


@contextmanager
def scripted_s3(answer: Callable[[Request], Answer]) -> Iterator[ScriptedS3]:
    """Run it while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(method=self.command, path=self.path, headers=headers)
            server.requests.append(request)
            given = answer(request)
            self.close_connection = given.close
            if given.close:
                return
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one  # noqa: N815  names of http.server

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = ScriptedS3(endpoint=f"http://127.0.0.1:{http.server_port}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
