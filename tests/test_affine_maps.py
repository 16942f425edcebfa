"""`affine`: maps and patterns at many points; every sign as rational arithmetic gives it."""

import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import linregions as lr
from linregions.exact import maps
from linregions.network import deciding
from linregions.network.deciding import decide
from linregions.testing.networks import random_network

SQUARE = [([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])]


def dense(rng, *sizes, bias=True):
    pairs = [(rng.standard_normal((m, n)), bias * rng.standard_normal(m))
             for n, m in pairwise(sizes)]  # fmt: skip
    return lr.load(pairs)


def exact_patterns(net, points):
    return [net.exactly([Fraction(v) for v in x])[1] for x in points.tolist()]


@given(seed=st.integers(0, 10**6), max_units=st.booleans())
@settings(max_examples=60, deadline=None)
def test_patterns_at_dyadic_points_are_the_exact_ones(seed, max_units):
    """Many of these points lie on boundaries; all kinds of units, skips, max units."""
    rng = np.random.default_rng(seed)
    net = random_network(seed, int(rng.integers(1, 4)), 6, int(rng.integers(1, 4)))
    points = rng.integers(-8, 9, (6, net.inputs)) / 4.0
    found = lr.affine(net, points)
    assert found.patterns.tolist() == exact_patterns(net, points)
    values = [[float(v) for v in net.exactly([Fraction(v) for v in x])[0]] for x in points.tolist()]
    np.testing.assert_allclose(found(points), values, rtol=1e-9, atol=1e-9)
    one = lr.affine(net, points[0])
    assert one.pattern.tolist() == found.patterns[0].tolist() and one.W.shape == found.W.shape[1:]
    np.testing.assert_allclose(one.W, found.W[0], rtol=1e-12, atol=1e-12)


def test_signs_that_floats_cannot_decide_are_decided_and_counted():
    """0.1 + 0.2 - 0.3 as float64s: a tie to floats (the sum rounds), above 0 in truth."""
    net = lr.load([([[1.0, 1.0, -1.0], [1.0, -1.0, 0.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])])
    points = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.30000000000000004], [1.0, 2.0, 5.0]])
    found = lr.affine(net, points)
    assert found.patterns.tolist() == exact_patterns(net, points) == [[1, 0], [0, 0], [0, 0]]
    assert found.decided_exactly.tolist() == [1, 1, 0]


def test_undecided_rows_of_deep_layers():
    """A pre-activation of the third layer that is 0 exactly, or off by the last bit."""
    rng = np.random.default_rng(0)
    net = dense(rng, 5, 8, 8, 1)
    x = rng.standard_normal((1, 5))
    value = net.upto(2, 3).exactly([Fraction(v) for v in x[0].tolist()])[0][0]
    for nudge, piece in ((Fraction(1, 1 << 300), 1), (Fraction(0), 0), (-Fraction(1, 1 << 300), 0)):
        layer = net.layers[1]
        shift = np.full((8, 1), Fraction(0), dtype=object)
        shift[3, 0] = nudge - value
        moved = lr.network.affine.Affine(
            8, (*layer.affine.terms, lr.network.affine.Term(-1, (shift,)))
        )
        other = lr.Network(5, (net.layers[0], lr.Layer(moved, layer.units)), net.output)
        found = lr.affine(other, x)
        assert found.patterns[0, 8 + 3] == piece and found.decided_exactly[0] >= 1
        assert found.patterns.tolist() == exact_patterns(other, x)


def test_outputs_and_types():
    net = dense(np.random.default_rng(1), 4, 6, 3)
    x = np.random.default_rng(2).standard_normal((7, 4))
    every = lr.affine(net, x)
    assert every.W.shape == (7, 3, 4) and every.b.shape == (7, 3) and every.patterns.shape == (7, 6)
    for i in (1, -1, np.int64(2)):
        one = lr.affine(net, x, output=i)
        assert one.W.shape == (7, 4) and one.b.shape == (7,)
        np.testing.assert_allclose(one.W, every.W[:, i], rtol=1e-14)
        np.testing.assert_allclose(one(x), net(x)[:, i], rtol=1e-12)
    some = lr.affine(net, x, output=[2, 0], dtype=np.float32)
    assert some.W.dtype == some.b.dtype == np.float32
    np.testing.assert_allclose(some.W, every.W[:, [2, 0]], rtol=1e-6)
    assert lr.affine(net, x[0]).W.shape == (3, 4) and lr.affine(net, x[0], output=0).W.shape == (4,)
    assert lr.affine(net, np.zeros((0, 4))).W.shape == (0, 3, 4)
    assert "7 points" in repr(every) and "at a point" in repr(lr.affine(net, x[0]))


def test_chunks_do_not_change_the_answer(monkeypatch):
    net = dense(np.random.default_rng(3), 4, 6, 5, 2)
    x = np.random.default_rng(4).standard_normal((50, 4))
    whole = lr.affine(net, x)
    monkeypatch.setattr(maps, "NUMBERS", 40)
    monkeypatch.setattr(deciding, "NUMBERS", 40)
    parts = lr.affine(net, x)
    assert (parts.patterns == whole.patterns).all()
    np.testing.assert_allclose(parts.W, whole.W, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(parts.b, whole.b, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((2, 3))}, "shape (2, 3)"),
        ({"X": [[np.nan, 0.0]]}, "NaN"),
        ({"X": [["a", "b"]]}, "not numbers"),
        ({"output": 5}, "outputs, from 0"),
        ({"output": 0.5}, "give an integer"),
        ({"dtype": np.int64}, "float64 or float32"),
    ],
)
def test_what_is_refused(change, message):
    given_ = {"X": [[0.0, 0.0]], **change}
    with pytest.raises(lr.LinregionsError) as caught:
        lr.affine(SQUARE, given_.pop("X"), **given_)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_answers_beyond_the_memory_are_refused_with_the_numbers(monkeypatch):
    monkeypatch.setattr(maps, "MOST", 1000)
    with pytest.raises(lr.LinregionsError, match=r"give at most \d+ points at a time, output="):
        lr.affine(SQUARE, np.zeros((1000, 2)))


def test_numbers_at_the_ends_of_the_floats():
    """Points at 1e300 and below 1e-300, weights whose products leave the floats."""
    nets = [
        ([[1e200]], [0.0], [[1e200]], [-1e300]),
        ([[1e-310]], [1.0], [[1.0]], [0.0]),
        ([[5e-324]], [0.0], [[1e300]], [1e-300]),
        ([[3.0]], [-1e300], [[1e-300]], [0.0]),
    ]
    points = np.array([[1e300], [-1e300], [5e-324], [-5e-324], [0.0], [1e-200], [1.0]])
    for W1, b1, W2, b2 in nets:
        net = lr.load([(W1, b1), (W2, b2), ([[1.0]], [0.0])])
        assert lr.affine(net, points).patterns.tolist() == exact_patterns(net, points)
        for x in points:
            region = lr.region(net, x)
            inside = region.network.exactly(region.exact_point)[1]
            assert inside == region.pattern.tolist()
    small = lr.load([([[1e200]], [0.0]), ([[1e200]], [0.0]), ([[1e-300]], [0.0])])
    assert lr.affine(small, [[1.0]]).W[0, 0, 0] == pytest.approx(1e100, rel=1e-12)


def test_a_region_is_found_without_exact_work(monkeypatch):
    """Pattern, map and point need neither coordinates of the rank nor a compiled program."""
    net = dense(np.random.default_rng(5), 300, 60, 50, 4)
    x = np.random.default_rng(6).standard_normal(300)

    def refuse(*_):
        raise AssertionError("exact work")

    monkeypatch.setitem(lr.region.__globals__, "restrict", refuse)
    region = lr.region(net, x)
    start = time.process_time()
    region = lr.region(net, x)
    assert time.process_time() - start < 0.5
    assert region.pattern.tolist() == net.patterns(x).tolist()
    assert (region.point == x).all() and region.contains(x)
    np.testing.assert_allclose(region.affine_map(x), net(x))
    monkeypatch.undo()
    assert len(region.coordinates) == 60 and region.problem.rows is not None


@pytest.mark.parametrize("point", [np.zeros(6), np.full(6, 0.5), np.eye(6)[2]])
def test_points_where_many_units_tie(point):
    """No biases: at 0 every unit is at its breakpoint; corners and edges of the box as well."""
    net = dense(np.random.default_rng(7), 6, 8, 5, 2, bias=False)
    for domain in (None, lr.Box(0, 1), lr.Box(-1, 1)):
        region = lr.region(net, point, domain)
        assert net.exactly(region.exact_point)[1] == region.pattern.tolist()
        assert domain is None or all(domain.lo < v < domain.hi for v in region.exact_point)
        A, b, _ = region.half_spaces
        assert (A @ point <= b + 1e-9).all() and (A @ region.coordinates < b).all()
        found = lr.affine(net, point)
        assert found.pattern.tolist() == exact_patterns(net, point[None])[0]


def test_ties_of_pooled_zeros_are_no_boundary():
    """Of units that are off all around the point, the first one wins: floats know that."""
    first = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    eye = np.eye(4)
    pools, relus = lr.MaxUnits(((0, 1), (2, 3)), 4), lr.Pointwise.uniform(lr.network.units.RELU, 4)
    net = lr.Network(2, (
        lr.Layer(lr.network.affine.Affine.dense(first, np.zeros(4), 0), relus),
        lr.Layer(lr.network.affine.Affine.dense(eye, None, 1), pools),
    ), lr.network.affine.Affine.dense(np.ones((1, 2)), None, 2))  # fmt: skip
    found = decide(net, np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]]), interior=True)
    assert found.pieces.tolist() == exact_patterns(
        net, np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]])
    )
    assert found.inside.tolist() == [True, False, False]


def test_boxes_of_decimals():
    """Sides that are no floats: inside, a point is placed at once; on a side exactly as before."""
    net = dense(np.random.default_rng(8), 3, 6, 5, 1)
    box = lr.Box(Fraction(-1, 3), Fraction(1, 10))
    for x in ([0.0, 0.05, 0.1 - 2**-57], [-1 / 3, 0.0, 0.0], [0.0, -0.25, 0.05]):
        exact = [Fraction(v) for v in x]
        if not all(Fraction(-1, 3) <= v <= Fraction(1, 10) for v in exact):
            with pytest.raises(lr.LinregionsError, match="outside"):
                lr.region(net, x, box)
            continue
        region = lr.region(net, x, box)
        assert region.pattern.tolist() == net.exactly(exact)[1]
        assert all(Fraction(-1, 3) < v < Fraction(1, 10) for v in region.exact_point)
    for x in ([0.1, 0.0, 0.0], [-1.0, 0.0, 0.0]):  # the float 0.1 is above 1/10
        with pytest.raises(lr.LinregionsError, match="outside"):
            lr.region(net, x, box)
