"""`extremes`: the least and the greatest value of an output over a domain, exactly.

The second side of the seam: a question of the walk through all cells (`parallel.question`), which
passes over branches whose bounds show that they hold nothing better.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..answer import CutShort, check_on_interrupt, handed_over
from ..bounding.branch import OnBranch, ground_of
from ..domain.domains import Domain, Space
from ..domain.restrict import Restricted, restrict
from ..errors import LinregionsError
from ..exact.cell import cell_rows
from ..exact.lp import minimise
from ..merging.compile import compile_for
from ..network.rational import nearest
from ..parallel.run import Means, Shared
from ..progress import Deadline, Progress, Status, current, reason_of, tell, watched
from ..readers import load
from ..search.branch import Branch
from ..search.rational_branch import RationalBranch
from ..search.search import Leaves, Search

INFINITE = float("inf")
PATIENCE = 0.5  # seconds for bounds of what is left once time has ended


@dataclass(frozen=True)
class Extreme:
    """One end of the range of an output.

    Attributes
    ----------
    value
        The float nearest to it; infinite where the output has no bound.
    fraction
        The exact value; None where it is infinite.
    coordinates
        Where it is attained, in domain coordinates, exact; a point inside a region in which the
        output goes to infinity along ``ray``. None where no cell was reached.
    point
        (n,) the same in input coordinates (float64).
    ray
        (n,) a direction along which the output goes to infinity, else None.
    bound
        What is proved of all that was not looked at: equal to ``value`` where the answer is whole.
    """

    value: float
    fraction: Fraction | None
    coordinates: list[Fraction] | None
    point: np.ndarray | None
    ray: np.ndarray | None
    bound: float


@dataclass(frozen=True)
class Extremes(CutShort):
    """The least and the greatest value of one output; see `extremes`.

    Attributes
    ----------
    least, greatest
        Each an `Extreme`.
    output, outputs
        Which output, of how many.
    domain
        In words.
    exact
        True: every decision was justified.
    regions
        Regions that were looked at.
    seconds
        Time taken, compilation apart.
    stopped
        Why it is not whole: empty, ``seconds`` or ``interrupt``.
    """

    least: Extreme
    greatest: Extreme
    output: int
    outputs: int
    domain: str
    exact: bool
    regions: int
    seconds: float
    stopped: str = ""

    @property
    def interval(self) -> tuple[float, float]:
        """An interval that certainly holds all values; their range where the answer is whole."""
        return self.least.bound, self.greatest.bound

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``linregions extremes --json``; infinite values are null."""

        def side(end: Extreme) -> dict[str, Any]:
            finite = end.fraction is not None
            return {
                "value": end.value if finite else None,
                "fraction": str(end.fraction) if finite else None,
                "point": None if end.point is None else end.point.tolist(),
                "ray": None if end.ray is None else end.ray.tolist(),
                "bound": end.bound if np.isfinite(end.bound) else None,
            }

        return {
            "least": side(self.least), "greatest": side(self.greatest), "output": self.output,
            "outputs": self.outputs, "domain": self.domain, "exact": self.exact,
            "complete": self.complete, "stopped": self.stopped, "regions": self.regions,
            "seconds": self.seconds,
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"Extremes({self.least.value:.6g} to {self.greatest.value:.6g}{self.remark})"


@dataclass
class Best:
    """The best end so far: its value (None: nothing yet, or infinite), point and ray."""

    value: Fraction | None = None
    at: list[Fraction] | None = None
    ray: list[Fraction] | None = None

    @property
    def ceiling(self) -> float:
        """A float not below the value: what is nowhere below it is nowhere better."""
        if self.at is None:
            return INFINITE
        return -INFINITE if self.value is None else np.nextafter(nearest(self.value), INFINITE)


@dataclass
class LeastOf:
    """The question: the least value of an output and of its opposite."""

    output: int
    name: str
    best: list[Best] = field(default_factory=lambda: [Best(), Best()])

    def bound(self, search: Search, branch: Branch | RationalBranch) -> bool:
        """Whether an interval of the output, then a linear programme, reach below a best."""
        on = OnBranch(search, branch)
        low, high = on.interval(self.output)
        return any(
            (low, -high)[side] < best.ceiling and not self._proved(on, side)
            for side, best in enumerate(self.best)
        )

    def _proved(self, on: OnBranch, side: int) -> bool:
        """Whether a programme shows that one end is nowhere better."""
        best = self.best[side].value
        if best is None:  # nothing is known yet, or the end is infinite already
            return False
        least = on.least(self.output, 1 - 2 * side)
        return least is not None and least >= best

    def cell(self, search: Search, found: Leaves) -> None:
        """Minimise the affine map over each cell, exactly."""
        exact = ground_of(search).exact
        for i, bits in enumerate(found.signs):
            current().check()
            signs = bits.astype(np.int8) * 2 - 1
            inner = found.exact.get(i) or [Fraction(float(v)) for v in found.points[i]]
            form = exact.applied(exact.network.output, signs)
            row, den = [form.num[self.output, j] for j in range(exact.k + 1)], int(form.den)
            rows = None
            for side, best in enumerate(self.best):
                if best.at is not None and best.value is None:
                    continue  # nothing is below minus infinity
                goal = row if side == 0 else [-a for a in row]
                if rows is None:
                    rows, x = cell_rows(exact, signs)[0], exact.in_kernel(inner)
                low = minimise(rows, x, goal)
                if low.value is None:
                    assert low.direction is not None
                    best.value, best.at = None, inner
                    best.ray = exact.from_kernel(low.direction)
                    continue
                value = Fraction(int(low.value.p), int(low.value.q) * den)
                if best.at is None or (best.value is not None and value < best.value):
                    assert low.point is not None
                    best.value, best.at = value, exact.from_kernel(low.point)

    def merge(self, other: LeastOf) -> None:
        """The better of both, for each end."""
        for mine, theirs in zip(self.best, other.best, strict=True):
            if theirs.at is None or (mine.at is not None and mine.value is None):
                continue
            if mine.at is None or theirs.value is None or theirs.value < mine.value:  # type: ignore[operator]
                mine.value, mine.at, mine.ray = theirs.value, theirs.at, theirs.ray

    def pack(self) -> dict[str, Any]:
        """Fractions as text."""

        def text(values: list[Fraction] | None) -> list[str] | None:
            return None if values is None else [str(v) for v in values]

        return {"best": [
            [None if b.value is None else str(b.value), text(b.at), text(b.ray)] for b in self.best
        ]}  # fmt: skip

    def unpack(self, facts: dict[str, Any]) -> None:
        """The way back."""

        def read(values: list[str] | None) -> list[Fraction] | None:
            return None if values is None else [Fraction(v) for v in values]

        self.best = [
            Best(None if v is None else Fraction(v), read(at), read(ray))
            for v, at, ray in facts["best"]
        ]


# -- the verb ---------------------------------------------------------------------------------


def extremes(
    network: Any,
    domain: Domain | None = None,
    *,
    output: int = 0,
    seconds: float | None = None,
    progress: Progress | None = None,
    workers: int | str | None = None,
    executor: Executor | None = None,
    checkpoint: str | Path | None = None,
    on_interrupt: str = "raise",
    shape: Sequence[int] | None = None,
) -> Extremes:
    """The least and the greatest value of one output over a domain, exactly, and where.

    On every region the network is affine, so its extremes are those of linear programmes over the
    regions. A search walks through the regions and passes over all branches that certainly hold
    nothing better: ``inf { f(x) : x in the domain }`` is the least of what is left.

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes.
    domain
        Where to look; all of R^n by default. Its closure, to be exact.
    output
        Which output, from 0.
    seconds
        Stop after so much time: the answer then holds the best so far, and what is proved of the
        rest (``interval``).
    progress, workers, executor, checkpoint, on_interrupt, shape
        As in `count`.

    Returns
    -------
    Extremes
        ``least`` and ``greatest``: values as floats and fractions, points, and rays where the
        output has no bound.

    Raises
    ------
    LinregionsError
        For a bad network, domain or option, and an output that does not exist.
    Interrupted
        After Ctrl-C, within a second.

    Examples
    --------
    >>> import linregions as lr
    >>> tent = [([[1.0], [1.0], [1.0]], [0.0, -1.0, -2.0]), ([[1.0, -2.0, 1.0]], [0.0])]
    >>> found = lr.extremes(tent, lr.Box(-1, 3))
    >>> found.least.fraction, found.greatest.fraction, found.greatest.point
    (Fraction(0, 1), Fraction(1, 1), array([1.]))
    """
    check_on_interrupt(on_interrupt)
    means = Means.of(workers, executor, checkpoint)
    net = load(network, shape=shape)
    if isinstance(output, bool) or not isinstance(output, int | np.integer):
        raise LinregionsError(f"output={output!r}: give the number of an output, from 0")
    if not 0 <= output < net.outputs:
        raise LinregionsError(
            f"output={output}: the network has {net.outputs}, numbered 0 to {net.outputs - 1}"
        )
    domain = Space() if domain is None else domain

    question = LeastOf(int(output), f"extremes of output {output}")
    under_way: list[Shared] = []

    def work(told: Progress | None) -> Extremes:
        problem = restrict(net, domain)
        compile_for(problem)
        shared = Shared(problem, means, question.name, question=question)
        under_way.append(shared)
        current().stage = "search"
        try:
            for _ in shared.run(None, seconds):
                tell(told, Status(shared.leaves, shared.seconds))
            stopped = shared.stop
        except KeyboardInterrupt as stop:
            stopped = reason_of(stop)
        left = []
        if stopped:  # what was not looked at may hold anything that its bounds allow
            with Deadline(PATIENCE).current():
                left = _of_the_rest(shared, question.output)
        return _answer(shared, question, left, stopped)

    def nothing(clock: Deadline) -> Extremes:
        if not under_way:
            raise LinregionsError(f"stopped after {clock.elapsed:.3g} s before the search began")
        return _answer(under_way[0], question, [(-INFINITE, INFINITE)], clock.reason)

    found = watched(work, seconds, progress, nothing, on_interrupt)
    return handed_over(found, on_interrupt)


def _of_the_rest(shared: Shared, output: int) -> list[tuple[float, float]]:
    """Intervals of the output over the branches that are left; of all where time ends."""
    try:
        bundles = shared.coordinator.open
        return [OnBranch(shared.search, b).interval(output) for bundle in bundles for b in bundle]
    except KeyboardInterrupt:
        return [(-INFINITE, INFINITE)]


def _answer(
    shared: Shared, question: LeastOf, left: list[tuple[float, float]], stopped: str
) -> Extremes:
    """What is known: both ends, the second one turned round again."""
    problem, best = shared.search.problem, question.best
    ends = [b.ceiling if b.value is None else nearest(b.value) for b in best]
    bounds = [min([ends[0], *(r[0] for r in left)]), min([ends[1], *(-r[1] for r in left)])]
    least, most = (_end(problem, b, v, s) for b, v, s in zip(best, ends, bounds, strict=True))
    greatest = replace(
        most, value=-most.value, bound=-most.bound,
        fraction=None if most.fraction is None else -most.fraction,
    )  # fmt: skip
    return Extremes(
        least, greatest, question.output, problem.source.outputs, problem.domain.describe(), True,
        shared.leaves, shared.seconds, stopped,
    )  # fmt: skip


def _end(problem: Restricted, best: Best, value: float, bound: float) -> Extreme:
    """One end, in input coordinates."""
    if best.at is None:
        return Extreme(INFINITE, None, None, None, None, bound)
    point = problem.embed(np.array([nearest(v) for v in best.at]))
    ray = None
    if best.ray is not None:
        ray = np.array([nearest(v) for v in best.ray])
        ray = ray if problem.lift is None else problem.lift @ ray
    return Extreme(value, best.value, problem.own(best.at), point, ray, bound)
