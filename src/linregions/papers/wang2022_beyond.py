"""Beyond Wang 2022: shallow against deep at 20 to 60 units, out of the paper's reach."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

import linregions as lr

from ._item import Compared, Result, Row, Run, canvas, item, whole
from ._networks import uniform
from .wang2022 import PAPER, name_of


@item(
    PAPER, "beyond", "shallow against deep at 20 to 60 units, counted or estimated",
    full={"inputs": 4, "units": [20, 30, 40, 50, 60], "layers": [1, 2, 3, 5, 10], "networks": 10,
          "count_up_to": 400_000, "passes": 64},
    quick={"inputs": 3, "units": [20, 30], "layers": [1, 2, 5], "networks": 3},
)  # fmt: skip
def beyond(run: Run) -> Result:
    """Activation regions over R^n of networks of one size, by the number of layers."""
    shapes = [(N, L) for N in run["units"] for L in run["layers"] if N % L == 0]
    run.total = len(shapes) * run["networks"]
    rows, compared = [], []
    for N, L in shapes:
        widths = (N // L,) * L
        nets = [_one(run, widths, i) for i in range(run["networks"])]
        values = np.array([r["regions"] for r in nets])
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
        rows.append(
            {
                "units": N, "layers": L, "networks": len(nets), "mean": float(values.mean()),
                "standard_error": error, "counted": sum(r["counted"] for r in nets),
            }
        )  # fmt: skip
        how = f"{rows[-1]['counted']} of {len(nets)} counted exactly, the others estimated"
        compared.append(
            Compared(f"{N} units, {L} layers of {N // L}: mean activation regions", "out of reach",
                     f"{values.mean():,.0f} +- {1.96 * error:,.0f}", how)
        )  # fmt: skip
    for N in run["units"]:
        mine = sorted((r for r in rows if r["units"] == N), key=lambda r: r["layers"])
        order = all(a["mean"] > b["mean"] for a, b in pairwise(mine))
        compared.append(
            Compared(f"{N} units: fewer regions with every step of depth", "Claim 1: yes",
                     "yes" if order else "no: " + ", ".join(f"{r['mean']:,.0f}" for r in mine),
                     "" if order else "few inputs: one layer is a generic arrangement at its "
                     "ceiling, a polynomial of degree n in the units, which two or three pass")
        )  # fmt: skip
    note = (
        f"Weights and biases uniform in (-1, 1), {run['inputs']} inputs (with seven, networks "
        "of 40 units have more regions than can be counted here); estimates are unbiased "
        f"(`lr.estimate`, {run['passes']} passes), so means of them are too."
    )
    return Result({"": rows}, compared, _figure(run, rows), [note])


def _one(run: Run, widths: tuple[int, ...], i: int) -> Row:
    net = uniform((run["inputs"], *widths, 1), run.rng(*widths, i))

    def work() -> dict[str, Any]:
        found = whole(lr.count(net, limit=run["count_up_to"]))
        if found.complete:
            return {"regions": float(found), "counted": True}
        about = whole(lr.estimate(net, passes=run["passes"], seed=run.seed))
        return {"regions": float(about), "counted": False}

    return run.unit(work, widths=name_of(widths), network=i)


def _figure(run: Run, rows: list[Row]) -> Any:
    figure, axes = canvas(1, 1, (6, 4))
    ax = axes[0, 0]
    for L in run["layers"]:
        mine = [r for r in rows if r["layers"] == L]
        ax.errorbar([r["units"] for r in mine], [r["mean"] for r in mine],
                    [1.96 * r["standard_error"] for r in mine], fmt="o-", capsize=2,
                    label="1 layer" if L == 1 else f"{L} layers")  # fmt: skip
    ax.set(xlabel="units in all", ylabel="mean activation regions", yscale="log")
    ax.legend(frameon=False, fontsize=8)
    return figure
