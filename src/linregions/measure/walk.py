"""The nearest boundary of a linear region: cell by cell through boundaries that change no map.

Cells are taken in the order of the distance of their facets from x. A facet whose two cells have
the same affine map is walked through: the facets of the cell behind it join the queue. The
first facet in that order across which the map changes is the answer: every cell that
meets the open ball up to it is joined to that of x through facets that meet the ball. Distances
to facets are least-distance problems, solved by an active-set method (2-norm: nonnegative
least squares on the dual, Lawson and Hanson 1974) or a linear program (1 and infinity).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog, nnls

from ..affine import UNIT
from ..errors import LinregionsError
from ..units import MaxUnits
from .boundaries import Boundaries, boundaries
from .gradients import AtLayer, Gradients
from .influence import matters
from .moves import DUAL, TOUCH, Room, moves

CELLS = 20_000  # of one walk
CLEAR = 1e-6  # a foot farther from all other boundaries is inside its facet
THIN = 1e-9  # a facet of smaller inradius, relative to its distance, counts as none
SHARP = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
SAME = 1e-9  # hyperplanes and maps closer than this, relative, count as equal

Sides = tuple[np.ndarray, np.ndarray]


def linear(walker: Gradients, found: Any, a: int, near: Any, norm: float, box: Any) -> None:
    """Replace the answers of points whose nearest boundary may not change the map."""
    rows = np.arange(len(near.index))
    if not near.all.gap.shape[1]:
        return
    sure = matters(walker.network, near.all.pieces, walker.rounding)
    unit = near.all.unit[near.index]
    settled = (sure[rows, unit] & (near.tied == 1)) | ~np.isfinite(near.distance)
    for i in np.flatnonzero(~settled):
        sides = None if box is None else (box[0] - found.x[a + i], box[1] - found.x[a + i])
        walk = _Walk(walker, found.x[a + i], near.all.pieces[i], norm, sides)
        walk.go()
        at = a + i
        found.distance[at], found.crossed[at] = walk.distance, walk.crossed
        found.unit[at], found.partner[at], found.tied[at] = walk.unit, walk.partner, walk.tied
        found.foot[at] = found.x[at] + walk.move
        found.error[at] = SAME * walk.distance if np.isfinite(walk.distance) else 0.0


@dataclass
class _Cell:
    """A cell as ``normal . d + offset >= 0`` around x (rows of unit length), and its map."""

    pieces: np.ndarray
    rows: Boundaries
    live: np.ndarray
    normal: np.ndarray
    offset: np.ndarray


class _Walk:
    """One walk from x; ``go`` fills distance, unit, partner, move."""

    def __init__(
        self, walker: Gradients, x: np.ndarray, pieces: np.ndarray, norm: float, box: Sides | None
    ) -> None:
        self.walker, self.x, self.norm, self.box = walker, x, norm, box
        # in the coordinates of the basis where only the 2-norm in all of space is asked for
        self.full = norm != 2.0 or box is not None
        self.distance, self.unit, self.partner = np.inf, -1, -1
        self.tied, self.crossed, self.move = 0, 0, np.full(len(x), np.nan)
        self.queue: list[tuple[float, int, int, int]] = []
        self.cells: list[_Cell] = []
        self.seen: set[bytes] = set()
        self.moves: dict[tuple[int, int], np.ndarray] = {}
        self._enter(pieces)

    def go(self) -> None:
        """Walk until the map changes or no facet is left."""
        while self.queue:
            d, known, cell, row = heapq.heappop(self.queue)
            if not known:
                move = self._onto(self.cells[cell], row)
                if move is not None:
                    self.moves[cell, row] = move
                    length = max(d, float(np.linalg.norm(move, self.norm)))
                    heapq.heappush(self.queue, (length, 1, cell, row))
                continue
            behind = self._behind(cell, row)
            if behind is None:
                continue
            if self._changes(self.cells[cell], behind):
                self._found(d, cell, row)
                return
            if behind.tobytes() not in self.seen:
                self.crossed += 1
                self._enter(behind)

    def _found(self, d: float, cell: int, row: int) -> None:
        here = self.cells[cell]
        at = here.live[row]
        self.distance = d
        self.unit, self.partner = int(here.rows.unit[at]), int(here.rows.partner[0, at])
        move = self.moves[cell, row]
        self.move = move if self.full else self.walker.expand(move[None])[0]
        same = sum(e[0] <= d * (1 + 1e-12) for e in self.queue if e[1])
        self.tied = 1 + int(same)

    def _enter(self, pieces: np.ndarray) -> None:
        if len(self.cells) >= CELLS:
            raise LinregionsError(
                f"no change of the map within {CELLS:,} cells around a point; ask for "
                'kind="activation"'
            )
        self.seen.add(pieces.tobytes())
        rows = boundaries(self.walker, self.x[None], pieces[None])
        size = np.linalg.norm(rows.gradient[0], axis=1)
        live = np.flatnonzero(
            np.isfinite(rows.gap[0]) & (size > self.walker.rounding * rows.size[0])
        )
        normal = rows.gradient[0, live] * (rows.side[0, live] / size[live])[:, None]
        offset = rows.gap[0, live] * rows.side[0, live] / size[live]
        if self.full:
            normal = self.walker.expand(normal)
        if self.box is not None:  # a hyperplane that only touches the box divides nothing in it
            beyond = np.where(normal > 0, self.box[0], self.box[1])
            least = np.where(normal != 0, normal * np.where(normal != 0, beyond, 0.0), 0.0)
            inside = least.sum(axis=1) + offset < -TOUCH * abs(offset)
            live, normal, offset = live[inside], normal[inside], offset[inside]
        cell = _Cell(pieces, rows, live, normal, offset)
        self.cells.append(cell)
        dual = np.linalg.norm(normal, DUAL[self.norm], axis=1)
        for i, d in enumerate(abs(offset) / dual):
            heapq.heappush(self.queue, (float(d), 0, len(self.cells) - 1, i))

    # -- facets -----------------------------------------------------------------------------

    def _onto(self, cell: _Cell, row: int) -> np.ndarray | None:
        """The shortest move from x onto a facet; None where the hyperplane misses the cell."""
        A, b, at, c = cell.normal, -cell.offset, cell.normal[row], -cell.offset[row]
        rest = ~self._same(cell, row)
        if self.norm == 2.0:
            return _least(A[rest], b[rest], at, c, self.box)
        return _program(A[rest], b[rest], at, c, self.norm, self.box)

    def _same(self, cell: _Cell, row: int) -> np.ndarray:
        """Rows of the same hyperplane."""
        sign = np.where(cell.normal @ cell.normal[row] >= 0, 1.0, -1.0)
        off = abs(cell.normal - sign[:, None] * cell.normal[row]).max(axis=1)
        shift = abs(cell.offset - sign * cell.offset[row])
        return (off <= SAME) & (shift <= SAME * (1.0 + abs(cell.offset[row])))

    def _middle(self, cell: _Cell, row: int) -> np.ndarray | None:
        """A point inside a facet; None where it is too thin."""
        rest = ~self._same(cell, row)
        A, b = cell.normal[rest], -cell.offset[rest]
        k = A.shape[1]
        scale = 1.0 + abs(cell.offset[row])
        flat = A @ cell.normal[row]
        steep = np.sqrt(np.maximum(1.0 - flat * flat, SAME))  # of a row inside the hyperplane
        sides = [(None, None)] * k if self.box is None else list(zip(*self.box, strict=True))
        answer = linprog(
            np.r_[np.zeros(k), -1.0],
            A_ub=np.c_[-A, steep] if len(A) else None,
            b_ub=-b if len(A) else None,
            A_eq=np.r_[cell.normal[row], 0.0][None],
            b_eq=[-cell.offset[row]],
            bounds=[*sides, (0.0, scale)],
            options=SHARP,
        )
        if answer.status != 0 or answer.x[-1] <= THIN * scale:
            return None
        d = answer.x[:-1]
        return d - (cell.offset[row] + cell.normal[row] @ d) * cell.normal[row]

    def _behind(self, cell_number: int, row: int) -> np.ndarray | None:
        """The pieces of the cell behind a facet."""
        cell = self.cells[cell_number]
        d = self.moves[cell_number, row]
        rest = ~self._same(cell, row)
        room = cell.normal[rest] @ d + cell.offset[rest]
        if room.min(initial=np.inf) <= CLEAR * (1.0 + abs(cell.offset[row])):
            d = self._middle(cell, row)  # the foot lies on the rim
        if d is None:
            return None
        way = -cell.normal[row]
        if not self.full:
            d, way = self.walker.expand(d[None])[0], self.walker.expand(way[None])[0]
        return pieces_beyond(self.walker, self.x + d, way)

    def _changes(self, cell: _Cell, behind: np.ndarray) -> bool:
        """Whether the gradient of the output differs; by continuity the maps then differ."""
        other = boundaries(self.walker, self.x[None], behind[None])
        size = self.walker.rounding * (cell.rows.output_size + other.output_size)[0]
        off = np.linalg.norm(cell.rows.output[0] - other.output[0], axis=0)
        return bool((off > size).any())


def pieces_beyond(walker: Gradients, x: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Pieces just beyond x in a direction: values on a breakpoint go by their derivative.

    A value counts as on a breakpoint within its rounding error (that of x included).
    """
    found, short = [], walker.shorten(way[None])[0]
    reach = 8 * UNIT * float(np.linalg.norm(x))

    def choose(units: Any, here: AtLayer) -> np.ndarray:
        z, room = here.z[0], 4 * here.error[0] + reach * here.size[0]
        rate = np.einsum("rc,r->c", here.gradient[0], short)
        rate[abs(rate) <= walker.rounding * here.size[0]] = 0.0
        if isinstance(units, MaxUnits):
            out = [_leader(list(g), z, rate, room) for g in units.groups]
        else:
            kinds = [units.kinds[w] for w in units.which]
            out = [_piece(k, *v) for k, *v in zip(kinds, z, rate, room, strict=True)]
        found.append(np.array(out, np.int32))
        return found[-1][None]

    for _ in walker.layers(x[None], choose):
        pass
    return np.concatenate([np.zeros(0, np.int32), *found])


def _piece(kind: Any, z: float, rate: float, room: float) -> int:
    gaps = [z - float(t) for t in kind.breaks]
    return sum(rate > 0 if abs(d) <= room + 4 * UNIT * abs(z) else d > 0 for d in gaps)


def _leader(group: list[int], z: np.ndarray, rate: np.ndarray, room: np.ndarray) -> int:
    best = int(np.argmax(z[group]))
    near = [p for p, j in enumerate(group) if z[group[best]] - z[j] <= room[j] + room[group[best]]]
    return max(near, key=lambda p: (rate[group[p]], -p))


def _least(
    A: np.ndarray, b: np.ndarray, row: np.ndarray, at: float, box: Sides | None
) -> np.ndarray | None:
    """The shortest d (2-norm) with ``A d >= b``, ``row . d = at`` and ``d`` in the box."""
    k = A.shape[1]
    scale = abs(at) if at else 1.0
    if box is not None:
        low, high = (np.isfinite(s) for s in box)
        A = np.concatenate([A, np.eye(k)[low], -np.eye(k)[high]])
        b = np.concatenate([b, box[0][low], -box[1][high]])
    free = at * row  # the foot, if nothing is in the way (rows have unit length)
    if (A @ free >= b - 1e-12 * scale).all():
        return free
    # along the hyperplane: d = free + e, e orthogonal to the row
    along = A - np.outer(A @ row, row)
    E = np.concatenate([along.T, ((b - A @ free) / scale)[None]])
    f = np.r_[np.zeros(k), 1.0]
    try:
        u, left = nnls(E, f, maxiter=50 * E.shape[1])
    except RuntimeError as error:
        raise LinregionsError(f"the distance to a facet could not be found ({error})") from None
    rest = E @ u - f
    if left <= 1e-9 or not rest[-1] < 0:
        return None
    return free - scale * rest[:k] / rest[-1]


def _program(
    A: np.ndarray, b: np.ndarray, row: np.ndarray, at: float, norm: float, box: Sides | None
) -> np.ndarray | None:
    """The same for the 1- and the infinity-norm."""
    m, k = A.shape
    room = None if box is None else Room(-box[0][None], box[1][None])
    free = moves(np.array([-at]), row[None], norm, room)[0]
    if not np.isfinite(free).all():
        return None
    scale = float(np.linalg.norm(free, norm)) or 1.0
    if (A @ free >= b - 1e-12 * scale).all():
        return free
    b, at = b / scale, at / scale
    sides = [(None, None)] * k if box is None else list(zip(*(s / scale for s in box), strict=True))
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
        bounds=[*sides, *[(0.0, None)] * extra],
        options=SHARP,
    )
    return scale * answer.x[:k] if answer.status == 0 else None
