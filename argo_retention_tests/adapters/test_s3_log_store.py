"""The log store against a real S3: what the contract of the port does not say."""

import resource
from collections.abc import Iterator

import boto3
import pytest

from argo_retention.adapters.object_files import open_bucket
from argo_retention.adapters.s3_log_store import S3LogStore, open_log_store
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.demo.s3_server import S3Server
from argo_retention.errors import ConfigurationError, ObjectStoreError

MIB = 1024 * 1024


@pytest.fixture
def store(s3: S3Server, bucket: str) -> S3LogStore:
    return opened(s3, bucket)


def opened(s3: S3Server, bucket: str, *, secret_key: str | None = None) -> S3LogStore:
    return open_log_store(
        S3Location(endpoint=s3.endpoint.removeprefix("http://"), bucket=bucket, insecure=True),
        S3Credentials(access_key=s3.access_key, secret_key=secret_key or s3.secret_key),
    )


def chunks(count: int, *, then: Exception | None = None) -> Iterator[bytes]:
    for _ in range(count):
        yield bytes(MIB)
    if then:
        raise then


def test_a_stream_that_breaks_leaves_no_parts_in_the_bucket(
    s3: S3Server, bucket: str, store: S3LogStore
) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
        region_name=s3.region,
    )
    client.create_multipart_upload(Bucket=bucket, Key="of somebody else")

    with pytest.raises(RuntimeError):
        store.put_stream("key", chunks(12, then=RuntimeError()), metadata={})

    uploads = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    client.close()
    assert [upload["Key"] for upload in uploads] == ["of somebody else"]


def test_a_stream_is_put_in_bounded_memory(store: S3LogStore) -> None:
    store.put_stream("warm", chunks(20), metadata={})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    put = store.put_stream("key", chunks(80), metadata={})

    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert put.size == 80 * MIB
    assert grown < 40


def test_wrong_keys_are_named_as_the_cause(s3: S3Server, bucket: str) -> None:
    store = opened(s3, bucket, secret_key="wrong-marker")

    with pytest.raises(ObjectStoreError) as caught:
        store.put_if_absent("a/main.log", b"x", metadata={})

    assert str(caught.value) == (
        f"PUT s3://{bucket}/a/main.log at {s3.endpoint}: refused (403 SignatureDoesNotMatch).\n"
        "The keys are wrong or expired: put the right ones into the Secret"
        " (artifactRepository.s3 in Argo's ConfigMap, or s3 and storage in retention.yaml)."
    )


def test_a_token_in_the_environment_is_not_mixed_with_given_keys(
    s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of somebody else")

    assert opened(s3, bucket).put_if_absent("key", b"x", metadata={}).created


def test_without_given_keys_those_of_the_environment_are_taken(
    s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    store = open_log_store(S3Location(endpoint=s3.endpoint, bucket=bucket), None)

    assert store.put_if_absent("key", b"x", metadata={}).created


@pytest.mark.parametrize(
    "location",
    [
        {"bucket": ""},
        {"bucket": "my bucket"},
        {"endpoint": "minio:not a port"},
        {"endpoint": "s3://minio"},
        {"region": "eu west"},
    ],
    ids=repr,
)
def test_a_location_that_cannot_be_used_is_a_mistake_in_the_configuration(
    location: dict[str, str],
) -> None:
    [name] = location
    wrong = S3Location(**{"endpoint": "minio:9000", "bucket": "logs", **location})

    with pytest.raises(ConfigurationError, match=rf"^s3\.{name} of bucket .*: expected"):
        open_log_store(wrong, None)


@pytest.mark.parametrize("wrong", ["", "marker\n", "märker"])
@pytest.mark.parametrize("name", ["access_key", "secret_key"])
def test_a_secret_with_a_line_break_is_found_before_it_is_used(name: str, wrong: str) -> None:
    """`echo key | base64` is the common mistake."""
    keys = S3Credentials(**{"access_key": "a", "secret_key": "s", name: wrong})

    with pytest.raises(ConfigurationError, match="echo -n") as caught:
        open_log_store(S3Location(endpoint="minio:9000", bucket="logs"), keys)

    assert "rker" not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "region", "place"),
    [
        ("s3.amazonaws.com", "eu-west-1", "Amazon (eu-west-1)"),
        ("s3.eu-west-1.amazonaws.com", "", "Amazon (eu-west-1)"),
        ("s3.amazonaws.com", "", "Amazon (AWS_REGION)"),
        ("", "", "Amazon (AWS_REGION)"),
        ("minio:9000", "", "https://minio:9000"),
        ("http://minio:9000/", "eu-west-1", "http://minio:9000"),
        ("[::1]:9000", "", "https://[::1]:9000"),
    ],
)
def test_an_endpoint_is_understood_as_argo_writes_it(
    endpoint: str, region: str, place: str
) -> None:
    files = open_bucket(S3Location(endpoint=endpoint, bucket="logs", region=region), None)

    assert files.place.endpoint == place


def test_keys_of_an_account_are_not_shown() -> None:
    keys = S3Credentials(access_key="marker-a", secret_key="marker-s", session_token="marker-t")

    assert "marker" not in repr(keys)
    assert "marker" not in str(keys)
