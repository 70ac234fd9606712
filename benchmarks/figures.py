"""What a figure is, and how rounds of ours and of a comparison are run side by side."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What must hold: `of` is ours, limit or today; `bound` is a ratio, or a value where `of` is ours."""

    of: str
    sign: str  # ">=" or "<="
    bound: float

    def __str__(self) -> str:
        subject = {"ours": "", "limit": " of limit", "today": " of today"}[self.of]
        return f"{self.sign} {self.bound:g}{subject}"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the report; `limit` is what the parts could do at most, `today` what Argo does."""

    figure: str
    unit: str
    ours: float
    bars: Sequence[Bar]
    limit: float | None = None
    today: float | None = None
    note: str = ""
    more: Mapping[str, float] = field(default_factory=dict)

    def ratio(self, of: str) -> float | None:
        """Ours divided by limit or today."""
        other = {"limit": self.limit, "today": self.today}[of]
        return None if other is None else self.ours / other

    @property
    def holds(self) -> bool:
        """Whether each bar holds."""
        return all(self._holds(bar) for bar in self.bars)

    def _holds(self, bar: Bar) -> bool:
        value = self.ours if bar.of == "ours" else self.ratio(bar.of)
        if value is None:
            return False
        return value >= bar.bound if bar.sign == ">=" else value <= bar.bound

    def as_json(self) -> dict[str, object]:
        """The fields of the report."""
        return {
            "figure": self.figure,
            "unit": self.unit,
            "ours": _short(self.ours),
            "limit": _short(self.limit),
            "today": _short(self.today),
            "ratio_to_limit": _short(self.ratio("limit")),
            "ratio_to_today": _short(self.ratio("today")),
            "bar": ", ".join(map(str, self.bars)),
            "holds": self.holds,
            "note": self.note,
            **{key: _short(value) for key, value in self.more.items()},
        }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


@contextmanager
def clock(seconds: list[float]):
    """Append how long the block took; the rubbish of what was before is collected before it begins."""
    gc.collect()
    start = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - start)


def rounds(count: int, *sides: Callable[[int], float]) -> list[float]:
    """The median of each side; the order turns around each round, so that none is always the first."""
    found: list[list[float]] = [[] for _ in sides]
    for number in range(count):
        order = list(range(len(sides)))
        for place in order if number % 2 == 0 else reversed(order):
            found[place].append(sides[place](number))
    return [statistics.median(values) for values in found]
