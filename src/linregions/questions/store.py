"""Regions on disk: ``.npz`` with numpy alone, ``.parquet`` with pyarrow (extra ``store``).

A file appears under its name only when it is complete: it is written beside it and renamed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..search.search import Leaves
from .parquet import PartsReader, PartsWriter, reading

FORMATS = (".npz", ".parquet")


def check_target(path: str | Path) -> Path:
    """A path that can be written, with a known suffix."""
    path = files.check_target(path, FORMATS)
    if path.suffix == ".parquet":
        files.pyarrow(".npz")
    return path


@contextmanager
def writer(path: Path, problem: Restricted, metadata: dict[str, Any]) -> Iterator[Any]:
    """A function that takes batches of cells, with ``rows`` taken so far and ``metadata``.

    What is in ``metadata`` at the end goes into the file. See `PartsWriter` for ``.parquet``;
    ``.npz`` holds everything in memory until the end.
    """
    if path.suffix == ".parquet":
        sink = PartsWriter(path, problem, metadata)
        try:
            yield sink
            sink.close()
        finally:
            sink.abandon()
        return
    with files.beside(path) as part:
        sink = _Npz(part, problem, metadata)
        yield sink
        sink.close()


class _Npz:
    """Signs packed to bits and points; all in memory until the end."""

    def __init__(self, path: Path, problem: Restricted, metadata: dict[str, Any]) -> None:
        self.path, self.problem, self.metadata = path, problem, dict(metadata)
        self.signs: list[np.ndarray] = []
        self.points: list[np.ndarray] = []
        self.rows = self.width = 0

    def __call__(self, leaves: Leaves) -> None:
        """Take a batch."""
        self.width = leaves.signs.shape[1]
        self.rows += len(leaves.signs)
        self.signs.append(np.packbits(leaves.signs, axis=1))
        self.points.append(self.problem.embed(leaves.points))

    def close(self) -> None:
        text = np.frombuffer(json.dumps(self.metadata).encode(), dtype=np.uint8)
        with open(self.path, "wb") as file:
            np.savez_compressed(
                file,
                metadata=text,
                rows=np.int64(self.width),
                signs=np.concatenate(self.signs) if self.signs else np.zeros((0, 0), np.uint8),
                points=np.concatenate(self.points) if self.points else np.zeros((0, 0)),
            )


def read_regions(path: str | Path) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Read what ``linregions list -o`` wrote, whole: signs, points, metadata.

    Parameters
    ----------
    path
        A ``.npz`` or ``.parquet`` file, or the folder of parts of a list that grows.

    Returns
    -------
    signs
        (cells, breakpoints) uint8 of 0 and 1; for ReLU one per unit.
    points
        (cells, n) in input coordinates.
    metadata
        What ``linregions list --json`` prints.
    """
    path = Path(path)
    if path.suffix == ".npz" and path.is_file():
        with reading(path):
            return _read_npz(path)
    source = open_list(path)
    found = [(b.signs, source.embed(b.points)) for b in source.batches()]
    if not found:
        return np.zeros((0, 0), np.uint8), np.zeros((0, 0)), source.metadata
    return *map(np.concatenate, zip(*found, strict=True)), source.metadata  # type: ignore[return-value]


def open_list(path: str | Path) -> PartsReader:
    """A ``.parquet`` list, or the folder of its parts, to be read in batches."""
    path = Path(path)
    if not path.is_dir():
        check_target(path)
        if not path.is_file():
            parts = path.with_name(path.name + ".parts")
            hint = f"; what there is of it so far is in {parts}" if parts.is_dir() else ""
            raise LinregionsError(f"{path}: no such file{hint}")
        if path.suffix != ".parquet":
            raise LinregionsError(f"{path}: only .parquet lists are read in batches")
    return PartsReader(path)


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    with np.load(path) as file:
        metadata = json.loads(bytes(file["metadata"]).decode())
        signs = np.unpackbits(file["signs"], axis=1, count=int(file["rows"]))
        return signs, file["points"], metadata


def parquet_columns(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Arrays of one length as the columns of a parquet file; a matrix becomes lists."""
    pa, pq = files.pyarrow(".npz")

    def column(a: np.ndarray) -> Any:
        if a.ndim == 1:
            return pa.array(a)
        return pa.FixedSizeListArray.from_arrays(pa.array(a.ravel()), a.shape[1])

    table = pa.table({name: column(a) for name, a in columns.items()})
    pq.write_table(table, path, compression="zstd")
