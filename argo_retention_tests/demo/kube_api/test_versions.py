"""Lists are pinned to one version, whatever happens after the first page."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from argo_retention.demo.kube_api.listing import Lister, ListRequest, Selection, VersionMatch
from argo_retention.demo.kube_api.resources import WORKFLOWS
from argo_retention.demo.kube_api.statuses import ApiError
from argo_retention.demo.kube_api.store import Store

NAMES = st.sampled_from([f"wf-{letter}" for letter in "abcdefg"])
NAMESPACES = st.sampled_from(["team", "team-a", "z"])


class StoreHistory(RuleBasedStateMachine):
    """The store against a dictionary that is copied at each version."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(history_bytes=20_000)
        self.lister = Lister(self.store)
        self.states: dict[int, dict[str, str]] = {self.store.version: {}}
        self.current: dict[str, str] = {}

    @rule(namespace=NAMESPACES, name=NAMES, label=st.sampled_from(["x", "y"]))
    def write(self, namespace: str, name: str, label: str) -> None:
        metadata = {"namespace": namespace, "name": name, "uid": "u", "labels": {"l": label}}
        record = self.store.write(WORKFLOWS, {"metadata": metadata, "spec": {}})
        self.current = {**self.current, record.key: label}
        self.states[record.version] = self.current

    @precondition(lambda self: self.current)
    @rule(data=st.data())
    def remove(self, data) -> None:
        key = data.draw(st.sampled_from(sorted(self.current)))
        self.store.remove(self.store.get(WORKFLOWS, key))
        self.current = {k: v for k, v in self.current.items() if k != key}
        self.states[self.store.version] = self.current

    @rule()
    def compact(self) -> None:
        self.store.compact()
        self.lister.forget()

    @rule(data=st.data(), limit=st.integers(1, 4), label=st.sampled_from(["", "l=x"]))
    def page_through(self, data, limit: int, label: str) -> None:
        """Pages of any size, at any version that is kept, give that version whole."""
        version = data.draw(st.integers(self.store.floor, self.store.version))
        namespace = data.draw(st.sampled_from(["", "team"]))
        selection = Selection(resource=WORKFLOWS, namespace=namespace, label_text=label)
        request = ListRequest(
            selection=selection,
            limit=limit,
            resource_version=str(version),
            version_match=VersionMatch.EXACT,
        )
        found: list[str] = []
        while True:
            page = self.lister.page(request)
            assert page.version == version
            found += [record.key for record in page.records]
            if not page.continue_token:
                break
            if not label:
                total = len(self._expected(version, namespace, label))
                assert page.remaining == total - len(found)
            request = ListRequest(
                selection=selection, limit=limit, continue_token=page.continue_token
            )

        assert found == self._expected(version, namespace, label)

    def _expected(self, version: int, namespace: str, label: str) -> list[str]:
        return sorted(
            key
            for key, value in self.states[version].items()
            if key.startswith(f"{namespace}/" if namespace else "")
            and (not label or value == label[2:])
        )

    @rule(data=st.data())
    def forgotten_versions_are_refused(self, data) -> None:
        if self.store.floor == 1:
            return
        version = data.draw(st.integers(1, self.store.floor - 1))
        request = ListRequest(
            selection=Selection(resource=WORKFLOWS),
            resource_version=str(version),
            version_match=VersionMatch.EXACT,
        )

        with pytest.raises(ApiError, match="too old"):
            self.lister.page(request)

    @rule(data=st.data())
    def events_lead_from_any_version_to_the_newest(self, data) -> None:
        version = data.draw(st.integers(self.store.floor, self.store.version))
        state = dict(self.states[version])
        for event in self.store.events_since(WORKFLOWS, version):
            if event.after is None:
                del state[event.before.key]
            else:
                state[event.after.key] = event.after.labels["l"]

        assert state == self.current

    @invariant()
    def versions_below_the_floor_cost_nothing(self) -> None:
        collection = self.store._collection(WORKFLOWS)
        for versions in collection.versions.values():
            assert [v for v, _ in versions[1:] if v <= self.store.floor] == []


StoreHistory.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestStoreHistory = StoreHistory.TestCase


def test_changes_after_the_first_page_are_not_seen(client) -> None:
    for name in ("a", "b", "c"):
        client.create(name)
    path = "/apis/argoproj.io/v1alpha1/namespaces/demo/workflows"

    first = client.call("GET", f"{path}?limit=1").json
    client.call("DELETE", f"{path}/b")
    client.create("bb")
    token = first["metadata"]["continue"]
    rest = client.call("GET", f"{path}?limit=5&continue={token}").json

    assert [item["metadata"]["name"] for item in rest["items"]] == ["b", "c"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_after_compaction_the_new_token_gives_the_inconsistent_rest(client) -> None:
    for name in ("a", "b", "c"):
        client.create(name)
    path = "/apis/argoproj.io/v1alpha1/namespaces/demo/workflows"
    first = client.call("GET", f"{path}?limit=1").json
    client.call("DELETE", f"{path}/b")
    client.call("POST", "/emulator/compact")

    token = first["metadata"]["continue"]
    expired = client.call("GET", f"{path}?limit=5&continue={token}")
    again = expired.json["metadata"]["continue"]
    rest = client.call("GET", f"{path}?limit=5&continue={again}").json

    assert (expired.status, expired.json["reason"]) == (410, "Expired")
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]
