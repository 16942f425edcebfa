"""Random canonical networks with every kind of layer: max units, many pieces, several sources."""

from fractions import Fraction

import numpy as np
from scipy import sparse

from ..network.affine import Affine, Term
from ..network.network import Layer, Network
from ..network.units import (
    ABS,
    HARDTANH,
    RELU,
    RELU6,
    Activation,
    MaxUnits,
    Pointwise,
    clip,
    leaky_relu,
)

KINDS = (
    RELU, RELU, ABS, HARDTANH, RELU6, leaky_relu(0.25), leaky_relu(-0.5), leaky_relu(0.1),
    clip(-1, 2), Activation((-1, 0, 2), (0, 1, Fraction(1, 3), -1), 0.5, "zigzag"),
)  # fmt: skip


def _matrix(rng, rows, columns, style):
    if style == "integer":
        out = rng.integers(-2, 3, (rows, columns)).astype(float)
    elif style == "dyadic":
        out = rng.integers(-8, 9, (rows, columns)) / 4.0
    else:
        out = rng.standard_normal((rows, columns))
    for i in range(1, rows):  # duplicated, opposite, scaled and dead rows
        what = rng.integers(0, 12)
        if what < 3:
            out[i] = out[rng.integers(i)] * (1.0, -1.0, 2.0)[what]
        elif what == 3:
            out[i] = 0.0
    return out


def random_affine(rng, size, sources, style, csr):
    """An affine map of several sources: {source: columns}; sometimes of two factors or CSR."""
    terms = []
    for source, columns in sources.items():
        W = _matrix(rng, size, columns, style)
        if rng.integers(4) == 0:
            factors = (_matrix(rng, size, columns, "integer"), _matrix(rng, size, size, style))
        else:
            factors = (W,)
        if csr:
            factors = tuple(sparse.csr_array(f) for f in factors)
        terms.append(Term(source, factors))
    bias = _matrix(rng, size, 1, style) * rng.integers(0, 2)
    return Affine(size, (*terms, Term(-1, (bias,))))


def random_network(seed, inputs, units, layers, only_max=False, style=None):
    """A network of ``layers`` layers of about ``units`` units of every kind."""
    rng = np.random.default_rng(seed)
    style = style or ("integer", "dyadic", "float64")[rng.integers(3)]
    sizes, made = {0: inputs}, []
    for number in range(1, layers + 1):
        recent = (
            [number - 1] if rng.integers(2) else sorted({number - 1, int(rng.integers(number))})
        )
        width = int(rng.integers(1, units + 1))
        if only_max or rng.integers(2):
            fan = int(rng.integers(2, 2 * width + 2))
            groups = []
            for _ in range(width):
                m = int(rng.integers(1, min(fan, 4) + 1))
                groups.append(tuple(int(i) for i in rng.permutation(fan)[:m]))
            kind = MaxUnits(tuple(groups), fan)
        else:
            fan = width
            kind = Pointwise.each([KINDS[rng.integers(len(KINDS))] for _ in range(width)])
        sources = {s: sizes[s] for s in recent}
        made.append(Layer(random_affine(rng, fan, sources, style, bool(rng.integers(2))), kind))
        sizes[number] = width
    last = {s: sizes[s] for s in {layers, int(rng.integers(layers + 1))}}
    return Network(inputs, tuple(made), random_affine(rng, 1, last, style, False))
