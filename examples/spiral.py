"""A classifier of two spirals: its linear regions and its exact decision boundary.

python examples/spiral.py -o pictures
"""

from __future__ import annotations

from gallery import accuracy, he_network, options, save, spirals, training

import linregions as lr
from linregions import draw


def main() -> None:
    """Train a 2-[24,24,24]-1 network, draw its regions, output and boundary."""
    import matplotlib.pyplot as plt

    chosen = options(__doc__ or "")
    points, labels = spirals()
    start = he_network([2, 24, 24, 24, 1], chosen.seed, bias_std=0.1)
    *_, net = training(start, points, labels, 200 if chosen.quick else 600, chosen.seed,
                       rate=4e-3)  # fmt: skip
    cells = lr.subdivide(net, lr.Box(-1, 1))
    figure, axes = plt.subplots(1, 2, figsize=(11, 5.2), layout="constrained")
    draw.draw(cells, ax=axes[0], boundary=True)
    draw.draw(cells, ax=axes[1], color="output", edges="none", boundary=True, legend=False,
              points=points, labels=labels)  # fmt: skip
    print(f"accuracy {accuracy(net, points, labels):.1%}")
    print(f"{cells.count():,} activation regions, {cells.count('linear'):,} linear regions")
    print(f"length of the decision boundary {cells.level_set().measure:.4f}")
    save(figure, chosen.output / "spiral.png")


if __name__ == "__main__":
    main()
