"""The table of a run: one row for each measure at each time; CSV, or Parquet with pyarrow.

pyarrow (extra ``store``) is imported only where a ``.parquet`` file is written or read.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import LinregionsError
from ..files import beside, check_target, pyarrow
from .plots import curves

FORMATS = (".csv", ".parquet")


@dataclass(frozen=True)
class Row:
    """One measured value.

    Attributes
    ----------
    step, epoch
        When; NaN for an epoch that was not given.
    measure, value
        Which, and its value: a mean where several lines or points were measured.
    spread, number
        Standard deviation over them, and how many; 0 and 1 for a single value.
    seconds
        What this measurement cost.
    seed
        From which random lines and points were drawn.
    network
        `Network.hash` of the network measured.
    definition
        What the value is, in words.
    exact
        Whether the value is proved, not computed with rounding or estimated.
    """

    step: int
    epoch: float
    measure: str
    value: float
    spread: float
    number: int
    seconds: float
    seed: int
    network: str
    definition: str
    exact: bool


NAMES = tuple(f.name for f in fields(Row))
KINDS: dict[str, type] = {
    "step": int, "epoch": float, "measure": str, "value": float, "spread": float, "number": int,
    "seconds": float, "seed": int, "network": str, "definition": str, "exact": bool,
}  # fmt: skip


class Table:
    """Rows in order of time, with columns by name.

    Examples
    --------
    >>> row = Row(0, 0.0, "lines", 7.0, 0.0, 1, 0.01, 0, "ab", "regions along a line", True)
    >>> table = Table([row])
    >>> table["value"], len(table.select("lines")), len(table.select("distance"))
    (array([7.]), 1, 0)
    """

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows = list(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __add__(self, other: Table) -> Table:
        return Table([*self.rows, *other.rows])

    def __getitem__(self, name: str) -> np.ndarray:
        """One column."""
        if name not in NAMES:
            raise LinregionsError(f"no column {name!r}; there are {', '.join(NAMES)}")
        kind = object if KINDS[name] is str else KINDS[name]
        return np.array([getattr(row, name) for row in self.rows], dtype=kind)

    @property
    def measures(self) -> list[str]:
        """Names of the measures, in order of appearance."""
        return list(dict.fromkeys(row.measure for row in self.rows))

    def select(self, measure: str | None = None, **equal: Any) -> Table:
        """Rows of one measure, or of one value of other columns (``step=0``, ``seed=3``)."""
        wanted = equal if measure is None else {"measure": measure, **equal}
        for name in wanted:
            if name not in NAMES:
                raise LinregionsError(f"no column {name!r}; there are {', '.join(NAMES)}")
        return Table(
            [row for row in self.rows if all(getattr(row, n) == v for n, v in wanted.items())]
        )

    def columns(self) -> dict[str, np.ndarray]:
        """One array for each column."""
        return {name: self[name] for name in NAMES}

    def save(self, path: str | Path) -> Path:
        """Write a ``.csv`` or a ``.parquet`` file; numbers are kept to the last bit."""
        target = check_target(path, FORMATS)
        parquet = pyarrow(".csv") if target.suffix.lower() == ".parquet" else None
        with beside(target) as part:
            if parquet is not None:
                pa, pq = parquet
                pq.write_table(pa.table(self.columns()), part, compression="zstd")
            else:
                with open(part, "w", newline="", encoding="utf-8") as file:
                    writer = csv.DictWriter(file, NAMES)
                    writer.writeheader()
                    writer.writerows(asdict(row) for row in self.rows)
        return target

    @staticmethod
    def read(path: str | Path) -> Table:
        """Read what `save` wrote."""
        source = Path(path)
        if source.suffix.lower() not in FORMATS:
            raise LinregionsError(f"{path}: give a file ending in {' or '.join(FORMATS)}")
        if not source.is_file():
            raise LinregionsError(f"{path}: no such file")
        try:
            if source.suffix.lower() == ".parquet":
                found = pyarrow(".csv")[1].read_table(source).to_pylist()
            else:
                with open(source, newline="", encoding="utf-8") as file:
                    found = list(csv.DictReader(file))
            return Table([Row(**{n: _parsed(n, row[n]) for n in NAMES}) for row in found])
        except LinregionsError:
            raise
        except Exception as error:  # csv and arrow each have their own kinds
            raise LinregionsError(f"{path}: not a table of a tracker ({error!r})") from None

    def plot(self, measure: str | None = None, **options: Any) -> Any:
        """Curves over training: `linregions.training.curves` of this table."""
        return curves(self, measure, **options)

    def __repr__(self) -> str:
        return f"<{len(self):,} rows of {', '.join(self.measures) or 'no measure'}>"


def _parsed(name: str, text: Any) -> Any:
    if KINDS[name] is bool and isinstance(text, str):
        return {"True": True, "False": False}[text]
    return KINDS[name](text)
