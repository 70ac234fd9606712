"""HTTP answers and broken connections, translated into our errors.

A message says what was tried on what, what was found and what to do, in at most three lines. Of a body only
the message of a Status object is shown, cut; the headers of a request, and so tokens, are never looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import msgspec
import urllib3.exceptions

from argo_retention.errors import ArgoRetentionError, ClusterError, ClusterForbiddenError

TEXT_LIMIT = 256  # characters of foreign text in one of our messages

#: Answers after which the same GET may succeed in a moment.
#: https://kubernetes.io/docs/concepts/cluster-administration/flow-control/ (429);
#: 502 to 504 come from load balancers and from a server that starts or stops.
TRANSIENT_STATUSES = frozenset({408, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a request wants, in the words of a role: verb, group, resource, namespace and name."""

    cluster: str
    verb: str
    group: str
    resource: str  # plural, perhaps with a subresource: "pods/log"; or a path, for verb "get" on no resource
    namespace: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        words = [self.verb, resource]
        if self.name:
            words.append(f'"{self.name}"')
        if self.namespace:
            words.append(f'in namespace "{self.namespace}"')
        return f"{' '.join(words)} (cluster {self.cluster})"

    @property
    def rule(self) -> str:
        """The rule that a role must have for this, as YAML on one line."""
        if self.resource.startswith("/"):
            return f'{{nonResourceURLs: ["{self.resource}"], verbs: ["{self.verb}"]}}'
        return (
            f'{{apiGroups: ["{self.group}"], resources: ["{self.resource}"], '
            f'verbs: ["{self.verb}"]}}'
        )

    @property
    def scope(self) -> str:
        """Which kind of role must have the rule."""
        if self.namespace is None:
            return "a ClusterRole"
        return f'a Role in namespace "{self.namespace}" or a ClusterRole'


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer read to its end; the body is not decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class UnreachableError(ClusterError):
    """No connection was made, so nothing was asked and nothing was done."""


class AnswerLostError(ClusterError):
    """The request was sent, and no whole answer came: what the server did is not known."""


class ConnectionCutError(AnswerLostError):
    """The connection was reset or closed in the middle; a GET may be sent again."""


class BusyError(ClusterError):
    """The server, or one on the way, may do better a moment later: 408, 429, 502, 503, 504."""

    def __init__(self, message: str, *, status: int, retry_after: float) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


def asked_pause(error: ArgoRetentionError) -> float:
    """Seconds that the server asked for in Retry-After; 0 when it did not."""
    return error.retry_after if isinstance(error, BusyError) else 0.0


class _Details(msgspec.Struct, frozen=True):
    name: str = ""
    kind: str = ""


class Status(msgspec.Struct, frozen=True):
    """The server's own account of a failure."""

    kind: str = ""
    status: str = ""
    message: str = ""
    reason: str = ""
    details: _Details | None = None
    code: int = 0

    def is_absence_of(self, attempt: Attempt) -> bool:
        """Whether this 404 says that this very object is not there.

        A 404 also comes from a server that does not serve the resource (yet), from a proxy, and from the
        kubelet; those say nothing about the object.
        """
        return (
            self.reason == "NotFound"
            and self.details is not None
            and self.details.name == attempt.name
            and self.details.kind == attempt.resource.partition("/")[0]
        )


_STATUS = msgspec.json.Decoder(Status)
_NO_STATUS = Status()


def read_status(body: bytes) -> Status:
    """The Status in a body; an empty one when the body is something else (a proxy's page, an object)."""
    try:
        status = _STATUS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _NO_STATUS
    return status if status.kind == "Status" else _NO_STATUS


def shorten(text: str) -> str:
    """Foreign text on one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 3] + "..."


def is_absent(answer: Answer, attempt: Attempt) -> bool:
    """Whether the answer proves that the object is not there."""
    return answer.status == HTTPStatus.NOT_FOUND and read_status(answer.body).is_absence_of(attempt)


def refusal(answer: Answer, attempt: Attempt) -> ClusterError:
    """The error for an answer that is not what was asked for."""
    code = answer.status
    status = read_status(answer.body)
    found = f"the API server answered {code}"
    if status.reason:
        found += f" {shorten(status.reason)}"
    if status.message:
        found += f": {shorten(status.message)}"
    message = f"Cannot {attempt}: {found}\n{_next_step(code, status, attempt)}"
    if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ClusterForbiddenError(message)
    if code in TRANSIENT_STATUSES:
        return BusyError(message, status=code, retry_after=_retry_after(answer.headers))
    return ClusterError(message)


def _next_step(code: int, status: Status, attempt: Attempt) -> str:
    if code == HTTPStatus.UNAUTHORIZED:
        return "The token or certificate is not valid for this server: renew the credentials."
    if code == HTTPStatus.FORBIDDEN:
        if "system:anonymous" in status.message:
            return (
                "The request carried no credentials: give the kubeconfig's user a token, a certificate "
                "or an exec plugin that works."
            )
        return f"Add to {attempt.scope} of this user: {attempt.rule}"
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return "The server limits requests: run again later, or lower the rate."
    if code == HTTPStatus.NOT_FOUND:
        return (
            "This does not say that the object is gone. Is the resource served "
            "(kubectl api-resources), and the address that of an API server?"
        )
    if code == HTTPStatus.GONE:
        return "The version asked for is no longer kept: start again."
    if HTTPStatus.BAD_REQUEST <= code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return "The server refuses this request as it is: see its words above."
    return "Run again when the API server is well; see its own log if this stays."


def _retry_after(headers: Mapping[str, str]) -> float:
    # The API server sends whole seconds; the HTTP date that a proxy might send counts as absent.
    value = headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else 0.0


def unreadable(attempt: Attempt, why: str) -> ClusterError:
    """The error for a 200 whose body is not what the API promises."""
    return ClusterError(
        f"Cannot {attempt}: the answer cannot be read: {shorten(why)}\n"
        "Is the address that of a Kubernetes API server, and does a proxy change its answers?"
    )


#: What happened to a request without an answer → what was found, and what to do.
_NO_ANSWER = {
    "name": (
        "the name of {server} cannot be resolved.",
        "Check the server's address in the kubeconfig, and DNS or VPN here.",
    ),
    "tls": (
        "TLS with {server} failed: {found}",
        "Check certificate-authority, tls-server-name and the client certificate in the kubeconfig.",
    ),
    "proxy": ("the proxy on the way to {server} failed.", "Check HTTPS_PROXY and NO_PROXY."),
    "refused": (
        "{server} cannot be reached{found}.",
        "Check that the cluster is up and the address in the kubeconfig is right.",
    ),
    "connect-time": (
        "{server} did not accept a connection in time.",
        "Check that the cluster is up and the address in the kubeconfig is right.",
    ),
    "read-time": (
        "{server} did not answer in time.",
        "Run again when the API server is less busy.",
    ),
    "slow": (
        "{server} sends too slowly ({found}).",
        "Run again; if it stays, look at the proxies and load balancers on the way.",
    ),
    "limit": (
        "{server} did not answer within the {found} that a look may take.",
        "Nothing was changed; the next look tries again.",
    ),
    "cut": (
        "the connection to {server} was cut.",
        "Run again; if it stays, look at the proxies and load balancers on the way.",
    ),
    "": ("{found} from {server}.", "Check the server's address and its proxies."),
}

Lost = TypeVar("Lost", bound=ClusterError)


def lost(kind: type[Lost], what: str, attempt: Attempt, server: str, found: str = "") -> Lost:
    """The error for a request that did not get (all of) an answer; `what` is a key above."""
    happened, next_step = _NO_ANSWER[what]
    if what == "refused" and found:
        found = f" ({found})"
    return kind(f"Cannot {attempt}: {happened.format(server=server, found=found)}\n{next_step}")


def broken(error: urllib3.exceptions.HTTPError, attempt: Attempt, server: str) -> ClusterError:
    """The same from what urllib3 raises."""
    match error:
        case urllib3.exceptions.NameResolutionError():
            return lost(UnreachableError, "name", attempt, server)
        case urllib3.exceptions.SSLError():
            return lost(UnreachableError, "tls", attempt, server, shorten(str(error)))
        case urllib3.exceptions.ProxyError():
            return lost(UnreachableError, "proxy", attempt, server)
        case urllib3.exceptions.NewConnectionError():  # one of the next in urllib3 2
            cause = shorten(str(error.__cause__)) if error.__cause__ else ""
            return lost(UnreachableError, "refused", attempt, server, cause)
        case urllib3.exceptions.ConnectTimeoutError():
            return lost(UnreachableError, "connect-time", attempt, server)
        case urllib3.exceptions.ReadTimeoutError():
            return lost(AnswerLostError, "read-time", attempt, server)
        case urllib3.exceptions.ProtocolError():
            return lost(ConnectionCutError, "cut", attempt, server)
    return lost(AnswerLostError, "", attempt, server, type(error).__name__)
