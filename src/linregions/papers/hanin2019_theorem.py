"""Hanin and Rolnick 2019: Theorem 3 holding, densities against units, regions against units^n."""

from __future__ import annotations

from typing import Any

import numpy as np

import linregions as lr

from ._item import Compared, ItemRun, Result, Row, canvas, item

PAPER = "hanin2019"
SHAPES = ((1, (10,)), (2, (8, 8)), (2, (4, 4, 4)), (3, (6, 6)))


@item(
    PAPER, "theorem3", "volumes of boundaries against Theorem 3; regions against units^n",
    full={"networks": 400, "draws": 100_000, "widths": [8, 16, 24, 32, 48, 64], "nets": 20,
          "widths3": [4, 6, 8, 12, 16, 20]},
    quick={"networks": 40, "draws": 5_000, "widths": [8, 16, 32], "nets": 4, "widths3": [4, 6, 8]},
)  # fmt: skip
def theorem3(run: ItemRun) -> Result:
    """Both sides of the theorem for small networks; growth for networks of two hidden layers."""
    sides = [_sides(run, n, widths, c) for n, widths in SHAPES for c in range(1, n + 1)]
    compared = []
    for r in sides:
        gap = r["measured"] - r["expected"]
        error = float(np.hypot(r["measured_error"], r["expected_error"]))
        compared.append(
            Compared(f"n = {r['inputs']}, hidden {tuple(r['widths'])}, codimension "
                     f"{r['codimension']}: E volume in [-1, 1]^n",
                     f"{r['expected']:.3f} +- {1.96 * r['expected_error']:.3f} (Theorem 3)",
                     f"{r['measured']:.3f} +- {1.96 * r['measured_error']:.3f}",
                     f"{gap / error:+.1f} standard errors" if error else "")
        )  # fmt: skip
    growth = [_growth(run, n, w) for n in (1, 2, 3) for w in run["widths3" if n == 3 else "widths"]]
    for n in (1, 2, 3):
        mine = [r for r in growth if r["inputs"] == n]
        units = np.log([r["units"] for r in mine])
        for key, says in (("density", 1), ("regions", n)):
            slope = np.polyfit(units, np.log([r[key] for r in mine]), 1)[0]
            why = "" if key == "density" else "lower powers of the units weigh at these sizes"
            compared.append(Compared(f"n = {n}: exponent of units in {key}", says,
                                     round(float(slope), 3), why))  # fmt: skip
    note = (
        "Theorem 3 as corrected: the sum goes over unordered sets of units (the print, over "
        "tuples, is k! too large). Weights of variance 2 / fan-in, biases N(0, 1); activation "
        "boundaries."
    )
    return Result({"": sides, "growth": growth}, compared, _figure(growth), [note])


def _sides(run: ItemRun, n: int, widths: tuple[int, ...], codimension: int) -> Row:
    nets = lr.RandomNetworks((n, *widths, 1))
    box = lr.Box([-1.0] * n, [1.0] * n)

    def work() -> dict[str, Any]:
        right = lr.expected_boundary_volume(
            nets, box, codimension=codimension, networks=run["draws"], seed=run.seed
        )
        rng = run.rng(n, *widths, codimension)
        left = np.array([
            lr.boundary_volume(nets.network(rng), box, codimension=codimension).value
            for _ in range(run["networks"])
        ])  # fmt: skip
        return {
            "expected": right.value, "expected_error": right.standard_error,
            "measured": left.mean(), "measured_error": left.std(ddof=1) / np.sqrt(len(left)),
        }  # fmt: skip

    return run.unit(work, part="theorem", inputs=n, widths=widths, codimension=codimension)


def _growth(run: ItemRun, n: int, width: int) -> Row:
    """Boundary per volume, and regions, of two layers of ``width`` units in [-1, 1]^n."""
    nets = lr.RandomNetworks((n, width, width, 1))
    box = lr.Box([-1.0] * n, [1.0] * n)

    def work() -> dict[str, Any]:
        volumes, regions = [], []
        for i in range(run["nets"]):
            net = nets.network(run.rng(9, n, width, i))
            volumes.append(lr.boundary_volume(net, box).density)
            regions.append(int(lr.count(net, box)))
        return {"units": 2 * width, "density": np.mean(volumes), "regions": np.mean(regions)}

    return run.unit(work, part="growth", inputs=n, width=width)


def _figure(growth: list[Row]) -> Any:
    figure, axes = canvas(1, 2, (9, 3.8))
    for ax, key, label in zip(axes[0], ("density", "regions"),
                              ("boundary / volume", "regions in [-1, 1]^n"),
                              strict=True):  # fmt: skip
        for n in (1, 2, 3):
            mine = [r for r in growth if r["inputs"] == n]
            x = np.array([r["units"] for r in mine], float)
            y = np.array([r[key] for r in mine])
            ax.plot(x, y, f"C{n}o", label=f"n = {n}")
            power = 1 if key == "density" else n
            ax.plot(x, y[-1] * (x / x[-1]) ** power, f"C{n}--", lw=0.8)
        ax.set(xscale="log", yscale="log", xlabel="units", ylabel=label)
        ax.legend(frameon=False)
    axes[0, 0].set_title("dashed: proportional to units", fontsize=9)
    axes[0, 1].set_title("dashed: proportional to units^n", fontsize=9)
    return figure
