"""Cells split by the winning output of a classifier."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class ClassPieces(NamedTuple):
    """Convex pieces on which one output is the largest: polygons, their class and their cell."""

    polygons: list[np.ndarray]
    classes: np.ndarray
    cells: np.ndarray


def winners(cells: Any) -> tuple[np.ndarray, np.ndarray]:
    """(cells,) class that wins at the vertices, and whether others win somewhere too.

    An output that is the largest at every vertex of a cell is the largest on all of it.
    """
    ptr, idx = cells.polygons()
    values = np.asarray(cells.outputs)
    gap = values.max(axis=1, keepdims=True) - values  # zero for those on top
    scale = 1e-12 * (1 + np.abs(values).max(axis=1, keepdims=True))
    on_top = (gap <= scale)[np.asarray(idx)]
    everywhere = np.logical_and.reduceat(on_top, np.asarray(ptr[:-1]), axis=0)
    return everywhere.argmax(axis=1), np.asarray(~everywhere.any(axis=1))


def pieces(cells: Any, only_mixed: bool = False) -> ClassPieces:
    """All cells split by class; ``only_mixed``: only the cells in which several classes win."""
    winner, mixed = winners(cells)
    ptr, idx = (np.asarray(x) for x in cells.polygons())
    corners = np.asarray(cells.points)[idx]
    out = ClassPieces([], np.zeros(0, int), np.zeros(0, int))
    classes, owner = [], []
    if not only_mixed:
        for i in np.nonzero(~mixed)[0]:
            out.polygons.append(corners[ptr[i] : ptr[i + 1]])
        owner += np.nonzero(~mixed)[0].tolist()
        classes += winner[~mixed].tolist()
    doubtful = np.nonzero(mixed)[0]
    W, b = cells.affine_maps(doubtful) if len(doubtful) else ([], [])
    for i, slope, shift in zip(doubtful, W, b, strict=True):
        for c in range(len(shift)):
            part = _where_largest(corners[ptr[i] : ptr[i + 1]], slope, shift, c)
            if part is not None:
                out.polygons.append(part)
                owner.append(i)
                classes.append(c)
    return ClassPieces(out.polygons, np.array(classes, int), np.array(owner, int))


def boundary(cells: Any) -> np.ndarray:
    """(m, 2, 2) segments of the zero set of one output, or of the decision boundary of several.

    That of several is read off the pieces, in floats, good enough to look at: comparing all
    pairs of outputs exactly (`CellComplex.level_set`) costs far more than the complex itself.
    """
    if np.asarray(cells.outputs).shape[1] == 1:
        return np.asarray(cells.level_set().segments, np.float64)
    split = pieces(cells, only_mixed=True)
    W, b = cells.affine_maps(split.cells) if len(split.cells) else ([], [])
    found = [np.zeros((0, 2, 2))]
    for polygon, c, slope, shift in zip(split.polygons, split.classes, W, b, strict=True):
        values = polygon @ slope.T + shift
        scale = 1e-9 * (1 + np.abs(values).max())
        tie = np.abs(values - values[:, [c]]) <= scale  # corners where another is as large
        both = tie & np.roll(tie, -1, axis=0)
        both[:, : c + 1] = False  # each side is met twice: from the lower class
        sides = np.stack([polygon, np.roll(polygon, -1, axis=0)], axis=1)
        found.append(sides[both.any(axis=1)])
    return np.concatenate(found)


def _where_largest(polygon: np.ndarray, W: np.ndarray, b: np.ndarray, c: int) -> np.ndarray | None:
    for other in range(len(b)):
        if other != c:
            polygon = _clip(polygon, polygon @ (W[c] - W[other]) + b[c] - b[other])
            if len(polygon) < 3:
                return None
    return polygon


def _clip(polygon: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The part of a convex polygon where an affine function, given at its corners, is >= 0."""
    out = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if values[i] >= 0:
            out.append(polygon[i])
        if (values[i] > 0 > values[j]) or (values[i] < 0 < values[j]):
            part = values[i] / (values[i] - values[j])
            out.append(polygon[i] + part * (polygon[j] - polygon[i]))
    return np.array(out).reshape(-1, 2)
