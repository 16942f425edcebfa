"""How thick is the cell of a pattern? Its inequalities composed in floats, one linear program."""

from __future__ import annotations

import numpy as np

from ..domain.restrict import Restricted
from ..network.affine import INPUT, ONE
from ..network.network import Layer
from ..network.rational import rounded
from ..network.units import MaxUnits
from .programme import quiet

VANISH = 1e-12  # a row this small against the sizes that it was added up from is zero


def thickness(problem: Restricted, pieces: list[list[int]], balls: Balls) -> float:
    """Radius of the largest ball in the cell of a pattern, in domain coordinates.

    Negative where the cell is empty, near 0 where it has no interior. Inequalities that hold
    with equality on the whole cell (a unit that vanishes, two equal arguments of a maximum)
    are no bounds of it. ``pieces`` as in `Model.pieces`.
    """
    net, k = problem.network, problem.dimension
    values = {INPUT: np.eye(k, k + 1), ONE: np.eye(1, k + 1, k)}
    sizes = {source: abs(v) for source, v in values.items()}
    A, b = [rounded(problem.A)], [rounded(problem.b)]
    for number, (layer, mine) in enumerate(zip(net.layers, pieces, strict=True), start=1):
        z, size = np.zeros((layer.affine.size, k + 1)), np.zeros((layer.affine.size, k + 1))
        for source in (*layer.affine.sources, ONE):
            W = layer.affine.rounded(source, net.size_of(source))[0]
            z += W @ values[source]
            size += abs(W) @ sizes[source]
        rows, scale, values[number], sizes[number] = _units(layer, z, size, mine)
        for row, most in zip(rows, scale, strict=True):  # row >= 0
            if abs(row[:k]).max(initial=0.0) > VANISH * most.max():
                A.append(-row[None, :k])
                b.append(row[k:])
            elif row[k] < -VANISH * most[k]:
                return -np.inf
    return balls.inradius(np.concatenate(A), np.concatenate(b))


def _units(layer: Layer, z: np.ndarray, size: np.ndarray, pieces: list[int]) -> tuple:
    """Rows that must be >= 0 with their sizes, and the outputs with theirs."""
    rows, scale, out, out_size = [], [], [], []
    if isinstance(layer.units, MaxUnits):
        for group, p in zip(layer.units.groups, pieces, strict=True):
            win = group[p]
            others = [i for i in group if i != win]
            rows += [z[win] - z[i] for i in others]
            scale += [size[win] + size[i] for i in others]
            out.append(z[win])
            out_size.append(size[win])
    else:
        for i, (which, p) in enumerate(zip(layer.units.which, pieces, strict=True)):
            kind = layer.units.kinds[which]
            for n, t in enumerate(kind.breaks):
                row, most = z[i].copy(), size[i].copy()
                row[-1] -= float(t)
                most[-1] += abs(float(t))
                rows.append(row if n < p else -row)
                scale.append(most)
            value, most = float(kind.slopes[p]) * z[i], abs(float(kind.slopes[p])) * size[i]
            value[-1] += float(kind.intercepts[p])
            most[-1] += abs(float(kind.intercepts[p]))
            out.append(value)
            out_size.append(most)
    width = z.shape[1]
    arrays = (np.array(a).reshape(-1, width) for a in (rows, scale, out, out_size))
    return tuple(arrays)


class Balls:
    """Largest inscribed balls, by one HiGHS instance: centre and radius are its columns."""

    def __init__(self, k: int) -> None:
        import highspy

        self.k, self._highs = k, quiet()
        for _ in range(k):
            self._highs.addVar(-np.inf, np.inf)
        self._highs.addVar(-1.0, 1.0)
        self._highs.changeColCost(k, 1.0)
        self._highs.changeObjectiveSense(highspy.ObjSense.kMaximize)

    def inradius(self, A: np.ndarray, b: np.ndarray) -> float:
        """Radius of the largest ball in ``A x <= b``, at most 1; negative where that is empty."""
        import highspy

        highs, columns = self._highs, np.arange(self.k + 1, dtype=np.int32)
        if (old := highs.getNumRow()) > 0:
            highs.deleteRows(old, np.arange(old, dtype=np.int32))
        for row in np.c_[A, np.linalg.norm(A, axis=1), b]:
            highs.addRow(-np.inf, row[-1], len(columns), columns, row[:-1].copy())
        highs.run()
        if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return -np.inf
        return float(highs.getObjectiveValue())
