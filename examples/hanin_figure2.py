"""Regions after each layer of a network of two inputs.

Figure 2 of Hanin and Rolnick (ICML 2019): units of the first layer draw lines, those of later
layers draw lines that bend where they meet earlier ones.

    python examples/hanin_figure2.py -o pictures
"""

from __future__ import annotations

from gallery import he_network, options, save

import linregions as lr
from linregions import draw


def main() -> None:
    """Draw one panel per layer; biases of standard deviation 0.3 spread the lines."""
    chosen = options(__doc__ or "")
    net = he_network([2, 8, 8, 8, 1], chosen.seed + 5, bias_std=0.3)
    cells = lr.subdivide(net, lr.Box(-1, 1))
    figure = draw.layers(cells)
    print(f"{cells.count():,} activation regions, {cells.count('linear'):,} linear regions")
    save(figure, chosen.output / "hanin_figure2.png")


if __name__ == "__main__":
    main()
