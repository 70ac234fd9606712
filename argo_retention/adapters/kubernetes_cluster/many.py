"""Many small requests at once, from one thread: what a pool of threads pays for each is half of a request.

The library is the one of the official client's own asyncio half. It is imported with the first request, so
that a run that deletes nothing does not pay for it.
"""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from urllib3.util.ssl_ import create_urllib3_context

from argo_retention.adapters.kubernetes_cluster.answers import (
    Answer,
    AnswerLostError,
    Attempt,
    ConnectionCutError,
    UnreachableError,
    lost,
    shorten,
)
from argo_retention.errors import ClusterError

if TYPE_CHECKING:
    import aiohttp

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """How the server is reached, as the kubeconfig says."""

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    verify: bool = True
    server_name: str | None = None  # instead of the address's, in TLS
    proxy: str | None = None
    proxy_headers: Mapping[str, str] | None = None

    def tls(self) -> ssl.SSLContext:
        """Made as the other connections are made; raises OSError for a file that cannot be read."""
        context = create_urllib3_context(
            cert_reqs=ssl.CERT_REQUIRED if self.verify else ssl.CERT_NONE
        )
        context.check_hostname = self.verify
        if self.ca_file:
            context.load_verify_locations(cafile=self.ca_file)
        else:
            context.load_default_certs()
        if self.certificate_file:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context


class ManyRequests:
    """An event loop in a thread of its own; made by the first request, ended by `close`."""

    def __init__(
        self,
        *,
        server: str,
        address: str,
        connecting: Connecting,
        headers: Callable[[], Mapping[str, str]],
        in_flight: int,
        connect_seconds: float,
        read_seconds: float,
    ) -> None:
        """`server` is a URL, perhaps with a path; `address` names it in messages; `headers`: who we are."""
        self._server = server
        self._address = address
        self._connecting = connecting
        self._headers = headers
        self._in_flight = in_flight
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: aiohttp.ClientSession | None = None
        # For what one answer needs besides: it may wait, and ask again.
        self._helpers = ThreadPoolExecutor(in_flight, thread_name_prefix="after-answer")

    @property
    def in_flight(self) -> int:
        """How many requests are sent at once at most."""
        return self._in_flight

    def run(self, work: Callable[[], Awaitable[Value]]) -> Value:
        """The result of a coroutine; the calling thread waits for it.

        An interruption of the calling thread cancels it: a request that is under way may be carried out.
        """

        async def awaited() -> Value:
            return await work()

        future = asyncio.run_coroutine_threadsafe(awaited(), self._running_loop())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def elsewhere(self, call: Callable[[], Value]) -> Value:
        """The result of something that waits, from another thread."""
        return await asyncio.get_running_loop().run_in_executor(self._helpers, call)

    async def send(
        self, method: str, path: str, *, attempt: Attempt, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Send and read the whole answer, whatever its status.

        A kept connection that the server closed meanwhile is replaced and the request sent again, which is
        harmless only for requests that name the version they mean.

        Raises:
            ClusterError: No (whole) answer came; its class says whether the request was sent.
        """
        import aiohttp  # noqa: PLC0415 - 0.3 s
        import yarl  # noqa: PLC0415

        url = yarl.URL(self._server + path, encoded=True)  # nothing in it is to be resolved
        try:
            async with self._opened().request(
                method,
                url,
                data=body,
                headers={**headers, **self._headers()},
                allow_redirects=False,
                proxy=self._connecting.proxy,
                proxy_headers=self._connecting.proxy_headers,
                server_hostname=self._connecting.server_name,
            ) as response:
                return Answer(
                    status=response.status, headers=response.headers, body=await response.read()
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._broken(error, attempt) from error

    def close(self) -> None:
        """End the thread and its connections."""
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._close_session(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
        self._helpers.shutdown(wait=False)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # A daemon: a run that is killed in the middle must not wait for its requests.
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="many-requests", daemon=True
                )
                self._thread.start()
            return self._loop

    def _opened(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp  # noqa: PLC0415

            # The proxy is chosen by whoever made us, so the environment is not asked a second time.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._in_flight, ssl=self._connecting.tls()),
                timeout=aiohttp.ClientTimeout(
                    total=2 * self._read_seconds,  # however slowly an answer drips in
                    sock_connect=self._connect_seconds,
                    sock_read=self._read_seconds,
                ),
                trust_env=False,
            )
        return self._session

    async def _close_session(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _broken(self, error: Exception, attempt: Attempt) -> ClusterError:
        import aiohttp  # noqa: PLC0415

        server = self._address
        match error:
            case aiohttp.ClientConnectorDNSError():
                return lost(UnreachableError, "name", attempt, server)
            case aiohttp.ClientSSLError() | ssl.SSLError():
                return lost(UnreachableError, "tls", attempt, server, shorten(str(error)))
            case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
                return lost(UnreachableError, "proxy", attempt, server)
            case aiohttp.ConnectionTimeoutError():
                return lost(UnreachableError, "connect-time", attempt, server)
            case aiohttp.ClientConnectorError():
                return lost(
                    UnreachableError, "refused", attempt, server, shorten(str(error.os_error))
                )
            case TimeoutError():
                return lost(AnswerLostError, "read-time", attempt, server)
            case aiohttp.ServerConnectionError() | aiohttp.ClientPayloadError() | OSError():
                return lost(ConnectionCutError, "cut", attempt, server)
        return lost(AnswerLostError, "", attempt, server, type(error).__name__)
