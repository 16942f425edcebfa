"""The files of an item: CSV, PNG, SVG, and the page "paper says / we get / why they differ"."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from ..files import beside
from ..version import __version__
from ._item import ItemRun, Result, Row


def write(run: ItemRun, result: Result) -> list[Path]:
    """Write everything into the folder of the run; the paths, the page first."""
    paths, stem = [], run.item.stem
    for suffix, rows in result.tables.items():
        name = f"{stem}_{suffix}" if suffix else stem
        paths.append(_csv(run.folder / f"{name}.csv", rows))
    if result.figure is not None:
        for kind in ("png", "svg"):
            target = run.folder / f"{stem}.{kind}"
            with beside(target) as part:
                result.figure.savefig(part, dpi=110)
            paths.append(target)
    target = run.folder / f"{stem}.md"
    with beside(target) as part:
        part.write_text(page(run, result), encoding="utf-8")
    return [target, *paths]


def _csv(target: Path, rows: list[Row]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with beside(target) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return target


def page(run: ItemRun, result: Result) -> str:
    """The page in Markdown."""
    chosen = run.item
    size = "`--quick` settings" if run.quick else "full settings"
    lines = [f"# {chosen.paper} {chosen.name}: {chosen.title}", ""]
    heads = ("", "the paper says", "we get", "why they differ")
    lines += table(heads, [tuple(map(show, c)) for c in result.compared])
    for note in result.notes:
        lines += ["", note]
    if result.figure is not None:
        lines += ["", f"![{chosen.title}]({chosen.stem}.png)"]
    given = ", ".join(f"{k} {show(v)}" for k, v in run.settings.items())
    lines += [
        "",
        f"Settings ({size}): {given}. {len(run.used)} units of work, {run.seconds:.1f} s in all; "
        f"linregions {__version__}. `linregions paper {chosen.paper} {chosen.name}"
        f"{' --quick' if run.quick else ''}` makes this page.",
        "",
    ]
    return "\n".join(lines)


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A table in Markdown."""
    out = ["| " + " | ".join(heads) + " |", "| " + " | ".join(["---"] * len(heads)) + " |"]
    return out + ["| " + " | ".join(row) + " |" for row in rows]


def show(value: Any) -> str:
    """A number, or several, for a person."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(map(show, value))
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.2f}" if abs(value) >= 10 else f"{value:.4g}"
    return f"{int(value):,}" if abs(value) < 1e15 else f"{float(value):.3g}"
