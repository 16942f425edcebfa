"""Distances against lines shot in all directions and against the faces of the exact complex."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from data import shared
from helpers import gaussian, run_here, write_npz
from hypothesis import given, settings
from hypothesis import strategies as st

import linregions as lr
from linregions.network.affine import INPUT, Affine
from linregions.network.units import HARDTANH, MaxUnits, Pointwise, leaky_relu
from linregions.testing.strategies import networks

EXAMPLES = Path(__file__).parents[1] / "examples"
NORMS = (2, 1, "inf")


def order(norm):
    return float(norm)


def segment_distance(x, p, q, norm):
    """Distance to segments (m, k) by halving: convex along each of them."""
    lo, hi = np.zeros(len(p)), np.ones(len(p))
    for _ in range(120):
        a, b = lo + (hi - lo) / 3, hi - (hi - lo) / 3
        fa, fb = (np.linalg.norm(p + t[:, None] * (q - p) - x, norm, axis=1) for t in (a, b))
        lo, hi = np.where(fa > fb, a, lo), np.where(fa > fb, hi, b)
    t = (lo + hi)[:, None] / 2
    return np.linalg.norm(p + t * (q - p) - x, norm, axis=1)


def edge_distances(cells, points, norm, kind):
    """Distance of points to the nearest edge of a plane complex that divides two regions."""
    sides = cells.facet_cells
    inner = (sides[:, 1] >= 0) & (cells.facet_row >= 0)
    label = cells.linear if kind == "linear" else np.arange(cells.cells)
    inner &= label[sides[:, 0]] != label[sides[:, 1]]
    ends = cells.points[cells.edges[inner]]
    if not len(ends):
        return np.full(len(points), np.inf)
    return np.array([segment_distance(x, ends[:, 0], ends[:, 1], norm).min() for x in points])


def check_feet(net, found, box=None):
    """A foot is as far as said, on the boundary of its unit, and the way there is free."""
    some = np.isfinite(found.distance)
    x, foot = found.points[some], found.foot[some]
    length = np.linalg.norm(foot - x, found.norm, axis=1)
    np.testing.assert_allclose(length, found.distance[some], rtol=1e-6, atol=1e-9)
    assert np.isnan(found.foot[~some]).all() and (found.unit[~some] == -1).all()
    if box is not None:
        assert (foot >= box[0] - 1e-9).all() and (foot <= box[1] + 1e-9).all()
    if found.kind == "activation":
        near = net.patterns(x + (1 - 1e-6) * (foot - x))
        far = net.patterns(x + (1 + 1e-6) * (foot - x))
        clear = found.distance[some] > 1e-5
        np.testing.assert_array_equal(near[clear], net.patterns(x)[clear])
        u = found.unit[some]
        rows = np.arange(len(u))
        assert (near[rows, u] != far[rows, u])[clear].all()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", ["activation", "linear"])
def test_nearest_edge_in_the_plane(norm, kind):
    rng = np.random.default_rng(1)
    met = 0
    for seed in range(4):
        net = lr.load(gaussian(seed, 2, 5, 4, 3, 1))
        x = rng.uniform(-1, 1, (8, 2))
        cells = lr.subdivide(net, lr.Box(-2, 2))
        inside = lr.distance(net, x, norm=norm, kind=kind, domain=lr.Box(-2, 2))
        expected = edge_distances(cells, x, order(norm), kind)
        np.testing.assert_allclose(inside.distance, expected, rtol=1e-6)
        check_feet(net, inside, (-2, 2))
        free = lr.distance(net, x, norm=norm, kind=kind)
        assert (free.distance <= inside.distance * (1 + 1e-9)).all()
        here = inside.distance < 2 - abs(x).max(axis=1)  # the box is in nobody's way
        np.testing.assert_allclose(free.distance[here], expected[here], rtol=1e-6)
        met += int(free.crossed.sum())
    assert kind == "activation" or met > 0  # some walk was needed


def polygon_distance(x, corners):
    """Euclidean distance to a convex polygon in space (corners in order)."""
    a, b = corners, np.roll(corners, -1, axis=0)
    best = segment_distance(x, a, b, 2).min()
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    normal /= np.linalg.norm(normal)
    height = (x - corners[0]) @ normal
    foot = x - height * normal
    turns = np.cross(b - a, foot - a) @ normal
    return min(best, abs(height)) if (turns >= 0).all() or (turns <= 0).all() else best


@pytest.mark.parametrize("kind", ["activation", "linear"])
def test_nearest_face_in_space(kind):
    rng = np.random.default_rng(2)
    for seed in (3,):
        net = lr.load(gaussian(seed, 3, 5, 4, 1))
        cells = lr.subdivide(net, lr.Box(-1, 1))
        x = rng.uniform(-0.9, 0.9, (5, 3))
        sides = cells.facet_cells
        label = cells.linear if kind == "linear" else np.arange(cells.cells)
        inner = np.flatnonzero((sides[:, 1] >= 0) & (cells.facet_row >= 0))
        inner = [f for f in inner if label[sides[f, 0]] != label[sides[f, 1]]]
        ptr, vertices = cells.face_polygons()
        faces = [cells.points[vertices[ptr[f] : ptr[f + 1]]] for f in inner]
        expected = [min(polygon_distance(p, f) for f in faces) for p in x]
        found = lr.distance(net, x, domain=lr.Box(-1, 1), kind=kind)
        np.testing.assert_allclose(found.distance, expected, rtol=1e-7)


@settings(max_examples=15, deadline=None)
@given(net=networks(inputs=(2, 2), layers=(1, 3)), seed=st.integers(0, 99))
def test_degenerate_networks_in_the_plane(net, seed):
    net = lr.load(net)
    x = np.random.default_rng(seed).uniform(-1, 1, (5, 2))
    cells = lr.subdivide(net, lr.Box(-2, 2))
    for kind in ("activation", "linear"):
        found = lr.distance(net, x, domain=lr.Box(-2, 2), kind=kind)
        expected = edge_distances(cells, x, 2.0, kind)
        np.testing.assert_allclose(found.distance, expected, rtol=1e-6, atol=1e-9)


def probe(net, x, norm, directions=4000, seed=0):
    """Least distance at which the pattern changes along random directions, by halving."""
    rng = np.random.default_rng(seed)
    d = rng.standard_normal((directions, len(x)))
    d[: len(x)], d[len(x) : 2 * len(x)] = np.eye(len(x)), -np.eye(len(x))
    d /= np.linalg.norm(d, norm, axis=1)[:, None]
    lo, hi = np.zeros(directions), np.full(directions, 4.0)
    home = net.patterns(x)
    for _ in range(50):
        middle = (lo + hi) / 2
        same = (net.patterns(x + middle[:, None] * d) == home).all(axis=1)
        lo, hi = np.where(same, middle, lo), np.where(same, hi, middle)
    return lo.min()


def maxout(seed):
    rng = np.random.default_rng(seed)
    groups = tuple(tuple(range(3 * i, 3 * i + 3)) for i in range(3))
    first = lr.Layer(
        Affine.dense(rng.normal(size=(9, 2)), rng.normal(size=9), INPUT), MaxUnits(groups, 9)
    )
    kinds = [HARDTANH, leaky_relu(0.1), lr.Activation((-1, 0, 2), (0, 1, -1, 0.5), 0.3)]
    second = lr.Layer(
        Affine.dense(rng.normal(size=(3, 3)), rng.normal(size=3), 1), Pointwise.each(kinds)
    )
    return lr.Network(2, (first, second), Affine.dense(rng.normal(size=(1, 3)), None, 2))


@pytest.mark.parametrize("norm", NORMS)
def test_all_units_against_line_search(norm):
    rng = np.random.default_rng(5)
    for seed in range(4):
        net = maxout(seed)
        x = rng.uniform(-1, 1, (4, 2))
        found = lr.distance(net, x, norm=norm)
        check_feet(net, found)
        for i in range(len(x)):
            nearest = probe(net, x[i], order(norm), seed=i)
            assert found.distance[i] <= nearest * (1 + 1e-9)
            assert nearest <= found.distance[i] * 1.02 + 1e-9


def test_inputs_beyond_the_rank_and_many_points():
    """30 inputs, 12 first-layer units: the short gradients give the lengths of the full ones."""
    net = lr.load(gaussian(3, 30, 12, 12, 2))
    x = np.random.default_rng(0).normal(size=(3000, 30))
    W = [m.affine.rounded(i, 30 if i == 0 else 12)[0] for i, m in enumerate(net.layers)]
    b = [m.affine.rounded(-1, 1)[0][:, 0] for m in net.layers]
    z1 = x @ W[0].T + b[0]
    on = z1 > 0
    z2 = np.maximum(z1, 0) @ W[1].T + b[1]
    g2 = np.einsum("uj,pj,ji->pui", W[1], on, W[0])
    for norm in NORMS:
        dual = {2: 2, 1: np.inf, "inf": 1}[norm]
        first = abs(z1) / np.linalg.norm(W[0], dual, axis=1)
        second = abs(z2) / np.linalg.norm(g2, dual, axis=2)
        expected = np.concatenate([first, second], axis=1)
        found = lr.distance(net, x, norm=norm)
        np.testing.assert_allclose(found.distance, expected.min(axis=1), rtol=1e-9)
        np.testing.assert_array_equal(found.unit, expected.argmin(axis=1))
        assert (abs(found.distance - expected.min(axis=1)) <= found.error + 1e-15).all()
        np.testing.assert_array_equal(found.layer, 1 + (found.unit >= 12))


def test_linear_needs_more_than_the_formula():
    """A unit that nobody reads has a boundary of activation regions, none of linear ones."""
    net = lr.load([([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), ([[0.0, 1.0]], [0.0])])
    x = [[0.1, 0.7], [-0.2, -0.3]]
    np.testing.assert_allclose(lr.distance(net, x).distance, [0.1, 0.2])
    found = lr.distance(net, x, kind="linear")
    np.testing.assert_allclose(found.distance, [0.7, 0.3])
    np.testing.assert_array_equal(found.crossed, [1, 1])
    # |x| = relu(x) + relu(-x) bends at 0; relu(x) - relu(-x) = x nowhere
    both = ([[1.0], [-1.0]], [0.0, 0.0])
    assert lr.distance([both, ([[1.0, 1.0]], [0.0])], [[2.0]], kind="linear").distance == [2.0]
    straight = lr.distance([both, ([[1.0, -1.0]], [0.0])], [[2.0]], kind="linear")
    assert straight.distance == [np.inf] and straight.unit == [-1]


def test_ties_and_points_on_a_boundary():
    net = lr.load([([[1.0, 0.0], [0.0, 1.0], [-2.0, 0.0]], [0.0] * 3), ([[1.0, 1.0, 1.0]], [0.0])])
    found = lr.distance(net, [[1.0, 1.0], [0.0, 2.0], [3.0, 1.0]])
    np.testing.assert_array_equal(found.distance, [1.0, 0.0, 1.0])
    np.testing.assert_array_equal(found.unit, [0, 0, 1])
    np.testing.assert_array_equal(found.tied, [3, 2, 1])


def test_a_foot_outside_the_box():
    """The hyperplane x + 4 y = 5.2 from (0, 1): the free foot is above y = 1."""
    net = lr.load([([[1.0, 4.0]], [-5.2]), ([[1.0]], [0.0])])
    x, box = [[0.0, 1.0]], lr.Box([-2, -2], [2, 1])
    for norm, expected in ((2, 1.2), (1, 1.2), ("inf", 1.2)):
        found = lr.distance(net, x, norm=norm, domain=box)
        np.testing.assert_allclose(found.distance, expected)
        np.testing.assert_allclose(found.foot, [[1.2, 1.0]])
    assert lr.distance(net, x).distance < 0.3  # 1.2 / sqrt(17)
    away = lr.distance(net, x, domain=lr.Box([-2, -2], [1, 1]))
    assert away.distance == [np.inf] and np.isnan(away.foot).all()


def test_bad_input():
    net = gaussian(0, 3, 4, 1)
    bad = [
        (np.zeros((0, 3)), {}, "no points"), (np.zeros((2, 4)), {}, "give \\(points, 3\\)"),
        ([[0.0, np.nan, 0.0]], {}, "NaN"), ([["a", 1, 2]], {}, "not numbers"),
        (np.zeros((1, 3)), {"norm": 3}, "norm"), (np.zeros((1, 3)), {"kind": "affine"}, "kind"),
        (np.ones((1, 3)), {"domain": lr.Box(-1, 0)}, "outside"),
        (np.ones((1, 3)), {"domain": lr.Polytope(np.eye(3), np.ones(3))}, "Box"),
        ([], {}, "no points"), (np.zeros((2, 2, 3)), {}, "shape"),
    ]  # fmt: skip
    for points, options, message in bad:
        with pytest.raises(lr.LinregionsError, match=message):
            lr.distance(net, points, **options)


def test_a_network_without_units():
    found = lr.distance([([[1.0, 2.0]], [0.0])], [[0.0, 1.0]])
    assert found.distance == [np.inf] and found.tied == [0]


def test_real_networks():
    """The way to each foot is free, and ends on its boundary."""
    rng = np.random.default_rng(0)
    for name in ("mnistfc/mnist-net_256x2.onnx", "small/mnist5x20_leaky_relu.onnx"):
        net = lr.load(shared(name))
        x = rng.uniform(0.1, 1, (4, net.inputs))
        for norm in NORMS:
            check_feet(net, lr.distance(net, x, norm=norm))


def test_command_line(tmp_path):
    import json

    model = write_npz(tmp_path / "net.npz", gaussian(0, 3, 4, 1))
    points, out = tmp_path / "points.npy", tmp_path / "out.npz"
    x = np.random.default_rng(0).normal(size=(5, 3))
    np.save(points, x)
    done = run_here("measure", "distance", model, "--data", points, "--norm", "inf", "--json")
    answer = json.loads(done.stdout)
    expected = lr.distance(lr.load(model), x, norm="inf").distance
    np.testing.assert_allclose(answer["distance"], expected)
    done = run_here("measure", "distance", model, "--data", points, "--kind", "linear", "-o", out)
    assert done.returncode == 0 and "median" in done.stdout
    with np.load(out) as file:
        assert file["foot"].shape == (5, 3)
    np.save(points, x[:, :2])
    done = run_here("measure", "distance", model, "--data", points)
    assert done.returncode == 2 and "give (points, 3)" in done.stderr


def test_the_example(capsys):
    runpy.run_path(str(EXAMPLES / "distance_in_the_plane.py"))["main"]()
    _, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(float(line.rsplit(" ", 1)[1]) < 1e-9 for line in lines)
