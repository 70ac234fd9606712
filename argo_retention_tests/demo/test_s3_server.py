"""The demo's S3 does what the package needs of an S3, and what Amazon's does."""

import datetime as dt
import hashlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from argo_retention.demo import processes, s3_server
from argo_retention.demo.s3_server import S3Server

BODY = b"a line of a log\n"
ETAG = f'"{hashlib.md5(BODY).hexdigest()}"'  # noqa: S324  (S3 defines it so)
OTHER_ETAG = '"00000000000000000000000000000000"'


def client_of(server: S3Server, *, secret: str | None = None) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=secret or server.secret_key,
        region_name=server.region,
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def client(s3: S3Server) -> Iterator[Any]:
    client = client_of(s3)
    yield client
    client.close()


def refusal(call: Any, **arguments: Any) -> int:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return int(caught.value.response["ResponseMetadata"]["HTTPStatusCode"])


def test_metadata_etag_and_time_are_kept(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="a/main.log", Body=BODY, Metadata={"sha256": "abc"})

    head = client.head_object(Bucket=bucket, Key="a/main.log")
    got = client.get_object(Bucket=bucket, Key="a/main.log")

    assert got["Body"].read() == BODY
    assert head["Metadata"] == got["Metadata"] == {"sha256": "abc"}
    assert head["ETag"] == got["ETag"] == ETAG
    now = dt.datetime.now(dt.UTC)
    assert abs(now - head["LastModified"]) < dt.timedelta(seconds=30)


def test_of_puts_that_must_not_overwrite_exactly_one_wins(client: Any, bucket: str) -> None:
    def put(number: int) -> int:
        try:
            client.put_object(Bucket=bucket, Key="key", Body=b"%d" % number, IfNoneMatch="*")
        except ClientError as error:
            return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        return 200

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(put, range(24)))

    assert sorted(answers) == [200] + [412] * 23
    winner = client.get_object(Bucket=bucket, Key="key")["Body"].read()
    assert int(winner) == answers.index(200)


def test_delete_with_an_etag_deletes_only_that_version(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="key", Body=BODY)

    assert refusal(client.delete_object, Bucket=bucket, Key="key", IfMatch=OTHER_ETAG) == 412
    assert client.head_object(Bucket=bucket, Key="key")["ETag"] == ETAG
    client.delete_object(Bucket=bucket, Key="key", IfMatch=ETAG)
    assert refusal(client.head_object, Bucket=bucket, Key="key") == 404


def test_a_list_shows_every_put_and_delete_before_it(client: Any, bucket: str) -> None:
    def keys() -> list[str]:
        found = client.list_objects_v2(Bucket=bucket, Prefix="logs/").get("Contents", [])
        return [each["Key"] for each in found]

    for number in range(20):
        client.put_object(Bucket=bucket, Key=f"logs/{number}", Body=b"x")
        assert keys() == [f"logs/{number}"]
        client.delete_object(Bucket=bucket, Key=f"logs/{number}")
        assert keys() == []


def test_multipart_upload_can_be_told_not_to_overwrite(client: Any, bucket: str) -> None:
    bodies = [bytes(5 * 2**20), BODY]

    def upload() -> dict[str, Any]:
        where = {"Bucket": bucket, "Key": "big"}
        upload = client.create_multipart_upload(**where, Metadata={"sha256": "abc"})["UploadId"]
        parts = []
        for number, body in enumerate(bodies, 1):
            part = client.upload_part(**where, UploadId=upload, PartNumber=number, Body=body)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        whole = {"UploadId": upload, "MultipartUpload": {"Parts": parts}, "IfNoneMatch": "*"}
        return {**where, **whole}

    client.complete_multipart_upload(**upload())

    head = client.head_object(Bucket=bucket, Key="big")
    digests = b"".join(hashlib.md5(body).digest() for body in bodies)  # noqa: S324
    assert head["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'  # noqa: S324
    assert head["ContentLength"] == sum(map(len, bodies))
    assert head["Metadata"] == {"sha256": "abc"}
    assert refusal(client.complete_multipart_upload, **upload()) == 412


def test_a_bucket_is_neither_made_nor_emptied_by_the_way(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="key", Body=BODY)

    assert refusal(client.put_object, Bucket=f"{bucket}-no", Key="key", Body=BODY) == 404
    assert refusal(client.delete_bucket, Bucket=bucket) == 409


def test_wrong_keys_are_refused(s3: S3Server, bucket: str) -> None:
    wrong = client_of(s3, secret="wrong")

    assert refusal(wrong.list_objects_v2, Bucket=bucket) == 403
    wrong.close()


def test_two_servers_at_once_share_nothing_and_a_stopped_one_leaves_nothing(
    s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    # Longer than the path of a socket may be.
    folder = tmp_path / ("a-long-name-" * 9)
    folder.mkdir()
    with S3Server(folder) as other:
        assert other.sockets[0].exists()
        client = client_of(other)
        assert (
            refusal(client.list_objects_v2, Bucket=bucket) == 403 or other.endpoint != s3.endpoint
        )
        assert client.list_buckets()["Buckets"] == []

    with pytest.raises(EndpointConnectionError):
        client.list_buckets()
    client.close()
    assert list(folder.iterdir()) == []
    assert [path for path in other.sockets if path.exists()] == []


def test_a_port_that_was_taken_meanwhile_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((processes.LOOPBACK, 0))
        port = taken.getsockname()[1]
        # The first choice of eight ports has the one that is taken as the filer's.
        choices = [[*processes.free_ports(4), port, *processes.free_ports(3)]]
        monkeypatch.setattr(
            s3_server,
            "free_ports",
            lambda count: choices.pop() if choices and count > 1 else processes.free_ports(count),
        )

        with S3Server() as server:
            assert server.is_running()

    assert choices == []
