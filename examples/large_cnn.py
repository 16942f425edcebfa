"""Regions of a convolutional network of 25,700 units in a plane.

3 x 32 x 32 inputs; convolutions of 14, 20 and 20 channels (3 x 3, padded), each followed by
rectifiers, the first two by max-pooling 2 x 2, then 100 units and 10 classes; weights drawn by
He's rule. The plane goes through three random images; the square is small beside their distance,
as the regions of the whole one are millions. Prints counts and times, and draws the square.

    python examples/large_cnn.py -o pictures
"""

from __future__ import annotations

import time

import numpy as np
from gallery import options, save

import linregions as lr
from linregions import draw


def network(seed: int) -> lr.Network:
    """The network, from torch."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 14, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(14, 20, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 20, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(1280, 100), nn.ReLU(), nn.Linear(100, 10),
    ).double()  # fmt: skip
    for part in model:
        if hasattr(part, "weight"):
            nn.init.kaiming_normal_(part.weight)
    return lr.load(model, shape=(3, 32, 32))


def main() -> None:
    """Count, walk from one image to another, draw."""
    chosen = options(__doc__ or "")
    net = network(chosen.seed)
    a, b, c = np.random.default_rng(1).uniform(0.0, 1.0, (3, net.inputs))
    lr.subdivide(net, lr.Plane.through(a, b, c, size=1e-6))  # compiles
    print(f"{net.units:,} units")
    for size in (0.002, 0.005) if chosen.quick else (0.005, 0.01, 0.02):
        start = time.perf_counter()
        cells = lr.subdivide(net, lr.Plane.through(a, b, c, size=size))
        took = time.perf_counter() - start
        asked = cells.stats["rational"]
        print(f"size {size}: {cells.cells:,} regions in {took:.1f} s, {asked} signs in rationals")
    start = time.perf_counter()
    found = lr.crossings(net, [[a, a + 0.1 * (b - a)]])
    took = time.perf_counter() - start
    print(f"a tenth of the way between two images: {int(found.regions[0]):,} regions, {took:.1f} s")
    small = lr.subdivide(net, lr.Plane.through(a, b, c, size=0.005))
    ax = draw.draw(small, edges="none")
    save(ax.figure, chosen.output / "large_cnn.png", colours=32)


if __name__ == "__main__":
    main()
