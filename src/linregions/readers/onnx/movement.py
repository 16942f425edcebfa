"""ONNX operators that move entries about, or add them up along an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from ...errors import LinregionsError, UnsupportedNetwork
from ..symbolic.contraction import contracted, einsum
from ..symbolic.values import Value, concatenated, words
from .call import Call, Tensor

# Run by the reference implementation on positions, which gives the exact choice of entries.
SELECTIONS = words(
    "Reshape Flatten Transpose Squeeze Unsqueeze Slice Gather GatherElements GatherND Split "
    "Expand Tile DepthToSpace SpaceToDepth Compress ReverseSequence Trilu CenterCropPad"
)


def selected(c: Call) -> list[Tensor]:
    """The entries that an operator chooses; a zero that it fills in stays one."""
    value, *rest = c.arguments
    if not isinstance(value, Value) or any(isinstance(r, Value) for r in rest):
        raise UnsupportedNetwork(
            "which entries are chosen depends on the input; make the choice a constant"
        )
    results = c.reference([value.grid() + 1, *rest])  # positions from 1 on: 0 is a zero
    return [value.select(np.asarray(grid) - 1) for grid in results]


def _concat(c: Call) -> Value:
    values = [c.value(i) for i in range(len(c.arguments))]
    return concatenated(values, int(c.attribute("axis")))


def _elements(c: Call) -> np.ndarray:
    """Flat positions that the updates of ScatterElements go to."""
    shape, where = c.given(0).shape, np.asarray(c.numbers(1)).astype(np.int64)
    axis = int(c.attribute("axis", 0)) % max(len(shape), 1)
    grid: list[Any] = list(np.indices(where.shape))
    grid[axis] = where + shape[axis] * (where < 0)
    return np.arange(int(np.prod(shape))).reshape(shape)[tuple(grid)]


def _slices(c: Call) -> np.ndarray:
    """Flat positions that the updates of ScatterND go to."""
    shape, where = c.given(0).shape, np.asarray(c.numbers(1)).astype(np.int64)
    grid = np.arange(int(np.prod(shape))).reshape(shape)
    return grid[tuple(np.moveaxis(where, -1, 0))]


def _scatter(places: Callable[[Call], np.ndarray]) -> Callable[[Call], Value]:
    """Updates written into data, added to it, or the larger (smaller) of both."""

    def run(c: Call) -> Value:
        data, updates, targets = c.value(0), c.value(2), places(c)
        if targets.shape != updates.shape:
            raise LinregionsError(f"updates of shape {updates.shape} for {targets.shape} places")
        flat, how = targets.ravel(), c.text("reduction", "none")
        if how == "add":
            entries = (np.ones(len(flat)), (flat, np.arange(len(flat))))
            matrix = sparse.csr_array(entries, shape=(data.size, len(flat)))
            return data + updates.mapped(matrix, data.shape)
        both = concatenated([data.reshaped((data.size,)), updates.reshaped((len(flat),))], 0)
        if how in ("max", "min"):
            groups = _groups(flat, data.size)
            out = c.builder.winners(both if how == "max" else -both, groups, data.shape)
            return out if how == "max" else -out
        if how != "none":
            raise UnsupportedNetwork(f"reduction {how!r} is not read; write it with Mul or Where")
        if len(np.unique(flat)) < len(flat):
            raise LinregionsError("two updates go to one place, so that the result is left open")
        index = np.arange(data.size)
        index[flat] = data.size + np.arange(len(flat))
        return both.select(index.reshape(data.shape))

    return run


def _groups(flat: np.ndarray, size: int) -> np.ndarray:
    """For each entry of the data its own position and those of its updates; -1 fills up."""
    groups: list[list[int]] = [[i] for i in range(size)]
    for i, target in enumerate(flat.tolist()):
        groups[target].append(size + i)
    longest = max(map(len, groups), default=1)
    return np.array([g + [-1] * (longest - len(g)) for g in groups]).reshape(size, longest)


def _cumulated(c: Call) -> Value:
    value = c.value()
    rank = len(value.shape)
    axis = c.whole(1)[0] % rank
    n = value.shape[axis]
    ones = np.tri(n, k=-1 if c.attribute("exclusive", 0) else 0)
    ones = ones[::-1, ::-1] if c.attribute("reverse", 0) else ones
    labels = list(range(rank))
    out = [rank if i == axis else i for i in labels]
    return contracted(value, labels, ones, [rank, axis], out)


def _einsum(c: Call) -> Value:
    given: Sequence[Tensor] = [
        x if isinstance(x, Value) else c.numbers(i)
        for i, x in enumerate(c.given(i) for i in range(len(c.arguments)))
    ]
    out, combined = einsum(c.text("equation"), given)
    if combined:
        c.builder.rounding(f"{c.label}: constants combined once, in float64")
    return out


MOVES: dict[str, Callable[[Call], Value]] = {
    "Concat": _concat,
    "CumSum": _cumulated,
    "Einsum": _einsum,
    "ScatterElements": _scatter(_elements),
    "ScatterND": _scatter(_slices),
}
