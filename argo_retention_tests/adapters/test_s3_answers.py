"""What the log store makes of answers that a sound S3 does not give: refusals, failures, silence."""

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from argo_retention.adapters.object_files import RETRIES
from argo_retention.adapters.s3_log_store import S3LogStore, open_log_store
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.ports.log_store import LogStore, ObjectDeletion
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.errors import ObjectForbiddenError, ObjectStoreError
from argo_retention.operations.probing import probe_bucket
from argo_retention_tests.adapters.scripted_s3 import Answer, Request, error, scripted_s3
from argo_retention_tests.fakes.log_store import FakeLogStore

KEYS = S3Credentials(access_key="AK", secret_key="marker-secret", session_token="marker-token")
HEAD = {"ETag": '"e1"', "Last-Modified": "Tue, 24 Nov 2026 12:00:00 GMT"}


def store_at(endpoint: str) -> S3LogStore:
    return open_log_store(S3Location(endpoint=endpoint, bucket="logs"), KEYS)


def put(store: LogStore) -> object:
    return store.put_if_absent("a/main.log", b"x", metadata={"workflow-uid": "u"})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(error(404, "NoSuchBucket"), "the bucket does not exist", id="no bucket"),
        pytest.param(error(403, "AccessDenied"), "refused (403 AccessDenied).\nAllow", id="right"),
        pytest.param(error(403, "InvalidAccessKeyId"), "keys are wrong", id="unknown key"),
        pytest.param(error(400, "ExpiredToken"), "keys are wrong or expired", id="old token"),
        pytest.param(error(403, "RequestTimeTooSkewed"), "clocks", id="clock"),
        pytest.param(error(301, "PermanentRedirect"), "in another region", id="region"),
        pytest.param(
            error(400, "AuthorizationHeaderMalformed"), "in another region", id="region in 400"
        ),
        pytest.param(error(400, "InvalidRequest"), "not what S3 answers (400", id="other"),
        pytest.param(Answer(status=405, body=b"<html>nginx"), "not what S3 answers", id="no S3"),
        pytest.param(Answer(), "ETag Header missing", id="no ETag"),
    ],
)
def test_an_answer_is_told_in_words_for_operators(answer: Answer, message: str) -> None:
    with scripted_s3(lambda _: answer) as server, pytest.raises(ObjectStoreError) as caught:
        put(store_at(server.endpoint))

    assert f"PUT s3://logs/a/main.log at {server.endpoint}: " in str(caught.value)
    assert message in str(caught.value)


def test_p8_a_refusal_that_repeats_the_request_shows_no_secret() -> None:
    """Amazon's refusals hold the canonical request, and so the session token."""
    echo = "<CanonicalRequest>x-amz-security-token:marker-token</CanonicalRequest>"

    for status, code in ((403, "SignatureDoesNotMatch"), (400, "ExpiredToken")):
        refusal = error(status, code, echo)
        with scripted_s3(lambda _, r=refusal: r) as server:
            with pytest.raises(ObjectStoreError) as caught:
                put(store_at(server.endpoint))
            sent = server.requests[0].headers
        assert sent["x-amz-security-token"] == "marker-token"
        assert "marker" not in "".join(traceback.format_exception(caught.value))


def test_p8_credentials_that_cannot_be_had_are_named_without_the_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where the pod's own service for credentials refuses, and answers with what it was given."""
    token = tmp_path / "token"
    token.write_text("marker-token")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))

    with scripted_s3(lambda _: error(403, "AccessDenied", "marker-body")) as server:
        address = f"{server.endpoint}/v1/credentials?marker"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
        location = S3Location(endpoint="127.0.0.1:1", insecure=True, bucket="logs")
        with pytest.raises(ObjectStoreError, match="there are no credentials for it") as caught:
            put(open_log_store(location, None))

        assert server.requests[0].headers["authorization"] == "marker-token"
    assert not isinstance(caught.value, ObjectForbiddenError)
    assert "marker" not in "".join(traceback.format_exception(caught.value))


def test_a_failing_server_is_asked_again_a_few_times_and_then_named() -> None:
    with scripted_s3(lambda _: error(503, "SlowDown")) as server:
        with pytest.raises(ObjectStoreError, match=r"the server fails, tried again too \(503"):
            put(store_at(server.endpoint))

        assert len(server.requests) == 1 + RETRIES["max_retries"]


def test_a_short_failure_is_not_noticed() -> None:
    answers = [error(500, "InternalError"), Answer(close=True), Answer(headers=HEAD)]

    with scripted_s3(lambda _: answers.pop(0)) as server:
        put(store_at(server.endpoint))

    assert answers == []


def test_an_endpoint_where_nobody_is_is_named() -> None:
    with pytest.raises(
        ObjectStoreError, match=r"127\.0\.0\.1:1: cannot be reached: Connection refused"
    ):
        put(store_at("http://127.0.0.1:1"))


def test_a_bucket_that_was_seen_is_not_asked_for_again() -> None:
    """A HEAD that finds nothing costs one request, but for the first."""

    def answer(request: Request) -> Answer:
        return error(404, "NoSuchKey") if request.method == "GET" else Answer(status=404)

    with scripted_s3(answer) as server:
        store = store_at(server.endpoint)
        assert [store.head(key) for key in "abc"] == [None] * 3

        assert [each.method for each in server.requests] == ["HEAD", "GET", "HEAD", "HEAD"]


def test_p4_a_deletion_believes_404_only_with_the_codes_of_s3() -> None:
    """A proxy that answers 404 to everything does not make logs count as deleted."""
    with scripted_s3(lambda _: Answer(status=404, body=b"<html>not here")) as server:
        store = store_at(server.endpoint)
        with pytest.raises(ObjectStoreError, match="not what S3 answers"):
            store.delete("a/main.log", etag='"e1"')
        with pytest.raises(ObjectStoreError, match="not what S3 answers"):
            store.get("a/main.log")

    with scripted_s3(lambda _: error(404, "NoSuchKey")) as server:
        assert store_at(server.endpoint).delete("a", etag='"e1"') is ObjectDeletion.GONE


def test_an_object_is_deleted_by_one_request_of_its_own() -> None:
    def answer(request: Request) -> Answer:
        return Answer(status=204) if request.method == "DELETE" else Answer(headers=HEAD)

    with scripted_s3(answer) as server:
        deletion = store_at(server.endpoint).delete("a/main.log", etag='"e1"')
        asked = [(each.method, each.path) for each in server.requests]

    assert deletion is ObjectDeletion.DELETED
    assert asked == [("HEAD", "/logs/a/main.log"), ("DELETE", "/logs/a/main.log")]


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchBucket"])
def test_an_object_that_went_meanwhile_is_deleted_unless_the_bucket_went(code: str) -> None:
    def answer(request: Request) -> Answer:
        return error(404, code) if request.method == "DELETE" else Answer(headers=HEAD)

    with scripted_s3(answer) as server:
        store = store_at(server.endpoint)
        if code == "NoSuchKey":
            assert store.delete("a/main.log", etag='"e1"') is ObjectDeletion.DELETED
        else:
            with pytest.raises(ObjectStoreError, match="the bucket does not exist"):
                store.delete("a/main.log", etag='"e1"')


@pytest.mark.parametrize(
    ("options", "header", "value"),
    [
        ({"enableEncryption": True, "kmsKeyId": "k-1"}, "aws:kms", "k-1"),
        ({"enableEncryption": True}, "AES256", None),
        ({}, None, None),
    ],
    ids=["kms", "s3", "none"],
)
def test_objects_are_encrypted_as_argo_encrypts_them(
    options: dict[str, object], header: str | None, value: str | None
) -> None:
    with scripted_s3(lambda _: Answer(headers=HEAD)) as server:
        raw = {"encryptionOptions": options}
        location = S3Location(endpoint=server.endpoint, bucket="logs", raw=raw)
        put(open_log_store(location, KEYS))
        sent = server.requests[0].headers

    assert sent.get("x-amz-server-side-encryption") == header
    assert sent.get("x-amz-server-side-encryption-aws-kms-key-id") == value
    assert sent["if-none-match"] == "*"
    assert sent["x-amz-meta-workflow-uid"] == "u"


@pytest.mark.parametrize(
    ("refused", "lacking"),
    [("put_if_absent", "can_write"), ("get", "can_read"), ("delete", "can_delete")],
)
def test_a_probe_names_the_right_that_is_missing(refused: str, lacking: str) -> None:
    store = FakeLogStore()
    store.fail(refused, ObjectStoreError(f"{refused}: refused"), times=None)

    facts = probe_bucket(store)

    assert not getattr(facts, lacking)
    assert facts.can_read is (refused != "get")
    assert facts.message == f"{refused}: refused"


def test_a_probe_sees_that_conditions_are_ignored() -> None:
    class Careless(FakeLogStore):
        def put_if_absent(self, key: str, body: bytes, **metadata: object) -> object:
            self.objects.pop(key, None)
            return super().put_if_absent(key, body, metadata={})

    store = Careless()
    facts = probe_bucket(store)

    assert facts.can_write
    assert not facts.conditional_put_honoured
    assert "ignores conditions" in facts.message
    assert store.objects == {}


def test_a_clock_that_cannot_be_read_is_an_error_and_its_object_is_deleted() -> None:
    answers: dict[str, Callable[[], Answer]] = {
        "PUT": lambda: Answer(headers=HEAD),
        "HEAD": lambda: Answer(status=404),
        "GET": lambda: error(404, "NoSuchKey"),
        "DELETE": lambda: Answer(status=204),
    }

    with scripted_s3(lambda request: answers[request.method]()) as server:
        with pytest.raises(ObjectStoreError, match="does not show a put at once"):
            store_at(server.endpoint).server_time()

        assert [each.method for each in server.requests] == ["PUT", "HEAD", "GET", "DELETE"]


def test_a_stream_that_somebody_else_replaced_at_once_is_not_taken_for_ours() -> None:
    with (
        scripted_s3(lambda _: Answer(headers=HEAD)) as server,
        pytest.raises(ObjectStoreError, match="3 bytes were put, 0 are there"),
    ):
        store_at(server.endpoint).put_stream("a/main.log", [b"log"], metadata={})
