"""The graph of a network of one input at initialisation, with every breakpoint marked.

Figure 4 of Hanin and Rolnick (ICML 2019): He normal weights, biases of variance 1e-6. All
breakpoints gather where the biases matter, within a few thousandths of zero.

    python examples/hanin_figure4.py -o pictures
"""

from __future__ import annotations

from gallery import he_network, options, save

import linregions as lr
from linregions import draw


def main() -> None:
    """Draw the function of a 1-[20,20,20]-1 network near zero."""
    chosen = options(__doc__ or "")
    net = he_network([1, 20, 20, 20, 1], chosen.seed)
    cells = lr.subdivide(net, lr.Box(-0.006, 0.006))
    print(f"{cells.count():,} activation regions, {cells.count('linear'):,} linear regions")
    save(draw.graph(cells).figure, chosen.output / "hanin_figure4.png")


if __name__ == "__main__":
    main()
