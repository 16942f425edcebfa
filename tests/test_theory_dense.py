"""Bounds of dense and maxout networks: the sheet's values, orderings, and brute force."""

from functools import cache
from itertools import product
from math import comb, prod

import numpy as np
import pytest
from reference import reference

import linregions as lr
from linregions.theory import arrangements as arr
from linregions.theory import dense, maxout


def shape(row):
    return row["n0"], row["widths"]


@cache
def gamma_table(n, m):
    """The sheet's table for n = 2 (observed, not proved), else the recursion on top of it."""
    if n >= m or n <= 1:
        return dense.gamma_recursive(n, m)
    if n == 2:
        out, left = [0] * (m + 1), arr.generic(m, 2)
        for i in range(m, -1, -1):
            out[i] = min(1 if i == m else m, left)
            left -= out[i]
        return out
    shifted, cut = [0, *gamma_table(n, m - 1)], [*gamma_table(n - 1, m - 1), 0]
    return [a + b for a, b in zip(shifted, cut, strict=True)]


def test_upper_bounds():
    for row in reference("upper_bounds"):
        at = shape(row)
        histogram = dense.serra2018_histogram(*at)
        assert [str(v) for v in histogram] == row["hinz_serra_hist"]
        assert str(dense.serra2018(*at)) == row["serra"]
        assert str(dense.montufar2017(*at)) == row["montufar17"]
        assert str(dense.raghu2017(*at)) == row["raghu_form"]
        assert str(dense.trivial(*at)) == row["naive"]
        assert str(dense.hinz(*at)) == row["gamma_rec"]
        assert str(dense.hinz(*at, gamma_table)) == row["gamma_hinz21_n2"]


def test_the_architectures_of_the_poster():
    for row in reference("serra_n0_784_total22"):
        at = 784, [row["n1"], row["n2"]]
        found = [f(*at) for f in (dense.serra2018, dense.montufar2017)]
        assert found == [row["serra"], row["montufar17"]]
        assert min(dense.raghu2017(*at), dense.trivial(*at)) == row["raghu_form"] == row["naive"]
    table = reference("serra_three_layers_total22_n0_784")
    for text, value in table.items():
        assert dense.serra2018(784, [int(v) for v in text.split(",")]) == value


def test_lower_bounds():
    pairs = {"pascanu13": dense.pascanu2013, "montufar14": dense.montufar2014}
    for row in reference("lower_bounds"):
        for name, bound in pairs.items():
            assert str(bound(*shape(row))) == row[name]
        if row["serra18"] is None:
            with pytest.raises(lr.LinregionsError, match="3 n0"):
                dense.serra2018_lower(*shape(row))
        else:
            assert str(dense.serra2018_lower(*shape(row))) == row["serra18"]
    row = reference("arora_lower")
    assert dense.arora2018(row["n0"], row["m"], row["w"], row["L"]) == row["value"]


def test_gammas():
    table = reference("gamma")
    for m, row in table["n=1"].items():
        assert dense.gamma_recursive(1, int(m)) == row
    for m, row in table["serra n=2"].items():
        assert dense.gamma_binomial(2, int(m)) == row
    for m, row in table["own recursion n=2"].items():
        assert dense.gamma_recursive(2, int(m)) == row
    for m, row in table["n=2 observed"].items():
        assert gamma_table(2, int(m)) == row


def brute_serra(n0, widths):
    total = 0
    for j in product(*(range(m + 1) for m in widths)):
        room, ok = n0, True
        for m, i in zip(widths, j, strict=True):
            ok, room = ok and i <= min(room, m), min(room, m - i)
        total += prod(map(comb, widths, j)) if ok else 0
    return total


def test_serra_is_its_definition_and_its_two_programmes_agree():
    rng = np.random.default_rng(0)
    for _ in range(300):
        n0, widths = int(rng.integers(0, 7)), rng.integers(1, 6, rng.integers(1, 5)).tolist()
        value = dense.serra2018(n0, widths)
        assert value == brute_serra(n0, widths) == sum(dense.serra2018_histogram(n0, widths))


def test_the_framework_contains_the_older_bounds():
    rng = np.random.default_rng(1)
    for _ in range(100):
        at = int(rng.integers(1, 8)), rng.integers(1, 8, rng.integers(1, 5)).tolist()
        assert dense.hinz(*at, dense.gamma_binomial) == dense.serra2018(*at)
        assert dense.hinz(*at, dense.gamma_generic) == dense.montufar2017(*at)
        assert dense.hinz(*at, dense.gamma_trivial) == dense.trivial(*at)


def test_orderings():
    rng = np.random.default_rng(2)
    for _ in range(300):
        at = int(rng.integers(1, 12)), rng.integers(1, 12, rng.integers(1, 6)).tolist()
        hinz, serra = dense.hinz(*at), dense.serra2018(*at)
        montufar, raghu = dense.montufar2017(*at), dense.raghu2017(*at)
        assert hinz <= serra <= montufar <= raghu <= dense.trivial(*at)
        assert dense.piecewise(*at) == montufar <= dense.piecewise(*at, 3)


def test_monotone_in_every_width_and_in_the_input():
    rng = np.random.default_rng(3)
    for _ in range(100):
        n0, widths = int(rng.integers(1, 6)), rng.integers(1, 6, 3).tolist()
        i = int(rng.integers(0, 3))
        more = [m + (k == i) for k, m in enumerate(widths)]
        for bound in (dense.trivial, dense.raghu2017, dense.montufar2017, dense.serra2018):
            assert bound(n0, widths) <= bound(n0, more)
            assert bound(n0, widths) <= bound(n0 + 1, widths)


def test_lower_bounds_stay_below_every_upper_bound():
    for n0, a, b, c in product((1, 2, 3), (1, 2, 3, 4), (1, 2, 3), (1, 2, 3)):
        widths = [a * n0 + 1, b * n0, c * n0]
        lower = max(dense.pascanu2013(n0, widths), dense.montufar2014(n0, widths))
        assert dense.pascanu2013(n0, widths) <= dense.montufar2014(n0, widths)
        if a >= 3 and b >= 3:
            assert lower <= (lower := dense.serra2018_lower(n0, widths))
        assert lower <= dense.hinz(n0, widths)


def test_one_input_is_solved():
    """n0 = 1 and widths of at least 3: the lower bound is the upper bound."""
    for widths in ([3, 3], [5, 4], [3, 7, 4], [4] * 6):
        assert dense.serra2018_lower(1, widths) == dense.serra2018(1, widths)
        assert dense.serra2018(1, widths) == prod(m + 1 for m in widths)


def test_maxout():
    for row in reference("maxout_layer_sharp"):
        at = row["n"], row["m"], row["k"]
        assert maxout.layer(*at) == row["sharp"]
        assert maxout.serra2018(at[0], [at[1]], at[2]) == row["serra18"]
    for row in reference("maxout_deep"):
        at = row["n0"], row["widths"], row["k"]
        assert maxout.deep(*at) == row["product_of_sharp"]
        assert maxout.serra2018(*at) == row["serra18"]
    assert (
        maxout.montufar2014_lower(2, 3, 3) == reference("montufar14_maxout_lower")["n0=2,L=3,k=3"]
    )


def test_maxout_ordering():
    for n, m, k, depth in product((1, 2, 3, 4), (1, 2, 3), (2, 3, 4), (1, 2)):
        assert maxout.deep(n, [m] * depth, k) <= maxout.serra2018(n, [m] * depth, k)
        assert maxout.montufar2014_lower(n, depth, k) <= maxout.deep(n, [n] * depth, k)
    assert maxout.layer(3, 4, 2) == arr.generic(4, 3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dense.serra2018(2, []), "must not be empty"),
        (lambda: dense.serra2018(2, [3, -1]), "at least 0"),
        (lambda: dense.serra2018(2, "33"), "list of whole numbers"),
        (lambda: dense.serra2018(2, [3.5]), "whole number"),
        (lambda: dense.montufar2014(3, [2, 2]), "every width >= n0"),
        (lambda: maxout.montufar2014_lower(2, 2, 1), "rank of at least 2"),
        (lambda: dense.arora2018(2, 2, 4, 0), "at least 1"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(lr.LinregionsError, match=words):
        call()
