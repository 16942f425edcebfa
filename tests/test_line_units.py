"""Breakpoints along segments and lines through networks with max units and other large ones.

The oracle walks from one right-hand germ to the next, in Fractions, for units of any kind.
"""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import linregions as lr
from linregions.line import by_complex as wide
from linregions.line.crossings import crossings, regions_along
from linregions.network.units import MaxUnits
from linregions.testing.strategies import canonical

RELAXED = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def sign(form, t):
    """Sign of ``a t + c`` just after t, or (None) near minus infinity."""
    a, c = form
    order = (-a, c) if t is None else (a * t + c, a)
    return next((v for v in order if v), Fraction(0))


def germ(net, p, d, t):
    """Signs of all rows, the forms that may change them, and the output's, just after t."""
    values, signs, forms = {0: (d, p)}, [], []

    def apply(affine):
        zero = {s: np.array([Fraction(0)] * net.size_of(s), object) for s in affine.sources}
        shift = affine.at(zero)
        slope = affine.at({s: values[s][0] for s in affine.sources}) - shift
        return list(zip(slope, affine.at({s: values[s][1] for s in affine.sources}), strict=True))

    for number, layer in enumerate(net.layers, start=1):
        z, out = apply(layer.affine), []
        for u in range(layer.size):
            if isinstance(layer.units, MaxUnits):
                args = [z[i] for i in layer.units.groups[u]]
                best = 0
                for j in range(1, len(args)):
                    lead = tuple(x - y for x, y in zip(args[j], args[best], strict=True))
                    best = j if sign(lead, t) > 0 else best
                for i in range(len(args)):
                    for j in range(i + 1, len(args)):
                        signs.append(j == best)
                lead = [tuple(x - y for x, y in zip(a, args[best], strict=True)) for a in args]
                forms += [f for f in lead if any(f)]
                out.append(args[best])
                continue
            kind, (a, c), piece = layer.units.kinds[layer.units.which[u]], z[u], 0
            for b in kind.breaks:
                row = (a, c - Fraction(b))
                signs.append(sign(row, t) > 0)
                forms.append(row)
                piece += signs[-1]
            slope = Fraction(kind.slopes[piece])
            out.append((slope * a, slope * c + kind.intercepts[piece]))
        values[number] = tuple(np.array([o[k] for o in out], object) for k in (0, 1))
    return signs, forms, tuple(apply(net.output))


def walk(net, p, d, lo, hi):
    """Breakpoints, signs and output maps of the intervals, in order."""
    t, times = lo, []
    signs, forms, out = germ(net, p, d, t)
    every, maps = [signs], [out]
    while True:
        roots = [-c / a for a, c in forms if a != 0]
        roots = [r for r in roots if (t is None or r > t) and (hi is None or r < hi)]
        if not roots:
            return times, every, maps
        t = min(roots)
        signs, forms, out = germ(net, p, d, t)
        if signs != every[-1]:
            times.append(t)
            every.append(signs)
            maps.append(out)


def agree(net, p, q, lines):
    x, y = (np.array([Fraction(v) for v in w], object) for w in (p, q))
    d = y if lines else y - x
    times, signs, maps = walk(net, x, d, *((None, None) if lines else (Fraction(0), Fraction(1))))
    found = crossings(net, [[p, q]], lines=lines)
    assert found.exact and found.regions[0] == len(times) + 1
    assert np.allclose(found.t, [float(t) for t in times], rtol=1e-7, atol=1e-9)
    assert found.exact_t(0) == times
    assert (found.signs(0) == np.array(signs).reshape(len(signs), -1)).all()
    flips = [np.flatnonzero(np.array(a) != np.array(b)).tolist() for a, b in pairwise(signs)]
    rows = [found.rows[found.row_ptr[j] : found.row_ptr[j + 1]].tolist() for j in range(len(times))]
    assert rows == flips
    assert list(found.changes) == [a != b for a, b in pairwise(maps)]
    assert found.count("affine")[0] == len(set(maps))
    for k, name in enumerate(("slope", "intercept")):
        exact = np.array([[float(o[k]) for o in m] for m in maps])
        assert np.allclose(getattr(found.pieces, name), exact, rtol=1e-7, atol=1e-7)


def points(n):
    """Points on a coarse grid, so that ties are common."""
    return st.lists(st.integers(-4, 4).map(lambda v: v / 2), min_size=n, max_size=n)


@settings(max_examples=60, **RELAXED)
@given(canonical(layers=(1, 3)), st.data(), st.booleans())
def test_any_units_by_the_oracle(net, data, lines):
    p, q = data.draw(points(net.inputs)), data.draw(points(net.inputs))
    if lines and not any(q):
        q[0] = 1.0
    if not lines and p == q:
        q[0] += 1.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wide, "is_wide", lambda _: True)
        agree(net, p, q, lines)


def test_maxout_along_a_segment_and_a_curve():
    # max(x, -x, 1/2): three pieces over [-1, 1]
    W, b = np.array([[1.0], [-1.0], [0.0]]), np.array([0.0, 0.0, 0.5])
    layer = lr.Layer(lr.network.affine.Affine.dense(W, b, 0), MaxUnits(((0, 1, 2),), 3))
    net = lr.Network(1, (layer,), lr.network.affine.Affine.dense(np.ones((1, 1)), None, 1))
    found = crossings(net, [[[-1.0], [1.0]]])
    assert found.t.tolist() == [0.25, 0.75] and found.patterns(0)[:, 0].tolist() == [1, 2, 0]
    assert lr.count(net, lr.Segment([-1.0], [1.0])) == 3
    back = regions_along(net, [[-1.0], [1.0], [-1.0]])
    assert (back.regions, back.transitions, back.patterns) == (5, 4, 3)
