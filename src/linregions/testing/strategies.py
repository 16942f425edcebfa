"""Random small networks and domains for hypothesis, degenerate ones on purpose.

The one module of this package that needs hypothesis.

A network is a list of (W, b) pairs of float64 arrays, the last pair the affine output. Rows of
hidden layers are drawn one after the other and may repeat, oppose, scale or nearly repeat earlier
ones, pass through a common point, or vanish. Numbers are of one style per network: small integers,
dyadic fractions, float32 values (three times such a row is exact in float64) or full float64.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

from ..network.affine import Affine
from ..network.network import Layer, Network
from ..network.units import ABS, HARDTANH, RELU, Activation, MaxUnits, Pointwise, leaky_relu
from .networks import random_network

STYLES = ("integer", "dyadic", "float32", "float64")

# What a row may be; listed more often where a rarer draw would leave most networks with few cells.
KINDS = (
    *("fresh", "fresh", "fresh", "concurrent", "concurrent", "zero bias", "parallel", "ulp"),
    *("duplicate", "opposite", "scaled", "dead", "constant"),
)


def sizes(low, high):
    """An integer that is small when shrunk and mostly large otherwise."""
    return st.sampled_from([k for k in range(low, high + 1) for _ in range(2 * (k - low) + 1)])


@st.composite
def vectors(draw, size, style):
    """A float64 array of the given style; the continuous ones come from a seeded generator."""
    if style in ("integer", "dyadic"):
        values = draw(st.lists(st.integers(-3, 3), min_size=size, max_size=size))
        return np.array(values, float) / (1 if style == "integer" else 4)
    v = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).standard_normal(size)
    return v.astype(np.float32).astype(float) if style == "float32" else v


@st.composite
def rows(draw, earlier, size, style, centre, kinds):
    """The next row (weights..., bias) of a layer, given the earlier ones."""
    kind = draw(st.sampled_from(kinds))
    if kind == "dead":
        return np.append(np.zeros(size), draw(st.sampled_from([-1.0, 0.0])))
    if kind == "constant":
        return np.append(np.zeros(size), 1.0)
    row = draw(vectors(size + 1, style))
    if kind == "zero bias":
        row[-1] = 0.0
    elif kind == "concurrent":
        row[-1] = -(row[:-1] @ centre)
    elif earlier and kind not in ("fresh", "zero bias"):
        base = draw(st.sampled_from(earlier)).copy()
        if kind == "parallel":
            base[-1] = row[-1]
        elif kind == "scaled":
            base *= draw(st.sampled_from([0.25, 0.5, 2.0, 3.0, -2.0, -3.0]))
        elif kind == "opposite":
            base *= -1.0
        elif kind == "ulp":
            k = draw(st.integers(0, size))
            base[k] = np.nextafter(base[k], draw(st.sampled_from([-np.inf, np.inf])))
            # A subnormal neighbour of zero would only test the range of exponents.
            base[k] = base[k] if abs(base[k]) > 1e-300 else 2.0**-60
        return base
    return row


@st.composite
def networks(
    draw,
    inputs=(1, 3),
    layers=(1, 3),
    units=(1, 4),
    outputs=(1, 2),
    styles=STYLES,
    kinds=KINDS,
):
    """A network; each pair bounds, both ends included, the size of the same name."""
    n = draw(sizes(*inputs))
    style = draw(st.sampled_from(styles))
    net, width = [], n
    for _ in range(draw(sizes(*layers))):
        # Half of the layers are in general position, up to the style of their numbers.
        allowed = draw(st.sampled_from([kinds, ("fresh",)]))
        centre = np.array(draw(st.lists(st.integers(-2, 2), min_size=width, max_size=width)), float)
        drawn = []
        for _ in range(draw(sizes(*units))):
            drawn.append(draw(rows(drawn, width, style, centre, allowed)))
        layer = np.array(drawn)
        net.append((layer[:, :-1].copy(), layer[:, -1].copy()))
        width = len(layer)
    last = np.array([draw(vectors(width + 1, style)) for _ in range(draw(st.integers(*outputs)))])
    return [*net, (last[:, :-1].copy(), last[:, -1].copy())]


@st.composite
def boxes(draw, n):
    """(lo, hi) with dyadic corners, so that sides often lie on hyperplanes of small networks."""
    lo = np.array(draw(st.lists(st.integers(-8, 4), min_size=n, max_size=n)), float) / 2
    side = np.array(draw(st.lists(st.integers(1, 8), min_size=n, max_size=n)), float) / 2
    return lo, lo + side


@st.composite
def polytopes(draw, n):
    """(A, b) with a ball of positive radius in A x <= b; some are unbounded or have idle rows."""
    size = draw(st.integers(1, 2 * n + 2))
    row = st.lists(st.integers(-3, 3), min_size=n, max_size=n).filter(any)
    A = np.array(draw(st.lists(row, min_size=size, max_size=size)), float)
    centre = np.array(draw(st.lists(st.integers(-2, 2), min_size=n, max_size=n)), float)
    slack = np.array(draw(st.lists(st.integers(1, 6), min_size=size, max_size=size)), float)
    return A, A @ centre + slack


def domains(n):
    """None (all of R^n), ("box", lo, hi) or ("polytope", A, b)."""
    box = boxes(n).map(lambda pair: ("box", *pair))
    polytope = polytopes(n).map(lambda pair: ("polytope", *pair))
    return st.sampled_from([st.none(), box, polytope]).flatmap(lambda strategy: strategy)


@st.composite
def problems(draw, **bounds):
    """A network with a domain of its input space."""
    net = draw(networks(**bounds))
    return net, draw(domains(net[0][0].shape[1]))


BENT = (RELU, RELU, leaky_relu(0.25), ABS, HARDTANH, Activation((-1, 0, 0.5), (1, 0, 2, -1), 0))


@st.composite
def any_units(draw, fan_in, max_units):
    """Units of one layer: pointwise, all alike or each its own, or max units over any groups."""
    if max_units and draw(st.integers(0, 2)):
        many = draw(st.integers(1, max(1, fan_in - 1)))
        position = st.integers(0, fan_in - 1)
        groups = st.lists(position, min_size=1, max_size=min(4, fan_in), unique=True)
        return MaxUnits(tuple(tuple(draw(groups)) for _ in range(many)), fan_in)
    if draw(st.booleans()):
        return Pointwise.uniform(draw(st.sampled_from(BENT)), fan_in)
    return Pointwise.each([draw(st.sampled_from(BENT)) for _ in range(fan_in)])


@st.composite
def canonical(draw, inputs=(1, 3), layers=(1, 3), rows_each=(1, 5), max_units=True):
    """A network in canonical form: any units, layers that read several earlier values, CSR."""
    n, style = draw(sizes(*inputs)), draw(st.sampled_from(STYLES))
    widths, built = [n], []

    def affine(size, kinds, hand_on):
        last = len(widths) - 1
        sources = {last} | draw(st.sets(st.integers(0, last), max_size=1))
        width = sum(widths[s] for s in sources)
        centre = np.array(draw(st.lists(st.integers(-2, 2), min_size=width, max_size=width)), float)
        drawn = []
        for _ in range(size):
            if hand_on and draw(st.booleans()):  # as pooling does
                row = np.zeros(width + 1)
                row[draw(st.integers(0, width - 1))] = 1.0
            else:
                row = draw(rows(drawn, width, style, centre, kinds))
            drawn.append(row)
        W, at, thin = np.array(drawn), 0, draw(st.booleans())
        out = Affine.dense(np.zeros((size, n)), W[:, -1], 0)
        for s in sorted(sources):
            block = W[:, at : at + widths[s]]
            kept: Any = sparse.csr_array(block) if thin else block.copy()
            out += Affine.dense(kept, None, s)
            at += widths[s]
        return Affine(size, out.terms[1:])

    for _ in range(draw(sizes(*layers))):
        kinds = draw(st.sampled_from([KINDS, ("fresh",)]))
        size = draw(sizes(*rows_each))
        units = draw(any_units(size, max_units))
        hand_on = isinstance(units, MaxUnits) and draw(st.booleans())
        built.append(Layer(affine(size, kinds, hand_on and bool(built)), units))
        widths.append(units.size)
    return Network(n, tuple(built), affine(draw(st.integers(1, 2)), ("fresh",), False))


@st.composite
def any_networks(draw, inputs=(1, 3), units=3, layers=(1, 3), **options):
    """`random_network` with everything drawn."""
    n = draw(st.integers(*inputs))
    depth = draw(st.integers(*layers))
    return random_network(draw(st.integers(0, 2**32 - 1)), n, units, depth, **options)
