"""Expected counts: exact values of the sheet, and means of thousands of counted networks."""

import itertools
from fractions import Fraction
from math import pi, sqrt

import numpy as np
import pytest
from reference import reference
from test_expectations import expectation, sample

import linregions as lr
from linregions.theory import expectation as expect


def agrees(counts, mean, errors=5):
    """Within five standard errors."""
    error = np.std(counts, ddof=1) / np.sqrt(len(counts))
    assert error > 0
    assert abs(np.mean(counts) - float(mean)) < errors * error, (np.mean(counts), mean, error)


def below(counts, bound, errors=5):
    error = np.std(counts, ddof=1) / np.sqrt(len(counts))
    assert np.mean(counts) - errors * error <= float(bound), (np.mean(counts), bound)


def test_two_layers_of_wang():
    for row in reference("wang"):
        at = row["n1"], row["n2"]
        assert expect.wang_k(*at) == Fraction(row["K"])
        assert [float(v) for v in expect.wang_two_layers(*at)] == [row["lower"], row["upper"]]
        assert expect.wang_two_layers_activation(*at) == Fraction(row["E_activation_exact"])


def test_two_proofs_of_the_exact_expectation():
    """Zaslavsky on orthants, and Wendel's theorem (the other test file)."""
    for n1 in range(1, 6):
        for n2 in range(1, 6):
            assert expect.wang_two_layers_activation(n1, n2) == expectation(n1, n2)


def test_the_other_parts_of_wang():
    for n, value in reference("wang_part1").items():
        assert float(expect.wang_narrow(int(n))) == value
    for n, pair in reference("wang_part3").items():
        assert [float(v) for v in expect.wang_width_two(int(n))] == pytest.approx(pair, rel=1e-15)


def test_where_theorem_1_1_follows():
    """From n = 6 on, not only from n = 9: K(n, n) + 1 > 6 (175/64)^(n - 1)."""
    holds = [expect.wang_two_layers(n, n)[0] > expect.wang_width_two(n)[1] for n in range(2, 30)]
    assert holds == [n >= 6 for n in range(2, 30)]


def test_published_simulations_lie_where_they_should():
    for widths, row in reference("wang_sim").items():
        n = [int(v) for v in widths.strip("[]").split(",")]
        if len(n) == 2:
            exact = expect.wang_two_layers_activation(*n)
            assert abs(row["act"] - exact) < 5 * row["act_se"]
            low, high = expect.wang_two_layers(*n)
            assert low - 5 * row["lin_se"] <= row["lin"] <= high + 5 * row["lin_se"]
        elif set(n) == {1}:
            assert row["lin"] <= expect.wang_narrow(len(n)) + 5 * row["lin_se"]
        else:
            low, high = expect.wang_width_two(len(n))
            assert low <= row["lin"] <= high


@pytest.mark.parametrize(("n1", "n2"), [(1, 2), (2, 3), (3, 2)])
def test_activation_regions_of_random_networks(n1, n2):
    agrees(sample(n1, n2, 1000, n1, seed=n1 + 7 * n2), expect.wang_two_layers_activation(n1, n2))


def linear_counts(widths, inputs, networks, seed):
    rng = np.random.default_rng(seed)
    counts = []
    for _ in range(networks):
        sizes = [inputs, *widths, 1]
        net = [
            (rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 1, m))
            for n, m in itertools.pairwise(sizes)
        ]
        counts.append(int(lr.count(net, kind="linear")))
    return np.array(counts)


@pytest.mark.parametrize("widths", [(1, 1), (1, 1, 1), (2, 2), (2, 2, 2)])
def test_linear_regions_of_random_networks(widths):
    counts = linear_counts(widths, max(widths), 400, seed=len(widths))
    depth = len(widths)
    if widths[0] == 1:
        below(counts, expect.wang_narrow(depth))
    else:
        low, high = expect.wang_width_two(depth)
        below(counts, high)
        below(-counts, -low)
    if depth == 2:
        low, high = expect.wang_two_layers(*widths)
        below(counts, high)
        below(-counts, -low)


def test_one_unit_twice_has_two_linear_regions_on_average():
    agrees(linear_counts((1, 1), 1, 700, seed=9), 2)


# -- Hanin and Rolnick ------------------------------------------------------------------------


def test_kinks_of_one_layer():
    row = reference("hr19a_thm3_1d")
    assert expect.kinks_on_a_line(row["N"], *row["K"]) == pytest.approx(row["E_breakpoints"])
    assert expect.kinks_on_a_line(7) == pytest.approx(7)  # on all of R every unit has its kink
    rng = np.random.default_rng(0)
    counts = []
    for _ in range(1000):
        W, b = 2 * rng.standard_normal((6, 1)), 0.5 * rng.standard_normal(6)
        counts.append(int(lr.count([(W, b), (np.ones((1, 6)), None)], lr.Box(-0.1, 0.7))) - 1)
    agrees(counts, expect.kinks_on_a_line(6, -0.1, 0.7, 2.0, 0.5))


def gaussian_network(rng, n0, widths, sigma):
    sizes = [n0, *widths]
    layers = [
        (rng.normal(0, sqrt(2 / n), (m, n)), rng.normal(0, sigma, m))
        for n, m in itertools.pairwise(sizes)
    ]
    return [*layers, (np.ones((1, widths[-1])), None)]


def test_gradient_moments_are_exact():
    net = expect.Gaussian(3, [4, 2, 5], sigma_b=0.3)
    assert [net.gradient_moment(l, 1) for l in (1, 2, 3)] == [2, 2, 2]  # He: 2 in every layer
    assert net.gradient_moment(1, 2) == Fraction(4, 9) * 3 * 5
    rng, x = np.random.default_rng(0), np.array([0.3, -1.0, 0.5])
    values = []
    for _ in range(10000):
        *layers, _ = gaussian_network(rng, 3, [4, 2, 5], 0.3)
        gradient, h = np.eye(3), x
        for W, b in layers[:2]:
            z = W @ h + b
            gradient, h = (W @ gradient) * (z > 0)[:, None], np.maximum(z, 0)
        values.append(((layers[2][0] @ gradient)[0] ** 2).sum())
    agrees(values, net.gradient_moment(3, 1))
    agrees(np.square(values), net.gradient_moment(3, 2))


def test_corollary_4_on_a_segment_and_the_cube_bound():
    rng = np.random.default_rng(2)
    line = expect.Gaussian(1, [5, 5], sigma_b=1.0)
    counts = [
        int(lr.count(gaussian_network(rng, 1, [5, 5], 1.0), lr.Box(-1, 1))) for _ in range(200)
    ]
    below(counts, line.regions_on_a_segment(2.0))
    square = expect.Gaussian(2, [4, 4], sigma_b=1.0)
    counts = [
        int(lr.count(gaussian_network(rng, 2, [4, 4], 1.0), lr.Box(-1, 1))) for _ in range(200)
    ]
    below(counts, square.cube(2.0))
    assert square.cube(2.0) <= 2**8
    for n, units in ((1, 3), (2, 5), (3, 8)):
        rate = square.c_grad(2) * square.c_bias
        assert expect.cube(n, units, 0.0, rate) == pytest.approx(min(2**n, 2**units))
        assert expect.cube(n, units, 1.0, rate) <= expect.hanin_rolnick_cube(n, units, 1.0, rate)


def test_corollary_5():
    """The mean distance to the activation boundary, from the exact formula of one layer."""
    rng, net = np.random.default_rng(1), expect.Gaussian(2, [10], sigma_b=1.0)
    W, b = rng.normal(0, 1, (4000, 10, 2)), rng.normal(0, 1, (4000, 10))
    x = rng.uniform(-1, 1, (4000, 2))
    z = np.einsum("kij,kj->ki", W, x) + b
    distances = (np.abs(z) / np.linalg.norm(W, axis=2)).min(axis=1)
    assert distances.mean() > net.distance() > 0
    assert net.distance(breakpoints=2) == pytest.approx(net.distance() / 2)


def test_constants():
    net = expect.Gaussian(4, [3, 3], gain=1, sigma_b=0.5)
    assert net.c_bias == pytest.approx(1 / (0.5 * sqrt(2 * pi)))
    assert net.gradient_moment(2, 1) == Fraction(1, 2)
    assert net.c_grad(1) <= net.c_grad(3) <= net.c_grad(5)  # Lyapunov
    assert net.boundary_density(2) == pytest.approx(15 * (net.c_grad(2) * net.c_bias) ** 2)


def test_tseran_and_montufar():
    """Rank 2 is one unit of two pieces: n! times as many as C(2n, 2n) = 1 allows."""
    for n in (1, 2, 3):
        maxout = expect.tseran_montufar_cube(n, 10, 2, 1.0, 1.0)
        assert maxout == pytest.approx(2**n * expect.hanin_rolnick_cube(n, 10, 1.0, 1.0))
    assert expect.tseran_montufar_boundary(2, 3, 2, 1.0, 1.0) == 16**2 * 12


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: expect.wang_width_two(1), "at least 2"),
        (lambda: expect.wang_narrow(0), "at least 1"),
        (lambda: expect.kinks_on_a_line(3, 1, 0), "interval"),
        (lambda: expect.kinks_on_a_line(3, 0, 1, sigma_b=0), "sigma_b"),
        (lambda: expect.Gaussian(2, [3], sigma_b=float("inf")), "sigma_b"),
        (lambda: expect.Gaussian(2, []), "empty"),
        (lambda: expect.Gaussian(2, [3]).gradient_moment(2, 1), "layer 2 of a network with 1"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(lr.LinregionsError, match=words):
        call()
