"""Max units, pointwise units of any kind, several sources, sparse weights: the complex exactly.

The oracle is `linregions.testing.oracle`; networks and boxes are degenerate on purpose.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

import linregions as lr
from linregions.complex import program
from linregions.network.affine import Affine
from linregions.network.network import Layer, Network
from linregions.network.units import RELU, MaxUnits, Pointwise
from linregions.testing import oracle
from linregions.testing.strategies import boxes, canonical

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


def windows(side, channels, size, step):
    """For each window of a square image with channels, its pixels, (windows, size size)."""
    at = np.arange(0, side - size + 1, step)
    corner = (at[:, None] * side + at).ravel()
    inner = (np.arange(size)[:, None] * side + np.arange(size)).ravel()
    one = corner[:, None] + inner
    return np.concatenate([c * side * side + one for c in range(channels)])


def convolution(rng, side, channels, more, size=3):
    """A random convolution as a CSR matrix, and its bias."""
    one = windows(side, 1, size, 1)
    rows = []
    for _ in range(more):
        kernel = rng.normal(size=(channels, size * size)) / size
        for window in one:
            row = np.zeros(channels * side * side)
            for c in range(channels):
                row[c * side * side + window] = kernel[c]
            rows.append(row)
    return sparse.csr_array(np.array(rows)), np.repeat(rng.normal(size=more) * 0.1, len(one))


def cnn(seed, side=8):
    """Convolution, rectifiers, pooling, twice, and a head."""
    rng = np.random.default_rng(seed)
    W, b = convolution(rng, side, 1, 3)
    layers = [Layer(Affine.dense(W, b, 0), Pointwise.uniform(RELU, len(b)))]
    groups = tuple(map(tuple, windows(side - 2, 3, 2, 2).tolist()))
    fan = len(b)
    layers.append(Layer(Affine.dense(sparse.eye_array(fan).tocsr(), None, 1),
                        MaxUnits(groups, fan)))  # fmt: skip
    V, c = convolution(rng, (side - 2) // 2, 3, 4, 2)
    layers.append(Layer(Affine.dense(V, c, 2), Pointwise.uniform(RELU, len(c))))
    head = Affine.dense(rng.normal(size=(3, len(c))), rng.normal(size=3), 3)
    return Network(side * side, tuple(layers), head)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("black", [False, True])
def test_pooled_convolutions_in_a_plane(seed, black, monkeypatch):
    """After rectifiers, windows tie at zero on open sets, and black pixels make constants."""
    net = cnn(seed)
    images = np.random.default_rng(seed + 7).uniform(size=(3, 64))
    if black:
        images[:, 20:] = 0.0
    plane = lr.Plane.through(*images, size=1.0)
    whole = lr.subdivide(net, plane)
    assert whole.cells == lr.count(net, plane, engine="search") > 20
    assert whole.stats["doubtful_cells"] == 0  # nothing here needs rational arithmetic
    monkeypatch.setattr(program, "SMALL", 0)
    monkeypatch.setattr(program, "THIN", 2.0)
    thin = lr.subdivide(net, plane)
    assert thin.face_counts == whole.face_counts
    assert {tuple(p) for p in thin.patterns()} == {tuple(p) for p in whole.patterns()}
    inside = thin.embed(thin.interior_points)
    wide = thin.volumes > 1e-6 * thin.volumes.sum()
    assert (net.patterns(inside)[wide] == thin.patterns(wide)).mean() > 0.999
    assert thin.count("affine") == lr.count(net, plane, kind="affine", engine="search")
    assert thin.count("linear") == whole.count("linear") <= whole.cells
    W, b = thin.affine_maps(wide)
    at = np.einsum("noi,ni->no", W, thin.interior_points[wide]) + b
    np.testing.assert_allclose(at, net.evaluate(inside[wide]), rtol=1e-9, atol=1e-9)


def test_arguments_that_lose_split_nothing():
    # max(x, y, -1/2, -1): the cells are those of max(x, y, -1/2); -1 never wins
    W = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    layer = Layer(
        Affine.dense(W, np.array([0.0, 0.0, -0.5, -1.0]), 0), MaxUnits(((0, 1, 2, 3),), 4)
    )
    net = Network(2, (layer,), Affine.identity(1, 1))
    cells = lr.subdivide(net, lr.Box(-1, 1))
    assert cells.face_counts == (7, 9, 3)  # x = y runs into a corner
    assert sorted(cells.patterns()[:, 0].tolist()) == [0, 1, 2]
    assert sorted(cells.volumes) == pytest.approx([0.25, 1.875, 1.875])


@pytest.mark.parametrize(("m", "regions"), [(1, 3), (2, 9), (3, 19), (4, 33)])
def test_maxout_attains_its_maximum(m, regions):
    """m maxout units of three arguments: at most 1 + 2 m + 4 m (m - 1) / 2 regions of the plane.

    Montufar, Ren and Zhang, "Sharp bounds for the number of regions of maxout networks and
    vertices of Minkowski sums" (2022). The walls of each unit are three rays; two of them are a
    narrow V around a line through the middle, so that those of two units cross four times.
    """
    turn = np.pi * np.arange(m) / m + 0.1
    along = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    across = np.stack([-np.sin(turn), np.cos(turn)], axis=1)
    W = np.stack([across, 0.05 * along, -across], axis=1)
    apex = -8.0 * along + 0.01 * np.arange(m)[:, None]
    b = -np.einsum("ikc,ic->ik", W, apex).ravel()
    groups = tuple((3 * i, 3 * i + 1, 3 * i + 2) for i in range(m))
    layer = Layer(Affine.dense(W.reshape(-1, 2), b, 0), MaxUnits(groups, 3 * m))
    net = Network(2, (layer,), Affine.dense(np.ones((1, m)), None, 1))
    assert lr.subdivide(net, lr.Box(-20, 20)).cells == regions


def test_units_with_many_pieces_and_arguments():
    """More pieces than a byte holds, more arguments than a word has bits."""
    steps = lr.Activation(tuple(range(300)), tuple(i % 2 for i in range(301)))
    line = Network(1, (Layer(Affine.identity(1, 0), Pointwise.uniform(steps, 1)),),
                   Affine.identity(1, 1))  # fmt: skip
    found = lr.subdivide(line, lr.Box(-1.5, 299.5)).patterns()
    assert found.dtype == np.uint16 and sorted(found[:, 0]) == list(range(301))
    turn = np.arange(80) * 2 * np.pi / 80
    W = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    cone = Network(2, (Layer(Affine.dense(W, None, 0), MaxUnits((tuple(range(80)),), 80)),),
                   Affine.identity(1, 1))  # fmt: skip
    cells = lr.subdivide(cone, lr.Box(-1, 1))
    assert cells.cells == 80 and cells.count("linear") == 80
    assert sorted(cells.patterns()[:, 0].tolist()) == list(range(80))


def test_decision_boundaries_and_regions_of_max_units():
    rng = np.random.default_rng(3)
    groups = tuple((i, i + 1, i + 2) for i in range(0, 12, 2))
    first = Layer(Affine.dense(rng.normal(size=(14, 2)), rng.normal(size=14), 0),
                  MaxUnits(groups, 14))  # fmt: skip
    net = Network(2, (first,), Affine.dense(rng.normal(size=(4, 6)), None, 1))
    cells = lr.subdivide(net, lr.Box(-2, 2))
    level = cells.level_set()
    assert len(level)
    out = np.sort(net.evaluate(level.segments.mean(axis=1)), axis=1)
    np.testing.assert_allclose(out[:, -1], out[:, -2], atol=1e-9)
    for i in range(0, cells.cells, 5):
        region = cells.region(i)
        assert (region.pattern == cells.patterns([i])[0]).all()
        ptr, _ = cells.faces(2)
        assert len(region.facets) == ptr[i + 1] - ptr[i]
