"""Digits of integers, sparse and dense products, and affine maps composed exactly, by Fractions."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpz_mat
from scipy import sparse

import linregions as lr
from linregions.network import digits
from linregions.network.affine import INPUT, ONE, Affine, Term
from linregions.network.composing import (
    _backward,
    _forward,
    exact_map,
    nearest_map,
    outputs,
)
from linregions.network.digits import BASE, HALF, Digits, Factor
from linregions.network.rational import IntMatrix, SparseIntMatrix, finest, integers
from linregions.network.units import Activation, MaxUnits, Pointwise
from linregions.testing.networks import random_network

EDGES = [0, 1, -1, HALF - 1, HALF, -HALF, -HALF - 1, BASE, -BASE, BASE**2 - 1, -(BASE**2), 1 << 300]


def floats(rng, shape, spread=40):
    values = rng.standard_normal(shape) * np.exp2(rng.integers(-spread, spread, shape))
    return values * (rng.random(shape) < 0.8)


def fractions(matrix):
    dense = matrix.toarray() if sparse.issparse(matrix) else matrix
    return [[Fraction(v) for v in row] for row in dense.tolist()]


def product(a, b):
    return [[sum((x * y for x, y in zip(r, c, strict=True)), Fraction(0))
             for c in zip(*b, strict=True)] for r in a]  # fmt: skip


@pytest.mark.parametrize("sign", [1, -1])
def test_integers_to_digits_and_back(sign):
    rng = np.random.default_rng(0)
    values = [sign * v for v in EDGES] + [
        int(v) << int(s) for v, s in zip(rng.integers(-(1 << 62), 1 << 62, 52),
                                         rng.integers(0, 500, 52), strict=True)
    ]  # fmt: skip
    found = Digits.of_integers(values, (8, 8))
    assert found.integers() == values
    assert found.array.min() >= -HALF and found.array.max() < HALF
    assert found.transposed.transposed.integers() == values
    assert found.shifted(43).integers() == [v << 43 for v in values]
    assert (found + found.shifted(1)).integers() == [3 * v for v in values]


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_products_are_those_of_fractions(make):
    rng = np.random.default_rng(1)
    for spread in (1, 40, 500):
        W, H = floats(rng, (4, 6), spread), floats(rng, (6, 3), spread)
        right = integers(H)
        left = SparseIntMatrix(make(W)) if make is sparse.csr_array else integers(W)
        assert (left @ right).to_fractions().tolist() == product(fractions(W), fractions(H))
        back = right.transposed @ (integers(W.T) if make is np.asarray else left.transposed)
        assert back.to_fractions().T.tolist() == product(fractions(W), fractions(H))


def test_many_terms_at_the_edge_of_exact_sums(monkeypatch):
    """Sums of 2^15 products of the largest digits, and one more term in a second block."""
    n = digits.TERMS + 1
    W = np.full((1, n), float(HALF) * BASE - 1.0)
    column = Digits.of_integers([HALF * BASE - 1] * n, (n, 1))
    expected = n * (HALF * BASE - 1) ** 2
    assert (Factor.of_floats(W, 0) @ column).integers() == [expected]
    monkeypatch.setattr(digits, "NUMBERS", 64)  # column by column
    wide = Digits.of_integers([v * 7**30 for v in range(-6, 6)], (3, 4))
    some = np.array([[1.5, -2.0, 0.25]])
    got = (Factor.of_floats(some, 2) @ wide).integers()
    exact = fmpz_mat(1, 3, [6, -8, 1]) * fmpz_mat(3, 4, [v * 7**30 for v in range(-6, 6)])
    assert got == [int(v) for v in exact.entries()]


def test_the_denominator_is_the_least_power_of_two():
    for values, power in (([1.0, 3.0, 0.0], 0), ([0.75], 2), ([5e-324], 1074), ([2.0**60], 0)):
        array = np.array([values])
        assert finest(array) == power and integers(array).den == 1 << power
        assert integers(array).to_fractions().tolist() == [[Fraction(v) for v in values]]


def test_sums_over_different_denominators():
    rng = np.random.default_rng(2)
    a, b = floats(rng, (3, 2)), floats(rng, (3, 2))
    third = IntMatrix(fmpz_mat(3, 2, [1] * 6), 3)
    in_digits = SparseIntMatrix(sparse.csr_array(np.eye(3))) @ integers(a)
    for first in (integers(a), in_digits):
        for other, exact in ((integers(b), fractions(b)), (third, [[Fraction(1, 3)] * 2] * 3)):
            total = (first + other).to_fractions().tolist()
            assert total == [
                [x + y for x, y in zip(r, s, strict=True)]
                for r, s in zip(fractions(a), exact, strict=True)
            ]


@pytest.mark.parametrize("seed", range(12))
def test_maps_composed_from_either_side(seed):
    """Backwards and onwards, and the value at the point, on all kinds of units and skips."""
    rng = np.random.default_rng(seed)
    net = random_network(seed, 3, 6, 3)
    x = [Fraction(int(v), 4) for v in rng.integers(-9, 10, net.inputs)]
    values, pieces = net.exactly(x)
    pieces = np.array(pieces)
    back, on = _backward(net, pieces), _forward(net, pieces)
    assert back.to_fractions().tolist() == on.to_fractions().tolist()
    at = [sum((a * v for a, v in zip(row, [*x, 1], strict=True)), Fraction(0))
          for row in exact_map(net, pieces).to_fractions()]  # fmt: skip
    assert at == values


def convolution(rng, channels=2, size=14, filters=4):
    """A 3 x 3 convolution as a CSR matrix, large enough to stay sparse in exact arithmetic."""
    rows, columns, data, out = [], [], [], size - 2
    kernel = rng.standard_normal((filters, channels, 3, 3)).astype(np.float32).astype(float)
    for f, i, j in np.ndindex(filters, out, out):
        for c, a, b in np.ndindex(channels, 3, 3):
            rows.append((f * out + i) * out + j)
            columns.append((c * size + i + a) * size + j + b)
            data.append(kernel[f, c, a, b])
    shape = filters * out * out, channels * size * size
    return sparse.csr_array((data, (rows, columns)), shape=shape)


@pytest.mark.parametrize("leaky", [False, True])
def test_the_map_of_a_convolutional_network(leaky):
    """Rounded once from the exact one, whatever the units; the floats agree to rounding."""
    rng = np.random.default_rng(3)
    W = convolution(rng)
    kind = lr.network.units.leaky_relu(0.01) if leaky else lr.network.units.RELU
    bias = rng.standard_normal((W.shape[0], 1))
    pools = MaxUnits(
        tuple((4 * i, 4 * i + 1, 4 * i + 2) for i in range(W.shape[0] // 4)), W.shape[0]
    )
    eye = sparse.csr_array(sparse.eye_array(W.shape[0]))
    net = lr.Network(W.shape[1], (
        lr.Layer(Affine(W.shape[0], (Term(INPUT, (W,)), Term(ONE, (bias,)))),
                 Pointwise.uniform(kind, W.shape[0])),
        lr.Layer(Affine(W.shape[0], (Term(1, (eye,)),)), pools),
    ), Affine.dense(rng.standard_normal((2, pools.size)), np.array([0.5, -1.0]), 2))  # fmt: skip
    x = rng.standard_normal(net.inputs)
    pieces = net.patterns(x)
    first = W.toarray()
    on = pieces[: W.shape[0]]
    slope = [Fraction(kind.slopes[p]) for p in on]
    won = [g[p] for g, p in zip(pools.groups, pieces[W.shape[0] :], strict=True)]
    V, c = net.output.rounded(2, pools.size)[0], [0.5, -1.0]
    found = exact_map(net, pieces)
    column = 37
    for i in range(2):
        expected = sum((Fraction(V[i, u]) * slope[a] * Fraction(first[a, column])
                        for u, a in enumerate(won)), Fraction(0))  # fmt: skip
        assert Fraction(int(found.num[i, column]), found.den) == expected
        constant = Fraction(c[i]) + sum((Fraction(V[i, u]) * slope[a] * Fraction(bias[a, 0])
                                         for u, a in enumerate(won)), Fraction(0))  # fmt: skip
        assert Fraction(int(found.num[i, net.inputs]), found.den) == constant
    near = nearest_map(net, pieces)
    floats = lr.affine(net, x)
    np.testing.assert_allclose(near[:, :-1], floats.W, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(near[:, -1], floats.b, rtol=1e-12)


def test_units_with_shifts_on_digits():
    """Forms kept as digits and as FLINT integers give the same values of units."""
    rng = np.random.default_rng(4)
    values = floats(rng, (4, 3))
    forms, other = integers(values), SparseIntMatrix(sparse.csr_array(np.eye(4))) @ integers(values)
    assert other.in_digits and not forms.in_digits
    bent = Activation((Fraction(1, 3), 2), (0, Fraction(1, 7), -1), Fraction(1, 5))
    for units, pieces in (
        (Pointwise.uniform(lr.network.units.RELU, 4), [1, 0, 1, 0]),
        (Pointwise.uniform(bent, 4), [0, 1, 2, 1]),
        (MaxUnits(((0, 2), (3, 1, 0)), 4), [1, 0]),
    ):
        a, b = (outputs(units, f, pieces).to_fractions().tolist() for f in (forms, other))
        assert a == b
