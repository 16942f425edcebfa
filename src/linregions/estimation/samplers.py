"""Where the values come from: thinned walks, single descents, one representative per stratum.

A sampler gives unbiased values of the number of regions: ``sample(n)`` one that stands for
``2^n`` units of work. What it has learned until then may steer it, never what it expects.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..domain.restrict import Restricted
from .thinned_walk import KNUTH, Pass, Thinned

SMALL = 500.0  # steps of a pass at least: smaller ones cost more for what they tell
SCOUTS = 4  # single descents before anything else
PILOT = (250, 500, 1000, 2000, 4000)  # steps of the passes that learn, before any that counts


class WalkSampler:
    """What the samplers share: the walker, the passes made and the work done."""

    def __init__(self, problem: Restricted, rng: np.random.Generator, work: int) -> None:
        self.walker = Thinned(problem, rng)
        self.work = work
        self.total = 0  # the number of regions, once a pass has met them all
        self.steps = self.lps = 0.0
        self.pilots: list[float] = []  # estimates of passes made to learn: unbiased, but rough
        self.forecasts: list[tuple[float, float, float]] = []  # weight, steps, LPs of the tree

    def prepare(self, over: Callable[[float], bool]) -> None:
        """Learn before the first value, unless ``over`` says that so many steps are too many."""

    def fit(self, steps: float) -> None:
        """Make the first values cost no more than so many steps."""
        self.work = int(min(self.work, max(steps, SMALL)))

    def sample(self, doublings: int) -> float:
        """One value."""
        raise NotImplementedError

    def _take(self, found: Pass) -> float:
        self.steps += found.steps
        self.lps += found.lps
        self.forecasts.append((found.steps, found.all_steps, found.all_lps))
        if found.complete:
            self.total = found.seen
        return found.estimate

    def whole_tree(self) -> tuple[float, float]:
        """Expected steps and LPs of a walk over the whole tree, as far as is known."""
        if not self.forecasts:
            return float("inf"), float("inf")
        table = np.array(self.forecasts)
        weight = table[:, 0] / max(table[:, 0].sum(), 1.0)
        return float(weight @ table[:, 1]), float(weight @ table[:, 2])

    def count(self) -> float:
        """Walk the whole tree, unless it proves far larger than forecast."""
        return self._take(self.walker.go(0.0, 3.0 * self.whole_tree()[0] + 1000.0))


class ThinnedWalks(WalkSampler):
    """Passes of `Thinned`, each of about ``work`` steps at first."""

    def prepare(self, over: Callable[[float], bool]) -> None:
        """Descents, then passes of growing size: they teach the walker where the leaves are."""
        self._doublings = -1
        self._calibrated = 2.0  # threshold times target over the forecast
        for _ in range(SCOUTS):
            if self.total or over(100.0):
                return
            self.pilots.append(self._take(self.walker.go(KNUTH, np.inf)))
        for target in PILOT:
            if target > 2 * self.work or self.total or over(2.0 * target):
                return
            self._pilot(target)

    def _pilot(self, target: float) -> None:
        self.walker.learn()
        threshold = self._calibrated * self.walker.forecast / target
        found = self.walker.go(threshold, 2.0 * target)
        self.pilots.append(self._take(found))
        if not found.raised:
            self._calibrated = min(max(self._calibrated * found.steps / target, 1.0), 100.0)
        else:
            self._calibrated = min(self._calibrated * 2.0, 100.0)

    def sample(self, doublings: int) -> float:
        """A pass of ``work * 2^doublings`` steps; learning stops while that does not change."""
        target = self.work * 2.0**doublings
        if doublings != self._doublings:
            self.walker.learn()
            self._doublings = doublings
            self._threshold = self._calibrated * self.walker.forecast / target
        found = self.walker.go(self._threshold, 4.0 * target)
        return self._take(found)


class Descents(WalkSampler):
    """Knuth's descents: at every split one child, each with probability 1/2."""

    def sample(self, doublings: int) -> float:
        """The mean of 20, 40, 80, ... descents."""
        n = 20 << doublings
        return sum(self._take(self.walker.go(KNUTH, np.inf)) for _ in range(n)) / n
