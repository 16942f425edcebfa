"""Convolutional layers: equation (4), what is true of it, and several layers."""

import time
from fractions import Fraction
from itertools import combinations, product
from math import comb, prod

import numpy as np
import pytest
from reference import reference

import linregions as lr
from linregions.theory import Conv, OutOfReach, conv, deepconv, shared
from linregions.theory._coverage import Coverage, _saturates


def layer(row, filters=None):
    return Conv(row["n0"], row["f"], filters or row["d1"], row["d0"], row.get("s", 1))


def test_the_published_and_checked_values():
    assert [conv.eq4(Conv((1, 3), (1, 2), d)) for d in range(1, 9)] == reference("xiong_table1")
    for row in reference("xiong_eq4"):
        assert [str(conv.eq4(layer(row, d))) for d in range(1, 9)] == row["values"]


SLOW = [([6, 6], [3, 3], 4), ([8, 8], [2, 2], 2), ([8, 8], [2, 2], 4)]


def large(rows):
    for row in rows:
        assert str(conv.eq4(layer(row))) == row["value"]


def test_large_layers():
    large(r for r in reference("xiong_eq4_large") if (r["n0"], r["f"], r["d1"]) not in SLOW)


@pytest.mark.slow
def test_the_largest_layers():
    large(r for r in reference("xiong_eq4_large") if (r["n0"], r["f"], r["d1"]) in SLOW)


def brute(sets, capacity, weights):
    """The sum over K by Hall's condition for every set of positions."""
    limits = [
        (J, capacity * len(frozenset().union(*(sets[p] for p in J))))
        for size in range(1, len(sets) + 1)
        for J in combinations(range(len(sets)), size)
    ]
    total = 0
    for t in product(range(len(weights)), repeat=len(sets)):
        if all(sum(t[p] for p in J) <= most for J, most in limits):
            total += prod(weights[v] for v in t)
    return total


def small_layers():
    for n, f, s, p, d in product(range(1, 6), (1, 2, 3), (1, 2, 3), (0, 1), (1, 2)):
        for channels in (1, 2):
            if n + 2 * p >= d * (f - 1) + 1:
                yield Conv((n,), (f,), 2, channels, s, p, d)
    for a, b, f, g, s, p in product((2, 3), (2, 3, 4), (1, 2), (2, 3), (1, 2), (0, 1)):
        if a + 2 * p >= f and b + 2 * p >= g:
            yield Conv((a, b), (f, g), 2, 1, s, p)
    yield Conv((2, 2, 2), (2, 2, 2), 2, padding=(0, 0, 1))
    yield Conv((2, 2, 3), (2, 1, 2), 2)


def test_equation_4_against_brute_force():
    checked = 0
    for mine in small_layers():
        if mine.positions > 6:
            continue
        sets = [mine.sees(p) for p in mine.grid]
        for filters, pieces in ((1, 2), (2, 2), (3, 3)):
            weights = [comb(filters, t) * (pieces - 1) ** t for t in range(filters + 1)]
            value = conv.eq4(mine.with_filters(filters), pieces=pieces)
            assert value == brute(sets, mine.channels, weights), mine
            by_size = conv.by_size(mine.with_filters(filters), pieces=pieces)
            assert sum(by_size) == value and by_size[0] == 1
            checked += 1
    assert checked > 300


def test_any_family_of_sets_against_brute_force():
    """Also families that no convolution makes, in an order that is no sweep."""
    rng = np.random.default_rng(0)
    for _ in range(150):
        positions, inputs = rng.integers(1, 5), rng.integers(1, 6)
        sets = [frozenset(np.flatnonzero(rng.random(inputs) < 0.5)) for _ in range(positions)]
        weights = rng.integers(1, 5, rng.integers(1, 5)).tolist()
        capacity = int(rng.integers(1, 3))
        assert Coverage(sets, capacity).total(weights) == brute(sets, capacity, weights)


def test_families_as_sets_and_as_bits(monkeypatch):
    layers = [Conv((4, 4), (2, 2), 3), Conv((5, 5), (3, 3), 2, 2, 2), Conv((4, 5), (3, 2), 3)]
    values = [conv.eq4(mine) for mine in layers]
    monkeypatch.setattr("linregions.theory._frontier.DENSE", 0)
    assert [conv.eq4(mine) for mine in layers] == values


def test_feasibility_is_membership():
    for mine in small_layers():
        if mine.positions <= 5:
            sets = [mine.sees(p) for p in mine.grid]
            for t in (1, 2):
                only = [0] * t + [1]
                full = brute(sets, mine.channels, only) > 0
                parts = mine.coverage.parts
                assert all(_saturates(len(p), g, t) for p, g in parts) == full


def test_the_polynomial_in_the_number_of_filters():
    assert conv.polynomial(Conv((3,), (2,), 1)) == [1, 1, 1, 1]  # Example 1: d^3 + d^2 + d + 1
    for mine in (Conv((4,), (2,), 1), Conv((3, 3), (2, 2), 1), Conv((5,), (3,), 1, 2, 2)):
        coefficients = conv.polynomial(mine)
        assert len(coefficients) - 1 == conv.exponent(mine) and coefficients[-1] > 0
        for d in (1, 2, 5, 17):
            value = sum((c * d**i for i, c in enumerate(coefficients)), Fraction(0))
            assert value == conv.eq4(mine.with_filters(d))


def test_lemma_3():
    for mine in small_layers():
        t = conv.saturating(mine)
        assert sum(t.values()) == conv.exponent(mine)
        for size in (1, 2, mine.positions):
            for J in combinations(t, min(size, mine.positions)):
                union = frozenset().union(*(mine.sees(p) for p in J))
                assert sum(t[p] for p in J) <= mine.channels * len(union)


def test_examples_2_and_3():
    dense = Conv((3, 2), (3, 2), 7, 2)  # one position: a dense layer
    assert conv.eq4(dense) == sum(comb(7, i) for i in range(13))
    pointwise = Conv((2, 3), (1, 1), 5, 2)
    assert conv.eq4(pointwise) == (1 + 5 + 10) ** 6


# -- what shared filters attain -------------------------------------------------------------------


def test_true_counts_in_two_dimensions():
    for row in reference("xiong_true_vs_eq4_2D"):
        best = shared.maximum(layer(row))
        assert best.exact and (best.eq4, best.value) == (row["eq4"], row["true"])


def test_the_counterexample():
    row = reference("xiong_counterexample")
    mine = Conv(row["n0"][:2], (2, 2), 2)
    W, b = shared.matrix(mine, row["filters"], row["biases"])
    answer = lr.count([(W, b), (np.ones((1, 8)), None)])
    assert answer == row["regions"] == shared.maximum(mine).value and answer.exact
    seen = {tuple(r.pattern.tolist()) for r in lr.regions([(W, b), (np.ones((1, 8)), None)])}
    (missing,) = set(product((0, 1), repeat=8)) - seen
    assert [2 * v - 1 for v in missing] == row["infeasible_pattern_filter_major_row_major"]


def test_the_failure_criterion_on_both_sides_of_its_boundary():
    square = lambda n, f, d1, d0=1, s=1: conv.syzygy(Conv((n, n), (f, f), d1, d0, s))  # noqa: E731
    assert square(4, 2, 3, 2) and not square(3, 2, 3, 2)
    assert square(5, 2, 4, 3) and square(9, 3, 4, 3) and not square(4, 2, 4, 3)
    assert square(12, 4, 5, s=2) and not square(10, 4, 5, s=2)
    assert conv.syzygy(Conv((3, 3, 3), (2, 2, 2), 2)) and not conv.syzygy(Conv((9,), (3,), 5))


def two_dimensional():
    for a, b, f, g, s, d0, d1 in product(
        (2, 3), (2, 3, 4), (1, 2), (2, 3), (1, 2), (1, 2), (1, 2, 3)
    ):
        if f <= a and g <= b:
            yield Conv((a, b), (f, g), d1, d0, s)


def test_equation_4_is_exact_just_where_the_criterion_is_silent():
    checked = failures = 0
    for mine in two_dimensional():
        true = shared.generic_count(mine, limit=3000)
        if true is not None:
            checked += 1
            failures += true < conv.eq4(mine)
            assert (true < conv.eq4(mine)) == conv.syzygy(mine), mine
    assert checked > 150 and failures >= 3


def one_dimensional(n, extra=((0, 1),)):
    for size, f, s, d0, d1 in product(range(1, n), range(1, 5), (1, 2, 3), (1, 2), range(1, 5)):
        for p, d in extra:
            if size + 2 * p >= d * (f - 1) + 1:
                yield Conv((size,), (f,), d1, d0, s, p, d)


def exact(layers):
    checked = 0
    for mine in layers:
        true = shared.generic_count(mine, limit=300)
        if true is not None:
            checked += 1
            assert true == conv.eq4(mine), mine
    return checked


def test_equation_4_is_exact_in_one_dimension():
    assert exact(one_dimensional(6)) > 250


@pytest.mark.slow
def test_equation_4_is_exact_in_one_dimension_with_padding_and_dilation():
    assert exact(one_dimensional(9, tuple(product((0, 1, 2), (1, 2))))) > 1500


def test_pieces_for_shared_filters():
    """K-piece units: equation (4) with weight (K - 1)^t, against the generic arrangement."""
    for mine in (Conv((4,), (2,), 2), Conv((5,), (3,), 1), Conv((3,), (2,), 2, 2)):
        for pieces in (3, 4):
            value = conv.eq4(mine, pieces=pieces)
            assert shared.generic_count(mine, pieces=pieces) == value


def test_random_layers_have_the_generic_count():
    """Maximum = expectation: Theorem 2 (ii) with the corrected number."""
    rng = np.random.default_rng(1)
    for mine in (Conv((3, 3), (2, 2), 2), Conv((4,), (2,), 3), Conv((4,), (3,), 2, 2, 1, 1)):
        shape = (mine.filters, *mine.kernel, mine.channels)
        for _ in range(3):
            w, c = rng.standard_normal(shape), rng.standard_normal(shape[0])
            W, b = shared.matrix(mine, w, c)
            found = lr.count([(W, b), (np.ones((1, mine.units)), None)])
            assert found == shared.maximum(mine).value


def test_the_matrix_is_the_convolution():
    rng = np.random.default_rng(0)
    mine = Conv((5, 4), (2, 3), 2, 3, (2, 1), (0, 1), (2, 1))
    w, b = rng.standard_normal((2, 2, 3, 3)), rng.standard_normal(2)
    W, c = shared.matrix(mine, w, b)
    x = rng.standard_normal((5, 4, 3))
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    for k, (i, q) in product(range(2), enumerate(np.ndindex(*mine.output))):
        r, s = q[0] * 2, q[1]
        block = padded[r : r + 3 : 2, s : s + 3]
        z = (block * w[k]).sum() + b[k]
        assert (W @ x.ravel() + c)[k * mine.positions + i] == pytest.approx(z)


def test_reasons_where_generic_counts_are_out_of_reach():
    big = Conv((28, 28), (4, 4), 64, 3, 4)
    best = shared.maximum(big)
    assert best.exact and "disjoint" in best.why
    assert best.value == sum(comb(64, t) for t in range(49)) ** 49
    few = shared.maximum(Conv((20, 20), (3, 3), 3, 3))
    assert few.exact and few.value == 2 ** (18 * 18 * 3)
    line = shared.maximum(Conv((1, 28), (1, 5), 64))
    assert line.exact and "one dimension" in line.why
    image = shared.maximum(Conv((6, 6), (2, 2), 4))
    assert not image.exact and "commute" in image.why


def test_refusal_gives_valid_bounds():
    reached = []
    with pytest.raises(OutOfReach, match="it is at most") as caught:
        conv.eq4(Conv((12, 12), (3, 3), 4), work=10**5, progress=lambda *at: reached.append(at))
    assert "\n" not in str(caught.value) and reached
    best = shared.maximum(Conv((16, 16), (3, 3), 8), work=10**6)
    assert not best.exact and best.eq4 is None and "out of reach" in best.why
    for mine in (Conv((6, 6), (2, 2), 3), Conv((5, 5), (3, 3), 4), Conv((4, 9), (2, 2), 2)):
        assert conv.eq4(mine) <= conv.fallback(mine)[0] <= 2**mine.units * 10**6
        assert conv.eq4(mine, pieces=3) <= conv.fallback(mine, pieces=3)[0]


def test_speed():
    """The issue's figures, with room for a busy machine."""
    for mine, seconds in (
        (Conv((1000,), (5,), 64), 0.05),
        (Conv((6, 6), (2, 2), 4), 1),
        (Conv((7, 7), (2, 2), 4), 10),
        (Conv((5, 5), (3, 3), 64), 10),
    ):
        start = time.process_time()
        conv.eq4(mine)
        assert time.process_time() - start < 3 * seconds, mine


# -- several layers -------------------------------------------------------------------------------


def example_4(d):
    return deepconv.chain((1, 4), 1, [((1, 2), 2), ((1, 2), d)])


def test_table_2():
    table = reference("xiong_table2")
    nets = [example_4(d) for d in range(1, 9)]
    assert [deepconv.lower(n) for n in nets] == table["lower"]
    assert [deepconv.upper(n) for n in nets] == table["upper_eq9"]
    assert [deepconv.upper_by_dimension(n) for n in nets] == table["dimension_aware_upper"]
    assert [deepconv.upper_by_receptive_field(n) for n in nets] == table["refined_upper"]
    six = [55 * sum(comb(2 * d, i) for i in range(7)) for d in range(1, 9)]
    assert six == table["printed_equals_sum_to_6"] == table["upper_printed"]


def test_theorem_4():
    for n, f1, f2, s1, s2 in product((9, 11), (1, 2, 3), (1, 2), (1, 2), (1, 2)):
        first = Conv((n, n), (f1, f1), 2, 1, s1)
        second = Conv(first.output, (f2, f2), 3, 2, s2)
        both = deepconv.compose(first, second)
        assert both.output == second.output
        for q in second.grid:
            seen = frozenset().union(*(first.sees(x) for x in second.sees(q)))
            assert seen <= both.sees(q) and (s1 > f1 or seen == both.sees(q))


def test_lemma_4():
    assert deepconv.parameters(example_4(3)) == (2 * 1 * 2 + 2) + (2 * 2 * 3 + 3)


def test_example_5_reduces_to_dense_networks():
    from linregions.theory import dense

    nets = deepconv.chain((1, 1), 3, [((1, 1), 5), ((1, 1), 4)])
    assert deepconv.lower(nets) == dense.montufar2014(3, [5, 4])
    assert deepconv.upper(nets) == dense.raghu2017(3, [5, 4])
    assert deepconv.upper_by_dimension(nets) == dense.serra2018(3, [5, 4])


def test_refinements_are_ordered_and_above_random_networks():
    rng = np.random.default_rng(0)
    for d in (1, 2, 3):
        first, second = nets = example_4(d)
        best = deepconv.upper_by_receptive_field(nets)
        assert best <= deepconv.upper_by_dimension(nets) <= deepconv.upper(nets)
        for _ in range(4):
            pairs = []
            for mine in (first, second):
                shape = (mine.filters, *mine.kernel, mine.channels)
                w, c = rng.standard_normal(shape), rng.standard_normal(shape[0])
                W, b = shared.matrix(mine, w, c)
                pairs.append((W, b))
            # units are ordered by filter, inputs by position: reorder between the layers
            W, b = pairs[1]
            order = np.arange(first.units).reshape(first.filters, -1).T.ravel()
            mixed = np.zeros_like(W)
            mixed[:, order] = W
            net = [pairs[0], (mixed, b), (np.ones((1, second.units)), None)]
            assert lr.count(net) <= best


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Conv((3, 3), (4, 4), 2), "does not fit"),
        (lambda: Conv((3, 3), (2, 2, 2), 2), "3 entries for 2"),
        (lambda: Conv((3, 3), (2, 2), 2, stride=0), "at least 1"),
        (lambda: Conv((3, 3), (2, 2), 2.5), "whole number"),
        (lambda: shared.matrix(Conv((3, 3), (2, 2), 2), np.ones((2, 3, 3)), [0, 0]), "filters of"),
        (lambda: deepconv.upper([]), "empty list"),
        (lambda: deepconv.upper([Conv((4,), (2,), 2), Conv((4,), (2,), 2)]), "layer 2 reads"),
        (lambda: deepconv.lower([Conv((4,), (2,), 1, 2)]), "at least 2 filters"),
        (lambda: deepconv.lower([Conv((4,), (2,), 1, padding=1)]), "padding"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(lr.LinregionsError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
