"""One self-contained page: pan, zoom, hover, watch the partition grow, move through training.

python examples/interactive_page.py -o pictures
"""

from __future__ import annotations

from gallery import he_network, options, spirals, training

import linregions as lr
from linregions import draw


def main() -> None:
    """Train a small classifier of two spirals and write a page of its checkpoints."""
    chosen = options(__doc__ or "")
    points, labels = spirals(150)
    start = he_network([2, 12, 12, 1], chosen.seed, bias_std=0.1)
    epochs = [0, 20, 100, 300]
    nets = list(training(start, points, labels, epochs[-1], chosen.seed, rate=1e-2))
    cells = [lr.subdivide(nets[e], lr.Box(-1, 1)) for e in epochs]
    names = [f"epoch {e}" for e in epochs]
    path = draw.page(
        cells,
        chosen.output / "spiral.html",
        names=names,
        points=points,
        labels=labels,
        title="A classifier of two spirals",
    )
    for name, some in zip(names, cells, strict=True):
        print(f"{name}: {some.count():,} activation regions, {some.count('linear'):,} linear")
    print(f"wrote {path}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
