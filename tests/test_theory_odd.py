"""Odd arguments: every public function of the theory answers rightly or refuses in one line."""

import inspect
import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

import linregions as lr
from linregions import theory
from linregions.theory import Conv
from linregions.theory import arrangements as arr
from linregions.theory import expectation as expect

MODULES = (
    theory.arrangements, theory.comparison, theory.conv, theory.deepconv, theory.dense,
    theory.expectation, theory.maxout, theory.shared,
)  # fmt: skip
LAYER = Conv((3, 3), (2, 2), 2)
# what a parameter of this name takes; the rest of the names are options with a default
GOOD = {
    "m": 4, "d": 2, "k": 2, "n": 2, "n0": 2, "n1": 2, "n2": 2, "units": 3, "rank": 3, "depth": 2,
    "width": 4, "widths": [3, 3], "ranks": [2, 3], "values": [1, 2], "W": [[1, 2], [2, 1]],
    "layer": LAYER, "layers": [LAYER], "first": LAYER, "second": Conv((2, 2), (1, 1), 2, 2),
    "side": 1.0, "rate": 0.5, "volume": 2.0, "size": (3, 3), "channels": 1, "filters": 2,
    "weights": np.ones((2, 2, 2)), "biases": [0.0, 1.0],
}  # fmt: skip
ODD = [
    -1, 0, 1, -2.5, 2.5, math.nan, math.inf, -math.inf, 1e300, 5e-324, 10**12, -(10**12), 10**400,
    10**5000, Fraction(1, 3), True, None, "7", "x", [], [1], [0], [-1], [1.5], [math.nan],
    [math.inf], [10**12], [10**400], [3] * 7, [[]], [[1], [2, 3]], [[math.nan]], np.int64(3),
    np.float64(2), np.array([2, 2]), np.array(3), object(), {}, (2, 2), LAYER, [LAYER, LAYER],
]  # fmt: skip


FUNCTIONS = [
    pytest.param(getattr(module, name), id=f"{module.__name__.split('.')[-1]}.{name}")
    for module in MODULES
    for name in module.__all__
    if inspect.isfunction(getattr(module, name))
]


def required(f):
    return [p for p in inspect.signature(f).parameters.values() if p.default is p.empty
            and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]  # fmt: skip


def given(f):
    special = {"chain": {"layers": [((2, 2), 2)]}, "deep_mixed": {"ranks": [[2, 3], [2]]},
               "montufar2014": {"widths": [4, 4]}, "compose": {"first": LAYER},
               "serra2018_lower": {"widths": [6, 6]}}  # fmt: skip
    return {p.name: special.get(f.__name__, {}).get(p.name, GOOD[p.name]) for p in required(f)}


def finite(value) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list | tuple):
        return all(map(finite, value))
    return not isinstance(value, complex)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_every_function_with_every_argument_odd(f):
    """Each argument in turn is anything at all; options too."""
    base = given(f)
    assert finite(f(**base))
    for name in inspect.signature(f).parameters:
        if name in ("options", "progress", "gamma", "coverage"):
            continue
        for odd in ODD:
            try:
                answer = f(**{**base, name: odd})
            except lr.LinregionsError as error:
                assert "\n" not in str(error) and len(str(error)) < 600
            else:
                assert finite(answer), (name, odd)


NUMBERS = ("side", "rate", "volume")


@pytest.mark.parametrize("f", FUNCTIONS)
def test_numbers_that_no_formula_takes(f):
    """Negative, NaN and infinite numbers are refused wherever a number is asked for."""
    base = given(f)
    for name, value in base.items():
        if name in NUMBERS or isinstance(value, int):
            for odd in (-1, math.nan, math.inf, -math.inf, "x", None):
                with pytest.raises(lr.LinregionsError):
                    f(**{**base, name: odd})
        if isinstance(value, int):
            for odd in (1.5, math.nan, [1]):
                with pytest.raises(lr.LinregionsError, match="whole number"):
                    f(**{**base, name: odd})


HUGE = (10**9, 10**12, 10**400)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_huge_numbers_end(f):
    """Whole numbers beyond any memory: an exact answer where it is short, else a refusal."""
    base = given(f)
    whole = [n for n, v in base.items() if isinstance(v, int)]
    lists = [n for n, v in base.items() if n in ("widths", "ranks", "size") and v]
    for names in [[n] for n in whole + lists] + [whole + lists]:
        for huge in HUGE:
            odd = {n: huge if n in whole else [huge] * len(base[n]) for n in names}
            try:
                f(**{**base, **odd})
            except lr.LinregionsError as error:
                assert "\n" not in str(error) and len(str(error)) < 600


def test_gaussians_that_are_refused():
    for n0, widths, gain, sigma in product(
        (0, -1, 2), ([], [0], [3, 2]), (2, -1, math.nan), (1e-300, 0, math.inf)
    ):
        if (n0, widths, gain, sigma) != (2, [3, 2], 2, 1e-300):
            with pytest.raises(lr.LinregionsError):
                expect.Gaussian(n0, widths, gain, sigma)


@pytest.mark.parametrize("sigma", [5e-324, 1e-300, 1.0, 1e300])
def test_constants_with_odd_arguments(sigma):
    net = expect.Gaussian(2, [3, 2], sigma_b=sigma)
    calls = [
        net.c_grad, net.boundary_density, net.regions_on_a_segment, net.distance, net.cube,
        lambda v: net.gradient_moment(1, v), lambda v: net.gradient_moment(v, 1),
        lambda v: net.boundary_density(1, v), lambda v: net.regions_on_a_segment(1.0, v),
    ]  # fmt: skip
    for call, odd in product(calls, ODD):
        try:
            assert finite(float(call(odd)))
        except lr.LinregionsError as error:
            assert "\n" not in str(error)


def test_answers_that_floats_would_miss():
    """Products whose factors are beyond floats, though they are not."""
    assert expect.cube(1, 10**6, 1e300, 1e-300) == pytest.approx(2 + 10**6, rel=1e-12)
    assert expect.hanin_rolnick_cube(2, 10, 1e-300, 1e150) == pytest.approx(51200.0)
    assert expect.tseran_montufar_cube(1, 1, 2, 1e-300, 1e300) == pytest.approx(64.0)
    with pytest.raises(lr.LinregionsError, match="beyond floating-point"):
        expect.hanin_rolnick_cube(3, 10**6, 1e300, 1e300)
    deep = expect.Gaussian(1, [1] * 100, gain=20)
    exact = deep.gradient_moment(100, 50)
    assert exact > 10**400
    log = (math.log(exact.numerator) - math.log(exact.denominator)) / 100
    assert deep.c_grad(100) == pytest.approx(math.exp(log))
    with pytest.raises(lr.LinregionsError, match="beyond floating-point"):
        expect.Gaussian(1, [1] * 200, gain=200).c_grad(100)
    ends = 10**9, 10**9 + 1
    assert expect.kinks_on_a_line(1, *ends) == pytest.approx(1e-18 / math.pi, rel=1e-8)
    assert expect.kinks_on_a_line(7) == 7
    assert expect.kinks_on_a_line(8, 0) == expect.kinks_on_a_line(8, high=0) == 4
    assert expect.kinks_on_a_line(4, -1, sigma_w=3, sigma_b=3) == pytest.approx(3)
    assert expect.kinks_on_a_line(2, -1e300, 1e300, 1e300, 1e-300) == pytest.approx(2)


def test_large_numbers_of_short_answers():
    many = 10**12
    assert arr.generic(many, 2) == 1 + many + many * (many - 1) // 2
    assert arr.bounded(many, 1) == arr.bounded(many, many - 2) == many - 1
    assert theory.dense.raghu2017(1, [many, 3]) == (many + 1) * 4
    assert theory.conv.eq4(Conv((1,), (1,), many)) == many + 1


@pytest.mark.parametrize("prime", [-3, -7, 0, 1, 4, 6, 91, 561, 2**61 - 3, 2.0, math.nan, "7"])
def test_primes_that_are_none(prime):
    for f in (arr.regions, arr.whitney_numbers, arr.bounded_regions, arr.characteristic_polynomial):
        with pytest.raises(lr.LinregionsError, match="prime"):
            f([[2, 3], [3, 2]], [0, 1], prime=prime)
    with pytest.raises(lr.LinregionsError, match="prime"):
        arr.independent_sets([[2, 3], [3, 2]], prime=prime)


@pytest.mark.parametrize("prime", [2, 3, 7, 101, 2**61 - 1])
def test_primes(prime):
    assert arr.regions([[1, 0], [0, 1]], [0, 1], prime=prime) == 4
    if prime == 2:
        with pytest.raises(lr.LinregionsError, match="denominator"):
            arr.regions([[0.5, 0], [0, 1]], prime=prime)


def test_rates_for_each_dimension():
    assert expect.cube(2, 3, 1.0, [0.5, 0.5, 0.5]) == expect.cube(2, 3, 1.0, 0.5)
    for rates in ([1.0], [1.0] * 4, [], [1.0, math.nan, 1.0], [1.0, -1.0, 1.0]):
        with pytest.raises(lr.LinregionsError, match="rate"):
            expect.cube(2, 3, 1.0, rates)
