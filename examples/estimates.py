"""An estimate that closes in on a known count, and a forecast that comes true.

    python examples/estimates.py [-o FILE.png]

The network has two layers of 12 units on 8 inputs and 632,004 regions. Every row is a run of its
own; the last lines compare a forecast of two seconds with the count that it was about.
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import numpy as np

import linregions as lr

PASSES = (12, 24, 48, 72, 96)


def deep(*widths: int) -> list:
    """Random layers; the last width is that of the output."""
    rng = np.random.default_rng(0)
    sizes = pairwise(widths)
    return [(rng.standard_normal((m, n)), rng.standard_normal(m)) for n, m in sizes]


def closing_in(layers: list) -> list[lr.Estimate]:
    """Estimates from more and more passes."""
    return [lr.estimate(layers, passes=n, work=1000, seed=0) for n in PASSES]


def forecast(layers: list, seconds: float = 2.0) -> tuple[lr.Plan, lr.Count]:
    """A plan, and the count that it was about."""
    return lr.plan(layers, seconds=seconds, workers=(1, 2)), lr.count(layers, engine="search")


def draw(count: int, found: list[lr.Estimate], path: str) -> None:
    """The estimates with their intervals over the work."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    for e in found:
        if e.interval is not None:
            axes.plot([e.steps] * 2, e.interval, "C0", lw=2)
        axes.plot(e.steps, e.estimate, "C0o")
    axes.axhline(count, color="C1", label=f"{count:,} regions")
    axes.set(xscale="log", xlabel="cells looked at", ylabel="estimate, 95 % interval")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("-o", "--output", help="a picture of the first part")
    options = p.parse_args(arguments)
    layers = deep(8, 12, 12, 1)
    plan, counted = forecast(layers)
    found = closing_in(layers)
    for e in found:
        interval = "none" if e.interval is None else "{:,.0f} to {:,.0f}".format(*e.interval)
        print(f"{e.passes:4} passes, {e.steps:8,} cells: {e.estimate:12,.0f}, interval {interval}")
    print(f"forecast: {plan.estimate.estimate:,.0f} regions in {plan.seconds:.2g} s")
    print(f"counted:  {int(counted):,} regions in {counted.seconds:.2g} s")
    if options.output:
        draw(int(counted), found, options.output)


if __name__ == "__main__":
    main()
