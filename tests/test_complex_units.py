"""Max units, pointwise units of any kind, several sources, sparse weights: the complex exactly.

The oracle is `oracle_units`; networks and boxes are degenerate on purpose.
"""

import numpy as np
import oracle_units as oracle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import boxes, canonical

import linregions as lr
from linregions.complex import program

RELAXED = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@st.composite
def boxed(draw, **bounds):
    net = draw(canonical(**bounds))
    return net, *draw(boxes(net.inputs))


def agree(net, lo, hi):
    """The complex is what the oracle says: patterns, neighbours, maps, faces."""
    domain = ("box", lo, hi)
    cells = lr.subdivide(net, lr.Box(lo, hi))
    assert cells.euler == 1 and cells.exact
    names = [tuple(p) for p in cells.patterns().tolist()]
    found = oracle.facet_neighbours(net, domain)
    assert set(names) == set(found) and len(names) == len(found)
    sides = cells.facet_cells
    inner = sides[:, 1] >= 0
    pairs = {frozenset((names[a], names[b])) for a, b in sides[inner]}
    assert pairs == {frozenset((p, q)) for p in found for q in found[p]}
    assert cells.volumes.sum() == pytest.approx(np.prod(np.asarray(hi) - lo), rel=1e-9)
    signs = cells.signs()
    row = cells.facet_row[inner]
    assert (signs[sides[inner, 0], row] != signs[sides[inner, 1], row]).all()
    units = cells.facet_unit[inner] - 1
    patterns = cells.patterns()
    assert (patterns[sides[inner, 0], units] != patterns[sides[inner, 1], units]).all()
    assert cells.count("affine") == oracle.affine_maps(net, domain)
    assert cells.count("linear") == oracle.linear_regions(net, domain)
    W, b = cells.affine_maps()
    at = np.einsum("noi,ni->no", W, cells.interior_points) + b
    values = [[float(v) for v in net.exactly(x)[0]] for x in cells.interior_points]
    np.testing.assert_allclose(at, values, rtol=1e-7, atol=1e-7)
    return cells


@settings(max_examples=120, **RELAXED)
@given(boxed(inputs=(2, 2), layers=(1, 3)))
def test_planes(problem):
    agree(*problem)


@settings(max_examples=40, **RELAXED)
@given(boxed(inputs=(1, 1), layers=(1, 3)))
def test_segments(problem):
    agree(*problem)


@settings(max_examples=25, **RELAXED)
@given(boxed(inputs=(3, 3), layers=(1, 2), rows_each=(2, 4)))
def test_solids(problem):
    agree(*problem)


@settings(max_examples=60, **RELAXED)
@given(boxed(inputs=(1, 2), layers=(1, 3)))
def test_sparse_layers(problem):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "SMALL", 0)
        patch.setattr(program, "THIN", 2.0)
        agree(*problem)
