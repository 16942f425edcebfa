"""`changes`: which regions of a slice were born, which are gone, which were kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..complex.cells import CellComplex
from ..complex.subdivide import subdivide
from ..domain.domains import Domain
from ..errors import LinregionsError
from .plots import compared
from .snapshot import snapshot


@dataclass(frozen=True, eq=False)
class Changes:
    """What became of the activation regions of a slice between two checkpoints.

    Regions are named by their activation pattern: a region is *kept* where its pattern is met
    both before and after (it may have moved), *gone* where it is met before only, *born* where
    after only.

    Attributes
    ----------
    before, after
        The two `CellComplex`\\ es.
    kept_before, kept_after
        Cells of the kept regions in either complex, in the same order.
    gone_cells, born_cells
        Cells of ``before`` whose pattern is gone, and of ``after`` whose pattern is new.
    """

    before: CellComplex
    after: CellComplex
    kept_before: np.ndarray
    kept_after: np.ndarray
    gone_cells: np.ndarray
    born_cells: np.ndarray

    @property
    def born(self) -> int:
        """Number of regions born."""
        return len(self.born_cells)

    @property
    def gone(self) -> int:
        """Number of regions gone."""
        return len(self.gone_cells)

    @property
    def kept(self) -> int:
        """Number of regions kept."""
        return len(self.kept_before)

    @property
    def born_area(self) -> float:
        """Area (length, volume) after of the regions born, in domain coordinates."""
        return float(self.after.volumes[self.born_cells].sum())

    @property
    def gone_area(self) -> float:
        """Area before of the regions gone."""
        return float(self.before.volumes[self.gone_cells].sum())

    @property
    def kept_areas(self) -> tuple[float, float]:
        """Area of the regions kept, before and after."""
        return (
            float(self.before.volumes[self.kept_before].sum()),
            float(self.after.volumes[self.kept_after].sum()),
        )

    @cached_property
    def unmoved(self) -> np.ndarray:
        """(kept,) area of each kept region that lies in it both before and after.

        Their sum is the area of the points whose pattern is the same at both checkpoints. For
        slices of one or two dimensions.
        """
        k = self.before.dimension
        if k > 2:
            raise LinregionsError(f"unmoved is for slices of 1 or 2 dimensions; this one has {k}")
        old, new = _corners(self.before), _corners(self.after)
        pairs = zip(self.kept_before.tolist(), self.kept_after.tolist(), strict=True)
        if k == 1:
            return np.array([_common_length(old(a), new(b)) for a, b in pairs], float)
        return np.array([_common_area(old(a), new(b)) for a, b in pairs], float)

    def to_dict(self) -> dict[str, Any]:
        """Numbers and areas."""
        before, after = self.kept_areas
        out = {
            "born": self.born, "gone": self.gone, "kept": self.kept,
            "born_area": self.born_area, "gone_area": self.gone_area,
            "kept_area_before": before, "kept_area_after": after,
        }  # fmt: skip
        if self.before.dimension <= 2:
            out["unmoved_area"] = float(self.unmoved.sum())
        return out

    def plot(self, axes: Any = None) -> Any:
        """Both partitions of a plane side by side, gone and born regions in colour."""
        return compared(self, axes)

    def __repr__(self) -> str:
        return f"<{self.born:,} regions born, {self.gone:,} gone, {self.kept:,} kept>"


def changes(before: Any, after: Any, domain: Domain) -> Changes:
    """Which activation regions of a slice were born, are gone, or were kept.

    Both networks are subdivided exactly, and their cells matched by activation pattern
    (question 4 of section 7 of Xiong et al., ICML 2020: how regions change through training).

    Parameters
    ----------
    before, after
        Two checkpoints of one architecture: networks, or anything that `load` takes.
    domain
        A bounded domain of 1 to 4 dimensions, such as a `Plane`.

    Raises
    ------
    LinregionsError
        Where the architectures differ, or the domain does not fit.

    Examples
    --------
    >>> import linregions as lr
    >>> one = [([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])]
    >>> two = [([[1.0], [-1.0]], [0.0, 1.0]), ([[1.0, 1.0]], [0.0])]
    >>> found = changes(one, two, lr.Box(-1, 2))
    >>> found, found.born_area, found.unmoved.tolist()
    (<1 regions born, 1 gone, 2 kept>, 1.0, [0.0, 0.0])
    """
    old, new = snapshot(before), snapshot(after)
    if (old.inputs, old.widths) != (new.inputs, new.widths):
        raise LinregionsError(
            f"the checkpoints differ in shape, {old} before and {new} after; patterns can be "
            "compared for one architecture only"
        )
    return between(subdivide(old, domain), subdivide(new, domain))


def between(before: CellComplex, after: CellComplex) -> Changes:
    """Match the cells of two complexes of one domain by pattern."""
    where = {key: i for i, key in enumerate(_keys(before))}
    pairs, born = [], []
    for j, key in enumerate(_keys(after)):
        i = where.pop(key, None)  # a pattern is one convex cell: it is met once
        born.append(j) if i is None else pairs.append((i, j))
    kept = np.array(pairs, np.int64).reshape(-1, 2)
    gone = np.array(sorted(where.values()), np.int64)
    return Changes(before, after, kept[:, 0], kept[:, 1], gone, np.array(born, np.int64))


def _keys(cells: CellComplex) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(cells.patterns())]


# -- what two convex cells have in common -------------------------------------------------------


def _corners(cells: CellComplex) -> Any:
    """The vertices of a cell by its number."""
    ptr, idx = cells.faces(1) if cells.dimension == 1 else cells.polygons()
    return lambda i: cells.points[idx[ptr[i] : ptr[i + 1]]]


def _common_length(p: np.ndarray, q: np.ndarray) -> float:
    return max(0.0, float(min(p.max(), q.max()) - max(p.min(), q.min())))


def _common_area(p: np.ndarray, q: np.ndarray) -> float:
    """Area of the intersection of two convex polygons, both counter-clockwise.

    p is cut by one edge of q after the other.
    """
    if (p.max(axis=0) <= q.min(axis=0)).any() or (q.max(axis=0) <= p.min(axis=0)).any():
        return 0.0
    for a, b in zip(q, np.roll(q, -1, axis=0), strict=True):
        side = (b[0] - a[0]) * (p[:, 1] - a[1]) - (b[1] - a[1]) * (p[:, 0] - a[0])
        inside = side >= 0
        if inside.all():
            continue
        if not inside.any():
            return 0.0
        after, side_after = np.roll(p, -1, axis=0), np.roll(side, -1)
        out = []
        for x, y, s, t in zip(p, after, side, side_after, strict=True):
            if s >= 0:
                out.append(x)
            if (s >= 0) != (t >= 0):
                out.append(x + s / (s - t) * (y - x))
        p = np.array(out)
    x, y = p[:, 0] - p[0, 0], p[:, 1] - p[0, 1]  # near the corner: little cancels
    return max(0.0, 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))
