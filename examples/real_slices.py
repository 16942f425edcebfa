"""Slices of two published networks: a residual network for CIFAR-10, a maxout-pooled one for MNIST.

`resnet_2b` (VNN-COMP 2021: 6,244 units, batch norm and skip connections compiled away) in the plane
through three inputs of CIFAR's shape, drawn at random; `cnn_max_mninst2` (VNN-COMP 2020's ERAN
family: 7,452 units, max-pooling) in the plane through three digits of MNIST. The squares lie
around the point as far from one image as from the others, at a part of that distance. Then the
segment from one image to another. The models are looked for in `$LINREGIONS_DATA`.

    python examples/real_slices.py -o pictures
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from gallery import digits, options, save, three_examples

import linregions as lr
from linregions import draw

DATA = Path(__file__).resolve().parents[1] / os.environ.get("LINREGIONS_DATA", "../shared/data")


def model(name: str) -> lr.Network:
    """A network of the shared data."""
    path = DATA / name
    if not path.exists():
        sys.exit(f"{path} is absent; set LINREGIONS_DATA")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what was dropped at the end
        return lr.load(path)


def slices(net: lr.Network, images: np.ndarray, sizes: list[float]) -> lr.CellComplex:
    """Count in squares of several sizes and along a segment; the smallest complex."""
    out = None
    lr.subdivide(net, lr.Plane.through(*images, size=1e-6))  # compiles
    for size in sizes:
        start = time.perf_counter()
        cells = lr.subdivide(net, lr.Plane.through(*images, size=size))
        took = time.perf_counter() - start
        print(f"  size {size}: {cells.cells:,} regions in {took:.1f} s")
        out = out or cells
    lr.crossings(net, [[images[0], images[0] + 1e-6 * (images[1] - images[0])]])
    start = time.perf_counter()
    found = lr.crossings(net, [images[:2]])
    took = time.perf_counter() - start
    print(f"  between two images: {int(found.regions[0]):,} regions in {took:.1f} s")
    assert out is not None
    return out


def main() -> None:
    """Count and draw."""
    chosen = options(__doc__ or "")
    net = model("cifar/resnet_2b.onnx")
    print(f"resnet_2b: {net.units:,} units")
    images = np.random.default_rng(0).uniform(0.0, 1.0, (3, net.inputs))
    cells = slices(net, images, [0.01] if chosen.quick else [0.04, 0.1])
    ax = draw.draw(cells, edges="depth")
    save(ax.figure, chosen.output / "resnet_plane.png", colours=64)
    net = model("small/cnn_max_mninst2.onnx")
    print(f"cnn_max_mninst2: {net.units:,} units")
    pictures, labels, name = digits()
    if name != "MNIST":
        sys.exit("MNIST is absent; set LINREGIONS_DATA")
    cells = slices(net, three_examples(pictures, labels), [0.01] if chosen.quick else [0.03, 0.1])
    ax = draw.draw(cells, edges="depth")
    save(ax.figure, chosen.output / "mnist_maxpool_plane.png", colours=64)


if __name__ == "__main__":
    main()
