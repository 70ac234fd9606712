"""Who asks, and what they may do: bearer tokens and rules in the manner of RBAC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argo_retention.demo.kube_api.statuses import unauthorized


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """What a request wants to do to which resource; the resource may be `pods/log`."""

    verb: str
    group: str
    resource: str
    namespace: str | None
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Verbs allowed on resources of groups, in some namespaces or, with `*`, everywhere."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    namespaces: frozenset[str]

    @classmethod
    def from_document(cls, document: Mapping[str, Sequence[str]]) -> "Rule":
        """Read one rule; a rule without `namespaces` holds for the whole cluster."""
        return cls(
            verbs=frozenset(document["verbs"]),
            groups=frozenset(document["apiGroups"]),
            resources=frozenset(document["resources"]),
            namespaces=frozenset(document.get("namespaces", ["*"])),
        )

    def allows(self, action: Action) -> bool:
        """Whether this rule alone allows the action."""
        return (
            _matches(self.verbs, action.verb)
            and _matches(self.groups, action.group)
            and _matches(self.resources, action.resource)
            and ("*" in self.namespaces or action.namespace in self.namespaces)
        )


def _matches(allowed: frozenset[str], asked: str) -> bool:
    return "*" in allowed or asked in allowed


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """Somebody with a token, or `system:anonymous` without one."""

    name: str
    rules: tuple[Rule, ...] = ()
    #: May do everything, and use the emulator's own control calls.
    is_admin: bool = False
    is_anonymous: bool = False

    def may(self, action: Action) -> bool:
        """Whether any rule allows the action."""
        return self.is_admin or any(rule.allows(action) for rule in self.rules)


ANONYMOUS = User(name="system:anonymous", is_anonymous=True)


class Access:
    """The tokens of access.json and whose they are; a token is never shown."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._users: dict[bytes, User] = {}
        for token, entry in document.get("tokens", {}).items():
            user = User(
                name=entry["user"],
                rules=tuple(Rule.from_document(rule) for rule in entry.get("rules", ())),
                is_admin=bool(entry.get("admin", False)),
            )
            self._users[f"Bearer {token}".encode()] = user

    def user(self, authorization: bytes | None) -> User:
        """The user behind an Authorization header.

        Raises:
            ApiError: 401 when the token is nobody's.
        """
        if authorization is None:
            return ANONYMOUS
        user = self._users.get(authorization)
        if user is None:
            raise unauthorized()
        return user
