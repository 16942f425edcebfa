"""Float evaluation of many units at once is the definition, unit by unit."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from linregions.network.units import (
    ABS,
    HARDTANH,
    RELU,
    RELU6,
    Activation,
    MaxUnits,
    Pointwise,
    leaky_relu,
)

KINDS = [RELU, ABS, RELU6, HARDTANH, leaky_relu(0.25), Activation((), (2,), 1), leaky_relu(-1)]
INTEGERS = st.integers(-7, 7)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), INTEGERS), min_size=1, max_size=8))
def test_pointwise_units(units):
    layer = Pointwise.each([k for k, _ in units])
    z = np.array([[float(x) for _, x in units], [0.0] * len(units)])
    for row, out, pieces in zip(z, layer(z), layer.pieces(z), strict=True):
        exact, found = layer.at(np.array([int(v) for v in row], dtype=object))
        assert out.tolist() == [float(v) for v in exact] and pieces.tolist() == found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_max_units_of_unequal_groups(data):
    """Ties are frequent among small integers, and go to the first of the group."""
    n = data.draw(st.integers(1, 6))
    group = st.lists(st.integers(0, n - 1), min_size=1, max_size=4, unique=True).map(tuple)
    layer = MaxUnits(tuple(data.draw(st.lists(group, max_size=5))), n)
    z = np.array(data.draw(st.lists(st.lists(INTEGERS, min_size=n, max_size=n), max_size=3)))
    z = z.reshape(-1, n).astype(float)
    assert layer(z).shape == layer.pieces(z).shape == (len(z), layer.size)
    for row, out, pieces in zip(z, layer(z), layer.pieces(z), strict=True):
        exact, found = layer.at(row.astype(object))
        assert out.tolist() == list(exact) and pieces.tolist() == found
