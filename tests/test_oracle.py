"""The reference counts themselves: known numbers, second methods, and what must not change them."""

import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from known import NETWORKS, central, tent, ulp, wang

from linregions.testing.oracle import (
    activation_patterns,
    affine_maps,
    all_patterns,
    arrangement_regions,
    box,
    cells,
    closed_regions,
    facet_neighbours,
    interior_points,
    linear_regions,
    rational,
)
from linregions.testing.strategies import networks, problems

COUNTS = {
    "pattern": lambda *args: len(all_patterns(*args)),
    "activation": lambda *args: len(activation_patterns(*args)),
    "linear": linear_regions,
    "closed": closed_regions,
    "affine": affine_maps,
}


def forward(net, x, slope=0):
    """Bits and outputs of a network at a rational point, one number at a time."""
    bits, values = [], list(x)
    for layer, (W, b) in enumerate(net):
        pairs = zip(W, b, strict=True)
        values = [
            sum((rational(w) * v for w, v in zip(row, values, strict=True)), rational(c))
            for row, c in pairs
        ]
        if layer + 1 < len(net):
            bits += [int(v > 0) for v in values]
            values = [v if v > 0 else rational(slope) * v for v in values]
    return tuple(bits), values


def gaussian(seed, *widths):
    rng = np.random.default_rng(seed)
    sizes = pairwise(widths)
    return [(rng.standard_normal((m, n)), rng.standard_normal(m)) for n, m in sizes]


@pytest.mark.parametrize("name", NETWORKS)
def test_known_counts(name):
    net, expected = NETWORKS[name]()
    assert {kind: COUNTS[kind](net) for kind in expected} == expected


def test_known_counts_of_larger_arrangements():
    net, expected = central(24, 3)
    assert len(activation_patterns(net)) == expected["activation"] == 554


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_tent_on_the_unit_interval(depth):
    net, _ = tent(depth)
    assert linear_regions(net, ("box", [0], [1])) == 2**depth


@pytest.mark.parametrize("side", [1, -1])
def test_thin_cells_have_rational_witnesses(side):
    net, _ = ulp()
    found = interior_points([(side * np.array(net[0][0]), net[0][1]), net[1]])
    middle = found[(1, 0)][0]
    assert 1 < abs(middle) < 1 + Fraction(2, 2**52)
    assert Fraction(float(middle)) != middle


def test_domain_boundaries():
    line = [([[1]], [0]), ([[1]], [0])]
    assert activation_patterns(line, ("box", [0], [1])) == {(1,)}
    assert activation_patterns(line, ("box", [-1], [0])) == {(0,)}
    assert activation_patterns(line, ("box", [0], [0])) == set()
    assert activation_patterns(line, ([[1], [-1]], [-1, 0])) == set()
    assert activation_patterns(line, ([[0]], [-1])) == set()
    assert all_patterns(line, ("box", [0], [1])) == {(0,), (1,)}
    assert len(activation_patterns(line, ([[0]], [0]))) == 2
    tiny = Fraction(1, 10**40)
    assert len(activation_patterns(line, ("box", [-tiny], ["1/3"]))) == 2


def test_neighbours_may_differ_in_several_units():
    duplicated = [([[1, 0], [-2, 0], [3, 0]], [0, 0, 0]), ([[1, 1, 1]], [0])]
    assert facet_neighbours(duplicated) == {(1, 0, 1): {(0, 1, 0)}, (0, 1, 0): {(1, 0, 1)}}


def test_one_differing_unit_does_not_make_neighbours():
    """On [-4, 4] the last unit is |x| - 1: it is on in two cells that only differ in unit x."""
    net = [([[1], [1]], [0, 5]), ([[2, -1]], [4]), ([[1]], [0])]
    neighbours = facet_neighbours(net, ("box", [-4], [4]))
    assert set(neighbours) == {(0, 1, 1), (0, 1, 0), (1, 1, 0), (1, 1, 1)}
    assert neighbours[0, 1, 1] == {(0, 1, 0)}
    assert neighbours[1, 1, 1] == {(1, 1, 0)}


@given(problems())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_cells_are_sound_and_complete(problem):
    """Each pattern is met at a point inside its cell; each inner facet has two sides.

    The second half is asserted while facets are paired: a missing cell would leave one unpaired.
    """
    net, domain = problem
    maps, points = cells(net, domain), interior_points(net, domain)
    for pattern, x in points.items():
        bits, values = forward(net, x)
        assert bits == pattern
        affine = [sum(c * v for c, v in zip(row, (*x, 1), strict=True)) for row in maps[pattern]]
        assert affine == values
    neighbours = facet_neighbours(net, domain)
    assert set(neighbours) == set(maps)
    reached, fresh = set(), {next(iter(maps))}
    while fresh:
        reached |= fresh
        fresh = {q for p in fresh for q in neighbours[p]} - reached
    assert reached == set(maps)


@given(problems(inputs=(1, 2), layers=(1, 2), units=(1, 3)))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_definitions_are_ordered(problem):
    counts = [COUNTS[kind](*problem) for kind in ("affine", "closed", "linear", "activation")]
    assert counts[0] >= 1 and counts == sorted(counts)
    assert activation_patterns(*problem) <= all_patterns(*problem)


@given(networks(layers=(1, 1), units=(1, 8)))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_one_layer_against_deletion_and_restriction(net):
    assert len(activation_patterns(net)) == arrangement_regions(*net[0])


@given(networks(layers=(2, 3)))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_permuting_and_rescaling_units_changes_no_count(net):
    (W, b), (V, c), *rest = net
    order = np.random.default_rng(len(b)).permutation(len(b))
    scale = 2.0 ** np.arange(-1, len(b) - 1)
    changed = [(W[order] * scale[:, None], b[order] * scale), (V[:, order] / scale, c), *rest]
    for kind in ("activation", "linear", "affine"):
        assert COUNTS[kind](changed) == COUNTS[kind](net)


@pytest.mark.parametrize("slope", [0, Fraction(1, 3), 0.25, -1])
@pytest.mark.parametrize("widths", [(1, 3, 3, 1), (2, 4, 3, 1), (3, 4, 3, 1)])
def test_counts_add_over_a_split(widths, slope):
    """count(x <= c) + count(x >= c) = count + count on {x = c}, for a hyperplane off all others."""
    n = widths[0]
    net, c = gaussian(sum(widths), *widths), Fraction(1, 7)
    total = len(activation_patterns(net, None, slope))
    side = [0] * (n - 1) + [1]
    parts = [([side], [c]), ([[-v for v in side]], [-c])]
    split = sum(len(activation_patterns(net, part, slope)) for part in parts)
    if n == 1:
        assert split == total + 1
        return
    (W, b), *rest = net
    first = [rational(v) + rational(row[-1]) * c for row, v in zip(W, b, strict=True)]
    assert split == total + len(activation_patterns([(W[:, :-1], first), *rest], None, slope))


@pytest.mark.parametrize("slope", [0, Fraction(1, 10), -1])
@pytest.mark.parametrize("widths", [(2, 4, 4, 1), (3, 3, 3, 2)])
def test_sampled_patterns_are_found(widths, slope):
    net = gaussian(1, *widths)
    found = activation_patterns(net, box([-2] * widths[0], [2] * widths[0]), slope)
    points = np.random.default_rng(2).uniform(-2, 2, (200, widths[0]))
    seen = {forward(net, map(rational, x), slope)[0] for x in points}
    assert seen <= found
    assert len(seen) > len(found) / 3


def test_leaky_units_separate_what_relu_merges():
    net, _ = NETWORKS["c"]()
    assert linear_regions(net) == linear_regions(net, None, Fraction(1, 100)) == 4
    zero = [([[1, 0], [0, 1]], [0, 0]), ([[-1, -1]], [-1]), ([[1]], [0])]
    assert len(activation_patterns(zero)) == 4
    assert linear_regions(zero) == 1
    # The line x' + y' = -1 of the leaky values x', y' meets all quadrants but the positive one.
    assert linear_regions(zero, None, "1/2") == affine_maps(zero, None, "1/2") == 7


def test_wang_counts_on_a_box():
    net, expected = wang(2, 6, 6)
    assert linear_regions(net, ("box", [0, 0], [1, 1])) == expected["linear"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("widths", [(1, 4, 3, 1), (2, 4, 4, 1), (3, 4, 4, 1)])
def test_against_integer_programming(widths, seed):
    pytest.importorskip("pyscipopt")
    from scip_referee import scip_count

    net, n = gaussian(seed, *widths), widths[0]
    exact = activation_patterns(net, ("box", [-2] * n, [2] * n))
    assert scip_count(net, [-2] * n, [2] * n) == len(exact)


def test_counted_network():
    """A stored 2-16-16-1 network with 202 cells on [-1, 1]^2, one thinner than 1e-6."""
    onnx = pytest.importorskip("onnx")
    file = Path(os.environ.get("LINREGIONS_DATA", "../shared/data"), "counted")
    file /= "quadratic_2-16-16-1.onnx"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(file).graph.initializer}
    net = [(tensors[f"W{k}"], tensors[f"b{k}"]) for k in range(3)]
    assert len(activation_patterns(net, ("box", [-1, -1], [1, 1]))) == 202
    pytest.importorskip("pyscipopt")
    from scip_referee import scip_count

    assert scip_count(net, [-1, -1], [1, 1]) == 202
