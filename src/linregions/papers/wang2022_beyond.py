"""Beyond Wang 2022: shallow against deep at 20 to 60 units, out of the paper's reach."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

import linregions as lr

from ._item import Compared, ItemRun, Result, Row, canvas, item, whole
from ._networks import uniform
from .wang2022 import PAPER, name_of


@item(
    PAPER, "beyond", "shallow against deep at 20 to 60 units, counted or estimated",
    full={"inputs": [7, 4], "units": [20, 30, 40, 50, 60], "layers": [1, 2, 3, 5, 10],
          "networks": 10, "count_up_to": 400_000, "passes": 64},
    quick={"inputs": [3], "units": [20, 30], "layers": [1, 2, 5], "networks": 3},
)  # fmt: skip
def beyond(run: ItemRun) -> Result:
    """Activation regions over R^n of networks of one size, by the number of layers."""
    shapes = [(N, L) for N in run["units"] for L in run["layers"] if N % L == 0]
    run.total = len(run["inputs"]) * len(shapes) * run["networks"]
    rows, compared = [], []
    for n in run["inputs"]:
        mine = [_shape(run, n, N, L) for N, L in shapes]
        rows += mine
        compared += [_mean_line(r) for r in mine]
        compared += [_order_line(n, N, [r for r in mine if r["units"] == N]) for N in run["units"]]
    note = (
        "Weights and biases uniform in (-1, 1). Networks of more than "
        f"{run['count_up_to']:,} regions are estimated (`lr.estimate`, {run['passes']} passes, "
        "unbiased, so that means of estimates are too). `with_interval` says how many estimates "
        "had an interval; the others rest on few heavy samples, and the spread over networks, "
        "which the errors here measure, holds that as well."
    )
    return Result({"": rows}, compared, _figure(run, rows), [note])


def _shape(run: ItemRun, inputs: int, units: int, layers: int) -> Row:
    """The mean over networks of one shape."""
    widths = (units // layers,) * layers
    nets = [_one(run, inputs, widths, i) for i in range(run["networks"])]
    values = np.array([r["regions"] for r in nets])
    return {
        "inputs": inputs, "units": units, "layers": layers, "networks": len(nets),
        "mean": float(values.mean()),
        "standard_error": float(values.std(ddof=1) / np.sqrt(len(values))),
        "counted": sum(r["counted"] for r in nets),
        "with_interval": sum(r["interval"] is not None for r in nets),
    }  # fmt: skip


def _one(run: ItemRun, inputs: int, widths: tuple[int, ...], i: int) -> Row:
    net = uniform((inputs, *widths, 1), run.rng(*widths, i))

    def work() -> dict[str, Any]:
        found = whole(lr.count(net, limit=run["count_up_to"]))
        if found.complete:
            return {"regions": float(found), "counted": True, "interval": None}
        about = whole(lr.estimate(net, passes=run["passes"], seed=run.seed))
        return {"regions": float(about), "counted": False, "interval": about.interval}

    return run.unit(work, inputs=inputs, widths=name_of(widths), network=i)


def _mean_line(r: Row) -> Compared:
    shape = f"{r['inputs']} inputs, {r['units']} units"
    how = f"{r['counted']} of {r['networks']} counted exactly"
    if r["counted"] < r["networks"]:
        how += f", the others estimated, {r['with_interval']} with an interval"
    return Compared(
        f"{shape}, {r['layers']} layer{'s' * (r['layers'] > 1)}: mean activation regions",
        "out of reach", f"{r['mean']:,.0f} +- {1.96 * r['standard_error']:,.0f}", how,
    )  # fmt: skip


def _order_line(inputs: int, units: int, rows: list[Row]) -> Compared:
    """Whether the means fall with every step of depth, as Claim 1 says of few units."""
    rows = sorted(rows, key=lambda r: r["layers"])
    against = [
        f"{b['layers']} layers {b['mean'] / a['mean']:.2f} times {a['layers']}"
        for a, b in pairwise(rows) if b["mean"] >= a["mean"]
    ]  # fmt: skip
    return Compared(
        f"{inputs} inputs, {units} units: fewer regions with every step of depth", "Claim 1: yes",
        "no: " + ", ".join(against) if against else "yes",
        "one layer is a generic arrangement at its ceiling, a polynomial of degree n in the "
        "units, which two or three pass when there are many units to an input" if against else "",
    )  # fmt: skip


def _figure(run: ItemRun, rows: list[Row]) -> Any:
    figure, axes = canvas(1, len(run["inputs"]), (5.2 * len(run["inputs"]), 4))
    for ax, n in zip(axes[0], run["inputs"], strict=True):
        for L in run["layers"]:
            mine = [r for r in rows if r["layers"] == L and r["inputs"] == n]
            ax.errorbar([r["units"] for r in mine], [r["mean"] for r in mine],
                        [1.96 * r["standard_error"] for r in mine], fmt="o-", capsize=2,
                        label="1 layer" if L == 1 else f"{L} layers")  # fmt: skip
        ax.set(xlabel="units in all", ylabel="mean activation regions", yscale="log",
               title=f"{n} inputs")  # fmt: skip
        ax.legend(frameon=False, fontsize=8)
    return figure
