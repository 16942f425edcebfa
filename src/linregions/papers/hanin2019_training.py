"""Hanin and Rolnick 2019, Figures 5 to 7: lines and distances through training."""

from __future__ import annotations

from typing import Any

import numpy as np

import linregions as lr

from ._data import digits
from ._item import Compared, ItemRun, Result, Row, canvas, item
from ._networks import he
from ._train import Training, epoch
from .hanin2019 import PAPER, accuracy, trained

WIDTHS = ([16] * 3, [32] * 3, [64] * 3, [16, 32, 64], [64, 32, 16])
TITLES = "the legends are lost: these architectures are our choice"


def title(widths: list[int]) -> str:
    """``[16, 16, 16]``."""
    return f"[{', '.join(map(str, widths))}]"


def measured(run: ItemRun, widths: list[int], number: int, measures: Any) -> Row:
    """One network trained and measured at 0 and four moments in each decade of steps."""

    def work() -> dict[str, Any]:
        data = digits(small=run["digits"])
        training = Training([he([data.images.shape[1], *widths, 10], run.rng(*widths, number))])
        batches = -(-len(data.images) // 128)
        total, step = run["epochs"] * batches, 0
        tracker = lr.training.Tracker(
            [*measures(data), ("accuracy", lambda net: accuracy(net, data))],
            every="log", total=total, seed=number,
        )  # fmt: skip
        tracker(training.layers(), step=0, epoch=0)
        for k in range(run["epochs"]):
            for _ in epoch(training, data.images, data.labels, run.rng(*widths, number, k, 1)):
                step += 1
                tracker(training.layers(), step=step, epoch=step / batches)
        names = tracker.table.measures
        out = {n.replace(" ", "_"): tracker.table.select(n)["value"] for n in names}
        return {"epoch": tracker.table.select(names[0])["epoch"], **out, "data": data.name}

    return run.unit(work, widths=widths, run=number)


def _rows(run: ItemRun, measures: Any) -> dict[str, list[Row]]:
    chosen = [w for w in WIDTHS if sum(w) <= run["largest"]]
    run.total = run["runs"] * len(chosen)
    return {title(w): [measured(run, w, i, measures) for i in range(run["runs"])] for w in chosen}


def _mean(rows: list[Row], name: str) -> np.ndarray:
    return np.mean([r[name] for r in rows], axis=0)


def _three(*values: float) -> list[float]:
    return [round(float(v), 3) for v in values]


def _units(name: str) -> int:
    return sum(map(int, name.strip("[]").split(",")))


def _long(found: dict[str, list[Row]], names: list[str]) -> list[Row]:
    """A row for every network and moment."""
    return [
        {"widths": w, "run": r["run"], "epoch": r["epoch"][k], **{n: r[n][k] for n in names}}
        for w, rows in found.items() for r in rows for k in range(len(r["epoch"]))
    ]  # fmt: skip


@item(
    PAPER, "figure5", "regions along lines through training, over the number of units",
    full={"runs": 5, "lines": 100, "epochs": 20, "largest": 192, "digits": False},
    quick={"runs": 1, "lines": 20, "epochs": 8, "largest": 112, "digits": True},
)  # fmt: skip
def figure5(run: ItemRun) -> Result:
    """Whole lines through the origin and a training image, counted exactly."""
    found = _rows(run, lambda d: [lr.training.Lines(d.images, number=run["lines"], name="lines")])
    compared = []
    figure, axes = canvas(1, 2, (9.5, 3.6))
    for w, rows in found.items():
        x, y = _mean(rows, "epoch"), _mean(rows, "lines") / _units(w)
        compared.append(
            Compared(f"{w}: regions / units at the start, least, at the end",
                     "about 1, slightly fewer, rebound", _three(y[0], y.min(), y[-1]))
        )  # fmt: skip
        axes[0, 0].plot(x[x <= 0.5], y[x <= 0.5], ".-", label=w)
        axes[0, 1].plot(x, y, ".-", label=w)
    axes[0, 0].set(xlabel="epoch", ylabel="regions along a line / units", title="(a)")
    axes[0, 1].set(xlabel="epoch", title="(b)")
    axes[0, 1].legend(frameon=False, fontsize=8)
    ends = [np.mean([r["accuracy"][-1] for r in rows]) for rows in found.values()]
    compared.append(Compared("test accuracy at the end", "95 to 98 %", [f"{a:.1%}" for a in ends]))
    note = f"Data: {next(iter(found.values()))[0]['data']}; {TITLES}."
    return Result({"": _long(found, ["lines", "accuracy"])}, compared, figure, [note])


@item(
    PAPER, "figure6", "distance to the nearest boundary through training, times the units",
    full={"runs": 12, "points": 10_000, "epochs": 20, "largest": 192, "digits": False},
    quick={"runs": 1, "points": 200, "epochs": 8, "largest": 112, "digits": True},
)  # fmt: skip
def figure6(run: ItemRun) -> Result:
    """Normal points with the mean and the variance of the training images in every pixel."""
    found = _rows(
        run,
        lambda d: [lr.training.Distance(
            lr.training.normal_points(d.images, run["points"], run.seed),
            number=run["points"], name="distance")],
    )  # fmt: skip
    compared, scaled = [], []
    figure, axes = canvas(1, 3, (11, 3.5))
    for w, rows in found.items():
        x, y, share = (_mean(rows, n) for n in ("epoch", "distance", "accuracy"))
        n = _units(w)
        scaled += [float(v * n) for v in y]
        compared.append(
            Compared(f"{w}: distance x units at the start, greatest, at the end",
                     "one constant, up, then down", _three(y[0] * n, y.max() * n, y[-1] * n))
        )  # fmt: skip
        axes[0, 0].plot([n] * len(y), y, ".", ms=4, label=w)
        axes[0, 1].plot(x, y * n, ".-", label=w)
        axes[0, 2].plot(share, y * n, ".-", label=w)
    compared.append(
        Compared("range of distance x units", "0.4 to 1.5",
                 f"{min(scaled):.2f} to {max(scaled):.2f}", TITLES)
    )  # fmt: skip
    units = np.linspace(min(map(_units, found)), max(map(_units, found)), 50)
    for c in (0.4, 1.5):
        axes[0, 0].plot(units, c / units, "k--", lw=0.8)
    axes[0, 0].set(xlabel="units", ylabel="distance", title="(a) dashed: 0.4 and 1.5 over units")
    axes[0, 1].set(xlabel="epoch", ylabel="distance x units", title="(b)")
    axes[0, 2].set(xlabel="test accuracy", title="(c)")
    axes[0, 1].legend(frameon=False, fontsize=8)
    note = f"Data: {next(iter(found.values()))[0]['data']}."
    return Result({"": _long(found, ["distance", "accuracy"])}, compared, figure, [note])


@item(
    PAPER, "figure7", "the distribution of log distances, depth 4 and width 16",
    full={"points": 10_000, "epochs": [0, 1, 20], "digits": False},
    quick={"points": 500, "epochs": [0, 1, 10], "digits": True},
)  # fmt: skip
def figure7(run: ItemRun) -> Result:
    """At initialisation and after 1 and 20 epochs."""
    data = digits(small=run["digits"])
    points = lr.training.normal_points(data.images, run["points"], run.seed)
    rows = []
    for k, net in enumerate(trained(run, data, [16] * 4, max(run["epochs"]))):
        if k in run["epochs"]:
            rows.append(run.unit(
                lambda net=net: {"accuracy": accuracy(net, data),
                                 "distance": lr.distance(net, points).distance}, epoch=k,
            ))  # fmt: skip
    figure, axes = canvas(1, 1, (6, 3.8))
    compared, table = [], []
    for r in rows:
        logs = np.log(np.array(r["distance"]))
        axes[0, 0].hist(logs, bins=60, histtype="step", density=True, label=f"epoch {r['epoch']}")
        quarters = np.percentile(logs, [1, 25, 50, 75, 99])
        table.append({"epoch": r["epoch"], "accuracy": r["accuracy"], "mean": float(logs.mean()),
                      "deviation": float(logs.std()), "points": len(logs)})  # fmt: skip
        compared.append(
            Compared(f"epoch {r['epoch']}: natural log of distance, 1, 25, 50, 75, 99 %",
                     "many orders of magnitude", [round(float(v), 2) for v in quarters])
        )  # fmt: skip
    axes[0, 0].set(xlabel="log distance", ylabel="density")
    axes[0, 0].legend(frameon=False)
    return Result({"": table}, compared, figure, [f"Data: {data.name}."])
