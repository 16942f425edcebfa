"""`distance`: how far points are from the nearest boundary, exactly."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..answer import CutShort
from ..domain.domains import Box, Domain, Space
from ..errors import LinregionsError
from ..exact.point import LARGEST, Sure, exact_point, generic
from ..network.arrays import finite_points
from ..network.network import Network
from ..network.rational import is_rational, rounded
from ..progress import Status, check, current, reason_of
from ..readers import load
from ..roundoff import ROUNDOFF
from ..watching import watchful
from .candidates import Boundaries, boundaries, sure_boundaries
from .gradients import Gradients
from .steps import NORMS, Bracket, Room, brackets, exponents, lengths_of, moves
from .walk import linear

NUMBERS = 1 << 20  # of the gradients of one batch
PAIRS = 1 << 21  # of the full gradients at once
TIE = 1e-12  # candidates closer than this, relative, count as tied
VAGUE = 1e-8  # a distance known no better, relative, is looked at in rationals


@dataclass(frozen=True, eq=False)
class Distances(CutShort):
    """Distances of m points from the nearest boundary; see `distance`.

    Attributes
    ----------
    distance
        (m,); infinite where there is no boundary (inside the domain).
    error
        (m,) bound, to first order, of the rounding error of each distance.
    unit, layer
        (m,) the unit that switches there, numbered through all layers, and its layer (from 1);
        -1 where there is none. Where several are equally near, the lowest.
    partner
        (m,) which breakpoint of that unit, or which argument of a max unit takes over.
    foot
        (m, n) the nearest point of the boundary; NaN where there is none.
    tied
        (m,) how many candidates are as near as the nearest one, up to 1e-12 of the distance or
        to rounding (the candidates are all boundaries that a cell may have).
    crossed
        (m,) for ``kind="linear"``: boundaries nearer than this one that do not change the map.
    kind, norm, seconds
        As asked; time taken.
    stopped
        Why it holds the first points only: ``seconds`` or ``interrupt``; else empty.
    """

    network: Network
    points: np.ndarray
    distance: np.ndarray
    error: np.ndarray
    unit: np.ndarray
    layer: np.ndarray
    partner: np.ndarray
    foot: np.ndarray
    tied: np.ndarray
    crossed: np.ndarray
    kind: str
    norm: float
    seconds: float = field(default=0.0)
    stopped: str = ""

    def __len__(self) -> int:
        return len(self.distance)

    def columns(self) -> dict[str, np.ndarray]:
        """One array for each column of a table."""
        names = ("distance", "error", "unit", "layer", "partner", "tied", "crossed", "foot")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        some = self.distance[np.isfinite(self.distance)]
        middle = f", median {np.median(some):.4g}" if len(some) else ""
        return f"<distances of {len(self):,} points to {self.kind} boundaries{middle}{self.remark}>"


@watchful
def distance(
    network: Any,
    points: Any,
    *,
    norm: int | float | str = 2,
    domain: Domain | None = None,
    kind: str = "activation",
    seconds: float | None = None,
    progress: Callable[[Status], None] | None = None,
    on_interrupt: str = "raise",
    shape: Sequence[int] | None = None,
) -> Distances:
    """Distance of points to the nearest boundary of their region, and where it is.

    For the cell C of x, ``{y : s_u (z_u(y) - t_u) > 0}`` with the affine forms of C, the distance
    to its complement is the least of the distances to the half-spaces beyond, so

    ``dist(x, boundary) = min over u of |z_u(x) - t_u| / |grad z_u(x)|*``

    exactly, with the dual norm (Hanin and Rolnick 2019, section 2.2; the proof is in the page on
    distance). Boundaries of other cells are no nearer. In a box the minimum is over the points
    of those half-spaces inside the box. For ``kind="linear"`` that is a lower bound only, where a
    boundary does not change the map; then we walk on through it, cell by cell, nearest first.

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes; pointwise and max units.
    points
        (m, n), or (n,) for one.
    norm
        2, 1 or ``inf``.
    domain
        None for all of R^n, or a `Box` that holds the points: the nearest boundary point inside.
    kind
        ``activation`` or ``linear``.
    seconds
        Stop after so much time; the answer then holds the first points only, and says so.
    progress
        Called with a `Status` after every batch.
    on_interrupt
        As in `count`.
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Raises
    ------
    LinregionsError
        For no points, wrong sizes, NaN, points outside the box, unknown norms and kinds.

    Examples
    --------
    >>> net = Network.from_layers([([[3.0, 4.0]], [0.0]), ([[1.0]], [0.0])])
    >>> found = distance(net, [[3.0, 4.0]])
    >>> found.distance, found.foot.round(12) + 0.0
    (array([5.]), array([[0., 0.]]))
    >>> distance(net, [[3.0, 4.0]], norm="inf").distance
    array([3.57142857])
    """
    net = load(network, shape=shape)
    length = NORMS.get(str(norm).removesuffix(".0"))
    if length is None:
        raise LinregionsError(f"norm={norm!r}: give 2, 1 or inf")
    if kind not in ("activation", "linear"):
        raise LinregionsError(f"kind={kind!r}: give activation or linear")
    x = finite_points(points, net.inputs)
    box = _box(domain, x)
    start = time.perf_counter()
    walker, sure = Gradients(net), Sure(net)
    found = _Found(net, x, kind)
    step = max(1, NUMBERS // max(1, walker.rank * sum(m.affine.size for m in net.layers)))
    current().stage, stopped, b = "distance", "", 0
    try:
        for a in range(0, len(x), step):
            check()
            with np.errstate(all="ignore"):  # numbers beyond the floats are told by the bounds
                _batch(walker, sure, found, a, min(a + step, len(x)), length, box)
            b = min(a + step, len(x))
            if progress is not None:
                progress(Status(b, time.perf_counter() - start, "distance"))
    except KeyboardInterrupt as stop:
        if not b:
            raise
        stopped = reason_of(stop)
    return found.answer(b, length, time.perf_counter() - start, stopped)


@dataclass
class Nearest:
    """The nearest candidate of every point of a batch.

    ``alone``: no other candidate can be as near. ``doubt``: floats do not tell.
    """

    all: Boundaries
    index: np.ndarray
    distance: np.ndarray
    error: np.ndarray
    tied: np.ndarray
    foot: np.ndarray
    alone: np.ndarray
    doubt: np.ndarray


class _Found:
    """The columns of the answer while they fill."""

    def __init__(self, net: Network, x: np.ndarray, kind: str) -> None:
        m = len(x)
        self.net, self.x, self.kind = net, x, kind
        self.distance, self.error = np.full(m, np.inf), np.zeros(m)
        self.unit, self.partner = np.full(m, -1, np.int64), np.full(m, -1, np.int64)
        self.tied, self.crossed = np.zeros(m, np.int64), np.zeros(m, np.int64)
        self.foot = np.full(x.shape, np.nan)

    def put(self, a: int, near: Nearest) -> None:
        """The columns of a batch that starts at point a."""
        rows = np.arange(len(near.index))
        here = slice(a, a + len(rows))
        self.distance[here], self.error[here] = near.distance, near.error
        self.tied[here], self.foot[here] = near.tied, near.foot
        hit = np.isfinite(near.distance)
        if not hit.any():
            return
        self.unit[here][hit] = near.all.unit[near.index[hit]]
        self.partner[here][hit] = near.all.partner[rows, near.index][hit]

    def answer(self, m: int, norm: float, seconds: float, stopped: str) -> Distances:
        """The answer for the first m points."""
        ends = np.cumsum([m.size for m in self.net.layers])
        layer = np.searchsorted(ends, self.unit, side="right") + 1
        layer = np.where(self.unit < 0, -1, layer)
        columns: tuple[Any, ...] = (
            self.x, self.distance, self.error, self.unit, layer, self.partner, self.foot,
            self.tied, self.crossed,
        )  # fmt: skip
        first: list[Any] = [c[:m] for c in columns]
        rest: list[Any] = [self.kind, norm, seconds, stopped]
        return Distances(self.net, *first, *rest)


def _batch(
    walker: Gradients, sure: Sure, found: _Found, a: int, b: int, norm: float, box: Any
) -> None:
    """The answers for the points from a to b."""
    room = None if box is None else Room(found.x[a:b] - box[0], box[1] - found.x[a:b], box[2])
    near = _nearest(walker, boundaries(walker, found.x[a:b]), found.x[a:b], norm, room)
    found.put(a, near)
    for i in np.flatnonzero(near.doubt).tolist():
        found.put(a + i, _surely(walker, sure, found.x[a + i], norm, box))
    if found.kind == "linear":
        linear(walker, sure, found, a, near, norm, None if box is None else box[:2])


def _nearest(
    walker: Gradients, found: Boundaries, x: np.ndarray, norm: float, room: Room | None
) -> Nearest:
    """The nearest candidate of each point and its foot."""
    count = found.gap.shape[1]
    if not count:
        none, zero = np.full(len(x), np.inf), np.zeros(len(x), np.int64)
        nowhere = np.full(x.shape, np.nan)
        return Nearest(found, zero, none, 0.0 * zero, zero, nowhere, zero > 0, found.lost)
    d = _plain(found)
    if norm != 2.0 or room is not None:
        d = _refined(walker, found, d.low, norm, room)
    index, rows = np.argmin(d.mid, axis=1), np.arange(len(x))
    best, least, most = d.mid[rows, index], d.low.min(axis=1), d.high.min(axis=1)
    # where a unit may be on another piece, later ones may be too: its own distance is sure
    open_ = np.isfinite(found.gap) & (d.low <= 0)
    most = np.where(open_.any(axis=1), np.where(open_, d.high, 0.0).max(axis=1), most)
    with np.errstate(invalid="ignore"):
        error = np.maximum(best - least, most - best) + 2 * ROUNDOFF * best
        error = np.where(np.isinf(best), np.where(np.isinf(least), 0.0, np.inf), error)
        vague = ~((most - least <= VAGUE * most) & np.isfinite(most))
        vague &= ~(most <= TIE * lengths_of(x, 2.0))
    doubt = found.lost | (vague & np.isfinite(least))
    near = np.where(np.isfinite(most), most, best * (1 + TIE))
    alone = (d.low <= near[:, None]).sum(axis=1) == 1
    tied = (d.mid <= (best * (1 + TIE) + np.where(np.isfinite(error), error, 0.0))[:, None]).sum(1)
    tied = np.where(np.isfinite(best), tied, 0)
    g = walker.expand(found.gradient[rows, index])
    shift = exponents(g)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        gap = np.ldexp(np.where(np.isfinite(best), found.gap[rows, index], 0.0), -shift)
        foot = x + moves(gap, np.ldexp(g, -shift[:, None]), norm, room)
    foot[~np.isfinite(best)] = np.nan
    alone &= ~doubt & (least > 0)
    return Nearest(found, index, best, error, tied, foot, alone, doubt)


def _plain(found: Boundaries) -> Bracket:
    """Euclidean distances of all candidates over all of space."""
    size, wrong = lengths_of(found.gradient, 2.0), found.wrong
    there, ulps = np.isfinite(found.gap), 8 * (found.gradient.shape[2] + 8) * ROUNDOFF
    gap, loose = abs(found.gap), wrong + ulps * size
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        low = np.where(there, np.maximum(gap - found.error, 0.0) / (size + loose), np.inf)
        high = np.where(there & (size > loose), (gap + found.error) / (size - loose), np.inf)
        # a gradient within its rounding error of zero may be zero
        mid = np.where(np.isfinite(high), gap / size, np.inf)
    low = np.where(there, np.minimum(low, LARGEST), np.inf)  # none is out of reach for its size
    low[np.isnan(low)] = 0.0  # nothing known: a gap of zero and no gradient
    return Bracket(low * (1 - 4 * ROUNDOFF), mid, high * (1 + 4 * ROUNDOFF))


def _refined(
    walker: Gradients, found: Boundaries, low: np.ndarray, norm: float, room: Room | None
) -> Bracket:
    """Distances in other norms or a box where they may be least, infinite elsewhere.

    The Euclidean distance over all space bounds them from below (after division by sqrt(n)
    for the infinity-norm). Candidates are taken in the order of these bounds, more of them each
    time, until the next bound exceeds what the best distance may be.
    """
    n = walker.network.inputs
    low = low / np.sqrt(n) * (1 - 4 * ROUNDOFF) if norm == np.inf else low.copy()
    order = np.argsort(low, axis=1, kind="stable")
    ranked = np.take_along_axis(low, order, axis=1)
    mid, high = np.full(low.shape, np.inf), np.full(low.shape, np.inf)
    best = np.full(len(low), np.inf)
    at, step, chunk = 0, 1, max(1, PAIRS // n)
    while at < low.shape[1]:
        head = ranked[:, at : at + step]
        p, j = np.nonzero((head <= best[:, None] * (1 + TIE)) & np.isfinite(head))
        if not len(p):
            break
        c = order[p, at + j]
        for a in range(0, len(p), chunk):
            pp, cc = p[a : a + chunk], c[a : a + chunk]
            g = walker.expand(found.gradient[pp, cc])
            mine = None if room is None else Room(room.down[pp], room.up[pp], room.blur)
            sure = brackets(
                found.gap[pp, cc], found.error[pp, cc], g, found.wrong[pp, cc], norm, mine
            )
            low[pp, cc] = np.fmax(low[pp, cc], sure.low)
            mid[pp, cc], high[pp, cc] = sure.mid, sure.high
        best = high.min(axis=1)
        at, step = at + step, 2 * step
    mid[np.isinf(high)] = np.inf
    return Bracket(low, mid, high)


def _surely(walker: Gradients, sure: Sure, x: np.ndarray, norm: float, box: Any) -> Nearest:
    """The nearest candidate of one point, from exact rows."""
    at = exact_point(x)
    pieces = sure.cell(at, generic(x, None if box is None else box[:2]))
    found = sure_boundaries(sure, walker, x, pieces, None if box is None else box[:2])
    room = None if box is None else Room((x - box[0])[None], (box[1] - x)[None], box[2])
    near = _nearest(walker, found, x[None], norm, room)
    near.doubt[:] = True
    return near


def _box(domain: Domain | None, x: np.ndarray) -> tuple[np.ndarray, ...] | None:
    if domain is None or isinstance(domain, Space):
        return None
    if not isinstance(domain, Box):
        what = domain.describe() if isinstance(domain, Domain) else repr(domain)
        raise LinregionsError(f"distance in {what}: give a Box, or none for all of R^n")
    domain.chart(x.shape[1])  # raises where the number of inputs does not fit
    sides = domain.lo, domain.hi
    lo, hi = (np.broadcast_to(rounded(s), (x.shape[1],)) for s in sides)
    blur = np.zeros(x.shape[1])
    for side, own in zip(sides, (lo, hi), strict=True):  # of bounds that are no floats
        if is_rational(side):
            blur = np.maximum(blur, np.where(np.isfinite(own), 2 * ROUNDOFF * abs(own), 0.0))
    out = ((x < lo) | (x > hi)).any(axis=1)
    if out.any():
        i = int(np.flatnonzero(out)[0])
        raise LinregionsError(
            f"point {i} lies outside {domain.describe()} ({int(out.sum())} of {len(x)} do)"
        )
    return lo, hi, blur
