"""``linregions paper``: tables and figures of the four papers, recomputed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from .. import papers
from ..figures import dump
from .options import Json, Switch

Report = Callable[[str, int, int | None], None]


def command(
    name: Annotated[str | None, Parameter(help="The paper: xiong2020, ...")] = None,
    item: Annotated[str | None, Parameter(help="Its table or figure: table1, ...")] = None,
    /,
    *,
    quick: Switch = False,
    output: Annotated[Path, Parameter(name=["-o", "--output"])] = Path("."),
    seed: int = 0,
    json: Json = False,
) -> int:
    """Recompute a table or a figure of one of four papers; without arguments, list them.

    Example: linregions paper xiong2020 table2 --quick -o out

    Writes numbers (.csv), a figure (.png, .svg) and a page (.md) that sets them beside those
    of the paper. An interrupted run goes on where it ended when it is asked for again.

    Parameters
    ----------
    quick
        Some 20 seconds instead of the settings of the paper.
    output
        Folder to write to (made if it is not there).
    seed
        Of everything random.
    """
    if name is None:
        print(dump(_listed()) if json else _list())
        return 0
    chosen = papers.find(name, item)
    begin: dict[str, Any] = {"paper": name, "item": chosen.name, "quick": quick}
    try:
        with _progress(chosen.stem) as report:
            run, result, paths = papers.run(
                name, chosen.name, quick=quick, output=output, seed=seed, report=report
            )
    except KeyboardInterrupt:
        kept = output / f"{chosen.stem}.jsonl"
        print(
            f"linregions: interrupted; {kept} holds what is done, and the same command goes on",
            file=sys.stderr,
        )
        if json:
            print(dump({**begin, "complete": False, "files": [str(kept)]}))
        return 130
    if json:
        facts = {
            **begin,
            "complete": True,
            "settings": run.settings,
            "seconds": run.seconds,
            "compared": [c._asdict() for c in result.compared],
            "files": [str(p) for p in paths],
        }
        print(dump(facts, default=float, nan=True))
    else:
        print(paths[0].read_text(encoding="utf-8"), end="")
        print("\nwritten: " + ", ".join(map(str, paths)))
    return 0


def _listed() -> list[dict[str, str]]:
    return [{"paper": i.paper, "item": i.name, "title": i.title} for i in papers.ITEMS.values()]


def _list() -> str:
    lines, last = [], ""
    for i in papers.ITEMS.values():
        if i.paper != last:
            lines += ["", f"{i.paper}: {papers.TITLES[i.paper]}"]
            last = i.paper
        lines.append(f"  {i.name:<15} {i.title}")
    return "\n".join(lines[1:])


@contextmanager
def _progress(title: str) -> Iterator[Report]:
    """A live bar on stderr on a terminal, a line every ten seconds elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Elapsed())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(title, total=None)
            yield lambda what, done, total: bar.update(
                task, description=f"{title} {what}", completed=done, total=total
            )
        return
    last = time.perf_counter()

    def report(what: str, done: int, total: int | None) -> None:
        nonlocal last
        if time.perf_counter() - last >= 10:
            last = time.perf_counter()
            of = "" if total is None else f" of {total}"
            print(f"{title}: {done}{of} done, {what}", file=sys.stderr, flush=True)

    yield report
