"""Networks whose counts are theorems or published values."""

import json
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from data import shared
from helpers import patterns
from known import (
    NETWORKS,
    arrangement,
    braid_generic_translate,
    central,
    convolution,
    generic,
    tent,
    ulp,
    xiong,
    xiong_counterexample,
    zaslavsky,
)

import linregions as lr

COUNTED = ("pattern", "activation", "linear", "closed", "affine")


@pytest.mark.parametrize("name", NETWORKS)
def test_known_counts(name):
    net, expected = NETWORKS[name]()
    for kind in set(expected) & set(COUNTED):
        answer = lr.count(net, kind=kind)
        assert (kind, answer, answer.exact) == (kind, expected[kind], True)


def test_all_definitions_differ_on_one_network():
    net, _ = NETWORKS["d"]()
    assert [lr.count(net, kind=kind) for kind in COUNTED] == [19, 14, 8, 7, 6]


def test_a_central_arrangement_of_many_planes():
    """Every cell is unbounded, ties are the rule: 2 (C(23, 0) + C(23, 1) + C(23, 2)) cells."""
    net, expected = central(24, 3)
    assert lr.count(net) == expected["activation"] == 554


@pytest.mark.parametrize(("m", "n"), [(12, 1), (9, 2), (8, 3), (9, 4), (8, 5), (8, 7)])
def test_hyperplanes_in_general_position(m, n):
    """Zaslavsky: sum of C(m, i) cells, of which C(m - 1, n) are bounded."""
    net, _ = generic(m, n, seed=1)
    cells = list(lr.regions(net))
    assert len(cells) == zaslavsky(m, n)
    assert sum(c.bounded for c in cells) == comb(m - 1, n)


@pytest.mark.parametrize("side", [1, -1])
def test_a_cell_without_any_float(side):
    """Kinks at 1 and 1 / (1 - 2^-53): the cell between them holds no float64."""
    net, _ = ulp()
    net = [(side * net[0][0], net[0][1]), net[1]]
    network = lr.load(net)
    assert lr.count(network) == lr.count(network, lr.Box(-2, 2)) == 3
    assert lr.count(network, kind="linear") == 3
    (middle,) = [r for r in lr.regions(network) if r.pattern.tolist() == [1, 0]]
    (x,) = middle.exact_point
    assert 1 < side * x < 1 / (1 - Fraction(1, 2**53))
    assert Fraction(float(x)) != x
    assert network.exactly([x])[1] == [1, 0]
    near = [1.0, np.nextafter(1.0, 2.0), np.nextafter(1.0, 0.0), float(x)]
    assert not any(network.exactly([side * v])[1] == [1, 0] for v in near)


def test_the_subtree_of_a_cell_without_any_float():
    """A second layer cuts the thin cell: its kinks lie between two neighbouring floats."""
    thin, e = Fraction(1, 2**53), 2.0**-53
    # on [1, 1 / (1 - e)] the first unit runs over [0, e / (1 - e)], the second one is off
    net = [([[1], [1 - e]], [-1, -1]), ([[1, -4], [1, -8]], [-e / 4, -e / 2]), ([[1, 1]], [0])]
    found = {tuple(r.pattern.tolist()): r for r in lr.regions(net)}
    inner = {p: r for p, r in found.items() if p[:2] == (1, 0)}
    assert set(inner) == {(1, 0, 0, 0), (1, 0, 1, 0), (1, 0, 1, 1)}
    for r in inner.values():
        assert 1 < r.exact_point[0] < 1 / (1 - thin)
        assert lr.load(net).exactly(r.exact_point)[1] == r.pattern.tolist()


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6, 7])
def test_tents(depth):
    net, expected = tent(depth)
    assert lr.count(net, kind="linear") == expected["linear"]
    assert lr.count(net, lr.Box(0, 1), kind="linear") == 2**depth
    assert lr.count(net, lr.Box(0, 1)) == 2**depth


def test_the_counterexample_lacks_one_pattern():
    """Xiong et al. give 256 patterns; the first of these eight signs cannot occur."""
    net, _ = xiong_counterexample()
    found = patterns(net)
    assert len(found) == 255
    missing = {tuple(int(c) for c in f"{i:08b}") for i in range(256)} - found
    assert missing == {(1, 0, 1, 1, 0, 0, 0, 1)}


@pytest.mark.parametrize("d", [5, 6, 7, 8])
def test_convolutions_of_published_table(d):
    net, expected = xiong(d)
    assert lr.count(net) == expected["activation"]


# -- values computed with exact arithmetic elsewhere -----------------------------------------


@pytest.fixture(scope="module")
def reference():
    return json.loads(shared("../theory/reference_values.json").read_text())


def test_reference_arrangements(reference):
    for key, value in reference["zaslavsky"].items():
        m, n = map(int, key.split(","))
        if value < 10_000:
            assert lr.count(generic(m, n, seed=2)[0]) == value
    for key, value in reference["zaslavsky_central"].items():
        m, n = map(int, key.split(","))
        assert lr.count(central(m, n, seed=2)[0]) == value
    for key, value in reference["bounded_regions_generic"].items():
        m, n = map(int, key.split(","))
        assert sum(r.bounded for r in lr.regions(generic(m, n, seed=2)[0])) == value


def test_reference_deformations_of_the_braid_arrangement(reference):
    for name, values in reference["nongeneric"].items():
        for n, value in values.items():
            build = braid_generic_translate if name.startswith("braid_") else None
            net, _ = build(int(n)) if build else arrangement(name, int(n))
            assert (name, n, lr.count(net)) == (name, n, value)


def test_reference_convolutions(reference):
    """The formula of Xiong et al. where it is right (inputs of one row), else the truth."""
    rng = np.random.default_rng(8)

    def counted(shape, window, filters):
        weights = rng.standard_normal((filters, *window))
        return lr.count(convolution(tuple(shape), weights, rng.standard_normal(filters)))

    for case in reference["xiong_eq4"]:
        plain = case["d0"] == 1 and case["s"] == [1, 1] and case["n0"][0] == 1
        for filters, value in enumerate(map(int, case["values"]), start=1):
            if plain and value < 3000:
                assert (case["n0"], counted(case["n0"], case["f"], filters)) == (case["n0"], value)
    for case in reference["xiong_true_vs_eq4_2D"]:
        if case["true"] < 3000:
            assert counted(case["n0"], case["f"], case["d1"]) == case["true"]
    case = reference["xiong_counterexample"]
    net = convolution((3, 3), case["filters"], case["biases"])
    assert lr.count(net) == case["regions"]


def test_reference_definitions(reference):
    for name, case in reference["six_definitions"].items():
        net, _ = NETWORKS[name.lower()]()
        if "layer1_W" in case:
            names = ("layer1_", "layer2_", "out_")
            net = [(case[f"{part}W"], case[f"{part}b"]) for part in names]
        found = [lr.count(net, kind=kind) for kind in COUNTED]
        assert (name, found) == (name, [case[f"R{n}"] for n in (1, 2, 4, 5, 6)])


def test_reference_tents(reference):
    for depth, case in reference["tent_telgarsky"].items():
        net, _ = tent(int(depth))
        assert lr.count(net, kind="linear") == case["on_R"]
        assert lr.count(net, lr.Box(0, 1), kind="linear") == case["on_01"]
