"""A referee: counts by the mixed-integer model of Serra et al., independent of all engines.

Slow and in floating point, but it shares nothing with the search or the complex. It counts
patterns of a bounded domain that leave a positive margin. Where it may differ from an exact count
is stated in `Referee`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..domain.restrict import Restricted
from ..errors import LinregionsError
from .cell import Balls, thickness
from .formulation import formulate, of_size_one
from .highs import Solutions
from .programme import TOLERANCE
from .scip import scip_count

MARGIN = 1e-7

__all__ = ["MARGIN", "TOLERANCE", "Referee"]


class Referee:
    """Counts the patterns of a restricted network with a margin.

    The model is that of Serra, Tjandraatmadja and Ramalingam (2018), equations (1)-(6), with the
    smallest active output f maximised; see `linregions.milp.formulation`.

    Parameters
    ----------
    problem
        What `restrict` gave, over a bounded polytope with interior.
    kind
        ``pattern``: as in the paper, the assignments of the binaries with f > margin. Inactive
        units may be at their breakpoint, so that lower-dimensional patterns are counted.
        ``activation``: of these, the ones whose cell holds a ball of radius above the
        margin.
    margin
        For f and for the radius. Units are measured so that their rows are of size about 1; the
        domain's coordinates should be. At least ten times the solver's tolerance of 1e-9. Cells
        that near-ties make thinner than the margin are not counted: the count is then too low.
    solver
        ``highs``, or ``scip``, which needs pyscipopt. SCIP counts and lists nothing, so that
        the radius cannot be asked for: for ``activation`` its model asks for the margin on
        both sides of each breakpoint instead, and misses cells on which a unit vanishes.

    Attributes
    ----------
    flat
        Patterns met whose cell is thinner than the margin (HiGHS, ``activation``).
    """

    def __init__(
        self,
        problem: Restricted,
        kind: str = "activation",
        margin: float = MARGIN,
        solver: str = "highs",
    ) -> None:
        if kind not in ("activation", "pattern"):
            raise LinregionsError(
                f'engine="milp" counts kind="activation" or "pattern", not {kind!r}; give '
                'engine="auto" for the others'
            )
        if not 10 * TOLERANCE <= margin < 1:
            raise LinregionsError(
                f"milp: margin={margin!r} must be below 1 and at least {10 * TOLERANCE:g}, ten "
                "times the tolerance of the solver"
            )
        if solver not in ("highs", "scip"):
            raise LinregionsError(f"milp: unknown solver {solver!r}; give 'highs' or 'scip'")
        self.problem, self.kind = of_size_one(problem), kind
        self.margin, self.solver = margin, solver
        self.flat = 0
        self._both = solver == "scip" and kind == "activation"
        self.model = formulate(self.problem, self._both)
        self._solutions = Solutions(self.model, margin) if solver == "highs" else None

    def patterns(self) -> Iterator[tuple[int, ...]]:
        """The patterns, piece of every unit, one after the other (HiGHS)."""
        assert self._solutions is not None
        balls = Balls(self.problem.dimension)
        for on in self._solutions:
            pieces = self.model.pieces(on)
            if self.kind == "pattern" or thickness(self.problem, pieces, balls) > self.margin:
                yield tuple(p for layer in pieces for p in layer)
            else:
                self.flat += 1

    def count(self, limit: int | None = None, seconds: float | None = None) -> tuple[int, str]:
        """The number of patterns by SCIP, and why it stopped early (empty: it did not)."""
        return scip_count(self.model, self.margin, limit, seconds)

    def stats(self) -> dict[str, float]:
        """The margin, the tolerance, and what the work consisted of."""
        out: dict[str, float] = {"margin": self.margin, "tolerance": TOLERANCE}
        out["binaries"] = len(self.model.binaries)
        if self._solutions is not None:
            out["lps"] = self._solutions.solves
            out["smallest_output"] = self._solutions.smallest
            if self.kind == "activation":
                out["flat_patterns"] = self.flat
        return out
