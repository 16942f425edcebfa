"""Deep against shallow, convolutional against dense, at about equal numbers of parameters.

Section 5 of Xiong et al. (2020): what the deeper or the convolutional network surely has at
least, against what the other has at most. Needs matplotlib (pip install "linregions[draw]").

    python examples/deep_and_shallow.py -o docs/pictures/deep_and_shallow.png
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from linregions.theory.comparison import Comparison, cnn_and_dense, deep_and_shallow

SIZE, FILTERS, DEPTHS = (3, 3), 8, range(1, 11)


def rows(compare: Callable[..., Comparison]) -> list[tuple[int, Comparison]]:
    """One comparison for each depth: input 3 x 3 x 1, 8 filters 1 x 1."""
    return [(depth, compare(SIZE, 1, FILTERS, depth)) for depth in DEPTHS]


def draw(path: Path) -> None:
    """Logarithms of regions per parameter, by depth."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), constrained_layout=True)
    _panel(axes[0], rows(deep_and_shallow), "L layers of 8 filters", "1 layer of 64 L filters")
    _panel(axes[1], rows(cnn_and_dense), "L layers of 8 filters", "L dense layers of 8 units")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _panel(axis: Any, found: list[tuple[int, Comparison]], first: str, second: str) -> None:
    depths = [depth for depth, _ in found]
    axis.plot(depths, [c.first.per_parameter for _, c in found], "o-", label=f"{first}, at least")
    axis.plot(depths, [c.second.per_parameter for _, c in found], "s-", label=f"{second}, at most")
    axis.set(xlabel="depth L", ylabel="log10 of regions per parameter")
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table, and draw it where -o is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args(arguments)
    for compare in (deep_and_shallow, cnn_and_dense):
        print(f"{compare.__name__}: log10 of regions (parameters)")
        for depth, (first, second) in rows(compare):
            print(
                f"  L = {depth:2}  at least {first.log10:7.2f} ({first.parameters})"
                f"   at most {second.log10:7.2f} ({second.parameters})"
            )
    if options.output:
        draw(options.output)


if __name__ == "__main__":
    main()
