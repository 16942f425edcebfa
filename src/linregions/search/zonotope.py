"""Boxes of many inputs under a first layer of few units: search in the space of the units.

A box of R^n seen through r independent rows V is the zonotope ``{V x : lo <= x <= hi}`` of R^r.
Cells are searched there, in r dimensions, without ever listing the facets of the zonotope (their
number grows like n^(r-1)): a linear programme over a cell is one over the box with a handful of
rows, which the dual simplex method of bounded variables solves with bases no larger than r.

* Points are images of points of the box, so they lie in the zonotope.
* "The row is positive on the cell" is proved by multipliers of the cell's rows and the support
  function of the zonotope, which is a sum over inputs in closed form.

As elsewhere floats guess, and `proved_zonotope` decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..domain.restrict import Restricted, reduce_inputs
from ..jit import FAST, LONG, inner
from ..network.rational import is_rational, nearest
from ..roundoff import ROUNDOFF
from .lp import BASIS, CONST_AT, EC, EW, MULT, RESID, W

# rows of X, one entry per input; behind them those of `columns`
LO, HI, D, ALPHA, AT, TIME, BASIC, HELD, SPANS, REST = range(10)
FEWER = 4  # the box has at least this many times more inputs than the zonotope has dimensions
MOST = 64  # dimensions of a zonotope
NEAREST, FARTHEST = 2.0**-400, 2.0**400  # sizes of numbers, of which products are summed


@dataclass(frozen=True, eq=False)
class Zonotope:
    """``{V x : lo <= x <= hi}``: V (r, n), exact; ``problem`` is the one over the box."""

    V: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    problem: Restricted

    @property
    def reach(self) -> np.ndarray:
        """Largest |y_i|, rounded up."""
        middle, half = 0.5 * (self.lo + self.hi), 0.5 * (self.hi - self.lo)
        size = abs(self.V) @ (abs(middle) + half)
        return abs(self.V @ middle) + abs(self.V) @ half + 8 * len(middle) * ROUNDOFF * size


def seen_through(problem: Restricted) -> Restricted:
    """The problem in the coordinates of its zonotope where that pays, else unchanged."""
    box = _box(problem)
    if box is None:
        return problem
    n = problem.dimension
    bare = replace(problem, A=np.zeros((0, n)), b=np.zeros(0))
    reduced = reduce_inputs(bare)
    r = reduced.dimension
    if not 1 <= r <= min(MOST, n // FEWER) or reduced.picked is None or reduced.rows is None:
        return problem
    exact = all(nearest(v) == v for row in reduced.rows for v in row)
    if not exact:
        return problem
    zonotope = Zonotope(np.ascontiguousarray(reduced.picked), *box, problem)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        sizes = np.abs(np.concatenate([zonotope.V.ravel(), *box, zonotope.reach]))
    sizes = sizes[sizes != 0.0]
    if not np.all((sizes > NEAREST) & (sizes < FARTHEST)):
        return problem
    return replace(reduced, A=np.zeros((0, r)), b=np.zeros(0), bounded=True, zonotope=zonotope)


def _box(problem: Restricted) -> tuple[np.ndarray, np.ndarray] | None:
    """Sides of a finite box of floats in the problem's own coordinates, or None."""
    A, b = problem.A, problem.b
    if is_rational(A) or is_rational(b) or problem.basis is not None or problem.origin is not None:
        return None
    n = problem.dimension
    if len(b) != 2 * n or np.count_nonzero(A) != 2 * n or not np.isin(A, (-1.0, 0.0, 1.0)).all():
        return None
    lo, hi = np.full(n, -np.inf), np.full(n, np.inf)
    for row, value in zip(A, b, strict=True):
        at = np.flatnonzero(row)
        if len(at) != 1:
            return None
        if row[at[0]] > 0:
            hi[at[0]] = value
        else:
            lo[at[0]] = -value
    return (lo, hi) if np.isfinite(lo).all() and np.isfinite(hi).all() else None


# -- the linear programme -----------------------------------------------------------------


@inner(fastmath=LONG)
def through(k, g, V, out):
    """``out = g V``."""
    n = V.shape[1]
    a = g[0]
    for j in range(n):
        out[j] = a * V[0, j]
    for i in range(1, k):
        a = g[i]
        row = V[i]
        for j in range(n):
            out[j] += a * row[j]


@inner(fastmath=LONG)
def image(k, x, V, y):
    """``y = V x``."""
    n = V.shape[1]
    for i in range(k):
        row = V[i]
        total = 0.0
        for j in range(n):
            total += row[j] * x[j]
        y[i] = total


@inner(fastmath=FAST)
def support(C, y):
    """The vertex of the zonotope where the direction whose costs are X[ALPHA] is least."""
    X = C.X
    e, x = X[ALPHA], X[AT]
    for j in range(C.V.shape[1]):
        x[j] = X[LO, j] if e[j] > 0.0 else X[HI, j]
    image(C.pts.shape[2], x, C.V, y)


@inner(fastmath=FAST)
def proved_zonotope(C, d, form, count):
    """Rigorous lower bound of ``w . y + const`` over the cell, from any multipliers ``mult >= 0``.

    ``w y + const = sum mult (a y + b) + e x + c`` with ``e = (w - sum mult a) V``: the first
    sum is not negative, the second at least ``sum_j min(e_j lo_j, e_j hi_j)``. ``X[SPANS, i]``
    is ``sum_j |V_ij| max |x_j|``, of which the rounding of e is a small part. |y_i| <= 1.
    """
    S, I, X = C.S, C.I, C.X
    G, k, n = C.G, C.pts.shape[2], C.V.shape[1]
    e, resid = X[ALPHA], S[RESID]
    lam, size, const = 0.0, abs(form.const), form.const
    row_error, const_error = form.ew, form.ec
    for c in range(k):
        resid[c] = S[W, c]
    for i in range(count):
        r, mu = I[BASIS, i], S[MULT, i]
        lam += mu
        size += mu * abs(S[CONST_AT, r])
        const -= mu * S[CONST_AT, r]
        row_error += mu * G[C.con[d, r], k + EW]
        const_error += mu * G[C.con[d, r], k + EC]
        for c in range(k):
            resid[c] -= mu * C.A[c, r]
    through(k, resid, C.V, e)
    total, large = 0.0, 0.0
    for j in range(n):
        total += min(e[j] * X[LO, j], e[j] * X[HI, j])
    for c in range(k):
        large += abs(resid[c]) * X[SPANS, c]
    rounding = (count + 4) * ROUNDOFF * ((1.0 + lam) * k + size) + (n + k + 8) * ROUNDOFF * large
    return const + total - 1.01 * (row_error * k + const_error + rounding)
