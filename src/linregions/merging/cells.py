"""All cells of a search until they are merged: in memory, or as sorted runs on disk.

Only cells of one affine map are ever joined, and equal maps have equal fingerprints. So every
run is sorted by fingerprint, and a range of fingerprints, taken from all runs, holds every cell of
the maps in it: `CellStore.parts` gives such ranges, each small enough for memory, and what a
`Merger` says of them adds up.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..definitions import MEMORY
from ..errors import LinregionsError
from ..search.search import Leaves, Search
from .maps import Merger

CHUNK = 1 << 18  # cells that are identified at a time
LEAST = 1 << 12  # cells of a run, at least


class SortedRun(NamedTuple):
    """CellStore in ascending order of fingerprint, on disk; ``exact`` as in `Leaves`."""

    prints: np.ndarray
    signs: np.ndarray
    points: np.ndarray
    exact: dict[int, list[Any]]


class CellStore:
    """Takes batches of cells; gives all of them back in parts that hold whole affine maps.

    Parameters
    ----------
    search
        Where the cells come from.
    memory
        Bytes that merging a part may take. More cells than that go to disk, in sorted runs.
    scratch
        Folder for them (the system's by default); it is empty again after `close`.
    distinct
        Only maps matter: of the cells of a run with one effective pattern, one is kept.
    """

    def __init__(
        self, search: Search, memory: int, scratch: Path | None = None, distinct: bool = False
    ) -> None:
        self.search, self.scratch, self.distinct = search, scratch, distinct
        self.capacity = max(LEAST, memory // bytes_per_cell(search))
        self.batches: list[Leaves] = []
        self.held = self.total = 0
        self.runs: list[SortedRun] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def add(self, batch: Leaves) -> None:
        """Take a batch."""
        self.batches.append(batch)
        self.held += len(batch.signs)
        self.total += len(batch.signs)
        if self.held >= self.capacity:
            self._write()

    def parts(self) -> Iterator[list[Leaves]]:
        """All cells; those of one affine map are in one part."""
        if not self.runs:
            yield self.batches
            return
        if self.held:
            self._write()
        start = np.zeros(len(self.runs), np.int64)
        while (start < [len(r.prints) for r in self.runs]).any():
            end = self._range(start)
            bounds = zip(self.runs, start.tolist(), end.tolist(), strict=True)
            yield [_slice(self.search, run, first, last) for run, first, last in bounds]
            start = end

    def close(self) -> None:
        """Remove what is on disk."""
        self.runs, self.batches, self.held = [], [], 0
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    # -- sorted runs --------------------------------------------------------------------

    def _write(self) -> None:
        """Sort what is held by fingerprint, and put it on disk."""
        batches, self.batches, self.held = self.batches, [], 0
        prints, keys = self._identify(batches)
        order = np.lexsort((keys, prints)) if self.distinct else np.argsort(prints, kind="stable")
        signs = np.concatenate([np.packbits(b.signs, axis=1) for b in batches])[order]
        if self.distinct:
            new = self._new(prints[order], signs)
            order, signs = order[new], signs[new]
        points = np.concatenate([b.points for b in batches])[order]
        with self._writing() as folder:
            name = f"{folder}/{len(self.runs):06d}"
            run = SortedRun(
                _saved(f"{name}-prints.npy", prints[order]),
                _saved(f"{name}-signs.npy", signs),
                _saved(f"{name}-points.npy", points),
                _moved(batches, order),
            )
        self.runs.append(run)

    def _identify(self, batches: list[Leaves]) -> tuple[np.ndarray, np.ndarray]:
        """Fingerprint of each cell's map, and (for distinct ones) a hash of what decides it."""
        prints, keys = [], []
        for some in _chunks(batches):
            merger = Merger(self.search, some)
            prints.append(merger.fingerprints(merger.signs))
            if self.distinct:
                keys.append(_hashes(merger.effective()))
        return np.concatenate(prints), np.concatenate([np.zeros(0, np.uint64), *keys])

    def _new(self, prints: np.ndarray, signs: np.ndarray) -> np.ndarray:
        """Which of some sorted cells have another effective pattern than the one before."""
        new = np.ones(len(prints), bool)
        for at in range(0, len(prints), CHUNK):
            some = slice(max(at - 1, 0), at + CHUNK)
            keys = self._merger(signs[some]).effective()
            same = (keys[1:] == keys[:-1]).all(axis=1) & (prints[some][1:] == prints[some][:-1])
            new[some][1:] = ~same
        return new

    def _merger(self, packed: np.ndarray) -> Merger:
        compiled = self.search.compiled
        signs = np.unpackbits(packed, axis=1, count=compiled.cuts)
        return Merger(self.search, [Leaves(signs, np.zeros((len(signs), compiled.k)), {})])

    @contextmanager
    def _writing(self) -> Iterator[str]:
        try:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(
                    prefix="linregions-", dir=self.scratch, ignore_cleanup_errors=True
                )
            yield self._folder.name
        except OSError as error:
            where = self.scratch or tempfile.gettempdir()
            raise LinregionsError(
                f"no room for the cells of this count in {where}: {error.strerror or error} "
                f"after {self.total:,} cells; give another folder as scratch, or more memory"
            ) from None

    def _range(self, start: np.ndarray) -> np.ndarray:
        """End of the next part in each run: as many whole maps as memory holds, one at least."""
        runs = self.runs

        def until(last: int) -> np.ndarray:
            """Ends of the cells with fingerprints up to ``last``."""
            found = [np.searchsorted(r.prints, np.uint64(last), "right") for r in runs]
            return np.array(found, np.int64)

        firsts = [int(r.prints[s]) for r, s in zip(runs, start, strict=True) if s < len(r.prints)]
        low, high = min(firsts), 1 << 61  # up to low: the one map that must fit
        while low < high:
            middle = (low + high + 1) // 2
            if (until(middle) - start).sum() <= self.capacity:
                low = middle
            else:
                high = middle - 1
        return until(low)


def bytes_per_cell(search: Search) -> int:
    """What merging takes for each cell, about: signs and pieces unpacked, points, keys, labels."""
    return 10 * search.compiled.cuts + 24 * search.compiled.k + 120


def _chunks(batches: list[Leaves]) -> Iterator[list[Leaves]]:
    some: list[Leaves] = []
    for batch in batches:
        some.append(batch)
        if sum(len(b.signs) for b in some) >= CHUNK:
            yield some
            some = []
    if some:
        yield some


def _hashes(keys: np.ndarray) -> np.ndarray:
    """A 64-bit hash of each row; equal rows have equal ones."""
    rng = np.random.default_rng(23)
    out = np.zeros(len(keys), np.uint64)
    for column in keys.T:
        code = rng.integers(0, 1 << 63, 256, dtype=np.uint64)
        out ^= code[column]
    return out


def _saved(path: str, array: np.ndarray) -> np.ndarray:
    """The same array, on disk."""
    np.save(path, array)
    return np.load(path, mmap_mode="r" if array.size else None)


def _moved(batches: list[Leaves], order: np.ndarray) -> dict[int, list[Any]]:
    """Rational points by their place in a run; they are few, and stay in memory."""
    at, found = 0, {}
    for batch in batches:
        found.update({at + i: x for i, x in batch.exact.items()})
        at += len(batch.signs)
    if not found:
        return {}
    place = {int(old): new for new, old in enumerate(order) if int(old) in found}
    return {place[old]: x for old, x in found.items() if old in place}


def _slice(search: Search, run: SortedRun, start: int, end: int) -> Leaves:
    """Some cells of a run, as the search gave them."""
    signs = np.unpackbits(run.signs[start:end], axis=1, count=search.compiled.cuts)
    exact = {i - start: x for i, x in run.exact.items() if start <= i < end}
    return Leaves(signs, np.array(run.points[start:end]), exact)


@dataclass(frozen=True)
class Budget:
    """What the cells of a count may take: bytes of memory, and where what is more goes."""

    memory: int = MEMORY
    scratch: Path | None = None

    @staticmethod
    def of(memory: int, scratch: str | Path | None) -> Budget:
        """Budget from what a caller gave, checked."""
        if isinstance(memory, bool) or not isinstance(memory, Integral) or memory <= 0:
            raise LinregionsError(f"memory={memory!r}: give a number of bytes above 0")
        folder = None if scratch is None else Path(scratch)
        if folder is not None and not folder.is_dir():
            raise LinregionsError(f"scratch={scratch}: give a folder that exists")
        return Budget(int(memory), folder)

    def cells(self, search: Search, kind: str) -> CellStore:
        """An empty store of cells."""
        memory = sys.maxsize if kind in ("activation", "closed") else self.memory
        return CellStore(search, memory, self.scratch, kind == "affine")
