"""Requests and answers between the server's handlers and ASGI."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = b"application/json"
#: `/bearer/TOKEN/api/...` is `/api/...` with that token: kubectl sends no Authorization header to
#: a server without TLS, but it keeps to the path in the server's URL.
TOKEN_PATH = "/bearer/"  # noqa: S105 - a path, not a token


class Form(Enum):
    """What a client wants objects rendered as."""

    FULL = auto()
    METADATA = auto()
    TABLE = auto()

    @classmethod
    def from_accept(cls, accept: bytes) -> "Form":
        """The first form that the Accept header names and the server knows."""
        if b";as=" in accept:
            for choice in accept.split(b","):
                if b"as=PartialObjectMetadata" in choice:
                    return cls.METADATA
                if b"as=Table" in choice and b"v=v1beta1" not in choice:
                    return cls.TABLE
                if b";as=" not in choice:
                    return cls.FULL
        return cls.FULL


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request, read whole."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    authorization: bytes | None = field(repr=False)
    accept: bytes
    content_type: str

    @property
    def parts(self) -> list[str]:
        """The path without its slashes."""
        return self.path.strip("/").split("/")

    @property
    def form(self) -> Form:
        """How objects are to be rendered."""
        return Form.from_accept(self.accept)

    @property
    def is_watch(self) -> bool:
        """Whether a list is to go on as a watch."""
        return self.query.get("watch") in {"true", "1"}

    @property
    def is_dry_run(self) -> bool:
        """Whether the query asks for no change; deletions have their own rule."""
        return self.query.get("dryRun") == "All"

    @classmethod
    async def read(cls, scope: Scope, receive: Receive) -> "Request":
        """Take a request from ASGI."""
        headers = dict(scope["headers"])
        body = b""
        # A GET has no body; not waiting for it leaves `receive` to watches.
        while scope["method"] != "GET":
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        query = scope["query_string"].decode()
        path, authorization = scope["path"], headers.get(b"authorization")
        if path.startswith(TOKEN_PATH):
            token, _, rest = path.removeprefix(TOKEN_PATH).partition("/")
            path, authorization = f"/{rest}", f"Bearer {token}".encode()
        return cls(
            method=scope["method"],
            path=path,
            query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
            body=body,
            authorization=authorization,
            accept=headers.get(b"accept", b""),
            content_type=headers.get(b"content-type", JSON).decode().partition(";")[0],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """An answer that is known whole, or a stream of chunks."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = JSON
    retry_after: int | None = None
    stream: AsyncIterator[bytes] | None = None

    def headers(self, date: bytes) -> list[tuple[bytes, bytes]]:
        """The headers; each answer carries the server's time."""
        headers = [(b"date", date)]
        if self.status != 204:
            headers.append((b"content-type", self.content_type))
            if self.stream is None:
                headers.append((b"content-length", str(len(self.body)).encode()))
        if self.retry_after is not None:
            headers.append((b"retry-after", str(self.retry_after).encode()))
        return headers
