"""Deep against shallow, convolutional against dense (Xiong et al. 2020, section 5).

Each comparison sets a proved lower bound for the maximum of one network against a proved
upper bound for the other, and counts parameters without the output layer. Regions are exact
integers; ``log10`` is for plots.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import NamedTuple

from ..figures import brief_repr, log10_of
from ._check import OutOfReach, shown, whole, wholes
from .conv import Conv, eq4, fallback
from .deepconv import chain, lower, parameters
from .dense import serra2018

__all__ = ["Comparison", "Side", "cnn_and_dense", "deep_and_shallow"]


DEEPEST = 10**4  # layers


class Side(NamedTuple):
    """One network of a comparison: its parameters, and a bound for its maximum of regions."""

    name: str
    parameters: int
    regions: int

    __repr__ = brief_repr

    @property
    def log10(self) -> float:
        """Decimal logarithm of the regions."""
        return log10_of(self.regions)

    @property
    def per_parameter(self) -> float:
        """Decimal logarithm of regions per parameter."""
        return self.log10 - log10(self.parameters)


class Comparison(NamedTuple):
    """``first`` has at least, ``second`` at most so many regions."""

    first: Side
    second: Side

    @property
    def decided(self) -> bool:
        """Whether the first surely has more."""
        return self.first.regions > self.second.regions


def deep_and_shallow(
    size: Sequence[int],
    channels: int,
    filters: int,
    depth: int,
    kernel: Sequence[int] | None = None,
) -> Comparison:
    """Theorem 6: L layers of d filters against one layer of L d^2 filters.

    Both have Theta(L d^2) parameters. Deep: `deepconv.lower`, at least
    ``floor(d / d0)^(d0 positions (L - 1))``. Shallow: equation (4), at most a polynomial of
    degree ``n0`` in L d^2.

    Parameters
    ----------
    size, channels
        Spatial sizes and channels of the input.
    filters, depth
        d >= d0, and L.
    kernel
        Spatial sizes of all filters; 1 in every dimension by default, as in section 5.1.

    Examples
    --------
    >>> found = deep_and_shallow((2, 2), 1, filters=8, depth=4)
    >>> found.decided, found.first.parameters, found.second.parameters
    (True, 232, 512)
    """
    size, (channels, filters, depth) = _sizes(size, channels, filters, depth)
    kernel = (1,) * len(size) if kernel is None else wholes(kernel, "the kernel")
    deep = chain(size, channels, [(kernel, filters)] * depth)
    shallow = Conv(size, kernel, depth * filters**2, channels)
    try:
        most = eq4(shallow)
    except OutOfReach:
        most, _ = fallback(shallow)
    return Comparison(
        Side(f"{shown(depth)} layers of {shown(filters)} filters", parameters(deep), lower(deep)),
        Side(f"1 layer of {shown(shallow.filters)} filters", shallow.parameters, most),
    )


def cnn_and_dense(
    size: Sequence[int],
    channels: int,
    filters: int,
    depth: int,
    kernel: Sequence[int] | None = None,
) -> Comparison:
    """Section 5.2: L convolutional layers of d filters against L dense layers of d units.

    The input is the same. (The paper prints the dense width as d_0; it must be d, and the
    ratio compared is R_N1 / R_N3.) Convolutional: `deepconv.lower`; dense: Serra's upper bound.

    Examples
    --------
    >>> cnn_and_dense((3, 3), 1, filters=6, depth=4).decided
    True
    """
    size, (channels, filters, depth) = _sizes(size, channels, filters, depth)
    kernel = (1,) * len(size) if kernel is None else wholes(kernel, "the kernel")
    cnn = chain(size, channels, [(kernel, filters)] * depth)
    n0 = cnn[0].inputs
    weights = filters * (n0 + 1) + (depth - 1) * filters * (filters + 1)
    return Comparison(
        Side(f"{shown(depth)} layers of {shown(filters)} filters", parameters(cnn), lower(cnn)),
        Side(
            f"{shown(depth)} layers of {shown(filters)} units",
            weights,
            serra2018(n0, [filters] * depth),
        ),
    )


def _sizes(
    size: Sequence[int], channels: int, filters: int, depth: int
) -> tuple[tuple[int, ...], tuple[int, int, int]]:
    depth = whole(depth, "the depth", 1)
    if depth > DEEPEST:
        raise OutOfReach(f"{shown(depth)} layers; at most {DEEPEST:,} are compared")
    return wholes(size, "the size of the input"), (
        whole(channels, "the number of channels", 1),
        whole(filters, "the number of filters", 1),
        depth,
    )
