"""How many leaves to expect below a branch: a small model of the tree, learned on the way.

Branches are sorted into strata (layer, units still to place, rank; see `thin`). What is learned
is local: of a branch of this stratum, which strata its own branches belong to, and how many
leaves it gives itself. The numbers of leaves follow from the bottom up, so that a few
hundred paths are enough for a forecast of a tree of any size. The model need not be right:
it steers the sampling, and the weights of the samples make up for it.
"""

from __future__ import annotations

import numpy as np

GROWTH = 1.3  # leaves per further unit, where nothing has been met yet
LEAN = 8.0  # branches after which a stratum is trusted as much as all of its layer and units
SURE = 30.0
MOST = 600.0  # largest logarithm of a number of leaves


class TreeModel:
    """Numbers of branches met per stratum and of those below them.

    Parameters
    ----------
    first
        First stratum of each layer, and the number of strata.
    ranks
        Number of ranks; stratum ``first[layer] + units * ranks + rank``.
    """

    def __init__(self, first: np.ndarray, ranks: int) -> None:
        self.first, self.ranks = first, ranks
        self.strata = int(first[-1])
        self.met = np.zeros(self.strata)
        self.leaves = np.zeros(self.strata)
        self.weight = np.zeros(self.strata)
        self.size = np.zeros(self.strata)
        self.codes = np.zeros(0, np.int64)  # stratum of a branch and of one below it
        self.counts = np.zeros(0)

    def add(self, met: np.ndarray, edges: np.ndarray) -> None:
        """Take in what one pass met; ``met`` (2, strata), ``edges`` (n, 2)."""
        self.met += met[0]
        self.leaves += met[1]
        self.weight += met[2]
        self.size += met[3]
        code = np.concatenate([self.codes, edges[:, 0] * self.strata + edges[:, 1]])
        count = np.concatenate([self.counts, np.ones(len(edges))])
        self.codes, at = np.unique(code, return_inverse=True)
        self.counts = np.bincount(at, weights=count, minlength=len(self.codes))

    def solve(self, share: np.ndarray) -> None:
        """Write the expected number of leaves of every stratum into ``share``."""
        log = np.zeros(self.strata)
        start = np.searchsorted(self.codes, np.arange(self.strata + 1) * self.strata)
        below = self.codes % max(self.strata, 1)
        beyond = 0.0
        for layer in range(len(self.first) - 2, -1, -1):
            base, end = int(self.first[layer]), int(self.first[layer + 1])
            units = (end - base) // self.ranks
            growth, last = np.log(GROWTH), beyond
            for m in range(units):
                lo, hi = base + m * self.ranks, base + (m + 1) * self.ranks
                a, b = start[lo], start[hi]
                sums = np.bincount(
                    self.codes[a:b] // self.strata - lo,
                    weights=self.counts[a:b] * np.exp(log[below[a:b]]),
                    minlength=self.ranks,
                ) + self.leaves[lo:hi]  # fmt: skip
                met = self.met[lo:hi]
                total, found = met.sum(), sums.sum()
                guess = last + (growth if m else 0.0)
                if total > 0 and found > 0:
                    mean = np.log(found / total)
                    guess += total / (total + 1.0) * (mean - guess)
                    if m > 1:
                        growth = max(0.5 * growth + 0.5 * (guess - last), 0.0)
                log[lo:hi] = guess
                own = (met > 0) & (sums > 0)
                trust = met[own] / (met[own] + LEAN)
                log[lo:hi][own] += trust * (np.log(sums[own] / met[own]) - guess)
                last = guess
            part = slice(base, end)
            own = self.size[part] > 0
            seen = np.log(np.maximum(self.size[part][own] / self.weight[part][own], 1.0))
            trust = self.met[part][own] / (self.met[part][own] + SURE)
            log[part][own] += trust * (seen - log[part][own])
            log[part] = np.clip(log[part], 0.0, MOST)
            beyond = min(last, MOST)
        share[:] = np.exp(log)
