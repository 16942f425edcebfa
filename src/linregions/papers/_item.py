"""What every table and figure shares: settings, rows that survive an interrupt, a result.

An item is a function from a `ItemRun` to a `Result`. It asks the run for rows, one unit of work at
a time; a row that an earlier run with the same settings has computed is read, not computed again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..draw.packages import need
from ..errors import LinregionsError
from ..version import __version__

Row = dict[str, Any]
Report = Callable[[str, int, int | None], None]  # what is under way, units done, units in all


class Compared(NamedTuple):
    """One line of a page: what the paper says, what we get, why they differ."""

    what: str
    paper: Any
    here: Any
    why: str = ""


@dataclass
class Result:
    """What an item found.

    ``tables`` by the suffix of their file (the first may have the empty one), the lines of
    ``compared``, a matplotlib ``figure``, and ``notes`` (Markdown) for the page.
    """

    tables: dict[str, list[Row]]
    compared: list[Compared]
    figure: Any = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Item:
    """A table or a figure of a paper: its title, and the settings of both sizes."""

    paper: str
    name: str
    title: str
    work: Callable[[ItemRun], Result]
    full: Mapping[str, Any]
    quick: Mapping[str, Any]

    @property
    def stem(self) -> str:
        """The beginning of the names of its files."""
        return f"{self.paper}_{self.name}"

    def settings(self, quick: bool, seed: int) -> dict[str, Any]:
        """All settings of a run."""
        return {"seed": seed, **self.full, **(self.quick if quick else {})}


ITEMS: dict[tuple[str, str], Item] = {}


def item(paper: str, name: str, title: str, *, full: Mapping[str, Any], quick: Mapping[str, Any]):
    """Register a function as an item; ``quick`` holds the settings that differ from ``full``."""

    def register(work: Callable[[ItemRun], Result]) -> Callable[[ItemRun], Result]:
        ITEMS[paper, name] = Item(paper, name, title, work, full, quick)
        return work

    return register


class ItemRun:
    """One run of an item: its settings, and the rows of its journal.

    The journal is a file of JSON lines, the settings first; a row is added as soon as it is
    there, so an interrupt loses the unit under way and no more.
    """

    def __init__(
        self, chosen: Item, quick: bool, folder: Path, seed: int, report: Report | None = None
    ) -> None:
        self.item, self.quick, self.folder = chosen, quick, folder
        self.settings = chosen.settings(quick, seed)
        self.seed = seed
        self.path = folder / f"{chosen.stem}.jsonl"
        self.kept: dict[str, Row] = {}
        self.used: list[Row] = []
        self.total: int | None = None
        self._report = report
        self._open()

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    def rng(self, *key: Any) -> np.random.Generator:
        """A stream of random numbers of its own for every key of whole numbers."""
        return np.random.default_rng([self.seed, *map(int, key)])

    def unit(self, compute: Callable[[], Mapping[str, Any]], **key: Any) -> Row:
        """The row of a unit of work: the key, what ``compute`` gives, and its seconds."""
        name = json.dumps(key, sort_keys=True)
        if self._report is not None:
            said = " ".join(f"{k}={v}" for k, v in key.items())
            self._report(said, len(self.used), self.total)
        row = self.kept.get(name)
        if row is None:
            start = time.perf_counter()
            values = dict(compute())
            row = {**key, **values, "seconds": round(time.perf_counter() - start, 4)}
            row = json.loads(json.dumps(row, default=_plain))
            self._add({"key": key, "row": row})
            self.kept[name] = row
        self.used.append(row)
        return row

    def progress(self, what: str) -> Callable[[Any], None]:
        """A ``progress=`` for a long verb inside a unit."""

        def tell(status: Any) -> None:
            if self._report is not None:
                said = f"{what}: {status.regions:,} so far, {status.seconds:.0f} s"
                self._report(said, len(self.used), self.total)

        return tell

    @property
    def seconds(self) -> float:
        """Of all rows used, whenever they were computed."""
        return sum(row["seconds"] for row in self.used)

    def borrow(self, name: str) -> None:
        """Take rows of another item of the paper over, if it ran here with the same settings."""
        path = self.folder / f"{self.item.paper}_{name}.jsonl"
        lines = list(_lines(path)) if path.exists() else []
        head = self._head()
        if lines and all(lines[0][k] == head[k] for k in ("version", "settings")):
            for line in lines[1:]:
                self.kept.setdefault(json.dumps(line["key"], sort_keys=True), line["row"])

    # -- the journal --------------------------------------------------------------------

    def _head(self) -> dict[str, Any]:
        settings = json.loads(json.dumps(self.settings, default=_plain))
        return {"item": self.item.stem, "version": __version__, "settings": settings}

    def _open(self) -> None:
        head = self._head()
        lines = list(_lines(self.path)) if self.path.exists() else []
        if lines and lines[0] == head:
            for line in lines[1:]:
                self.kept[json.dumps(line["key"], sort_keys=True)] = line["row"]
        text = "".join(json.dumps(line) + "\n" for line in [head, *lines[1 : 1 + len(self.kept)]])
        try:
            self.path.write_text(text)  # without a last line that an interrupt has torn
        except OSError as error:
            raise LinregionsError(f"{self.path} cannot be written: {error.strerror}") from None

    def _add(self, line: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return


def _plain(value: Any) -> Any:
    """Numbers of numpy, counts and fractions as JSON has them."""
    if isinstance(value, np.ndarray | tuple):
        return list(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    return float(value)


T = TypeVar("T")


def whole(answer: T) -> T:
    """An answer that ran to its end: those that stopped at Ctrl-C raise it again."""
    if getattr(answer, "stopped", "") == "interrupt":
        raise KeyboardInterrupt
    return answer


def canvas(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, Any]:
    """A figure of its own, and its axes as an array (rows, columns)."""
    figure = need("matplotlib.figure", "a figure of a paper").Figure(
        figsize=size, layout="constrained"
    )
    return figure, figure.subplots(rows, columns, squeeze=False, **options)
