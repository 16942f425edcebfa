"""Serra, Tjandraatmadja and Ramalingam, Bounding and Counting Linear Regions (ICML 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np

import linregions as lr

from ..theory import dense
from ._data import digits
from ._item import Compared, ItemRun, Result, Row, canvas, item, whole
from ._networks import Layers, he
from ._train import Training, epoch

PAPER = "serra2018"
CLASSES = 10


def network(run: ItemRun, n1: int, number: int) -> tuple[Layers, Any]:
    """A trained classifier of ``units`` hidden units, n1 of them in the first layer."""
    data = digits(small=run["digits"])
    sizes = [data.images.shape[1], n1, run["units"] - n1, CLASSES]
    training = Training([he(sizes, run.rng(n1, number))])
    for k in range(run["epochs"]):
        for _ in epoch(training, data.images, data.labels, run.rng(n1, number, k, 1)):
            pass
    return training.layers(), data


def counted(run: ItemRun, n1: int, number: int) -> Row:
    """One network: trained, counted over [0, 1]^n for at most ``seconds``, its errors."""

    def work() -> dict[str, Any]:
        net, data = network(run, n1, number)
        found = whole(
            lr.count(net, lr.Box(0, 1), engine="search", seconds=run["seconds"],
                     progress=run.progress(f"n1 = {n1}, network {number}"))
        )  # fmt: skip
        loaded = lr.load(net)
        errors = [
            float(np.mean(loaded(x).argmax(axis=1) != y))
            for x, y in ((data.images, data.labels), (data.test, data.test_labels))
        ]
        return {"n2": run["units"] - n1, "regions": int(found), "complete": found.complete,
                "train_error": errors[0], "test_error": errors[1], "data": data.name}  # fmt: skip

    return run.unit(work, n1=n1, network=number)


def _all(run: ItemRun) -> list[Row]:
    splits = run["splits"]
    run.borrow("counts" if run.item.name == "errors" else "errors")
    run.total = run["networks"] * len(splits)
    return [counted(run, n1, i) for i in range(run["networks"]) for n1 in splits]


FULL = {"units": 22, "splits": list(range(1, 22)), "networks": 10, "epochs": 5, "seconds": 600,
        "wide": 4, "digits": False}  # fmt: skip
QUICK = {"units": 8, "splits": [1, 2, 3], "networks": 3, "seconds": 5, "wide": 2, "digits": True}


@item(PAPER, "counts", "regions of trained networks of 22 units, by split", full=FULL, quick=QUICK)
def counts(run: ItemRun) -> Result:
    """Least, mean and most of each split, under the bounds; milp against search on a sample."""
    rows, table, compared = _all(run), [], []
    for n1 in run["splits"]:
        mine = [r for r in rows if r["n1"] == n1]
        inputs = digits(small=run["digits"]).images.shape[1]
        shape = (inputs, [n1, run["units"] - n1])
        found = [r["regions"] for r in mine if r["complete"]]
        least = max(r["regions"] for r in mine)
        table.append(
            {
                "n1": n1, "n2": run["units"] - n1, "networks": len(mine), "finished": len(found),
                "least": min(found, default=None), "most": max(found, default=None),
                "mean": float(np.mean(found)) if found else None, "met": least,
                "serra2018": dense.serra2018(*shape), "montufar2017": dense.montufar2017(*shape),
            }
        )  # fmt: skip
        t = table[-1]
        here = (
            f"{t['least']:,}, {t['mean']:,.0f}, {t['most']:,}" if found else f"at least {least:,}"
        )
        why = "" if len(found) == len(mine) else (
            f"{len(mine) - len(found)} of {len(mine)} not finished in {run['seconds']} s each: "
            "those are lower bounds and not in the mean"
        )  # fmt: skip
        compared.append(
            Compared(f"{n1} + {t['n2']} units: least, mean, most", "(a plot)", here, why)
        )
    referee = _referee(run)
    compared.append(
        Compared("mixed-integer model and search on small networks", "(their method)",
                 f"{sum(r['milp'] == r['search'] for r in referee)} of {len(referee)} agree; "
                 f"{sum(r['milp_seconds'] for r in referee):.2f} s and "
                 f"{sum(r['search_seconds'] for r in referee):.3f} s")
    )  # fmt: skip
    note = (
        f"Data: {rows[0]['data']}. Adam (rate 1e-3, batches of 128), He normal weights; the poster "
        "that we have does not say how its networks were trained. Counts over [0, 1]^n. "
        f"{run['networks']} networks of each split."
    )
    tables = {"": table, "networks": rows, "referee": referee}
    return Result(tables, compared, _counts_figure(run, table), [note])


def _referee(run: ItemRun) -> list[Row]:
    """Both engines on networks of four inputs: the mixed-integer model wants a small box."""

    def work(i: int) -> dict[str, Any]:
        net = he([4, 5, 4, 1], run.rng(1, i), bias_std=0.3)
        out: dict[str, Any] = {}
        for engine in ("milp", "search"):
            found = whole(lr.count(net, lr.Box(0, 1), engine=engine))
            out |= {engine: int(found), f"{engine}_seconds": round(found.seconds, 4)}
        return out

    return [run.unit(lambda i=i: work(i), part="referee", network=i) for i in range(5)]


def _counts_figure(run: ItemRun, table: list[Row]) -> Any:
    figure, axes = canvas(1, 1, (6.5, 4))
    ax, x = axes[0, 0], [r["n1"] for r in table]
    ax.axhline(2 ** run["units"], color="k", lw=0.8, label=f"2^{run['units']}")
    ax.plot(x, [r["montufar2017"] for r in table], "k:", label="Montufar 2017")
    ax.plot(x, [r["serra2018"] for r in table], "k--", label="Serra 2018")
    done = [r for r in table if r["mean"] is not None]
    ax.errorbar([r["n1"] for r in done], [r["mean"] for r in done],
                [[r["mean"] - r["least"] for r in done], [r["most"] - r["mean"] for r in done]],
                fmt="o", capsize=3, label="counts: mean, least, most")  # fmt: skip
    cut = [r for r in table if r["finished"] < r["networks"]]
    if cut:
        ax.plot([r["n1"] for r in cut], [r["met"] for r in cut], "^", mfc="none",
                label="not finished: at least")  # fmt: skip
    ax.set(yscale="log", xlabel="units of the first layer", ylabel="activation regions")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(frameon=False, fontsize=8)
    return figure


@item(
    PAPER, "errors", "errors of trained networks against their counts", full=FULL,
    quick=QUICK,
)  # fmt: skip
def errors(run: ItemRun) -> Result:
    """Training and test error against the count, by the width of the first layer."""
    rows = _all(run)
    every = [r for r in rows if r["complete"]]
    wide = [r for r in every if min(r["n1"], r["n2"]) >= run["wide"]]
    compared = []
    for key in ("train_error", "test_error"):
        for which, mine in (("all", every), (f"no layer under {run['wide']} units", wide)):
            x, y = np.log([r["regions"] for r in mine]), [r[key] for r in mine]
            compared.append(
                Compared(f"correlation of {key.replace('_', ' ')} with log regions, {which}",
                         "errors relate to the count where no layer is too narrow",
                         round(float(np.corrcoef(x, y)[0, 1]), 3),
                         f"{len(mine)} networks whose count finished, of {len(rows)}")
            )  # fmt: skip
    return Result({"": rows}, compared, _errors_figure(run, every), [f"Data: {rows[0]['data']}."])


def _errors_figure(run: ItemRun, rows: list[Row]) -> Any:
    """From red to blue by the width of the first layer, as in the paper."""
    figure, axes = canvas(1, 2, (9.5, 3.8), sharey=True)
    splits = run["splits"]
    for ax, key in zip(axes[0], ("train_error", "test_error"), strict=True):
        for k, n1 in enumerate(splits):
            mine = [r for r in rows if r["n1"] == n1]
            colour = (1 - k / max(len(splits) - 1, 1), 0.2, k / len(splits))
            if mine:
                ax.plot([r["regions"] for r in mine], [100 * r[key] for r in mine], "o",
                        color=colour, ms=4, label=f"n1 = {n1}")  # fmt: skip
        ax.set(xscale="log", yscale="log", xlabel="activation regions",
               ylabel=f"{key.replace('_', ' ')} (%)")  # fmt: skip
        ax.yaxis.set_major_formatter("{x:g}")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=7)
    return figure


@item(
    PAPER, "bounds", "the bounds of the paper for every split of 22 units",
    full={"inputs": 784, "units": 22}, quick={},
)  # fmt: skip
def bounds(run: ItemRun) -> Result:
    """2^N, Montufar 2017 and Theorem 1 for two layers; exact on one input."""
    n0, N = run["inputs"], run["units"]
    rows = [
        run.unit(
            lambda n1=n1: {
                "serra2018": dense.serra2018(n0, [n1, N - n1]),
                "montufar2017": dense.montufar2017(n0, [n1, N - n1]),
                "trivial": dense.trivial(n0, [n1, N - n1]),
            }, n1=n1, n2=N - n1,
        )
        for n1 in range(1, N)
    ]  # fmt: skip

    def one_input() -> dict[str, Any]:
        net = lr.constructions.serra2018(1, [5, 4])
        return {"bound": dense.serra2018(1, [5, 4]), "attained": int(whole(lr.count(net)))}

    exact = run.unit(one_input, part="one input")
    compared = [
        Compared(f"{r['n1']} + {r['n2']} units: Montufar 2017, Theorem 1", "(a plot)",
                 [r["montufar2017"], r["serra2018"]])
        for r in rows
    ]  # fmt: skip
    compared += [
        Compared("one layer of 22: Theorem 1 is exact", 2**N, dense.serra2018(n0, [N])),
        Compared("one input, 1-5-4: bound, attained", "exact", [exact["bound"], exact["attained"]]),
        Compared("Theorem 2 (maxout)", "sum of C(k - 1, j) n_l",
                 "`theory.maxout.serra2018`: C(k (k - 1) / 2 n_l, j)",
                 "mis-typeset on the poster: as printed, one layer of rank 2 would have 2 n_1"),
    ]  # fmt: skip
    figure, axes = canvas(1, 1, (6, 3.8))
    ax, x = axes[0, 0], [r["n1"] for r in rows]
    for key, style in (("trivial", "k-"), ("montufar2017", "k:"), ("serra2018", "C3o-")):
        ax.plot(x, [r[key] for r in rows], style, ms=3, label=key)
    ax.set(yscale="log", xlabel="units of the first layer", ylabel="regions at most")
    ax.legend(frameon=False)
    return Result({"": rows}, compared, figure)
