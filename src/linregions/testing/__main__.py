"""``python -m linregions.testing fuzz``: random networks through all engines and the oracle."""

from __future__ import annotations

import json as json_module
import sys
import time
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from ..errors import LinregionsError
from .families import FAMILIES
from .fuzz import EVERY, FuzzReport, fuzz

app = App(name="python -m linregions.testing", help="Compare the engines with the oracle.")
EACH = 10.0  # seconds between two lines of progress


@app.command(name="fuzz")
def fuzz_command(
    *,
    families: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    networks: int = 1000,
    seed: int = 0,
    first: int = 0,
    seconds: float | None = None,
    only_engines: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    processes: int = 1,
    deep: int = EVERY,
    cells: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Draw random networks of some families, and compare all engines with an exact oracle.

    Exit code 0: no disagreement; 1: a disagreement, printed as Python that makes it again;
    2: bad input; 130: interrupted without a disagreement, after printing what was done.

    Parameters
    ----------
    families
        Names, all families by default; ``list`` prints them.
    networks
        How many in all, dealt to the families in turn.
    seed
        Of everything random; network i depends on seed, family and i alone.
    first
        The first i of each family.
    seconds
        Stop after so much time.
    only_engines
        Check these alone: search, complex, line, milp, distance, proof.
    processes
        Processes to work with.
    deep
        One network of a family in so many goes through regions, facets, workers, shards, measures
        and metamorphic laws too.
    cells
        Leave out networks with more cells.
    json
        Print one JSON object instead.
    """
    names = _split(families)
    if names == ["list"]:
        print("\n".join(f"{name:24s} {f.text}" for name, f in FAMILIES.items()))
        return 0
    report = fuzz(
        names, networks, seed, first=first, seconds=seconds, engines=_split(only_engines),
        processes=processes, every=deep, cells=cells, progress=_Progress(),
    )  # fmt: skip
    if json:
        print(json_module.dumps(report.facts()))
    else:
        for i, found in enumerate(report.found, start=1):
            print(f"# disagreement {i}: {found.describe()}")
        print(report.describe())
    if report.found:
        return 1
    return 130 if "the rest" in report.skipped else 0


def _split(names: list[str] | None) -> list[str] | None:
    """Names given one by one or with commas."""
    return [n for text in names for n in text.split(",") if n] if names else None


class _Progress:
    """A line on stderr every few seconds, and one for each disagreement."""

    def __init__(self) -> None:
        self.next, self.found = time.monotonic() + 1.0, 0

    def __call__(self, report: FuzzReport) -> None:
        for found in report.found[self.found :]:
            text = f"{found.family} {found.number}: {found.outcome.describe()}"
            print(f"linregions: {text[:300]}", file=sys.stderr)
        self.found = len(report.found)
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + EACH
        rate = report.networks / max(report.seconds, 1e-9)
        print(
            f"linregions: {report.networks:,} networks, {rate:.1f} a second, "
            f"{len(report.found)} disagreements",
            file=sys.stderr,
        )


def main(arguments: list[str] | None = None) -> None:
    """Run and exit."""
    try:
        code = app(arguments, exit_on_error=False, print_error=False)
    except (LinregionsError, CycloptsError) as error:
        print(f"linregions: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
