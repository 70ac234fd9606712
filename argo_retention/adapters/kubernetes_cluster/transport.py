"""Requests on the client's connection pool, with its credentials, and nothing decoded on the way.

The lean path of this adapter: one urllib3 call for a request; `many` is for those that are sent by the
thousand. Retries are ours and not urllib3's, because what changes something must not be repeated as a GET may
be, and because the waiting is an argument.
"""

import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from argo_retention.adapters.kubernetes_cluster.answers import (
    Answer,
    AnswerLostError,
    Attempt,
    BusyError,
    ConnectionCutError,
    asked_pause,
    broken,
    lost,
    refusal,
)
from argo_retention.adapters.kubernetes_cluster.many import Connecting, ManyRequests
from argo_retention.adapters.retries import Patience
from argo_retention.errors import ClusterError, ConfigurationError

JSON = "application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
CHUNK = 64 * 1024
CONNECT_SECONDS = 5.0
IN_FLIGHT = 32  # of requests that are sent as many
READ_SECONDS = 60.0
LIST_SECONDS = 120.0
#: Bytes a second: an answer that is slower on average, once the first wait is over, is given up. A server
#: that sends a byte now and then would never meet a limit for silence.
SLOWEST = 1024
#: A failure's body is read so far and no further; a Status is smaller.
REFUSAL_LIMIT = 64 * 1024
#: The client's hook renews a token minutes before it ends; asking it for every request costs a lock for each.
CREDENTIALS_SECONDS = 15.0


class Credentials:
    """The Authorization header as the client gives it, asked for every few seconds by one thread."""

    def __init__(
        self, current: Callable[[], str | None], *, timer: Callable[[], float] = time.monotonic
    ) -> None:
        """`current` returns the header's value, or None without a token; it may run a plugin."""
        self._current = current
        self._timer = timer
        self._lock = threading.Lock()
        # Replaced as one, so that a request reads it without the lock.
        self._known: tuple[Mapping[str, str], float] = ({}, float("-inf"))

    def headers(self) -> Mapping[str, str]:
        """The headers that say who we are.

        Raises:
            ConfigurationError: The token holds characters that no header may hold.
        """
        headers, until = self._known
        if self._timer() < until:
            return headers
        with self._lock:
            headers, until = self._known
            if self._timer() >= until:  # no other thread asked meanwhile
                headers = self._ask()
                self._known = (headers, self._timer() + CREDENTIALS_SECONDS)
            return headers

    def _ask(self) -> Mapping[str, str]:
        value = (self._current() or "").strip()
        # http.client would refuse such a header, and print it.
        if not (value.isascii() and (value.isprintable() or not value)):
            raise ConfigurationError(
                "The token for the Kubernetes API holds a line break or a character that is not ASCII.\n"
                "Write the file or the kubeconfig's user again; the token must be one line."
            )
        return {"Authorization": value} if value else {}


class Transport:
    """One API server: address, connections, credentials, deadlines. Threads may share it."""

    def __init__(
        self,
        *,
        name: str,
        server: str,
        pool_manager: urllib3.PoolManager,
        credentials: Credentials,
        patience: Patience,
        connecting: Connecting,
        read_seconds: float = READ_SECONDS,
        limit_seconds: float = math.inf,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` is the cluster's, for messages; `server` the URL, perhaps with a path.

        `connecting` says the same as the pool manager, for many requests at once. After `limit_seconds`
        nothing is sent any more, and what is under way is given up.
        """
        self.name = name
        self._timer = timer
        self._limit_seconds = limit_seconds
        self._until = timer() + limit_seconds
        self.patience = patience
        self.read_seconds = read_seconds
        self._server = server.rstrip("/")
        self._pool_manager = pool_manager
        # The manager looks its one pool up for each request, a tenth of what a request costs; only
        # behind a proxy it does more than that.
        self._pool: urllib3.PoolManager | urllib3.HTTPConnectionPool = pool_manager
        self._root = self._server
        if pool_manager.proxy is None:
            self._pool = pool_manager.connection_from_url(self._server)
            self._root = urlsplit(self._server).path
        self._credentials = credentials
        self.many = ManyRequests(
            server=self._server,
            address=self.address,
            connecting=connecting,
            headers=credentials.headers,
            in_flight=IN_FLIGHT,
            connect_seconds=CONNECT_SECONDS,
            read_seconds=read_seconds,
        )

    @property
    def address(self) -> str:
        """The server as messages name it: no user, no path."""
        parts = urlsplit(self._server)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}"

    @property
    def fingerprint(self) -> str:
        """Digest of the whole URL, which behind some proxies is all that tells clusters apart."""
        return hashlib.sha256(self._server.encode()).hexdigest()[:16]

    def attempt(
        self, verb: str, group: str, resource: str, namespace: str | None, name: str | None = None
    ) -> Attempt:
        """What is about to be asked, for messages."""
        return Attempt(
            cluster=self.name,
            verb=verb,
            group=group,
            resource=resource,
            namespace=namespace,
            name=name,
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        attempt: Attempt,
        accept: str = JSON,
        body: bytes | None = None,
        content_type: str = JSON,
        seconds: float | None = None,
    ) -> Answer:
        """Send once and read the whole answer, whatever its status.

        Raises:
            ClusterError: No (whole) answer came; its class says whether the request was sent.
        """
        headers = {"Accept": accept, **self._credentials.headers()}
        if body is not None:
            headers["Content-Type"] = content_type
        response = self._open(
            method, path, attempt=attempt, headers=headers, body=body, seconds=seconds
        )
        whole = b"".join(
            self._pieces(response, attempt=attempt, grace=self._wait(seconds), decode=True)
        )
        return Answer(status=response.status, headers=response.headers, body=whole)

    def ask(
        self,
        path: str,
        *,
        attempt: Attempt,
        accept: str = JSON,
        query: Mapping[str, str] | None = None,
        seconds: float | None = None,
        post: bytes | None = None,
    ) -> Answer:
        """Ask for something that changes nothing: sent again after what is transient.

        Any answer but 2xx and 404 raises; the caller judges a 404.

        Raises:
            ClusterForbiddenError: 401 or 403.
            ClusterError: Any other refusal, or no answer.
        """
        target = f"{path}?{urlencode(query)}" if query else path

        def once() -> Answer:
            answer = self.send(
                "GET" if post is None else "POST",
                target,
                attempt=attempt,
                accept=accept,
                body=post,
                seconds=seconds,
            )
            if answer.status // 100 == 2 or answer.status == HTTPStatus.NOT_FOUND:
                return answer
            raise refusal(answer, attempt)

        return self.repeated(once)

    def repeated(self, once: Callable[[], Answer]) -> Answer:
        """Do again, after what is transient, what changes nothing or does nothing the second time."""
        return self.patience.retry(
            once, transient=(BusyError, ConnectionCutError), asked=asked_pause
        )

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        attempt: Attempt,
        query: Mapping[str, str],
        accept: str,
        seconds: float,
    ) -> Iterator[BaseHTTPResponse]:
        """The answer with its body unread; what stays unread costs the connection, nothing else."""
        response = self._open(
            "GET",
            f"{path}?{urlencode(query)}",
            attempt=attempt,
            headers={"Accept": accept, **self._credentials.headers()},
            body=None,
            seconds=seconds,
        )
        try:
            yield response
        finally:
            response.close()

    def chunks(
        self, response: BaseHTTPResponse, *, attempt: Attempt, quiet_seconds: float | None = None
    ) -> Iterator[bytes]:
        """The body in pieces; a body that ends before its end raises ConnectionCutError.

        It may be as long as it likes, but not slower than SLOWEST; so many seconds may pass without a byte.
        """
        grace = self._wait(quiet_seconds)
        return self._pieces(response, attempt=attempt, grace=grace, decode=False)

    def _pieces(
        self, response: BaseHTTPResponse, *, attempt: Attempt, grace: float, decode: bool
    ) -> Iterator[bytes]:
        begun = self._timer()
        got = 0
        try:
            while piece := response.read1(CHUNK, decode_content=decode):
                got += len(piece)
                now = self._timer()
                if now >= self._until:
                    raise self._over(attempt)
                if now - begun > grace + got / SLOWEST:
                    response.close()
                    found = f"{got} bytes in {now - begun:.0f} s"
                    raise lost(AnswerLostError, "slow", attempt, self.address, found)
                yield piece
        except HTTPError as error:
            if self._timer() >= self._until:
                raise self._over(attempt) from error
            raise broken(error, attempt, self.address) from error
        response.release_conn()

    def _wait(self, seconds: float | None) -> float:
        """How long a silence may last: as asked, and no longer than there is time left."""
        return min(seconds or self.read_seconds, max(self._until - self._timer(), 0.01))

    def _over(self, attempt: Attempt) -> ClusterError:
        found = f"{self._limit_seconds:.0f} s"
        return lost(AnswerLostError, "limit", attempt, self.address, found)

    def refusal_of(self, response: BaseHTTPResponse, *, attempt: Attempt) -> Answer:
        """The answer of a stream that is not a stream, read as far as a Status goes."""
        try:
            body = response.read(REFUSAL_LIMIT)
        except HTTPError as error:
            raise broken(error, attempt, self.address) from error
        return Answer(status=response.status, headers=response.headers, body=body)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.many.close()
        self._pool_manager.clear()

    def _open(
        self,
        method: str,
        path: str,
        *,
        attempt: Attempt,
        headers: Mapping[str, str],
        body: bytes | None,
        seconds: float | None,
    ) -> BaseHTTPResponse:
        if self._timer() >= self._until:
            raise self._over(attempt)
        try:
            return self._pool.urlopen(
                method,
                self._root + path,
                headers=headers,
                body=body,
                timeout=urllib3.Timeout(
                    connect=min(CONNECT_SECONDS, self._wait(seconds)), read=self._wait(seconds)
                ),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except HTTPError as error:
            if self._timer() >= self._until:
                raise self._over(attempt) from error
            raise broken(error, attempt, self.address) from error
