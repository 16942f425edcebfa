"""A list of regions as parquet: written in parts that can be read while it grows, then joined.

Columns: ``pattern``, the signs of the breakpoints packed to bits, eight to a byte; ``point``, an
interior point, or ``coordinates`` where the domain has coordinates of its own (the metadata then
say how they lie in the input); ``rational``, text where no float lies in the cell, else null.
"""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..search.search import Leaves

GROUP = 1 << 24  # bytes of a row group, which is what is held in memory
MOST = 1 << 16  # rows of a row group
PART = 1 << 20  # rows after which a part is finished
AGE, SHARE = 10.0, 20  # it also is after so many seconds, and then a SHARE-th of the whole time


class PartsWriter:
    """Takes batches of cells; the target appears only when all of them are in it.

    Parameters
    ----------
    target
        The ``.parquet`` file. Parts go to the folder of that name with ``.parts`` behind it.
    problem
        What is listed.
    metadata
        What each part says of itself; ``metadata`` as it is at the end goes into the target.

    Attributes
    ----------
    rows
        Cells taken.
    """

    def __init__(self, target: Path, problem: Restricted, metadata: dict[str, Any]) -> None:
        self.pa, self.pq = files.pyarrow(".npz")
        self.target, self.folder = target, target.with_name(target.name + ".parts")
        self.cuts = sum(len(w) for a in problem.network.layers for w in a.units.row_weights())
        self.k = problem.dimension
        self.metadata = {**metadata, **_chart(problem), "breakpoints": self.cuts}
        self.group = max(1, min(MOST, GROUP // (self.cuts // 8 + 8 * self.k + 8)))
        self.schema = self._schema()
        self.rows = self.held = self.in_part = 0
        self.batches: list[Leaves] = []
        self.finished: list[Path] = []
        self.sink: Any = None
        self.start = self.since = time.perf_counter()
        with self._writing():
            try:
                self.folder.mkdir()
            except FileExistsError:
                raise LinregionsError(
                    f"{self.folder} exists: another run is writing {target}, or one was killed and "
                    "left there what it had found; move it or remove it first"
                ) from None

    def __call__(self, leaves: Leaves) -> None:
        """Take a batch."""
        self.batches.append(leaves)
        self.held += len(leaves.signs)
        self.rows += len(leaves.signs)
        now = time.perf_counter()
        due = now - self.since >= max(AGE, (now - self.start) / SHARE)
        if due or self.held >= self.group:
            self._flush()
        if due or self.in_part >= PART:
            self._finish()

    def close(self) -> None:
        """Join the parts, row group by row group."""
        self._flush()
        self._finish()
        with files.beside(self.target) as whole, self._writing():
            sink = self.pq.ParquetWriter(whole, self._described(self.metadata), **self._options())
            with sink:
                for part in self.finished:
                    with self.pq.ParquetFile(part, page_checksum_verification=True) as file:
                        for batch in _batches(file, self.group):
                            sink.write_batch(batch)
        shutil.rmtree(self.folder, ignore_errors=True)

    def abandon(self) -> None:
        """Leave finished parts and nothing else."""
        if self.sink is not None:
            with suppress(Exception):  # the disk may be full: then it cannot be closed either
                self.sink.close()
            self.sink = None
        self._open_part.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or joined and gone
            self.folder.rmdir()

    @property
    def _open_part(self) -> Path:
        return self.folder / f"part-{len(self.finished):05d}.parquet.open"

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """An error of the disk in one line that says what is left."""
        try:
            yield
        except OSError as error:
            left = len(self.finished)
            kept = f"; {left} finished parts stay in {self.folder}" if left else ""
            why = error.strerror or str(error).split("\n")[0]
            raise LinregionsError(f"{self.target} cannot be written: {why}{kept}") from None

    def _schema(self) -> Any:
        pa = self.pa
        name = "point" if "chart" not in self.metadata else "coordinates"
        return pa.schema(
            [
                ("pattern", pa.binary(max(1, -(-self.cuts // 8)))),
                (name, pa.list_(pa.float64(), max(1, self.k))),
                ("rational", pa.string()),
            ]
        )

    def _described(self, metadata: dict[str, Any]) -> Any:
        return self.schema.with_metadata({"linregions": json.dumps(metadata)})

    def _options(self) -> dict[str, Any]:
        floats = f"{self.schema.names[1]}.list.element"
        return {
            "compression": "zstd",
            "use_dictionary": False,
            "use_byte_stream_split": [floats],
            "write_statistics": False,
            "write_page_checksum": True,
        }

    def _flush(self) -> None:
        """Write what is held as one row group (two where a batch was large)."""
        if not self.held:
            return
        batches, self.batches = self.batches, []
        columns = [
            self._bytes(np.concatenate([b.signs for b in batches])),
            self._floats(np.concatenate([b.points for b in batches])),
            self.pa.array(_rationals(batches), self.pa.string()),
        ]
        table = self.pa.Table.from_arrays(columns, schema=self.schema)
        self.in_part, self.held = self.in_part + self.held, 0
        with self._writing():
            if self.sink is None:
                self.sink = self.pq.ParquetWriter(
                    self._open_part, self._described(self.metadata), **self._options()
                )
            self.sink.write_table(table, row_group_size=2 * self.group)

    def _bytes(self, signs: np.ndarray) -> Any:
        width = self.schema.field("pattern").type.byte_width
        packed = np.zeros((len(signs), width), np.uint8)
        packed[:, : -(-self.cuts // 8)] = np.packbits(signs, axis=1)
        return self.pa.FixedSizeBinaryArray.from_buffers(
            self.pa.binary(width), len(signs), [None, self.pa.py_buffer(packed)]
        )

    def _floats(self, points: np.ndarray) -> Any:
        wide = points if self.k else np.zeros((len(points), 1))
        flat = self.pa.array(np.ascontiguousarray(wide).ravel())
        return self.pa.FixedSizeListArray.from_arrays(flat, wide.shape[1])

    def _finish(self) -> None:
        """Close the part that is open: it can be read from now on."""
        self.since, self.in_part = time.perf_counter(), 0
        if self.sink is None:
            return
        with self._writing():
            sink, self.sink = self.sink, None
            sink.close()
            part = self._open_part
            self.finished.append(part.rename(part.with_suffix("")))


def _rationals(batches: list[Leaves]) -> list[str | None]:
    out: list[str | None] = []
    for b in batches:
        exact = b.exact
        out += [" ".join(map(str, exact[i])) if i in exact else None for i in range(len(b.signs))]
    return out


def _chart(problem: Restricted) -> dict[str, Any]:
    """How coordinates lie in the input, where they are not the input itself."""
    if problem.lift is None and problem.origin is None:
        return {}
    return {"chart": {"lift": _text(problem.lift), "origin": _text(problem.origin)}}


def _text(a: np.ndarray | None) -> Any:
    if a is None:
        return None
    return [list(a.shape), base64.b64encode(np.ascontiguousarray(a, "<f8").tobytes()).decode()]


def _array(text: Any) -> np.ndarray | None:
    if text is None:
        return None
    shape, data = text
    return np.frombuffer(base64.b64decode(data), "<f8").reshape(shape)


class PartsReader:
    """What `PartsWriter` wrote: the file, or the folder of parts of one that grows.

    Attributes
    ----------
    metadata
        As written; ``complete`` is False in parts.
    rows
        Number of cells.
    """

    def __init__(self, path: Path) -> None:
        self.pq = files.pyarrow(".npz")[1]
        self.path = path
        self.paths = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
        if not self.paths:
            raise LinregionsError(f"{path}: holds no finished part of a list yet")
        self.rows = 0
        for i, part in enumerate(self.paths):
            with reading(part), self.pq.ParquetFile(part) as file:
                found = (file.metadata.metadata or {}).get(b"linregions")
                if found is None:
                    raise LinregionsError(f"{part}: no list of regions written by linregions")
                if i == 0:
                    self.metadata: dict[str, Any] = json.loads(found)
                    self.chart = self.metadata.pop("chart", {})
                self.rows += file.metadata.num_rows

    @property
    def packed(self) -> bool:
        """Whether patterns are bits; the first files held them as text, without coordinates."""
        return "breakpoints" in self.metadata

    def batches(self, size: int = 1 << 14) -> Iterator[Leaves]:
        """All cells, with points in domain coordinates."""
        for part in self.paths:
            with reading(part):
                file = self.pq.ParquetFile(part, page_checksum_verification=True)
            with file:
                batches = _batches(file, size)
                while True:
                    with reading(part):
                        batch = next(batches, None)
                        cells = None if batch is None else self._leaves(batch)
                    if cells is None:
                        break
                    yield cells

    def embed(self, y: np.ndarray) -> np.ndarray:
        """Input coordinates of points in domain coordinates."""
        lift, origin = _array(self.chart.get("lift")), _array(self.chart.get("origin"))
        x = y if lift is None else y @ lift.T
        return x if origin is None else x + origin

    def _leaves(self, batch: Any) -> Leaves:
        n = len(batch)
        floats = batch.column(1)
        points = floats.flatten().to_numpy().reshape(n, floats.type.list_size)
        if not self.packed:
            text = batch.column(0).to_pylist()
            signs = np.array([[c == "1" for c in row] for row in text], np.uint8)
            return Leaves(signs, points, {})
        cuts, k = self.metadata["breakpoints"], self.metadata["dimension"]
        pattern = batch.column(0)
        width = pattern.type.byte_width
        packed = np.frombuffer(pattern.buffers()[1], np.uint8)
        packed = packed[pattern.offset * width :][: n * width].reshape(n, width)
        signs = np.unpackbits(packed, axis=1, count=cuts)
        rational = batch.column(2)
        exact: dict[int, list[Fraction]] = {}
        if rational.null_count < n:
            for i, entry in enumerate(rational.to_pylist()):
                if entry is not None:
                    exact[i] = [Fraction(v) for v in entry.split()]
        return Leaves(signs, points[:, :k], exact)


def _batches(file: Any, size: int) -> Iterator[Any]:
    """Batches of a file, one row group after the other: arrow would hold all that it has read."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(size, row_groups=[group])


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever a damaged file does to arrow, in one line."""
    try:
        yield
    except LinregionsError:
        raise
    except Exception as error:  # arrow has kinds of its own
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise LinregionsError(f"{path}: not a readable list of regions ({why})") from None
