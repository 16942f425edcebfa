"""What was not seen: estimates from the patterns met once and twice.

With n points drawn independently from one law, S patterns met, f1 of them once and f2 twice:

* Good-Turing (1953): ``f1 / n`` is an unbiased estimate of the probability that a further point
  after n - 1 has a pattern not met before; ``coverage = 1 - f1 / n``. It speaks of probability:
  patterns too rare to matter for a random point do not matter to it, however many there are.
* Chao1 (Chao 1984), in the bias-corrected form ``S + f1 (f1 - 1) / (2 (f2 + 1))``: estimates a
  lower bound of the number of patterns of positive probability. Where f1 = 0 it is S, which
  proves nothing: a region may be as small as it likes.

Points of several laws in fixed numbers: f1 / n is an unbiased estimate of the mean, over all
points, of the probability that this point's law gives a pattern none of the others has.
"""

from __future__ import annotations


def coverage(points: int, once: float) -> float | None:
    """``1 - f1 / n``; None without points."""
    return None if points == 0 else max(0.0, 1.0 - once / points)


def chao1(seen: float, once: float, twice: float) -> float:
    """``S + f1 (f1 - 1) / (2 (f2 + 1))``."""
    return seen + max(0.0, once * (once - 1.0)) / (2.0 * (twice + 1.0))
