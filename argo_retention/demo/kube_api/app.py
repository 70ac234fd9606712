"""The server: an ASGI application that routes requests to the handlers.

No framework: each answer is joined from bytes that were rendered when the object was written, so
that one process keeps up with the clients that are measured against it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from argo_retention.demo.kube_api.access import Access, Action, User
from argo_retention.demo.kube_api.clock import Clock
from argo_retention.demo.kube_api.control import Control
from argo_retention.demo.kube_api.deleting import Deleter
from argo_retention.demo.kube_api.faults import Fault, Faults
from argo_retention.demo.kube_api.handlers import Handlers
from argo_retention.demo.kube_api.listing import Lister
from argo_retention.demo.kube_api.messages import (
    Receive,
    Request,
    Response,
    Scope,
    Send,
)
from argo_retention.demo.kube_api.pod_logs import PodLogs
from argo_retention.demo.kube_api.resources import PODS, discovery
from argo_retention.demo.kube_api.reviews import refuse_protobuf, review
from argo_retention.demo.kube_api.routes import Target, target_of
from argo_retention.demo.kube_api.seeding import Seeder
from argo_retention.demo.kube_api.statuses import ApiError, bad_request, forbidden, forbidden_path
from argo_retention.demo.kube_api.store import Store
from argo_retention.demo.kube_api.writing import Identities, Writer

#: Old versions are kept for lists and watches up to this size.
DEFAULT_HISTORY_BYTES = 256 * 1024 * 1024
_NO_PAGE = Response(
    status=404, body=b"404 page not found\n", content_type=b"text/plain; charset=utf-8"
)
_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})


class KubeApi:
    """The emulated server as an ASGI application."""

    def __init__(
        self,
        access: Access,
        *,
        history_bytes: int = DEFAULT_HISTORY_BYTES,
        clock: Clock | None = None,
        identities: Identities | None = None,
    ) -> None:
        self._access = access
        self._clock = clock or Clock()
        identities = identities or Identities()
        store = Store(history_bytes=history_bytes)
        lister = Lister(store)
        self._logs = PodLogs(self._clock)
        store.listen(PODS, self._logs.follow)
        self._faults = Faults()
        self._seeder = Seeder(store, self._clock, identities)
        self._handlers = Handlers(
            store=store,
            lister=lister,
            writer=Writer(store, self._clock, identities),
            deleter=Deleter(store, self._clock, _after_the_answer),
            logs=self._logs,
            clock=self._clock,
        )
        self._control = Control(
            store=store,
            lister=lister,
            logs=self._logs,
            faults=self._faults,
            seeder=self._seeder,
        )

    @classmethod
    def from_folder(cls, folder: Path, *, history_bytes: int = DEFAULT_HISTORY_BYTES) -> "KubeApi":
        """The server with the objects, logs and tokens of a folder."""
        access = Access(msgspec.json.decode((folder / "access.json").read_bytes()))
        api = cls(access, history_bytes=history_bytes)
        api._seeder.load_folder(folder, api._logs)
        return api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = await Request.read(scope, receive)
        fault: Fault | None = None
        if not request.path.startswith("/emulator/"):
            fault = self._faults.take(request, scope["query_string"].decode())
        response: Response | None = None
        if fault is not None:
            if fault.delay_ms:
                await asyncio.sleep(fault.delay_ms / 1000)
            response = fault.response()
        if response is None:
            response = self._answer(request)
        await send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": response.headers(self._clock.date_header()),
            }
        )
        if response.stream is not None:
            await _stream(response.stream, receive, send)
        elif fault is not None and fault.cut_after_bytes is not None:
            part = response.body[: fault.cut_after_bytes]
            await send({"type": "http.response.body", "body": part, "more_body": True})
            raise ConnectionAbortedError("the answer is cut off, as a fault asked for")
        else:
            await send({"type": "http.response.body", "body": response.body})

    def _answer(self, request: Request) -> Response:
        try:
            return self._route(request)
        except ApiError as error:
            return _refused(error)
        except RecursionError:
            return _refused(bad_request("the object is nested too deep to be decoded"))

    def _route(self, request: Request) -> Response:
        user = self._access.user(request.authorization)
        if request.path.startswith("/emulator/"):
            if not user.is_admin:
                raise forbidden_path(user.name, request.method.lower(), request.path)
            return self._control.answer(request)
        parts = request.parts
        if request.path in _HEALTH:
            return Response(body=b"ok", content_type=b"text/plain; charset=utf-8")
        document = discovery(parts) if request.method == "GET" else None
        if document is not None:
            if user.is_anonymous and request.path != "/version":
                raise forbidden_path(user.name, "get", request.path)
            return Response(body=msgspec.json.encode(document) + b"\n")
        if parts[-1] == "selfsubjectaccessreviews" and request.method == "POST":
            return review(user, request)
        target = target_of(parts)
        if target is None:
            if user.is_anonymous:
                raise forbidden_path(user.name, request.method.lower(), request.path)
            return _NO_PAGE
        self._authorize(user, target, request)
        refuse_protobuf(request)
        return self._handlers.answer(request, target)

    def _authorize(self, user: User, target: Target, request: Request) -> None:
        if user.is_admin:
            return
        verb = target.verb(request)
        action = Action(
            verb=verb,
            group=target.resource.group,
            resource=target.resource_path,
            namespace=target.scope,
        )
        if not user.may(action):
            raise forbidden(
                user.name,
                verb=verb,
                group=action.group,
                resource=action.resource,
                namespace=target.scope,
                name=target.name or None,
            )


def _refused(error: ApiError) -> Response:
    return Response(
        status=error.code,
        body=msgspec.json.encode(error.document()) + b"\n",
        retry_after=error.retry_after,
    )


async def _stream(stream: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """Send chunks until the stream ends or the client has gone."""

    async def pump() -> None:
        async with contextlib.aclosing(stream) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.ensure_future(pump()), asyncio.ensure_future(until_gone())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _after_the_answer(work: Callable[[], None]) -> None:
    """Run a function of the garbage collector in the next turn of the event loop."""
    asyncio.get_running_loop().call_soon(work)
