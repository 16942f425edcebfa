"""One layer of hyperplanes, and convolutional layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import factorial

import numpy as np

from ..errors import LinregionsError
from ..theory import Conv, shared
from ..theory._check import whole
from ..theory.arrangements import regions as deletion
from ._construction import Construction, built

OFFSETS = {
    "braid": (0,),
    "shi": (0, 1),
    "catalan": (-1, 0, 1),
    "linial": (1,),
    "semiorder": (-1, 1),
}


def arrangement(name: str, n: int) -> Construction:
    """One unit for each hyperplane ``x_i - x_j = c`` of R^n, i < j, for the offsets c of a name.

    ``braid`` (c = 0): n! regions; ``shi`` (0, 1): (n + 1)^(n - 1); ``catalan`` (-1, 0, 1):
    n! times the n-th Catalan number; ``linial`` (1) and ``semiorder`` (-1, 1): from deletion
    and restriction. Far from general position, with exact ties.

    Source: Stanley, An introduction to hyperplane arrangements (2004).

    Examples
    --------
    >>> arrangement("shi", 4).regions["activation"]
    125
    """
    if name not in OFFSETS:
        raise LinregionsError(f"unknown arrangement {name!r}; give one of {', '.join(OFFSETS)}")
    n = whole(n, "the dimension", 2)
    rows = [(i, j, c) for i, j in combinations(range(n), 2) for c in OFFSETS[name]]
    W, b = np.zeros((len(rows), n)), np.zeros(len(rows))
    for k, (i, j, c) in enumerate(rows):
        W[k, i], W[k, j], b[k] = 1, -1, -c
    closed = {
        "braid": factorial(n),
        "shi": (n + 1) ** (n - 1),
        "catalan": factorial(2 * n) // factorial(n + 1),
    }
    count = closed[name] if name in closed else deletion(W.astype(int), b.astype(int))
    read = np.ones((1, len(rows)))
    regions = {"activation": count, "linear": count}
    return built([(W, b), (read, np.zeros(1))], regions, f"the {name} arrangement of R^{n}")


def convolutional(layers: Conv | Sequence[Conv], seed: int = 0) -> Construction:
    """Random convolutional layers (integer weights), each reading the one before.

    A single layer has the generic number of regions, which `theory.shared.maximum` gives
    (Xiong et al. 2020, Theorem 2 as corrected); the count is known where that is exact.

    Examples
    --------
    >>> from linregions.theory import Conv
    >>> convolutional(Conv((3,), (2,), 4)).regions["activation"]  # Table 1
    85
    """
    layers = [layers] if isinstance(layers, Conv) else list(layers)
    rng, pairs, order = np.random.default_rng(seed), [], None
    for layer in layers:
        shape = (layer.filters, *layer.kernel, layer.channels)
        weights, biases = (rng.integers(-999, 1000, s) for s in (shape, layer.filters))
        W, b = shared.matrix(layer, weights, biases)
        if order is not None:
            W, columns = np.zeros_like(W), W
            if columns.shape[1] != len(order):
                raise LinregionsError(f"{layer} cannot read {len(order)} units")
            W[:, order] = columns
        # units by filter, then position; the next layer reads by position, then channel
        order = np.arange(layer.units).reshape(layer.filters, -1).T.ravel()
        pairs.append((W, b))
    if not pairs:
        raise LinregionsError("an empty list of convolutional layers")
    pairs.append((np.ones((1, len(pairs[-1][1]))), np.zeros(1)))
    best = shared.maximum(layers[0]) if len(layers) == 1 else None
    known = {"activation": best.value} if best is not None and best.exact else {}
    return built(pairs, known, "Xiong et al. 2020, Theorem 2 as corrected" if known else "")


def xiong_counterexample() -> Construction:
    """Two 2 x 2 filters on a 3 x 3 input: 255 regions, where Theorem 2 says 256.

    ``W1 = [[1, 2], [3, -1]]``, b1 = 1, ``W2 = [[2, -1], [1, 3]]``, b2 = 2. The missing pattern,
    by filter then position, is + - + + - - - +.

    Examples
    --------
    >>> xiong_counterexample().regions
    {'activation': 255}
    """
    layer = Conv((3, 3), (2, 2), 2)
    W, b = shared.matrix(layer, [[[1, 2], [3, -1]], [[2, -1], [1, 3]]], [1, 2])
    source = "against Xiong et al. 2020, Theorem 2"
    return built([(W, b), (np.ones((1, 8)), np.zeros(1))], {"activation": 255}, source)
