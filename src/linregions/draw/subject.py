"""What is drawn: a cell complex, or a network and a domain that make one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..domain.domains import Domain
from ..errors import LinregionsError

REMEDIES = {
    1: "draw.graph draws the function on a segment",
    2: "draw.draw and draw.page draw a plane",
    3: "draw.solid draws a solid",
}


def complex_of(subject: Any, domain: Domain | None, dimension: int) -> Any:
    """The complex itself, or that of a network over a domain; of the dimension wanted."""
    if hasattr(subject, "facet_cells"):
        if domain is not None:
            raise LinregionsError("a complex has its own domain; give domain= only with a network")
        cells = subject
    else:
        if domain is None:
            raise LinregionsError("a network is drawn over a domain; give a box or a slice")
        from ..complex.subdivide import subdivide

        cells = subdivide(subject, domain)
    if cells.dimension != dimension:
        remedy = REMEDIES.get(cells.dimension, "cut it with a Slice of dimension 1, 2 or 3")
        raise LinregionsError(
            f"the domain has dimension {cells.dimension}, this picture needs {dimension}; {remedy}"
        )
    return cells


def in_domain(cells: Any, points: Any) -> np.ndarray:
    """Domain coordinates (m, k) of points given in input coordinates or already in the domain's.

    Points of the input (m, n) are projected onto the domain (least squares), so that a data
    point beside the plane is drawn at its foot.
    """
    points = np.atleast_2d(np.asarray(points, dtype=np.float64))
    problem, k = cells.problem, cells.dimension
    n = problem.source.inputs
    if points.ndim != 2 or points.shape[1] not in (k, n) or not np.isfinite(points).all():
        raise LinregionsError(
            f"points of shape {points.shape}; give finite numbers of shape (points, {n}) in input "
            f"coordinates or (points, {k}) in those of the domain"
        )
    if points.shape[1] == k < n or problem.basis is None:
        return points
    origin = 0.0 if problem.origin is None else problem.origin
    return np.linalg.lstsq(problem.basis, (points - origin).T, rcond=None)[0].T


def axis_names(cells: Any) -> list[str]:
    """``x1, x2`` where the domain's coordinates are the input's, else ``y1, y2``."""
    plain = cells.problem.basis is None
    return [f"{'x' if plain else 'y'}{i + 1}" for i in range(cells.dimension)]


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise unless ``value`` is one of the choices."""
    if value not in choices:
        raise LinregionsError(f"{name}={value!r}; give one of {', '.join(choices)}")


def counts(cells: Any) -> str:
    """``7 activation regions, 5 linear regions``, with a word where that is not certain."""
    # of a large network, equal maps are not certified
    kinds = ("activation", "linear") if cells.problem.reduced is None else ("activation",)
    numbers = [(cells.count(kind), kind) for kind in kinds]
    text = ", ".join(f"{n:,} {kind} region{'' if n == 1 else 's'}" for n, kind in numbers)
    return text if cells.exact else text + " (not certified)"


def layer_name(cells: Any, number: int) -> str:
    """``layer 3``: of a large network, of which few layers are left, the number it has there."""
    reduced = cells.problem.reduced
    return f"layer {number if reduced is None else reduced.kept[number - 1].layer}"


def where(cells: Any) -> str:
    """The domain in words, with the number of inputs in place of n."""
    n, text = cells.problem.source.inputs, cells.problem.domain.describe()
    return text.replace("R^n", f"R^{n}").replace("]^n", f"]^{n}")
