"""Decisions over a box of many inputs that the kernel's programme leaves open.

HiGHS guesses, in floats, where a row is least over the cell. A guess becomes a decision by a
point that is certified elsewhere, or by its multipliers, checked here in rational arithmetic:
``w = sum mu a + e`` with ``mu >= 0`` leaves ``w >= sum_j min(e_j lo_j, e_j hi_j) + const`` on
the cell. Such a proof costs milliseconds; an exact simplex over hundreds of inputs, hours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from flint import fmpq

from ..network.rational import to_fmpq
from .rows import Row


class BoxGuess(NamedTuple):
    """Where a row is least over a cell (in the coordinates of the rows), and multipliers."""

    x: np.ndarray
    multipliers: np.ndarray


def _floats(row: Row) -> tuple[np.ndarray, fmpq]:
    """The row over its largest entry, which is the second; a row of zeros as it is."""
    largest = max(abs(int(a)) for a in row) or 1
    return np.array([int(a) / largest for a in row]), fmpq(largest)


def least(rows: list[Row], w: Row, lo: np.ndarray, hi: np.ndarray) -> BoxGuess | None:
    """BoxGuess the minimum of ``w`` over the part of the box where the rows are not negative.

    The multipliers are those of rows and ``w`` as ``_floats`` scales them.
    """
    from scipy.optimize import linprog

    goal, _ = _floats(w)
    cell = np.array([_floats(r)[0] for r in rows]).reshape(len(rows), len(w))
    found = linprog(
        goal[:-1],
        A_ub=-cell[:, :-1] if len(rows) else None,
        b_ub=cell[:, -1] if len(rows) else None,
        bounds=np.column_stack([lo, hi]),
        method="highs",
    )
    if not found.success:
        return None
    mu = np.maximum(-found.ineqlin.marginals, 0.0) if len(rows) else np.zeros(0)
    return BoxGuess(np.clip(found.x, lo, hi), mu)


def positive(rows: list[Row], w: Row, lo: np.ndarray, hi: np.ndarray, mu: np.ndarray) -> bool:
    """Whether these multipliers prove that ``w`` is positive on all of the closed cell."""
    size = _floats(w)[1]
    e = [fmpq(a) / size for a in w]
    for row, m in zip(rows, mu.tolist(), strict=True):
        if m > 0.0:
            f = to_fmpq(m) / _floats(row)[1]
            e = [a - f * b for a, b in zip(e, row, strict=True)]
    total = e[-1]
    for a, low, high in zip(e, lo.tolist(), hi.tolist(), strict=False):
        if a != 0:
            total += a * to_fmpq(low if a > 0 else high)
    return total > 0
