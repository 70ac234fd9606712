"""Speaks ASGI to an emulator in this process: no socket, no client library."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from argo_retention.demo.kube_api.access import Access
from argo_retention.demo.kube_api.app import KubeApi

ADMIN = "admin-token"
READER = "reader-token"
ACCESS = {
    "tokens": {
        ADMIN: {"user": "admin", "admin": True},
        READER: {
            "user": "reader",
            "rules": [
                {
                    "verbs": ["get", "list", "watch"],
                    "apiGroups": ["argoproj.io"],
                    "resources": ["workflows"],
                    "namespaces": ["demo"],
                }
            ],
        },
    }
}
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/demo/workflows"


@dataclass(kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunks: list[bytes] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


@dataclass(kw_only=True)
class Client:
    """Requests to one emulator, one after the other, on one event loop."""

    api: KubeApi
    runner: asyncio.Runner

    def call(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        token: str | None = ADMIN,
        headers: dict[str, str] | None = None,
        on_chunk: Any = None,
    ) -> Answer:
        """Make a request; `on_chunk` is called with each part of the answer's body."""
        given = dict(headers or {})
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        return self.runner.run(self._call(method, target, raw, given, on_chunk))

    def create(self, name: str, **metadata: Any) -> Any:
        """Create a finished workflow."""
        answer = self.call("POST", WORKFLOWS, workflow(name, **metadata))
        assert answer.status == 201, answer.body
        return answer.json

    async def _call(self, method, target, body, headers, on_chunk) -> Answer:
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        }
        answer = Answer(status=0, headers={}, body=b"")
        sent = False

        async def receive():
            nonlocal sent
            if sent or method == "GET":
                await asyncio.Event().wait()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
                return
            answer.chunks.append(message["body"])
            if on_chunk is not None:
                on_chunk(message["body"])

        await self.api(scope, receive, send)
        # The garbage collector of the emulator works after the answer.
        for _ in range(5):
            await asyncio.sleep(0)
        answer.body = b"".join(answer.chunks)
        return answer


def workflow(name: str, **metadata: Any) -> dict[str, Any]:
    """A finished workflow of the namespace demo."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name, "namespace": "demo", **metadata},
        "spec": {"entrypoint": "whalesay"},
        "status": {"phase": "Succeeded"},
    }


def make_api(**options: Any) -> KubeApi:
    """An emulator with two tokens and nothing in it."""
    return KubeApi(Access(ACCESS), **options)
