"""Counts, patterns and points of small networks against the independent oracle."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from helpers import counted, domain_of, exact_input, gaussian, inside, patterns
from hypothesis import given, settings
from hypothesis import strategies as st

import linregions as lr
from linregions.network.affine import INPUT, ONE, Affine, Term
from linregions.network.units import ABS, HARDTANH, RELU6, leaky_relu
from linregions.testing import oracle
from linregions.testing.strategies import networks, problems

common = settings(deadline=None, derandomize=True)


@given(problems())
@settings(common, max_examples=150)
def test_counts_agree_with_the_oracle(problem):
    net, domain = problem
    ours = domain_of(domain)
    answer = counted(net, ours)
    assert answer == len(oracle.activation_patterns(net, domain))
    assert answer.exact and answer.complete and answer.kind == "activation"
    assert counted(net, ours, kind="affine") == oracle.affine_maps(net, domain)


@given(problems())
@settings(common, max_examples=80)
def test_regions_agree_with_the_oracle_and_their_points_prove_them(problem):
    net, domain = problem
    network = lr.load(net)
    found = set()
    for region in lr.regions(network, domain_of(domain)):
        x = exact_input(region)
        assert inside(domain, x)
        assert network.exactly(x)[1] == region.pattern.tolist()
        found.add(tuple(region.pattern.tolist()))
    assert found == oracle.activation_patterns(net, domain)


@given(problems(inputs=(1, 2), units=(1, 3)))
@settings(common, max_examples=60)
def test_linear_regions_agree_with_the_oracle(problem):
    net, domain = problem
    answer = counted(net, domain_of(domain), kind="linear")
    assert answer == oracle.linear_regions(net, domain)
    assert answer.also["activation"] == len(oracle.activation_patterns(net, domain))
    assert answer.also["affine"] == oracle.affine_maps(net, domain)


@given(problems(), st.sampled_from([(leaky_relu(0.25), 0.25), (ABS, -1), (leaky_relu(2), 2)]))
@settings(common, max_examples=60)
def test_other_slopes_agree_with_the_oracle(problem, unit):
    net, domain = problem
    activation, slope = unit
    network = lr.Network.from_layers(net, activation=activation)
    assert patterns(network, domain_of(domain)) == oracle.activation_patterns(net, domain, slope)
    for kind, reference in (("linear", oracle.linear_regions), ("affine", oracle.affine_maps)):
        assert counted(network, domain_of(domain), kind=kind) == reference(net, domain, slope)


def test_a_slope_that_no_float_holds():
    net = gaussian(3, 2, 4, 3, 1)
    third = Fraction(1, 3)
    network = lr.Network.from_layers(net, activation=leaky_relu(third))
    assert patterns(network) == oracle.activation_patterns(net, None, third)
    assert lr.count(network, kind="linear") == oracle.linear_regions(net, None, third)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("widths", [(1, 6, 5, 1), (2, 6, 5, 1), (3, 5, 5, 2), (4, 5, 4, 1)])
def test_networks_in_general_position(widths, seed):
    net = gaussian(seed, *widths)
    for domain in (None, ("box", [-1] * widths[0], [1] * widths[0])):
        answer = counted(net, domain_of(domain))
        assert (answer, answer.exact) == (len(oracle.activation_patterns(net, domain)), True)


@pytest.mark.parametrize(
    "verb",
    [
        lr.count,
        lr.regions,
        lr.estimate,
        lr.plan,
        lambda net, **exact: lr.crossings(net, [[[0.0, 0.0], [1.0, 1.0]]], **exact),
        lambda net, **exact: lr.regions_along(net, [[0.0, 0.0], [1.0, 1.0]], **exact),
        lambda net, **exact: lr.shard(net, None, 1, 1, **exact),
    ],
)
def test_floats_alone_decide_no_more(verb):
    net = gaussian(0, 2, 3, 1)
    with pytest.raises(lr.LinregionsError) as refused:
        verb(net, exact=False)
    assert str(refused.value) == "exact=False is gone: every answer is exact; leave it out"
    verb(net, exact=True)


# -- units with any breakpoints -----------------------------------------------------------


def as_relu(net, activation):
    """Pairs of a ReLU network with the same cells, and its bits that make up each unit's piece.

    With breakpoints t_0 < t_1 < ... and slopes s_0, s_1, ... a unit is its value at t_0 plus
    s_0 (relu(z - t_0) - relu(t_0 - z)) plus the sum of (s_(i+1) - s_i) relu(z - t_i).
    """
    breaks = [Fraction(t) for t in activation.breaks]
    slopes = [Fraction(s) for s in activation.slopes]
    value = Fraction(activation.value)
    pairs, groups, at = [], [], 0
    weights = constant = None  # how the previous layer's value is made of the ReLU units
    for layer, (W, b) in enumerate(net):
        rows = [[oracle.rational(v) for v in row] for row in W]
        bias = [oracle.rational(v) for v in b]
        if weights is not None:
            bias = [c + sum(row) * constant for row, c in zip(rows, bias, strict=True)]
            rows = [[v * w for v in row for w in weights] for row in rows]
        if layer + 1 == len(net):
            return [*pairs, (rows, bias)], groups
        W_new, b_new = [], []
        for row, c in zip(rows, bias, strict=True):
            W_new += [row] * len(breaks) + [[-v for v in row]]
            b_new += [c - t for t in breaks] + [breaks[0] - c]
            groups.append(range(at, at + len(breaks)))
            at += len(breaks) + 1
        pairs.append((W_new, b_new))
        steps = [b - a for a, b in pairwise(slopes)]
        weights, constant = [steps[0] + slopes[0], *steps[1:], -slopes[0]], value
    raise AssertionError


@st.composite
def activations(draw):
    breaks = sorted(draw(st.sets(st.integers(-4, 4), min_size=1, max_size=3)))
    slope = st.sampled_from([-1, 0, 0.5, 1, 2])
    slopes = draw(st.lists(slope, min_size=len(breaks) + 1, max_size=len(breaks) + 1))
    made = lr.Activation(tuple(t / 2 for t in breaks), tuple(slopes), draw(st.integers(-1, 1)))
    return made if made.breaks else RELU6


@given(problems(layers=(1, 2), units=(1, 3)), activations() | st.sampled_from([RELU6, HARDTANH]))
@settings(common, max_examples=80)
def test_units_with_several_breakpoints(problem, activation):
    net, domain = problem
    relu, groups = as_relu(net, activation)
    bits = oracle.activation_patterns(relu, domain)
    expected = {tuple(sum(p[i] for i in group) for group in groups) for p in bits}
    assert len(expected) == len(bits)
    network = lr.Network.from_layers(net, activation=activation)
    assert patterns(network, domain_of(domain)) == expected
    for kind, reference in (("linear", oracle.linear_regions), ("affine", oracle.affine_maps)):
        assert counted(network, domain_of(domain), kind=kind) == reference(relu, domain)


@pytest.mark.parametrize("activation", [RELU6, HARDTANH])
def test_sampled_pieces_are_among_the_regions(activation):
    net = gaussian(5, 2, 5, 4, 1)
    network = lr.Network.from_layers([(4 * W, b) for W, b in net], activation=activation)
    found = patterns(network, lr.Box(-2, 2))
    points = np.random.default_rng(1).uniform(-2, 2, (3000, 2))
    seen = {tuple(network.exactly(x)[1]) for x in points[:600]}
    seen |= set(map(tuple, network.patterns(points).tolist()))
    assert seen <= found
    assert len(seen) > len(found) / 2


def test_units_of_different_kinds_side_by_side():
    """A leaky unit, an absolute value, a hard tanh and an identity unit in one layer."""
    W, b = np.array([[1.0, 0], [0, 1], [1, 1], [1, -1]]), np.array([0.0, 0, 0, 0])
    kinds = lr.Pointwise.each([leaky_relu(0.5), ABS, HARDTANH, lr.Activation((), (1,))])
    network = lr.Network(
        2, (lr.Layer(Affine.dense(W, b, 0), kinds),), Affine.dense(np.ones((1, 4)), None, 1)
    )
    # x = 0 and y = 0 make four quadrants; x + y = -1 and 1 each cut three of the then 4 and 7
    assert lr.count(network) == 10
    assert patterns(network) == oracle_pieces([(W, b)], [[0], [0], [-1, 1], []])


def oracle_pieces(layer, breaks):
    [(W, b)] = layer
    rows = [(w, c - t) for w, c, ts in zip(W, b, breaks, strict=True) for t in ts]
    net = [([w for w, _ in rows], [c for _, c in rows]), ([[1] * len(rows)], [0])]
    ends = np.cumsum([0, *map(len, breaks)])
    return {tuple(sum(p[i:j]) for i, j in pairwise(ends)) for p in oracle.activation_patterns(net)}


# -- maps that no float holds, and maps of several sources ---------------------------------


def rationals(rows):
    out = np.empty(np.shape(rows), dtype=object)
    for index in np.ndindex(out.shape):
        value = rows
        for i in index:
            value = value[i]
        out[index] = Fraction(value)
    return out


def relu_layer(affine):
    return lr.Layer(affine, lr.Pointwise.uniform(leaky_relu(0), affine.size))


def test_exact_factors_make_hyperplanes_parallel():
    """(1/3, 1/7) times 21 is (7, 3): these two units share their hyperplane."""
    thin = rationals([["1/3", "1/7"], [7, 3]])
    bias = rationals([["1/21"], [1]])
    affine = Affine(2, (Term(INPUT, (thin,)), Term(ONE, (bias,))))
    network = lr.Network(2, (relu_layer(affine),), Affine.dense(np.ones((1, 2)), None, 1))
    assert lr.count(network) == 2
    # the rounded third is another slope: the lines cross, and make four regions
    rounded = [([[1 / 3, 1 / 7], [7.0, 3.0]], [1 / 21, 1.0]), (np.ones((1, 2)), None)]
    assert lr.count(rounded) == len(oracle.activation_patterns([*rounded[:1], ([[1, 1]], [0])]))


def test_factors_are_multiplied_exactly():
    """Two factors whose product rounds in floating point; the oracle gets the exact product."""
    rng = np.random.default_rng(4)
    first, second = rng.standard_normal((3, 2)), rng.standard_normal((4, 3))
    affine = Affine(4, (Term(INPUT, (first, second)), Term(ONE, (np.ones((4, 1)),))))
    network = lr.Network(2, (relu_layer(affine),), Affine.dense(np.ones((1, 4)), None, 1))
    exact = [
        [sum(Fraction(a) * Fraction(first[k, j]) for k, a in enumerate(row)) for j in range(2)]
        for row in second
    ]
    net = [(exact, [1] * 4), ([[1] * 4], [0])]
    assert patterns(network) == oracle.activation_patterns(net)
    # a fifth unit on the very line of the first one's exact product must not cut anything
    line = rationals([exact[0]])
    twin = Affine(1, (Term(INPUT, (line * Fraction(3),)), Term(ONE, (rationals([[3]]),))))
    both = lr.Network(
        2, (relu_layer(affine), relu_layer(twin)), Affine.dense(np.ones((1, 1)), None, 2)
    )
    assert lr.count(both) == lr.count(network)


@given(networks(inputs=(1, 2), layers=(2, 2), units=(1, 4)), st.integers(0, 99))
@settings(common, max_examples=40)
def test_skip_connections(net, seed):
    """On a positive box the input may pass through ReLU units, which the oracle can follow."""
    (W, b), (V, c), (U, d) = net
    n = W.shape[1]
    S = np.random.default_rng(seed).integers(-2, 3, (len(V), n)).astype(float)
    first = relu_layer(Affine.dense(W, b, 0))
    second = relu_layer(Affine.dense(V, c, 1) + Affine(len(V), (Term(INPUT, (S,)),)))
    network = lr.Network(n, (first, second), Affine.dense(U, d, 2))
    passed = np.vstack([W, np.eye(n)]), np.append(b, np.zeros(n))
    same = [passed, (np.hstack([V, S]), c), (U, d)]
    domain = ("box", [0] * n, [3] * n)
    m = len(W)
    expected = {(*p[:m], *p[m + n :]) for p in oracle.activation_patterns(same, domain)}
    assert patterns(network, domain_of(domain)) == expected
    assert counted(network, domain_of(domain), kind="linear") == oracle.linear_regions(same, domain)


# -- a second referee --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("widths", [(2, 8, 8, 1), (3, 6, 6, 1)])
def test_integer_programming_agrees(widths, seed):
    """SCIP enumerates the patterns of middling networks as points of a mixed-integer model."""
    pytest.importorskip("pyscipopt")
    from scip_referee import scip_count

    net, n = gaussian(100 + seed, *widths), widths[0]
    assert counted(net, lr.Box(-1, 1)) == scip_count(net, [-1] * n, [1] * n)
