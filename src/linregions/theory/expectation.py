"""Expected numbers of regions, over random weights and biases.

Rational expectations are Fractions. ``Gaussian`` computes the constants of Hanin and
Rolnick's theorems for networks with independent Gaussian weights and biases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import atan2, comb, exp, factorial, inf, log, pi, prod, sqrt
from typing import Any

from ..errors import LinregionsError
from ._check import OutOfReach, listed, positive, rounded, shown, whole, wholes, within_reach
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
    within_reach((n1 + 1) ** 2, n1 + n2, f"the sum of Wang for {shown(n1)} and {shown(n2)} units")
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
    n = whole(depth, "the depth", 1)
    within_reach(1, 2 * n, f"a power with exponent {shown(n)}")
    return 1 + 2 * Fraction(3, 4) ** (n - 1)


def wang_width_two(depth: int) -> tuple[Fraction, Fraction]:
    """``1 + (3/4)^(n-1) <= E <= 6 (175/64)^(n-1)``: n >= 2 layers of two units (part 3), n0 >= 2.

    Examples
    --------
    >>> wang_width_two(2)
    (Fraction(7, 4), Fraction(525, 32))
    """
    n = whole(depth, "the depth", 2)
    within_reach(1, 8 * n, f"a power with exponent {shown(n)}")
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
    ratio = positive(sigma_w, "sigma_w") / positive(sigma_b, "sigma_b")
    if not (isinstance(low, int | float) and isinstance(high, int | float) and low <= high):
        raise LinregionsError(f"an interval from {shown(low)} to {shown(high)}; give two numbers")
    return rounded(Fraction(_angle(ratio, low, high)) * units, "the number of kinks") / pi


def _angle(ratio: Fraction, low: float, high: float) -> float:
    """``atan(ratio high) - atan(ratio low)``, without cancellation: one angle of a vector."""
    if low == high:
        return 0.0
    if low == -inf or high == inf:
        ends = [v for v in (low if high == inf else -high,) if abs(v) != inf]
        return pi if not ends else _angle_of(Fraction(1), ratio * Fraction(ends[0]))
    a, b = ratio * Fraction(low), ratio * Fraction(high)
    return _angle_of(b - a, 1 + a * b)


def _angle_of(y: Fraction, x: Fraction) -> float:
    size = max(abs(y), abs(x))
    return atan2(float(y / size), float(x / size))


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
        object.__setattr__(self, "n0", whole(self.n0, "the input dimension", 1))
        object.__setattr__(self, "widths", wholes(self.widths, "the widths"))
        positive(self.gain, "gain")
        positive(self.sigma_b, "sigma_b")

    @property
    def units(self) -> int:
        """Units in all."""
        return sum(self.widths)

    def gradient_moment(self, layer: int, k: int) -> Fraction:
        """``E ||grad z||^(2k)`` for a unit z of a layer (from 1), with respect to the input."""
        layer, k = whole(layer, "the layer", 1), whole(k, "k")
        if layer > len(self.widths):
            raise LinregionsError(
                f"layer {shown(layer)} of a network with {len(self.widths)} layers"
            )
        n = max(self.n0, *self.widths)
        bits = layer * (n + k * (2 * n + 2 * k).bit_length())
        within_reach(sum(self.widths) * (k + 1), bits, f"a moment of order {shown(2 * k)}")
        gain = positive(self.gain, "gain")
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
        try:
            return float(top) ** (1 / (2 * half))
        except OverflowError:  # the root may be a float
            size = (log(top.numerator) - log(top.denominator)) / (2 * half)
            if size > log(1.7e308):
                raise OutOfReach("C_grad is beyond floating-point numbers (1e308)") from None
            return exp(size)

    @property
    def c_bias(self) -> float:
        """``C_bias = sup_b rho_b(b) = 1 / (sigma_b sqrt(2 pi))``."""
        return rounded(1 / (positive(self.sigma_b, "sigma_b") * Fraction(sqrt(2 * pi))), "C_bias")

    def boundary_density(self, k: int = 1, breakpoints: int = 1) -> float:
        """Corollary 4: ``E vol_{n0-k}(B_k in K) / vol(K) <= C(N, k) (T C_grad C_bias)^k``.

        B_k: where k units are at a breakpoint; N units with T breakpoints each. (Theorem 3
        sums over unordered k-subsets of units; ordered ones would make it k! too large.)
        """
        return rounded(self._density(k, breakpoints), "the density of Corollary 4")

    def _density(self, k: int, breakpoints: int) -> Fraction:
        t, k = whole(breakpoints, "the number of breakpoints"), whole(k, "k", 1)
        within_reach(k, 120 * k, f"a power with exponent {shown(k)}")
        rate = t * Fraction(self.c_grad(k)) * Fraction(self.c_bias)
        return comb(self.units, k) * rate**k

    def regions_on_a_segment(self, length: float, breakpoints: int = 1) -> float:
        """``E <= 1 + |I| T N C_grad C_bias``: regions along a segment."""
        size = positive(length, "the length", zero=True)
        return rounded(1 + size * self._density(1, breakpoints), "the number of regions")

    def distance(self, breakpoints: int = 1) -> float:
        """Corollary 5 with its constant: ``E dist(x, B) >= 1 / (4 T N C_grad C_bias)``.

        A unit is within distance e of a breakpoint on its affine piece with probability at
        most 2 e T C_bias E||grad z||; the union bound and integration over e give 1/4.
        """
        t = whole(breakpoints, "the number of breakpoints", 1)
        return rounded(1 / (4 * self._density(1, t)), "the distance")

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
    within_reach(n * n, 400 * n, f"a sum over {shown(n)} dimensions")
    size, rates = positive(side, "the side", zero=True), _rates(rate, n)
    total: Fraction = sum(
        (comb(n, k) * 2 ** (n - k) * comb(units, k) * (size * rates[k]) ** k for k in range(n + 1)),
        Fraction(0),
    )
    most = min(total, Fraction(1 << units)) if units < 2000 else total
    return rounded(most, "the expected number of regions")


def _rates(rate: Any, n: int) -> list[Fraction]:
    """One rate for each k = 0..n."""
    if not hasattr(rate, "__len__"):
        return [positive(rate, "the rate", zero=True)] * (n + 1)
    rates = [positive(v, "a rate", zero=True) for v in listed(rate, "the rates", "numbers")]
    if len(rates) != n + 1:
        raise LinregionsError(f"{len(rates)} rates; give one for each k = 0..{n}, or one number")
    return rates


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
        return rounded(1 << min(units, 2000), "2^N")
    total = _volume(volume, rate, 32 * units, n) / _factorial(n)
    return rounded(total, "the number of regions")


def _volume(volume: float, rate: float, factor: int, power: int) -> Fraction:
    """``volume (factor rate)^power``."""
    within_reach(power, 2200 + power, f"a power with exponent {shown(power)}")
    sizes = positive(volume, "the volume", zero=True), positive(rate, "the rate", zero=True)
    return sizes[0] * (factor * sizes[1]) ** power


def _factorial(n: int) -> int:
    within_reach(n, n * n.bit_length(), f"the factorial of {shown(n)}")
    return factorial(n)


def _comb(n: int, k: int) -> int:
    within_reach(min(k, n) + 1, min(n, k * n.bit_length()), f"a binomial of {shown(n)}")
    return comb(n, k)


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
    total = _volume(volume, rate, 32 * k * units, n) * _comb(k * n, 2 * n) / _factorial(n)
    return rounded(total, "the number of regions")


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
    pairs = _comb(k * (n - 1), 2 * (n - 1))
    total = _volume(volume, rate, 16, n) * (2 * k * units) ** (n - 1) * pairs / _factorial(n - 1)
    return rounded(total, "the number of pieces")
