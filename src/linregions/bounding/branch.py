"""What is certain of an output on a branch of a search, where some units are placed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..exact.forms import Exact, InUnits
from ..network.affine import INPUT, ONE
from ..network.rational import IntMatrix, nearest
from ..roundoff import ROUNDOFF
from ..search import kernel as K
from ..search.branch import Branch
from ..search.rational_branch import RationalBranch
from ..search.search import Search
from .interval import Interval, through
from .stability import coordinates_of_box, units_of


def own_forms(search: Search) -> Exact:
    """Exact forms of the problem's own network, whose output is not scaled; kept by the search."""
    found = search.__dict__.get("_own_forms")
    if found is None:
        found = search.__dict__["_own_forms"] = Exact(InUnits.of(search.problem))
    return found


def output_range(
    search: Search, branch: Branch | RationalBranch, output: int
) -> tuple[float, float]:
    """A certain interval of an output over a branch.

    Layers whose units are all placed are affine there, and so is the next one before its units:
    their forms are exact, and bounded over the box around the domain. What follows is bounded by
    intervals.
    """
    exact, net = own_forms(search), search.problem.network
    layer = branch.layer if isinstance(branch, RationalBranch) else int(branch.frame[K.LAYER])
    box = coordinates_of_box(search.problem)
    box = Interval(box.low / exact.unit, box.high / exact.unit)
    signs, one = branch.sign, Interval(np.ones(1), np.ones(1))
    if layer == len(net.layers):
        found = _over_box(exact.applied(net.output, signs), box)
        return float(found.low[output]), float(found.high[output])
    values = {ONE: one, INPUT: coordinates_of_box(search.problem)}
    for s in range(1, layer + 1):
        values[s] = _over_box(exact.values(s, signs), box)
    for i, here in enumerate(net.layers[layer:], start=layer):
        z = through(here.affine, values)
        if i == layer:
            z = z.sharpen(_over_box(exact.applied(here.affine, signs), box))
        values[i + 1] = units_of(here, z)[1]
    found = through(net.output, values)
    return float(found.low[output]), float(found.high[output])


def _over_box(forms: IntMatrix, box: Interval) -> Interval:
    """Affine forms (n, k + 1) over a box, rounded outwards."""
    table = np.array([[nearest(Fraction(int(a), int(forms.den))) for a in row]
                      for row in forms.num.tolist()]).reshape(forms.shape)  # fmt: skip
    a, shift = table[:, :-1], table[:, -1]
    with np.errstate(invalid="ignore", over="ignore"):
        low = np.where(a == 0, 0.0, np.where(a > 0, a * box.low, a * box.high)).sum(axis=1) + shift
        high = np.where(a == 0, 0.0, np.where(a > 0, a * box.high, a * box.low)).sum(axis=1) + shift
        size = np.where(a == 0, 0.0, abs(a) * np.maximum(abs(box.low), abs(box.high))).sum(axis=1)
        slop = 2 * (len(box.low) + 4) * ROUNDOFF * (size + abs(shift)) + 2.0**-1070
        low, high = low - slop, high + slop
    return Interval(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))
