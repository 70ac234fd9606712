"""Objects of one bucket, or files of one folder: the only module that imports obstore.

What the bytes mean is known to the callers, `s3_log_store` and `parquet_tables`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, S3Store

from argo_retention.adapters.object_errors import (
    Place,
    answered_code,
    cause_of,
    explain,
    is_cut,
    lacks_right,
)
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.ports.log_store import ObjectHead
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.errors import ConfigurationError, ObjectForbiddenError, ObjectStoreError

if TYPE_CHECKING:  # obstore has these for type checkers only
    from obstore.store import (
        ClientConfig,
        RetryConfig,
        S3Config,
        S3Credential,
        S3CredentialProvider,
    )

# Each wait is bounded, so that a run that is told to stop does stop. `timeout` is for a request with its
# whole body and so is generous; a server that says nothing is given up after `read_timeout`.
TIMEOUTS: "ClientConfig" = {
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=15),
    "timeout": timedelta(minutes=5),
    "user_agent": "argo-retention",
}
RETRIES: "RetryConfig" = {
    # Five seconds of a server that resets or refuses; with three retries half a second ended a run.
    "max_retries": 6,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2)},
}
#: The library asks again for an answer, and not for a body that was cut in the middle.
BODY_ATTEMPTS = 3
PART_SIZE = 5 * 1024 * 1024  # the least that S3 takes for a part that is not the last
PARTS_IN_FLIGHT = 2  # of one stream, so that each stream holds about three parts in memory

PIECE_SIZE = 1024 * 1024  # of an object that is read as a stream

_BUCKET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
_ENDPOINT = re.compile(r"((https?://)?([a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?/?)?")
_REGION = re.compile(r"[a-zA-Z0-9-]*")
_SECRET = re.compile(r"[!-~]+")
_AMAZON = re.compile(r"s3(?:[.-]([a-z0-9-]+))?\.amazonaws\.com")
# Headers that obstore gives among the user's metadata.
_NOT_METADATA = {
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Type",
    "Cache-Control",
    "Storage-Class",
}
_NO_PARTS = {"", ".", ".."}
_FAILURES = (BaseError, OSError, ValueError)


class ObjectFiles:
    """Objects of one bucket, or files of one folder, by key. Raises ObjectStoreError; threads may share it.

    obstore's blocking calls release the interpreter lock; with 32 threads they are as fast as its coroutines.
    """

    def __init__(self, store: S3Store | LocalStore, place: Place) -> None:
        """Use `open_bucket` or `open_folder`."""
        self._store = store
        self._bucket_was_seen = False
        self.place = place

    def head(self, key: str, *, sure: bool = False) -> ObjectHead | None:
        """Size, ETag and metadata; None where the key is missing.

        The answer to HEAD has no body, so its 404 may mean that the bucket is missing. That is told apart by
        a GET: with `sure` each time, else only while nothing of this bucket was seen yet.
        """
        try:
            with self._translated("HEAD", key):
                found = obstore.get(self._store, key, options={"head": True})
                meta, attributes = found.meta, found.attributes
        except _MissingError:
            if sure or not self._bucket_was_seen:
                self.get(key)
                self._bucket_was_seen = True
            return None
        self._bucket_was_seen = True
        return ObjectHead(
            size=meta["size"],
            etag=meta["e_tag"] or "",
            last_modified=meta["last_modified"],
            metadata={
                name.lower(): value
                for name, value in attributes.items()
                if name not in _NOT_METADATA
            },
        )

    def get(self, key: str) -> memoryview | None:
        """The whole object; None where the key is missing."""
        try:
            return self._whole(key, attempts=BODY_ATTEMPTS)
        except _MissingError as missing:
            self._demand_missing_key(missing)
            return None

    def _whole(self, key: str, *, attempts: int) -> memoryview:
        try:
            with self._translated("GET", key):
                return memoryview(obstore.get(self._store, key).bytes())
        except _CutError:
            if attempts <= 1:
                raise
        return self._whole(key, attempts=attempts - 1)

    def stream(self, key: str) -> Iterator[bytes]:
        """The whole object in pieces; raises ObjectStoreError where the key is missing."""
        with self._translated("GET", key):
            pieces = iter(obstore.get(self._store, key).stream(min_chunk_size=PIECE_SIZE))
        while True:
            with self._translated("GET", key):
                piece = next(pieces, None)
            if piece is None:
                return
            yield bytes(piece)

    def put_if_absent(self, key: str, body: bytes, metadata: Mapping[str, str]) -> str | None:
        """Put with If-None-Match: *; the ETag, None where the key is taken."""
        with self._translated("PUT", key):
            try:
                put = obstore.put(self._store, key, body, attributes=dict(metadata), mode="create")
            except AlreadyExistsError:
                return None
        return put["e_tag"] or ""

    def put_stream(self, key: str, chunks: Iterable[bytes], metadata: Mapping[str, str]) -> None:
        """Multipart put (or a temporary file that is renamed); one put where all fits into one part.

        It replaces what is there. When `chunks` raises, the parts are given up and that error goes on as it
        is. (`obstore.put` takes an iterable too, but panics when that itself reads by obstore.)
        """
        with self._translated("PUT", key):
            writer = obstore.open_writer(
                self._store,
                key,
                attributes=dict(metadata),
                buffer_size=PART_SIZE,
                max_concurrency=PARTS_IN_FLIGHT,
            )
        try:
            for chunk in chunks:
                with self._translated("PUT", key):
                    writer.write(chunk)
        except BaseException as error:
            with suppress(*_FAILURES):
                writer.__exit__(type(error), error, error.__traceback__)
            raise
        with self._translated("PUT", key):
            writer.close()

    def delete(self, key: str) -> None:
        """Delete; nothing happens where the key is missing."""
        try:
            with self._translated("DELETE", key):
                obstore.delete(self._store, key)
        except _MissingError as missing:
            self._demand_missing_key(missing)

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys below a prefix, which means whole segments: `a/b` has `a/b/c` below it, not `a/bc`."""
        return (key for key, _ in self.written(prefix))

    def written(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """The same, with LastModified of each."""
        folder = prefix.strip("/")
        pages = obstore.list(self._store, folder or None, chunk_size=1000)
        while True:
            with self._translated("LIST", folder or "*"):
                page = next(pages, None)
            if page is None:
                return
            for meta in page:
                yield meta["path"], meta["last_modified"]

    def _demand_missing_key(self, missing: "_MissingError") -> None:
        """Raise unless S3 itself said that it is the key that is missing."""
        if self.place.is_bucket and missing.code != "NoSuchKey":
            raise missing

    @contextmanager
    def _translated(self, operation: str, key: str) -> Iterator[None]:
        if not _NO_PARTS.isdisjoint(key.split("/")):
            # obstore leaves out a slash at an end and so names another object; the others it refuses.
            raise ObjectStoreError(
                f"{operation} {self.place.uri_of(key)}: no part of a key may be empty, `.` or `..`.\n"
                "Mend keyFormat; such an object is neither written nor deleted."
            )
        try:
            yield
        except FileNotFoundError as error:
            message = explain(error, self.place, operation, key)
            raise _MissingError(message, code=answered_code(error)) from None
        except _FAILURES as error:
            message = explain(error, self.place, operation, key)
            if is_cut(error):
                raise _CutError(message) from cause_of(error, self.place)
            if lacks_right(error, self.place):
                raise ObjectForbiddenError(message) from cause_of(error, self.place)
            raise ObjectStoreError(message) from cause_of(error, self.place)


class _CutError(ObjectStoreError):
    """The answer's body ended before its end."""


class _MissingError(ObjectStoreError):
    """404 for a key or its bucket; the code says which, where the answer had a body."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


def open_bucket(
    location: S3Location, credentials: S3Credentials | None, *, prefix: str = ""
) -> ObjectFiles:
    """The objects of a bucket below a prefix; nothing is asked yet.

    Without credentials they come as for any program: environment, web identity (IRSA), container, instance.
    Raises ConfigurationError where location or credentials cannot be right.
    """
    _demand_usable(location, credentials)
    endpoint, region = endpoint_and_region(location)
    config: S3Config = {
        "virtual_hosted_style_request": False,
        "disable_bulk_delete": True,  # not every S3 knows DeleteObjects
    }
    if endpoint is not None:
        config["endpoint"] = endpoint
    if region or endpoint is not None:
        config["region"] = region or "us-east-1"  # any name will do for a server of one's own
    config |= _encryption(location)
    store = S3Store(
        location.bucket,
        prefix=prefix.strip("/") or None,
        config=config,
        client_options={**TIMEOUTS, "allow_http": (endpoint or "").startswith("http://")},
        retry_config=RETRIES,
        credential_provider=_provider(credentials),
    )
    uri = f"s3://{location.bucket}/{prefix.strip('/')}".rstrip("/")
    return ObjectFiles(
        store, Place(uri=uri, endpoint=endpoint or f"Amazon ({region or 'AWS_REGION'})")
    )


def open_folder(folder: Path, *, make: bool) -> ObjectFiles:
    """The files of a folder; `make` makes it where it is missing."""
    place = Place(uri=folder.absolute().as_uri(), endpoint="")
    try:
        return ObjectFiles(LocalStore(folder.absolute(), mkdir=make), place)
    except (BaseError, OSError, ValueError) as error:
        raise ObjectStoreError(explain(error, place, "OPEN", "")) from error


def endpoint_and_region(location: S3Location) -> tuple[str | None, str]:
    """The URL of a server of one's own, None for Amazon's; and the region, "" where nothing names it."""
    amazon = _AMAZON.fullmatch(location.endpoint)
    endpoint = None if amazon or not location.endpoint else endpoint_url(location)
    return endpoint, location.region or (amazon[1] if amazon and amazon[1] else "")


def endpoint_url(location: S3Location) -> str:
    """The URL of an endpoint that is written as Argo has it, host:port, or as a URL."""
    endpoint = location.endpoint.rstrip("/")
    if "://" in endpoint:
        return endpoint
    return f"{'http' if location.insecure else 'https'}://{endpoint}"


def _demand_usable(location: S3Location, credentials: S3Credentials | None) -> None:
    """Raise ConfigurationError for what the client library would answer with a panic."""
    for name, value, pattern, expected in (
        ("bucket", location.bucket, _BUCKET, "a bucket's name"),
        ("endpoint", location.endpoint, _ENDPOINT, "host:port or a URL"),
        ("region", location.region, _REGION, "a name such as eu-west-1"),
    ):
        if not pattern.fullmatch(value):
            raise ConfigurationError(
                f"s3.{name} of bucket {location.bucket!r}: expected {expected}, found {value!r}.\n"
                f"Mend artifactRepository.s3.{name} in Argo's ConfigMap, or storage.uri in retention.yaml."
            )
    if credentials is None:
        return
    for name, secret in (
        ("access key", credentials.access_key),
        ("secret key", credentials.secret_key),
        ("session token", credentials.session_token or "-"),
    ):
        if not _SECRET.fullmatch(secret):
            raise ConfigurationError(
                f"The {name} of bucket {location.bucket!r} is empty, or has a line break, a space or a letter"
                " beyond ASCII.\nMake its Secret again; with `echo` use `echo -n`."
            )


def _provider(credentials: S3Credentials | None) -> "S3CredentialProvider | None":
    """Given as a function, so that nothing of the environment is mixed in, such as AWS_SESSION_TOKEN."""
    if credentials is None:
        return None
    given: S3Credential = {
        "access_key_id": credentials.access_key,
        "secret_access_key": credentials.secret_key,
        "token": credentials.session_token,
        "expires_at": None,
    }
    return lambda: given


def _encryption(location: S3Location) -> "S3Config":
    """Argo's encryptionOptions: with a key of KMS, or with S3's own."""
    options = location.raw.get("encryptionOptions") or {}
    if not options.get("enableEncryption"):
        return {}
    key = options.get("kmsKeyId")
    if key:
        return {"server_side_encryption": "aws:kms", "sse_kms_key_id": str(key)}
    return {"server_side_encryption": "AES256"}
