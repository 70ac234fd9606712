"""A stand-in for the kubelet of a node: the API server asks it for the logs of pods, and for nothing else."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Kubelet:
    """Answers `/containerLogs/NAMESPACE/POD/CONTAINER` over TLS on loopback."""

    def __init__(self, certificate: Path, key: Path) -> None:
        logs: dict[tuple[str, str, str], bytes] = {}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = tuple(self.path.partition("?")[0].strip("/").split("/"))
                body = logs.get(parts[1:], b"") if parts[0] == "containerLogs" else None  # type: ignore[call-overload]
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.logs = logs
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
