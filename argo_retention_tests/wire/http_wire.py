"""A small HTTP proxy on loopback that does to requests and answers what networks and load balancers do."""

import re
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec
import urllib3

from argo_retention.demo.listener import end, reset
from argo_retention_tests.wire.wires import Spoilt

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}
CHUNK = 64 * 1024
SLOW_BYTES_PER_SECOND = 10 * 1024
#: A connection that is never answered is let go when the test ends, or after this.
LONGEST_SILENCE = 120.0


@dataclass(kw_only=True)
class HttpFault:
    """What happens to the requests that it meets; those before `skip` and after `times` go through.

    kind is one of: status, reset (before the server sees it), cut_request (in the middle of its body),
    lose_answer (it is carried out; the connection ends), cut_answer (in the middle of the body), reset_answer
    (the same, by RST), truncate (a shorter body, well framed), silence (no answer), stall (late), slow,
    page_again, page_missing, dead_token, empty_list.
    """

    kind: str
    method: str = ""
    path: str = ""
    skip: int = 0
    times: int = 1
    status: int = 0
    retry_after: int | None = None
    seconds: float = 0.0
    met: int = field(default=0, init=False)

    def meets(self, method: str, target: str) -> bool:
        """Whether it is this one's turn; each call counts."""
        if (self.method and self.method != method) or not re.search(self.path, target):
            return False
        if self.kind in {"page_again", "page_missing", "dead_token"} and "continue=" not in target:
            return False
        self.met += 1
        return self.skip < self.met <= self.skip + self.times

    def __str__(self) -> str:
        what = f"{self.kind} {self.status}" if self.status else self.kind
        return f"{what} of {self.method or 'any'} {self.path} after {self.skip}, {self.times} times"


class HttpWire(Spoilt[HttpFault]):
    """Forwards HTTP from a free port to a server; `faults` may be changed at any time."""

    def __init__(
        self,
        target: str,
        *,
        refusal: Callable[[int], tuple[str, bytes]],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`target` is `http://host:port`; `refusal` gives content type and body of a status."""
        super().__init__()
        self.target = target
        self.refusal = refusal
        self.upstream = urllib3.PoolManager(maxsize=64, retries=False)
        #: (method, path, headers, body) → headers of a 200 in the server's place, or None.
        self.instead: Callable[[str, str, Any, bytes], dict[str, str] | None] = lambda *_: None
        self.last_page: dict[str, bytes] = {}
        handler = type("Handler", (_Handler,), {"wire": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.tls = tls
        self._server.tls = self
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def fault_for(self, method: str, target: str) -> HttpFault | None:
        """The first fault whose turn it is."""
        with self.lock:
            for fault in self.faults:
                if fault.meets(method, target):
                    self.done.append(f"{fault} ({method} {target})")
                    return fault
        return None

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self.upstream.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    tls: HttpWire

    def finish_request(self, request: Any, client_address: Any) -> None:
        context = self.tls.tls  # asked for each connection: a certificate may be changed
        if context is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(10)
        with context.wrap_socket(request, server_side=True) as wrapped:
            wrapped.settimeout(None)
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went, or one that does not like our certificate, is what is tested."""


class _CutError(Exception):
    """The connection is to end here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wire: HttpWire
    disable_nagle_algorithm = True

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        try:
            self._answer()
        except _CutError:
            self.close_connection = True
        except (OSError, urllib3.exceptions.HTTPError):
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _serve  # noqa: N815

    def _answer(self) -> None:
        fault = self.wire.fault_for(self.command, self.path)
        length = int(self.headers.get("Content-Length") or 0)
        kind = fault.kind if fault is not None else ""
        if kind == "reset":
            self._reset()
        if kind == "cut_request":
            self.rfile.read(length // 2)
            self._reset()
        body = self._body(length)
        given = self.wire.instead(self.command, self.path, self.headers, body)
        if given is not None:
            self.send_response_only(200)
            for name, value in {**given, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()
            return
        if fault is not None and kind in {"status", "dead_token"}:
            self._refuse(410 if kind == "dead_token" else fault.status, fault.retry_after)
            return
        if fault is not None and kind == "stall":
            self.wire.wait(fault.seconds)
        if kind == "silence":
            self.wire.wait(LONGEST_SILENCE)
            raise _CutError
        answer = self._ask(self.path, body)
        if kind == "lose_answer":
            answer.read()
            raise _CutError
        if not kind or kind == "stall":
            self._pass_on(answer)
            return
        self._spoil(kind, answer, body)

    def _body(self, length: int) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(length)
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _ask(self, target: str, body: bytes) -> Any:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        headers["Content-Length"] = str(len(body))
        if self.command in {"GET", "HEAD"} and not body:
            del headers["Content-Length"]
        return self.wire.upstream.request(
            self.command,
            f"{self.wire.target}{target}",
            body=body or None,
            headers=headers,
            preload_content=False,
            decode_content=False,
            redirect=False,
        )

    def _head(self, answer: Any, length: int | None) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        elif self.command != "HEAD" and answer.status != 204:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _pass_on(self, answer: Any) -> None:
        """Stream the answer; a watch is passed on as it comes."""
        told = answer.headers.get("Content-Length")
        self._head(answer, int(told) if told is not None else None)
        if self.command == "HEAD" or answer.status == 204:
            answer.release_conn()
            return
        if told is not None:
            body = answer.read()
            self._remember(body)
            self.wfile.write(body)
            return
        while data := answer.read1(CHUNK):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _remember(self, body: bytes) -> None:
        if "limit=" in self.path:
            self.wire.last_page[self.path.partition("?")[0]] = body

    def _spoil(self, kind: str, answer: Any, body: bytes) -> None:
        data = answer.read()
        if kind == "empty_list":
            data = EMPTY_LIST
        if kind == "page_again":
            data = self.wire.last_page.get(self.path.partition("?")[0], data)
        elif kind == "page_missing":
            data = self._next_page(data, body)
        if kind == "truncate":
            data = data[: len(data) // 2]
        self._head(answer, len(data))
        if self.command == "HEAD":
            return
        if kind in {"cut_answer", "reset_answer"}:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            if kind == "reset_answer":
                self._reset()
            raise _CutError
        if kind == "slow":
            self._write_slowly(data)
            return
        self.wfile.write(data)

    def _next_page(self, data: bytes, body: bytes) -> bytes:
        """The page after this one, in its place."""
        meta = msgspec.json.decode(data).get("metadata") or {}
        token = meta.get("continue")
        if not token:
            return data
        target = re.sub(r"continue=[^&]*", f"continue={token}", self.path)
        following: bytes = self._ask(target, body).read()
        return following

    def _write_slowly(self, data: bytes) -> None:
        step = SLOW_BYTES_PER_SECOND // 10
        for start in range(0, len(data), step):
            self.wfile.write(data[start : start + step])
            self.wfile.flush()
            self.wire.wait(0.1)

    def _refuse(self, status: int, retry_after: int | None) -> None:
        content_type, body = self.wire.refusal(status)
        self.send_response_only(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        reset(self.connection)
        end(self.connection)
        raise _CutError


EMPTY_LIST = (
    b'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult'
    b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><Prefix></Prefix>'
    b"<KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>"
)
REASONS = {
    408: "Timeout",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
S3_CODES = {
    408: "RequestTimeout",
    409: "OperationAborted",
    429: "TooManyRequests",
    500: "InternalError",
    503: "SlowDown",
}


def kubernetes_refusal(status: int) -> tuple[str, bytes]:
    """A Status as the API server gives it."""
    document = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "the wire says so",
        "reason": REASONS.get(status, "InternalError"),
        "code": status,
    }
    return "application/json", msgspec.json.encode(document)


def s3_refusal(status: int) -> tuple[str, bytes]:
    """An Error document as S3 gives it."""
    code = S3_CODES.get(status, "InternalError")
    text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>the wire</Message></Error>'
    return "application/xml", text.encode()


def paths_met(done: Sequence[str]) -> str:
    """For a failing test's message."""
    return "; ".join(done) or "no fault was met"
