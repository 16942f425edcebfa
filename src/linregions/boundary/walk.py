"""The nearest boundary of a linear region: cell by cell through boundaries that change no map.

Cells are taken in the order of the distance of their facets from x. A facet whose two cells have
the same affine map is walked through: the facets of the cell behind it join the queue. Every
cell that meets the open ball up to the first facet across which the map changes is joined to that
of x through facets that meet the ball.

Floats propose and rationals decide. Least-distance problems (2-norm: nonnegative least squares on
the dual, Lawson and Hanson 1974; 1 and infinity: a linear program) give a point of a facet and, by
their multipliers, a bound below of its distance. A step over a wall is one line through an
exact point inside the facet (`Sure.cross`). Where no such point is found, the simplex method in
rationals tells whether there is a facet; a wall about which nothing is known in the end holds
the lower bound of the answer down.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from flint import fmpz

from ..errors import LinregionsError
from ..exact.lp import Tired, beyond, guessed
from ..exact.point import LARGEST, Crossing, Sides, Sure, exact_point, generic, nearest
from ..exact.rows import Point, Row, reduced, value
from ..roundoff import ROUNDOFF
from .candidates import Boundaries, boundaries, sure_boundaries
from .gradients import Gradients
from .influence import matters
from .steps import DUAL, Room, exponents, lengths_of, moves

CELLS = 20_000  # of one walk
SHARP = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
ASIDE = (0.0, 1e-14, 1e-9, 1e-3, 1.0)  # how far towards the middle of a facet, from the foot
CLOSE = 1e-12  # facets whose distances differ by less, relative, are taken in any order
PATIENCE = 3e5  # operations of one exact simplex

PLANE, FOOT, PROOF = range(3)  # what is known of an entry: its hyperplane, its foot, no facet yet


def linear(
    walker: Gradients, sure: Sure, found: Any, a: int, near: Any, norm: float, box: Sides | None
) -> None:
    """Replace the answers of points whose nearest boundary may not change the map."""
    rows = np.arange(len(near.index))
    if not near.all.gap.shape[1]:
        return
    changing = matters(walker.network, near.all.pieces, walker.rounding)
    unit = near.all.unit[near.index]
    here = slice(a, a + len(rows))
    settled = changing[rows, unit] & near.alone
    settled |= np.isinf(found.distance[here]) & (found.error[here] == 0)
    for i in np.flatnonzero(~settled):
        at = a + i
        walk = _Walk(walker, sure, found.x[at], norm, box)
        walk.go()
        found.distance[at], found.error[at] = walk.distance, walk.error
        found.crossed[at], found.tied[at] = walk.crossed, walk.tied
        found.unit[at], found.partner[at] = walk.wall
        found.foot[at] = walk.foot


@dataclass
class _Cell:
    """A cell as ``normal . d + offset >= 0`` around x (rows of unit length).

    ``blur``: how far a normal may be from the true one; ``error``: of the offset. ``base`` is an
    exact point of the closed cell, from which ``way`` leads inside.
    """

    pieces: np.ndarray
    walls: list[tuple[int, int]]
    live: set[tuple[int, int]]
    normal: np.ndarray
    offset: np.ndarray
    blur: np.ndarray
    error: np.ndarray
    base: Point
    way: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Rows whose numbers floats hold."""
        return np.isfinite(self.offset) & (self.blur < 0.5)


class _Foot(NamedTuple):
    """A facet's distance at least, and the shortest move onto it, where floats find one."""

    low: float
    move: np.ndarray | None


class _Walk:
    """One walk from x; ``go`` fills distance, error, wall, foot, tied, crossed."""

    def __init__(
        self, walker: Gradients, sure: Sure, x: np.ndarray, norm: float, box: Sides | None
    ) -> None:
        self.walker, self.sure, self.x, self.norm = walker, sure, x, norm
        self.box = box
        self.sides = None if box is None else (box[0] - x, box[1] - x)
        # in the coordinates of the basis where only the 2-norm in all of space is asked for
        self.full = norm != 2.0 or box is not None
        self.at = exact_point(x)
        self.distance, self.error, self.wall = np.inf, 0.0, (-1, -1)
        self.tied, self.crossed, self.foot = 0, 0, np.full(len(x), np.nan)
        self.low = np.inf  # of facets that change the map, and of walls that stay unknown
        self.queue: list[tuple[float, int, int, int]] = []
        self.cells: list[_Cell] = []
        self.seen: set[bytes] = set()
        self.feet: dict[tuple[int, int], np.ndarray] = {}
        self.ends: list[float] = []
        way = generic(x, box)
        self._enter(sure.cell(self.at, way), self.at, way)

    def go(self) -> None:
        """Walk until no facet can be nearer than the nearest one found that changes the map."""
        while self.queue and self.queue[0][0] < self.distance * (1 - CLOSE):
            low, state, cell, row = heapq.heappop(self.queue)
            if state == PLANE:
                foot = self._onto(self.cells[cell], row)
                if foot.move is not None:
                    self.feet[cell, row] = foot.move
                state = PROOF if foot.move is None else FOOT
                heapq.heappush(self.queue, (max(low, foot.low), state, cell, row))
            elif state == FOOT:
                met = self._over(cell, row)
                if met is None:
                    heapq.heappush(self.queue, (low, PROOF, cell, row))
                else:
                    self._met(low, cell, row, met)
            else:
                self._prove(low, cell, row)
        self.low = min(self.low, self.queue[0][0] if self.queue else np.inf)
        self.tied = sum(d <= self.distance * (1 + 1e-12) for d in self.ends)
        if np.isfinite(self.distance):
            gap = max(self.distance - self.low, 0.0)
            self.error = gap + 8 * (len(self.x) + 4) * ROUNDOFF * self.distance
        elif self.low < np.inf:  # no end was found, and that there is none is not proved
            self.error = np.inf

    def _met(self, low: float, cell: int, row: int, met: Crossing) -> None:
        """What was found behind a facet: another map, or a cell to enter."""
        if met.changes:
            move = np.array([nearest(p - v) for p, v in zip(met.point, self.at, strict=True)])
            length = float(lengths_of(move[None], self.norm)[0])
            self.ends.append(length)
            self.low = min(self.low, low)
            if length < self.distance:
                self.distance, self.wall = length, self.cells[cell].walls[row]
                self.foot = self.x + move
        elif met.behind.tobytes() not in self.seen:
            self.crossed += 1
            self._enter(met.behind, met.point, met.way)

    # -- cells ------------------------------------------------------------------------------

    def _enter(self, pieces: np.ndarray, base: Point, way: np.ndarray) -> None:
        if len(self.cells) >= CELLS:
            raise LinregionsError(
                f"no change of the map within {CELLS:,} cells around a point; ask for "
                'kind="activation"'
            )
        self.seen.add(pieces.tobytes())
        rows = self._rows(pieces)
        gap, gradient, side = rows.gap[0], rows.gradient[0], rows.side[0]
        live = np.flatnonzero(np.isfinite(gap))
        gap, gradient, side = gap[live], gradient[live], side[live]
        error, wrong = rows.error[0, live], rows.wrong[0, live]
        if self.full:
            gradient = self.walker.expand(gradient)
        walls = list(zip(rows.unit[live].tolist(), rows.partner[0, live].tolist(), strict=True))
        if self.box is not None:  # the domain has no extent there
            gradient = np.where(self.box[0] == self.box[1], 0.0, gradient)
        shift = exponents(gradient)
        gradient = np.ldexp(gradient, -shift[:, None]) * side[:, None]
        gap, error, wrong = (np.ldexp(v, -shift) for v in (gap * side, error, wrong))
        size = lengths_of(gradient, 2.0)
        flat = size == 0
        with np.errstate(divide="ignore", invalid="ignore"):
            normal, offset = gradient / size[:, None], gap / size
            blur = wrong / size + 8 * (len(self.x) + 8) * ROUNDOFF
            error = error / size + abs(offset) * blur
        keep = ~flat & self._divides(normal, offset, error, blur)
        cell = _Cell(
            pieces, [w for w, k in zip(walls, keep, strict=True) if k], set(walls),
            normal[keep], offset[keep], blur[keep], error[keep], base, way,
        )  # fmt: skip
        self.cells.append(cell)
        wide = len(self.x) ** 0.5 if self.norm == np.inf else 1.0
        dual = np.linalg.norm(cell.normal, DUAL[self.norm], axis=1) + wide * cell.blur
        low = np.maximum(abs(cell.offset) - cell.error, 0.0) / dual * (1 - 4 * ROUNDOFF)
        for i, d in enumerate(np.minimum(low, LARGEST).tolist()):
            known = PLANE if cell.known[i] else PROOF  # beyond what floats hold
            heapq.heappush(self.queue, (d, known, len(self.cells) - 1, i))

    def _rows(self, pieces: np.ndarray) -> Boundaries:
        """The rows of a cell in floats, exact ones rounded where floats cannot tell."""
        rows = boundaries(self.walker, self.x[None], pieces[None])
        there = np.isfinite(rows.gap[0])
        size = lengths_of(rows.gradient[0], 2.0)
        if rows.lost[0] or (there & ~(size > 2.0**20 * rows.wrong[0])).any():
            return sure_boundaries(self.sure, self.walker, self.x, pieces, self.box)
        return rows

    def _divides(
        self, normal: np.ndarray, offset: np.ndarray, error: np.ndarray, blur: np.ndarray
    ) -> np.ndarray:
        """Which hyperplanes may have a part of the box beyond them."""
        if self.sides is None:
            return np.ones(len(normal), bool)
        beyond_ = np.where(normal > 0, self.sides[0], self.sides[1])
        with np.errstate(invalid="ignore", over="ignore"):
            part = np.where(normal != 0, normal * np.where(normal != 0, beyond_, 0.0), 0.0)
            size = abs(part).sum(axis=1)
            return ~(part.sum(axis=1) + offset > error + (blur + 8 * ROUNDOFF) * size)

    # -- facets -----------------------------------------------------------------------------

    def _onto(self, cell: _Cell, row: int) -> _Foot:
        """The least distance of a facet, and the move onto it."""
        A, b, c, at = cell.normal, -cell.offset, cell.normal[row], -cell.offset[row]
        rest = ~_same(cell, row) & cell.known
        A, b = A[rest], b[rest]
        blur, error = cell.blur[rest], cell.error[rest]
        if self.sides is not None:
            low, high = (np.isfinite(s) for s in self.sides)
            eye = np.eye(A.shape[1])
            A = np.concatenate([A, eye[low], -eye[high]])
            b = np.concatenate([b, self.sides[0][low], -self.sides[1][high]])
            sides = len(b) - len(error)
            blur, error = np.r_[blur, np.zeros(sides)], np.r_[error, np.zeros(sides)]
            error[len(error) - sides :] = 2 * ROUNDOFF * abs(b[len(b) - sides :])
        scale = self._scale(cell, row)
        b, at, error = b / scale, at / scale, error / scale
        move, u, v = _least(A, b, c, at)
        if self.norm != 2.0 and move is not None:
            sides_ = None if self.sides is None else tuple(s / scale for s in self.sides)
            other = _program(A, b, c, at, self.norm, sides_)
            if other is not None:
                move, u, v = other
        # any multipliers u >= 0, v give |d| >= (u . b + v at) / |A^T u + v c|, the dual norm below
        pull = A.T @ u + v * c
        ulps = 8 * (len(b) + len(c)) * ROUNDOFF
        sum_ = u @ b + v * at
        off = u @ error + abs(v) * cell.error[row] / scale + ulps * (u @ abs(b) + abs(v * at))
        wide = len(self.x) ** 0.5 if self.norm == np.inf else 1.0
        size = np.linalg.norm(pull, DUAL[self.norm])
        size += wide * (u @ blur + abs(v) * cell.blur[row] + ulps * (u.sum() + abs(v)))
        least = scale * (sum_ - off) / size * (1 - 4 * ROUNDOFF) if sum_ > off else 0.0
        return _Foot(float(least), None if move is None else scale * move)

    def _scale(self, cell: _Cell, row: int) -> float:
        """A power of two of about the size of what matters around a facet."""
        sizes = [
            abs(cell.offset[row]),
            abs(cell.offset).max(initial=0.0),
            abs(self.x).max(initial=0),
        ]
        size = next((s for s in sizes if s > 0), 1.0)
        return float(np.ldexp(1.0, np.clip(np.frexp(size)[1], -1000, 1000)))

    def _over(self, number: int, row: int) -> Crossing | None:
        """The step over a facet, from its foot or, where that lies on the rim, from inside."""
        cell, foot = self.cells[number], self.feet[number, row]
        middle: np.ndarray | None = None
        for aside in ASIDE:
            base, way = self.at, foot
            if aside or not np.any(foot):
                middle = self._middle(cell, row) if middle is None and aside else middle
                if aside and middle is None:
                    return None
                d = foot if middle is None else foot + aside * (middle - foot)
                base = [a + v for a, v in zip(self.at, exact_point(self._wide(d)), strict=True)]
                way = -cell.normal[row]
            way = self._wide(way)
            met = self.sure.cross(base, way, cell.pieces, cell.walls[row], cell.live, self.box)
            if met is not None:
                return met
        return None

    def _wide(self, d: np.ndarray) -> np.ndarray:
        return d if self.full else self.walker.expand(d[None])[0]

    def _middle(self, cell: _Cell, row: int) -> np.ndarray | None:
        """A point inside a facet; None where floats find none."""
        from scipy.optimize import linprog

        rest = ~_same(cell, row) & cell.known
        scale = self._scale(cell, row)
        A, b = cell.normal[rest], -cell.offset[rest] / scale
        k = A.shape[1]
        flat = A @ cell.normal[row]
        steep = np.sqrt(np.maximum(1.0 - flat * flat, 1e-9))  # of a row inside the hyperplane
        room: list[Any] = [(None, None)] * k
        if self.sides is not None:
            edge = 0.0 * self.sides[0]
            room = list(zip(*(s / scale for s in self.sides), strict=True))
            some = [np.isfinite(s) & (self.sides[0] < self.sides[1]) for s in self.sides]
            eye = np.eye(k)
            A = np.concatenate([A, eye[some[0]], -eye[some[1]]])
            b = np.r_[b, self.sides[0][some[0]] / scale, -self.sides[1][some[1]] / scale]
            steep = np.r_[steep, np.ones(int(some[0].sum() + some[1].sum())) + edge.sum()]
        answer = linprog(
            np.r_[np.zeros(k), -1.0],
            A_ub=np.c_[-A, steep] if len(A) else None,
            b_ub=-b if len(A) else None,
            A_eq=np.r_[cell.normal[row], 0.0][None],
            b_eq=[-cell.offset[row] / scale],
            bounds=[*room, (0.0, 1.0)],
            options=SHARP,
        )
        return scale * answer.x[:-1] if answer.status == 0 and answer.x[-1] > 0 else None

    # -- proofs -----------------------------------------------------------------------------

    def _prove(self, low: float, number: int, row: int) -> None:
        """Decide in rationals whether there is a facet, and go over it."""
        cell = self.cells[number]
        wall = cell.walls[row]
        rows = self.sure.rows(cell.pieces)
        mine = reduced(next(r.row for r in rows if (r.unit, r.partner) == wall))
        some = [reduced(r.row) for r in rows if any(a != 0 for a in r.row[:-1])]
        others = [r for r in {tuple(map(int, r)): r for r in some}.values() if r != mine]
        inside = self.sure.inside(cell.base, cell.way, cell.pieces, self.box)
        try:
            behind = _behind([*others, *self._edges], inside, mine)
        except Tired:
            self.low = min(self.low, low)
            return
        if behind is None:
            return
        a, b = value(mine, inside), value(mine, behind)
        step = [q - p for p, q in zip(inside, behind, strict=True)]
        most = max(abs(v) for v in step)
        way = np.array([nearest(v / most) for v in step])
        point = [p + a / (a - b) * (q - p) for p, q in zip(inside, behind, strict=True)]
        met = self.sure.cross(point, way, cell.pieces, wall, cell.live, self.box)
        if met is None:
            self.low = min(self.low, low)
        else:
            self._met(low, number, row, met)

    @cached_property
    def _edges(self) -> list[Row]:
        """The sides of the box as rows."""
        if self.box is None:
            return []
        out, n = [], len(self.x)
        for j, (low, high) in enumerate(zip(*(s.tolist() for s in self.box), strict=True)):
            for side, sign in ((low, 1), (high, -1)):
                if np.isfinite(side) and low != high:
                    p, q = side.as_integer_ratio()
                    row = [fmpz(0)] * (n + 1)
                    row[j], row[n] = fmpz(sign * q), fmpz(-sign * p)
                    out.append(row)
        return out


def _behind(rows: list[Row], inside: Point, wall: Row) -> Point | None:
    """A point inside all other rows beyond a wall; None where there is none."""
    try:
        return beyond(rows, inside, wall, PATIENCE)[0]
    except Tired:
        found = guessed(rows, inside, wall)
        if found is None:
            raise
        return found[0]


def _same(cell: _Cell, row: int) -> np.ndarray:
    """Rows that may be of the same hyperplane, up to rounding."""
    sign = np.where(cell.normal @ cell.normal[row] >= 0, 1.0, -1.0)
    off = abs(cell.normal - sign[:, None] * cell.normal[row]).max(axis=1)
    shift = abs(cell.offset - sign * cell.offset[row])
    return (off <= cell.blur + cell.blur[row]) & (shift <= cell.error + cell.error[row])


def _least(
    A: np.ndarray, b: np.ndarray, row: np.ndarray, at: float
) -> tuple[np.ndarray | None, np.ndarray, float]:
    """The shortest d (2-norm) with ``A d >= b`` and ``row . d = at``, and its multipliers.

    None for d where there is none: the multipliers are then those of a proof of that.
    """
    from scipy.optimize import nnls

    k, free = A.shape[1], at * row  # the foot, if nothing is in the way (rows have unit length)
    if (A @ free >= b - 1e-15 * (abs(b) + abs(at))).all():
        return free, np.zeros(len(b)), at
    # along the hyperplane: d = free + e, e orthogonal to the row
    steep = A @ row
    along = A - np.outer(steep, row)
    short = b - A @ free
    unit = abs(short).max()
    E = np.concatenate([along.T, short[None] / unit])
    try:
        u, _ = nnls(E, np.r_[np.zeros(k), 1.0], maxiter=50 * E.shape[1])
    except RuntimeError:
        return None, np.zeros(len(b)), at
    rest = along.T @ u
    left = float(short @ u) / unit - 1.0
    if not left < -1e-13:
        return None, u, -float(steep @ u)
    share = -unit / left
    return free + share * rest, share * u, at - share * float(steep @ u)


def _program(
    A: np.ndarray, b: np.ndarray, row: np.ndarray, at: float, norm: float, sides: Any
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """The same for the 1- and the infinity-norm; None where the programme finds nothing."""
    from scipy.optimize import linprog

    m, k = A.shape
    room = None
    if sides is not None:
        room = Room(-sides[0][None], sides[1][None], np.zeros(k))
    free = moves(np.array([-at]), row[None], norm, room)[0]
    if room is None and (A @ free >= b).all():
        return free, np.zeros(m), at
    extra = 1 if norm == np.inf else k
    one, eye = np.ones((k, 1)), np.eye(k)
    size = one if norm == np.inf else eye
    rows = np.concatenate([np.c_[-A, np.zeros((m, extra))], np.c_[eye, -size], np.c_[-eye, -size]])
    answer = linprog(
        np.r_[np.zeros(k), np.ones(extra)],
        A_ub=rows,
        b_ub=np.r_[-b, np.zeros(2 * k)],
        A_eq=np.r_[row, np.zeros(extra)][None],
        b_eq=[at],
        bounds=[*[(None, None)] * k, *[(0.0, None)] * extra],
        options=SHARP,
    )
    if answer.status != 0:
        return None
    u = np.maximum(-answer.ineqlin.marginals[:m], 0.0)
    return answer.x[:k], u, float(answer.eqlin.marginals[0])
