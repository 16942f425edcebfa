"""A search that writes down why: the kernel's records, and those of decisions in rationals.

A `Recorder` hands blocks of records to whoever keeps them (a proof, an audit). Subtrees without a
float point are walked here as `Exact.leaves` does, but with the numbers of the rows at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from flint import fmpq

from ..exact.forms import Exact
from ..exact.rows import Point, negative
from ..network.pattern import crown, pair
from ..progress import check
from . import records as R
from .program import Cursor
from .rational_branch import RationalBranch

Take = Callable[[np.ndarray, np.ndarray, str], None]
Cell = tuple[np.ndarray, Point, bool]  # signs, an interior point, whether a coincidence was met


class Recorder:
    """Collects records in the order of the tree and passes them on in blocks.

    Parameters
    ----------
    take
        Called with integers (int32), floats (float64) and text: whole records, see
        `docs/proofs.md`. The arrays are the callee's to keep.
    """

    def __init__(self, take: Take) -> None:
        self.take = take
        self.cursor: Cursor | None = None
        self._ints: list[int] = []
        self._text: list[str] = []

    def drain(self) -> None:
        """Pass on what there is: what waits here is older than what the kernel wrote."""
        if self._ints:
            self.take(np.array(self._ints, np.int32), np.zeros(0), "".join(self._text))
            self._ints, self._text = [], []
        if (C := self.cursor) is not None and C.st[R.NLOG] > 0:
            ints, reals = C.log[: C.st[R.NLOG]].copy(), C.reals[: C.st[R.NREALS]].copy()
            C.st[[R.NLOG, R.NREALS]] = 0
            self.take(ints, reals, "")

    def add(self, *ints: int, text: str = "") -> None:
        """One record that was not made by the kernel."""
        if (C := self.cursor) is not None and C.st[R.NLOG] > 0:
            self.drain()
        self._ints += ints
        if text:
            self._text.append(text)
        if len(self._ints) > 1 << 16:
            self.drain()

    def side(self, c: int, s: int, rows: Sequence[int]) -> None:
        """Row c is on side s of a cell, proved by these rows (none: it has no slope)."""
        if rows:
            self.add(R.SOLVED, c, int(s > 0), len(rows), *rows)
        else:
            self.add(R.SLOPELESS, c)

    def lost(self, c: int, rows: Sequence[int]) -> None:
        """An argument of a max unit loses comparison c."""
        self.add(R.LOST, R.SOLVED if rows else R.SLOPELESS, c, len(rows), *rows)

    def leaf(self, exact: Exact, x: Point) -> None:
        """A cell with a rational witness, in the kernel's coordinates."""
        self.add(R.POINT, text=" ".join(map(str, exact.from_kernel(x))) + "\n")


def walk(exact: Exact, record: Recorder, given: RationalBranch) -> Iterator[Cell]:
    """All cells of a branch, as `Exact.leaves` gives them, with the records of its decisions."""
    x: Point = [fmpq(p, q) for p, q in given.point]
    yield from _walk(exact, record, given._replace(sign=given.sign.copy()), x, False)


def _walk(
    exact: Exact, record: Recorder, given: RationalBranch, x: Point, met: bool
) -> Iterator[Cell]:
    """`walk` from an interior point, where a coincidence was ``met`` on the way or not."""
    layer, con, cand, signs, _ = given
    if cand and exact.layout.is_max(layer):
        record.add(R.FAN, exact.layout.max_unit(cand[0]))
        for w in range(exact.layout.arguments(cand[0])):
            yield from clipped(exact, record, given, x, (w, 0))
        return
    rows, survivors = exact.cell(con, signs), []
    for c in cand:
        check()
        s, x, other, tie = exact.place(rows, x, exact.row(c, signs))
        met |= tie
        if other is None:
            signs[c] = s
            record.side(c, s, [con[i] for i in exact.support])
        else:
            survivors.append((c, s, x, other))  # x may move on, even to where the row is 0
    if survivors:
        u, s, near, other = survivors[0]
        rest = tuple(c for c, *_ in survivors[1:])
        record.add(R.SPLIT, u, int(s > 0))
        for t, start in ((s, near), (-s, other)):
            half = signs.copy()
            half[u] = t
            below = given._replace(con=(*con, u), cand=rest, sign=half)
            yield from _walk(exact, record, below, start, met)
    elif layer + 1 < len(exact.cut) - 1:
        after = tuple(exact.layout.candidates(layer + 1))
        yield from _walk(exact, record, given._replace(layer=layer + 1, cand=after), x, met)
    else:
        record.leaf(exact, x)
        yield signs, x, met


def clipped(
    exact: Exact, record: Recorder, given: RationalBranch, x: Point, at: tuple[int, int]
) -> Iterator[Cell]:
    """Cells of a branch where argument w of its first max unit wins, from comparison j on.

    ``at`` is ``(w, j)``. Records that the argument is kept, or which comparison it loses.
    """
    w, rival = at
    first, signs, con = given.cand[0], given.sign.copy(), list(given.con)
    m, met = exact.layout.arguments(first), False
    rows = exact.cell(con, signs)
    for j in range(rival, m):
        if j == w:
            continue
        c, t = pair(first, m, w, j), 1 if w > j else -1
        g = exact.row(c, signs)
        s, x, other, tie = exact.place(rows, x, g)
        met |= tie
        if other is None and s != t:
            record.lost(c, [con[i] for i in exact.support])
            return
        if other is not None:
            x = x if s == t else other
            rows.append(g if t > 0 else negative(g))
            con.append(c)
    crown(signs, first, m, w)
    record.add(R.KEPT)
    below = given._replace(con=tuple(con), cand=given.cand[1:], sign=signs)
    yield from _walk(exact, record, below, x, met)
