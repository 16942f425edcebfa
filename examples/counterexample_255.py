"""Theorem 2 of Xiong et al. (2020) says 256 regions; there are 255. Three ways to see it.

Input 3 x 3, one channel; two filters of size 2 x 2, stride 1; so 8 units on 9 inputs. Hall's
condition holds for all 8 units, and equation (4) gives 2^8 = 256. But filters are shared, and
convolutions commute: a fixed combination of the 8 pre-activations is the same number for every
input, so one sign pattern is impossible, whatever the weights are.

    python examples/counterexample_255.py
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
from scipy.optimize import linprog

import linregions as lr

FILTERS = np.array([[[1, 2], [3, -1]], [[2, -1], [1, 3]]])
BIASES = np.array([1, 2])
LAYER = lr.theory.Conv((3, 3), (2, 2), filters=2)


def pre_activations() -> tuple[np.ndarray, np.ndarray]:
    """``Z = W x + b``, by filter, then position."""
    return lr.theory.shared.matrix(LAYER, FILTERS, BIASES)


def by_algebra() -> tuple[list[int], int, tuple[int, ...]]:
    """The combination of pre-activations that is constant, its value, and what it forbids.

    ``sum_m W2[m] Z_{m,1}(x) - sum_m W1[m] Z_{m,2}(x) = b1 sum(W2) - b2 sum(W1)``: both sums
    convolve x with W1 and with W2, in either order.
    """
    first, second = (f.ravel().tolist() for f in FILTERS)
    multipliers = [*second, *(-w for w in first)]
    W, b = pre_activations()
    assert not np.any(np.array(multipliers) @ W), "the combination does not depend on x"
    value = int(np.array(multipliers) @ b)
    assert value == BIASES[0] * sum(second) - BIASES[1] * sum(first)
    # A pattern whose signs make every term of the sum have the other sign than its value.
    forbidden = tuple(int(np.sign(-value * c)) if value else 0 for c in multipliers)
    return multipliers, value, forbidden


def by_linear_programs() -> tuple[int, list[tuple[int, ...]]]:
    """One linear program for each of the 256 patterns: is there x with margin >= 1?

    Sign conditions ``s_i (W_i x + b_i) > 0`` are scaled: there is a solution exactly if there
    are x and r >= 0 with ``s_i (W_i x + r b_i) >= 1``, where r stands for 1 over the scale
    (r = 0 is a direction, which a large multiple of x follows).
    """
    W, b = pre_activations()
    feasible, missing = 0, []
    for signs in product((1, -1), repeat=8):
        s = np.array(signs)
        A = -np.column_stack([s[:, None] * W, s * b])
        bounds = [(None, None)] * 9 + [(0, None)]
        found = linprog(np.zeros(10), A_ub=A, b_ub=-np.ones(8), bounds=bounds)
        feasible += found.status == 0
        if found.status != 0:
            missing.append(signs)
    return feasible, missing


def by_search() -> tuple[int, bool, set[tuple[int, ...]]]:
    """The search engine of this library: every cell, every decision justified."""
    net = lr.constructions.xiong_counterexample()
    answer = lr.count(net)
    seen = {tuple(2 * int(v) - 1 for v in r.pattern) for r in lr.regions(net)}
    return int(answer), bool(answer.exact), set(product((1, -1), repeat=8)) - seen


def main() -> None:
    """Print the three answers; they agree."""
    multipliers, value, forbidden = by_algebra()
    text = " ".join(f"{Fraction(c)!s:>2}" for c in multipliers)
    print(f"equation (4)      {lr.theory.conv.eq4(LAYER)} regions")
    print(f"1. algebra        ({text}) . Z(x) = {value} for every x,")
    print(f"                  so the pattern {_signs(forbidden)} is impossible")
    feasible, missing = by_linear_programs()
    print(f"2. LP             {feasible} of 256 patterns are feasible; not {_signs(missing[0])}")
    regions, exact, absent = by_search()
    sure = "exact" if exact else "not certified"
    print(f"3. search engine  {regions} regions ({sure}); not {_signs(*absent)}")
    best = lr.theory.shared.maximum(LAYER)
    print(f"generic weights   {best.value} regions: the true maximum")
    assert feasible == regions == best.value == 255
    assert missing == [forbidden] == list(absent)


def _signs(pattern: tuple[int, ...]) -> str:
    return " ".join("+" if v > 0 else "-" for v in pattern)


if __name__ == "__main__":
    main()
