"""Regions one by one: the stream, and everything that a region knows about itself."""

import itertools
import time
from fractions import Fraction

import numpy as np
import pytest
from helpers import domain_of, exact_input, gaussian
from hypothesis import given, settings
from hypothesis import strategies as st
from known import ulp

import linregions as lr
from linregions.testing import oracle
from linregions.testing.strategies import networks, problems

common = settings(deadline=None, derandomize=True)
WIDE = lr.Polytope([[1.0, 0.0]], [50.0])  # a half-plane: nothing is left out of the search
SQUARE = [([[1, 0], [0, 1]], [-9, -9]), ([[1, 1]], [0])]  # its units are off on [-1, 1]^2


def key(region):
    return tuple(region.pattern.tolist())


def cones(net, domain):
    """The oracle's cells as {pattern: cone}."""
    return {p: c for p, (c, _) in oracle.Oracle(net, domain).cones.items()}


# -- the stream ------------------------------------------------------------------------------


def test_the_stream_is_lazy():
    net = gaussian(0, 6, 30, 30, 1)  # more cells than could ever be listed
    start = time.perf_counter()
    first = list(itertools.islice(lr.regions(net), 5))
    assert len({key(r) for r in first}) == 5
    assert time.perf_counter() - start < 30


@pytest.mark.parametrize("domain", [None, lr.Box(-1, 1)])
def test_the_order_is_deterministic(domain):
    net = gaussian(1, 3, 7, 6, 1)

    def run(**options):
        return [(key(r), r.coordinates.tobytes()) for r in lr.regions(net, domain, **options)]

    assert run() == run() == run(batch=1) == run(batch=10)


def test_interrupting_a_stream_leaves_others_alone():
    net = gaussian(1, 3, 7, 6, 1)
    whole = [key(r) for r in lr.regions(net)]
    one, two = lr.regions(net, batch=2), lr.regions(net, batch=3)
    mixed = [key(r) for pair in zip(one, two, strict=True) for r in pair]
    assert mixed[::2] == mixed[1::2] == whole


def test_a_network_without_units_is_one_region():
    net = [([[2, 3], [0, 1]], [1, -1])]
    (only,) = lr.regions(net)
    assert only.pattern.shape == (0,) and not only.bounded and only.neighbours == []
    assert only.affine_map.W.tolist() == [[2, 3], [0, 1]]
    assert only.affine_map.b.tolist() == [1, -1]
    assert only.half_spaces.A.shape[0] == 0 and only.inradius == float("inf")
    (box,) = lr.regions(net, lr.Box(0, 1))
    assert box.bounded and len(box.half_spaces.b) == 4
    assert box.inradius == pytest.approx(0.5)


# -- what a region knows ---------------------------------------------------------------------


@given(problems())
@settings(common, max_examples=60)
def test_affine_maps_and_points(problem):
    net, domain = problem
    network, maps = lr.load(net), oracle.cells(net, domain)
    for region in lr.regions(network, domain_of(domain)):
        rows = maps[key(region)]
        W, b = region.affine_map
        scale = 1e-12 * (1 + max(abs(float(v)) for row in rows for v in row))
        assert np.allclose(W, [[float(v) for v in row[:-1]] for row in rows], atol=scale)
        assert np.allclose(b, [float(row[-1]) for row in rows], atol=scale)
        x = exact_input(region)
        y = [sum(c * v for c, v in zip(row, (*x, 1), strict=True)) for row in rows]
        assert network.exactly(x)[0] == y
        assert np.allclose(region.affine_map([float(v) for v in x]), [float(v) for v in y],
                           rtol=1e-9, atol=1e-9 * (1 + max(map(abs, map(float, x)))))  # fmt: skip


@given(problems(inputs=(1, 3), layers=(1, 2)))
@settings(common, max_examples=50)
def test_facets_and_neighbours(problem):
    """Facets are counted by the oracle's cones, neighbours found by its pairing of facets."""
    net, domain = problem
    network, cells = lr.load(net), cones(net, domain)
    neighbours = oracle.facet_neighbours(net, domain)
    for region in lr.regions(network, domain_of(domain)):
        cone, (A, b, rows) = cells[key(region)], region.half_spaces
        assert len(A) == len(b) == len(rows) == len(cone.facets)
        y = np.array([float(v) for v in region.exact_point])
        assert (A @ y <= b + 1e-9 * (1 + np.abs(y).max(initial=0))).all()
        walls = sum(form < cone.walls for _, form in cone.facets)
        beyond = region.neighbours
        assert len(beyond) == len(b) - walls
        assert {key(r) for r in beyond} == neighbours[key(region)]
        for other in beyond:
            assert network.exactly(exact_input(other))[1] == list(key(other))
        if region.problem.rows is None:  # the search saw every input
            assert region.bounded == (not cone.lines and all(r[-1] > 0 for r, _ in cone.rays))


@pytest.mark.parametrize("seed", range(3))
def test_half_spaces_are_tight(seed):
    """Strict at the point; without any one of them, the rest reaches beyond it."""
    from scipy.optimize import linprog

    for region in lr.regions(gaussian(seed, 3, 6, 4, 1), lr.Box(-1, 1)):
        A, b, rows = region.half_spaces
        assert (A @ region.coordinates < b).all()
        assert np.allclose(np.linalg.norm(A, axis=1), 1)
        for i in range(len(b)):
            rest = [j for j in range(len(b)) if j != i]
            best = linprog(-A[i], A_ub=A[rest], b_ub=b[rest], bounds=[(-9, 9)] * 3)
            assert -best.fun > b[i] + 1e-12
        for units, a, c in zip(rows, A, b, strict=True):
            if not units:  # a side of the box
                assert np.count_nonzero(a) == 1 and c == 1
            elif all(u < 6 for u in units):  # a unit of the first layer
                (u,) = units
                W = region.network.layers[0].affine.rounded(0, 3)[0][u]
                d = region.network.layers[0].affine.rounded(-1, 1)[0][u, 0]
                sign = 1 if region.pattern[u] else -1
                size = np.linalg.norm(W)
                assert np.allclose(a, -sign * W / size) and np.isclose(c, sign * d / size)


def test_facets_of_units_that_share_a_hyperplane():
    net = [([[1, 0], [-2, 0], [3, 0], [0, 1]], [0] * 4), ([[1] * 4], [0])]
    for region in lr.regions(net):
        assert sorted(region.half_spaces.rows) == [(0, 1, 2), (3,)]
        assert {sum(a != b for a, b in zip(key(region), key(r), strict=True))
                for r in region.neighbours} == {1, 3}  # fmt: skip


def test_walking_over_neighbours_reaches_every_region():
    net, domain = gaussian(2, 2, 6, 5, 1), ("box", [-1, -1], [1, 1])
    start = lr.region(net, [0.1, 0.2], lr.Box(-1, 1))
    reached, fresh = {key(start)}, [start]
    while fresh:
        beyond = [r for region in fresh for r in region.neighbours]
        fresh = list({key(r): r for r in beyond if key(r) not in reached}.values())
        reached |= {key(r) for r in fresh}
    assert reached == oracle.activation_patterns(net, domain)


def test_evaluation_is_affine_around_the_point():
    net = lr.load(gaussian(4, 3, 7, 6, 2))
    rng = np.random.default_rng(0)
    for region in lr.regions(net, lr.Box(-2, 2)):
        A, b, _ = region.half_spaces
        room = (b - A @ region.coordinates).min()
        steps = rng.standard_normal((5, 3))
        near = region.point + 0.9 * room * steps / np.linalg.norm(steps, axis=1, keepdims=True)
        assert np.allclose(net.evaluate(near), region.affine_map(near), atol=1e-9)
        assert room < 1e-9 or all(region.contains(x) for x in near)


def test_maps_in_domain_coordinates():
    """On a slice the local map is the map after the embedding."""
    net = gaussian(5, 4, 6, 5, 2)
    origin, basis = np.array([0.5, 0, 1, -1]), np.array([[1.0, 0], [0, 2], [1, 1], [0, 1]])
    network = lr.load(net)
    for region in lr.regions(net, lr.Slice(origin, basis, lr.Box(-1, 1))):
        assert region.local_map.W.shape == (2, 2)
        assert np.allclose(region.point, origin + basis @ region.coordinates)
        value = network.evaluate(region.point)
        assert np.allclose(region.local_map(region.coordinates), value)
        assert np.allclose(region.affine_map(region.point), value)
        assert np.allclose(region.affine_map.W @ basis, region.local_map.W)


def test_points_lie_in_input_space_after_a_reduction():
    net = lr.load(gaussian(6, 30, 5, 4, 1))
    seen = 0
    for region in lr.regions(net):
        assert region.point.shape == (30,) and region.coordinates.shape == (5,)
        assert net.exactly(exact_input(region))[1] == region.pattern.tolist()
        seen += region.contains(region.point)
        assert region.affine_map.W.shape == (1, 30)
        assert np.allclose(region.affine_map(region.point), net.evaluate(region.point))
    assert seen >= 31


# -- known shapes ----------------------------------------------------------------------------


def test_a_square():
    (only,) = lr.regions(SQUARE, lr.Box(-1, 1))
    assert only.bounded and only.inradius == pytest.approx(1)
    assert sorted(map(tuple, only.half_spaces.A.round(9) + 0.0)) == [
        (-1, 0),
        (0, -1),
        (0, 1),
        (1, 0),
    ]
    assert only.half_spaces.rows == ((),) * 4
    assert only.neighbours == []


def test_a_triangle():
    """The lines x = 0, y = 0 and 4x + 3y = 12: one bounded cell, a 3-4-5 triangle."""
    net = [([[1, 0], [0, 1], [-4, -3]], [0, 0, 12]), ([[1, 1, 1]], [0])]
    cells = {key(r): r for r in lr.regions(net)}
    assert len(cells) == 7 and [k for k, r in cells.items() if r.bounded] == [(1, 1, 1)]
    triangle = cells[(1, 1, 1)]
    assert triangle.inradius == pytest.approx(1)
    assert {key(r) for r in triangle.neighbours} == {(0, 1, 1), (1, 0, 1), (1, 1, 0)}
    assert triangle.affine_map.W.tolist() == [[-3, -2]] and triangle.affine_map.b.tolist() == [12]
    assert cells[(1, 1, 0)].inradius == float("inf")


def test_a_strip_is_unbounded_with_a_finite_inradius():
    net = [([[0, 1], [0, 1]], [0, -3]), ([[1, 1]], [0])]
    strip = next(r for r in lr.regions(net, WIDE) if key(r) == (1, 0))
    assert not strip.bounded and strip.inradius == pytest.approx(1.5)
    assert (len(strip.neighbours), len(strip.half_spaces.b)) == (2, 3)


def test_a_cell_along_inputs_that_no_unit_reads_is_unbounded():
    """The search leaves x_0 out, but the cell 0 < x_1 < 3 is a strip of the plane."""
    net = [([[0, 1], [0, 1]], [0, -3]), ([[1, 1]], [0])]
    assert not any(r.bounded for r in lr.regions(net))


def test_the_inradius_of_a_cube():
    (only,) = lr.regions([(np.zeros((1, 5)), [1.0]), ([[1.0]], [0])], lr.Box(-0.25, 0.25))
    assert only.bounded and only.inradius == pytest.approx(0.25)
    assert len(only.half_spaces.b) == 10


# -- the region that holds a point -----------------------------------------------------------


@given(problems(), st.integers(0, 99))
@settings(common, max_examples=50)
def test_the_region_of_a_point(problem, seed):
    """Random dyadic points, many of them on boundaries: the closure of the cell holds the point."""
    net, domain = problem
    network, n = lr.load(net), net[0][0].shape[1]
    cells = cones(net, domain)
    rng = np.random.default_rng(seed)
    for x in rng.integers(-6, 7, (4, n)) / 2.0:
        exact = [Fraction(v) for v in x]
        holds = {
            p for p, c in cells.items()
            if all(sum((f * v for f, v in zip(form, (*exact, 1), strict=True)), Fraction(0)) >= 0
                   for form in c.forms)
        }  # fmt: skip
        if not holds:
            with pytest.raises(lr.LinregionsError, match="outside"):
                lr.region(net, x, domain_of(domain))
            continue
        region = lr.region(net, x, domain_of(domain))
        assert key(region) in holds
        if len(holds) == 1:
            assert region.pattern.tolist() == network.exactly(exact)[1] or domain is not None
        assert network.exactly(exact_input(region))[1] == region.pattern.tolist()


@pytest.mark.parametrize(("low", "high", "sign"), [(0, 1, 1), (-1, 0, 0)])
def test_a_boundary_point_on_the_edge_of_the_domain(low, high, sign):
    """At 0 only one of the two cells lies in the domain."""
    net = [([[1.0]], [0]), ([[1.0]], [0])]
    region = lr.region(net, [0.0], lr.Box(low, high))
    assert key(region) == (sign,)
    assert low < region.exact_point[0] < high


@pytest.mark.parametrize("corner", list(itertools.product((-1.0, 1.0), repeat=3)))
def test_corners_of_a_box(corner):
    net = gaussian(3, 3, 6, 5, 1)
    region = lr.region(net, corner, lr.Box(-1, 1))
    assert all(-1 < v < 1 for v in region.exact_point)
    assert key(region) == tuple(lr.load(net).exactly(corner)[1])


def test_the_region_of_a_point_with_many_inputs():
    net = lr.load(gaussian(6, 30, 5, 4, 1))
    for x in np.random.default_rng(1).standard_normal((5, 30)):
        region = lr.region(net, x)
        assert region.pattern.tolist() == net.patterns(x).tolist()
        assert np.allclose(region.affine_map(x), net.evaluate(x))
        assert len(region.neighbours) >= 5


def test_the_region_of_a_point_of_a_slice():
    net = lr.load(gaussian(6, 4, 5, 4, 1))
    plane = lr.Slice(np.zeros(4), np.array([[1.0, 0], [1, 1], [0, 1], [0, 2]]), lr.Box(-1, 1))
    x = np.array([0.25, 0.75, 0.5, 1.0])
    region = lr.region(net, x, plane)
    assert region.pattern.tolist() == net.patterns(x).tolist()
    assert len(region.half_spaces.A[0]) == 2
    with pytest.raises(lr.LinregionsError, match="outside"):
        lr.region(net, x + np.array([0, 0, 0, 1e-3]), plane)
    with pytest.raises(lr.LinregionsError, match="outside"):
        lr.region(net, 8 * x, plane)


def test_the_region_of_a_point_of_a_box_with_fixed_sides():
    net = lr.load(gaussian(6, 3, 5, 4, 1))
    box = lr.Box([-1, 0.5, -1], [1, 0.5, 1])
    region = lr.region(net, [0.25, 0.5, 0.0], box)
    assert region.pattern.tolist() == net.patterns([0.25, 0.5, 0.0]).tolist()
    with pytest.raises(lr.LinregionsError, match="outside"):
        lr.region(net, [0.25, 0.25, 0.0], box)


def test_the_thin_cell_of_a_point_beside_it():
    """From the cell left of 1 the neighbour is the cell that holds no float."""
    net, _ = ulp()
    region = lr.region(net, [0.5])
    (middle,) = region.neighbours
    assert (key(region), key(middle)) == ((0, 0), (1, 0))
    assert 1 < middle.exact_point[0] < 1 / (1 - Fraction(1, 2**53))
    assert {key(r) for r in middle.neighbours} == {(0, 0), (1, 1)}
    assert middle.bounded and 0 <= middle.inradius < 1e-15


@given(networks(inputs=(2, 2), layers=(1, 1)))
@settings(common, max_examples=20)
def test_the_origin_of_degenerate_networks(net):
    region = lr.region(net, [0.0, 0.0])
    cone = cones(net, None)[key(region)]
    assert all(form[-1] >= 0 for form in cone.forms)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([0.0], "shape (1,)"),
        ([0.0, 0.0, 0.0], "shape (3,)"),
        ([[0.0, 0.0], [0.0, 0.0]], "2 points"),
        ([np.nan, 0], "NaN"),
        ([np.inf, 0], "infinite"),
        ([1.5, 0], "outside box [-1, 1]^n"),
    ],
)
def test_points_that_are_refused(x, message):
    with pytest.raises(lr.LinregionsError) as caught:
        lr.region(SQUARE, x, lr.Box(-1, 1))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_what_a_region_prints():
    region = lr.region(SQUARE, [0, 0])
    assert repr(region).startswith("Region(pattern 00, near [")


@pytest.mark.parametrize(
    ("weights", "basis"),
    [
        ([[1.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]]),
        ([[1.0, 2.0], [-2.0, -4.0]], [[3.0, 0.1], [0.0, 1.0]]),
        ([[1.0, 2.0], [1.0, 2.5]], [[2.0, 4.0], [-1.0, -2.0], [0.0, 0.0]][:2]),
        ([[0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]),
    ],
)
def test_points_of_an_unbounded_slice_are_in_its_own_coordinates(weights, basis):
    """Whether or not the network sees all of its directions."""
    W, B = np.array(weights), np.array(basis)
    origin = np.array([0.25, -1.0])
    net = lr.load([(W, np.array([0.5] * len(W))), (np.ones((1, len(W))), np.zeros(1))])
    if np.linalg.matrix_rank(B) < B.shape[1]:
        B = B[:, :1]
    k, found = B.shape[1], list(lr.regions(net, lr.Slice(origin, B)))
    assert len(found) == int(lr.count(net, lr.Slice(origin, B)))
    for region in found:
        y = region.exact_point
        assert len(y) == k == len(region.coordinates)
        x = [
            Fraction(o) + sum((Fraction(b) * v for b, v in zip(row, y, strict=True)), Fraction(0))
            for o, row in zip(origin.tolist(), B.tolist(), strict=True)
        ]
        assert net.exactly(x)[1] == region.pattern.tolist()
        np.testing.assert_allclose(region.coordinates, [float(v) for v in y], rtol=1e-12)
        np.testing.assert_allclose(region.point, [float(v) for v in x], rtol=1e-12, atol=1e-12)
        A, b, _ = region.half_spaces
        assert A.shape[1] == k and (A @ region.coordinates < b).all()
        np.testing.assert_allclose(np.linalg.norm(A, axis=1), 1.0)
        value = net.evaluate(region.point)
        np.testing.assert_allclose(region.local_map(region.coordinates), value)
        for neighbour in region.neighbours:
            assert len(neighbour.exact_point) == k
        # any point of the slice is in some region of it, not only those on one line
        off = origin + B @ (region.coordinates + np.arange(1.0, 1.0 + k))
        there = lr.region(net, off, lr.Slice(origin, B))
        assert there.pattern.tolist() == net.patterns(off).tolist()
