"""Breakpoints along segments and lines, as arrays: which rows switch where."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..answer import CutShort
from ..network.network import Network
from .exact import ExactLine, difference


class Given(NamedTuple):
    """Segments or lines as floats, and the exact ones where they are no floats."""

    both: np.ndarray  # (m, 2, n)
    lines: bool
    exactly: dict[int, tuple[Any, Any]]

    @property
    def p(self) -> np.ndarray:
        """(m, n) first ends, or points of lines."""
        return self.both[:, 0]

    @property
    def q(self) -> np.ndarray:
        """(m, n) other ends, or directions of lines."""
        return self.both[:, 1]

    def first(self, m: int) -> Given:
        """The first m of them."""
        exactly = {i: pair for i, pair in self.exactly.items() if i < m}
        return Given(self.both[:m], self.lines, exactly)

    def exact(self, i: int) -> tuple[Any, Any, int | None, int | None]:
        """Origin and direction of one, exactly, and the range of t."""
        p, q = self.exactly.get(i, (self.p[i], self.q[i]))
        return (p, q, None, None) if self.lines else (p, difference(p, q), 0, 1)


@dataclass(frozen=True, eq=False)
class Breaks(CutShort):
    """The arrays of `Crossings`, which says what they are."""

    network: Network
    given: Given
    ptr: np.ndarray
    t: np.ndarray
    row_ptr: np.ndarray
    rows: np.ndarray
    start: np.ndarray
    exact: bool
    stats: dict[str, int]
    seconds: float
    rational: dict[int, Fraction] = field(default_factory=dict)
    stopped: str = ""

    def __len__(self) -> int:
        return len(self.ptr) - 1

    @cached_property
    def rationally(self) -> ExactLine:
        """The network's exact maps."""
        return ExactLine(self.network)

    def signs(self, i: int) -> np.ndarray:
        """(intervals, rows) whether each row is positive on each interval of a segment."""
        a, b = int(self.ptr[i]), int(self.ptr[i + 1])
        flips = np.zeros((b - a + 1, self.start.shape[1]), np.bool_)
        flips[0] = self.start[i]
        where = np.repeat(np.arange(1, b - a + 1), np.diff(self.row_ptr[a : b + 1]))
        flips[where, self.rows[self.row_ptr[a] : self.row_ptr[b]]] = True
        return np.logical_xor.accumulate(flips, axis=0)
