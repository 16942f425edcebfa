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
    """One layer, in one multiplication per state twice: prefix sums of a, suffix sums of F.

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


def back(R: Sequence[int], a: Sequence[int], m: int, low: int, high: int) -> list[int]:
    """The transpose of `step` for m units, all of which can be on, and a_j for all j.

    ``R'(d) = sum_{j<=d} a_j R(min(d, m - j))`` for d in low..high <= m; R starts at ``low``'s
    own lowest dimension ``max(0, min(low, m - high))``, and so does the answer's index.
    """
    base = min(low, max(0, m - high))
    prefix = list(accumulate(a))
    below = [0, *accumulate(a[m - k] * R[k - base] for k in range(base, high))]
    out = []
    for d in range(low, high + 1):
        value = prefix[min(d, m - d)] * R[d - base]
        if 2 * d > m:
            value += below[d - base] - below[m - d - base]
        out.append(value)
    return out
