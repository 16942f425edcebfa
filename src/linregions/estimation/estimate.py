"""`estimate`: an unbiased number of regions, with an interval where one can be honest."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..answer import handed_over
from ..bounding import tightest
from ..bounding.bound import THIS, Bound
from ..definitions import check_exact
from ..domain.domains import Box, Domain, Space, dimension_of
from ..domain.restrict import Restricted, restrict
from ..errors import LinregionsError
from ..figures import brief_repr, short
from ..merging.compile import compile_kernel, tiny_problem
from ..network.network import Network
from ..progress import Deadline, Progress, Status, announced, current, reason_of, tell, watched
from ..readers import load
from ..search.zonotope import seen_through
from .chen import Representatives
from .interval import LEAST, Groups
from .samplers import Descents, ThinnedWalks, WalkSampler
from .thinned_walk import Thinned

METHODS = {
    "thinned": "a depth-first walk that leaves branches out at random, steered by what it has met",
    "strata": "one representative per layer, units to place and rank (Chen 1992)",
    "descents": "single random descents (Knuth 1975)",
}
SAMPLERS: dict[str, type[WalkSampler]] = {
    "thinned": ThinnedWalks,
    "strata": Representatives,
    "descents": Descents,
}
SOFT = 0.8  # of the time, in which passes are begun: those under way then are finished
LATE = 1.2  # of that, after which a pass under way is cut to a few paths
BOUND = 0.2  # of the time that the upper bound may take
ENOUGH = 20  # values before a relative error may end an estimate


@dataclass(frozen=True, repr=False)
class Estimate:
    """How many activation regions there are, about.

    Attributes
    ----------
    estimate
        An unbiased estimate: the mean of independent passes; or ``seen`` or ``upper``, where it
        lies beyond them. The number itself where ``complete``.
    interval
        ``(low, high)``, or None where none can be honest; ``why`` then says the reason.
    confidence
        Of the interval, such as 0.95.
    seen
        Regions met in one pass: a certain lower bound, and never less than 1.
    upper, upper_name
        The tightest proved upper bound, and which it is.
    complete
        True when a pass met every region: ``estimate``, ``seen`` and ``interval`` are the count.
    exact
        True when every decision about what was met was justified (see `Count`).
    passes, groups, steps
        Values taken, groups that they were merged into, and cells looked at.
    stopped
        What ended it: ``complete``, ``relative_error``, ``passes``, ``seconds`` or ``interrupt``.
    """

    estimate: float
    interval: tuple[float, float] | None
    why: str
    confidence: float
    seen: int
    upper: int
    upper_name: str
    complete: bool
    exact: bool
    kind: str
    method: str
    domain: str
    dimension: int
    inputs: int
    units: int
    seconds: float
    passes: int
    groups: int
    steps: int
    seed: int
    stopped: str

    __repr__ = brief_repr
    sampled = True  # the end of the time is no cut: see `answer.handed_over`

    @property
    def relative_error(self) -> float:
        """Half the width of the interval over the estimate; infinite without an interval."""
        if self.interval is None:
            return float("inf")
        return 0.5 * (self.interval[1] - self.interval[0]) / max(self.estimate, 1.0)

    @property
    def about(self) -> str:
        """The estimate in words: "at least" where the passes gave no more than is certain."""
        return f"{'about' if self.estimate > self.seen else 'at least'} {short(self.estimate)}"

    def __float__(self) -> float:
        return float(self.estimate)

    def __str__(self) -> str:
        return self.describe()

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``linregions estimate --json``."""
        out = asdict(self)
        out["interval"] = None if self.interval is None else list(self.interval)
        out["upper_bound"] = out.pop("upper")
        out["upper_bound_name"] = out.pop("upper_name")
        return out

    def describe(self) -> str:
        """One sentence."""
        where = f"activation regions in {self.domain}, dimension {self.dimension}"
        if self.complete:
            return f"{self.seen:,} {where}: all of them were met ({self.seconds:.3g} s)"
        about = f"{self.about} {where}"
        if self.interval is None:
            return f"{about}; no interval: {self.why}"
        low, high = (short(v) for v in self.interval)
        return f"{about}, {self.confidence:.0%} interval {low} to {high} ({self.seconds:.3g} s)"


def _within(value: float, least: int, most: int) -> float:
    """The nearest number to ``value`` that the certain bounds allow."""
    return float(max(least, min(value, most)))


def estimate(
    network: Any,
    domain: Domain | None = None,
    *,
    seconds: float | None = None,
    relative_error: float | None = None,
    passes: int | None = None,
    seed: int = 0,
    method: str = "thinned",
    confidence: float = 0.95,
    work: int = 4000,
    exact: bool = True,
    progress: Progress | None = None,
    on_interrupt: str = "raise",
    shape: Sequence[int] | None = None,
) -> Estimate:
    """Estimate the number of activation regions without meeting them all.

    The tree of the search is walked many times, and each time most branches are left out at
    random. A branch taken with probability p counts 1/p times, so the weighted number of leaves
    is unbiased whatever the probabilities (Knuth 1975).

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes.
    domain
        Where to look; all of R^n by default.
    seconds
        Stop after so much time (compilation apart). No pass is begun in its last fifth, in which
        the one under way is finished with fewer and fewer paths: dropping the long ones would
        favour small estimates. 10 unless another end is given.
    relative_error
        Stop once the half-width of the interval is that part of the estimate, such as 0.05.
    passes
        Stop after so many values. Only then is the answer the same on every machine; without it,
        the tree is walked to its end where that costs no more than the estimate did.
    seed
        Of all draws.
    method
        ``thinned`` (default), ``strata`` (Chen 1992) or ``descents`` (Knuth 1975).
    confidence
        Of the interval.
    work
        Steps (cells looked at) of the first passes of ``thinned``; later ones take more.
    exact
        Has no effect: every answer is exact. ``False`` is refused.
    progress
        Called with a `Status` after every pass.
    on_interrupt
        As in `count`.
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Returns
    -------
    Estimate

    Raises
    ------
    LinregionsError
        For a bad network, domain or option.

    Examples
    --------
    >>> found = estimate([([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])])
    >>> found.estimate, found.complete
    (3.0, True)
    """
    check_exact(exact)
    check_options(seconds, relative_error, passes, method, confidence, work)
    net, domain = load(network, shape=shape), Space() if domain is None else domain
    if seconds is None and relative_error is None and passes is None:
        seconds = 10.0
    first = Sketch(net, domain, method, seed, confidence)

    def passed(report: Progress | None) -> Estimate:
        try:
            run = first.run(seconds, work)
        except KeyboardInterrupt as stop:
            return first.answer(reason_of(stop))
        run.go(seconds, relative_error, passes, confidence, report)
        return run.answer(confidence)

    def nothing(clock: Deadline) -> Estimate:
        return first.answer(clock.reason, clock)

    return handed_over(watched(passed, seconds, progress, nothing, on_interrupt), on_interrupt)


@dataclass
class Sketch:
    """What is asked of an estimate, and what can be said of it before there is any pass."""

    net: Network
    domain: Domain
    method: str
    seed: int
    confidence: float
    under_way: EstimateRun | None = None

    def run(self, seconds: float | None, work: int) -> EstimateRun:
        """Get ready, in so much time in all; `Stopped` where it is not enough."""
        problem = restrict(self.net, self.domain)
        bound = _upper(problem, None if seconds is None else BOUND * seconds)
        self.under_way = EstimateRun(problem, self.method, self.seed, work, bound)
        return self.under_way

    def answer(self, stopped: str, clock: Deadline | None = None) -> Estimate:
        """Where time ended too soon (of ``clock``, or of the work under way): what is certain.

        A box with sides, or all of space, has a cell; whether another domain has one is not known
        before the search is ready.
        """
        if self.under_way is not None:
            self.under_way.stopped = stopped
            return self.under_way.answer(self.confidence)
        net, seen = self.net, int(_has_interior(self.domain))
        upper = _trivial(net)
        return Estimate(
            estimate=float(seen), interval=None,
            why="time ended before the first pass: give more seconds or a smaller domain",
            confidence=self.confidence, seen=seen, upper=int(upper.value), upper_name=upper.name,
            complete=False, exact=True, kind="activation", method=self.method,
            domain=self.domain.describe(), dimension=dimension_of(self.domain, net.inputs),
            inputs=net.inputs, units=net.units, seconds=(clock or current()).elapsed, passes=0,
            groups=0, steps=0, seed=self.seed, stopped=stopped,
        )  # fmt: skip


def _has_interior(domain: Domain) -> bool:
    """Whether a domain has one, where that can be seen at once."""
    if isinstance(domain, Box):
        return bool(np.all(np.asarray(domain.lo, float) < np.asarray(domain.hi, float)))
    return isinstance(domain, Space)


def _trivial(net: Network) -> Bound:
    """As many regions as patterns."""
    patterns = 1
    for layer in net.layers:
        for pieces, times in Counter(layer.units.pieces_per_unit()).items():
            patterns *= pieces**times
    return Bound("patterns", patterns, "upper", THIS, (), "proved", "one region a pattern")


def _upper(problem: Restricted, seconds: float | None) -> Bound:
    """The tightest bound that is there in so many seconds."""
    part = Deadline(seconds, current())
    with part.current():
        part.stage = "bounds"
        try:
            return tightest(problem)
        except KeyboardInterrupt:
            return _trivial(problem.network)


def check_options(
    seconds: float | None, relative_error: float | None, passes: int | None, method: str,
    confidence: float, work: int,
) -> None:  # fmt: skip
    """Raise for options that make no sense, before any work."""
    if method not in SAMPLERS:
        raise LinregionsError(f"unknown method {method!r}; give one of {', '.join(SAMPLERS)}")
    for name, given in (("seconds", seconds), ("relative_error", relative_error)):
        if given is not None and not 0 < given < float("inf"):
            raise LinregionsError(f"{name}={given}: give a number above 0")
    if passes is not None and passes < 1:
        raise LinregionsError(f"passes={passes}: give a whole number, 1 or more")
    if not 0 < confidence < 1:
        raise LinregionsError(f"confidence={confidence}: give a number between 0 and 1")
    if work < 100:
        raise LinregionsError(f"work={work}: give a whole number of steps, 100 or more")


_compiled: set[tuple[bool, bool]] = set()


def compile_thinned(zonotope: bool, full: bool = False) -> float:
    """Compile the kernels (once per machine, then cached); returns the seconds taken."""
    if (zonotope, full) in _compiled:
        return 0.0
    took = compile_kernel(zonotope=zonotope, full=full)
    with announced() as t:
        Thinned(tiny_problem(zonotope, full), np.random.default_rng(0)).go(0.0, np.inf)
    _compiled.add((zonotope, full))
    return took + t()


class EstimateRun:
    """One estimate under way."""

    def __init__(
        self, problem: Restricted, method: str, seed: int, work: int, bound: Bound | None = None,
    ) -> None:  # fmt: skip
        self.problem, self.method, self.seed = problem, method, seed
        self.bound = bound
        begin = time.perf_counter()
        searched = seen_through(problem) if problem.zonotope is None else problem
        self.start = begin + compile_thinned(
            searched.zonotope is not None, searched.network.has_max
        )
        self.sampler = SAMPLERS[method](searched, np.random.default_rng(seed), work)
        self.groups = Groups()
        self.passes = 0
        self.prepared = False
        self.stopped = ""
        self._last, self._doubled = 0.0, False  # seconds of the last value

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.start

    def go(
        self, seconds: float | None, relative_error: float | None, passes: int | None,
        confidence: float, progress: Progress | None, may_count: bool = True,
    ) -> None:  # fmt: skip
        """Take values until one of the ends is reached; ``may_count``: by a full count too."""
        sampler, groups = self.sampler, self.groups
        limit = float("inf") if seconds is None else SOFT * seconds
        clock = current()
        clock.stage, clock.known = "estimate", self._so_far
        timed = passes is None and limit < float("inf")
        walker = sampler.walker
        walker.deadline = self.start + 0.5 * limit if timed else np.inf
        try:
            if not self.prepared:
                self.prepared = True
                sampler.prepare(lambda steps: self._until(steps) >= 0.3 * limit)
                if timed:
                    rate = sampler.steps / max(self.elapsed, 1e-9)
                    sampler.fit(rate * (limit - self.elapsed) / ENOUGH)
            walker.deadline = self.start + LATE * limit if timed else np.inf
            while not self._ended(limit, relative_error, passes, confidence):
                before = self.elapsed
                if may_count and passes is None and self._worth_counting(limit):
                    value = sampler.count()
                else:
                    value = sampler.sample(groups.doublings)
                doublings = groups.doublings
                groups.add(value)
                self.passes += 1
                self._last = self.elapsed - before
                self._doubled = groups.doublings > doublings
                tell(progress, Status(self._so_far(), self.elapsed, "estimate"))
        except KeyboardInterrupt as stop:  # the pass under way is lost
            self.stopped = reason_of(stop)

    def _until(self, steps: float) -> float:
        """Seconds since the beginning once so many more steps are made."""
        return self.elapsed * (1.0 + steps / max(self.sampler.steps, 1.0))

    def _ended(
        self, limit: float, relative_error: float | None, passes: int | None, confidence: float
    ) -> bool:
        if self.sampler.total:
            self.stopped = "complete"
        elif passes is not None and self.passes >= passes:
            self.stopped = "passes"
        elif self.elapsed >= limit or self._too_late(limit):
            self.stopped = "seconds"
        elif relative_error is not None and len(self.groups.values) >= ENOUGH:
            found = self.groups.interval(confidence)
            if found.given and found.high - found.low <= 2 * relative_error * self.groups.mean:
                self.stopped = "relative_error"
        return bool(self.stopped)

    def _too_late(self, limit: float) -> bool:
        """Whether the next value would end well after the time, and can be done without."""
        if len(self.groups.values) < LEAST:
            return False
        return self.elapsed + 0.5 * self._last * (1 + self._doubled) > limit

    def _so_far(self) -> int:
        """The mean of the values, at least what is certain (alone where it is no number)."""
        mean = self.groups.mean
        return max(round(mean) if np.isfinite(mean) else 0, self.sampler.walker.most)

    def _worth_counting(self, limit: float) -> bool:
        """Whether the whole tree costs no more than what was spent, and the time suffices."""
        steps = self.sampler.whole_tree()[0]
        spent = self.sampler.steps
        if not self.passes or not steps <= spent:
            return False
        return self._until(steps) < limit

    def _rough(self) -> float:
        """The mean of all passes, those made to learn included, where the others met nothing."""
        values = [*self.sampler.pilots, *self.groups.values]
        return float(np.mean(values)) if values else float(self.sampler.walker.most)

    def answer(self, confidence: float) -> Estimate:
        """What is known by now."""
        seconds, sampler = self.elapsed, self.sampler
        bound = self.bound or _trivial(self.problem.network)
        total, seen, mean = sampler.total, sampler.walker.most, self.groups.mean
        found = self.groups.interval(confidence)
        interval, why, most = None, found.why, int(bound.value)
        if total:
            mean, interval, why = float(total), (float(total), float(total)), ""
        elif found.given and (found.high < seen or found.low > most):
            why = "what the passes gave lies beyond the certain bounds"
        elif found.given:
            interval = _within(found.low, seen, most), _within(found.high, seen, most)
        if not mean > 0.0:
            mean = self._rough()
        if not np.isfinite(mean):
            raise LinregionsError(
                "estimate: more regions than floating-point numbers reach (about 1e308); give a "
                "smaller domain, or ask for bounds"
            )
        return Estimate(
            estimate=_within(mean, seen, most),
            interval=interval,
            why=why,
            confidence=confidence,
            seen=seen,
            upper=most,
            upper_name=bound.name,
            complete=bool(total),
            exact=True,
            kind="activation",
            method=self.method,
            domain=self.problem.domain.describe(),
            dimension=self.problem.dimension,
            inputs=self.problem.source.inputs,
            units=self.problem.source.units,
            seconds=seconds,
            passes=self.passes,
            groups=len(self.groups.values),
            steps=int(sampler.steps),
            seed=self.seed,
            stopped=self.stopped,
        )
