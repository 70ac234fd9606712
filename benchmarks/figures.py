"""What a figure is, and how rounds of ours and of a comparison are run side by side."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks import cpu


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What must hold: `of` is ours, limit or today; `bound` is a ratio, or a value where `of` is ours."""

    of: str
    sign: str  # ">=" or "<="
    bound: float

    def __str__(self) -> str:
        subject = {"ours": "", "limit": " of limit", "today": " of today"}[self.of]
        return f"{self.sign} {self.bound:g}{subject}"


@dataclass(kw_only=True)
class Spent:
    """What some pieces of work took."""

    count: int  # pieces: workflows, rows, logs
    seconds: float = 0.0
    cpu: Mapping[str, float] = field(default_factory=dict)  # whose → seconds of all cores

    @property
    def rate(self) -> float:
        """Pieces a second."""
        return self.count / self.seconds

    def shares(self) -> dict[str, float]:
        """Microseconds of CPU for a piece, by whose they are; `idle` as a share of all cores.

        `without_us`: seconds that the others' work alone would take on all cores of this machine.
        """
        total = sum(self.cpu.values())
        others = total - self.cpu[cpu.IDLE] - self.cpu[cpu.PRODUCT]
        used = {k: round(1e6 * v / self.count) for k, v in self.cpu.items() if k != cpu.IDLE}
        return {
            **{role: micros for role, micros in used.items() if micros},
            cpu.IDLE: round(self.cpu[cpu.IDLE] / total, 2),
            "without_us": round(self.seconds * others / total, 2),
        }


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
    cpu: Mapping[str, Spent] = field(default_factory=dict)  # ours, limit, today

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
            "cpu": {side: spent.shares() for side, spent in self.cpu.items()},
        }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


@contextmanager
def clock(count: int) -> Iterator[Spent]:
    """What the block took for so many pieces; the rubbish of what was before is collected before it begins."""
    gc.collect()
    spent = Spent(count=count)
    before = cpu.used()
    start = time.perf_counter()
    yield spent
    spent.seconds = time.perf_counter() - start
    spent.cpu = cpu.between(before, cpu.used())


def rounds(count: int, *sides: Callable[[int], Spent]) -> list[Spent]:
    """The middle round of each side; the order turns around each round, so that none is always the first."""
    found: list[list[Spent]] = [[] for _ in sides]
    for number in range(count):
        order = list(range(len(sides)))
        for place in order if number % 2 == 0 else reversed(order):
            found[place].append(sides[place](number))
    return [sorted(each, key=lambda spent: spent.seconds)[len(each) // 2] for each in found]
