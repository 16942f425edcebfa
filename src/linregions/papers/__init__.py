"""The four papers, recomputed: every table and figure as an item of its own.

``linregions paper NAME ITEM`` runs one. The items use the public library and nothing else of
it; each writes its numbers, a picture and a page that sets them beside those of the paper.
"""

from __future__ import annotations

from pathlib import Path

import linregions as lr

from ..errors import LinregionsError
from . import (  # noqa: F401 (each registers its items)
    hanin2019,
    hanin2019_theorem,
    hanin2019_training,
    serra2018,
    wang2022,
    wang2022_beyond,
    wang2022_theorems,
    wang2022_training,
    xiong2020,
    xiong2020_beyond,
    xiong2020_theory,
)
from ._item import ITEMS, Item, ItemRun, Report, Result, whole
from ._page import write

__all__ = ["ITEMS", "Item", "Result", "ItemRun", "find", "run"]

TITLES = {
    "xiong2020": "On the Number of Linear Regions of Convolutional Neural Networks (ICML 2020)",
    "wang2022": "Estimation and Comparison of Linear Regions for ReLU Networks (IJCAI 2022)",
    "hanin2019": "Complexity of Linear Regions in Deep Networks (ICML 2019)",
    "serra2018": "Bounding and Counting Linear Regions of Deep Neural Networks (ICML 2018)",
}


def find(paper: str, name: str | None) -> Item:
    """An item by name, or an error that lists the choices."""
    papers = list(dict.fromkeys(p for p, _ in ITEMS))
    if paper not in papers:
        raise LinregionsError(f"paper {paper}: unknown; give one of {', '.join(papers)}")
    names = [n for p, n in ITEMS if p == paper]
    if name not in names:
        what = f"paper {paper} {name}: unknown item" if name else f"paper {paper}: which item"
        raise LinregionsError(f"{what}; give one of {', '.join(names)}")
    return ITEMS[paper, str(name)]


def run(
    paper: str,
    name: str,
    *,
    quick: bool = False,
    output: str | Path = ".",
    seed: int = 0,
    report: Report | None = None,
) -> tuple[ItemRun, Result, list[Path]]:
    """ItemRun an item and write its files.

    Parameters
    ----------
    paper, name
        As on the command line, such as ``xiong2020`` and ``table1``.
    quick
        Settings of about 20 seconds instead of those of the paper.
    output
        A folder, made if it is not there. The journal of an earlier run with the same settings
        in it is taken up.
    seed
        Of everything random.
    report
        Called before every unit of work with what it is, how many are done, how many there are.

    Returns
    -------
    tuple
        The `ItemRun` (settings, seconds, rows), the `Result`, and the paths written.
    """
    chosen = find(paper, name)
    if seed < 0:
        raise LinregionsError(f"seed={seed}: give a whole number, 0 or more")
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LinregionsError(f"{folder}: cannot be made: {error.strerror or error}") from None
    whole(lr.count([([[1.0]], [0.0]), ([[1.0]], [0.0])], kind="linear"))  # compile apart
    this = ItemRun(chosen, quick, folder, seed, report)
    result = chosen.work(this)
    return this, result, write(this, result)
