"""Bounds of the rounding in the forms of a network, for all patterns together.

Let a layer read values h, coefficient by coefficient bounded by ``|h_j| <= b_j`` on every cell and
known to ``e_j``, with ``|h|_2 <= B`` and ``|err h|_2 <= E`` in all. A row obeys

    |row_i| <= min(sum_j |w_ij| b_j, |W_i|_2 B),
    |err row_i| <= min(sum_j |w_ij| e_j, |W_i|_2 E) + gamma |row_i|,

where gamma covers the sum and all updates since it was last computed in full (each adds a rounding
of the row, of the value's change and of their product), and all rows together

    |z|_2 <= |W|_2 B,        |err z|_2 <= |W|_2 E + gamma |row|_2.

The first of the two bounds is sharp for few layers of few weights a row, the second for many
layers. What underflow may hide in each rounding, 2^-1075 at most, is added to both; a row that
reads something is never of size 0 (`LEAST`). The values of max units are some of the
pre-activations, each at most as often as groups share it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ..domain.scaling import grid
from ..network.units import MaxUnits, Units
from ..roundoff import ROUNDOFF
from .forms import TOUCHES, UPDATES
from .program import ComplexProgram, Weights

LEAST = 2.0**-500  # of a bound of something that is not 0: squares of less underflow
LOST = 2.0**-1074  # by one rounding, at most
WORK = 2e8  # products of non-zero entries that a sparser bound may take


class Sizes(NamedTuple):
    """Bounds for one source: of its entries and their errors, each with the 2-norm of all.

    Every array holds two columns: the coefficients (the largest of the k), and the constants.
    """

    most: np.ndarray
    error: np.ndarray
    norm: np.ndarray
    error_norm: np.ndarray


def norm(matrix: Any) -> float:
    """An upper bound of the spectral norm.

    ``|(A A^T)^2|_F^(1/4)``, at most n^(1/8) above it; for a sparse matrix also the largest row sum
    of ``(A A^T)^2``, to the same power, which does not grow with the number of rows.
    """
    if 0 in matrix.shape:
        return 0.0
    if isinstance(matrix, np.ndarray):
        a = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
        gram = a @ a.T
        return float(1.0000001 * min(np.linalg.norm(a), np.linalg.norm(gram @ gram) ** 0.25))
    a = sparse.csr_array(matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T)
    if not a.nnz:
        return 0.0
    columns = np.bincount(a.indices, abs(a.data), max(matrix.shape))
    best = [float(np.sqrt((a.data**2).sum())), _root(_most(a) * columns.max(), 2)]
    if float((np.bincount(a.indices).astype(np.float64) ** 2).sum()) < WORK:
        gram = (a @ a.T).tocsr()
        best.append(_root(_most(gram), 2))
        if _work(gram, gram) < WORK:
            square = (gram @ gram).tocsr()
            best += [_root(_most(square), 4), _root(np.sqrt((square.data**2).sum()), 4)]
    return 1.000001 * min(best)


def _most(a: Any) -> float:
    """Largest sum of absolute values in a row."""
    return float(abs(a).sum(axis=1).max())


def _root(value: float, power: int) -> float:
    return float(value) ** (1.0 / power)


def _work(a: Any, b: Any) -> float:
    """Products that ``a @ b`` takes."""
    return float(np.diff(b.indptr)[a.indices].sum())


def _lengths(matrix: Any) -> np.ndarray:
    """Euclidean norms of the rows."""
    if sparse.issparse(matrix):
        return np.sqrt((matrix * matrix).sum(axis=1))
    return np.linalg.norm(matrix, axis=1)


def bounds(plan: ComplexProgram) -> np.ndarray:
    """(2, pre-activations): bounds of the error of every form's coefficients, and constant.

    They hold on every cell. Zero where all numbers are integers times a power of two that floats
    hold without rounding, whatever the pattern.
    """
    k = plan.k
    known = {0: Sizes(np.tile([1.0, 0.0], (k, 1)), np.zeros((k, 2)), np.array([1.0, 0.0]),
                      np.zeros(2))}  # fmt: skip
    grid = _Grid(plan)
    out = [np.zeros((2, 0))]
    sources = [m.affine.sources for m in plan.network.layers] + [plan.network.output.sources]
    for n, (weights, units) in enumerate(zip(plan.weights, plan.units, strict=True)):
        sizes = _layer(weights, sources[n], known)
        if grid.holds(n, weights, sources[n]):
            sizes = sizes._replace(error=0.0 * sizes.most, error_norm=np.zeros(2))
        out.append(1.02 * sizes.error.T)
        if units is not None:
            known[n + 1] = _through(units, sizes)
    return np.concatenate(out, axis=1)


def _layer(weights: Weights, sources: tuple[int, ...], known: dict[int, Sizes]) -> Sizes:
    """Sizes of the pre-activations of a layer."""
    count = len(weights.bias)
    most, error = np.zeros((count, 2)), np.zeros((count, 2))
    norms, lost = np.zeros(2), np.zeros(2)
    steps = _roundings(weights, sources)
    gamma, alive = 1.01 * steps * ROUNDOFF, weights.bias != 0.0
    for source, (_, W, err) in zip(sources, weights.blocks, strict=True):
        of = known[source]
        size, each = abs(W), _lengths(W)[:, None]
        most += np.minimum(size @ of.most, each * of.norm)
        alive |= np.asarray((W != 0) @ (of.most > 0).any(axis=1).astype(np.float64)).ravel() > 0.0
        error += np.minimum(size @ of.error, each * of.error_norm)
        spectral = norm(W) if source else _widest(W)
        norms += spectral * of.norm
        lost += spectral * of.error_norm
        if err is not None:
            slack = _lengths(err)[:, None]
            more = np.minimum(abs(err) @ (of.most + of.error), slack * (of.norm + of.error_norm))
            error += more
            lost += np.linalg.norm(slack) * (of.norm + of.error_norm)
    most[:, 1] += np.abs(weights.bias)
    norms[1] += np.linalg.norm(weights.bias)
    if weights.bias_error is not None:
        error[:, 1] += weights.bias_error
        lost[1] += np.linalg.norm(weights.bias_error)
    most[alive] += LEAST
    if steps:  # also what underflows
        error[alive] += steps * LOST
        lost += steps * LOST * np.sqrt(count)
    error += gamma * most
    lost += gamma * np.linalg.norm(most, axis=0)
    return Sizes(
        1.001 * most,
        1.001 * error,
        1.001 * np.minimum(norms, np.linalg.norm(most, axis=0)),
        1.001 * np.minimum(lost, np.linalg.norm(error, axis=0)),
    )


def _widest(matrix: Any) -> float:
    """Of the weights of the coordinates: the norm of the largest column.

    A coefficient of a row is one of the weights, as each coordinate's form is a unit vector.
    """
    return float(np.max(_lengths(matrix.T), initial=0.0))


def _roundings(weights: Weights, sources: tuple[int, ...]) -> float:
    """Roundings, in units of the largest size of a row, of its sum and of the updates after it.

    An update rounds the change of the value (at most twice its size), the product and the sum:
    5 units of the row's size, which is sqrt(2) times as large where old and new values mix. Rows
    that read the coordinates alone are the weights.
    """
    if sources == (0,):
        return 0.0
    if weights.thin:
        longest = int(np.diff(weights.csr().indptr).max(initial=0))
        return 2.0 * longest + 8 * (TOUCHES + longest) + 8
    wide = weights.hi - weights.lo
    return 2.0 * wide + 8 * max(UPDATES, wide // 2) + 8


def _through(units: Units, sizes: Sizes) -> Sizes:
    """Sizes of the values of units from those of their pre-activations."""
    most, error, norms, lost = sizes
    if isinstance(units, MaxUnits):
        often = np.zeros(units.fan_in, np.int64)
        for group in units.groups:
            often[np.unique(group)] += 1
        more = 1.01 * float(np.sqrt(often.max(initial=0)))
        flat = np.array([a for g in units.groups for a in g], np.int64)
        first = np.cumsum([0, *map(len, units.groups)])[:-1]
        return Sizes(
            np.maximum.reduceat(most[flat], first), np.maximum.reduceat(error[flat], first),
            more * norms, more * lost,
        )  # fmt: skip
    which = np.array(units.which, np.int64)
    steep = np.array([max(abs(float(s)) for s in a.slopes) for a in units.kinds])[which][:, None]
    shift = np.array([max(abs(float(c)) for c in a.intercepts) for a in units.kinds])[which]
    up = np.stack([0.0 * shift, shift], axis=1)
    size = 1.001 * (steep * most + up)
    round_ = 0.0 if _whole(units) else 4 * ROUNDOFF
    loss = 1.001 * steep * error + round_ * size
    if round_:
        loss[(size > 0.0).any(axis=1)] += 4 * LOST
        lost = lost + 4 * LOST * np.sqrt(len(size))
    top = float(steep.max(initial=0.0))
    moved = np.array([0.0, float(np.linalg.norm(shift))])
    all_, off = top * norms + moved, top * lost
    return Sizes(size, loss, 1.01 * all_, 1.01 * (off + round_ * (all_ + off)))


def _whole(units: Units) -> bool:
    """Whether values are pre-activations or zero."""
    if isinstance(units, MaxUnits):
        return True
    slopes = [float(s) for a in units.kinds for s in a.slopes]
    shifts = [float(c) for a in units.kinds for c in a.intercepts]
    return all(s in (0.0, 1.0) for s in slopes) and not any(shifts)


class _Grid:
    """Layers whose numbers are all integers times one power of two, small enough for floats."""

    def __init__(self, plan: ComplexProgram) -> None:
        self.level: dict[int, int] = {0: 0}  # of each source: the power, where there is one
        self.most: dict[int, float] = {0: 1.0}  # and its largest entry
        self.units = plan.units

    def holds(self, n: int, weights: Weights, sources: tuple[int, ...]) -> bool:
        """Whether layer n is computed without rounding; notes what later layers need."""
        exact = weights.bias_error is None and all(e is None for _, _, e in weights.blocks)
        if not exact or any(s not in self.level for s in sources):
            return False
        level, top = grid(weights.bias), np.abs(weights.bias)
        for source, (_, W, _) in zip(sources, weights.blocks, strict=True):
            data = W.data if sparse.issparse(W) else W
            level = max(level, grid(data) + self.level[source])
            heavy = np.asarray(abs(W).sum(axis=1)).ravel()
            most = min(self.most[source], 1e300)
            top = top + np.where(heavy > 0.0, most * heavy, 0.0)
        if level > 48 or not np.all(top < 2.0 ** (51 - level)):
            return False
        units = self.units[n]
        if units is not None and _whole(units):
            self.level[n + 1], self.most[n + 1] = level, float(top.max(initial=0.0))
        return True
