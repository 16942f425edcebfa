"""Bounds of the rounding in the forms of a network, for all patterns together.

With h the values that a layer reads, ``|h|_2 <= B`` and ``|err h|_2 <= e`` (coefficient by
coefficient, on every cell),

    |err row_i| <= |W_i|_2 (e + gamma B),        |err z|_2 <= |W|_2 e + gamma |W|_F B,

by Cauchy and Schwarz, where gamma covers the sum and all updates since it was last computed in
full. The values of max units are some of the pre-activations, each at most as often as groups
share it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ..affine import UNIT
from ..search.program import _grid
from ..units import MaxUnits, Units
from .forms import TOUCHES, UPDATES
from .program import Plan, Weights

WORK = 2e8  # products of non-zero entries that a sparser bound may take


class Sizes(NamedTuple):
    """Norms of a coefficient column and of the constants of a source, and of their errors."""

    linear: float
    constant: float
    linear_error: float
    constant_error: float


def norm(matrix: Any) -> float:
    """An upper bound of the spectral norm.

    ``|(A A^T)^2|_F^(1/4)``, at most n^(1/8) above it; for a sparse matrix also the largest row sum
    of ``(A A^T)^2``, to the same power, which does not grow with the number of rows.
    """
    if not matrix.shape[0] or not matrix.shape[1]:
        return 0.0
    if not sparse.issparse(matrix):
        a = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
        gram = a @ a.T
        return float(1.0000001 * min(np.linalg.norm(a), np.linalg.norm(gram @ gram) ** 0.25))
    a = sparse.csr_array(matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T)
    if not a.nnz:
        return 0.0
    best = [float(np.sqrt((a.data**2).sum())), _root(_most(a) * _most(a.T.tocsr()), 2)]
    if _work(a, a.T.tocsr()) < WORK:
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


def _peaks(matrix: Any) -> np.ndarray:
    """Largest entries of the rows, all of them non-negative."""
    if not matrix.shape[1]:
        return np.zeros(matrix.shape[0])
    most = matrix.max(axis=1)
    return most.toarray().ravel() if sparse.issparse(most) else np.asarray(most)


def _frobenius(matrix: Any) -> float:
    return float(np.sqrt((matrix.data**2).sum()) if sparse.issparse(matrix) else
                 np.linalg.norm(matrix))  # fmt: skip


def bounds(plan: Plan) -> np.ndarray:
    """(2, pre-activations): bounds of the error of every form's coefficients, and constant.

    They hold on every cell. Zero where all numbers are integers times a power of two that floats
    hold without rounding, whatever the pattern.
    """
    known: dict[int, Sizes] = {}
    grid = _Grid(plan)
    out = [np.zeros((2, 0))]
    sources = [m.affine.sources for m in plan.network.layers] + [plan.network.output.sources]
    for n, (weights, units) in enumerate(zip(plan.weights, plan.units, strict=True)):
        row, sizes = _layer(weights, sources[n], known)
        if grid.holds(n, weights, sources[n]):
            row, sizes = np.zeros_like(row), Sizes(sizes.linear, sizes.constant, 0.0, 0.0)
        out.append(1.02 * row)
        if units is not None:
            known[n + 1] = _through(units, sizes)
    return np.concatenate(out, axis=1)


def _layer(weights: Weights, sources: tuple[int, ...], known: dict[int, Sizes]):
    """Errors of the rows of a layer, and the sizes of its forms."""
    bias = np.abs(weights.bias)
    row_w = np.zeros(len(bias))
    row_c = np.zeros(len(bias)) if weights.bias_error is None else weights.bias_error.copy()
    linear = lin_err = 0.0
    const, const_err = float(np.linalg.norm(bias)), float(np.linalg.norm(row_c))
    sums = _sums(weights)
    for source, (_, W, err) in zip(sources, weights.blocks, strict=True):
        slack = np.zeros(len(bias)) if err is None else _lengths(err)
        if source == 0:
            linear += float(np.max(_lengths(W.T), initial=0.0))
            row_w += 0.0 if err is None else _peaks(err)
            if len(sources) > 1:
                row_w += sums * UNIT * _peaks(abs(W))
            lin_err += float(np.linalg.norm(row_w))
            continue
        B, C, e, f = known[source]
        gamma = 1.01 * sums * UNIT
        each, spectral, total = _lengths(W), norm(W), _frobenius(W)
        row_w += each * (e + gamma * B) + slack * (B + e)
        row_c = row_c + each * (f + gamma * C) + slack * (C + f) + gamma * bias
        lost = float(np.linalg.norm(slack))
        lin_err += spectral * e + gamma * total * B + lost * (B + e)
        const_err += spectral * f + gamma * (total * C + np.linalg.norm(bias)) + lost * (C + f)
        linear += spectral * B
        const += spectral * C
    return np.stack([row_w, row_c]), Sizes(linear, const, lin_err, const_err)


def _sums(weights: Weights) -> float:
    """Roundings, in units, of a sum over a row and of all updates since it was taken."""
    if weights.thin:
        longest = int(np.diff(weights.csr().indptr).max(initial=0))
        return 2.0 * longest + 8 * (TOUCHES + longest) + 8
    widest = max((m.shape[1] for _, m, _ in weights.blocks), default=0)
    return 2.0 * widest + 8 * UPDATES + 8


def _through(units: Units, sizes: Sizes) -> Sizes:
    """Sizes of the values of units from those of their pre-activations."""
    linear, const, lin_err, const_err = sizes
    if isinstance(units, MaxUnits):
        often = np.zeros(units.fan_in, np.int64)
        for group in units.groups:
            often[np.unique(group)] += 1
        more = 1.01 * float(np.sqrt(often.max(initial=0)))
        return Sizes(more * linear, more * const, more * lin_err, more * const_err)
    slopes = [float(s) for a in units.kinds for s in a.slopes]
    steep = max((abs(s) for s in slopes), default=0.0)
    shift = max((abs(float(c)) for a in units.kinds for c in a.intercepts), default=0.0)
    round_ = 0.0 if _whole(units) else 4 * UNIT
    moved = shift * np.sqrt(units.size)
    return Sizes(
        1.01 * steep * linear,
        1.01 * (steep * const + moved),
        1.01 * steep * (lin_err + round_ * linear),
        1.01 * (steep * (const_err + round_ * const) + 4 * UNIT * moved),
    )


def _whole(units: Units) -> bool:
    """Whether values are pre-activations or zero."""
    if isinstance(units, MaxUnits):
        return True
    slopes = [float(s) for a in units.kinds for s in a.slopes]
    shifts = [float(c) for a in units.kinds for c in a.intercepts]
    return all(s in (0.0, 1.0) for s in slopes) and not any(shifts)


class _Grid:
    """Layers whose numbers are all integers times one power of two, small enough for floats."""

    def __init__(self, plan: Plan) -> None:
        self.level: dict[int, int] = {0: 0}  # of each source: the power, where there is one
        self.most: dict[int, float] = {0: 1.0}  # and its largest entry
        self.units = plan.units

    def holds(self, n: int, weights: Weights, sources: tuple[int, ...]) -> bool:
        """Whether layer n is computed without rounding; notes what later layers need."""
        exact = weights.bias_error is None and all(e is None for _, _, e in weights.blocks)
        if not exact or any(s not in self.level for s in sources):
            return False
        level, top = _grid(weights.bias), np.abs(weights.bias)
        for source, (_, W, _) in zip(sources, weights.blocks, strict=True):
            data = W.data if sparse.issparse(W) else W
            level = max(level, _grid(data) + self.level[source])
            heavy = np.asarray(abs(W).sum(axis=1)).ravel()
            most = min(self.most[source], 1e300)
            top = top + np.where(heavy > 0.0, most * heavy, 0.0)
        if level > 48 or not np.all(top < 2.0 ** (51 - level)):
            return False
        units = self.units[n]
        if units is not None and _whole(units):
            self.level[n + 1], self.most[n + 1] = level, float(top.max(initial=0.0))
        return True

