"""Counts of trained networks against bounds, and test errors against counts.

The experiment of Serra, Tjandraatmadja and Ramalingam, "Bounding and Counting Linear Regions of
Deep Neural Networks" (ICML 2018): MNIST classifiers 784-n1-n2-10 with n1 + n2 = 22, ten for each
split, their activation regions over [0, 1]^784 counted exactly. Networks come from Adam on the
cross-entropy in batches of 128, weights of variance 2 / fan-in and biases of variance 1e-6 at the
start; the poster that we have says neither how they were trained nor for how long.

    python examples/serra_counts.py -o pictures --splits 2,3,4 --networks 10 --seconds 60

Results go to ``serra_counts.csv``; networks that are there already are not counted again. A
count that ran out of its seconds is a proved lower bound, marked ``complete False``.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
from gallery import accuracy, digits, he_network, held_out, save, training

import linregions as lr

UNITS, CLASSES = 22, 10
FIELDS = (
    *("data", "inputs", "n1", "n2", "epochs", "seed", "regions", "exact", "complete", "seconds"),
    *("train_error", "test_error", "montufar2017", "serra2018", "weights"),
)
KEY = FIELDS[:6]  # what makes a network
UPPER = ("montufar2017", "serra2018", "weights")


def options() -> argparse.Namespace:
    """Which networks, and for how long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("."), help="folder to write to")
    parser.add_argument("--splits", default="2,3,4,5", help="values of n1, with commas")
    parser.add_argument("--networks", type=int, default=10, help="networks of each split")
    parser.add_argument("--seconds", type=float, default=60, help="limit of one count")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--units", type=int, default=UNITS, help="n1 + n2")
    parser.add_argument("--quick", action="store_true", help="8 units, digits, three splits")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.splits, chosen.networks, chosen.units, chosen.epochs = "2,3,4", 2, 8, 1
    try:
        chosen.splits = [int(n) for n in chosen.splits.split(",")]
    except ValueError:
        parser.error(f"--splits {chosen.splits}: give whole numbers with commas, such as 2,3,4")
    if not all(0 < n < chosen.units for n in chosen.splits):
        parser.error(f"--splits: each must lie between 1 and {chosen.units - 1}")
    chosen.output.mkdir(parents=True, exist_ok=True)
    return chosen


def measure(
    sizes: list[int], train: Any, test: Any, epochs: int, seed: int, seconds: float
) -> dict[str, Any]:
    """Train one network, count its regions over [0, 1]^n, and bound them."""
    *_, layers = training(he_network(sizes, seed), *train, epochs, seed)
    box = lr.Box(0, 1)
    found = lr.count(layers, box, engine="search", seconds=seconds)
    upper = {b.name: b.value for b in lr.bounds(layers, box, lp=sizes[0] < 100)}
    return {
        "regions": int(found),
        "exact": found.exact,
        "complete": found.complete,
        "seconds": round(found.seconds, 3),
        "train_error": round(1 - accuracy(layers, *train), 5),
        "test_error": round(1 - accuracy(layers, *test), 5),
        **{name: int(upper[name]) for name in UPPER},
    }


def read(path: Path) -> list[dict[str, str]]:
    """The rows of an earlier run."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def keep(path: Path, row: dict[str, Any]) -> None:
    """Add a row at once, so that an interrupted run loses one network at most."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        writer.writerow(row)


def draw(rows: list[dict[str, str]], path: Path) -> None:
    """Counts of each split between bounds; errors against counts, for complete counts."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    splits = sorted({int(r["n1"]) for r in rows})
    whole = [r for r in rows if r["complete"] == "True"]
    units = int(rows[0]["n1"]) + int(rows[0]["n2"])
    every = range(1, units)
    bounds = {n: {b.name: b.value for b in lr.bounds([int(rows[0]["inputs"]), n, units - n])}
              for n in every}  # fmt: skip
    for name, label, style in (
        ("montufar2017", "Montufar 2017", "k:"),
        ("serra2018", "Serra 2018", "k--"),
    ):
        left.plot(every, [bounds[n][name] for n in every], style, label=label)
    colours = {n: colormaps["turbo"](n / units) for n in splits}
    for n in splits:
        counts = [int(r["regions"]) for r in whole if int(r["n1"]) == n]
        if counts:
            mean = np.mean(counts)
            ends = [[mean - min(counts)], [max(counts) - mean]]
            left.errorbar([n], [mean], ends, fmt="o", color=colours[n], capsize=3)
            errors = [100 * float(r["test_error"]) for r in whole if int(r["n1"]) == n]
            right.plot(counts, errors, "o", color=colours[n], label=f"n1 = {n}")
        cut = [int(r["regions"]) for r in rows if r["complete"] != "True" and int(r["n1"]) == n]
        if cut:
            left.plot([n] * len(cut), cut, "^", color=colours[n], mfc="none")
    left.plot([], [], "o", color="grey", label="mean, least, most")
    if len(whole) < len(rows):
        left.plot([], [], "^", color="grey", mfc="none", label="count not finished: at least")
    left.set(yscale="log", xlabel=f"n1 (n1 + n2 = {units})", ylabel="activation regions")
    right.set(xscale="log", xlabel="activation regions", ylabel="test error (%)")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.legend(fontsize=8)
    if whole:
        right.legend(fontsize=7, ncols=2)
    save(figure, path)


def table(rows: list[dict[str, str]]) -> None:
    """A line for each split, as Markdown."""
    print("| n1 | networks | finished | least | mean | most | s | ms a region | test error |")
    print("| --- " * 9 + "|")
    for n in sorted({int(r["n1"]) for r in rows}):
        mine = [r for r in rows if int(r["n1"]) == n]
        counts = [int(r["regions"]) for r in mine if r["complete"] == "True"]
        spent = sum(float(r["seconds"]) for r in mine)
        rate = 1e3 * spent / sum(int(r["regions"]) for r in mine)
        error = np.mean([float(r["test_error"]) for r in mine])
        span = (f"{min(counts):,}", f"{np.mean(counts):,.0f}", f"{max(counts):,}") if counts else (
            "", f"at least {max(int(r['regions']) for r in mine):,}", "")  # fmt: skip
        parts = (n, len(mine), len(counts), *span, f"{spent / len(mine):.2f}", f"{rate:.2f}")
        print("| " + " | ".join(map(str, parts)) + f" | {error:.1%} |")


def main() -> None:
    """Train, count, draw."""
    chosen = options()
    images, labels, name = digits(small=chosen.quick)
    train, test = held_out(images, labels)
    path = chosen.output / "serra_counts.csv"
    pixels = images.shape[1]
    for seed in range(chosen.networks):
        for n1 in chosen.splits:
            n2 = chosen.units - n1
            key = dict(zip(KEY, (name, pixels, n1, n2, chosen.epochs, seed), strict=True))
            if any(all(str(v) == row[k] for k, v in key.items()) for row in read(path)):
                continue
            sizes = [pixels, n1, n2, CLASSES]
            found = measure(sizes, train, test, chosen.epochs, seed, chosen.seconds)
            keep(path, {**key, **found})
            least = "" if found["complete"] else "at least "
            print(
                f"{n1}+{n2}, seed {seed}: {least}{found['regions']:,} regions, "
                f"{found['seconds']:.2f} s, test error {found['test_error']:.1%}",
                flush=True,
            )
    mine = [r for r in read(path) if (r["data"], int(r["n1"]) + int(r["n2"]), r["epochs"])
            == (name, chosen.units, str(chosen.epochs))]  # fmt: skip
    table(mine)
    draw(mine, chosen.output / "serra_counts.png")


if __name__ == "__main__":
    main()
