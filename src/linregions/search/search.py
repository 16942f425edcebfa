"""The search as an object: advance it, interrupt it, ask it what is proved so far.

`Search` owns a cursor and moves it by the compiled kernel. Where the kernel stops at a
decision that floats cannot justify, `Search` decides it in rational arithmetic and resumes.
A part of the tree whose cells hold no certifiable float point is walked by `Exact.leaves`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..audit import asked
from ..domain.restrict import Restricted
from ..exact.boxed import least, positive
from ..exact.forms import Exact
from ..exact.guess import ball, farthest
from ..exact.lp import PATIENCE, Tired, inside, minimise
from ..exact.rows import Point, Row, constant_side, negative, point_of, value
from ..network.rational import nearest, to_fmpq
from ..network.scaling import unscaled
from ..network.units import MaxUnits
from ..progress import current
from . import kernel as K
from . import records as R
from .audit import Audit
from .lp import AERR, BASIS, BERR, MULT
from .program import Compiled, Cursor
from .rational_branch import rational_branch
from .recorded import Recorder, clipped, walk

STATISTICS = {
    "nodes": K.S_NODES,
    "tests": K.S_TESTS,
    "known_points": K.S_POINTS,
    "segments": K.S_SEGMENTS,
    "rays": K.S_RAYS,
    "lp_cuts": K.S_LP_CUT,
    "constant": K.S_CONSTANT,
    "bounding_box": K.S_BOX,
    "float_proofs": K.S_FLOAT,
    "integer_proofs": K.S_INTEGER,
    "lps": K.S_LPS,
}


class Leaves(NamedTuple):
    """A batch of finished cells: signs of all rows, and an interior point of each.

    ``signs`` (cells, rows) uint8; ``points`` (cells, k) float64 in domain coordinates;
    ``exact`` maps positions to rational points where no float lies in the cell.
    """

    signs: np.ndarray
    points: np.ndarray
    exact: dict[int, list[Fraction]]


class Search:
    """An interruptible, deterministic search over the cells of a restricted network.

    Parameters
    ----------
    problem
        What `restrict` gave.
    emit
        Size of the output buffer; 0 counts without listing.
    recorder
        Takes down why every decision was made; see `recorded`.
    audit
        Walk the whole tree under the eyes of `audit`, where the environment asks for it.

    Attributes
    ----------
    leaves
        Cells found so far: a proved lower bound of the count.
    done
        True when the tree is exhausted.
    broken
        True after an exception in the middle of a rational decision or walk: what is left of the
        tree is then unknown, and the search can be asked for what it has found, not moved.
    """

    def __init__(
        self,
        problem: Restricted,
        emit: int = 0,
        recorder: Recorder | None = None,
        audit: bool = False,
    ) -> None:
        self.problem = problem
        self.compiled = Compiled(problem)
        self.recorder = recorder
        self.audit: Audit | None = None
        if audit and problem.zonotope is None and asked():
            self.audit = Audit(self.compiled)
            self.recorder = Recorder(self.audit.take)
        self.extra = 0  # leaves found by rational arithmetic
        self.asked = 0
        self.coincident = 0
        self.done = self.broken = False
        self._emit = emit
        self._side: Iterator[tuple[np.ndarray, Point, bool]] | None = None
        self._found: list[tuple[int, np.ndarray, Point]] = []  # after so many cells of the cursor
        self.cursor: Cursor | None = None
        self._start()

    # -- the way in -------------------------------------------------------------------

    @cached_property
    def rational(self) -> Exact:
        """Exact decisions; behind a zonotope those of the box itself: same rows, same signs."""
        seen = self.compiled.zonotope
        return Exact(self.compiled if seen is None else Compiled(seen.problem))

    def _start(self) -> None:
        compiled = self.compiled
        if compiled.zonotope is not None and compiled.cuts and compiled.tame:
            witness = self._float_witness()
            assert witness is not None
            self.cursor = self._new_cursor(witness)
            return
        domain = self.rational.domain_rows()
        if compiled.cuts == 0 or compiled.k == 0:
            self._walk(domain, self._rational_witness(domain))
            return
        # multipliers are written for the network as it was given, not for a scaled one
        floats = compiled.tame and (self.recorder is None or not compiled.scaled)
        witness = self._float_witness() if floats else None
        if witness is not None:
            self.cursor = self._new_cursor(witness)
            if self._certain(0, witness):
                return
        self.cursor = None
        if self.recorder is not None:
            self.recorder.cursor = None
        self._walk(domain, self._rational_witness(domain))

    def _new_cursor(self, witness: np.ndarray) -> Cursor:
        C = self.compiled.cursor(witness, self._emit, self.recorder is not None)
        if self.recorder is not None:
            self.recorder.cursor = C
        return C

    def _walk(self, domain: list[Row], x: Point) -> None:
        """The whole tree in rational arithmetic."""
        cuts, cut = self.compiled.cuts, self.rational.cut
        signs = np.ones(cuts, np.int8)
        first = self.rational.layout.candidates(0) if len(cut) > 1 else []
        con = list(range(cuts, cuts + len(domain)))
        self._side = self._rational(0, (con, domain), x, signs, first)

    def _rational(
        self, layer: int, cell: tuple[list[int], list[Row]], x: Point, signs: np.ndarray, cand: Any
    ) -> Iterator[tuple[np.ndarray, Point, bool]]:
        """The cells of a branch by rational arithmetic; ``cell``: its rows' numbers, and they."""
        con, rows = cell
        if self.recorder is None:
            return self.rational.leaves(layer, rows, x, signs, cand)
        return walk(self.rational, self.recorder, rational_branch(layer, con, cand, signs, x))

    def _float_witness(self) -> np.ndarray | None:
        """A generic interior point of the domain in kernel coordinates, if a float is one."""
        compiled, k = self.compiled, self.compiled.k
        rng = np.random.default_rng(0)
        if (seen := compiled.zonotope) is not None:
            share = rng.uniform(0.25, 0.75, len(seen.lo))
            return compiled.image(seen.lo + (seen.hi - seen.lo) * share)
        A, b = compiled.rows_A, compiled.rows_b
        if len(b) == 0:
            return rng.normal(size=k)
        norms = np.linalg.norm(A, axis=1)
        lo, hi = np.full(k, -np.inf), np.full(k, np.inf)
        for row, limit in zip(A, b, strict=True):
            (at,) = np.flatnonzero(row)[:1] if np.count_nonzero(row) == 1 else (None,)
            if at is not None and row[at] > 0:
                hi[at] = min(hi[at], limit / row[at])
            elif at is not None:
                lo[at] = max(lo[at], limit / row[at])
        lo = np.where(np.isfinite(lo), lo, np.where(np.isfinite(hi), hi - 2, -1))
        hi = np.where(np.isfinite(hi), hi, lo + 2)
        x = 0.5 * (lo + hi) + 0.5 * (hi - lo) * rng.uniform(-0.5, 0.5, k)
        if (A @ x < b).all():
            return x
        centre = ball(A, b, norms)
        if centre is None:
            return None
        x, radius = centre
        step = rng.normal(size=k)
        return x + 0.3 * min(radius, 1.0) * step / np.linalg.norm(step)

    def _rational_witness(self, domain: list[Row]) -> Point:
        return inside(domain, self.rational.k, self.problem.domain.describe())

    # -- moving -----------------------------------------------------------------------

    @property
    def emits(self) -> bool:
        """True when cells are listed, not only counted."""
        return self._emit > 0

    @property
    def leaves(self) -> int:
        """Cells found so far."""
        return self.extra + (int(self.cursor.st[K.S_LEAVES]) if self.cursor else 0)

    def run(self, nodes: int) -> bool:
        """Advance by about ``nodes`` tree nodes; True while work (or output) is left.

        It returns early where the work around it is to stop (see `progress`).
        """
        clock = current()
        while nodes > 0 and not self.done and not clock.reason:
            if self._side is not None:
                nodes -= 20 * self._advance_side(1 + nodes // 20)
                if self._emit and len(self._found) >= self._emit:
                    return True
                continue
            if self.cursor is None:
                self.done = True
                break
            before = int(self.cursor.st[K.S_NODES])
            with clock.wire(self.cursor.st, K.TRIP):
                status = K.advance(self.compiled.program, self.cursor, nodes)
            nodes -= max(1, int(self.cursor.st[K.S_NODES]) - before)
            if self.recorder is not None and status in (K.FULL, K.DONE):
                self.recorder.drain()
            if status == K.DONE:
                self.done = True
            elif status == K.UNDECIDED:
                with self._whole():
                    self._decide()
            else:  # SPENT, STOPPED, or FULL: the caller takes the output
                return True
        if self.done and self.audit is not None:
            self.audit.finish(self.leaves)
        return not self.done

    def _advance_side(self, steps: int) -> int:
        assert self._side is not None
        for n in range(steps):
            with self._whole():
                found = next(self._side, None)
            if found is None:
                self._side = None
                if self.recorder is not None:
                    self.recorder.drain()
                return n + 1
            signs, x, coincident = found
            self.extra += 1
            self.coincident += coincident
            if self._emit:
                self.keep(signs, x)
        return steps

    def keep(self, signs: np.ndarray, x: Point) -> None:
        """Put a cell with a rational point behind those found so far."""
        before = 0 if self.cursor is None else int(self.cursor.st[K.NOUT])
        self._found.append((before, signs, x))

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """What has to come to its end, or leaves the search broken: a generator cannot resume."""
        if self.broken:
            raise RuntimeError("this search was broken off in a rational walk; start it anew")
        self.broken = True
        yield
        self.broken = False

    def take(self) -> Leaves:
        """Hand over the cells found since the last call (only with ``emit``).

        They come in the order in which they were found, however the search is divided into runs.
        """
        parts, points, exact = [], [], {}
        unit = self.compiled.unit
        if self.cursor is not None:
            n = int(self.cursor.st[K.NOUT])
            parts.append(self.cursor.out_signs[:n].copy())
            held = exact if self.compiled.zonotope is None else {}  # of the box otherwise
            points.append(unscaled(self.cursor.out_points[:n], unit, held))
            self.cursor.st[K.NOUT] = 0
        base = sum(len(p) for p in parts)
        for i, (_, signs, x) in enumerate(self._found):
            parts.append((signs > 0).astype(np.uint8)[None, :])
            scale = self.rational.unit  # of the box behind a zonotope, where there is one
            exact[base + i] = [
                Fraction(int(v.p), int(v.q)) * Fraction(u) for v, u in zip(x, scale, strict=True)
            ]
            point = np.array([nearest(v) for v in exact[base + i]])
            seen = self.compiled.zonotope
            points.append((point if seen is None else seen.V @ point).reshape(1, -1))
        signs = np.concatenate([np.zeros((0, self.compiled.cuts), np.uint8), *parts])
        at = np.concatenate([np.zeros((0, self.compiled.k)), *points])
        if not self._found:
            return Leaves(signs, at, exact)
        # cell i of the cursor comes before the rational ones that were found after i + 1 cells
        place = np.r_[np.arange(base) + 0.5, [float(before) for before, _, _ in self._found]]
        order = np.argsort(place, kind="stable")
        self._found = []
        return Leaves(signs[order], at[order], {
            i: exact[old] for i, old in enumerate(order.tolist()) if old in exact
        })  # fmt: skip

    def stats(self) -> dict[str, int]:
        """How many decisions each argument took."""
        st = self.cursor.st if self.cursor else np.zeros(32, np.int64)
        out = {name: int(st[at]) for name, at in STATISTICS.items()}
        out["rational"] = self.rational.solves if "rational" in self.__dict__ else 0
        out["rational_cells"] = self.extra
        return out

    @property
    def coincidences(self) -> int:
        """Decisions where a row contains a facet of the cell or vanishes on all of it.

        Zero means that neighbouring cells always differ in exactly one row; neighbours in
        which another of three or more arguments wins never do.
        """
        if any(len(g) > 2 for g in self._groups()):
            return 1 + self.met
        return self.met

    def _groups(self) -> Iterator[tuple[int, ...]]:
        for layer in self.compiled.network.layers:
            if isinstance(layer.units, MaxUnits):
                yield from layer.units.groups

    @property
    def met(self) -> int:
        """How often a decision met a coincidence; see `coincidences`."""
        return self.coincident + (int(self.cursor.st[K.S_COINCIDENT]) if self.cursor else 0)

    # -- deciding ---------------------------------------------------------------------

    def _decide(self) -> None:
        """Settle the decision that the kernel stopped at, in rational arithmetic."""
        C = self.cursor
        assert C is not None
        self.asked += 1
        d, c = int(C.st[K.DEPTH]), int(C.st[K.UNIT])
        signs = C.sign[: self.compiled.cuts]
        rows = self.rational.cell(C.con[d, : C.F[d, K.NCON]].tolist(), signs)
        g = self.rational.row(c, signs)
        if self.compiled.zonotope is not None:
            self._decide_in_the_box(d, c, rows, g)
            return
        x0 = point_of(C.pts[d, 0])
        s, x, other, coincident = self.rational.place(rows, x0, g, self._hint(d))
        self.coincident += coincident
        if other is None:
            C.st[K.ANSWER] = K.PLUS if s > 0 else K.MINUS
            self._record(d, c, s)
            return
        sides = {t: self._side_point(d, c, t, rows, x, g) for t in (s, -s)}
        if all(sides.values()):
            C.st[K.ANSWER] = K.CUTS
            return
        if self.rational.layout.is_max(int(C.F[d, K.LAYER])):
            self._walk_frame(d, rows, x)
            return
        first = int(C.F[d, K.NSURV])
        at = int(C.F[d, K.POS])
        others = C.cand[d, :first].tolist() + C.cand[d, at + 1 : C.F[d, K.NCAND]].tolist()
        layer = int(C.F[d, K.LAYER])
        con = C.con[d, : C.F[d, K.NCON]].tolist()
        if not any(sides.values()):
            self._side = self._rational(layer, (con, rows), x, signs, [c, *others])
            C.st[K.ANSWER] = K.DROP
            return
        seen = s if sides[s] else -s
        start, hidden = (other if seen == s else x), signs.copy()
        hidden[c] = -seen
        half = [*rows, g if seen < 0 else negative(g)]
        if self.recorder is not None:
            C.divides[c] = True
            self.recorder.add(R.SPLIT, c, int(seen < 0))
        self._side = self._rational(layer, ([*con, c], half), start, hidden, others)
        self._keep_side(d, c, seen, others)

    def _record(self, d: int, c: int, s: int) -> None:
        """Take down a decision of rational arithmetic on frame d: row c is on side s."""
        C = self.cursor
        if self.recorder is None or C is None:
            return
        names = [int(C.con[d, i]) for i in self.rational.support]
        if C.F[d, K.PHASE] != K.CLIP:
            C.divides[c] = False
            self.recorder.side(c, s, names)
        elif (s > 0) != (C.F[d, K.CHAMP] > C.F[d, K.RIVAL]):
            self.recorder.lost(c, names)

    def _decide_in_the_box(self, d: int, c: int, rows: list[Row], g: Row) -> None:
        """Settle a decision over a zonotope, by rows over the box behind it."""
        C = self.cursor
        assert C is not None
        if side := constant_side(g):
            C.st[K.ANSWER] = K.PLUS if side > 0 else K.MINUS
            self.coincident += bool(g[-1] == 0)
            return
        if (answer := self._guessed(d, c, rows, g)) is not None:
            C.st[K.ANSWER] = answer
            return
        rows = [*self.rational.domain_rows(), *rows]
        k = self.rational.k
        x0 = inside(rows, k, "a cell")
        s, x, other, coincident = self.rational.place(rows, x0, g)
        self.coincident += coincident
        if other is None:
            C.st[K.ANSWER] = K.PLUS if s > 0 else K.MINUS
            return
        found = 0
        for t, point in ((s, x), (-s, other)):
            unit = self.rational.unit
            trial = self.compiled.image(np.array([nearest(v) for v in point]) * unit)
            if self._side_of(c, trial) == t and self._certain(d, trial):
                _insert(C, d, trial, t)
                found += 1
        if found == 2:
            C.st[K.ANSWER] = K.CUTS
            return
        self._walk_frame(d, rows, x)

    def _guessed(self, d: int, c: int, rows: list[Row], g: Row) -> int | None:
        """Settle it by a certified point on each side, or by checked multipliers, if possible."""
        C, seen = self.cursor, self.compiled.zonotope
        assert C is not None and seen is not None
        unit = self.rational.unit
        lo, hi = seen.lo / unit, seen.hi / unit
        for t in (1, -1):
            if any(self._side_of(c, C.pts[d, p]) == t for p in range(C.F[d, K.NIN])):
                continue
            w = negative(g) if t > 0 else g
            guess = least(rows, w, lo, hi)
            if guess is None:
                return None
            if not self._step_to(d, c, t, self.compiled.image(guess.x * unit)):
                if not positive(rows, w, lo, hi, guess.multipliers):
                    return None
                return K.MINUS if t > 0 else K.PLUS
        return K.CUTS

    def _step_to(self, d: int, c: int, t: int, far: np.ndarray) -> bool:
        """Give frame d a certified point on side t of row c, on the way to the point ``far``."""
        C, k = self.cursor, self.compiled.k
        assert C is not None
        start = C.pts[d, 0]
        value, end = (abs(float(C.G[c, :k] @ x + C.G[c, k])) for x in (start, far))
        cross = value / (value + end) if value + end > 0 else 1.0
        for share in (0.5, 0.8, 0.2, 0.95):
            trial = start + (cross + (1 - cross) * share) * (far - start)
            if self._side_of(c, trial) == t and self._certain(d, trial):
                _insert(C, d, trial, t)
                return True
        return False

    def _walk_frame(self, d: int, rows: list[Row], x: Point) -> None:
        """Walk all that is left of frame d in rational arithmetic."""
        C = self.cursor
        assert C is not None
        layer, signs = int(C.F[d, K.LAYER]), C.sign[: self.compiled.cuts]
        con = C.con[d, : C.F[d, K.NCON]].tolist()
        done, at, count = (int(C.F[d, i]) for i in (K.NSURV, K.POS, K.NCAND))
        if C.F[d, K.PHASE] == K.CLIP:
            rest = C.cand[d, :count].tolist()
            first, w, rival = (int(C.F[d, i]) for i in (K.SPLIT, K.CHAMP, K.RIVAL))
            if self.recorder is None:
                self._side = self.rational.clipped(layer, rows, x, signs, first, w, rival, rest)
            else:
                given = rational_branch(layer, con, [first, *rest], signs, x)
                self._side = clipped(self.rational, self.recorder, given, x, (w, rival))
        else:
            rest = C.cand[d, :done].tolist() + C.cand[d, at:count].tolist()
            self._side = self._rational(layer, (con, rows), x, signs, rest)
        C.st[K.ANSWER] = K.DROP

    def _hint(self, d: int) -> list[int]:
        """Positions of the constraints that the kernel's last LP found tight."""
        C = self.cursor
        assert C is not None
        n, m = int(C.st[R.MULTIPLIERS]), int(C.F[d, K.NCON])
        found = {int(C.I[BASIS, i]) for i in range(n) if C.S[MULT, i] > 1e-10}
        return sorted(i for i in found if 0 <= i < m)

    def _side_point(self, d: int, c: int, t: int, rows: list[Row], x: Point, g: Row) -> bool:
        """Make sure that frame d knows a certified float point on side t of row c."""
        C = self.cursor
        assert C is not None
        if any(self._side_of(c, C.pts[d, p]) == t for p in range(C.F[d, K.NIN])):
            return True
        far = self._far(rows, x, negative(g) if t > 0 else g)
        for tau in (0.5, 0.8, 0.95, 0.2, 0.05):
            step = to_fmpq(tau)
            trial = np.array([nearest(a + step * (b - a)) for a, b in zip(x, far, strict=True)])
            if (
                np.isfinite(trial).all()
                and self._side_of(c, trial) == t
                and self._certain(d, trial)
            ):
                _insert(C, d, trial, t)
                return True
        return False

    def _far(self, rows: list[Row], x: Point, w: Row) -> Point:
        """Where a row is least over a cell, about; or far out, where it falls without bound."""
        try:
            found = minimise(rows, x, w, patience=PATIENCE)
        except Tired:
            if (guess := farthest(rows, x, w)) is not None:
                return guess.point
            found = minimise(rows, x, w)
        if found.direction is None:
            assert found.point is not None
            return found.point
        step = 100 * (1 + abs(value(w, x)))
        return [a + step * b for a, b in zip(x, found.direction, strict=True)]

    def _keep_side(self, d: int, c: int, side: int, others: list[int]) -> None:
        """Frame d shrinks to one side of row c; its candidates are placed anew."""
        C = self.cursor
        assert C is not None
        good = [p for p in range(C.F[d, K.NIN]) if self._side_of(c, C.pts[d, p]) == side]
        C.pts[d, : len(good)] = C.pts[d, good]
        C.F[d, [K.NIN, K.NPT]] = len(good)
        C.sign[c] = side
        C.con[d, C.F[d, K.NCON]] = c
        C.F[d, K.NCON] += 1
        C.F[d, K.PARENT] = -1
        C.cand[d, : len(others)] = others
        C.F[d, [K.NCAND, K.POS, K.NSURV]] = len(others), 0, 0

    def _side_of(self, c: int, x: np.ndarray) -> int:
        """`place.side` outside the kernel: the certified sign of row c at x."""
        C, k = self.cursor, self.compiled.k
        assert C is not None
        v = float(C.G[c, :k] @ x + C.G[c, k])
        # a shade more than the kernel asks, so that it agrees on every point found here
        error = 1.02 * (C.G[c, k + AERR] * np.abs(x).sum() + C.G[c, k + BERR])
        return int(v > error) - int(v < -error)

    def _certain(self, d: int, x: np.ndarray) -> bool:
        """The point lies certainly inside the cell of frame d."""
        C = self.cursor
        assert C is not None
        return all(self._side_of(c, x) == C.sign[c] for c in C.con[d, : C.F[d, K.NCON]])


def _insert(C: Cursor, d: int, x: np.ndarray, side: int) -> None:
    """Put a point among the inside points of frame d.

    Where they are full it takes a place at the end, one for each side of the row in question.
    """
    cap = C.pts.shape[1]
    n = int(C.F[d, K.NIN])
    C.F[d, K.NPT] = n  # outside points are dropped
    at = n if n < cap else cap - 1 - (side > 0)
    C.pts[d, at] = x
    C.F[d, [K.NIN, K.NPT]] = max(at + 1, n)
