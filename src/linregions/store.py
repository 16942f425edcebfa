"""Regions on disk: ``.npz`` with numpy alone, ``.parquet`` with pyarrow (extra ``store``).

A file appears under its name only when it is complete: it is written beside it and renamed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from . import files
from .errors import LinregionsError
from .search.engine import Leaves

FORMATS = (".npz", ".parquet")


def check_target(path: str | Path) -> Path:
    """A path that can be written, with a known suffix."""
    path = files.check_target(path, FORMATS)
    if path.suffix == ".parquet":
        _pyarrow()
    return path


@contextmanager
def writer(path: Path) -> Iterator[Callable[[Leaves, np.ndarray], None]]:
    """A function that takes batches of cells and their points in input coordinates.

    The metadata set as ``write.metadata`` before the end goes into the file.
    """
    with files.beside(path) as part:
        sink = _Parquet(part) if path.suffix == ".parquet" else _Npz(part)
        try:
            yield sink  # type: ignore[misc]
            sink.close()
        finally:
            sink.abandon()


class _Npz:
    """Signs packed to bits and points; all in memory until the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata: dict[str, Any] = {}
        self.signs: list[np.ndarray] = []
        self.points: list[np.ndarray] = []
        self.rows = 0

    def __call__(self, leaves: Leaves, points: np.ndarray) -> None:
        self.rows = leaves.signs.shape[1]
        self.signs.append(np.packbits(leaves.signs, axis=1))
        self.points.append(points)

    def close(self) -> None:
        text = np.frombuffer(json.dumps(self.metadata).encode(), dtype=np.uint8)
        with open(self.path, "wb") as file:
            np.savez_compressed(
                file,
                metadata=text,
                rows=np.int64(self.rows),
                signs=np.concatenate(self.signs) if self.signs else np.zeros((0, 0), np.uint8),
                points=np.concatenate(self.points) if self.points else np.zeros((0, 0)),
            )

    def abandon(self) -> None:
        self.signs = self.points = []


class _Parquet:
    """One row per region: its pattern as text of 0 and 1, a point, row groups as they come."""

    def __init__(self, path: Path) -> None:
        self.pa, self.pq = _pyarrow()
        self.path = path
        self.metadata: dict[str, Any] = {}
        self.sink: Any = None

    def __call__(self, leaves: Leaves, points: np.ndarray) -> None:
        pa = self.pa
        text = [bytes(row).decode() for row in leaves.signs + ord("0")]
        flat = pa.FixedSizeListArray.from_arrays(pa.array(points.ravel()), points.shape[1])
        table = pa.table({"pattern": pa.array(text), "point": flat})
        if self.sink is None:
            self.sink = self.pq.ParquetWriter(self.path, table.schema, compression="zstd")
        self.sink.write_table(table)

    def close(self) -> None:
        if self.sink is None:
            table = self.pa.table({"pattern": self.pa.array([], self.pa.string())})
            self.sink = self.pq.ParquetWriter(self.path, table.schema)
        self.sink.add_key_value_metadata({"linregions": json.dumps(self.metadata)})
        self.sink.close()
        self.sink = None

    def abandon(self) -> None:
        if self.sink is not None:
            self.sink.close()


def read_regions(path: str | Path) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Read what ``linregions list -o`` wrote: signs (cells, rows) of 0 and 1, points, metadata."""
    path = check_target(path)
    if not path.is_file():
        raise LinregionsError(f"{path}: no such file")
    try:
        return _read_npz(path) if path.suffix == ".npz" else _read_parquet(path)
    except LinregionsError:
        raise
    except Exception as error:  # numpy, zip and arrow each have their own kinds
        raise LinregionsError(f"{path}: not a readable list of regions ({error})") from None


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    with np.load(path) as file:
        metadata = json.loads(bytes(file["metadata"]).decode())
        signs = np.unpackbits(file["signs"], axis=1, count=int(file["rows"]))
        return signs, file["points"], metadata


def _read_parquet(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    _, pq = _pyarrow()
    table = pq.read_table(path)
    metadata = json.loads(pq.ParquetFile(path).metadata.metadata[b"linregions"])
    text = table.column("pattern").to_pylist()
    signs = np.array([[c == "1" for c in row] for row in text], dtype=np.uint8)
    points = np.array(table.column("point").to_pylist()) if text else np.zeros((0, 0))
    return signs, points, metadata


def parquet_columns(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Arrays of one length as the columns of a parquet file; a matrix becomes lists."""
    pa, pq = _pyarrow()

    def column(a: np.ndarray) -> Any:
        if a.ndim == 1:
            return pa.array(a)
        return pa.FixedSizeListArray.from_arrays(pa.array(a.ravel()), a.shape[1])

    table = pa.table({name: column(a) for name, a in columns.items()})
    pq.write_table(table, path, compression="zstd")


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise LinregionsError(
            "writing .parquet needs pyarrow: install linregions[store], or write a .npz file"
        ) from None
    return pyarrow, pyarrow.parquet
