"""Expected numbers of regions, over random weights and biases.

Rational expectations are Fractions. ``Gaussian`` computes the constants of Hanin and
Rolnick's theorems for networks with independent Gaussian weights and biases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import atan, comb, factorial, inf, isfinite, pi, prod, sqrt

from ..errors import LinregionsError
from ._check import whole, wholes
from .arrangements import generic

__all__ = [
    "Gaussian",
    "cube",
    "hanin_rolnick_cube",
    "kinks_on_a_line",
    "tseran_montufar_boundary",
    "tseran_montufar_cube",
    "wang_k",
    "wang_narrow",
    "wang_two_layers",
    "wang_two_layers_activation",
    "wang_width_two",
]


# -- Wang 2022, Theorem 2.1 -------------------------------------------------------------------


def wang_k(n1: int, n2: int) -> Fraction:
    """``K = sum_l C(n1, l) (2^-l Z(n2 + l, l) - 1)`` (Wang 2022, Theorem 2.1).

    Examples
    --------
    >>> wang_k(2, 2)
    Fraction(15, 4)
    """
    n1, n2 = whole(n1, "n1"), whole(n2, "n2")
    return sum(
        (comb(n1, l) * (Fraction(generic(n2 + l, l), 2**l) - 1) for l in range(n1 + 1)),
        Fraction(0),
    )


def wang_two_layers(n1: int, n2: int) -> tuple[Fraction, Fraction]:
    """``K + 1 <= E <= K + 2^n1``: expected linear regions of two layers (Theorem 2.1, part 2).

    For independent weights and biases with even densities, one output and n0 >= max(n1, n2).

    Examples
    --------
    >>> wang_two_layers(1, 1)
    (Fraction(3, 2), Fraction(5, 2))
    """
    k = wang_k(n1, n2)
    return k + 1, k + 2**n1


def wang_two_layers_activation(n1: int, n2: int) -> Fraction:
    """``E = K + 2^n1`` exactly: expected activation regions of two layers, n0 >= n1.

    The upper limit of part 2 is an equality for activation regions, and n2 is free: the
    first layer has all 2^n1 orthants, and in an orthant with l active units the n2
    hyperplanes and the l coordinate ones make Z(n2 + l, l) regions, which symmetry spreads
    evenly over 2^l orthants.

    Examples
    --------
    >>> wang_two_layers_activation(5, 5)
    Fraction(4915, 16)
    """
    return wang_k(n1, n2) + 2**n1


def wang_narrow(depth: int) -> Fraction:
    """``E <= 1 + 2 (3/4)^(n - 1)``: linear regions of n layers of one unit (part 1).

    Examples
    --------
    >>> wang_narrow(3)
    Fraction(17, 8)
    """
    return 1 + 2 * Fraction(3, 4) ** (whole(depth, "the depth", 1) - 1)


def wang_width_two(depth: int) -> tuple[Fraction, Fraction]:
    """``1 + (3/4)^(n-1) <= E <= 6 (175/64)^(n-1)``: n >= 2 layers of two units (part 3), n0 >= 2.

    Examples
    --------
    >>> wang_width_two(2)
    (Fraction(7, 4), Fraction(525, 32))
    """
    n = whole(depth, "the depth", 2)
    return 1 + Fraction(3, 4) ** (n - 1), 6 * Fraction(175, 64) ** (n - 1)


# -- Hanin and Rolnick 2019 -------------------------------------------------------------------


def kinks_on_a_line(
    units: int, low: float = -inf, high: float = inf, sigma_w: float = 1.0, sigma_b: float = 1.0
) -> float:
    """Expected kinks of one layer on an interval: Theorem 3 of Hanin and Rolnick 2019a, k = 1.

    For one input and ``w ~ N(0, sigma_w^2)``, ``b ~ N(0, sigma_b^2)`` the density of kinks at
    x is ``E[|w| rho_b(w x)] = sigma_w sigma_b / (pi (sigma_b^2 + sigma_w^2 x^2))`` per unit.
    The expected number of regions is one more.

    Examples
    --------
    >>> round(kinks_on_a_line(10, -1, 1), 12)
    5.0
    """
    units = whole(units, "the number of units")
    _positive(sigma_w=sigma_w, sigma_b=sigma_b)
    if not low <= high:
        raise LinregionsError(f"an interval from {low} to {high}")
    ratio = sigma_w / sigma_b
    return units / pi * (atan(ratio * high) - atan(ratio * low))


def _positive(**values: float | Fraction) -> None:
    for name, value in values.items():
        if not (isfinite(value) and value > 0):
            raise LinregionsError(f"{name} must be a positive number, got {value}")


@dataclass(frozen=True)
class Gaussian:
    """The constants of Theorem 3 and Corollaries 4 and 5 for a Gaussian initialisation.

    ReLU network with independent weights ``N(0, gain / fan-in)`` and biases
    ``N(0, sigma_b^2)``. At a fixed input the signs of the pre-activations are independent
    fair coins, also given the gradients, so the squared gradient of a unit in layer l is::

        (gain / n_0) chi2(n_0) prod_{j<l} (gain / n_j) chi2(B_j),    B_j ~ Binomial(n_j, 1/2),

    with independent factors: every even moment is rational.

    Parameters
    ----------
    n0, widths
        Input dimension and hidden widths.
    gain
        2 for He's initialisation (the default), 1 for LeCun's; a rational.
    sigma_b
        Standard deviation of the biases.

    Examples
    --------
    >>> net = Gaussian(784, [50, 50], sigma_b=1e-3)
    >>> net.gradient_moment(2, 1)  # He: the mean squared gradient is 2 in every layer
    Fraction(2, 1)
    >>> round(net.c_bias, 3)
    398.942
    """

    n0: int
    widths: Sequence[int]
    gain: Fraction | int = 2
    sigma_b: float = 1.0

    def __post_init__(self) -> None:
        whole(self.n0, "the input dimension", 1)
        object.__setattr__(self, "widths", wholes(self.widths, "the widths"))
        _positive(gain=self.gain, sigma_b=self.sigma_b)

    @property
    def units(self) -> int:
        """Units in all."""
        return sum(self.widths)

    def gradient_moment(self, layer: int, k: int) -> Fraction:
        """``E ||grad z||^(2k)`` for a unit z of a layer (from 1), with respect to the input."""
        layer, k = whole(layer, "the layer", 1), whole(k, "k")
        if layer > len(self.widths):
            raise LinregionsError(f"layer {layer} of a network with {len(self.widths)} layers")
        gain = Fraction(self.gain)
        out = (gain / self.n0) ** k * _chi2_moment(self.n0, k)
        for n in self.widths[: layer - 1]:
            mean = sum(comb(n, b) * _chi2_moment(b, k) for b in range(n + 1)) if k else 2**n
            out *= (gain / n) ** k * Fraction(mean, 2**n)
        return out

    def c_grad(self, k: int = 1) -> float:
        """``C_grad = sup_z E[||grad z||^(2 k')]^(1 / (2 k'))`` with ``k' = ceil(k / 2)``.

        The paper prints the exponent 1 / k, which makes it a squared gradient; the proof and
        the units need this one. Bounds the k-th moment, which is what Theorem 3 asks for.
        """
        half = (whole(k, "k", 1) + 1) // 2
        top = max(self.gradient_moment(l, half) for l in range(1, len(self.widths) + 1))
        return float(top) ** (1 / (2 * half))

    @property
    def c_bias(self) -> float:
        """``C_bias = sup_b rho_b(b) = 1 / (sigma_b sqrt(2 pi))``."""
        return 1 / (self.sigma_b * sqrt(2 * pi))

    def boundary_density(self, k: int = 1, breakpoints: int = 1) -> float:
        """Corollary 4: ``E vol_{n0-k}(B_k in K) / vol(K) <= C(N, k) (T C_grad C_bias)^k``.

        B_k: where k units are at a breakpoint; N units with T breakpoints each. (Theorem 3
        sums over unordered k-subsets of units; ordered ones would make it k! too large.)
        """
        t = whole(breakpoints, "the number of breakpoints")
        return comb(self.units, k) * (t * self.c_grad(k) * self.c_bias) ** k

    def regions_on_a_segment(self, length: float, breakpoints: int = 1) -> float:
        """``E <= 1 + |I| T N C_grad C_bias``: regions along a segment."""
        return 1 + length * self.boundary_density(1, breakpoints)

    def distance(self, breakpoints: int = 1) -> float:
        """Corollary 5 with its constant: ``E dist(x, B) >= 1 / (4 T N C_grad C_bias)``.

        A unit is within distance e of a breakpoint on its affine piece with probability at
        most 2 e T C_bias E||grad z||; the union bound and integration over e give 1/4.
        """
        return 1 / (4 * self.boundary_density(1, breakpoints))

    def cube(self, side: float) -> float:
        """`cube` with these constants."""
        rates = [self.c_grad(max(k, 1)) * self.c_bias for k in range(self.n0 + 1)]
        return cube(self.n0, self.units, side, rates)


def _chi2_moment(degrees: int, k: int) -> int:
    """``E[chi2(n)^k] = n (n + 2) ... (n + 2k - 2)``."""
    return prod(degrees + 2 * i for i in range(k))


def cube(n0: int, units: int, side: float, rate: float | Sequence[float]) -> float:
    """``E[activation regions in a cube] <= sum_k C(n, k) 2^(n-k) C(N, k) (side rate)^k``.

    For any side. A cell has a lowest vertex (in a generic direction), and a simple vertex is
    the lowest of at most one cell; the vertices on the k-faces of the cube, of which there are
    ``C(n, k) 2^(n-k)``, are counted by Theorem 3 of Hanin and Rolnick 2019a on each face.
    Never more than 2^N.

    Parameters
    ----------
    n0, units, side
        Input dimension, units, side of the cube.
    rate
        ``C_grad C_bias``, or one for each k = 0..n0.

    Examples
    --------
    >>> cube(1, 10, 2.0, 0.5)
    12.0
    """
    n, units = whole(n0, "the input dimension", 1), whole(units, "the number of units")
    rates = [rate] * (n + 1) if isinstance(rate, int | float) else list(rate)
    total = sum(
        comb(n, k) * 2 ** (n - k) * comb(units, k) * (side * rates[k]) ** k for k in range(n + 1)
    )
    return min(total, 2.0**units) if units < 1000 else total


def hanin_rolnick_cube(n0: int, units: int, volume: float, rate: float) -> float:
    """``E[activation regions in a cube] <= vol (T N)^n / n!``, T = 2^5 rate (2019b, Theorem 5).

    N >= n units, cubes above a side that the theorem leaves open, else 2^N. From memory: the
    constant 2^5 is corroborated by the code of Tseran and Montufar.

    Examples
    --------
    >>> hanin_rolnick_cube(2, 10, 1.0, 1.0)
    51200.0
    """
    n, units = whole(n0, "the input dimension", 1), whole(units, "the number of units")
    if units <= n:
        return 2.0**units
    return volume * (32 * rate * units) ** n / factorial(n)


def tseran_montufar_cube(n0: int, units: int, rank: int, volume: float, rate: float) -> float:
    """``E <= (T K N)^n C(K n, 2 n) vol / n!``, T = 2^5 rate: maxout of rank K (2021).

    From third-party text: not to be relied on as proved.

    Examples
    --------
    >>> tseran_montufar_cube(1, 1, 2, 1.0, 1.0)
    64.0
    """
    n, k = whole(n0, "the input dimension", 1), whole(rank, "the rank", 2)
    units = whole(units, "the number of units")
    return (32 * rate * k * units) ** n * comb(k * n, 2 * n) * volume / factorial(n)


def tseran_montufar_boundary(n0: int, units: int, rank: int, volume: float, rate: float) -> float:
    """``E <= T^n (2 K N)^(n-1) C(K (n-1), 2 (n-1)) vol / (n-1)!``, T = 2^4 rate (2021).

    Linear pieces of the decision boundary of a maxout network. From third-party text.

    Examples
    --------
    >>> tseran_montufar_boundary(1, 5, 3, 2.0, 1.0)
    32.0
    """
    n, k = whole(n0, "the input dimension", 1), whole(rank, "the rank", 2)
    units = whole(units, "the number of units")
    pairs = comb(k * (n - 1), 2 * (n - 1))
    return (16 * rate) ** n * (2 * k * units) ** (n - 1) * pairs * volume / factorial(n - 1)
