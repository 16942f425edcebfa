"""The answer of `sample`: what was met, and what that says about the rest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import LinregionsError
from .layout import Layout
from .species import chao1, coverage
from .table import PatternTable


@dataclass(frozen=True)
class Tally:
    """What the points of one law (or of all together) met.

    Attributes
    ----------
    law
        ``N(0, 3^2)``, ``uniform`` or ``all``.
    points
        Points whose pattern was determined; those outside the domain and those skipped are apart.
    outside, skipped
        Draws from the box around a polytope that missed it; points within rounding of a
        boundary (or on it) whose pattern was left open.
    distinct
        Distinct patterns met: exact while ``thinned`` is 0, else an estimate.
    once, twice
        Patterns met once, twice (estimates where thinned).
    coverage
        Good-Turing: 1 - once / points, the estimated probability that one more point falls
        into a pattern already met. None without points.
    chao1
        Estimated lower bound of the number of patterns with positive probability.
    thinned
        t where the memory held a random 2^-t of the patterns only.
    """

    law: str
    points: int
    outside: int
    skipped: int
    distinct: float
    once: float
    twice: float
    coverage: float | None
    chao1: float
    thinned: int

    @property
    def deviation(self) -> float:
        """Standard error of ``distinct`` from thinning, relative: about 1 / sqrt(held)."""
        held = self.distinct / 2**self.thinned
        return 0.0 if not self.thinned else float(((1 - 2.0**-self.thinned) / max(held, 1)) ** 0.5)


def tally(law: str, counts: np.ndarray, points: int, outside: int, skipped: int, t: int) -> Tally:
    """The tally of one column of counts."""
    scale = 1 << t
    seen, once, twice = (
        scale * int(n) for n in ((counts > 0).sum(), (counts == 1).sum(), (counts == 2).sum())
    )
    return Tally(
        law, points, outside, skipped, seen, once, twice, coverage(points, once),
        chao1(seen, once, twice), t,
    )  # fmt: skip


class Sampled(int):
    """Distinct activation patterns met: an ``int``, a certain lower bound of the regions.

    Every pattern counted is that of a full-dimensional cell: it was decided beyond rounding at a
    true point of the domain. Where the memory could not hold all patterns, the int is the number
    of patterns that it could, plus one; the estimate is ``total.distinct``.

    Attributes
    ----------
    total
        `Tally` of all points together.
    laws
        One `Tally` for each law.
    complete, stopped
        Whether all points were drawn; else ``seconds`` or ``interrupt``.
    path, seed, network, domain
        How points were evaluated (kernel, numpy, torch), the seed, the hash of the network, where.
    seconds
        Time of this call, compilation apart; with ``state`` the earlier calls' is not in it.
    rational
        Points that rational arithmetic settled.
    """

    total: Tally
    laws: tuple[Tally, ...]
    sampled = True  # the end of the time is no cut: see `answer.handed_over`
    complete: bool
    stopped: str
    path: str
    seed: int
    network: str
    domain: str
    seconds: float
    rational: int
    _table: PatternTable
    _layout: Layout
    _kept: bool

    @property
    def best(self) -> Tally:
        """The law that met most patterns (Xiong et al. 2020 report that one)."""
        return max(self.laws, key=lambda t: t.distinct)

    def patterns(self) -> np.ndarray:
        """(patterns, units) pieces of the units, one row for each pattern held.

        Raises
        ------
        LinregionsError
            Where they were not kept: patterns beyond 128 bits need ``keep=True``.
        """
        if not self._kept:
            raise LinregionsError("the patterns were not kept; sample with keep=True")
        table = self._table
        words = table.words if table.words.shape[1] else table.keys[:, : table.rows].T
        return self._layout.decode(words[: table.rows])

    def counts(self) -> np.ndarray:
        """(patterns, laws) how often each was met, in the order of `patterns`."""
        return self._table.count[: self._table.rows].copy()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        names = ("complete", "stopped", "path", "seed", "network", "domain", "seconds", "rational")
        facts = {name: getattr(self, name) for name in names}
        laws = [asdict(t) for t in self.laws]
        return {"seen": int(self), **facts, "total": asdict(self.total), "laws": laws}

    def __repr__(self) -> str:
        t = self.total
        share = "" if t.coverage is None else f", coverage {t.coverage:.6g}"
        cut = f" (stopped: {self.stopped})" if self.stopped else ""
        return f"<{int(self):,} patterns at {t.points:,} points{share}{cut}>"
