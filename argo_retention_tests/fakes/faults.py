"""Faults and hooks that a test sets on a fake: before a call, or after some of what it yields."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from argo_retention.errors import ArgoRetentionError

Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a method of the port, as it came."""

    method: str
    arguments: Arguments


@dataclass(slots=True, kw_only=True)
class _Rule:
    method: str
    action: Callable[[Arguments], None]
    where: Callable[[Arguments], bool]
    after: int
    times: int | None


class Faulty:
    """A fake whose calls are recorded, can be made to fail, and can be preceded by something else."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._rules: list[_Rule] = []
        self._rules_lock = threading.Lock()

    def fail(
        self,
        method: str,
        error: ArgoRetentionError,
        *,
        times: int | None = 1,
        where: Callable[[Arguments], bool] = lambda _: True,
        after: int = 0,
    ) -> None:
        """Let the next `times` calls of a method fail (None: all) whose arguments `where` accepts.

        `after` lets so many pages, events or chunks pass first.
        """

        def action(_: Arguments) -> None:
            raise error

        self.before(method, action, times=times, where=where, after=after)

    def before(
        self,
        method: str,
        action: Callable[[Arguments], None],
        *,
        times: int | None = 1,
        where: Callable[[Arguments], bool] = lambda _: True,
        after: int = 0,
    ) -> None:
        """Run something first, for example a change that comes between a plan and a deletion."""
        self._rules.append(
            _Rule(method=method, action=action, where=where, after=after, times=times)
        )

    def calls_of(self, method: str) -> list[Arguments]:
        """Arguments of each call of a method so far."""
        return [call.arguments for call in self.calls if call.method == method]

    def _meet(self, method: str, arguments: Arguments, *, after: int = 0) -> None:
        with self._rules_lock:
            if not after:
                self.calls.append(Call(method=method, arguments=arguments))
            met = [
                rule
                for rule in self._rules
                if rule.method == method and rule.after == after and rule.where(arguments)
            ]
            for rule in met:
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times <= 0:
                        self._rules.remove(rule)
        # Outside the lock, so that a hook may wait for another thread.
        for rule in met:
            rule.action(arguments)
