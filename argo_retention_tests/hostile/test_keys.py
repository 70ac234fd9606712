"""Keys that break clients: an object is written, found and deleted under exactly its key, or refused in one sentence."""

import pytest

from argo_retention.adapters.s3_log_store import open_log_store
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.ports.log_store import LogStore, ObjectDeletion
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.demo.s3_server import S3Server
from argo_retention.errors import ObjectStoreError

KEYS = {
    "plain": "a/main.log",
    "dots": "a/../b.log",
    "dot": "a/./b.log",
    "only dots": "..",
    "empty part": "a//b.log",
    "slash first": "/a.log",
    "slash last": "a/b/",
    "long": "k" * 1024,
    "longer": "k" * 1025,
    "long parts": "/".join(["p" * 200] * 5),
    "space": "a b/c d.log",
    "plus": "a+b/c+d.log",
    "percent": "a%2Fb/%00.log",
    "question": "a?b=c&d.log",
    "hash": "a#b.log",
    "unicode": "ä/日本/👩.log",
    "decomposed": "a\u0308.log",
    "bidi": "\u202egol.niam",
    "newline": "a\nb.log",
    "tab": "a\tb.log",
    "nul": "a\x00b.log",
    "escape": "a\x1b[31m.log",
    "quotes": "a'b\"c`.log",
    "backslash": "a\\b.log",
    "braces": "{{workflow.uid}}/[x]*.log",
    "markup": "<Key>&amp;</Key>.log",
    "tilde": "~root/.ssh.log",
    "semicolon": "a;b,c=d@e!.log",
}


@pytest.fixture
def store(s3: S3Server, bucket: str) -> LogStore:
    location = S3Location(endpoint=s3.endpoint, bucket=bucket)
    keys = S3Credentials(access_key=s3.access_key, secret_key=s3.secret_key)
    return open_log_store(location, keys)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_p4_an_object_is_touched_under_its_own_key_or_not_at_all(store: LogStore, key: str) -> None:
    neighbour = "a/b.log" if key != "a/b.log" else "c"
    store.put_if_absent(neighbour, b"another's", metadata={})
    try:
        put = store.put_if_absent(key, b"mine", metadata={})
    except ObjectStoreError:
        put = None
    if put is None or not put.created:
        # SeaweedFS takes a backslash for a slash: the key is then somebody else's, as it must be.
        assert (put is None) == (key != KEYS["backslash"])
        assert store.get(neighbour) == b"another's"
        assert list(store.keys("")) == [neighbour]
        assert store.delete(neighbour, etag='"wrong"') is ObjectDeletion.CHANGED
        return
    head = store.head(key)
    assert head is not None
    assert head.etag == put.etag
    assert store.get(key) == b"mine"
    assert sorted(store.keys("")) == sorted([key, neighbour])
    assert store.delete(key, etag=put.etag) is ObjectDeletion.DELETED
    assert list(store.keys("")) == [neighbour]
    assert store.get(neighbour) == b"another's"
