"""Columns and rows of a mixed-integer programme, with bounds of expressions by HiGHS."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

TOLERANCE = 1e-9  # feasibility of rows, and of binaries, in HiGHS and in SCIP


class Programme:
    """A programme that grows; one HiGHS instance holds its linear relaxation, kept warm.

    Attributes
    ----------
    lower, upper, binary
        One entry per column.
    rows
        ``(columns, coefficients, low, high)`` each.
    """

    def __init__(self) -> None:
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.binary: list[bool] = []
        self.rows: list[tuple[np.ndarray, np.ndarray, float, float]] = []
        self.highs = quiet()
        self._costs: list[int] = []

    def column(self, low: float, high: float, binary: bool = False) -> int:
        """Add a column; its number."""
        self.highs.addVar(low, high)
        self.lower.append(float(low))
        self.upper.append(float(high))
        self.binary.append(binary)
        return len(self.lower) - 1

    def bound(self, column: int, low: float, high: float) -> None:
        """Change the bounds of a column."""
        self.highs.changeColBounds(column, low, high)
        self.lower[column], self.upper[column] = float(low), float(high)

    def bounds(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of some columns."""
        return np.array(self.lower)[columns], np.array(self.upper)[columns]

    def row(self, columns: np.ndarray, coefficients: np.ndarray, low: float, high: float) -> None:
        """Add ``low <= sum coefficients * columns <= high``."""
        used = np.flatnonzero(coefficients)
        columns, coefficients = columns[used].astype(np.int32), coefficients[used]
        self.highs.addRow(low, high, len(columns), columns, coefficients)
        self.rows.append((columns, coefficients, low, high))

    def range(
        self, columns: np.ndarray, coefficients: np.ndarray
    ) -> tuple[float | None, float | None]:
        """Least and largest value of an expression over the relaxation; None where unbounded."""
        import highspy

        for c in self._costs:
            self.highs.changeColCost(c, 0.0)
        for c, value in zip(columns, coefficients, strict=True):
            self.highs.changeColCost(int(c), float(value))
        self._costs = [int(c) for c in columns]
        found: list[float | None] = []
        for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
            self.highs.changeObjectiveSense(sense)
            self.highs.run()
            optimal = self.highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
            found.append(self.highs.getObjectiveValue() if optimal else None)
        return found[0], found[1]


def quiet() -> Any:
    """A silent HiGHS instance with tight tolerances."""
    import highspy

    with _muted():  # version 1.16 prints a banner before any option can be set
        highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("primal_feasibility_tolerance", TOLERANCE)
    return highs


@contextmanager
def _muted() -> Iterator[None]:
    """What compiled code writes to standard output is lost: answers go there, and JSON."""
    try:
        kept = os.dup(1)
    except OSError:  # there is no standard output
        yield
        return
    _flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        _flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(null)


def _flush() -> None:
    """Empty the buffers of Python and of the C library."""
    if sys.stdout is not None:
        sys.stdout.flush()
    with suppress(OSError, AttributeError, TypeError):  # where the C library is not at hand
        ctypes.CDLL(None).fflush(None)
