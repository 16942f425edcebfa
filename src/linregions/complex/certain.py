"""Whether the complex of a small network is that of the large one that it stands for.

The rows of the two differ by at most `Reduced.radius`. Let all vertices be simple in the small
network: exactly k independent rows (walls, or sides of the domain) vanish there, and on the cells
around it every other row is farther from zero than rows and vertex can move on the way from one
network to the other. On that way the combinatorics can only change where a vertex comes to lie on
one more row, and none does. Vertices that fail are counted.

Rows that vanish on another row by construction are no more than that row: an argument of a max
unit that is the output of a rectifier, against one that is zero; the rectifier of a rectifier.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ..large.reduce import OTHER, ZERO, Kept
from ..network.affine import INPUT, ONE
from ..network.rational import rounded
from ..network.units import MaxUnits, Pointwise
from ..roundoff import ROUNDOFF

AT_ONCE = 1 << 23  # numbers of one block


def undecided(cells: Any) -> np.ndarray:
    """Vertices at which the two complexes may differ."""
    corners = _corners(cells)
    bad = np.zeros(len(cells.points), bool)
    check = _Check(cells)
    step = max(1, AT_ONCE // max(1, check.rows * (cells.dimension + 1) * 8))
    for at in range(0, cells.cells, step):
        mine = corners[at : at + step].tocoo()
        bad[mine.col[check.fails(at, min(at + step, cells.cells), mine.row, mine.col)]] = True
    return np.flatnonzero(bad)


def _corners(cells: Any) -> Any:
    """(cells, vertices) which vertex is of which cell."""
    out: Any = sparse.csr_array(sparse.eye_array(cells.cells, format="csr"))
    counts = cells.face_counts
    for d in range(cells.dimension, 0, -1):
        ptr, idx = cells.faces(d)
        ptr = np.arange(0, len(idx) + 1, 2) if ptr is None else ptr
        ones = np.ones(len(idx), np.int32)
        out = out @ sparse.csr_array((ones, idx, ptr), shape=(counts[d], counts[d - 1]))
        out.data[:] = 1
    return out


class _Check:
    def __init__(self, cells: Any) -> None:
        self.cells, self.k = cells, cells.dimension
        self.net, self.reduced = cells.problem.network, cells.problem.reduced
        self.rows = max(1, int(sum(m.affine.size for m in self.net.layers)))
        self.A, self.b = rounded(cells.problem.A), rounded(cells.problem.b)
        self.size = np.abs(cells.points).max(axis=0)  # of the coordinates

    def fails(self, first: int, last: int, cell: np.ndarray, vertex: np.ndarray) -> np.ndarray:
        """Which pairs of a cell (from ``first``) and a vertex fail."""
        k, y = self.k, self.cells.points[vertex]
        off = self.cells.vertex_error[vertex].astype(np.float64)
        forms, errors = self._forms(first, last)
        slope, error = forms[cell, :, :k], errors[cell]
        value = np.einsum("prk,pk->pr", slope, y) + forms[cell, :, k]
        none = np.isnan(error)  # rows that are no row on this cell
        side = self.b - y @ self.A.T
        slope = np.concatenate([slope, np.broadcast_to(-self.A, (len(y), *self.A.shape))], axis=1)
        room = 8 * ROUNDOFF * (np.abs(self.b) + np.abs(y) @ np.abs(self.A).T)
        error, value = np.concatenate([error, room], axis=1), np.concatenate([value, side], axis=1)
        none = np.concatenate([none, np.zeros(side.shape, bool)], axis=1)
        steep = np.abs(slope).sum(axis=2)
        near = (np.abs(value) <= 2.0 * (error + steep * off[:, None])) & ~none
        bad = near.sum(axis=1) != k
        good = np.flatnonzero(~bad)
        at = np.nonzero(near[good])[1].reshape(len(good), k)
        pick = good[:, None], at
        with np.errstate(all="ignore"):
            move = _moves(slope[pick], error[pick]) + off[good]
            far = np.abs(value[good]) > 1.01 * (error[good] + steep[good] * move[:, None])
        bad[good] = ~(far | near[good] | none[good]).all(axis=1) | ~np.isfinite(move)
        return bad

    def _forms(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """(cells, rows, k + 1) rows of all units, and how far they may be from the exact ones.

        Pointwise units have one row for each breakpoint, max units one for each argument: its
        difference to the winner. Errors are NaN for rows that are none.
        """
        net, k, n = self.net, self.k, last - first
        pieces = self.cells.patterns(np.arange(first, last)).astype(np.int64)
        start = np.zeros((n, k, k + 1))
        start[:, np.arange(k), np.arange(k)] = 1.0
        values = {INPUT: (start, np.zeros((n, k)))}
        at, forms, errors, off = 0, [np.zeros((n, 0, k + 1))], [np.zeros((n, 0))], _Off()
        for i, layer in enumerate(net.layers, start=1):
            mine = pieces[:, at : at + layer.size]
            at += layer.size
            z, error = self._affine(layer.affine, values, self.reduced.radius[i - 1], n)
            kept = self.reduced.kept[i - 1]
            if isinstance(layer.units, MaxUnits):
                rows, loss, values[i] = _largest(layer.units, z, error, mine, kept, off)
            else:
                rows, loss, values[i] = _pointwise(layer.units, z, error, mine, kept, off)
            forms.append(rows)
            errors.append(loss)
        return np.concatenate(forms, axis=1), np.concatenate(errors, axis=1)

    def _affine(self, affine: Any, values: Any, radius: np.ndarray, n: int) -> Any:
        z, error = np.zeros((n, affine.size, self.k + 1)), np.tile(radius, (n, 1))
        bias = affine.rounded(ONE, 1)[0]
        z[:, :, self.k] += bias[:, 0]
        total, terms = np.tile(np.abs(bias[:, 0]), (n, 1)), 4.0
        for source in affine.sources:
            h, loss = values[source]
            W = affine.rounded(source, self.net.size_of(source))[0]
            z += np.einsum("rs,nsk->nrk", W, h, optimize=True)
            sizes = np.abs(h[:, :, : self.k]) @ self.size + np.abs(h[:, :, self.k])
            error += loss @ np.abs(W).T
            total += sizes @ np.abs(W).T
            terms += W.shape[1] + self.k
        return z, 1.01 * (error + terms * ROUNDOFF * total)


class _Off:
    """Of the units so far: whether they are zero on a cell, and whether they bend at zero."""

    def __init__(self) -> None:
        self.zero: list[np.ndarray] = []
        self.plain: list[bool] = []

    def add(self, zero: np.ndarray, plain: np.ndarray) -> None:
        self.zero += list(zero.T)
        self.plain += plain.tolist()


def _pointwise(
    units: Pointwise, z: np.ndarray, error: np.ndarray, pieces: np.ndarray, kept: Kept, off: _Off
) -> Any:
    rows, losses = [], []
    slopes, shifts = np.zeros(pieces.shape), np.zeros(pieces.shape)
    plain = np.zeros(units.size, bool)
    for u, which in enumerate(units.which):
        kind = units.kinds[which]
        plain[u] = kind.breaks == (0,) and kind.value == 0 and kind.slopes[0] == 0
        again = kept.picks[u] >= 0 and off.plain[kept.picks[u]] and kind.breaks == (0,)
        for t in kind.breaks:
            row, loss = z[:, u].copy(), error[:, u] + 2 * ROUNDOFF * abs(float(t))
            row[:, -1] -= float(t)
            rows.append(row)
            losses.append(np.full(len(row), np.nan) if again else loss)
        slopes[:, u] = np.array([float(s) for s in kind.slopes])[pieces[:, u]]
        shifts[:, u] = np.array([float(c) for c in kind.intercepts])[pieces[:, u]]
    off.add((slopes == 0.0) & (shifts == 0.0), plain)
    out = z * slopes[:, :, None]
    out[:, :, -1] += shifts
    loss = error * np.abs(slopes) + 4 * ROUNDOFF * (np.abs(out).sum(axis=2) + np.abs(shifts))
    return np.stack(rows, axis=1), np.stack(losses, axis=1), (out, loss)


def _largest(
    units: MaxUnits, z: np.ndarray, error: np.ndarray, pieces: np.ndarray, kept: Kept, off: _Off
) -> Any:
    n, every = len(z), np.arange(len(z))
    out, loss = np.zeros((n, units.size, z.shape[2])), np.zeros((n, units.size))
    rows, losses, keys = [], [], []
    picks = kept.picks
    zero, plain = np.zeros(error.shape, bool), np.zeros(units.fan_in, bool)
    for r, j in enumerate(picks.tolist()):
        zero[:, r] = j == ZERO if j < 0 else off.zero[j]
        plain[r] = j >= 0 and off.plain[j]
    for u, group in enumerate(units.groups):
        won = np.array(group)[pieces[:, u]]
        out[:, u], loss[:, u] = z[every, won], error[every, won]
        for a in group:
            ends = (zero[:, a] | plain[a]) & (zero[every, won] | plain[won])
            bound = ends & (zero[:, a] | zero[every, won])
            bound |= (won == a) | ((picks[won] == picks[a]) & (picks[a] != OTHER))
            rows.append(out[:, u] - z[:, a])
            losses.append(np.where(bound, np.nan, error[:, a] + loss[:, u]))
            keys.append(won * units.fan_in + a)
    key = np.stack(keys, axis=1)  # overlapping windows compare the same arguments
    order = np.argsort(key, axis=1, kind="stable")
    key = np.take_along_axis(key, order, axis=1)
    cell, place = np.nonzero(key[:, 1:] == key[:, :-1])
    error = np.stack(losses, axis=1)
    error[cell, order[cell, place + 1]] = np.nan
    off.add(np.zeros((n, units.size), bool), np.zeros(units.size, bool))
    return np.stack(rows, axis=1), error, (out, loss)


def _moves(slope: np.ndarray, error: np.ndarray) -> np.ndarray:
    """How far a vertex may move in the largest coordinate, from the rows that meet in it."""
    out = np.full(len(slope), np.inf)
    if not len(slope):
        return out
    size = np.abs(slope).max(axis=2, keepdims=True)
    unit = slope / np.where(size > 0.0, size, 1.0)
    sure = np.abs(np.linalg.det(unit)) > 1e-9
    inverse = np.linalg.inv(unit[sure])
    moved = np.abs(inverse) @ (error[sure] / size[sure][:, :, 0])[:, :, None]
    out[sure] = 1.01 * moved[:, :, 0].max(axis=1)
    return out
