"""Random lines through convex bodies, and how often a network bends along segments.

Lines are drawn from the motion-invariant measure, restricted to those that meet the body K and
normed to a probability. For any (k - 1)-dimensional set S in K, Crofton's formula says

``vol(S) = |dK| / 2 * E[number of points of S on the line]``

where ``|dK|`` is the (k - 1)-volume of the surface of K (a line meets that surface twice, which
fixes the constant). Santalo, Integral Geometry and Geometric Probability, chapter 14.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..complex.subdivide import subdivide
from ..domain.domains import Segment
from ..errors import LinregionsError
from ..line.crossings import crossings
from ..network.network import Network
from ..network.units import Pointwise
from ..progress import Status, Stopped, reason_of


@dataclass(frozen=True)
class Ball:
    """The ball ``|x - centre| <= radius`` of input space: a body for `boundary_volume`.

    Parameters
    ----------
    centre
        Shape (n,), or a number for every coordinate.
    radius
        Positive, finite.
    """

    centre: Any
    radius: float

    def __post_init__(self) -> None:
        centre = np.asarray(self.centre, np.float64)
        if centre.ndim > 1 or not np.isfinite(centre).all():
            raise LinregionsError(f"ball: centre={self.centre!r}; give n finite numbers")
        radius = self.radius
        if not isinstance(radius, int | float | np.number) or not 0 < radius < math.inf:
            raise LinregionsError(f"ball: radius={radius!r}; give a positive finite number")

    def describe(self) -> str:
        """A few words for an answer."""
        return f"ball of radius {self.radius:g}"


@dataclass(frozen=True)
class Chords:
    """Chords of one body in R^k along invariant random lines.

    ``surface`` and ``volume`` are natural logarithms (in 784 dimensions the numbers leave the
    range of floats); ``volume`` is None for a polytope, where it is not needed.
    """

    dimension: int
    surface: float
    volume: float | None
    draw: Callable[[np.random.Generator, int], np.ndarray]


def through_ball(centre: np.ndarray, radius: float) -> Chords:
    """Lines of uniform direction, and uniform in the disc of their feet."""
    k = len(centre)
    volume = k / 2 * math.log(math.pi) - math.lgamma(k / 2 + 1) + k * math.log(radius)

    def draw(rng: np.random.Generator, m: int) -> np.ndarray:
        u = directions(rng, m, k)
        foot = np.zeros((m, k))
        if k > 1:
            foot = rng.standard_normal((m, k))
            foot -= (foot * u).sum(1)[:, None] * u
            foot /= np.linalg.norm(foot, axis=1)[:, None]
            foot *= radius * rng.random((m, 1)) ** (1 / (k - 1))
        half = np.sqrt(np.maximum(radius**2 - (foot**2).sum(1), 0.0))[:, None] * u
        return np.stack([centre + foot - half, centre + foot + half], axis=1)

    return Chords(k, volume + math.log(k / radius), volume, draw)


def through_box(lo: np.ndarray, hi: np.ndarray) -> Chords:
    """Lines from a uniform point of the surface, with the cosine law of directions.

    Through a surface element of normal v the invariant measure has density ``|u . v|`` in the
    direction u: the projection of u onto the face is uniform in the unit ball of R^(k-1).
    """
    k, side = len(lo), hi - lo
    volume = float(np.log(side).sum())
    share = 1 / side / (1 / side).sum()

    def draw(rng: np.random.Generator, m: int) -> np.ndarray:
        face, far = rng.choice(k, m, p=share), rng.random(m) < 0.5
        p, rows = lo + rng.random((m, k)) * side, np.arange(m)
        p[rows, face] = np.where(far, hi[face], lo[face])
        u = rng.standard_normal((m, k))
        u[rows, face] = 0.0
        if k > 1:
            u *= rng.random((m, 1)) ** (1 / (k - 1)) / np.linalg.norm(u, axis=1)[:, None]
        up = np.sqrt(np.maximum(1 - (u**2).sum(1), 0.0))
        u[rows, face] = np.where(far, -up, up)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(u > 0, (hi - p) / u, np.where(u < 0, (lo - p) / u, np.inf)).min(1)
        q = np.clip(p + np.where(np.isfinite(t), t, 0.0)[:, None] * u, lo, hi)
        return np.stack([p, q], axis=1)

    return Chords(k, volume + math.log(2 * float((1 / side).sum())), volume, draw)


def through_polytope(A: np.ndarray, b: np.ndarray) -> Chords:
    """Lines through the box around ``A y <= b``, cut to the polytope: many may miss it."""
    lo, hi = _around(A, b)
    outer = through_box(lo, hi)

    def draw(rng: np.random.Generator, m: int) -> np.ndarray:
        ends = outer.draw(rng, m)
        p, d = ends[:, 0], ends[:, 1] - ends[:, 0]
        slope, room = d @ A.T, b - p @ A.T
        with np.errstate(divide="ignore", invalid="ignore"):
            t = room / slope
        first = np.where(slope < 0, t, 0.0).max(axis=1, initial=0.0)
        last = np.where(slope > 0, t, 1.0).min(axis=1, initial=1.0)
        missed = (last <= first) | ((slope == 0) & (room < 0)).any(axis=1)
        first[missed] = last[missed] = 0.0
        return p[:, None] + np.stack([first, last], axis=1)[:, :, None] * d[:, None]

    return Chords(len(lo), outer.surface, None, draw)


def _around(A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A box that holds the polytope (a little larger, against the solver's tolerance)."""
    from scipy.optimize import linprog

    k = A.shape[1]
    out = np.empty((2, k))
    for j in range(k):
        for side, sign in enumerate((1.0, -1.0)):
            cost = np.zeros(k)
            cost[j] = sign
            found = linprog(cost, A, b, bounds=(None, None), method="highs")
            if found.status == 3:
                raise LinregionsError("the domain is unbounded; give a bounded one")
            if found.status != 0:
                raise LinregionsError(f"the domain has no interior or no bounds: {found.message}")
            out[side, j] = sign * found.fun
    margin = 1e-6 * (out[1] - out[0]) + 1e-9
    return out[0] - margin, out[1] + margin


def directions(rng: np.random.Generator, m: int, k: int) -> np.ndarray:
    """(m, k) uniform unit vectors."""
    u = rng.standard_normal((m, k))
    return u / np.linalg.norm(u, axis=1)[:, None]


def bends(
    network: Network,
    ends: np.ndarray,
    kind: str,
    progress: Callable[[Status], None] | None = None,
) -> np.ndarray:
    """(m,) exact number of boundary points inside each of the segments (m, 2, n).

    A segment of length zero has none. Where several units switch at one point it counts once.
    Networks with max units are swept one segment after the other (`subdivide`). Where that has to
    stop, the numbers of the first segments go with `Stopped` as its ``partial``.
    """
    out = np.zeros(len(ends), np.int64)
    live = np.flatnonzero((ends[:, 0] != ends[:, 1]).any(axis=1))
    if not len(live) or not network.layers:
        return out
    if all(isinstance(layer.units, Pointwise) for layer in network.layers):
        try:
            out[live] = crossings(network, ends[live], progress=progress).count(kind) - 1
        except KeyboardInterrupt as stop:
            first = getattr(stop, "partial", None)
            if first is None or kind != "activation":  # merging would take longer still
                raise Stopped(reason_of(stop), out[: live[0]]) from stop
            out[live[: len(first)]] = first.regions - 1
            end = live[len(first)] if len(first) < len(live) else len(out)
            raise Stopped(reason_of(stop), out[:end]) from stop
        return out

    for i in live:
        try:
            out[i] = subdivide(network, Segment(*ends[i])).count(kind) - 1
        except KeyboardInterrupt as stop:
            raise Stopped(reason_of(stop), out[:i]) from stop
    return out
