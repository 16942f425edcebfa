"""Claim: networks with integer weights are counted exactly at 5,000 regions a second or more.

Integer weights are where floats stop telling: rows coincide, vertices are degenerate, minima are
exactly zero. Entries of weights and biases are uniform in {-3..3} or in {-1, 0, 1}, or the biases
are zero; several shapes, over R^n and over the box [-2, 2]^n. Entries of 8 bits, as quantised
networks have them, are measured too, without a claim: products of layers outgrow small integers.
"""

import common  # isort: skip

import argparse

import numpy as np

import linregions as lr

SHAPES = ((2, 20, 20), (3, 12, 12), (3, 8, 8, 8), (4, 10, 10), (5, 10), (6, 8, 4))
DEEP = ((2, 10, 10, 10, 10, 10), (3, 8, 8, 8, 8, 8), (8, 10, 4))
RATE, LEAST = 5_000, 100


def draw(shape: tuple[int, ...], largest: int, biases: bool, seed: int) -> list:
    """Integer layers of a network with one output."""
    rng = np.random.default_rng([*shape, largest, biases, seed])
    layers = []
    for n, m in zip(shape, (*shape[1:], 1), strict=True):
        W = rng.integers(-largest, largest + 1, (m, n))
        b = rng.integers(-largest, largest + 1, m) * int(biases)
        layers.append((W.astype(float), b.astype(float)))
    return layers


def measure(sizes: tuple[int, ...], shapes: tuple, options: argparse.Namespace) -> list[dict]:
    """Every kind of network, over both domains."""
    rows = []
    for shape in shapes[1:4:2] if options.quick else shapes:
        for largest in sizes:
            for biases in (True, False):
                for domain in (lr.Space(), lr.Box(-2, 2)):
                    rows.append(one(shape, largest, biases, domain, options))
                    print(".", end="", flush=True)
    print()
    return rows


def one(shape, largest, biases, domain, options: argparse.Namespace) -> dict:
    """Several networks of one kind together."""
    regions, seconds, total, finished = 0, 0.0, {}, True
    for seed in range(1 if options.quick else options.networks):
        net = lr.Network.from_layers(draw(shape, largest, biases, seed))
        spent, answer = common.best(
            lambda net=net: lr.count(net, domain, engine="search", seconds=options.seconds),
            3 if options.seconds >= 1 else 1,
            0.2,
        )
        regions, seconds = regions + int(answer), seconds + spent
        finished &= answer.complete
        for name, value in answer.stats.items():
            total[name] = total.get(name, 0) + value
    tests = max(total["tests"], 1)
    return {
        "shape": f"{shape[0]}-{list(shape[1:])}",
        "entries": f"-{largest}..{largest}",
        "biases": "like weights" if biases else "zero",
        "domain": "box" if isinstance(domain, lr.Box) else "R^n",
        "regions": regions,
        "complete": finished,
        "seconds": seconds,
        "regions/s": regions / seconds,
        "tests": total["tests"],
        "LPs": total["lps"],
        "float": f"{total['float_proofs'] / tests:.1%}",
        "integer": f"{total['integer_proofs'] / tests:.1%}",
        "rational": f"{total['rational'] / tests:.1%}",
        "rationals": total["rational"],
        "rational cells": total["rational_cells"],
        "fast enough": regions / seconds >= RATE,
    }


def main() -> None:
    p = common.parser(__doc__)
    p.add_argument("--networks", type=int, default=2, help="of each kind (2)")
    p.add_argument("--seconds", type=float, default=10.0, help="for one network at most (10)")
    options = p.parse_args()
    report = common.Report("Integer weights", options)
    print(f"Compile or read from cache: {common.compile_apart():.2f} s.")
    rows = measure((3, 1), SHAPES, options)
    report.table("Exact counts; float, integer, rational: proofs per hundred tests", rows)
    # Below, the fixed cost of a count, some milliseconds, is most of it.
    large = [row for row in rows if row["regions"] >= LEAST]
    slow = [row for row in large if not row["fast enough"]]
    least = min(large, key=lambda row: row["regions/s"])
    report.claim(
        f"at least {RATE:,} regions a second on every kind with {LEAST} regions or more",
        not slow,
        f"slowest of {len(large)} of {len(rows)}: {least['regions/s']:,.0f}/s",
    )
    if slow:
        report.table("Slow ones, worst first", sorted(slow, key=lambda row: row["regions/s"]))
    report.table("Entries of 8 bits", measure((127,), SHAPES + DEEP, options))
    report.end()


if __name__ == "__main__":
    main()
