"""The parameters of a convolutional network with as many regions as can be found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import linregions as lr

from ..theory import Conv
from ._item import whole
from ._networks import conv_dense, conv_draw

GRID = 1 / 16  # parameters are multiples of it


def largest(
    layers: Sequence[Conv], rng: np.random.Generator, draws: int, climbs: int, steps: int
) -> dict[str, Any]:
    """Random draws, then a climb from each of the best.

    Hyperplanes of a convolution are in special position. Parameters are rounded to a grid, where
    that is decided in integers: counts are then five times as fast, and the largest much the same.
    A step of a climb moves a random third of the parameters by normal steps and is kept unless
    there are fewer regions; steps grow after a gain and shrink after a loss.
    """

    def rounded(parameters: np.ndarray) -> np.ndarray:
        return np.round(parameters / GRID) * GRID

    def score(parameters: np.ndarray) -> int:
        return int(whole(lr.count(conv_dense(layers, rounded(parameters)))))

    drawn = [conv_draw(layers, rng) for _ in range(draws)]
    scored = sorted(((score(p), i) for i, p in enumerate(drawn)), reverse=True)
    best, where = scored[0][0], drawn[scored[0][1]]
    for value, i in scored[:climbs]:
        at, width = drawn[i], 0.3
        for _ in range(steps):
            move = rng.normal(0, width, len(at)) * (rng.random(len(at)) < 1 / 3)
            found = score(at + move)
            if found >= value:
                width = min(width * 1.3, 1.0) if found > value else width
                at, value = at + move, found
            else:
                width = max(width * 0.97, GRID)
        if value > best:
            best, where = value, at
    return {
        "regions": best,
        "of_draws": scored[0][0],
        "counted": draws + climbs * steps,
        "parameters": rounded(where).tolist(),
    }
