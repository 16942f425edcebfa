"""How many linear regions? A plane through the input space of MNIST.

Figure 1 of Hanin and Rolnick, "Complexity of Linear Regions in Deep Networks" (ICML 2019): a
network of three hidden layers of width 64, one colour for each linear region. The plane goes
through three training images; the paper does not say which plane it drew.

    python examples/hanin_figure1.py -o pictures
"""

from __future__ import annotations

from gallery import accuracy, digits, he_network, options, save, three_examples, training

import linregions as lr
from linregions import draw


def main() -> None:
    """Train for two epochs, count, draw."""
    chosen = options(__doc__ or "")
    images, labels, name = digits()
    start = he_network([images.shape[1], 64, 64, 64, 10], chosen.seed)
    *_, net = training(start, images, labels, 1 if chosen.quick else 2, chosen.seed)
    plane = lr.Plane.through(*three_examples(images, labels))
    cells = lr.subdivide(net, plane)
    print(f"{name}: accuracy {accuracy(net, images, labels):.1%}")
    print(f"{cells.count():,} activation regions, {cells.count('linear'):,} linear regions")
    save(draw.draw(cells, edges="none").figure, chosen.output / "hanin_figure1.png")


if __name__ == "__main__":
    main()
