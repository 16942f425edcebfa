"""All networks of one tiny shape, with entries -1, 0 and 1: ties of every kind, by every engine.

Random tests meet the same ties again and again and miss others; here none is left out.
"""

from itertools import islice, product

import numpy as np
import pytest

import linregions as lr
from linregions.testing import assert_same_regions

ENTRIES = (-1.0, 0.0, 1.0)


def two_by_two(values):
    """2-2-1: two hyperplanes of the plane, and what reads them."""
    first, b, out = np.array(values[:4]).reshape(2, 2), values[4:6], values[6:8]
    return [(first, b), ([out], [0.0])]


def deep(values):
    """1-2-2-1."""
    first, b, out = np.array(values[:2]).reshape(2, 1), values[2:4], values[10:12]
    second = np.array(values[4:8]).reshape(2, 2)
    return [(first, b), (second, values[8:10]), ([out], [0.0])]


SHAPES = {"2-2-1": (two_by_two, 8), "1-2-2-1": (deep, 12)}


def canonical(values, inputs):
    """One of two networks whose first units are exchanged: the one whose first row is not less."""
    return tuple(values[:inputs]) >= tuple(values[inputs : 2 * inputs])


def through(shape, every, start=0):
    make, number = SHAPES[shape]
    domains = (lr.Space(), lr.Box(-1, 1))
    for i, values in enumerate(islice(product(ENTRIES, repeat=number), start, None, every)):
        if canonical(values, 2 if shape == "2-2-1" else 1):
            assert_same_regions(make(values), domains[i % 2])


@pytest.mark.parametrize(("shape", "every"), [("2-2-1", 61), ("1-2-2-1", 6007)])
def test_some_tiny_networks(shape, every):
    through(shape, every)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_all_networks_of_two_units(part):
    """6,561 networks, half of them up to the order of their units."""
    through("2-2-1", 2, part)


@pytest.mark.slow
def test_one_in_a_hundred_of_two_by_two_units():
    """Of 531,441; another hundredth for another remainder."""
    through("1-2-2-1", 101)
