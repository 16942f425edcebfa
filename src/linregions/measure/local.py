"""Local complexity: how many regions there are close to the points of a data set."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..answer import CutShort
from ..boundary.distance import distance
from ..complex.subdivide import subdivide
from ..domain.domains import Box, Segment, Slice
from ..errors import LinregionsError
from ..line.crossings import crossings
from ..network.arrays import finite_points
from ..network.network import Network
from ..network.units import Pointwise
from ..progress import Status, Stopped, check, current, reason_of
from ..questions.count import count
from ..readers import load
from ..watching import watchful
from .chords import bends, directions

SHAPES = ("segment", "slice", "ball")
BATCH = 512  # points whose segments are swept together
ROWS = 1 << 22  # pre-activations of one batch of points

MEANING = {
    "segment": "exact number of regions on a segment of length 2r in a random direction",
    "slice": "exact number of regions in a random {k}-dimensional cube of side 2r",
    "ball": "patterns on {repeats} random diameters: a lower bound of the regions in the ball",
}


@dataclass(frozen=True, eq=False)
class LocalComplexity(CutShort):
    """Regions close to each of m points; see `local_complexity`.

    Attributes
    ----------
    regions
        (m, repeats) numbers of regions; (m, 1) for balls, where the repeats are one answer.
    meaning
        What exactly each of these numbers counts.
    single
        (m,) for balls: whether the open ball lies in one region, by its distance to the boundary
        (beyond its rounding error; then the number 1 is exact). Else None.
    radius, shape, dimension, kind, seed, seconds
        As asked; time taken.
    stopped
        Why it holds the first points only: ``seconds`` or ``interrupt``; else empty.
    """

    regions: np.ndarray
    meaning: str
    single: np.ndarray | None
    radius: float
    shape: str
    dimension: int
    kind: str
    seed: int
    seconds: float
    stopped: str = ""

    def __len__(self) -> int:
        return len(self.regions)

    @property
    def per_point(self) -> np.ndarray:
        """(m,) mean over the repeats."""
        return self.regions.mean(axis=1)

    @property
    def mean(self) -> float:
        """Mean over points and repeats."""
        return float(self.regions.mean())

    @property
    def standard_error(self) -> float | None:
        """Of the mean, the points taken as a sample of their kind; None for a single point."""
        if len(self) < 2:
            return None
        return float(self.per_point.std(ddof=1) / np.sqrt(len(self)))

    def histogram(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct numbers of regions, ascending, and how often each was found."""
        return np.unique(self.regions, return_counts=True)

    def __repr__(self) -> str:
        where = f"{self.shape}s of radius {self.radius:g}"
        mean = f"{self.mean:.4g} {self.kind} regions on average"
        return f"<{mean} in {where}, {len(self):,} points{self.remark}>"


@watchful
def local_complexity(
    network: Any,
    points: Any,
    *,
    radius: float,
    shape: str = "segment",
    dimension: int = 2,
    repeats: int | None = None,
    kind: str = "activation",
    seed: int = 0,
    seconds: float | None = None,
    progress: Callable[[Status], None] | None = None,
    on_interrupt: str = "raise",
) -> LocalComplexity:
    """Count the regions met by a small shape around each point of a data set.

    ``segment``: ``x - r u`` to ``x + r u`` with a uniform unit vector u. The number is exact;
    minus 1, over ``2 r``, its mean is a density of crossings. A region that is left and entered
    again counts twice, which happens under ``linear`` only (cells are convex).

    ``slice``: ``x + B y`` with ``|y_i| <= r``, where the d columns of B are a uniform orthonormal
    frame. The number is exact (`count`), for the plane that the rounded numbers span.

    ``ball``: how many regions meet ``|y - x| < r`` is out of reach in many dimensions, so this
    is a certain lower bound: the distinct patterns on ``repeats`` random diameters. ``single`` says
    for which points the whole ball is certainly one region. ``activation`` only.

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes, of any size; pointwise and max units (these
        go segment by segment, more slowly).
    points
        (m, n), or (n,) for one.
    radius
        r, positive, in input lengths.
    shape
        ``segment``, ``slice`` or ``ball``.
    dimension
        Of slices, 1 to n.
    repeats
        Random shapes around each point, 1 by default; for balls the diameters, 16 by default.
    kind
        ``activation`` or ``linear``.
    seed
        Of the directions; those of a point depend on the seed and its number alone.
    seconds
        Stop after so much time; the answer then holds the first points only, and says so.
    progress
        Called with a `Status`.
    on_interrupt
        As in `count`.

    Raises
    ------
    LinregionsError
        For no points, wrong sizes, NaN, radii that are not positive or vanish beside the points.

    Examples
    --------
    >>> net = Network.from_layers([([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])])
    >>> local_complexity(net, [[0.1], [0.5], [3.0]], radius=0.75).regions.tolist()
    [[2], [3], [1]]
    """
    net = load(network)
    x = finite_points(points, net.inputs)
    repeats = (16 if shape == "ball" else 1) if repeats is None else repeats
    _check(net, x, radius, shape, dimension, repeats, kind)
    start, single, stopped, known = time.perf_counter(), None, "", 0
    current().stage = "points"

    def report(done: int) -> None:
        nonlocal known
        known = done
        if progress is not None:
            progress(Status(done, time.perf_counter() - start, "points"))
        check()

    regions = np.empty((len(x), 1 if shape == "ball" else repeats), np.int64)
    try:
        if shape == "slice":
            _slices(net, x, radius, dimension, kind, seed, regions, report)
        elif shape == "segment":
            _on_segments(net, x, radius, kind, seed, regions, report)
        else:
            _in_balls(net, x, radius, repeats, seed, regions, report)
            near = distance(net, x)
            single = near.distance - near.error >= radius
    except KeyboardInterrupt as stop:
        if not known:
            raise
        regions, stopped = regions[:known], reason_of(stop)
    return LocalComplexity(
        regions, MEANING[shape].format(k=dimension, repeats=repeats), single, float(radius), shape,
        {"segment": 1, "slice": dimension, "ball": net.inputs}[shape], kind, seed,
        time.perf_counter() - start, stopped,
    )  # fmt: skip


def _ends(x: np.ndarray, first: int, radius: float, repeats: int, seed: int) -> np.ndarray:
    """(points * repeats, 2, n) segments around points; ``first`` is the number of x[0]."""
    n = x.shape[1]
    u = np.stack(
        [directions(np.random.default_rng([seed, first + i]), repeats, n) for i in range(len(x))]
    )
    ends = np.stack([x[:, None] - radius * u, x[:, None] + radius * u], axis=2)
    return ends.reshape(-1, 2, n)


def _on_segments(
    net: Network, x: np.ndarray, radius: float, kind: str, seed: int, out: np.ndarray, report: Any
) -> None:
    repeats = out.shape[1]
    step = max(1, BATCH // repeats)
    for a in range(0, len(x), step):
        ends = _ends(x[a : a + step], a, radius, repeats, seed)
        try:
            found = bends(net, ends, kind)
        except Stopped as stop:
            found = np.zeros(0, np.int64) if stop.partial is None else stop.partial
        done = len(found) // repeats  # points with all of their segments
        out[a : a + done] = found[: done * repeats].reshape(-1, repeats) + 1
        report(a + done)


def _slices(
    net: Network, x: np.ndarray, radius: float, k: int, kind: str, seed: int, out: np.ndarray,
    report: Any,
) -> None:  # fmt: skip
    n = x.shape[1]
    for i, point in enumerate(x):
        rng = np.random.default_rng([seed, i])
        for j in range(out.shape[1]):
            basis, r = np.linalg.qr(rng.standard_normal((n, k)))
            basis *= np.sign(np.diag(r))  # so that frames are uniform
            cube = Slice(point, basis, Box(-radius, radius))
            out[i, j] = int(count(net, cube, kind=kind))
        report(i + 1)


def _in_balls(
    net: Network, x: np.ndarray, radius: float, repeats: int, seed: int, out: np.ndarray,
    report: Any,
) -> None:  # fmt: skip
    step = max(1, BATCH // repeats)
    for a in range(0, len(x), step):
        ends = _ends(x[a : a + step], a, radius, repeats, seed)
        patterns = _along(net, ends)
        for i in range(len(ends) // repeats):
            seen = {p for mine in patterns[i * repeats : (i + 1) * repeats] for p in mine}
            out[a + i] = len(seen)
        report(min(a + step, len(x)))


def _along(net: Network, ends: np.ndarray) -> list[list[bytes]]:
    """Patterns on each segment, one after the other."""
    if not net.layers:
        return [[b""] for _ in ends]
    if all(isinstance(layer.units, Pointwise) for layer in net.layers):
        found = crossings(net, ends)
        signs = (np.packbits(found.signs(i), axis=1) for i in range(len(ends)))
        return [[row.tobytes() for row in mine] for mine in signs]

    pieces = (subdivide(net, Segment(*pair)).patterns() for pair in ends)
    return [[row.astype(np.uint16).tobytes() for row in mine] for mine in pieces]


def _check(
    net: Network, x: np.ndarray, radius: Any, shape: Any, dimension: Any, repeats: Any, kind: Any
) -> None:
    if shape not in SHAPES:
        raise LinregionsError(f"shape={shape!r}: give segment, slice or ball")
    if kind not in ("activation", "linear"):
        raise LinregionsError(f"kind={kind!r}: give activation or linear")
    if shape == "ball" and kind == "linear":
        raise LinregionsError("shape='ball' counts patterns; give kind='activation' or a segment")
    if not isinstance(radius, int | float | np.number) or not 0 < radius < np.inf:
        raise LinregionsError(f"radius={radius!r}: give a positive finite number")
    if not radius > 1e-12 * np.abs(x).max(initial=0.0):
        raise LinregionsError(
            f"radius={radius!r} is lost in the rounding of points as large as {np.abs(x).max():g}"
        )
    if not isinstance(repeats, int | np.integer) or repeats < 1:
        raise LinregionsError(f"repeats={repeats!r}: give a positive integer")
    n = net.inputs
    if shape == "slice" and (
        not isinstance(dimension, int | np.integer) or not 1 <= dimension <= n
    ):
        raise LinregionsError(f"dimension={dimension!r} of a slice of {n} inputs: give 1 to {n}")


# -- patterns of a data set -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class DistinctPatterns:
    """The distinct activation patterns of m points.

    Attributes
    ----------
    labels
        (m,) the number of each point's pattern, in order of first appearance.
    sizes
        (patterns,) how many points have each.
    first
        (patterns,) the first point of each.
    """

    labels: np.ndarray
    sizes: np.ndarray
    first: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes)

    def __int__(self) -> int:
        return len(self)

    def __repr__(self) -> str:
        return f"<{len(self):,} patterns of {len(self.labels):,} points>"


@watchful
def distinct_patterns(
    network: Any, points: Any, *, shape: Sequence[int] | None = None
) -> DistinctPatterns:
    """How many activation regions the points of a data set lie in, and which share one.

    Patterns are evaluated in float64 (`Network.patterns`): a point within rounding of a boundary
    may fall on either side. Those of more than 128 bits are compared by a 128-bit hash (BLAKE2b),
    of which two among a million agree by chance with probability below 1e-26.

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes.
    points
        (m, n), or (n,) for one.
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Examples
    --------
    >>> net = Network.from_layers([([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])])
    >>> distinct_patterns(net, [[0.1], [0.5], [3.0]]).labels
    array([0, 0, 1])
    """
    net = load(network, shape=shape)
    x = finite_points(points, net.inputs)
    widest = max([1, *(layer.affine.size for layer in net.layers)])
    step = max(1, ROWS // max(widest, net.units))
    number: dict[bytes, int] = {}
    labels, first = np.empty(len(x), np.int64), []
    for a in range(0, len(x), step):
        check()
        for i, key in enumerate(_keys(net, x[a : a + step]), start=a):
            labels[i] = number.setdefault(key, len(number))
            if len(number) > len(first):
                first.append(i)
    return DistinctPatterns(labels, np.bincount(labels), np.array(first, np.int64))


def _keys(net: Network, x: np.ndarray) -> list[bytes]:
    rows = net.patterns(x)
    if all(p <= 2 for layer in net.layers for p in layer.units.pieces_per_unit()):
        rows = np.packbits(rows.astype(np.uint8), axis=1)
    out = [row.tobytes() for row in rows]
    if rows.shape[1] * rows.itemsize <= 16:
        return out
    return [hashlib.blake2b(row, digest_size=16).digest() for row in out]
