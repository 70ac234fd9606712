"""Label and field selectors: text to a predicate, with the server's own complaints."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from argo_retention.demo.kube_api.statuses import bad_request

Labels = Mapping[str, str]
Predicate = Callable[[Labels], bool]

_TOKEN = re.compile(r"\s*(==|!=|=|!|\(|\)|,|[^\s=!(),]+)")
_SYMBOLS = frozenset({"==", "!=", "=", "!", "(", ")", ","})


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


@dataclass(kw_only=True, slots=True)
class _Reader:
    """A cursor over the tokens of one selector."""

    tokens: list[str]
    at: int = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def identifier(self) -> str:
        token = self.take()
        if not token or token in _SYMBOLS:
            raise bad_request(f"unable to parse requirement: found '{token}', expected: identifier")
        return token

    def value(self) -> str:
        """A value, which may be empty: `a=` and `a=,b` are allowed."""
        if self.peek() in {"", ","}:
            return ""
        return self.identifier()


def _absent(key: str) -> Predicate:
    return lambda labels: key not in labels


def _present(key: str) -> Predicate:
    return lambda labels: key in labels


def _one_of(key: str, values: frozenset[str]) -> Predicate:
    return lambda labels: labels.get(key) in values


def _none_of(key: str, values: frozenset[str]) -> Predicate:
    return lambda labels: labels.get(key) not in values


def _set(reader: _Reader) -> frozenset[str]:
    if reader.take() != "(":
        raise bad_request(
            f"unable to parse requirement: found '{reader.tokens[-1]}', expected: '('"
        )
    values: set[str] = set()
    while True:
        if reader.peek() in {",", ")"}:
            values.add("")
        else:
            values.add(reader.identifier())
        symbol = reader.take()
        if symbol == ")":
            return frozenset(values)
        if symbol != ",":
            raise bad_request(
                f"unable to parse requirement: found '{symbol}', expected: ',' or ')'"
            )


def _requirement(reader: _Reader) -> Predicate:
    if reader.peek() == "!":
        reader.take()
        return _absent(reader.identifier())
    key = reader.identifier()
    match reader.peek():
        case "" | ",":
            return _present(key)
        case "=" | "==":
            reader.take()
            return _one_of(key, frozenset({reader.value()}))
        case "!=":
            reader.take()
            return _none_of(key, frozenset({reader.value()}))
        case "in":
            reader.take()
            return _one_of(key, _set(reader))
        case "notin":
            reader.take()
            return _none_of(key, _set(reader))
        case other:
            raise bad_request(
                f"unable to parse requirement: found '{other}', "
                "expected: in, notin, =, ==, !=, gt, lt"
            )


def label_selector(text: str) -> Predicate | None:
    """The predicate that a labelSelector stands for; None when it selects everything.

    Raises:
        ApiError: 400 with the words of the real server when the text is no selector.
    """
    reader = _Reader(tokens=_tokens(text))
    if not reader.tokens:
        return None
    requirements = [_requirement(reader)]
    while reader.peek():
        if reader.take() != ",":
            raise bad_request("unable to parse requirement: expected ','")
        requirements.append(_requirement(reader))
    if len(requirements) == 1:
        return requirements[0]
    return lambda labels: all(holds(labels) for holds in requirements)


_FIELD = re.compile(r"^\s*([^=!\s]+)\s*(==|=|!=)\s*(.*?)\s*$")


def field_selector(text: str, supported: frozenset[str] | None) -> Predicate | None:
    """The predicate over an object's selectable fields; None when it selects everything.

    Args:
        text: the fieldSelector of the request.
        supported: the names that the kind can be selected by; None for any.
    """
    requirements: list[Predicate] = []
    for part in filter(None, text.split(",")):
        matched = _FIELD.match(part)
        if matched is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        key, operator, value = matched.groups()
        if supported is not None and key not in supported:
            raise bad_request(f"field label not supported: {key}")
        make = _none_of if operator == "!=" else _one_of
        requirements.append(make(key, frozenset({value})))
    if not requirements:
        return None
    return lambda fields: all(holds(fields) for holds in requirements)
