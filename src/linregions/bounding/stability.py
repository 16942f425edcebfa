"""Which pieces a unit can be on, over a domain: intervals, sharpened by linear programs.

Both are rigorous: intervals are rounded outwards by the error of a float dot product, and
what a linear program says is recomputed from its multipliers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..domain.restrict import Restricted
from ..network.affine import INPUT, ONE
from ..network.network import Layer
from ..network.rational import is_rational, rounded
from ..network.units import MaxUnits
from ..progress import current
from ..roundoff import ROUNDOFF
from .interval import Interval, outward, through, value_at
from .relaxation import Relaxation


@dataclass(frozen=True)
class Reach:
    """What the units of a layer can do.

    Attributes
    ----------
    z
        Pre-activations.
    pieces
        (units,) number of pieces that a unit may be on.
    active
        (units,) whether a unit may be on a piece where it is not constant.
    """

    z: Interval
    pieces: np.ndarray
    active: np.ndarray


def reaches(problem: Restricted, lp: bool = False) -> list[Reach]:
    """`Reach` of every layer of a restricted network.

    Parameters
    ----------
    problem
        From `restrict`: intervals start from the rows of its polytope that bound one
        coordinate. Over all of R^n they are infinite, and what remains are the sign rules
        (a unit can be on only if its bias is positive or a positive weight reads a unit that
        can be on).
    lp
        Sharpen the pre-activations of undecided units by linear programs over the triangle
        relaxation of the layers before; for bounded domains. Two programs per unit.
    """
    values = {INPUT: coordinates_of_box(problem), ONE: Interval(np.ones(1), np.ones(1))}
    relaxation = Relaxation(problem, values[INPUT]) if lp else None
    out = []
    for i, layer in enumerate(problem.network.layers, start=1):
        z = through(layer.affine, values)
        if relaxation is not None:
            current().stage = f"linear programs, layer {i}"
        if relaxation is not None and relaxation.usable:
            z = z.sharpen(relaxation.bounds(layer, z))
        reach, values[i] = units_of(layer, z)
        if relaxation is not None and relaxation.usable:
            relaxation.add(i, layer, z, values[i])
        out.append(reach)
    return out


def coordinates_of_box(problem: Restricted) -> Interval:
    """The box around a domain, as rows that bound one coordinate tell it."""
    k = problem.dimension
    low, high = np.full(k, -np.inf), np.full(k, np.inf)
    A, b = rounded(problem.A), rounded(problem.b)
    slack = 4 * ROUNDOFF if is_rational(problem.A) or is_rational(problem.b) else 0.0
    for row, value in zip(A, b, strict=True):
        at = np.flatnonzero(row)
        if len(at) == 1:
            j = int(at[0])
            limit = value / row[j]
            limit = limit if abs(row[j]) == 1 and not slack else outward(limit, row[j] > 0)
            if row[j] > 0:
                high[j] = min(high[j], limit)
            else:
                low[j] = max(low[j], limit)
    return Interval(low, high)


def units_of(layer: Layer, z: Interval) -> tuple[Reach, Interval]:
    """What the units of a layer can do with such pre-activations, and their values."""
    if isinstance(layer.units, MaxUnits):
        groups = [list(g) for g in layer.units.groups]
        low = np.array([z.low[g].max() for g in groups])
        high = np.array([z.high[g].max() for g in groups])
        pieces = np.array([int((z.high[g] >= z.low[g].max()).sum()) for g in groups])
        return Reach(z, pieces, np.ones(len(groups), bool)), Interval(low, high)
    pieces, active = np.ones(layer.size, int), np.ones(layer.size, bool)
    low, high = np.empty(layer.size), np.empty(layer.size)
    for i, which in enumerate(layer.units.which):
        kind = layer.units.kinds[which]
        breaks = kind.breaks  # compared exactly, also where they are Fractions
        first = sum(float(z.low[i]) > t for t in breaks)
        last = max(first, sum(float(z.high[i]) > t for t in breaks))
        slopes = [float(s) for s in kind.slopes[first : last + 1]]
        pieces[i], active[i] = last - first + 1, any(slopes)
        ends = [(z.low[i], first), (z.high[i], last)]
        ends += [(float(t), p) for p, t in enumerate(breaks) if first <= p < last]
        found = [value_at(kind, t, p) for t, p in ends]
        low[i] = min(v - slop for v, slop in found)
        high[i] = max(v + slop for v, slop in found)
    return Reach(z, pieces, active), Interval(low, high)
