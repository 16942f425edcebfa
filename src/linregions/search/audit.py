"""Audit: every decision of a search proved again, in rational arithmetic alone.

With ``LINREGIONS_AUDIT=1`` in the environment a search writes down its decisions and this file
looks at each of them anew: an exact linear programme over the rows of the path, from a rational
interior point, without the floats, the caches and the multipliers that the search used. The first
that is not true ends the program. It is for small networks: a decision takes milliseconds.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from flint import fmpq, fmpz

from ..audit import AuditError
from ..exact.forms import Exact
from ..exact.lp import interior_point, minimise
from ..exact.rows import Point, Row, negative, sign, value
from ..network.pattern import pair
from . import records as R
from .replay import Event, Replay

if TYPE_CHECKING:
    from .program import Compiled


class Audit:
    """Takes the records of one search; its ``take`` is that of a `Recorder`."""

    def __init__(self, compiled: Compiled) -> None:
        self.exact = Exact(compiled)
        self.replay = Replay(compiled.program, compiled.k)
        self.leaves = self.decisions = 0

    def take(self, ints: np.ndarray, reals: np.ndarray, text: str) -> None:
        """Look at a block of records."""
        try:
            for event in self.replay.feed(ints, reals, text):
                self._look(event)
        except (IndexError, KeyError, RuntimeError, ValueError) as error:
            raise AuditError(f"audit: no tree goes on after decision {self.decisions}") from error

    def finish(self, leaves: int) -> None:
        """The search has ended: the tree must be whole, and the count that of its leaves."""
        if self.replay.open or self.leaves != leaves:
            raise AuditError(
                f"audit: the records of the tree end with {self.leaves} cells, the search says "
                f"{leaves}; open on the path: {self.replay.con}"
            )

    def _look(self, event: Event) -> None:
        code = event.code
        self.decisions += 1
        if code in (R.REFUSED, R.SOLVED, R.SLOPELESS, R.BOXED):
            self._one_sided(event)
        elif code == R.SPLIT:
            rows, x = self._cell(event)
            if self.exact.place(rows, x, self._row(event.row))[2] is None:
                self._stop(event, "the row does not cut the cell")
        elif code == R.BOUND:
            self._bound(event)
        elif code in (R.KEPT, R.LOST):
            self._argument(event)
        elif code == R.WINS:
            self._winner(event)
        elif code in (R.LEAF, R.POINT):
            self._leaf(event)

    def _row(self, c: int) -> Row:
        return self.exact.row(c, self._signs())

    def _signs(self) -> np.ndarray:
        """Signs as `Exact` reads them; those of open rows do not matter to the rows asked for."""
        return np.where(self.replay.signs == 0, -1, self.replay.signs).astype(np.int8)

    def _cell(self, event: Event) -> tuple[list[Row], Point]:
        cell = self.exact.cell(self.replay.con, self._signs())
        rows = self.exact.domain_rows() + [r for r in cell if any(r)]  # equal arguments: zero rows
        x = interior_point(rows, self.exact.k)
        if x is None:
            self._stop(event, "the cell is empty")
        return rows, x

    def _one_sided(self, event: Event) -> None:
        rows, x = self._cell(event)
        g = self._row(event.row)
        s, _, other, _ = self.exact.place(rows, x, g)
        said = self.replay.decided(event)
        if other is not None or (said != 0 and s != said):
            self._stop(event, "the row is not on one side of the cell" if other else "wrong side")
        if said == 0:
            if any(g[:-1]):
                self._stop(event, "the row has a slope")
            self.replay.settle(event.row, s)

    def _bound(self, event: Event) -> None:
        rows, x = self._cell(event)
        j, k = event.row >> 1, self.exact.k
        s = 1 if event.row % 2 == 0 else -1
        least = minimise(rows, x, [fmpz(s if i == j else 0) for i in range(k + 1)]).value
        unit = Fraction(float(self.exact.unit[j]))
        limit = Fraction(event.reals[0]) / unit * s
        if least is None or least < fmpq(limit.numerator, limit.denominator):
            self._stop(event, "the bound does not hold")

    def _argument(self, event: Event) -> None:
        """A kept argument wins somewhere, a lost one nowhere."""
        unit, w = self.replay.argument
        first, m = self.replay.arguments(unit)
        rows, _ = self._cell(event)
        wins = True
        for j in range(m):
            if j != w:
                g = self._row(pair(first, m, w, j))
                g = g if w > j else negative(g)
                if any(g):
                    rows.append(g)
                else:  # equal arguments: the lower index
                    wins = wins and w < j
        wins = wins and interior_point(rows, self.exact.k) is not None
        if wins != (event.code == R.KEPT):
            self._stop(event, f"argument {w} " + ("wins somewhere" if wins else "wins nowhere"))

    def _winner(self, event: Event) -> None:
        """One argument wins on the whole cell; where another equals it, the lower index does."""
        w = event.value
        first, m = self.replay.arguments(event.row)
        rows, x = self._cell(event)
        for j in range(m):
            if j == w:
                continue
            s, _, other, _ = self.exact.place(rows, x, self._row(pair(first, m, w, j)))
            if other is not None or s != (1 if w > j else -1):
                self._stop(event, f"argument {j} wins somewhere")

    def _leaf(self, event: Event) -> None:
        self.leaves += 1
        if (self.replay.signs == 0).any():
            self._stop(event, "a unit is not decided")
        words = event.text.split() if event.code == R.POINT else map(Fraction, event.reals)
        x = self.exact.in_kernel([Fraction(v) for v in words])
        rows = self.exact.domain_rows()
        signs = self._signs()
        rows += self.exact.cell(self.exact.bounding(signs), signs)
        if any(sign(value(r, x)) <= 0 and any(r) for r in rows):
            self._stop(event, "the witness is not strictly inside the cell")

    def _stop(self, event: Event, why: str) -> NoReturn:
        raise AuditError(
            f"audit: decision {self.decisions} ({event._replace(reals=())}) on the path "
            f"{[(c, int(self.replay.signs[c])) for c in self.replay.con]} is not true: {why}"
        )
