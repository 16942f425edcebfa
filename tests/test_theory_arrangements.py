"""Hyperplane arrangements: formulas, and exact counts of given arrangements."""

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from helpers import gaussian
from known import ARRANGEMENTS, differences
from reference import reference

import linregions as lr
from linregions.theory import OutOfReach
from linregions.theory import arrangements as arr


def key(text):
    return tuple(int(v) for v in text.split(","))


def test_general_position():
    assert {k: arr.generic(*key(k)) for k in reference("zaslavsky")} == reference("zaslavsky")
    table = reference("zaslavsky_central")
    assert {k: arr.central(*key(k)) for k in table} == table
    table = reference("bounded_regions_generic")
    assert {k: arr.bounded(*key(k)) for k in table} == table


def test_the_binomial_sum_is_the_plain_one():
    for m, d in product(range(12), range(14)):
        assert arr.generic(m, d) == sum(len(list(combinations(range(m), i))) for i in range(d + 1))


def test_units_of_several_pieces():
    published = {(3, 3, 2): 19, (4, 3, 2): 33, (3, 4, 3): 64, (4, 3, 3): 65}
    assert {k: arr.pieces(*k) for k in published} == published
    assert arr.mixed([2, 3, 1, 4], 2) == 1 + (1 + 2 + 3) + (2 + 3 + 6)
    assert arr.pieces(7, 2, 3) == arr.generic(7, 3)


def arrangement(name, n):
    [(W, b), _] = differences(n, ARRANGEMENTS[name][0])
    return W, b


@pytest.mark.parametrize("prime", [None, arr.PRIME])
@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_deformations_of_the_braid_arrangement(name, prime):
    table = reference("nongeneric")[name]
    found = {n: arr.regions(*arrangement(name, int(n)), prime=prime) for n in table}
    assert found == table


@pytest.mark.parametrize(("name", "count"), [("shi", 6**4), ("catalan", 120 * 42)])
def test_closed_forms_beyond_the_table(name, count):
    """(n + 1)^(n - 1) and n! Catalan(n) for n = 5."""
    assert arr.regions(*arrangement(name, 5)) == count


def test_forests():
    table = reference("nongeneric")["braid_generic_translate"]
    found = {n: sum(arr.independent_sets(arrangement("braid", int(n))[0])) for n in table}
    assert found == table


def test_characteristic_polynomials():
    W, b = arrangement("braid", 4)
    assert arr.characteristic_polynomial(W, b) == [1, -6, 11, -6, 0]  # t (t-1) (t-2) (t-3)
    W, b = arrangement("shi", 3)
    assert arr.characteristic_polynomial(W, b) == [1, -6, 9, 0]  # t (t - 3)^2
    assert arr.whitney_numbers(W, b) == [1, 6, 9]
    assert arr.bounded_regions(W, b) == 4  # (n - 1)^(n - 1)
    assert arr.characteristic_polynomial([[0, 0]], [1]) == [1, 0, 0]


def brute(W, b):
    """Regions by the definition of the characteristic polynomial, over all subsets."""
    import flint

    rows = [tuple(map(Fraction, (*w, c))) for w, c in zip(W.tolist(), b.tolist(), strict=True)]
    rows = [r for r in rows if any(r[:-1])]
    scaled = []
    for r in rows:
        first = next(v for v in r if v)
        if (r := tuple(v / first for v in r)) not in scaled:
            scaled.append(r)

    def rank(rows):
        if not rows:
            return 0
        numbers = [flint.fmpq(v.numerator, v.denominator) for r in rows for v in r]
        return flint.fmpq_mat(len(rows), len(rows[0]), numbers).rank()

    total = 0
    for size in range(len(scaled) + 1):
        for chosen in combinations(scaled, size):
            normals = rank([r[:-1] for r in chosen])
            if normals == rank(chosen):  # the hyperplanes meet
                total += (-1) ** (size - normals)
    return total


def test_deletion_and_restriction_against_the_definition():
    rng = np.random.default_rng(5)
    for _ in range(60):
        m, d = rng.integers(1, 8), rng.integers(1, 4)
        W, b = rng.integers(-1, 2, (m, d)), rng.integers(-1, 2, m)
        expected = brute(W, b)
        assert arr.regions(W, b) == expected == arr.regions(W, b, prime=arr.PRIME)
        numbers = arr.whitney_numbers(W, b)
        assert sum(numbers) == expected and numbers[0] == 1
        assert expected <= sum(arr.independent_sets(W))


def test_given_arrangements_against_the_search_engine():
    rng = np.random.default_rng(3)
    for seed in range(40):
        m, d = rng.integers(1, 9), rng.integers(1, 4)
        W, b = rng.integers(-2, 3, (m, d)).astype(float), rng.integers(-1, 2, m).astype(float)
        assert arr.regions(W, b) == lr.count([(W, b), (np.ones((1, m)), None)])
        [(W, b), _] = gaussian(seed, d, m, 1)
        assert arr.regions(W, b) == arr.generic(m, d)
        assert sum(arr.independent_sets(W)) == arr.generic(m, d)
        assert arr.regions(W, np.zeros(m)) == arr.central(m, d)


def test_generic_offsets_are_the_most():
    """Independent sets = regions of the generic translate, by size."""
    W, _ = arrangement("braid", 4)
    translate = np.random.default_rng(0).integers(-(10**6), 10**6, 6)
    assert arr.independent_sets(W) == arr.whitney_numbers(W, translate)


def test_fractions_and_floats_are_what_they_are():
    third = Fraction(1, 3)
    assert arr.regions([[1], [1]], [third, third]) == 2
    assert arr.regions([[1.0], [1.0]], [1 / 3, third]) == 3  # the float 1/3 is another number


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: arr.generic(-1, 2), "at least 0"),
        (lambda: arr.generic(2.5, 2), "whole number"),
        (lambda: arr.pieces(3, 0, 2), "at least 1"),
        (lambda: arr.regions([[1, 0], [1]]), "shape"),
        (lambda: arr.regions([[1, 0]], [1, 2]), "shape"),
        (lambda: arr.regions(5), "shape"),
        (lambda: arr.regions([[float("nan")]]), "finite"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(lr.LinregionsError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_refusal():
    W = np.random.default_rng(0).integers(-9, 9, (40, 8))
    with pytest.raises(OutOfReach, match="pivots"):
        arr.regions(W, limit=100)
