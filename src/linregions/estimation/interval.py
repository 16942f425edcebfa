"""Equally good independent values, their mean, and an interval only where it can be honest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MOST = 40  # groups kept; then neighbours are averaged in pairs
LEAST = 10  # groups without which no interval is given
SPREAD = 0.5  # relative spread of the groups beyond which no interval is given


class Confidence(NamedTuple):
    """Bounds, or None and the reason why there are none."""

    low: float
    high: float
    why: str = ""

    @property
    def given(self) -> bool:
        """Whether there is an interval at all."""
        return not self.why


class Groups:
    """Values of independent passes with equal means.

    When there are 40 of them, neighbours are averaged in pairs, and from then on each value
    has to come from twice the work. So there are always 20 to 39 values of about equal spread,
    each a mean over more and more of the tree.

    Attributes
    ----------
    doublings
        The next value is to stand for ``2^doublings`` units of work.
    """

    def __init__(self) -> None:
        self.values: list[float] = []
        self.doublings = 0

    def add(self, value: float) -> None:
        """Take in one value of ``2^doublings`` units of work."""
        self.values.append(value)
        if len(self.values) == MOST:
            pairs = zip(self.values[::2], self.values[1::2], strict=True)
            self.values = [0.5 * a + 0.5 * b for a, b in pairs]
            self.doublings += 1

    @property
    def mean(self) -> float:
        """Mean of the values; every value has expectation "number of regions"."""
        return float(np.mean(self.values)) if self.values else float("nan")

    def interval(self, confidence: float) -> Confidence:
        """Student's interval for the mean.

        Independent values of equal mean: their empirical variance over n estimates the variance
        of the mean without bias, even where their own variances differ. The mean of values that
        themselves are means over hundreds of paths is close to normal, unless few of them
        dominate the sum; then no interval is given.
        """
        from scipy.special import stdtrit

        x, n = np.array(self.values), len(self.values)
        none = float("nan")
        if n < LEAST:
            return Confidence(none, none, f"only {n} independent passes; {LEAST} are needed")
        mean = x.mean()
        if not np.isfinite(mean):
            return Confidence(none, none, "the weights of the passes are beyond floating point")
        spread = (x / mean).std(ddof=1) if mean > 0 else np.inf  # squares of x may overflow
        if spread > SPREAD:
            share = x.max() / x.sum() if mean > 0 else 1.0
            return Confidence(
                none, none,
                f"few descents dominate the sum: the largest of {n} groups holds "
                f"{share:.0%} of it, and the groups spread by {spread:.0%} of their mean",
            )  # fmt: skip
        half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * spread * mean / np.sqrt(n)
        return Confidence(float(mean - half), float(mean + half))
