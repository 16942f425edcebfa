"""One convolutional layer: the number of its regions (Xiong et al. 2020, Theorem 2).

With R = number of filters and S_p the inputs that position p sees::

    E4 = sum over t in K of prod_p C(R, t_p),
    K = {t : sum_{p in J} t_p <= |union_{p in J} S_p| for all sets J of positions}.

E4 counts the sets of (position, filter) pairs that satisfy Hall's condition. It is always an
upper bound, and the number of regions of an untied (locally connected) layer. For shared
filters in two or more spatial dimensions Theorem 2 calls it the maximum, which is false once
`syzygy` holds: see `maximum`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise, product
from math import prod
from typing import Any

from ..errors import LinregionsError
from ._check import OutOfReach, shown, whole, wholes
from ._coverage import Coverage, Progress
from .arrangements import binomials, generic
from .arrangements import pieces as general_position

__all__ = [
    "Conv",
    "by_size",
    "eq4",
    "exponent",
    "fallback",
    "polynomial",
    "saturating",
    "syzygy",
]

WORK = 2 * 10**8
SEEN = 10**7  # pairs of a position and an input that it reads, of one layer


def _each(value: Any, dims: int, name: str, least: int) -> tuple[int, ...]:
    values = (value,) * dims if not hasattr(value, "__len__") else tuple(value)
    if len(values) != dims:
        raise LinregionsError(f"{name} has {len(values)} entries for {dims} spatial dimensions")
    return wholes(values, name, least)


@dataclass(frozen=True)
class Conv:
    """The shape of a convolutional layer, in any number of spatial dimensions.

    Parameters
    ----------
    size
        Spatial sizes of the input, (n,) or (height, width) or more.
    kernel
        Spatial sizes of a filter.
    filters
        Number of filters, shared by all positions, each with one bias.
    channels
        Channels of the input.
    stride, padding, dilation
        One number, or one for each dimension. Padding is with zeros, on both sides.

    Examples
    --------
    >>> layer = Conv((3, 3), (2, 2), filters=2)
    >>> layer.output, layer.units
    ((2, 2), 8)
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    filters: int
    channels: int = 1
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1

    def __post_init__(self) -> None:
        size = wholes(self.size, "the size of the input")
        set_ = object.__setattr__
        set_(self, "size", size)
        set_(self, "kernel", _each(self.kernel, len(size), "the kernel", 1))
        set_(self, "filters", whole(self.filters, "the number of filters"))
        set_(self, "channels", whole(self.channels, "the number of channels", 1))
        set_(self, "stride", _each(self.stride, len(size), "the stride", 1))
        set_(self, "padding", _each(self.padding, len(size), "the padding", 0))
        set_(self, "dilation", _each(self.dilation, len(size), "the dilation", 1))
        if min(self.output) < 1:
            raise LinregionsError(
                f"a kernel {_by(self.kernel)} does not fit into an input {_by(size)}"
            )

    @property
    def output(self) -> tuple[int, ...]:
        """Spatial sizes of the output (Lemma 1 of the paper)."""
        return tuple(
            (n + 2 * p - d * (f - 1) - 1) // s + 1
            for n, f, s, p, d in zip(
                self.size, self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )

    @property
    def positions(self) -> int:
        """Positions of a filter."""
        return prod(self.output)

    @property
    def units(self) -> int:
        """Units: positions times filters."""
        return self.positions * self.filters

    @property
    def inputs(self) -> int:
        """Input dimension: spatial sizes times channels."""
        return prod(self.size) * self.channels

    @property
    def parameters(self) -> int:
        """Weights and biases (Lemma 4 of the paper)."""
        return self.filters * (prod(self.kernel) * self.channels + 1)

    def with_filters(self, filters: int) -> Conv:
        """The same layer with another number of filters."""
        return Conv(
            self.size, self.kernel, filters, self.channels, self.stride, self.padding,
            self.dilation,
        )  # fmt: skip

    @cached_property
    def grid(self) -> list[tuple[int, ...]]:
        """Positions in the order of a sweep along the longest side."""
        seen = self.positions * prod(self.kernel)
        if seen > SEEN:
            raise OutOfReach(
                f"a convolution of {shown(self.positions)} positions with kernels of "
                f"{shown(prod(self.kernel))} entries; at most {SEEN:,} in all are followed"
            )
        axes = sorted(range(len(self.size)), key=lambda a: -self.output[a])
        swept = product(*(range(self.output[a]) for a in axes))
        return [tuple(p for _, p in sorted(zip(axes, q, strict=True))) for q in swept]

    def sees(self, position: tuple[int, ...]) -> frozenset[tuple[int, ...]]:
        """Spatial input positions that a position of the output reads."""
        ranges = [
            [x for i in range(f) if 0 <= (x := q * s - p + i * d) < n]
            for q, n, f, s, p, d in zip(
                position, self.size, self.kernel, self.stride, self.padding, self.dilation,
                strict=True,
            )
        ]  # fmt: skip
        return frozenset(product(*ranges))

    @cached_property
    def coverage(self) -> Coverage:
        """The receptive sets."""
        return Coverage([self.sees(p) for p in self.grid], self.channels)

    @property
    def plain(self) -> bool:
        """No padding and no dilation: the setting of the paper."""
        return not any(self.padding) and all(d == 1 for d in self.dilation)

    def __str__(self) -> str:
        text = f"{_by(self.size)}x{self.channels}, {self.filters} filters {_by(self.kernel)}"
        for name, plain in (("stride", 1), ("padding", 0), ("dilation", 1)):
            value = getattr(self, name)
            if any(v != plain for v in value):
                text += f", {name} {_by(value)}"
        return text


def _by(values: Sequence[int]) -> str:
    return "x".join(map(str, values))


def checked(layer: Any) -> Conv:
    """The layer, which must be one."""
    if not isinstance(layer, Conv):
        raise LinregionsError(f"{shown(layer)} is no convolutional layer; give a Conv")
    return layer


def _weights(layer: Conv, pieces: int, coverage: Coverage | None = None) -> list[int]:
    top = min(layer.filters, (layer.coverage if coverage is None else coverage).used)
    return [v * (pieces - 1) ** t for t, v in enumerate(binomials(layer.filters, top))]


def eq4(layer: Conv, *, pieces: int = 2, work: int = WORK, progress: Progress | None = None) -> int:
    """Equation (4): ``sum_{t in K} prod_p C(R, t_p) (pieces - 1)^{t_p}``.

    An upper bound for the activation regions of the layer, attained by untied weights. One
    spatial dimension takes milliseconds; in more, about 6 to 8 inputs across the shorter
    side are within reach (the longer side is free), and `OutOfReach` is raised beyond, whose
    message gives `fallback`.

    Parameters
    ----------
    layer
        A `Conv`; any stride, padding and dilation.
    pieces
        Pieces of the activation: 2 for ReLU. K parallel hyperplanes less one for each unit
        (the paper's open question 5 for scalar activations).
    work
        Bound on the work of the sweep, roughly in tenths of a microsecond.
    progress
        Called with (positions done, positions).

    Examples
    --------
    >>> [eq4(Conv((3,), (2,), d)) for d in range(1, 9)]  # Table 1 of the paper
    [4, 15, 40, 85, 156, 259, 400, 585]
    """
    layer, pieces = checked(layer), whole(pieces, "the number of pieces", 1)
    work = whole(work, "the work")
    try:
        return layer.coverage.total(_weights(layer, pieces), work, progress)
    except OutOfReach as error:
        value, why = fallback(layer, pieces=pieces, work=work // 20)
        raise OutOfReach(
            f"equation (4) of {layer} is out of reach ({error}); it is at most {_short(value)} "
            f"({why})"
        ) from None


def _short(value: int) -> str:
    return f"{value:,}" if value < 10**15 else f"2^{value.bit_length()}"


def by_size(
    layer: Conv, *, pieces: int = 2, work: int = WORK, coverage: Coverage | None = None
) -> list[int]:
    """Equation (4) split by ``sum_p t_p``: ``[a_0, a_1, ...]``, the Hall-feasible sets by size.

    ``a_j`` bounds the independent j-sets of normals, which is what a bound that follows the
    dimension through several layers needs. ``coverage`` puts other receptive sets in place
    of the layer's own.

    Examples
    --------
    >>> by_size(Conv((4,), (2,), 2))
    [1, 6, 15, 20, 13]
    """
    layer, pieces = checked(layer), whole(pieces, "the number of pieces", 1)
    work = whole(work, "the work")
    coverage = layer.coverage if coverage is None else coverage
    weights = _weights(layer, pieces, coverage)
    shift = (2 * layer.units * max(pieces - 1, 1).bit_length() + 2) if layer.units else 2
    packed = [w << (shift * t) for t, w in enumerate(weights)]
    total, out = coverage.total(packed, work), []
    while total:
        out.append(total & ((1 << shift) - 1))
        total >>= shift
    return out


def polynomial(layer: Conv, *, work: int = WORK) -> list[Fraction]:
    """Equation (4) as a polynomial in the number of filters: coefficients, lowest first.

    Its degree is `exponent`; found by interpolation at 0, 1, ..., degree.

    Examples
    --------
    >>> [int(c) for c in polynomial(Conv((3,), (2,), 1))]
    [1, 1, 1, 1]
    """
    degree = exponent(checked(layer))
    values = [eq4(layer.with_filters(d), work=work) for d in range(degree + 1)]
    out, basis = [Fraction(0)] * (degree + 1), [Fraction(1)]
    for k in range(degree + 1):  # Newton's form: sum_k (k-th difference) C(d, k)
        for i, c in enumerate(basis):
            out[i] += values[0] * c
        basis = [
            (a - k * b) / (k + 1)
            for a, b in zip([Fraction(0), *basis], [*basis, Fraction(0)], strict=False)
        ]
        values = [b - a for a, b in pairwise(values)]
    return out


def exponent(layer: Conv) -> int:
    """The regions of R filters grow as Theta(R^e), e = number of inputs that are seen.

    Theorem 3 of the paper; it survives the correction of Theorem 2, since distinct filters
    behave as untied ones.

    Examples
    --------
    >>> exponent(Conv((5,), (2,), 1, stride=3))  # one input is never seen
    4
    """
    return checked(layer).coverage.used


def saturating(layer: Conv) -> dict[tuple[int, ...], int]:
    """Lemma 3 of the paper: a t in K that uses every input seen, by position.

    Every input goes to the first position that sees it.

    Examples
    --------
    >>> saturating(Conv((3,), (2,), 1))
    {(0,): 2, (1,): 1}
    """
    out = dict.fromkeys(checked(layer).grid, 0)
    for seen, size in layer.coverage.groups.items():
        out[layer.grid[seen[0]]] += size
    return out


def syzygy(layer: Conv) -> bool:
    """Whether equation (4) surely exceeds the maximum for shared filters.

    d0 + 1 filters of d0 channels satisfy Cramer's relation, because convolutions commute: a
    combination of their pre-activations over a block of positions is constant, although
    Hall's condition holds for the block. It fits when R >= d0 + 1, the output has at least
    d0 (f - 1) + 1 positions in every dimension, and f >= 2 in at least two dimensions. With
    stride s that divides f, s^dims d0 channels and filters f / s take their place.

    False means that no relation of this form exists; `shared.maximum` says what is known.

    Examples
    --------
    >>> syzygy(Conv((3, 3), (2, 2), 2)), syzygy(Conv((3, 3), (2, 2), 1))
    (True, False)
    """
    layer = checked(layer)
    if any(f % s and s > 1 for f, s in zip(layer.kernel, layer.stride, strict=True)):
        return False
    kernel = [-(-f // s) for f, s in zip(layer.kernel, layer.stride, strict=True)]
    channels = layer.channels * prod(layer.stride)
    return (
        not any(layer.padding)
        and layer.filters >= channels + 1
        and all(n >= channels * (f - 1) + 1 for n, f in zip(layer.output, kernel, strict=True))
        and sum(f >= 2 for f in kernel) >= 2
    )


def fallback(layer: Conv, *, pieces: int = 2, work: int = WORK // 20) -> tuple[int, str]:
    """An upper bound for equation (4) that is always within reach, and how it was found.

    The lesser of ``Z(units, inputs seen)`` and the product of equation (4) over strips of
    positions: a set is Hall-feasible only if its part in every strip is.

    Examples
    --------
    >>> fallback(Conv((3, 3), (2, 2), filters=1))
    (16, 'all hyperplanes in general position')
    """
    layer, pieces = checked(layer), whole(pieces, "the number of pieces", 1)
    work = whole(work, "the work")
    if pieces == 2:
        best = generic(layer.units, layer.coverage.used)
    else:
        best = general_position(layer.units, pieces, layer.coverage.used)
    how = "all hyperplanes in general position"
    axis = max(range(len(layer.size)), key=lambda a: layer.output[a])
    thickness = layer.output[axis]
    while thickness > 1:
        thickness = (thickness + 1) // 2
        if prod(layer.output) // layer.output[axis] * thickness > 400:
            continue
        try:
            value = _strips(layer, axis, thickness, pieces, work)
        except OutOfReach:
            continue
        if value < best:
            best, how = value, f"product over strips {thickness} positions wide"
        break
    else:
        value, at = _single(layer, pieces)
        if value < best:
            best, how = value, at
    return best, how


def _strips(layer: Conv, axis: int, thickness: int, pieces: int, work: int) -> int:
    weights, total = _weights(layer, pieces), 1
    known: dict[int, int] = {}
    for start in range(0, layer.output[axis], thickness):
        mine = [p for p in layer.grid if start <= p[axis] < start + thickness]
        inner = start > 0 and start + thickness < layer.output[axis] and not any(layer.padding)
        if inner and len(mine) in known:
            total *= known[len(mine)]
            continue
        value = Coverage([layer.sees(p) for p in mine], layer.channels).total(weights, work)
        if inner:
            known[len(mine)] = value
        total *= value
    return total


def _single(layer: Conv, pieces: int) -> tuple[int, str]:
    """Every position for itself."""
    weights, total = _weights(layer, pieces), 1
    for p in layer.grid:
        total *= sum(weights[: len(layer.sees(p)) * layer.channels + 1])
    return total, "product over single positions"
