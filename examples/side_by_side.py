"""Print the bounds side by side: Serra's poster, and Tables 1 and 2 of Xiong et al. (2020).

Markdown tables, as in docs/bounds.md and docs/convolutions.md. Every number is computed.

    python examples/side_by_side.py [poster | table1 | table2]
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from math import comb
from typing import Any

import linregions as lr
from linregions.theory import Conv, arrangements, conv, deepconv, dense, expectation

TABLE_2_PRINTED = [220, 880, 3520, 13585, 46640, 138050, 356180, 819115]
TABLE_2_SAMPLED = [170, 261, 685, 1186, 1796, 2725, 3398, 4822]


def poster() -> Iterable[list[Any]]:
    """n0 = 784, 22 units in all in two, three or one layers."""
    yield [
        "widths",
        "maximum at least",
        "trivial",
        "Raghu 2017",
        "Montufar 2017",
        "Serra 2018",
        "Hinz, recursive",
        "expected",
    ]

    shapes: list[tuple[int, ...]] = [(n1, 22 - n1) for n1 in range(1, 22)]
    shapes += [(7, 8, 7), (8, 7, 7), (4, 9, 9), (10, 6, 6), (6, 10, 6), (22,)]
    rules = [dense.trivial, dense.raghu2017, dense.montufar2017, dense.serra2018, dense.hinz]
    for widths in shapes:
        mean = "-"
        if len(widths) == 2:
            mean = f"{float(expectation.wang_two_layers_activation(*widths)):,.1f}"
        lower = max(b.value for b in lr.bounds([784, *widths]) if b.direction == "lower" and
                    "largest" in b.bounds)  # fmt: skip
        upper = [rule(784, widths) for rule in rules]
        yield [", ".join(map(str, widths)), lower, *upper, mean]


def table1() -> Iterable[list[Any]]:
    """One layer: input 1 x 3 x 1, d1 filters 1 x 2."""
    layers = [Conv((1, 3), (1, 2), d) for d in range(1, 9)]
    yield ["d1", *(m.filters for m in layers)]
    yield ["Theorem 2", *(conv.eq4(m) for m in layers)]
    yield ["Theorem 1", *(arrangements.generic(m.units, m.inputs) for m in layers)]
    yield ["Lemma 2", *(2**m.units for m in layers)]


def table2() -> Iterable[list[Any]]:
    """Two layers: input 1 x 4 x 1, 2 filters 1 x 2, then d2 filters 1 x 2."""
    nets = [deepconv.chain((1, 4), 1, [((1, 2), 2), ((1, 2), d)]) for d in range(1, 9)]
    yield ["d2", *(net[1].filters for net in nets)]
    yield ["upper, printed (55 Z(2 d2, 6))", *(_to_six(net) for net in nets)]
    yield ["upper, Theorem 5 as stated (55 Z(2 d2, 4))", *map(deepconv.upper, nets)]
    widths = [[m.units for m in net] for net in nets]
    yield ["upper, Serra for the dense shape", *(dense.serra2018(4, w) for w in widths)]
    yield ["upper, dimensions followed", *map(deepconv.upper_by_dimension, nets)]
    yield ["upper, and receptive fields", *map(deepconv.upper_by_receptive_field, nets)]
    yield ["sampled, printed", *TABLE_2_SAMPLED]
    yield ["lower, Theorem 5", *map(deepconv.lower, nets)]


def _to_six(net: Sequence[Conv]) -> int:
    """The printed row: the width 6 of layer 1 as upper limit of the sum, in place of n0 = 4."""
    return conv.eq4(net[0]) * sum(comb(net[1].units, i) for i in range(7))


TABLES = {"poster": poster, "table1": table1, "table2": table2}


def markdown(rows: Iterable[list[Any]]) -> str:
    """A Markdown table; the first row is its heading."""
    lines = []
    for i, row in enumerate(rows):
        lines.append("| " + " | ".join(f"{v:,}" if isinstance(v, int) else v for v in row) + " |")
        if i == 0:
            lines.append("| --- |" + " ---: |" * (len(row) - 1))
    return "\n".join(lines)


def main(names: Sequence[str] | None = None) -> None:
    """Print the tables that are named, or all."""
    for name in (sys.argv[1:] if names is None else names) or TABLES:
        print(f"{name}\n\n{markdown(TABLES[name]())}\n")


if __name__ == "__main__":
    main()
