"""Wang 2022: Theorems 1.1 and 2.1 against measured means, 3.1 counted, 3.2 run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

import linregions as lr

from ..theory import expectation
from ._item import Compared, ItemRun, Result, Row, canvas, item, whole
from .wang2022 import PAPER, means, summary

TWO_LAYERS = ((1, 2), (2, 2), (3, 3), (5, 5), (7, 3), (8, 2))
FOLDED = (  # input dimension, widths: Theorem 3.1 and, behind, cases of even quotients
    (1, (3,)), (1, (3, 3)), (1, (5, 3)), (2, (6,)), (2, (6, 6)), (1, (2, 3, 4)), (2, (4, 4, 4)),
)  # fmt: skip
FORMULAS = (
    ((1,), (-1,)),
    ((1, 2), (-1, 2), (1, -2), (-1, -2)),
    ((1, 2), (-1, 2), (1, -2)),
    ((1, 2, 3), (-1, -2), (-2, -3), (-1, -3)),
    ((1,), (-1, 2), (-2, 3), (-3,)),
)


@item(
    PAPER, "theorems", "Theorems 1.1, 2.1, 3.1 and 3.2 against counts",
    full={"networks": 5000, "deepest": 9, "many_up_to": 6, "few": 200, "regions": [1, 2, 3]},
    quick={"networks": 100, "deepest": 4, "many_up_to": 4, "few": 20, "regions": [1, 2]},
)  # fmt: skip
def theorems(run: ItemRun) -> Result:
    """Means with 95 % intervals, numbers of the constructed networks, satisfiability."""
    part1 = [_mean(run, "2.1 part 1", (n, *[1] * n, 1), n) for n in range(1, run["deepest"] + 1)]
    part2 = [_mean(run, "2.1 part 2", (max(w), *w, 1), w) for w in TWO_LAYERS]
    part3 = [_mean(run, "2.1 part 3", (2, *[2] * n, 1), n) for n in range(2, run["deepest"] + 1)]
    compared = []
    for r in part1:
        most = float(expectation.wang_narrow(r["n"]))
        compared.append(_inside(r, f"Theorem 2.1, part 1, {_layers(r['n'])} of 1", None, most))
    for r in part2:
        low, high = map(float, expectation.wang_two_layers(*r["n"]))
        compared.append(_inside(r, f"Theorem 2.1, part 2, {tuple(r['n'])}", low, high))
        exact = float(expectation.wang_two_layers_activation(*r["n"]))
        error = r["activation_deviation"] / np.sqrt(r["networks"])
        compared.append(
            Compared(f"... activation regions, {tuple(r['n'])}: K + 2^n1", f"at most {exact:,.2f}",
                     f"{r['activation']:,.2f} +- {1.96 * error:.2f}", "the mean is exactly that")
        )  # fmt: skip
    for r in part3:
        low, high = map(float, expectation.wang_width_two(r["n"]))
        compared.append(_inside(r, f"Theorem 2.1, part 3, {r['n']} layers of 2", low, high))
    one = [_comparison(run, n) for n in range(1, run["deepest"] + 1)]
    compared += [c for rows in one for c in rows[1]]
    folded = [_folded(run, n0, widths) for n0, widths in FOLDED]
    compared += [
        Compared(f"Theorem 3.1, {r['inputs']} inputs, widths {tuple(r['widths'])}", r["printed"],
                 [r[k] for k in ("activation", "linear", "closed", "affine")],
                 "the product must run to L, not L - 1" if r["printed"] != r["linear"] else "")
        for r in folded
    ]  # fmt: skip
    formulas = [_formula(run, f, K) for f in FORMULAS for K in run["regions"]]
    agree = all((r["linear"] > r["K"]) == r["satisfiable"] for r in formulas)
    compared.append(
        Compared("Theorem 3.2: more than K linear regions if and only if satisfiable", "yes",
                 f"{'yes' if agree else 'NO'}, {len(formulas)} cases",
                 "another reduction than the one of the appendix, which we do not have")
    )  # fmt: skip
    tables = {"means": part1 + part2 + part3, "theorem11": [r for rows in one for r in rows[0]],
              "theorem31": folded, "theorem32": formulas}  # fmt: skip
    return Result(tables, compared, _figure(part1, part3, one))


def _mean(run: ItemRun, what: str, sizes: tuple[int, ...], n: Any) -> Row:
    return {"theorem": what, "n": n, "inputs": sizes[0],
            **summary(**means(run, sizes, run["networks"]))}  # fmt: skip


def _layers(n: int) -> str:
    return "1 layer" if n == 1 else f"{n} layers"


def _inside(r: Row, what: str, low: float | None, high: float) -> Compared:
    half = 1.96 * r["standard_error"]
    least = "at most " if low is None else f"{low:,.4g} to "
    ok = r["linear"] - half <= high and (low is None or r["linear"] + half >= low)
    return Compared(
        f"{what}: mean linear regions", f"{least}{high:,.4g}",
        f"{r['linear']:,.3f} +- {half:.3f}", "" if ok else "OUTSIDE",
    )  # fmt: skip


def _comparison(run: ItemRun, n: int) -> tuple[list[Row], list[Compared]]:
    """Theorem 1.1 at n: 2 x n against 1 x 2n, and n x 2 against 2 x n (k x l: l layers of k)."""
    many = run["networks"] if n <= run["many_up_to"] else run["few"]
    shapes = {"2 x n": [2] * n, "1 x 2n": [1] * (2 * n), "n x 2": [n, n]}
    rows = []
    for name, widths in shapes.items():
        s = summary(**means(run, (max(n, 2), *widths, 1), many))
        rows.append({"n": n, "shape": name, "inputs": max(n, 2), **s})
    two, narrow, wide = rows
    compared = []
    for text, a, b in (("2 x n over 1 x 2n", two, narrow), ("n x 2 over 2 x n", wide, two)):
        gap, error = a["linear"] - b["linear"], np.hypot(a["standard_error"], b["standard_error"])
        says = "more" if text[0] == "2" or n >= 9 else "more from n = 9 on"
        why = "" if says == "more" or gap <= 0 else "proved from n = 6 on by the same bounds"
        compared.append(
            Compared(f"Theorem 1.1, n = {n}: {text}", says,
                     f"{a['linear']:,.2f} - {b['linear']:,.2f} = {gap:+,.2f} +- {1.96 * error:.2f}",
                     why)
        )  # fmt: skip
    return rows, compared


def _folded(run: ItemRun, n0: int, widths: tuple[int, ...]) -> Row:
    net = lr.constructions.wang2022(n0, widths)

    def work() -> dict[str, Any]:
        kinds = ("activation", "linear", "closed", "affine")
        printed = int(np.prod([(w // n0) ** n0 for w in widths[:-1]]))
        return {"printed": printed, **{k: int(whole(lr.count(net, kind=k))) for k in kinds}}

    return run.unit(work, part="3.1", inputs=n0, widths=widths)


def _formula(run: ItemRun, clauses: Sequence[Sequence[int]], K: int) -> Row:
    """The network of a formula, counted, and the formula, tried out."""

    def work() -> dict[str, Any]:
        n = max(abs(v) for c in clauses for v in c)
        holds = any(
            all(any(x[abs(v) - 1] == (v > 0) for v in c) for c in clauses)
            for x in product((False, True), repeat=n)
        )
        net = lr.constructions.from_sat(clauses, regions=K)
        return {"satisfiable": holds, "linear": int(whole(lr.count(net, kind="linear")))}

    return run.unit(work, part="3.2", formula=[list(c) for c in clauses], K=K)


def _figure(part1: list[Row], part3: list[Row], one: list[Any]) -> Any:
    figure, axes = canvas(1, 3, (11, 3.4))
    a, b, c = axes[0]
    for ax, rows, title in ((a, part1, "n layers of 1"), (b, part3, "n layers of 2")):
        ax.errorbar([r["n"] for r in rows], [r["linear"] for r in rows],
                    [1.96 * r["standard_error"] for r in rows], fmt="o",
                    label="measured")  # fmt: skip
        ax.set(title=title, xlabel="n", ylabel="mean linear regions")
    a.plot([r["n"] for r in part1], [float(expectation.wang_narrow(r["n"])) for r in part1], "k--",
           label="at most")  # fmt: skip
    both = [tuple(map(float, expectation.wang_width_two(r["n"]))) for r in part3]
    b.plot([r["n"] for r in part3], [v[1] for v in both], "k--", label="at most")
    b.plot([r["n"] for r in part3], [v[0] for v in both], "k:", label="at least")
    b.set(yscale="log")
    for k, name in enumerate(("2 x n", "1 x 2n", "n x 2")):
        c.plot([rows[0][k]["n"] for rows in one], [rows[0][k]["linear"] for rows in one], "o-",
               label=name)  # fmt: skip
    c.set(title="Theorem 1.1", xlabel="n", yscale="log")
    for ax in axes.flat:
        ax.legend(frameon=False, fontsize=8)
    return figure
