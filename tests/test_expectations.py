"""Mean counts of random networks against exact expectations.

With n_0 >= n_1 inputs and entries of symmetric densities the first layer has all 2^n_1 orthants.
In an orthant with j active units, i forms of the second layer meet in its interior with
probability 2^-j (C(j, 0) + ... + C(j, j - i)) by Wendel's theorem, and the number of cells is
the number of such sets of forms, the empty one included.
"""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

import linregions as lr


def expectation(n1, n2):
    """The expected number of activation regions of two layers, exactly."""
    return sum(
        comb(n1, j) * comb(n2, i) * Fraction(sum(comb(j, l) for l in range(j - i + 1)), 2**j)
        for j in range(n1 + 1)
        for i in range(min(j, n2) + 1)
    )


def sample(n1, n2, networks, inputs, seed):
    """Counts of random networks with entries uniform on (-1, 1)."""
    rng = np.random.default_rng(seed)
    counts = []
    for _ in range(networks):
        shapes = (n1, inputs), n1, (n2, n1), n2, (1, n2)
        W, b, V, c, U = (rng.uniform(-1, 1, shape) for shape in shapes)
        counts.append(int(lr.count([(W, b), (V, c), (U, None)])))
    return np.array(counts)


def agrees(counts, mean):
    """Within four standard errors."""
    error = counts.std(ddof=1) / np.sqrt(len(counts))
    assert error > 0
    assert abs(counts.mean() - float(mean)) < 4 * error, (counts.mean(), float(mean), error)


def test_published_expectations():
    """Values computed with exact arithmetic elsewhere."""
    published = {(1, 1): 5 / 2, (1, 2): 3, (2, 1): 23 / 4, (2, 2): 31 / 4, (2, 3): 10}
    published |= {(8, 2): 878.76953125, (7, 3): 705.0625, (5, 5): 307.1875}
    assert {key: float(expectation(*key)) for key in published} == published


@pytest.mark.parametrize(("n1", "n2", "networks"), [(1, 1, 400), (2, 1, 400), (2, 2, 300)])
def test_small_networks(n1, n2, networks):
    agrees(sample(n1, n2, networks, n1, seed=n1 + 10 * n2), expectation(n1, n2))


def test_networks_of_seven_and_three():
    agrees(sample(7, 3, 300, 7, seed=73), Fraction(11281, 16))


def test_networks_of_five_and_five():
    agrees(sample(5, 5, 300, 7, seed=55), Fraction(4915, 16))


@pytest.mark.slow
@pytest.mark.parametrize(("n1", "n2"), [(7, 3), (5, 5), (8, 2), (6, 4)])
def test_many_networks(n1, n2):
    counts = sample(n1, n2, 1500, 8, seed=1)
    agrees(counts, expectation(n1, n2))
    assert counts.std(ddof=1) / np.sqrt(len(counts)) < 0.02 * counts.mean()
