"""What each `LogStore` promises, on the fake and on a real S3."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from argo_retention.adapters.s3_log_store import open_log_store
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.ports.log_store import LogStore, ObjectDeletion
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.demo.s3_server import S3Server
from argo_retention.errors import ClusterError, ObjectStoreError
from argo_retention.operations.probing import probe_bucket
from argo_retention_tests.fakes.log_store import FakeLogStore

KEY = "team-a/hello-world-x/hello-world-x-123/main.log"
BODY = b"hello world\n"
METADATA = {"workflow-uid": "u-1", "node-id": "hello-world-x"}
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A store on an empty bucket, one on a bucket that is not there, and the time there."""

    store: LogStore
    nowhere: LogStore
    now: Callable[[], datetime]


@pytest.fixture(params=["fake", "s3"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        nowhere = FakeLogStore(bucket="nowhere")
        nowhere.exists = False
        store = FakeLogStore()
        return World(store=store, nowhere=nowhere, now=lambda: store.now)
    server: S3Server = request.getfixturevalue("s3")

    def opened(bucket: str) -> LogStore:
        return open_log_store(
            S3Location(endpoint=server.endpoint, bucket=bucket),
            S3Credentials(access_key=server.access_key, secret_key=server.secret_key),
        )

    return World(
        store=opened(request.getfixturevalue("bucket")),
        nowhere=opened("nowhere"),
        now=lambda: datetime.now(UTC),
    )


def etag_of(store: LogStore, key: str = KEY) -> str:
    head = store.head(key)
    assert head is not None
    return head.etag


def test_what_was_put_is_there_with_size_etag_digest_metadata_and_time(world: World) -> None:
    put = world.store.put_if_absent(KEY, BODY, metadata=METADATA)
    head = world.store.head(KEY)

    assert put.created
    assert (put.size, put.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert head is not None
    assert (head.size, head.etag, head.metadata) == (len(BODY), put.etag, METADATA)
    assert abs(head.last_modified - world.now()) < timedelta(seconds=30)
    assert head.last_modified.utcoffset() == timedelta(0)
    assert world.store.get(KEY) == BODY


def test_an_empty_log_is_an_object_too(world: World) -> None:
    put = world.store.put_if_absent(KEY, b"", metadata={})

    assert put.created
    assert world.store.get(KEY) == b""


def test_a_taken_key_is_left_as_it_is(world: World) -> None:
    world.store.put_if_absent(KEY, BODY, metadata=METADATA)

    again = world.store.put_if_absent(KEY, b"other", metadata={})

    assert not again.created
    assert world.store.get(KEY) == BODY


def test_of_many_puts_of_one_key_exactly_one_creates(world: World) -> None:
    def put(number: int) -> bool:
        return world.store.put_if_absent(KEY, b"%d" % number, metadata={}).created

    with ThreadPoolExecutor(4) as pool:
        created = list(pool.map(put, range(8)))

    assert created.count(True) == 1
    assert world.store.get(KEY) == b"%d" % created.index(True)


def test_a_missing_key_is_none(world: World) -> None:
    assert world.store.head(KEY) is None
    assert world.store.get(KEY) is None


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda store: store.head(KEY), id="head"),
        pytest.param(lambda store: store.get(KEY), id="get"),
        pytest.param(lambda store: store.put_if_absent(KEY, BODY, metadata={}), id="put"),
        pytest.param(lambda store: store.put_stream(KEY, [BODY], metadata={}), id="put stream"),
        pytest.param(lambda store: store.delete(KEY, etag='"x"'), id="delete"),
        pytest.param(lambda store: list(store.keys("")), id="keys"),
        pytest.param(lambda store: store.server_time(), id="time"),
    ],
)
def test_a_missing_bucket_is_an_error(world: World, ask: Callable[[LogStore], object]) -> None:
    """A bucket that is gone never looks like logs that are gone."""
    with pytest.raises(ObjectStoreError, match=r"nowhere.*the bucket does not exist"):
        ask(world.nowhere)


@pytest.mark.parametrize("key", ["/leading", "trailing/", "", "a//b", "a/../b", "a/./b"])
def test_a_key_that_would_be_read_as_another_is_refused(world: World, key: str) -> None:
    with pytest.raises(ObjectStoreError, match="no part of a key may be empty"):
        world.store.put_if_absent(key, BODY, metadata={})
    with pytest.raises(ObjectStoreError, match="no part of a key may be empty"):
        world.store.delete(key, etag='"x"')


@pytest.mark.parametrize("key", ["a b/ü%#?+&=.log", "a/%2F/main.log", "a/$(x)/~'\"/main.log"])
def test_a_key_with_odd_characters_is_that_key(world: World, key: str) -> None:
    world.store.put_if_absent(key, BODY, metadata={})

    assert list(world.store.keys("")) == [key]
    assert world.store.get(key) == BODY
    assert world.store.delete(key, etag=etag_of(world.store, key)) is ObjectDeletion.DELETED


@pytest.mark.parametrize("size", [0, 10, 6 * MIB], ids=["empty", "one part", "two parts"])
def test_a_stream_is_put_whole(world: World, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    put = world.store.put_stream(
        KEY, (body[at : at + 100_000] for at in range(0, size, 100_000)), metadata=METADATA
    )

    assert put.created
    assert (put.size, put.sha256) == (size, hashlib.sha256(body).hexdigest())
    assert world.store.get(KEY) == body
    head = world.store.head(KEY)
    assert head is not None
    assert (head.size, head.etag, head.metadata) == (size, put.etag, METADATA)


def test_a_stream_may_be_read_from_the_store_itself(world: World) -> None:
    world.store.put_if_absent(KEY, BODY, metadata={})

    world.store.put_stream("copy", (world.store.get(key) or b"" for key in [KEY]), metadata={})

    assert world.store.get("copy") == BODY


@pytest.mark.parametrize(
    "error", [ClusterError("cut"), FileNotFoundError("cut"), ValueError("cut")], ids=repr
)
def test_a_stream_that_breaks_leaves_nothing_and_its_error_goes_on(
    world: World, error: Exception
) -> None:
    def chunks() -> Iterator[bytes]:
        yield bytes(6 * MIB)
        raise error

    with pytest.raises(type(error)) as caught:
        world.store.put_stream(KEY, chunks(), metadata={})

    assert caught.value is error
    assert world.store.head(KEY) is None


def test_an_object_is_deleted_by_its_etag(world: World) -> None:
    world.store.put_if_absent(KEY, BODY, metadata={})
    etag = etag_of(world.store)

    assert world.store.delete(KEY, etag=etag) is ObjectDeletion.DELETED
    assert world.store.head(KEY) is None
    assert world.store.delete(KEY, etag=etag) is ObjectDeletion.GONE


def test_p4_another_version_than_the_recorded_one_is_kept(world: World) -> None:
    world.store.put_if_absent(KEY, BODY, metadata={})
    recorded = etag_of(world.store)
    world.store.put_stream(KEY, [b"of another workflow of that name"], metadata={})

    assert world.store.delete(KEY, etag=recorded) is ObjectDeletion.CHANGED
    assert world.store.get(KEY) == b"of another workflow of that name"


def test_keys_are_listed_below_whole_segments(world: World) -> None:
    for key in ("a/b/1", "a/b/2", "a/bc/3", "d"):
        world.store.put_if_absent(key, BODY, metadata={})

    assert sorted(world.store.keys("a/b")) == ["a/b/1", "a/b/2"]
    assert sorted(world.store.keys("a/b/")) == ["a/b/1", "a/b/2"]
    assert sorted(world.store.keys("")) == ["a/b/1", "a/b/2", "a/bc/3", "d"]
    assert list(world.store.keys("nothing")) == []


def test_the_server_tells_its_time_and_nothing_is_left_of_it(world: World) -> None:
    time = world.store.server_time()

    assert time.utcoffset() == timedelta(0)
    assert abs(time - world.now()) < timedelta(seconds=30)
    assert list(world.store.keys("")) == []


def test_a_probe_finds_every_right_and_leaves_nothing(world: World) -> None:
    facts = probe_bucket(world.store)

    assert facts.can_write
    assert facts.can_read
    assert facts.can_delete
    assert facts.conditional_put_honoured
    assert facts.clock is not None
    assert facts.message == ""
    assert list(world.store.keys("")) == []


def test_a_probe_of_a_missing_bucket_says_so(world: World) -> None:
    facts = probe_bucket(world.nowhere)

    assert not any(
        (facts.can_write, facts.can_read, facts.can_delete, facts.conditional_put_honoured)
    )
    assert facts.clock is None
    assert "the bucket does not exist" in facts.message


@pytest.mark.parametrize("size", [0, 10, 3 * MIB + 1])
def test_an_object_is_read_as_a_stream(world: World, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    world.store.put_stream(KEY, [body], metadata=METADATA)

    assert b"".join(world.store.stream(KEY)) == body


def test_a_stream_of_what_is_not_there_is_an_error(world: World) -> None:
    for store in (world.store, world.nowhere):
        with pytest.raises(ObjectStoreError):
            list(store.stream(KEY))
