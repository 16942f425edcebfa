"""PatternSearch of all dimensions and closed regions: definitions R1 and R5 of the six."""

import itertools
import time
from fractions import Fraction

import numpy as np
import pytest
from helpers import domain_of, gaussian
from hypothesis import given, settings
from hypothesis import strategies as st
from known import NETWORKS

import linregions as lr
from linregions.network.affine import ONE, Affine, Term
from linregions.network.network import Layer, Network
from linregions.network.units import HARDTANH, MaxUnits, Pointwise, leaky_relu
from linregions.search.patterns import PatternSearch
from linregions.testing import oracle
from linregions.testing.strategies import networks, problems

common = settings(deadline=None, derandomize=True)
DEGENERATE = ("fresh", "duplicate", "opposite", "scaled", "parallel", "zero bias", "dead")


def patterns(network, domain=None):
    """All patterns with a point each; the point proves the pattern in rational arithmetic."""
    problem = lr.restrict(lr.load(network), domain)
    found = {}
    for pieces, x in PatternSearch(problem):
        assert pieces not in found
        x = [Fraction(int(v.p), int(v.q)) for v in x]
        assert problem.network.exactly(x)[1] == list(pieces)
        assert all(
            sum((Fraction(a) * v for a, v in zip(row, x, strict=True)), Fraction(0)) <= Fraction(b)
            for row, b in zip(problem.A, problem.b, strict=True)
        )
        found[pieces] = x
    return set(found)


# -- the six definitions -----------------------------------------------------------------------


@pytest.mark.parametrize("name", "ABCD")
def test_networks_that_tell_the_definitions_apart(name):
    made = lr.constructions.six_definitions(name)
    for kind in ("pattern", "activation", "linear", "closed", "affine"):
        answer = lr.count(made, kind=kind)
        assert (kind, answer, answer.exact) == (kind, made.regions[kind], True)
        # a box around everything that is bounded
        assert lr.count(made, lr.Box(-50, 50), kind=kind) == answer


# -- patterns ----------------------------------------------------------------------------------


@given(problems(inputs=(1, 3), layers=(1, 3)))
@settings(common, max_examples=80)
def test_patterns_agree_with_the_oracle(problem):
    net, domain = problem
    assert patterns(net, domain_of(domain)) == oracle.all_patterns(net, domain)


@given(problems(inputs=(1, 2), layers=(1, 3), kinds=DEGENERATE), st.sampled_from([0, 0.25, -1]))
@settings(common, max_examples=80)
def test_patterns_of_degenerate_networks(problem, slope):
    net, domain = problem
    network = Network.from_layers(net, leaky_relu(slope))
    expected = oracle.all_patterns(net, domain, slope)
    assert patterns(network, domain_of(domain)) == expected
    assert lr.count(network, domain_of(domain), kind="pattern") == len(expected)


# in integers, so that b + 1 and b - 1 are not rounded
@given(problems(inputs=(1, 2), layers=(1, 2), units=(1, 3), kinds=DEGENERATE, styles=("integer",)))
@settings(common, max_examples=40)
def test_patterns_of_units_with_three_pieces(problem):
    """hardtanh(z) = relu(z + 1) - relu(z - 1) - 1: its piece is the number of active ones."""
    net, domain = problem
    twice = []
    for i, (W, b) in enumerate(net):
        if i:
            b = b - W @ np.ones(W.shape[1])
            W = np.hstack([W, -W])
        last = i == len(net) - 1
        twice.append((W, b) if last else (np.vstack([W, W]), np.append(b + 1, b - 1)))
    widths = [len(W) for W, _ in net[:-1]]

    def pieces(bits):
        out, bits = [], list(bits)
        for width in widths:
            out += [a + c for a, c in zip(bits[:width], bits[width : 2 * width], strict=True)]
            bits = bits[2 * width :]
        return tuple(out)

    found = patterns(Network.from_layers(net, HARDTANH), domain_of(domain))
    assert found == {pieces(p) for p in oracle.all_patterns(twice, domain)}


def maxout(net, groups):
    """A maxout layer over the pre-activations (W, b), then the affine output."""
    (W, b), (V, c) = net
    first = Layer(Affine.dense(np.array(W, float), np.array(b, float), 0), MaxUnits(groups, len(W)))
    return Network(first.affine.terms[0].columns, (first,), Affine.dense(V, c, 1))


@given(networks(inputs=(1, 2), layers=(1, 1), units=(3, 4), kinds=DEGENERATE, styles=("integer",)))
@settings(common, max_examples=40)
def test_patterns_of_max_units(net):
    """Winners follow from the signs of all differences; ties go to the lowest argument."""
    W, b = net[0]
    m = len(W)
    pairs = list(itertools.combinations(range(m), 2))
    signs = [(W[j] - W[i], b[j] - b[i]) for i, j in pairs]  # later beats earlier
    rows = np.array([s for s, _ in signs]), np.array([t for _, t in signs])
    expected = set()
    for bits in oracle.all_patterns([rows, (np.ones((1, len(pairs))), [0.0])]):
        beats = dict(zip(pairs, bits, strict=True))
        for a in range(m):
            if all(beats[i, a] for i in range(a)) and not any(beats[a, j] for j in range(a + 1, m)):
                expected.add((a,))
    network = maxout([(W, b), (np.ones((1, 1)), np.zeros(1))], (tuple(range(m)),))
    assert patterns(network) == expected


def deep_max():
    """Max pooling after rectifiers, where arguments tie on whole cells; then a hard tanh."""
    rng = np.random.default_rng(2)
    W, b = rng.integers(-2, 3, (4, 2)).astype(float), rng.integers(-1, 2, 4).astype(float)
    relu = Layer(Affine.dense(W, b, 0), Pointwise.uniform(leaky_relu(0), 4))
    pool = Layer(Affine.identity(4, 1), MaxUnits(((0, 1), (2, 3, 1)), 4))
    skip = Affine(1, (Term(2, (np.array([[1.0, -1.0]]),)), Term(0, (np.array([[1.0, 1.0]]),)),
                      Term(ONE, (np.array([[-0.5]]),))))  # fmt: skip
    tanh = Layer(skip, Pointwise.uniform(HARDTANH, 1))
    return Network(2, (relu, pool, tanh), Affine.identity(1, 3))


def test_patterns_of_pooling_over_rectifiers_with_a_skip():
    """Every pattern of a fine grid is found, each with a point that proves it."""
    net = deep_max()
    found = patterns(net, lr.Box(-2, 2))
    grid = [Fraction(i, 4) for i in range(-8, 9)]
    seen = {tuple(net.exactly(x)[1]) for x in itertools.product(grid, grid)}
    assert seen <= found and len(found) > 20
    assert lr.count(net, lr.Box(-2, 2), kind="pattern") == len(found)


def test_patterns_of_the_edge_of_a_domain():
    """The domain is closed: at 0 the unit is off, and nowhere else on [0, 1]."""
    net = [([[1.0]], [0.0]), ([[1.0]], [0.0])]
    assert lr.count(net, lr.Box(0, 1), kind="pattern") == 2
    assert lr.count(net, lr.Box(0, 1)) == 1
    assert lr.count(net, lr.Box(0.5, 1), kind="pattern") == 1
    assert lr.count(net, lr.Box(1, 1), kind="pattern") == 1


def test_patterns_on_slices_and_of_many_inputs():
    net = gaussian(3, 9, 4, 3, 1)
    assert lr.count(net, kind="pattern") == len(oracle.all_patterns(net)) == lr.count(net)
    x, y = np.arange(9.0), np.ones(9)
    assert lr.count(net, lr.Segment(x, y), kind="pattern") == lr.count(net, lr.Segment(x, y))
    assert lr.count([([[2.0, 1.0]], [0.0])], kind="pattern") == 1


def test_patterns_can_be_cut_short():
    net = gaussian(0, 4, 12, 10, 1)
    few = lr.count(net, kind="pattern", limit=5)
    assert (few, few.complete, few.stopped) == (5, False, "limit")
    none = lr.count(net, kind="pattern", seconds=0)
    assert none.stopped == "seconds" and not none.complete
    whole = lr.count([([[1.0]], [0.0]), ([[1.0]], [0.0])], kind="pattern", limit=2)
    assert (whole, whole.complete) == (2, True)
    seen = []
    lr.count(gaussian(0, 3, 9, 6, 1), kind="pattern", progress=seen.append)
    assert [s.regions for s in seen] == sorted(s.regions for s in seen)


@pytest.mark.parametrize("kind", ["pattern", "closed"])
def test_an_interrupt_ends_a_count(kind, monkeypatch):
    def interrupt(status):
        raise KeyboardInterrupt

    answer = lr.count(
        gaussian(0, 4, 14, 12, 1), kind=kind, progress=interrupt, on_interrupt="return"
    )
    assert answer.stopped == "interrupt" and not answer.complete and answer >= 1


# -- closed regions ----------------------------------------------------------------------------


@given(problems(inputs=(1, 2), layers=(1, 3), kinds=DEGENERATE, outputs=(1, 2)))
@settings(common, max_examples=100)
def test_closed_regions_agree_with_the_oracle(problem):
    net, domain = problem
    answer = lr.count(net, domain_of(domain), kind="closed")
    assert answer == oracle.closed_regions(net, domain)
    assert answer.also["affine"] <= answer <= answer.also["linear"] <= answer.also["activation"]
    assert answer.also["linear"] == oracle.linear_regions(net, domain)


@given(problems(inputs=(3, 3), layers=(1, 2), units=(2, 3), styles=("integer",)))
@settings(common, max_examples=25)
def test_closed_regions_in_space(problem):
    net, domain = problem
    assert lr.count(net, domain_of(domain), kind="closed") == oracle.closed_regions(net, domain)


def test_a_join_through_a_slice_of_another_cell():
    """81 linear regions are 60 closed ones; 81 again if only whole cells may touch."""
    net, expected = NETWORKS["wang joined"]()
    answer = lr.count(net, kind="closed")
    assert answer == expected["closed"] == 60 and answer.also["linear"] == 81


def test_closed_regions_of_units_with_three_pieces():
    """A staircase of hard tanh: plateaus of the same height that do not touch."""
    net = Network.from_layers([([[1], [-1]], [-3, -3]), ([[1, 1]], [0])], HARDTANH)
    kinds = ("activation", "linear", "closed", "affine")
    # slopes 0, 1, 0 and their mirror image; the two outer plateaus have the same map
    assert [lr.count(net, kind=k) for k in kinds] == [5, 5, 5, 4]


def test_ten_thousand_cells():
    net, box = gaussian(1, 4, 16, 16, 1), lr.Box(-1, 1)
    lr.count(gaussian(1, 2, 4, 1), kind="closed")
    start = time.perf_counter()
    linear = lr.count(net, box, kind="linear", engine="search")
    middle = time.perf_counter()
    assert lr.count(net, box, kind="closed") <= linear
    assert time.perf_counter() - middle < 2 + 20 * (middle - start)


@pytest.mark.parametrize("kind", ["pattern", "closed"])
def test_the_complex_does_not_count_them(kind):
    with pytest.raises(lr.LinregionsError, match='give engine="search" or "auto"'):
        lr.count(gaussian(0, 2, 3, 1), lr.Box(-1, 1), kind=kind, engine="complex")
