"""Random points close in on a known number of regions, and what they say about the rest.

A network of Example 4 of Xiong et al. (2020): input 1x4x1, two filters 1x2x1, three filters
1x2x2. The exact count is printed beside the patterns met, Good-Turing's coverage and Chao1.

    python examples/sampling_closes_in.py
"""

from __future__ import annotations

import numpy as np

import linregions as lr


def network(filters: tuple[int, ...], seed: int = 0) -> lr.Network:
    """Convolutions of width 2 over four inputs, unrolled; He weights, normal biases."""
    rng, layers, size, channels = np.random.default_rng(seed), [], 4, 1
    for d in filters:
        taps, bias = rng.normal(0, (1 / channels) ** 0.5, (d, 2 * channels)), rng.normal(size=d)
        W = np.zeros(((size - 1) * d, size * channels))
        for i in range(size - 1):
            W[i * d : (i + 1) * d, i * channels : (i + 2) * channels] = taps
        layers.append((W, np.tile(bias, size - 1)))
        size, channels = size - 1, d
    return lr.Network.from_layers([*layers, (np.ones((1, size * channels)), np.zeros(1))])


def main() -> None:
    """Count, then sample more and more."""
    net = network((2, 3))
    regions = lr.count(net)
    print(f"{int(regions)} regions (exact)")
    for points in (10**3, 10**4, 10**5, 10**6, 10**7):
        found = lr.sample(net, points=points)
        t = found.total
        print(
            f"{points:>10,} points: {int(found)} met, coverage {t.coverage:.6f}, "
            f"Chao1 {t.chao1:.1f}"
        )
        assert found <= regions


if __name__ == "__main__":
    main()
