"""Boundary volume: exact faces, Crofton's formula against them, and Theorem 3's expectation."""

import json

import numpy as np
import pytest
from helpers import gaussian, run_here, write_npz

import linregions as lr
from linregions.measure.chords import through_ball, through_box, through_polytope
from linregions.network.affine import INPUT, Affine
from linregions.network.units import HARDTANH, RELU, MaxUnits

CROSS = [([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])]


def maxout():
    rng = np.random.default_rng(4)
    units = MaxUnits(((0, 1, 2), (3, 4, 5)), 6)
    layer = lr.Layer(Affine.dense(rng.normal(size=(6, 2)), rng.normal(size=6), INPUT), units)
    return lr.Network(2, (layer,), Affine.dense(rng.normal(size=(1, 2)), np.zeros(1), 1))


def within(found, exact):
    """Three standard errors, which must themselves be small enough to say something."""
    assert found.method == "crofton" and exact.method == "exact"
    assert 0 < found.standard_error < 0.1 * exact.value
    return abs(found.value - exact.value) < 3 * found.standard_error


# -- exact --------------------------------------------------------------------------------------


def test_a_cross_and_its_vertex():
    for width in (1.0, 2.5):
        box = lr.Box(-width, width)
        found = lr.boundary_volume(CROSS, box)
        assert found.value == pytest.approx(4 * width) and found.interval == (found.value,) * 2
        assert found.density == pytest.approx(1 / width)
        assert lr.boundary_volume(CROSS, box, codimension=2).value == 1


def test_planes_lines_and_the_point_of_a_cube():
    eye = [(np.eye(3), np.zeros(3)), (np.ones((1, 3)), [0.0])]
    values = [lr.boundary_volume(eye, lr.Box(-1, 1), codimension=c).value for c in (1, 2, 3)]
    np.testing.assert_allclose(values, [12, 6, 1])


def test_one_layer_in_general_position_has_its_chosen_vertices():
    W, b = np.array([[1.0, 0.3], [0.2, 1.0], [-1.0, 1.1]]), np.array([0.1, -0.2, 0.3])
    pairs = [(i, j) for i in range(3) for j in range(i)]
    inside = [abs(np.linalg.solve(W[[i, j]], -b[[i, j]])).max() < 1 for i, j in pairs]
    net = [(W, b), (np.ones((1, 3)), [0.0])]
    assert lr.boundary_volume(net, lr.Box(-1, 1), codimension=2).value == sum(inside) > 0


def test_linear_leaves_out_what_changes_no_map():
    nobody = [([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), ([[1.0, 0.0]], [0.0])]
    assert lr.boundary_volume(nobody, lr.Box(-1, 1)).value == 4
    assert lr.boundary_volume(nobody, lr.Box(-1, 1), kind="linear").value == 2
    half = [*CROSS[:1], ([[1.0, 1.0]], [-0.5]), ([[1.0]], [0.0])]
    exact = lr.boundary_volume(half, lr.Box(-1, 1), kind="linear")
    assert 2 < exact.value < lr.boundary_volume(half, lr.Box(-1, 1)).value
    assert within(lr.boundary_volume(half, lr.Box(-1, 1), kind="linear", lines=3000), exact)


def test_duplicates_count_once_and_sides_of_the_box_not_at_all():
    twice = [([[1.0, 0.0], [2.0, 0.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])]
    assert lr.boundary_volume(twice, lr.Box(-1, 1)).value == 2
    assert lr.boundary_volume(CROSS, lr.Box(0, 1)).value == 0
    assert lr.boundary_volume(twice, lr.Segment([-1.0, 0.0], [1.0, 0.0])).value == 1


# -- Crofton ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3])
def test_chords_give_the_surface_its_own_measure(n):
    """A line meets the surface twice; here the surface of a smaller cube, or a half-space."""
    lo, hi = np.arange(n) - 1.0, np.arange(n) + 1.0 + 0.5 * np.arange(n)
    A, b = np.concatenate([np.eye(n), -np.eye(n)]), np.concatenate([hi, -lo])
    radius = np.linalg.norm(hi - lo) / 2
    side = (hi - lo) / 2  # an inner box of half the size
    surface = 2 * sum(np.prod(np.delete(side, i)) for i in range(n))
    a, c = lo + side / 2, hi - side / 2
    bodies = (through_box(lo, hi), through_ball((lo + hi) / 2, radius), through_polytope(A, b))
    for body in bodies:
        p, q = body.draw(np.random.default_rng(1), 40_000).transpose(1, 0, 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            s, t = (a - p) / (q - p), (c - p) / (q - p)
        first, last = np.minimum(s, t).max(axis=1), np.maximum(s, t).min(axis=1)
        hit = 2.0 * (first < last)
        value = np.exp(body.surface) / 2 * hit.mean()
        error = np.exp(body.surface) / 2 * hit.std() / 200
        assert abs(value - surface) <= 3 * error + 1e-9 * surface


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("kind", ["activation", "linear"])
def test_crofton_against_exact_lengths_and_areas(n, kind):
    for seed in range(3):
        net = gaussian(seed, n, 6, 5, 1)
        box = lr.Box(np.full(n, -1.0), 1.0 + np.arange(n))
        exact = lr.boundary_volume(net, box, kind=kind)
        found = lr.boundary_volume(net, box, kind=kind, lines=6000, seed=seed + 10)
        assert within(found, exact)
        assert found.density == pytest.approx(found.value / 2 / np.prod(2.0 + np.arange(n)[1:]))
        low, high = found.interval
        assert low == pytest.approx(found.value - 1.96 * found.standard_error) and high > low


@pytest.mark.parametrize("n", [2, 3])
def test_crofton_has_no_bias_and_its_errors_are_what_they_say(n):
    """Many seeds: errors over standard errors have mean 0 and spread 1, and 95 % intervals cover
    as often as a binomial lets them (three standard deviations each)."""
    net, box = gaussian(3, n, 6, 5, 1), lr.Box(np.full(n, -1.0), 1.0 + np.arange(n))
    exact, runs = lr.boundary_volume(net, box).value, 150
    found = [lr.boundary_volume(net, box, lines=256, seed=seed) for seed in range(runs)]
    z = np.array([(f.value - exact) / f.standard_error for f in found])
    assert abs(z.mean()) < 3 / runs**0.5
    assert abs(z.std(ddof=1) - 1) < 3 / (2 * runs) ** 0.5
    covered = sum(f.interval[0] <= exact <= f.interval[1] for f in found)
    assert abs(covered / runs - 0.95) < 3 * (0.95 * 0.05 / runs) ** 0.5


def test_crofton_in_polytopes_planes_and_with_max_units():
    triangle = lr.Polytope([[1.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], [1.0, 1.0, 1.0])
    plane = lr.Plane.through(*np.random.default_rng(0).normal(size=(3, 5)))
    cases = ((gaussian(0, 2, 6, 5, 1), triangle, 3000), (gaussian(1, 5, 9, 7, 1), plane, 2000))
    for net, domain, lines in (*cases, (maxout(), lr.Box(-2, 2), 150)):
        exact = lr.boundary_volume(net, domain)
        assert within(lr.boundary_volume(net, domain, lines=lines), exact)


def test_a_ball_of_one_hyperplane_in_many_dimensions():
    """The disc that a hyperplane cuts from a ball, in 8 dimensions."""
    from math import gamma, pi

    n, w = 8, np.random.default_rng(0).normal(size=8)
    net = [([w], [-0.5 * np.linalg.norm(w)]), ([[1.0]], [0.0])]
    found = lr.boundary_volume(net, lr.Ball(0.0, 1.0), lines=8000)
    exact = pi ** ((n - 1) / 2) / gamma((n - 1) / 2 + 1) * (1 - 0.25) ** ((n - 1) / 2)
    assert abs(found.value - exact) < 3 * found.standard_error < 0.3 * exact


def test_many_dimensions_and_what_leaves_the_floats():
    net = gaussian(0, 784, 60, 1)
    found = lr.boundary_volume(net, lr.Box(-3, 3), lines=500)
    assert found.value == np.inf and found.interval is None
    assert 0 < found.density < np.inf
    again = lr.boundary_volume(net, lr.Box(-3, 3), lines=500)
    assert again.density == found.density
    assert lr.boundary_volume(net, lr.Box(-3, 3), lines=500, seed=1).density != found.density


def test_anytime_and_too_few_hits():
    net = gaussian(0, 6, 5, 1)
    short = lr.boundary_volume(net, lr.Box(-1, 1), seconds=0.3)
    assert short.method == "crofton" and short.stopped == "seconds"
    assert "(stopped: seconds)" in repr(short)
    again = lr.boundary_volume(net, lr.Box(-1, 1), lines=short.lines)
    assert again.value == short.value and again.complete
    nothing = lr.boundary_volume(net, lr.Box(50, 51), lines=300)
    assert nothing.value == 0 and nothing.hits == 0 and nothing.interval is None


# -- Theorem 3 ----------------------------------------------------------------------------------


def test_five_kinks_of_ten_units():
    nets = lr.RandomNetworks((1, 10, 1), weight_std=1.0)
    found = lr.expected_boundary_volume(nets, lr.Box(-1, 1), networks=40_000)
    assert abs(found.value - 5) < 3 * found.standard_error < 0.05
    rng = np.random.default_rng(0)
    kinks = [lr.boundary_volume(nets.network(rng), lr.Box(-1, 1)).value for _ in range(300)]
    assert abs(np.mean(kinks) - 5) < 3 * np.std(kinks) / 300**0.5


@pytest.mark.parametrize(
    ("widths", "activation", "kind", "codimension", "bias"),
    [
        ((2, 4, 4, 1), RELU, "activation", 1, "normal"),
        ((2, 4, 4, 1), RELU, "activation", 2, "normal"),
        ((2, 2, 2, 2, 1), RELU, "linear", 1, "normal"),
        ((2, 3, 3, 1), HARDTANH, "activation", 1, "uniform"),
        ((2, 3, 3, 1), HARDTANH, "activation", 2, "normal"),
    ],
)
def test_the_theorem_holds(widths, activation, kind, codimension, bias):
    nets = lr.RandomNetworks(widths, activation, bias=bias)
    rng, box = np.random.default_rng(11), lr.Box(-1, 1)
    options = {"kind": kind, "codimension": codimension}
    drawn = [nets.network(rng) for _ in range(400)]
    seen = np.array([lr.boundary_volume(net, box, **options).value for net in drawn])
    found = lr.expected_boundary_volume(nets, box, networks=20_000, **options)
    error = np.hypot(found.standard_error, seen.std() / len(seen) ** 0.5)
    assert abs(seen.mean() - found.value) < 3 * error < 0.2 * found.value


# -- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ([lr.Space()], {}, "unbounded"),
        ([lr.Box(0, np.inf)], {}, "unbounded"),
        ([lr.Polytope([[1.0, 0.0]], [1.0])], {}, "unbounded"),
        ([lr.Polytope([[1.0, 1.0], [-1.0, 0.0], [1.0, 0.0]], [1.0] * 3)], {"lines": 9}, "unbound"),
        ([lr.Box(-1, 1)], {"kind": "affine"}, "activation or linear"),
        ([lr.Box(-1, 1)], {"method": "guess"}, "auto, exact or crofton"),
        ([lr.Box(-1, 1)], {"codimension": 3}, "give 1 to 2"),
        ([lr.Box(-1, 1)], {"codimension": 2, "kind": "linear"}, "give kind='activation'"),
        ([lr.Box(-1, 1)], {"codimension": 2, "method": "crofton"}, "codimension 1"),
        ([lr.Box(-1, 1)], {"lines": 0}, "at least 2"),
        ([lr.Box(-1, 1)], {"seconds": -1.0}, "0 or more"),
        ([lr.Box(-1, 1)], {"lines": 5, "method": "exact"}, "crofton"),
        ([lr.Box(1, 1)], {}, "single point"),
        ([lr.Ball(0.0, 1.0)], {"method": "exact"}, "a ball"),
        ([lr.Ball([0.0] * 3, 1.0)], {}, "3 entries"),
        (["here"], {}, "no domain"),
    ],
)
def test_bad_input(arguments, options, words):
    with pytest.raises(lr.LinregionsError, match=words):
        lr.boundary_volume(CROSS, *arguments, **options)


def test_bad_ensembles_and_balls():
    nets = lr.RandomNetworks((2, 300, 1))
    for make, words in (
        (lambda: lr.Ball(0.0, -1.0), "positive"),
        (lambda: lr.Ball([np.nan], 1.0), "finite"),
        (lambda: lr.RandomNetworks((2, 1)), "widths"),
        (lambda: lr.RandomNetworks((2, 3, 1), bias_std=0.0), "density"),
        (lambda: lr.RandomNetworks((2, 3, 1), bias="cauchy"), "normal or uniform"),
        (lambda: lr.expected_boundary_volume(nets, lr.Space()), "Box"),
        (lambda: lr.expected_boundary_volume(nets, lr.Box(0, np.inf)), "bounded"),
        (lambda: lr.expected_boundary_volume(nets, lr.Box(0, 1), codimension=2), "sets"),
        (lambda: lr.expected_boundary_volume(nets, lr.Box(0, 1), networks=1), "at least 2"),
    ):
        with pytest.raises(lr.LinregionsError, match=words):
            make()


def test_the_command(tmp_path):
    path = tmp_path / "net.npz"
    write_npz(path, CROSS)
    ran = run_here("measure", "volume", path, "--box=-1,1", "--json")
    code, out = ran.returncode, ran.stdout
    facts = json.loads(out)
    assert code == 0 and facts["value"] == 4 and facts["exact"] and facts["interval"] == [4, 4]
    ran = run_here("measure", "volume", path, "--box=-1,1", "--lines", "400", "--json")
    code, out = ran.returncode, ran.stdout
    facts = json.loads(out)
    assert facts["method"] == "crofton" and facts["lines"] == 400
    assert abs(facts["value"] - 4) < 3 * facts["standard_error"]
    ran = run_here("measure", "volume", path)
    code, error = ran.returncode, ran.stderr
    assert code == 2 and "unbounded" in error and error.count("\n") == 1
