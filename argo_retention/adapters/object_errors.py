"""What an object store answered, in words for operators.

A body of S3 that refuses a request may repeat it with its session token (SignatureDoesNotMatch and
ExpiredToken of Amazon's do), and a request for credentials holds the token of the service account.
So of an answer only status and code are shown, of a URL no query, and neither of the two is chained.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_SHOWN = 256  # characters of a message of the client library

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_URL = re.compile(r"Error performing [A-Z]+ (\S+)")
_QUERY = re.compile(r"\?\S*")
#: What the operating system said, in the debug part of the library's message.
_REASON = re.compile(r'(?:message|error): "([^"]{1,100})"')
_WRONG_REGION = {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"}
_WRONG_KEYS = {"SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken"}
_SETTINGS = "artifactRepository.s3 in Argo's ConfigMap, or s3 and storage in retention.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where objects are, for people."""

    uri: str  # s3://bucket/prefix or file:///folder
    endpoint: str  # URL of the S3; "" for files

    @property
    def is_bucket(self) -> bool:
        """Whether it is S3, where a missing key and a missing bucket are told apart."""
        return self.uri.startswith("s3://")

    def uri_of(self, key: str) -> str:
        """Full address of one object."""
        return f"{self.uri.rstrip('/')}/{key}"


def answered_code(error: Exception) -> str:
    """S3's own code such as NoSuchKey; empty where the answer had none."""
    found = _CODE.search(str(error))
    return found[1] if found else ""


def cause_of(error: Exception, place: Place) -> Exception | None:
    """What may stand as the cause: nothing that may hold a secret."""
    holds_secret = 400 <= _status(error) < 500 or _credentials_host(error, place)
    return None if holds_secret else error


def is_cut(error: Exception) -> bool:
    """Whether an answer began and its body did not end: the same may be asked for again."""
    return "request or response body error" in str(error)


def lacks_right(error: Exception, place: Place) -> bool:
    """Whether the keys are known and what they may do is not enough."""
    code = answered_code(error)
    is_refusal = _status(error) in {401, 403} and code not in {*_WRONG_KEYS, "RequestTimeTooSkewed"}
    return is_refusal and not _credentials_host(error, place)


def explain(error: Exception, place: Place, operation: str, key: str) -> str:
    """What was tried on what, what was found, what to do."""
    tried = f"{operation} {place.uri_of(key)}"
    if not place.is_bucket:
        return (
            f"{tried}: {_first_line(error)}.\nSee that the folder is there and may be written to."
        )
    tried = f"{tried} at {place.endpoint}"
    status, code = _status(error), answered_code(error)
    found = f"{status or ''} {code}".strip()
    if host := _credentials_host(error, place):
        what = f"there are no credentials for it: {host} gave none"
        next_step = "Name a Secret with keys, or give the pod a role or AWS_ACCESS_KEY_ID"
    elif status == 404 and code == "NoSuchBucket":
        what, next_step = "the bucket does not exist", "Make it, or name the right one"
    elif status in {401, 403} or code in _WRONG_KEYS:
        what, next_step = "refused", _after_refusal(code)
    elif code in _WRONG_REGION or "incorrectly configured region" in str(error):
        what, next_step = "the bucket is in another region", "Set s3.region"
    elif status == 429 or status >= 500:
        what, next_step = "the server fails, tried again too", "See its log, then run again"
    elif status:
        what, next_step = "not what S3 answers", "See that this is the endpoint of an S3"
    elif "kind: Connect," in str(error):
        reason = _REASON.search(str(error))
        what = f"cannot be reached{f': {reason[1]}' if reason else ''}"
        next_step = "See that endpoint and network are right"
    else:
        what, next_step = _first_line(error), "See that endpoint, network and credentials are right"
    return f"{tried}: {what}{f' ({found})' if found else ''}.\n{next_step} ({_SETTINGS})."


def _after_refusal(code: str) -> str:
    if code in _WRONG_KEYS:
        return "The keys are wrong or expired: put the right ones into the Secret"
    if code == "RequestTimeTooSkewed":
        return "The clocks of this host and of S3 differ: set them by NTP"
    return (
        "Allow s3:GetObject, PutObject and DeleteObject on its objects and s3:ListBucket on the bucket"
        " (without the last a missing key is refused too)"
    )


def _credentials_host(error: Exception, place: Place) -> str:
    """Host that was asked for credentials, where it is that request that failed; "" otherwise."""
    url = _URL.search(str(error))
    if not place.is_bucket or url is None:
        return ""
    if url[1] == "REDACTED":  # by obstore: the token of the service account is in it
        return "the STS service"
    bucket = urlsplit(place.uri).netloc
    asked = urlsplit(url[1])
    return "" if asked.path.startswith(f"/{bucket}") else asked.netloc


def _status(error: Exception) -> int:
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def _first_line(error: Exception) -> str:
    """The library's message without its debug part, any body of the server, and queries of URLs."""
    line = str(error).partition("\n")[0].partition("<")[0]
    return _QUERY.sub("", line).strip(" .:")[:MAX_SHOWN]
