"""Following the dimension of the image through the layers.

Let F[d] count regions (with multiplicity) whose image has dimension at most d. A layer with
at most a_j regions that have j units off, in all lower tails, and ``active`` units that can
be on, gives

    G[min(d, active - j)] += F[d] a_j,    j = 0 .. d.

That the tails suffice is the down-shift lemma: the families of inactive sets of a layer on a
d-dimensional input shift, without growing, onto hereditary families of independent sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def step(F: Sequence[int], a: Sequence[int], active: int, cap: int | None = None) -> list[int]:
    """One layer, two products per dimension: prefix sums of a, suffix sums of F.

    Images are cut to dimension ``cap`` (the rank of the layer's weights) where given.
    """
    n = len(F) - 1
    G = [0] * (n + 1)
    prefix = list(accumulate(a))
    suffix = [*[*accumulate(reversed(F))][::-1], 0]
    for d, w in enumerate(F):
        top = min(d, len(a) - 1, active - d)
        if w and top >= 0:
            G[d] = w * prefix[top]
    for k in range(n):
        j = active - k
        if 0 <= j < len(a) and (low := max(k + 1, j)) <= n and suffix[low]:
            G[k] += a[j] * suffix[low]
    if cap is not None and cap < n:
        G[cap] += sum(G[cap + 1 :])
        del G[cap + 1 :]
    return G


def start(n: int) -> list[int]:
    """One region whose image has dimension n."""
    return [0] * n + [1]


def binomial_step(F: Sequence[int], a: Sequence[int], m: int) -> list[int]:
    """`step` for a_j = C(m, j), j = 0..min(n, m / 2), and m units that can all be on.

    Dimensions k and m - k share the product ``C(m, k) sum_{d >= m-k} F[d]``: three products
    for the two.
    """
    if len(F) > m + 1:
        F = [*F[:m], sum(F[m:])]
    n = len(F) - 1
    prefix = [0, *accumulate(a)]
    suffix = [*accumulate(reversed(F))][::-1]
    G = [0] * (n + 1)
    for k in range(min(m // 2, n) + 1):
        other = m - k
        both = a[k] * suffix[other] if other <= n and suffix[other] else 0
        if k <= n and k < other:
            G[k] = both + (F[k] * prefix[k + 1] if F[k] else 0)
        if other <= n:
            G[other] = both + (F[other] * prefix[k] if F[other] else 0)
    return G


def binomial_back(R: Sequence[int], a: Sequence[int], m: int, low: int, high: int) -> list[int]:
    """The transpose of `binomial_step`: ``R'(d) = sum_{j<=d} a_j R(min(d, m - j))``.

    For d in low..high <= m; R starts at dimension ``min(low, max(0, m - high))``. Again k and
    m - k share a product, ``C(m, k) (R(k) + R(m - k))``.
    """
    base = min(low, max(0, m - high))
    prefix = [0, *accumulate(a)]
    middle = a[m // 2] * R[m // 2 - base] if m % 2 == 0 and base <= m // 2 <= high else 0
    inner = {m // 2: middle} if m % 2 == 0 else {(m + 1) // 2: 0}
    for k in range((m - 1) // 2, max(m - high, 0) - 1, -1):
        inner[k] = inner[k + 1] + a[k] * (R[k - base] + R[m - k - base])
    out = []
    for d in range(low, high + 1):
        if 2 * d < m:
            out.append(prefix[d + 1] * R[d - base])
        else:
            out.append(prefix[m - d] * R[d - base] + inner[m - d])
    return out
