"""What shared filters really attain: the maximum of one convolutional layer.

Equation (4) treats every (position, filter) pair as a hyperplane of its own. Filters are
shared, and convolutions commute: for two filters W1, W2 on one channel::

    sum_m W2[m] Z_{m,1}(x) - sum_m W1[m] Z_{m,2}(x) = b1 sum W2 - b2 sum W1    for all x,

with Z_{m,k} the pre-activation of filter k at position m of an f x f block. The 2 f^2
pre-activations are dependent although together they see (2f - 1)^2 >= 2 f^2 inputs, so one
sign pattern is impossible for every choice of weights. Smallest case: a 3 x 3 input with two
2 x 2 filters has 255 regions at most, not 256.
"""

from __future__ import annotations

import random
from fractions import Fraction
from math import comb, inf, prod
from typing import Any, NamedTuple

import numpy as np

from ..errors import LinregionsError
from ..figures import brief_repr
from ._check import OutOfReach, shown, whole, within_reach
from ._coverage import Progress
from ._deletion import PRIME, standard_form, whitney
from .conv import WORK, Conv, checked, eq4, fallback, syzygy

__all__ = ["Maximum", "generic_count", "matrix", "maximum"]


class Maximum(NamedTuple):
    """The largest number of regions of a convolutional layer, or what is known of it.

    Attributes
    ----------
    value
        The best number: the maximum where ``exact``, else an upper bound.
    exact
        Whether ``value`` is the maximum (which is then also the expectation, for any
        continuous distribution of weights and biases).
    eq4
        Equation (4) of Xiong et al. 2020; None where it was out of reach.
    generic
        The count for random weights modulo a prime; None where it was out of reach.
    why
        One sentence: the reason.
    """

    value: int
    exact: bool
    eq4: int | None
    generic: int | None
    why: str

    __repr__ = brief_repr


def matrix(layer: Conv, weights: Any, biases: Any) -> tuple[np.ndarray, np.ndarray]:
    """The layer as one dense affine map: ``W`` (units, inputs) and ``b`` (units,).

    Parameters
    ----------
    weights
        ``(filters, *kernel)`` for one channel, or ``(filters, *kernel, channels)``; any numbers.
    biases
        (filters,).

    Units are ordered by filter, then position (row-major); inputs by position, then channel.

    Examples
    --------
    >>> matrix(Conv((3,), (2,), 1), [[1, -1]], [5])
    (array([[ 1., -1.,  0.],
           [ 0.,  1., -1.]]), array([5., 5.]))
    """
    layer = checked(layer)
    try:
        weights, biases = np.asarray(weights), np.asarray(biases)
    except ValueError:
        raise LinregionsError("filters or biases of no regular shape; give arrays") from None
    shape = (layer.filters, *layer.kernel, layer.channels)
    if weights.shape == shape[:-1] and layer.channels == 1:
        weights = weights[..., None]
    if weights.shape != shape or np.shape(biases) != (layer.filters,):
        raise LinregionsError(
            f"filters of shape {weights.shape} with biases of shape {np.shape(biases)} for "
            f"{layer}; give {shape} and {(layer.filters,)}"
        )
    for v in [*weights.ravel().tolist(), *biases.ravel().tolist()]:
        if not isinstance(v, int | float | Fraction) or not -inf < v < inf:
            raise LinregionsError(f"filters and biases must be finite numbers, got {shown(v)}")
    within_reach(layer.units, layer.inputs, f"a dense matrix of {layer}")
    dtype = object if object in (weights.dtype, biases.dtype) else float
    W = np.zeros((layer.filters, layer.positions, *layer.size, layer.channels), dtype=dtype)
    for i, q in enumerate(np.ndindex(*layer.output)):
        for tap in np.ndindex(*layer.kernel):
            x = [
                a * s - p + t * d
                for a, s, p, t, d in zip(
                    q, layer.stride, layer.padding, tap, layer.dilation, strict=True
                )
            ]
            if all(0 <= v < n for v, n in zip(x, layer.size, strict=True)):
                W[(slice(None), i, *x)] = weights[(slice(None), *tap)]
    b = np.repeat(np.asarray(biases, dtype=dtype), layer.positions)
    return W.reshape(layer.units, layer.inputs), b


def generic_count(
    layer: Conv, *, pieces: int = 2, seed: int = 0, limit: int = 200_000
) -> int | None:
    """Regions of the layer for random weights, exactly, modulo the prime 2^61 - 1.

    Weights, biases and breakpoints are drawn from the prime field; the regions come from
    deletion and restriction. Never more than the generic count over the reals, and less only
    if one of the minors of the matrix vanishes by chance (each with a chance below
    units / 2^61). None where it would take more than about ``limit`` pivots.

    Examples
    --------
    >>> generic_count(Conv((3, 3), (2, 2), filters=2))
    255
    """
    layer, pieces = checked(layer), whole(pieces, "the number of pieces", 1)
    seed, limit = whole(seed, "the seed"), whole(limit, "the limit")
    if layer.units * (pieces - 1) > 400 or layer.inputs > 2000:
        return None
    rng = random.Random(seed)
    size = prod(layer.kernel) * layer.channels
    draws = [[rng.randrange(1, PRIME) for _ in range(size)] for _ in range(layer.filters)]
    weights = np.array(draws, dtype=object).reshape(layer.filters, *layer.kernel, layer.channels)
    biases = np.array([rng.randrange(1, PRIME) for _ in range(layer.filters)], dtype=object)
    breaks = [rng.randrange(1, PRIME) for _ in range(pieces - 1)]
    W, b = matrix(layer, weights, biases)
    rows = [row for row in W.tolist() for _ in breaks]
    offsets = [(c - t) % PRIME for c in b.tolist() for t in breaks]
    _, rest, rank = standard_form(rows, offsets, PRIME)
    if rest and comb(len(rest) + rank - 1, len(rest) - 1) > limit:
        return None
    try:
        return whitney(rest, rank, 1, PRIME, 4 * limit)
    except OutOfReach:
        return None


def maximum(
    layer: Conv,
    *,
    pieces: int = 2,
    work: int = WORK,
    limit: int = 200_000,
    progress: Progress | None = None,
) -> Maximum:
    """The largest number of activation regions of one convolutional layer (Xiong Theorem 2).

    Exact where the count for generic weights is reachable, where equation (4) is attained
    for a reason (disjoint receptive fields; no more filters than channels), and in one
    spatial dimension, where Theorem 2 has no known exception (it was compared with the count
    for generic weights on more than 1,500 layers). Else an upper bound, and ``why`` says so.

    Examples
    --------
    >>> maximum(Conv((3, 3), (2, 2), filters=2))[:4]
    (255, True, 256, 255)
    """
    layer, pieces = checked(layer), whole(pieces, "the number of pieces", 1)
    work, limit = whole(work, "the work"), whole(limit, "the limit")
    try:
        bound: int | None = eq4(layer, pieces=pieces, work=work, progress=progress)
    except OutOfReach:
        bound = None
    generic = generic_count(layer, pieces=pieces, limit=limit)
    if generic is not None:
        if bound is None or generic < bound:
            why = "the count for generic weights; equation (4) is larger"
            return Maximum(generic, True, bound, generic, why)
        return Maximum(bound, True, bound, generic, "equation (4), attained by generic weights")
    if bound is None:
        value, how = fallback(layer, pieces=pieces)
        why = f"equation (4) is out of reach; an upper bound for it: {how}"
        return Maximum(value, False, None, None, why)
    if all(len(p) == 1 for p, _ in layer.coverage.parts):
        why = "equation (4); receptive fields are disjoint, so positions multiply"
        return Maximum(bound, True, bound, None, why)
    if layer.filters <= layer.channels and not any(layer.padding) and pieces == 2:
        why = "equation (4); with a channel to each filter all units are independent"
        return Maximum(bound, True, bound, None, why)
    if syzygy(layer):
        why = "an upper bound only: equation (4) exceeds the maximum (shared filters commute)"
        return Maximum(bound, False, bound, None, why)
    if sum(n > 1 for n in layer.output) <= 1 and pieces == 2:
        why = "equation (4), Theorem 2 of Xiong et al. 2020 in one dimension"
        return Maximum(bound, True, bound, None, why)
    why = "an upper bound: equation (4), which Theorem 2 of Xiong et al. 2020 states as exact"
    return Maximum(bound, False, bound, None, why)
