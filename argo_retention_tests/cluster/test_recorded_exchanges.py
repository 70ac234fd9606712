"""The exchanges that the emulator must answer as recorded, asked again of a server of the next patch release.

So what the emulator was made from is not the behaviour of one day or of one installation.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from argo_retention.adapters.kubernetes_cluster.paths import WORKFLOWS
from argo_retention_tests.cluster.server import NODE, RealServer
from argo_retention_tests.demo.kube_api.recorded import (
    STEPS,
    comparable,
    exchange,
    shortened,
)

WITH_CACHE, WITHOUT_CACHE = (), ("--watch-cache=false",)
KUBELET = "the kubelet's own work, which here is a stand-in's"
LEFT_OUT = {
    "version": "this server's is another",
    "api-group": "only the kinds that these tests need are defined here",
    "pod-list-by-workflow": "made by Argo's controller, which is not here",
    "pod-log-timestamps": KUBELET,
    "pod-log-tail-lines": KUBELET,
    "pod-log-tail-too-many": KUBELET,
    "pod-log-limit-bytes": KUBELET,
    "pod-log-since-time": KUBELET,
}
CACHE_KNOWS = "the watch cache still has what etcd forgot"
ONLY_A_CACHE = "said by the watch cache"
LEFT_OUT_TOO = {
    WITH_CACHE: dict.fromkeys(
        ("watch-rv-compacted", "list-continue-expired", "list-rv-exact-expired"), CACHE_KNOWS
    ),
    WITHOUT_CACHE: dict.fromkeys(
        ("watch-too-old", "watch-rv-compacted", "list-future-rv"), ONLY_A_CACHE
    ),
}
#: What a server makes by itself, so that it is another here.
ITS_OWN = {"uid", "resourceVersion"}
TIMES = {"creationTimestamp", "deletionTimestamp"}
BEFORE_ALL = "8929"  # a version before the first workflow
GENERATED = "hello-world-26w6z"  # its place in lists matters, so here it is given


class Replay:
    """Asks one step after the other, with the uids and versions of this server in the recorded ones' place."""

    def __init__(self, server: RealServer) -> None:
        self.server = server
        self.here: dict[str, str] = {}  # recorded uid, version or token → this server's
        self.listed: dict[str, str] = {}  # recorded version of a list → this server's
        self.written = 0
        self._as_it_was_before()

    def _as_it_was_before(self) -> None:
        """Two of the workflows of load that were in that server."""
        [_, one] = json.loads(exchange("list-all-namespaces")["response"]["body"])["items"]
        self.server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "load"}})
        for name in (one["metadata"]["name"], "load-001514"):
            metadata = {"name": name, "labels": one["metadata"]["labels"]}
            self.server.call("POST", WORKFLOWS.collection("load"), {**one, "metadata": metadata})
        listed = self.server.call("GET", WORKFLOWS.collection("load"))
        self.listed[BEFORE_ALL] = listed["metadata"]["resourceVersion"]

    def write(self, count: int) -> None:
        """As others do meanwhile."""
        for _ in range(count):
            self.written += 1
            document = {"metadata": {"name": f"between-{self.written}"}}
            self.server.call("POST", "/api/v1/namespaces/default/secrets", document)

    def compact(self) -> None:
        self.server.compact()

    def argo_pod(self) -> None:
        """A pod whose log the stand-in for the kubelet has."""
        self.server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "team-a"}})
        spec = {"containers": [{"name": "main", "image": "none"}], "nodeName": NODE}
        pod = {"metadata": {"name": "log-demo"}, "spec": spec}
        self.server.call("POST", "/api/v1/namespaces/team-a/pods", pod)
        body = exchange("pod-log-main")["response"]["body"].encode()
        self.server.kubelet.logs["team-a", "log-demo", "main"] = body

    def ask(self, name: str) -> tuple[Any, Any]:
        """What was recorded, in this server's words, and what it answers."""
        recorded = exchange(name)
        request, response = recorded["request"], recorded["response"]
        headers = {k: v for k, v in request["headers"].items() if k != "Authorization"}
        token: dict[str, Any] = {} if "Authorization" in request["headers"] else {"token": None}
        if name == "unauthorized-bad-token":
            token = {"token": "nobody's"}
        body = request["body"]
        if name == "workflow-create-generate-name":
            body = {**body, "metadata": {**body["metadata"], "name": GENERATED}}
        answer = self.server.ask(
            request["method"],
            self._translated(shortened(request["path"]), {**self.here, **self.listed}),
            None if body is None else self._translated(json.dumps(body), self.here),
            headers,
            **token,
        )
        text = answer.data.decode()
        self._learn(_documents(response["body"]), _documents(text))
        theirs = comparable(response["status"], response["headers"], response["body"])
        ours = comparable(answer.status, dict(answer.headers), text)
        return self._told(theirs), self._told(ours, translate=False)

    def _learn(self, recorded: Any, answered: Any) -> None:
        if isinstance(recorded, list) and isinstance(answered, list):
            for one, other in zip(recorded, answered, strict=False):
                self._learn(one, other)
        if not (isinstance(recorded, Mapping) and isinstance(answered, Mapping)):
            return
        for key, value in recorded.items():
            other = answered.get(key)
            if key in {*ITS_OWN, "continue"} and isinstance(value, str) and other:
                self.here[value] = str(other)
            elif key == "metadata" and ("items" in recorded or "rows" in recorded):
                self.listed[value["resourceVersion"]] = str(other["resourceVersion"])
                self._learn({"continue": value.get("continue")}, other)
            else:
                self._learn(value, other)

    def _translated(self, text: str, words: Mapping[str, str]) -> str:
        longest_first = sorted(words, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, longest_first)) or "$^", lambda m: words[m[0]], text)

    def _told(self, value: Any, *, translate: bool = True) -> Any:
        """With this server's uids and versions; numbers in messages and versions of lists are any."""
        if isinstance(value, tuple | list):
            return [self._told(each, translate=translate) for each in value]
        if not isinstance(value, Mapping):
            return value
        told = {}
        for key, each in value.items():
            if key in ITS_OWN and isinstance(each, str):
                told[key] = self.here.get(each, each) if translate else each
            elif key in TIMES and isinstance(each, str):
                told[key] = len(each)
            elif key == "continue" and isinstance(each, Mapping):
                told[key] = {**each, "rv": each["rv"] if each["rv"] < 0 else "a version"}
            elif key == "message":
                text = self._translated(each, self.here) if translate else each
                told[key] = re.sub(r"\b\d{2,}\b", "N", text)
            elif key == "metadata" and ("items" in value or "rows" in value or _is_mark(value)):
                told[key] = self._told({**each, "resourceVersion": None}, translate=translate)
            else:
                told[key] = self._told(each, translate=translate)
        return told


def _is_mark(value: Mapping[str, Any]) -> bool:
    """The object of a BOOKMARK, which has a version and nothing else."""
    return not value.get("metadata", {}).get("name")


def _documents(text: str) -> list[Any]:
    for documents in ([text], text.splitlines()):
        try:
            return [json.loads(each) for each in documents]
        except ValueError:
            continue
    return []


@pytest.mark.parametrize("flags", [WITH_CACHE, WITHOUT_CACHE], ids=["cache", "no cache"])
def test_a_real_server_answers_as_recorded(flags: tuple[str, ...], tmp_path: Path) -> None:
    recorded: dict[str, Any] = {}
    answered: dict[str, Any] = {}
    with RealServer(tmp_path, *flags) as server:
        replay = Replay(server)
        for step in STEPS:
            if not isinstance(step, str):
                action, *arguments = step
                getattr(replay, action)(*arguments)
            elif step not in {**LEFT_OUT, **LEFT_OUT_TOO[flags]}:
                recorded[step], answered[step] = replay.ask(step)

    differing = [step for step in recorded if answered[step] != recorded[step]]
    assert {step: answered[step] for step in differing} == {
        step: recorded[step] for step in differing
    }
