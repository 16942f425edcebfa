"""Where points come from: normal in all of R^n, or uniform in a bounded domain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from scipy import sparse

from ..domain.domains import Chart, Domain, Space
from ..domain.restrict import composed
from ..errors import LinregionsError
from ..network.network import Network
from ..network.rational import fraction, rounded
from ..roundoff import ROUNDOFF

STANDARD = (3.0, 5.0, 7.0, 9.0, 11.0, 13.0)  # Xiong et al. 2020, section 6


@dataclass(frozen=True)
class Source:
    """A network of the numbers that are drawn, and how they are drawn.

    ``scales``: standard deviations of the laws, 0 for the uniform one on (-1, 1)^k; ``gates``
    (m, k + 2): rows a, b, error of ``b - a s >= 0``; ``names`` of the laws.
    """

    network: Network
    scales: tuple[float, ...]
    names: tuple[str, ...]
    domain: str
    gates: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))


def source(network: Network, domain: Domain | None, v: Any) -> Source:
    """The laws for a network: ``N(0, v^2)`` over R^n, uniform in any other domain."""
    if domain is not None and not isinstance(domain, Domain):
        raise LinregionsError(f"{domain!r} is no domain; give Box(lo, hi) or Polytope(A, b)")
    if domain is None or isinstance(domain, Space):
        scales = _scales(STANDARD if v is None else v)
        if not network.inputs:
            raise LinregionsError("a network without inputs has one region; there is no sampling")
        names = tuple(f"N(0, {s:g}^2)" for s in scales)
        gates = np.zeros((0, network.inputs + 2))
        return Source(network, scales, names, "all of R^n", gates)
    if v is not None:
        raise LinregionsError(
            f"v={v} asks for normal points over all of R^n, and {domain.describe()} for uniform "
            "ones in it; give one of the two"
        )
    return _uniform(network, domain)


def _scales(v: Any) -> tuple[float, ...]:
    try:
        scales = tuple(float(s) for s in (v if isinstance(v, Iterable) else (v,)))
    except (TypeError, ValueError):
        raise LinregionsError(f"v={v!r}: give standard deviations such as (3, 5, 7)") from None
    if not scales or not all(0 < s < 1e150 for s in scales):
        raise LinregionsError(f"v={v!r}: standard deviations must be positive finite numbers")
    if len(set(scales)) < len(scales):
        raise LinregionsError(f"v={v!r}: a standard deviation is given twice")
    return scales


def _uniform(network: Network, domain: Domain) -> Source:
    chart = domain.chart(network.inputs)
    k, what = chart.dimension, domain.describe()
    if not k:
        raise LinregionsError(f"{what} is a single point; there is no sampling")
    lo, hi, rest = _sides(chart, what)
    centre, half = np.zeros(k), np.zeros(k)
    for i in range(k):
        centre[i], half[i] = _within(lo[i], hi[i], what)
    diagonal = sparse.csr_array(sparse.diags_array(half))
    inner = composed(network, chart)
    none = np.zeros((0, k))
    folded = composed(inner, Chart(k, centre, diagonal, none, np.zeros(0), True))
    gates = _gates(rounded(chart.A[rest]), rounded(chart.b[rest]), centre, half)
    return Source(folded, (0.0,), ("uniform",), what, gates)


def _sides(chart: Chart, what: str) -> tuple[list[Fraction], list[Fraction], np.ndarray]:
    """A box around the domain in its coordinates, and the rows that are no sides of it."""
    k, A, b = chart.dimension, rounded(chart.A), rounded(chart.b)
    lo: list[Any] = [None] * k
    hi: list[Any] = [None] * k
    single = np.count_nonzero(A, axis=1) == 1
    for r in np.flatnonzero(single):
        i = int(np.flatnonzero(A[r])[0])
        bound = fraction(chart.b[r]) / fraction(chart.A[r, i])  # of single entries: A is large
        if A[r, i] > 0:
            hi[i] = bound if hi[i] is None else min(hi[i], bound)
        else:
            lo[i] = bound if lo[i] is None else max(lo[i], bound)
    rest = np.flatnonzero(~single)
    for i in range(k):
        for side, sign in ((lo, 1.0), (hi, -1.0)):
            if side[i] is None:
                side[i] = _extreme(A, b, i, sign, what)
    return lo, hi, rest


def _extreme(A: np.ndarray, b: np.ndarray, i: int, sign: float, what: str) -> Fraction:
    from scipy.optimize import linprog

    c = np.zeros(A.shape[1])
    c[i] = sign
    answer = linprog(c, A_ub=A, b_ub=b, bounds=(None, None)) if len(A) else None
    if answer is not None and answer.status == 2:
        raise LinregionsError(f"{what} is empty")
    if answer is None or answer.status != 0:
        raise LinregionsError(
            f"{what} is unbounded, so there is no uniform law on it; give a bounded domain, or "
            "none and v= for normal points"
        )
    room = 1e-5 * (1.0 + abs(answer.fun))  # beyond the tolerance of the program
    return Fraction(sign * (answer.fun - room))


def _within(lo: Fraction, hi: Fraction, what: str) -> tuple[float, float]:
    """Floats c, h with [c - h, c + h] in [lo, hi], short of it by roundings only."""
    if not lo < hi:
        raise LinregionsError(f"{what} has an empty interior")
    centre = float((Fraction(lo) + Fraction(hi)) / 2)
    half = min(Fraction(hi) - Fraction(centre), Fraction(centre) - Fraction(lo))
    out = float(half)
    if Fraction(out) > half:
        out = float(np.nextafter(out, 0.0))
    if not out > 0:
        raise LinregionsError(f"{what} is too thin for floating-point points")
    return centre, out


def _gates(A: np.ndarray, b: np.ndarray, centre: np.ndarray, half: np.ndarray) -> np.ndarray:
    size = np.abs(b) + np.abs(A) @ np.abs(centre)
    error = (A.shape[1] + 8) * ROUNDOFF * size
    return np.column_stack([A * half, b - A @ centre, error])
