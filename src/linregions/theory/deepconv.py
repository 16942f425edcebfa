"""Several convolutional layers: bounds, parameters, comparisons (Xiong et al. 2020).

A network is a list of `Conv` s, each reading the output of the one before. All upper bounds
are for activation regions over the input space (or any convex part of it).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from math import prod

from ..errors import LinregionsError
from ._check import OutOfReach, listed, shown, wholes, within_reach
from ._coverage import Coverage
from ._dimension import start, step
from .arrangements import elementary, generic
from .conv import SEEN, WORK, Conv, by_size, eq4, fallback
from .conv import checked as convolution
from .shared import maximum

__all__ = [
    "chain",
    "checked",
    "compose",
    "lower",
    "parameters",
    "upper",
    "upper_by_dimension",
    "upper_by_receptive_field",
]


def chain(
    size: Sequence[int], channels: int, layers: Sequence[tuple[Sequence[int], int]], **options
) -> list[Conv]:
    """A list of `Conv` s from the input's size and channels and (kernel, filters) pairs.

    Examples
    --------
    >>> [layer.output for layer in chain((4,), 1, [((2,), 2), ((2,), 3)])]
    [(3,), (2,)]
    """
    out: list[Conv] = []
    try:
        given = listed(layers, "the layers", "(kernel, filters) pairs")
        pairs = [(kernel, filters) for kernel, filters in given]
    except (TypeError, ValueError):
        raise LinregionsError(
            f"the layers must be a list of (kernel, filters) pairs, got {shown(layers)}"
        ) from None
    for kernel, filters in pairs:
        shape = wholes(size, "the size of the input"), wholes(kernel, "the kernel")
        layer = Conv(*shape, filters, channels, **options)
        out.append(layer)
        size, channels = layer.output, filters
    return out


def checked(layers: Sequence[Conv]) -> list[Conv]:
    """The layers as a list, if each reads what the one before it gives; else an error.

    Examples
    --------
    >>> len(checked(chain((4,), 1, [((2,), 2), ((2,), 3)])))
    2
    """
    layers = [convolution(v) for v in listed(layers, "the layers", "convolutional layers")]
    if not layers:
        raise LinregionsError("an empty list of convolutional layers")
    for i, (a, b) in enumerate(pairwise(layers), start=2):
        if (a.output, a.filters) != (b.size, b.channels):
            raise LinregionsError(
                f"layer {i} reads {b.size} with {b.channels} channels, but layer {i - 1} gives "
                f"{a.output} with {a.filters}"
            )
    return layers


def compose(first: Conv, second: Conv) -> Conv:
    """Theorem 4: two convolutions without units in between are one.

    Its kernel is ``f_1 + (f_2 - 1) s_1`` and its stride ``s_1 s_2`` in every dimension. For
    layers without padding and dilation.

    Examples
    --------
    >>> compose(*chain((9, 9), 1, [((3, 3), 2), ((2, 2), 5)])).kernel
    (4, 4)
    """
    checked([first, second])
    if not (first.plain and second.plain):
        raise LinregionsError("Theorem 4 is about layers without padding and dilation")
    kernel = tuple(
        f1 + (f2 - 1) * s
        for f1, f2, s in zip(first.kernel, second.kernel, first.stride, strict=True)
    )
    stride = tuple(a * b for a, b in zip(first.stride, second.stride, strict=True))
    return Conv(first.size, kernel, second.filters, first.channels, stride)


def parameters(layers: Sequence[Conv]) -> int:
    """Lemma 4: ``sum_l (prod f_l) d_{l-1} d_l + d_l`` weights and biases, output excluded.

    Examples
    --------
    >>> parameters(chain((4,), 1, [((2,), 2), ((2,), 3)]))
    21
    """
    return sum(layer.parameters for layer in checked(layers))


def lower(layers: Sequence[Conv], *, work: int = WORK) -> int:
    """Theorem 5 (i): ``R' prod_{l<L} floor(d_l / d0)^(positions_l d0)``, for the maximum.

    R' is the maximum of the last layer with d0 input channels. The paper takes equation (4)
    for it, which is too large in two dimensions (`linregions.theory.shared`); here it is the
    true count where that is reachable, else a product over disjoint receptive fields.

    Raises
    ------
    LinregionsError
        Where the theorem does not apply: padding, dilation, or d_l < d0.

    Examples
    --------
    >>> [lower(chain((4,), 1, [((2,), 2), ((2,), d)])) for d in range(1, 9)]
    [32, 120, 320, 680, 1248, 2072, 3200, 4680]
    """
    layers = checked(layers)
    d0 = layers[0].channels
    if not all(layer.plain for layer in layers):
        raise LinregionsError("Theorem 5 is about layers without padding and dilation")
    if any(layer.filters < d0 for layer in layers):
        need = f"at least {shown(d0)} filters (input channels) per layer"
        raise LinregionsError(f"Theorem 5 needs {need}")
    bits = sum(m.positions * d0 * (m.filters // d0).bit_length() for m in layers[:-1])
    within_reach(1, bits, "Theorem 5 of Xiong et al.")
    last = layers[-1]
    final = Conv(last.size, last.kernel, last.filters, d0, last.stride)
    best = maximum(final, work=work)
    value = best.value if best.exact else _disjoint(final)
    return value * prod((m.filters // d0) ** (m.positions * d0) for m in layers[:-1])


def _disjoint(layer: Conv) -> int:
    """Regions of positions whose receptive fields do not meet: a sub-arrangement."""
    count = prod(
        -(-n // -(-f // s))
        for n, f, s in zip(layer.output, layer.kernel, layer.stride, strict=True)
    )
    one = generic(layer.filters, prod(layer.kernel) * layer.channels)
    within_reach(1, count * one.bit_length(), "a product over disjoint receptive fields")
    return one**count


def _eq4(layer: Conv, work: int) -> int:
    try:
        return eq4(layer, work=work)
    except OutOfReach:
        return fallback(layer)[0]


def upper(layers: Sequence[Conv], *, work: int = WORK) -> int:
    """Theorem 5 (ii): ``E4(layer 1) prod_{l>=2} Z(units_l, inputs)``.

    Examples
    --------
    >>> [upper(chain((4,), 1, [((2,), 2), ((2,), d)])) for d in range(1, 9)]
    [220, 880, 3135, 8965, 21230, 43670, 80905, 138435]
    """
    layers = checked(layers)
    n0 = layers[0].inputs
    first = min(maximum(layers[0], work=work).value, _eq4(layers[0], work))
    return first * prod(generic(layer.units, n0) for layer in layers[1:])


def upper_by_dimension(layers: Sequence[Conv], *, work: int = WORK) -> int:
    """Theorem 5 (ii) with the dimension of the image followed through the layers.

    ``sum_j a_j R_2(min(n0, units_1 - j))`` and so on, with a_j the Hall-feasible j-sets of
    the first layer and binomials later: a unit that is off takes one dimension away, by the
    down-shift argument of Serra's bound.

    Examples
    --------
    >>> [upper_by_dimension(chain((4,), 1, [((2,), 2), ((2,), d)])) for d in (1, 2, 3)]
    [220, 795, 2380]
    """
    layers = checked(layers)
    sizes = [_sizes(layers[0].coverage, layers[0], work)]
    sizes += [elementary([1] * layer.units, layers[0].inputs) for layer in layers[1:]]
    return _follow(layers, sizes)


def upper_by_receptive_field(layers: Sequence[Conv], *, work: int = WORK) -> int:
    """As `upper_by_dimension`, each later layer seen as a convolution of the input.

    Within a region of the layers before it, layer l is affine in the input with the composed
    receptive fields (Theorem 4), so at most as many j-sets of its normals are independent as
    satisfy Hall's condition for those.

    Examples
    --------
    >>> [upper_by_receptive_field(chain((4,), 1, [((2,), 2), ((2,), d)])) for d in range(1, 9)]
    [220, 795, 2380, 5883, 12520, 23815, 41600, 68015]
    """
    layers = checked(layers)
    sizes = []
    if prod(layers[0].size) > SEEN:
        raise OutOfReach(f"receptive fields over an input of {prod(layers[0].size)} positions")
    sees = {x: frozenset([x]) for x in product(*map(range, layers[0].size))}
    for layer in layers:
        sees = {q: frozenset().union(*(sees[x] for x in layer.sees(q))) for q in layer.grid}
        coverage = Coverage([sees[q] for q in layer.grid], layers[0].channels)
        sizes.append(_sizes(coverage, layer, work))
    return _follow(layers, sizes)


def _sizes(coverage: Coverage, layer: Conv, work: int) -> list[int]:
    """Bounds for the independent sets of a layer's normals by size."""
    binomials = elementary([1] * layer.units, coverage.used)
    try:
        return by_size(layer, work=work, coverage=coverage)
    except OutOfReach:
        return binomials


def _follow(layers: list[Conv], sizes: list[list[int]]) -> int:
    """``R_l(d) = sum_{j<=d} a_j R_{l+1}(min(d, units_l - j))``."""
    most = sum(min(layers[0].inputs, layer.units) + 1 for layer in layers)
    within_reach(most, sum(layer.units for layer in layers), "a bound by dimensions")
    F = start(min(layers[0].inputs, layers[0].units))
    for layer, a in zip(layers, sizes, strict=True):
        F = step(F, a, layer.units, cap=layer.units)
    return sum(F)
