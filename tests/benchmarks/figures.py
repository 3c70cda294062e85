"""The arithmetic of the figures: what the rounds say together."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """One figure over all rounds: its median, its lowest and its highest value."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    return Spread(median=median(values), low=min(values), high=max(values))


def ratios(measured: Sequence[float], held_against: Sequence[float]) -> Spread:
    """Round by round, so that what slows a whole round down leaves its ratio alone."""
    return spread([one / other for one, other in zip(measured, held_against, strict=True)])


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest of the values that `percent` of them don't pass (nearest rank)."""
    rank = -(-len(values) * percent // 100)
    return sorted(values)[max(rank, 1) - 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A ratio and the bound that it has to keep: at least `floor`, or at most `ceiling`, or such that its
    highest value comes up to `reaches`: nothing is lost that could be measured. `aim` is beyond the floor."""

    what: str
    ratio: Spread
    floor: float | None = None
    ceiling: float | None = None
    reaches: float | None = None
    aim: float | None = None

    @property
    def met(self) -> bool:
        above = self.floor is None or self.ratio.median >= self.floor
        below = self.ceiling is None or self.ratio.median <= self.ceiling
        return above and below and (self.reaches is None or self.ratio.high >= self.reaches)

    @property
    def aim_met(self) -> bool:
        return self.aim is not None and self.ratio.median >= self.aim
