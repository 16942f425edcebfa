"""All boundaries that a cell may have, seen from points inside: gaps and gradients.

A candidate is a unit and one breakpoint next to its piece, or a max unit and one of its losers:
on the cell its boundary is ``gap + gradient . (y - x) = 0`` with the gap at x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from ..exact.point import LARGEST, TINY, Sides, Sure, divides, exact_point, nearest
from ..network.units import MaxUnits, Pointwise
from ..roundoff import ROUNDOFF
from .gradients import AtLayer, Gradients, members
from .steps import lengths_of


@dataclass
class Boundaries:
    """Candidates of a batch of points.

    ``gap`` and its ``error`` are (points, candidates), infinite gaps where there is nothing;
    ``gradient`` (points, candidates, r), and ``wrong``, how far off it may be in the 2-norm;
    ``unit`` (candidates,); ``partner`` (points, candidates): the breakpoint or the loser. ``lost``
    (points,): some number has left the range of floats.
    """

    gap: np.ndarray
    error: np.ndarray
    wrong: np.ndarray
    gradient: np.ndarray
    unit: np.ndarray
    partner: np.ndarray
    side: np.ndarray
    pieces: np.ndarray
    lost: np.ndarray


def boundaries(walker: Gradients, x: np.ndarray, pieces: np.ndarray | None = None) -> Boundaries:
    """The candidates around points (points, n), on their own pieces or on given ones."""
    parts, found, at, lost = [], [], 0, np.zeros(len(x), bool)
    with np.errstate(over="ignore", invalid="ignore"):
        for here in walker.layers(x, pieces):
            if here.number > len(walker.network.layers):
                break
            lost |= ~np.isfinite(here.z + here.error + here.size).all(axis=1)
            units = walker.network.layers[here.number - 1].units
            if isinstance(units, MaxUnits):
                parts += [_losers(units, here, p, at) for p in range(members(units).shape[1])]
            else:
                single = all(len(k.breaks) <= 1 for k in units.kinds)
                parts += [_breaks(units, here, q, at) for q in ((None,) if single else (-1, 0))]
            found.append(here.pieces)
            at += units.size
    if not parts:
        parts = [_nothing(len(x), walker.rank)]
    joined = [np.concatenate([p[i] for p in parts], axis=1) for i in (0, 1, 2, 3, 5, 6)]
    gap, error, size = joined[:3]
    gap[size == 0] = np.inf  # constant by structure
    return Boundaries(
        gap, error, walker.rounding * size, joined[3],
        np.concatenate([p[4] for p in parts]), joined[4], joined[5],
        np.concatenate([np.zeros((len(x), 0), np.int32), *found], axis=1), lost,
    )  # fmt: skip


def _nothing(points: int, rank: int) -> tuple[np.ndarray, ...]:
    empty = np.zeros((points, 0))
    whole = empty.astype(np.int64)
    return empty, empty, empty, np.zeros((points, 0, rank)), np.zeros(0, np.int64), whole, empty


def _breaks(units: Pointwise, here: AtLayer, q: int | None, at: int) -> tuple[np.ndarray, ...]:
    """The breakpoints left (q = -1) or right (q = 0) of the pieces of the units that have one.

    None: the only one, on either side.
    """
    which = np.asarray(units.which, np.int64)
    widest = max((len(k.breaks) for k in units.kinds), default=0)
    table = np.full((len(units.kinds), widest + 2), np.inf)
    for k, kind in enumerate(units.kinds):
        table[k, 1 : 1 + len(kind.breaks)] = [float(t) for t in kind.breaks]
    place = np.zeros_like(here.pieces) if q is None else here.pieces + q
    t = table[which, place + 1]
    mine = np.flatnonzero(np.isfinite(t).any(axis=0))
    gap = here.z[:, mine] - t[:, mine]
    # inside the cell the gap is positive right of a breakpoint, else negative; so is its zero
    side = np.where(here.pieces[:, mine] > place[:, mine], 1.0, -1.0)
    gap = np.where(gap == 0, np.copysign(0.0, side), gap)
    size = np.abs(here.z[:, mine]) + np.where(np.isfinite(gap), np.abs(t[:, mine]), 0.0)
    error = here.error[:, mine] + 4 * ROUNDOFF * size
    full = np.broadcast_to(here.gradient, (len(here.z), *here.gradient.shape[1:]))
    gradient = full[:, :, mine].transpose(0, 2, 1)
    return gap, error, here.size[:, mine], gradient, at + mine, place[:, mine], side


def _losers(units: MaxUnits, here: AtLayer, p: int, at: int) -> tuple[np.ndarray, ...]:
    """The p-th argument of every group against the winner."""
    table, u = members(units), np.arange(units.size)
    best, other = table[u, here.pieces], np.broadcast_to(table[:, p], here.pieces.shape)

    def of(a: np.ndarray, index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(a, index, axis=1)

    full = np.broadcast_to(here.gradient, (len(here.z), *here.gradient.shape[1:]))

    def rows(index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(full, index[:, None, :], axis=2).transpose(0, 2, 1)

    absent = p >= np.array(list(units.pieces_per_unit()))  # the table repeats an argument there
    gap = np.where((best == other) | absent, np.inf, of(here.z, best) - of(here.z, other))
    error = of(here.error, best) + of(here.error, other)
    error = error + np.where(np.isfinite(gap), 2 * ROUNDOFF * abs(gap), 0.0)
    size = of(here.size, best) + of(here.size, other)
    partner, side = np.full(gap.shape, p, np.int64), np.ones(gap.shape)
    return gap, error, size, rows(best) - rows(other), at + u, partner, side


def sure_boundaries(
    sure: Sure, walker: Gradients, x: np.ndarray, pieces: np.ndarray, box: Sides | None
) -> Boundaries:
    """`boundaries` of one cell from a point, rounded once.

    Rows that are constant, or whose hyperplanes do not divide the box, are left out.
    """
    n, at = sure.network.inputs, exact_point(x)
    rows = [r for r in sure.rows(pieces) if any(a != 0 for a in r.row[:n])]
    if box is not None:
        rows = [r for r in rows if divides(r.row, box)]
    gap, gradient = np.empty(len(rows)), np.zeros((len(rows), n))
    for i, r in enumerate(rows):
        top = max(abs(int(a)) for a in r.row[:n])
        value = sum((a * v for a, v in zip(r.row[:n], at, strict=True)), fmpq(r.row[n])) / top
        gap[i] = r.side * nearest(value)
        gradient[i] = [r.side * (int(a) / top) for a in r.row[:n]]
    side, size = np.array([r.side for r in rows], float), lengths_of(gradient, 2.0)
    error = np.where(gap != 0, 2 * ROUNDOFF * abs(gap) + TINY, 0.0)
    wrong = 8 * (n + 4) * ROUNDOFF * size
    far = np.isinf(gap)  # farther than floats go: known from below only
    gap[far], error[far], wrong[far] = np.copysign(LARGEST, gap[far]), 0.0, size[far]
    gap = np.where(gap == 0, np.copysign(0.0, side), gap)
    return Boundaries(
        gap[None], error[None], wrong[None],
        walker.shorten(gradient)[None], np.array([r.unit for r in rows], np.int64),
        np.array([r.partner for r in rows], np.int64).reshape(1, -1), side[None],
        pieces[None], np.zeros(1, bool),
    )  # fmt: skip
