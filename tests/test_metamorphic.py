"""Changes that must not change a count, and changes that must change it by a known amount."""

from fractions import Fraction

import numpy as np
import pytest
from helpers import counted, domain_of, gaussian, patterns
from hypothesis import given, settings
from hypothesis import strategies as st

import linregions as lr
from linregions.testing import oracle, strategies
from linregions.testing.strategies import networks, problems

EVEN = tuple(k for k in strategies.KINDS if k != "ulp")  # sums of such entries do not round

common = settings(deadline=None, derandomize=True)
KINDS = ("activation", "linear", "affine")


def counts(net, domain=None):
    return [counted(net, domain, kind=kind) for kind in KINDS]


@given(problems(layers=(2, 3)), st.integers(0, 999))
@settings(common, max_examples=40)
def test_permuting_units(problem, seed):
    net, domain = problem
    rng, changed = np.random.default_rng(seed), [(W.copy(), b.copy()) for W, b in net]
    for i in range(len(changed) - 1):
        order = rng.permutation(len(changed[i][1]))
        changed[i] = changed[i][0][order], changed[i][1][order]
        changed[i + 1] = changed[i + 1][0][:, order], changed[i + 1][1]
    assert counts(changed, domain_of(domain)) == counts(net, domain_of(domain))


@given(problems(layers=(2, 3)), st.integers(0, 999))
@settings(common, max_examples=40)
def test_scaling_units_by_powers_of_two(problem, seed):
    net, domain = problem
    rng, changed = np.random.default_rng(seed), [(W.copy(), b.copy()) for W, b in net]
    for i in range(len(changed) - 1):
        scale = 2.0 ** rng.integers(-20, 21, len(changed[i][1]))
        changed[i] = changed[i][0] * scale[:, None], changed[i][1] * scale
        changed[i + 1] = changed[i + 1][0] / scale, changed[i + 1][1]
    ours = domain_of(domain)
    assert counts(changed, ours) == counts(net, ours)
    assert patterns(changed, ours) == patterns(net, ours)


def unimodular(n, rng):
    """A product of small integer shears and a permutation."""
    U = np.eye(n)[rng.permutation(n)]
    for _ in range(4 if n > 1 else 0):
        i, j = rng.choice(n, 2, replace=False)
        U[i] += rng.integers(-2, 3) * U[j]
    return U


@given(networks(styles=("integer", "dyadic"), kinds=EVEN), st.integers(0, 999))
@settings(common, max_examples=50)
def test_unimodular_coordinates(net, seed):
    (W, b), *rest = net
    U = unimodular(W.shape[1], np.random.default_rng(seed))
    assert round(abs(np.linalg.det(U))) == 1
    changed = [(W @ U, b), *rest]
    assert counts(changed) == counts(net)
    assert patterns(changed) == patterns(net)


@given(problems(), st.integers(0, 2))
@settings(common, max_examples=40)
def test_negating_an_input(problem, i):
    net, domain = problem
    (W, b), *rest = net
    flip = np.ones(W.shape[1])
    flip[i % len(flip)] = -1
    if domain is not None and domain[0] == "box":
        low, high = domain[1] * flip, domain[2] * flip
        moved = ("box", np.minimum(low, high), np.maximum(low, high))
    else:
        moved = domain and ("polytope", domain[1] * flip, domain[2])
    changed = [(W * flip, b), *rest]
    assert counts(changed, domain_of(moved)) == counts(net, domain_of(domain))


@given(networks(styles=("integer",), kinds=EVEN), st.integers(0, 99))
@settings(common, max_examples=30)
def test_a_rigid_shift_of_integer_networks(net, seed):
    (W, b), *rest = net
    shift = np.random.default_rng(seed).integers(-4, 5, W.shape[1]).astype(float)
    moved = lr.Box(-3 - shift, 3 - shift)
    changed = [(W, b + W @ shift), *rest]
    assert counts(changed, moved) == counts(net, lr.Box(-3, 3))
    assert counts(changed) == counts(net)


@given(problems())
@settings(common, max_examples=30)
def test_extra_units_that_cannot_matter(problem):
    """A copy, a negative copy and a dead unit in layer 1 make no new cells."""
    net, domain = problem
    (W, b), (V, c), *rest = net
    more = np.vstack([W, W[:1], -2 * W[:1], 0 * W[:1]]), np.concatenate([b, b[:1], -2 * b[:1], [0]])
    changed = [more, (np.hstack([V, np.zeros((len(V), 3))]), c), *rest]
    assert counts(changed, domain_of(domain)) == counts(net, domain_of(domain))


# -- splitting the domain -------------------------------------------------------------------


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("widths", [(2, 8, 6, 1), (3, 6, 5, 1), (4, 6, 4, 1), (6, 5, 5, 1)])
@pytest.mark.parametrize("c", [0.140625, Fraction(1, 7)])
def test_counts_add_over_a_split(widths, bounded, c):
    """count(x_0 <= c) + count(x_0 >= c) = count + count on {x_0 = c}."""
    n = widths[0]
    net, reach = gaussian(sum(widths), *widths), 1.5 if bounded else np.inf

    def box(lo, hi):
        low, high = np.full(n, -reach, dtype=object), np.full(n, reach, dtype=object)
        low[0], high[0] = lo, hi
        return lr.Box(low, high)

    total = lr.count(net, box(-reach, reach))
    parts = lr.count(net, box(-reach, c)) + lr.count(net, box(c, reach))
    cut = lr.count(net, box(c, c))
    assert cut.dimension == n - 1
    assert parts == total + cut and cut > 1


@given(networks(inputs=(2, 3), layers=(1, 2), styles=("integer", "dyadic")))
@settings(common, max_examples=40)
def test_degenerate_counts_add_over_a_split(net):
    """No small integer network has a boundary piece on x_0 = 1/7 + 1/1009."""
    n, c = net[0][0].shape[1], Fraction(1, 7) + Fraction(1, 1009)
    row = np.eye(n)[:1]
    below = lr.Polytope(row, np.array([c], dtype=object))
    above = lr.Polytope(-row, np.array([-c], dtype=object))
    low, high = np.full(n, -np.inf, dtype=object), np.full(n, np.inf, dtype=object)
    low[0] = high[0] = c
    cut = lr.count(net, lr.Box(low, high))
    assert lr.count(net, below) + lr.count(net, above) == lr.count(net) + cut
    origin = np.array([c] + [Fraction(0)] * (n - 1), dtype=object)
    assert lr.count(net, lr.Slice(origin, np.eye(n)[:, 1:])) == cut


@pytest.mark.parametrize("widths", [(2, 8, 6, 1), (3, 6, 5, 1), (5, 6, 4, 1)])
def test_a_box_written_as_a_polytope(widths):
    net, n = gaussian(1, *widths), widths[0]
    lo, hi = np.linspace(-1, -0.5, n), np.linspace(0.75, 2, n)
    same = lr.Polytope(np.vstack([np.eye(n), -np.eye(n)]), np.concatenate([hi, -lo]))
    scaled = lr.Polytope(np.vstack([3 * np.eye(n), -np.eye(n)]), np.concatenate([3 * hi, -lo]))
    idle = lr.Polytope(np.vstack([same.A, np.ones((1, n))]), np.append(same.b, 99.0))
    expected = patterns(net, lr.Box(lo, hi))
    assert patterns(net, same) == patterns(net, idle) == expected
    if np.array_equal(scaled.b / 3, same.b * np.append(np.ones(n), np.ones(n) / 3)):
        assert patterns(net, scaled) == expected


@given(problems(inputs=(1, 2), layers=(1, 2)))
@settings(common, max_examples=40)
def test_a_smaller_domain_has_no_more_patterns(problem):
    net, domain = problem
    assert patterns(net, domain_of(domain)) <= patterns(net)


# -- fewer dimensions -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_side_of_width_zero_is_a_smaller_network(seed):
    net = gaussian(seed, 4, 6, 5, 1)
    (W, b), *rest = net
    lo, hi = np.array([-1.0, 0.5, -1, 0.25]), np.array([1.0, 0.5, 1, 0.25])
    answer = lr.count(net, lr.Box(lo, hi))
    # by hand, over Fractions
    shifted = [
        sum((Fraction(w) * Fraction(v) for w, v in zip(row[[1, 3]], (0.5, 0.25), strict=True)),
            Fraction(c)) for row, c in zip(W, b, strict=True)
    ]  # fmt: skip
    expected = oracle.activation_patterns(
        [(W[:, [0, 2]], shifted), *rest], ("box", [-1, -1], [1, 1])
    )
    assert (answer, answer.dimension) == (len(expected), 2)
    assert patterns(net, lr.Box(lo, hi)) == expected


def test_a_point_is_one_region():
    net = gaussian(0, 3, 5, 4, 1)
    answer = lr.count(net, lr.Box(0.25, 0.25))
    assert (answer, answer.dimension) == (1, 0)
    (only,) = lr.regions(net, lr.Box(0.25, 0.25))
    assert only.pattern.tolist() == lr.load(net).exactly([0.25] * 3)[1]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_slice_is_a_composed_network(k):
    rng = np.random.default_rng(k)
    (W, b), *rest = gaussian(k, 20, 7, 5, 1)
    W = rng.integers(-9, 10, W.shape).astype(float)
    basis = rng.integers(-5, 6, (20, k)).astype(float)
    origin = rng.integers(-5, 6, 20).astype(float)
    by_hand = [(W @ basis, W @ origin + b), *rest]
    # integer weights and a dyadic bias: the composition is exact in floating point
    b[:] = np.round(b * 64) / 64
    by_hand[0] = (W @ basis, W @ origin + b)
    net = [(W, b), *rest]
    for within, domain in ((None, None), (lr.Box(-1, 1), ("box", [-1] * k, [1] * k))):
        expected = oracle.activation_patterns(by_hand, domain)
        assert patterns(net, lr.Slice(origin, basis, within)) == expected
        for region in lr.regions(net, lr.Slice(origin, basis, within)):
            x = origin + basis @ region.coordinates
            assert np.allclose(region.point, x, rtol=1e-9, atol=1e-9)


def test_a_slice_within_a_domain_of_the_input():
    net = gaussian(9, 4, 7, 5, 1)
    origin = np.array([0.25, 0, -0.5, 0])
    basis = np.array([[1.0, 0], [0, 1], [1, 1], [0, 0.5]])
    A = np.vstack([basis, -basis])
    b = np.concatenate([1 - origin, 1 + origin])
    inner = lr.Slice(origin, basis, lr.Polytope(A, b))
    outer = lr.Slice(origin, basis, lr.Box(-1, 1), coordinates="input")
    assert patterns(net, inner) == patterns(net, outer)
    assert lr.count(net, outer) > 3


def test_a_slice_of_a_slice_of_width_zero():
    """A side of width zero within a slice leaves a line."""
    net = gaussian(9, 3, 7, 5, 1)
    basis = np.array([[1.0, 0], [2, 1], [0, 1]])
    plane = lr.Slice(np.zeros(3), basis, lr.Box([-4, 0.5], [4, 0.5]))
    line = lr.Slice(0.5 * basis[:, 1], basis[:, :1], lr.Box(-4, 4))
    assert lr.count(net, plane).dimension == 1
    assert patterns(net, plane) == patterns(net, line)


@pytest.mark.parametrize("n0", [9, 100, 784])
def test_many_inputs_and_few_units(n0):
    """Rows of full rank: the first layer's values are free, so all 2^7 signs occur."""
    rng = np.random.default_rng(n0)
    W, b = rng.standard_normal((7, n0)), rng.standard_normal(7)
    one = lr.count([(W, b), (np.ones((1, 7)), None)])
    assert (one, one.dimension, one.inputs) == (128, 7, n0)
    rest = gaussian(n0, 7, 4, 1)
    values = [(np.eye(7), np.zeros(7)), *rest]
    assert patterns([(W, b), *rest]) == patterns(values)


def test_seven_free_units_and_two_more_against_the_oracle():
    rng = np.random.default_rng(6)
    W, b = rng.standard_normal((5, 30)), rng.standard_normal(5)
    rest = gaussian(6, 5, 3, 1)
    expected = oracle.activation_patterns([(np.eye(5), np.zeros(5)), *rest])
    assert patterns([(W, b), *rest]) == expected


@given(networks(inputs=(2, 3), layers=(1, 2), styles=("integer",), kinds=EVEN), st.integers(0, 99))
@settings(common, max_examples=30)
def test_dependent_rows_of_many_inputs(net, seed):
    """First-layer rows that are integer combinations of n independent ones of length 40."""
    (W, b), *rest = net
    n = W.shape[1]
    directions = np.random.default_rng(seed).integers(-3, 4, (n, 40)).astype(float)
    directions[:, :n] = np.eye(n)
    wide = [(W @ directions, b), *rest]
    answer = lr.count(wide)
    assert answer.dimension == np.linalg.matrix_rank(W)
    assert counts(wide) == counts(net)
    assert patterns(wide) == oracle.activation_patterns(net)
