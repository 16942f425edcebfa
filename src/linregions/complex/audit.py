"""Audit: every cell of a complex proved again after each round, in rational arithmetic alone.

With ``LINREGIONS_AUDIT=1`` each cell is the convex hull of its exact vertices, the points where its
facets meet. It is shown that they lie on the side of every row that the cell's pattern names, that
no two cells have one pattern, and that the volumes of all cells add up to that of the domain. So
each cell is a part of the region of its pattern, no two overlap, and nothing is left: the cells are
the regions. Signs, errors and coordinates of the float kernels do not enter.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from flint import fmpq, fmpq_mat

from ..audit import AuditError
from ..exact.rows import Point, Row, value
from ..network.rational import to_fmpq
from ..network.units import MaxUnits
from .exact import Forms, difference
from .lattice import Faces
from .program import BIT, TEST
from .refined import Refined, Round
from .undecided import Corners

Claim = tuple[Row, int]  # a row that is nowhere negative (0), and somewhere positive (1)


def look(forms: Forms, this: Round, done: Refined, start: Faces, corners: list[Point]) -> None:
    """Prove a finished round, or raise `AuditError`."""
    X, bits = done.faces, done.bits_of(np.arange(done.cells))
    assert X is not None
    if len(np.unique(bits, axis=0)) < done.cells:
        raise AuditError(f"audit: {this}: two cells have the same pattern")
    _facets(X, this)
    places: dict[int, Point] = {}
    total = fmpq(0)
    for cell in range(done.cells):
        why = _sides(forms, this, X, cell, bits[cell], places)
        size = fmpq(0) if why else _volume(X, X.k, int(X.at[-2]) + cell, places)
        if why or size <= 0:
            pattern = "".join(map(str, bits[cell]))
            raise AuditError(f"audit: {this}: cell {cell} ({pattern}) {why or 'has no volume'}")
        total += size
    if total != _volume(start, X.k, int(start.at[-2]), dict(enumerate(corners))):
        raise AuditError(f"audit: {this}: the volumes of the cells do not add up to the domain's")


def same(this: Round, done: Refined, short: Refined) -> None:
    """The round without writing cells down must count the same."""
    if done.cells != short.cells:
        raise AuditError(f"audit: {this}: {done.cells} cells, but {short.cells} when only counted")


def maps(forms: Forms, refined: Refined, label: np.ndarray) -> None:
    """Cells must have one number exactly if they have one affine map."""
    number: dict[object, int] = {}
    for cell in range(refined.cells):
        exact = forms.output(forms.pieces(refined.bits_of(np.array([cell]))[0]))
        if number.setdefault(exact, int(label[cell])) != label[cell]:
            raise AuditError(f"audit: the map of cell {cell} has two numbers")
    if len(set(number.values())) < len(number):
        raise AuditError("audit: two affine maps have one number")


def _facets(X: Faces, this: Round) -> None:
    """Facets inside the domain have a cell on either side, others one."""
    top = X.idx[X.ptr[X.at[-2]] : X.ptr[X.at[-1]]] - X.at[-3]
    many = np.bincount(top, minlength=len(X.own))
    if (many != np.where(X.own >= 0, 2, 1)).any():
        raise AuditError(f"audit: {this}: a facet has {int(many.max())} cells, or one too few")


def _sides(
    forms: Forms, this: Round, X: Faces, cell: int, bits: np.ndarray, places: dict[int, Point]
) -> str:
    """What is not true of a cell's vertices; puts their exact places into ``places``."""
    corners = Corners(forms, X, cell, bits)
    vertices = sorted(set[int]().union(*(on for _, on in corners.facets)))
    for g in vertices:
        try:
            place = corners.at(g)
        except ArithmeticError:
            return f"has facets that do not meet in its vertex {g}"
        if places.setdefault(g, place) != place:
            return f"has vertex {g} in another place than its neighbours"
        if np.isfinite(X.r[g]) and any(
            abs(to_fmpq(a) - b) > to_fmpq(X.r[g]) for a, b in zip(X.x[g], place, strict=True)
        ):
            return f"has vertex {g} farther from {X.x[g]} than {X.r[g]}"
    for n, (row, strict) in enumerate(_claims(forms, this, bits, corners.pieces)):
        values = [value(row, places[g]) for g in vertices]
        if min(values) < 0 or (strict and max(values) <= 0):
            return f"is not on the side of row {n} of those placed that it names"
    return ""


def _claims(forms: Forms, this: Round, bits: np.ndarray, pieces: np.ndarray) -> Iterator[Claim]:
    """What the pattern of a cell says of the domain and of all rows placed so far."""
    plan = forms.plan
    yield from ((row, 0) for row in forms.domain_rows)
    before = 0
    for n in range(this.layer + 1):
        units, first = plan.network.layers[n].units, int(plan.table[n, TEST])
        last = this.last if n == this.layer else int(plan.table[n + 1, TEST])
        if isinstance(units, MaxUnits):
            z = forms.layer(n, pieces)
            for u, group in enumerate(units.groups[: last - first]):
                w = int(pieces[before + u])
                for j, i in enumerate(group):
                    if j != w:  # ties go to the lower argument
                        yield difference(z, group[w], i), int(j < w)
        else:
            for test in range(first, last):
                row = forms.test(n, test, pieces)
                above = bits[plan.table[n, BIT] + test - first]
                yield (row, 1) if above else ([-a for a in row], 0)
        before += units.size


def _volume(X: Faces, d: int, g: int, places: dict[int, Point]) -> fmpq:
    """Volume of face g of dimension d = k, times k!, from its exact vertices."""
    total = fmpq(0)
    for first, *others in _simplices(X, d, g):
        p = places[first]
        edges = [[a - b for a, b in zip(places[v], p, strict=True)] for v in others]
        total += abs(fmpq_mat(edges).det())
    return total


def _simplices(X: Faces, d: int, g: int) -> list[tuple[int, ...]]:
    """A triangulation of a face: pyramids from its first vertex over the facets without it."""
    below = X.idx[X.ptr[g] : X.ptr[g + 1]].tolist()
    if d == 1:
        return [tuple(below)]
    parts = [_simplices(X, d - 1, f) for f in below]
    apex = min(v for part in parts for s in part for v in s)
    return [(apex, *s) for part in parts if all(apex not in s for s in part) for s in part]
