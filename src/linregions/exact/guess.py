"""Where a row is least over a cell, guessed in floats; the exact simplex is slow in many inputs.

A cell that floats could not decide is often thin: 10^-12 across one way and 1 across another. So
the programme is posed around an interior point x0, in coordinates where the cell is round: with
``r_i(x) = s_i + a_i (x - x0)`` and ``s_i > 0``, the rows ``a_i / s_i`` have the factor R of their
QR decomposition, and in ``z = R (x - x0)`` the cell holds the unit ball. What comes out is only a
guess: a caller checks the point, or the rows that are tight there, in rational arithmetic.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from flint import fmpq

from ..network.rational import nearest, to_fmpq

FAR = 1e4  # half-width of the box in z, for cells without bound
FLAT = 1e-3  # a direction that no row bounds counts as so much of 1 / (1 + |x0|)


class Guess(NamedTuple):
    """A point near where the row is least, and which rows of the cell are tight there."""

    point: list[fmpq]
    tight: list[int]


def farthest(rows: list, x0: list[fmpq], w: list) -> Guess | None:
    """Guess where ``w`` is least over ``{rows >= 0}``, from an interior point.

    None where that fails.
    """
    from scipy.optimize import linprog

    k = len(x0)
    M = np.array([_around(row, x0) for row in rows]).reshape(len(rows), k + 1)
    with np.errstate(all="ignore"):
        M = M[:, :k] / M[:, k:]
    size = 1.0 + max((abs(nearest(v)) for v in x0), default=0.0)
    goal = _around(w, x0)[:k]
    if not (np.isfinite(M).all() and np.isfinite(goal).all()):
        return None
    R = np.linalg.qr(np.vstack([M, np.eye(k) * FLAT / size]), mode="r")
    try:
        back = np.linalg.inv(R)
    except np.linalg.LinAlgError:
        return None
    goal = goal @ back
    found = linprog(
        goal / max(np.abs(goal).max(), 1e-300), A_ub=-M @ back, b_ub=np.ones(len(M)),
        bounds=(-FAR, FAR), method="highs",
    )  # fmt: skip
    if found.x is None or not np.isfinite(found.x).all():
        return None
    step = back @ found.x
    tight = np.flatnonzero(-found.ineqlin.marginals > 1e-9).tolist()
    return Guess([a + to_fmpq(float(b)) for a, b in zip(x0, step, strict=True)], tight)


def centre(rows: list, k: int) -> list[fmpq] | None:
    """Guess the centre of a large ball in ``{rows >= 0}``; None where that fails."""
    M = np.array([_around(row, [fmpq(0)] * k) for row in rows]).reshape(len(rows), k + 1)
    found = ball(-M[:, :k], M[:, k], np.linalg.norm(M[:, :k], axis=1))
    return None if found is None else [to_fmpq(float(v)) for v in found[0]]


def ball(A: np.ndarray, b: np.ndarray, norms: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Centre and radius of a large inscribed ball, by HiGHS; None when it finds none."""
    from scipy.optimize import linprog

    k = A.shape[1]
    if not (np.isfinite(A).all() and np.isfinite(b).all()):
        return None
    result = linprog(
        np.r_[np.zeros(k), -1.0],
        A_ub=np.c_[A, norms],
        b_ub=b,
        bounds=[(None, None)] * k + [(0, 1e3)],
    )
    return None if not result.success or result.x[-1] <= 0 else (result.x[:k], result.x[-1])


def _around(row: list, x0: list[fmpq]) -> list[float]:
    """Coefficients of a row and its value at a point, over the largest coefficient."""
    total = fmpq(row[-1])
    for a, v in zip(row, x0, strict=False):
        if a != 0:
            total += a * v
    largest = max((abs(a) for a in row[:-1]), default=0)
    if largest == 0:
        return [0.0] * len(x0) + [1.0]
    return [nearest(fmpq(a) / largest) for a in row[:-1]] + [nearest(total / largest)]
