"""Kubernetes label selectors: the string grammar, and the form {matchLabels, matchExpressions}.

Meaning as in Kubernetes: `!=` and `notin` also match where the label is absent; an empty selector matches
everything. https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from argo_retention.core import labels
from argo_retention.errors import ConfigurationError

_TOKEN = re.compile(r"\s*(?:(==|!=|[=!(),<>])|([^\s=!(),<>]+))")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_DNS = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


class Operator(StrEnum):
    """Operators of Kubernetes selectors; `=` and `==` are `in` with one value, `!=` is `notin`."""

    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    DOES_NOT_EXIST = "!"
    GREATER = ">"
    LESS = "<"


_EXPRESSION_OPERATORS = {
    "In": Operator.IN,
    "NotIn": Operator.NOT_IN,
    "Exists": Operator.EXISTS,
    "DoesNotExist": Operator.DOES_NOT_EXIST,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()  # sorted, without duplicates

    def matches(self, labels_of_object: Mapping[str, str]) -> bool:
        """Whether an object with these labels meets the condition."""
        value = labels_of_object.get(self.key)
        match self.operator:
            case Operator.IN:
                return value is not None and value in self.values
            case Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
        if value is None or not _INTEGER.fullmatch(value):
            return False
        if self.operator is Operator.GREATER:
            return int(value) > int(self.values[0])
        return int(value) < int(self.values[0])

    def to_query(self) -> str:
        """Write the condition in the string grammar."""
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case Operator.GREATER | Operator.LESS:
                return f"{self.key}{self.operator}{self.values[0]}"
        if len(self.values) == 1:
            return f"{self.key}{'=' if self.operator is Operator.IN else '!='}{self.values[0]}"
        return f"{self.key} {self.operator} ({','.join(self.values)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """All conditions must be met; without any, everything matches."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `team=ml,tier!=gold,x in (a,b),!y`; ConfigurationError names the position (from 1)."""
        return cls(requirements=tuple(_Parser(text).requirements()))

    @classmethod
    def from_mapping(cls, selector: Mapping[str, Any]) -> Self:
        """Read {matchLabels, matchExpressions}; ConfigurationError names the place in it."""
        unknown = sorted(set(selector) - {"matchLabels", "matchExpressions"})
        if unknown:
            raise ConfigurationError(
                f"label selector: unknown key {unknown[0]!r}, expected matchLabels, matchExpressions"
            )
        requirements = []
        match_labels = selector.get("matchLabels") or {}
        if not isinstance(match_labels, Mapping):
            raise ConfigurationError("label selector: matchLabels must be a map of label to value")
        for key, value in match_labels.items():
            place = f"matchLabels[{key!r}]"
            _check(key, [value], place)
            requirements.append(Requirement(key=key, operator=Operator.IN, values=(value,)))
        expressions = selector.get("matchExpressions") or []
        if not isinstance(expressions, Sequence) or isinstance(expressions, str):
            raise ConfigurationError("label selector: matchExpressions must be a list")
        requirements += [_expression(entry, place=index) for index, entry in enumerate(expressions)]
        return cls(requirements=tuple(requirements))

    def matches(self, labels_of_object: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.matches(labels_of_object) for requirement in self.requirements)

    def to_query(self) -> str:
        """Write it as the API's `labelSelector` parameter takes it; `parse` gives it back."""
        return ",".join(requirement.to_query() for requirement in self.requirements)


def managed_selector(instance_id: str) -> str:
    """Select what the controller of this instanceID manages; an empty one means: label absent."""
    return f"{labels.INSTANCE_ID}={instance_id}" if instance_id else f"!{labels.INSTANCE_ID}"


def _expression(entry: object, *, place: int) -> Requirement:
    where = f"matchExpressions[{place}]"
    if not isinstance(entry, Mapping):
        raise ConfigurationError(f"label selector: {where} must be a map of key, operator, values")
    operator = _EXPRESSION_OPERATORS.get(str(entry.get("operator")))
    if operator is None:
        raise ConfigurationError(
            f"label selector: {where}.operator is {entry.get('operator')!r}, expected one of"
            f" {', '.join(_EXPRESSION_OPERATORS)}"
        )
    key, values = entry.get("key"), entry.get("values") or []
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ConfigurationError(f"label selector: {where}.values must be a list")
    _check(key, values, where)
    if (operator in {Operator.IN, Operator.NOT_IN}) != bool(values):
        wanted = "no values" if values else "at least one value"
        raise ConfigurationError(
            f"label selector: {where} with operator {entry['operator']} needs {wanted}"
        )
    return Requirement(key=str(key), operator=operator, values=tuple(sorted(set(values))))


def _check(key: object, values: Sequence[object], place: str) -> None:
    if not isinstance(key, str) or not _is_key(key):
        raise ConfigurationError(f"label selector: {place}: {key!r} is not a label name")
    for value in values:
        if not isinstance(value, str) or not _is_value(value):
            raise ConfigurationError(f"label selector: {place}: {value!r} is not a label value")


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= 253 and _DNS.fullmatch(prefix)):
        return False
    return _NAME.fullmatch(name) is not None


def _is_value(value: str) -> bool:
    return not value or _NAME.fullmatch(value) is not None


class _Parser:
    """Recursive descent over the tokens of a selector."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [
            (match[1] or match[2], match.start(match.lastindex or 0))
            for match in _TOKEN.finditer(text.rstrip())
        ]
        self._next = 0

    def requirements(self) -> Iterator[Requirement]:
        if not self._tokens:
            return
        yield self._requirement()
        while self._next < len(self._tokens):
            self._expect(",")
            yield self._requirement()

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._next += 1
            return Requirement(key=self._key(), operator=Operator.DOES_NOT_EXIST)
        key = self._key()
        match self._peek():
            case "" | ",":
                return Requirement(key=key, operator=Operator.EXISTS)
            case "=" | "==":
                self._next += 1
                return Requirement(key=key, operator=Operator.IN, values=(self._value(),))
            case "!=":
                self._next += 1
                return Requirement(key=key, operator=Operator.NOT_IN, values=(self._value(),))
            case ">" | "<" as sign:
                self._next += 1
                return Requirement(key=key, operator=Operator(sign), values=(self._integer(),))
            case "in" | "notin" as word:
                self._next += 1
                return Requirement(key=key, operator=Operator(word), values=self._values())
        raise self._unexpected("one of , = == != < > in notin")

    def _key(self) -> str:
        key = self._peek()
        if not _is_key(key):
            raise self._unexpected("a label name")
        self._next += 1
        return key

    def _value(self) -> str:
        if self._peek() in {"", ","}:  # `key=` selects the empty value
            return ""
        value = self._peek()
        if not _is_value(value):
            raise self._unexpected("a label value")
        self._next += 1
        return value

    def _integer(self) -> str:
        value = self._peek()
        if not _INTEGER.fullmatch(value):
            raise self._unexpected("an integer")
        self._next += 1
        return value

    def _values(self) -> tuple[str, ...]:
        self._expect("(")
        if self._peek() == ")":
            raise self._unexpected("at least one value")
        values = set()
        while True:
            values.add("" if self._peek() == ")" else self._value())
            if self._peek() == ")":
                self._next += 1
                return tuple(sorted(values))
            self._expect(",")

    def _expect(self, token: str) -> None:
        if self._peek() != token:
            raise self._unexpected(repr(token))
        self._next += 1

    def _peek(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else ""

    def _unexpected(self, expected: str) -> ConfigurationError:
        at_end = self._next >= len(self._tokens)
        position = len(self._text) if at_end else self._tokens[self._next][1]
        found = "the end" if at_end else repr(self._peek())
        return ConfigurationError(
            f"label selector {self._text!r}, position {position + 1}:"
            f" found {found}, expected {expected}"
        )
