"""Solutions of the mixed-integer model one after the other: branching by hand, HiGHS below.

A mixed-integer solver that finds one solution at a time, each forbidden by a no-good cut, repeats
its whole tree for each of them. Here the tree is walked once: binaries are fixed layer by layer,
one warm HiGHS instance maximises the smallest active output f of what is left, and a branch
ends where that does not exceed the margin. Different leaves differ in a binary, so each
solution is met once, as if all earlier ones had been cut off.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import LinregionsError
from .formulation import Model
from .programme import quiet

SIMPLEX, INTERIOR = "simplex", "ipm"


class Solutions:
    """The distinct assignments of the binaries for which f exceeds the margin.

    Attributes
    ----------
    solves
        Linear programmes so far.
    smallest
        The smallest f among the solutions so far (largest f of each): how near to the margin
        the count has come.
    """

    def __init__(self, model: Model, margin: float) -> None:
        self.model, self.margin = model, margin
        self.solves, self.smallest = 0, 1.0
        self._decisions = [d for layer in model.choices for unit in layer for d in unit.decisions()]
        self._highs = _relaxation(model)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Values 0 and 1 of the columns (of the binaries; 0 elsewhere)."""
        values = self._solve()
        if values is not None:
            yield from self._descend(0, values, np.zeros(len(values), np.int8))

    def _descend(self, depth: int, values: np.ndarray, on: np.ndarray) -> Iterator[np.ndarray]:
        if depth == len(self._decisions):
            last = self._solve()  # all binaries are fixed: this f is exact
            if last is not None:
                self.smallest = min(self.smallest, float(last[self.model.f]))
                yield on.copy()
            return
        columns, options, halves = self._decisions[depth]
        here = values[halves[0]] - values[halves[1]] if halves else 0.0
        for option in options:
            self._fix(columns, option, option)
            on[columns] = option
            # where the point known is on this side, no programme is needed: at a leaf there is one
            seen = halves and (here > self.margin if option[0] else here <= 0.0)
            below = values if seen and not self.model.both_sides else self._solve()
            if below is not None:
                yield from self._descend(depth + 1, below, on)
        on[columns] = 0
        self._fix(columns, np.zeros(len(columns)), np.ones(len(columns)))

    def _fix(self, columns: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        self._highs.changeColsBounds(len(columns), columns, low, high)

    def _solve(self) -> np.ndarray | None:
        """The columns at the largest f of the branch; None where that is within the margin."""
        import highspy

        self.solves += 1
        self._highs.run()
        status, known = self._highs.getModelStatus(), highspy.HighsModelStatus
        for method in (SIMPLEX, INTERIOR):  # afresh: a warm basis may have led into a dead end
            if status in (known.kInfeasible, known.kOptimal):
                break
            self._highs.clearSolver()
            self._highs.setOptionValue("solver", method)
            self._highs.run()
            status = self._highs.getModelStatus()
            self._highs.setOptionValue("solver", "choose")
        if status == known.kInfeasible:
            return None
        if status != known.kOptimal:
            name = self._highs.modelStatusToString(status)
            raise LinregionsError(
                f'engine="milp": HiGHS ends with status {name!r} on this network, whose numbers '
                'differ too much in size for its floats; give engine="search"'
            )
        if self._highs.getObjectiveValue() <= self.margin:
            return None
        return np.array(self._highs.getSolution().col_value)


def _relaxation(model: Model):
    """HiGHS with the relaxation of the model, set to maximise f."""
    import highspy

    P, highs = model.programme, quiet()
    for low, high in zip(P.lower, P.upper, strict=True):
        highs.addVar(low, high)
    for columns, coefficients, low, high in P.rows:
        highs.addRow(low, high, len(columns), columns, coefficients)
    highs.changeColCost(model.f, 1.0)
    highs.changeObjectiveSense(highspy.ObjSense.kMaximize)
    return highs
