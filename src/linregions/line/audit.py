"""Audit of lines: what floats settled along a segment, swept again in rational arithmetic."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..audit import AuditError
from ..network.rational import fraction_array
from .breaks import Breaks


def breaks(found: Breaks, i: int) -> None:
    """Segment i: the same breakpoints in the same order, each in its place between the others."""
    exact = found.rationally.breaks(*found.given.exact(i))
    a, b = int(found.ptr[i]), int(found.ptr[i + 1])
    rows = [found.rows[p:q].tolist() for p, q in pairwise(found.row_ptr[a : b + 1].tolist())]
    if (found.start[i] != exact.start).any():
        raise AuditError(f"audit: segment {i} starts on other sides of some rows")
    if rows != [sorted(r) for r in exact.rows]:
        raise AuditError(f"audit: rows {rows} switch along segment {i}, not {exact.rows}")
    t = fraction_array(found.t[a:b])
    low, high = exact.t[:-1], exact.t[1:]  # certain intervals around breakpoints do not meet
    if any(x <= y for x, y in zip(t[1:], low, strict=True)) or any(
        x >= y for x, y in zip(t[:-1], high, strict=True)
    ):
        raise AuditError(f"audit: a breakpoint of segment {i} lies beyond the next one")


def labels(found: Breaks, i: int, label: np.ndarray) -> None:
    """Intervals of segment i must have one number exactly if they have one affine map of t."""
    p, d, _, _ = found.given.exact(i)
    maps = found.rationally.maps_of(p, d, found.signs(i))
    pairs = len(set(zip(maps, label.tolist(), strict=True)))
    if not pairs == len(set(maps)) == len(np.unique(label)):
        raise AuditError(f"audit: the maps along segment {i} are not told apart rightly")
