"""Claim: with 784 inputs a decision costs at most 20 times what it costs in a box of few.

Random networks with the same hidden layers, 784-[n1, n2] over [0, 1]^784 and k-[n1, n2] over
[-1, 1]^k, k = 6, are counted by the search in one run; a decision is one node's test of one row
(``stats["tests"]``). Counts that outlast their seconds are cut short, which does not matter here.
"""

import common  # isort: skip

from itertools import pairwise

import numpy as np

import linregions as lr

BAR = 20.0
FEW, MANY = 6, 784


def network(sizes: list[int], seed: int) -> list:
    """He weights; biases that put the middle of the box at a distance from the units' zeros."""
    rng = np.random.default_rng([*sizes, seed])
    middle = 0.5 if sizes[0] == MANY else 0.0
    layers = []
    for i, (n, m) in enumerate(pairwise(sizes)):
        W = rng.normal(0, (2 / n) ** 0.5, (m, n))
        b = rng.normal(0, 0.1, m) - (W.sum(axis=1) * middle if i == 0 else 0.0)
        layers.append((W, b))
    return layers


def measure(inputs: int, n1: int, n2: int, seconds: float) -> dict[str, float]:
    """Seconds per decision and per region."""
    box = lr.Box(0, 1) if inputs == MANY else lr.Box(-1, 1)
    found = lr.count(network([inputs, n1, n2, 1], 0), box, engine="search", seconds=seconds)
    return {
        "decision": found.seconds / found.stats["tests"],
        "programme": found.seconds / max(found.stats["lps"], 1),
        "region": found.seconds / int(found),
    }


def main() -> None:
    options = common.parser(__doc__).parse_args()
    report = common.Report("Boxes of many inputs", options)
    common.compile_apart()
    seconds = 0.5 if options.quick else 10.0
    rows = []
    for n1, n2 in ((3, 3), (4, 4)) if options.quick else ((4, 18), (6, 16), (8, 14), (11, 11)):
        many, few = (measure(n, n1, n2, seconds) for n in (MANY, FEW))
        rows.append(
            {
                "n1": n1,
                "n2": n2,
                f"us a decision, {MANY} inputs": many["decision"] * 1e6,
                f"us a decision, {FEW} inputs": few["decision"] * 1e6,
                "ratio": many["decision"] / few["decision"],
                f"us a programme, {MANY} inputs": many["programme"] * 1e6,
                f"ms a region, {MANY} inputs": many["region"] * 1e3,
            }
        )
    report.table("Cost of a decision in the same hidden layers, one thread", rows)
    worst = max(row["ratio"] for row in rows)
    report.claim(
        f"a decision costs at most {BAR:.0f} times as much with {MANY} inputs as with {FEW}",
        worst <= BAR,
        f"{worst:.0f} times at worst",
    )
    report.end()


if __name__ == "__main__":
    main()
