"""Columns of fixed-point numbers pushed through the factors of an affine map.

A `Column` holds one coefficient (of a coordinate, of the constant, of a unit that switches) of
every entry of a value. Most columns of units begin at one pixel and are zero elsewhere: they keep
the list of entries that they reach.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy import sparse

from ..network.operators import Convolution
from ..progress import check
from .fixed import BITS, FURTHEST, SUMS, TOP, carry, in_floats, shortened, split, ulp

PATCHES = 1 << 26  # bytes of one block of patches
BATCH = 1 << 25  # bytes of one digit of columns that go through a convolution together
DENSE = 0.4  # part of non-zero entries beyond which a column is kept whole


class Column(NamedTuple):
    """Digits (digits, entries) of the entries ``at`` of a value (None: of all)."""

    at: np.ndarray | None
    X: np.ndarray

    def whole(self, size: int) -> np.ndarray:
        """Digits of all entries."""
        if self.at is None:
            return self.X
        out = np.zeros((len(self.X), size))
        out[:, self.at] = self.X
        return out


def column(at: np.ndarray, X: np.ndarray, size: int) -> Column | None:
    """A column without its zeros; None where nothing is left."""
    alive = X.any(axis=0)
    if not alive.all():
        at, X = at[alive], X[:, alive]
    if len(at) > DENSE * size:
        return Column(None, Column(at, X).whole(size))
    return Column(at, X) if len(at) else None


def added(a: Column | None, b: Column | None, size: int) -> Column | None:
    """The sum of two columns."""
    if a is None or b is None:
        return b if a is None else a
    if a.at is not None and b.at is not None:
        at = np.union1d(a.at, b.at)
        X = np.zeros((len(a.X), len(at)))
        for part in (a, b):
            X[:, np.searchsorted(at, np.asarray(part.at))] += part.X
    else:
        at, X = np.arange(size), a.whole(size) + b.whole(size)
    carry(X)
    return column(at, X, size) if a.at is not None and b.at is not None else Column(None, X)


def times(values: Any, c: Column) -> tuple[Column, float]:
    """Entries times numbers (one each), and what may be lost in an entry."""
    n = len(c.X)
    parts, left = split(values if c.at is None else values[c.at], -TOP, FURTHEST)
    Y, lost = np.zeros((n + 1, c.X.shape[1])), 0.0
    for i, w in parts.items():
        for j in range(n):
            if 0 <= i + j <= n:
                Y[i + j] += w * c.X[j]
            elif c.X[j].any():
                lost += _dropped(1, i + j, n)
    carry(Y)
    lost += _rounding(Y) + left * _largest(c.X)
    return Column(c.at, shortened(Y, n)), lost


def _rounding(Y: np.ndarray) -> float:
    """What is lost where the last digit is rounded away."""
    return 0.5 * ulp(len(Y) - 1) * 1.01 if Y[-1].any() else 0.0


def _dropped(terms: int, d: int, n: int) -> float:
    """Bound of a sum of products of digits that would belong to digit d."""
    if d < 0:
        raise OverflowError("a product of digits in front of the first")
    return terms * 2.0 ** (2 * BITS - 2) * 2.0 ** (-BITS * (d - TOP))


def _largest(X: np.ndarray) -> float:
    return float(
        sum(np.abs(x).max(initial=0.0) * 2.0 ** (-BITS * (d - TOP)) for d, x in enumerate(X))
    )


class ColumnFactor:
    """A factor of a term, prepared for columns: its digits, and its absolute values."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.shape = matrix.shape
        self.kind = _kind(matrix)
        self.parts: dict[int, Any] | None = None
        self.left = 0.0
        self.terms = 1

    def _split(self, values: Any) -> dict[int, Any]:
        if self.parts is None:
            self.parts, self.left = split(values, -TOP, FURTHEST)
        return self.parts

    def free(self) -> None:
        """Forget the digits."""
        self.parts = None

    # -- floats ---------------------------------------------------------------------------

    def bound(self, e: np.ndarray) -> np.ndarray:
        """``|F| e`` for e >= 0, rounded up; zero where nothing is read."""
        m = self.matrix
        if self.kind == "convolution":
            first = _windows(m, [(0, n) for n in m.spatial])
            x = e.reshape(m.channels, *m.spatial)
            W = np.abs(m.weight).reshape(m.groups, m.weight.shape[0] // m.groups, -1)
            out = np.zeros((m.weight.shape[0], *m.outputs))
            for rows, patches in _patches(m, x[None], [(0, n) for n in m.spatial], first):
                out[:, rows] += (W @ patches).reshape(out[:, rows].shape)
            out = out.reshape(-1)
        elif self.kind == "same":
            return e
        elif self.kind == "diagonal":
            out = np.abs(m.data) * e
        elif self.kind == "sparse":
            out = abs(m) @ e
        else:
            out = np.abs(in_floats(m)) @ e
        return out * (1.0 + 1e-9)

    # -- digits ---------------------------------------------------------------------------

    def apply(self, columns: dict[int, Column]) -> tuple[dict[int, Column], float]:
        """The factor times columns, and what may be lost in an entry that reads something.

        Columns that are whole go through a convolution together: small images make thin matrices.
        """
        if self.kind == "same":
            return columns, 0.0
        if self.kind == "dense":
            return self._dense(columns)
        out, lost = {}, 0.0
        together = [c for c in columns if columns[c].at is None]
        if self.kind != "convolution":
            together = []
        entries = max(prod(self.shape[:1]), self.shape[1])
        step = max(1, BATCH // (8 * entries))
        for first in range(0, len(together), step):
            check()
            some = together[first : first + step]
            found, loss = self._convolved([columns[c].X for c in some])
            out |= {c: Column(None, X) for c, X in zip(some, found, strict=True)}
            lost += loss * len(some)
        for c in [c for c in columns if c not in out]:
            check()
            value, loss = self._alone(columns[c])
            lost += loss
            if value is not None:
                out[c] = value
        return out, lost

    def _alone(self, c: Column) -> tuple[Column | None, float]:
        if self.kind == "diagonal":
            return times(self.matrix.data, c)
        if self.kind == "sparse":
            return self._sparse(c)
        m = self.matrix
        box, X = _crop(m, c)
        out = _windows(m, box)
        (Y,), lost = self._windowed([X], box, out)
        grid = np.arange(self.shape[0]).reshape(m.weight.shape[0], *m.outputs)
        at = grid[(slice(None), *(slice(a, b) for a, b in out))].ravel()
        return column(at, Y.reshape(len(Y), -1), self.shape[0]), lost

    def _products(self, n: int, terms: int, X: np.ndarray) -> tuple[list, float]:
        """Pairs of digits (of the weight, of the column, of the product), and what is left out."""
        parts = self.parts or {}
        pairs, lost = [], 0.0
        for j in range(n):
            if not X[j].any():
                continue
            for i in parts:
                if i + j <= n and i + j >= 0:
                    pairs.append((i, j, i + j))
                else:
                    lost += _dropped(terms, i + j, n)
        return pairs, lost + terms * self.left * _largest(X)

    def _dense(self, columns: dict[int, Column]) -> tuple[dict[int, Column], float]:
        m = self.matrix
        rows, terms = m.shape
        X = np.stack([c.whole(terms) for c in columns.values()], axis=2)
        n, width = len(X), X.shape[2]
        Y, lost = np.zeros((n + 1, rows, width)), 0.0
        many = max(1, PATCHES // (8 * max(terms, 1)))
        for at in range(0, rows, many):  # digits of large matrices are not kept
            self.parts, self.left = split(m[at : at + many], -TOP, FURTHEST)
            pairs, loss = self._products(n, terms, X)
            lost = max(lost, loss)
            step = SUMS // max(len(self.parts), 1)
            block = Y[:, at : at + many]
            for a in range(0, terms, step):
                for i, j, d in pairs:
                    block[d] += self.parts[i][:, a : a + step] @ X[j, a : a + step]
                if terms > step:
                    carry(block)
        self.free()
        carry(Y)
        lost += _rounding(Y)
        Y = shortened(Y, n)
        made = (column(np.arange(rows), Y[:, :, i], rows) for i in range(width))
        return {c: v for c, v in zip(columns, made, strict=True) if v is not None}, lost * width

    def _sparse(self, c: Column) -> tuple[Column | None, float]:
        n, rows = len(c.X), self.shape[0]
        chosen = sparse.csr_array(self.matrix if c.at is None else self._csc[:, c.at])
        sizes = np.diff(chosen.indptr)
        at, most = np.flatnonzero(sizes), int(sizes.max(initial=1))
        parts, self.left = split(chosen.data, -TOP, FURTHEST)
        if most * max(len(parts), 1) > SUMS:
            raise OverflowError(f"a sparse row of {most} weights")
        shape = (len(at), c.X.shape[1])
        indptr = np.concatenate([[0], np.cumsum(sizes[at])])
        self.parts = {
            i: sparse.csr_array((p, chosen.indices, indptr), shape=shape) for i, p in parts.items()
        }
        pairs, lost = self._products(n, most, c.X)
        Y = np.zeros((n + 1, len(at)))
        for i, j, d in pairs:
            Y[d] += self.parts[i] @ c.X[j]
        self.free()
        carry(Y)
        lost += _rounding(Y)
        return column(at, shortened(Y, n), rows), lost

    @property
    def _csc(self) -> Any:
        if not hasattr(self, "_by_column"):
            self._by_column = sparse.csc_array(self.matrix)
        return self._by_column

    def _convolved(self, many: list[np.ndarray]) -> tuple[list[np.ndarray], float]:
        """Whole columns together."""
        m = self.matrix
        box = [(0, size) for size in m.spatial]
        shape = (len(many[0]), m.channels, *m.spatial)
        out = [(0, size) for size in m.outputs]
        found, lost = self._windowed([X.reshape(shape) for X in many], box, out)
        return [Y.reshape(len(Y), -1) for Y in found], lost

    def _windowed(
        self, many: list[np.ndarray], box: Box, out: Box
    ) -> tuple[list[np.ndarray], float]:
        """The outputs of a box from the inputs of another, for several columns."""
        m, n, count = self.matrix, len(many[0]), len(many)
        W = self._split(m.weight.reshape(m.groups, m.weight.shape[0] // m.groups, -1))
        terms = m.weight[0].size
        used = np.zeros(n)
        for X in many:
            used = np.maximum(used, np.abs(X).reshape(n, -1).max(axis=1, initial=0.0))
        pairs, lost = self._products(n, terms, used[:, None])
        step = SUMS // max(len(W), 1)
        made, sizes = m.weight.shape[0], [b - a for a, b in out]
        Y = np.zeros((n + 1, made, count, *sizes))
        for j in sorted({j for _, j, _ in pairs}):
            mine = [(i, d) for i, jj, d in pairs if jj == j]
            for rows, patches in _patches(m, np.stack([X[j] for X in many]), box, out):
                for a in range(0, terms, step):
                    for i, d in mine:
                        to = Y[d][:, :, rows]
                        to += (W[i][:, :, a : a + step] @ patches[:, a : a + step]).reshape(
                            to.shape
                        )
            if terms > step:
                carry(Y)
        carry(Y)
        lost += _rounding(Y)
        Y = shortened(Y, n)
        if count == 1:
            return [Y[:, :, 0]], lost
        return [np.ascontiguousarray(Y[:, :, c]) for c in range(count)], lost


Box = list[tuple[int, int]]


def _kind(matrix: Any) -> str:
    if isinstance(matrix, Convolution):
        return "convolution"
    if not sparse.issparse(matrix):
        return "dense"
    csr: Any = matrix
    n = csr.shape[0]
    square = csr.format == "csr" and csr.shape == (n, n) and csr.nnz == n
    if not square or not np.array_equal(csr.indices, np.arange(n)):
        return "sparse"
    if not (np.diff(csr.indptr) == 1).all():
        return "sparse"
    return "same" if (csr.data == 1.0).all() else "diagonal"


# -- windows ------------------------------------------------------------------------------


def _crop(m: Convolution, c: Column) -> tuple[Box, np.ndarray]:
    """The smallest box of positions that holds the column, and its digits there."""
    shape = (m.channels, *m.spatial)
    if c.at is None:
        return [(0, s) for s in m.spatial], c.X.reshape(len(c.X), *shape)
    where = np.unravel_index(c.at, shape)
    box = [(int(w.min()), int(w.max()) + 1) for w in where[1:]]
    out = np.zeros((len(c.X), m.channels, *(b - a for a, b in box)))
    out[(slice(None), where[0], *(w - a for w, (a, _) in zip(where[1:], box, strict=True)))] = c.X
    return box, out


def _windows(m: Convolution, box: Box) -> Box:
    """The outputs that read something of a box of inputs."""
    w, out = m.window, []
    rest = (w.kernel, w.strides, w.dilations, w.before, m.outputs)
    for (a, b), k, s, d, pad, size in zip(box, *rest, strict=True):
        first = max(0, -((-(a + pad - (k - 1) * d)) // s))
        last = min(size, (b - 1 + pad) // s + 1)
        out.append((first, max(first, last)))
    return out


def _patches(m: Convolution, X: np.ndarray, box: Box, out: Box) -> Any:
    """Blocks of output rows, and what they read: (groups, weights of a row, positions)."""
    w = m.window
    sizes = [b - a for a, b in out]
    if not prod(sizes):
        return
    per = 8 * len(X) * m.channels * prod(w.kernel) * prod(sizes[1:])
    step = max(1, PATCHES // max(per, 1))
    for at in range(0, sizes[0], step):
        part = [(out[0][0] + at, min(out[0][0] + at + step, out[0][1])), *out[1:]]
        padded = _padded(m, X, box, part)
        counts = [b - a for a, b in part]
        spans = padded.strides[2:]
        strides = [s * x for s, x in zip(w.strides, spans, strict=True)]
        taps = [d * x for d, x in zip(w.dilations, spans, strict=True)]
        view = as_strided(
            padded,
            (m.channels, *w.kernel, len(X), *counts),
            (padded.strides[1], *taps, padded.strides[0], *strides),
        )
        shape = (m.groups, m.channels // m.groups * prod(w.kernel), len(X) * prod(counts))
        yield slice(at, at + counts[0]), np.ascontiguousarray(view).reshape(shape)


def _padded(m: Convolution, X: np.ndarray, box: Box, out: Box) -> np.ndarray:
    """The inputs that a box of outputs reads, zero where there are none."""
    w, need = m.window, []
    for (a, b), k, s, d, pad in zip(out, w.kernel, w.strides, w.dilations, w.before, strict=True):
        need.append((a * s - pad, (b - 1) * s - pad + (k - 1) * d + 1))
    block = np.zeros((*X.shape[:2], *(b - a for a, b in need)))
    to, source = [], []
    for (a, b), (low, high) in zip(need, box, strict=True):
        first, last = max(a, low), max(max(a, low), min(b, high))
        to.append(slice(first - a, last - a))
        source.append(slice(first - low, last - low))
    block[(slice(None), slice(None), *to)] = X[(slice(None), slice(None), *source)]
    return block
