"""One block of points: drawn, evaluated, counted; by the kernel, by numpy or by torch.

What a block gives depends on the network, the seed, the law and the number of the block alone,
so blocks may be taken in any order by any number of threads.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import LinregionsError
from ..progress import check, current
from ..roundoff import ROUNDOFF
from . import draws, kernel
from .device import Torch
from .exactly import Exactly
from .floats import Floats
from .laws import Source
from .layout import Layout
from .program import program
from .table import NewPatterns, keys_of

HANDED_BACK = 64  # points of a block that rational arithmetic may settle
NUMBERS = 1 << 20  # of one matrix in the paths without a kernel
SLOTS = 1 << 15  # of a block's own table


@dataclass
class Block:
    """What the points of a block gave; ``skipped``: patterns left in doubt, not counted."""

    law: int
    points: int
    found: list[NewPatterns]
    outside: int = 0
    skipped: int = 0
    rational: int = 0


class Sampler:
    """Draws blocks.

    Parameters
    ----------
    source
        Laws and network.
    seed
        Any integer from 0 to 2^64 - 1.
    device
        None: the kernel where the network is small and dense enough, else numpy. Else the
        name of a torch device.
    """

    def __init__(self, source: Source, seed: int, device: str | None) -> None:
        self.source, self.seed, self.device = source, seed, device
        self.network = source.network
        self.layout = Layout.of(self.network)
        self.exactly = Exactly(self.network)
        self.trip = np.zeros(1, np.int64)  # of the kernel; raised, the block under way is lost
        self.program = program(self.network) if device is None else None
        self.torch: Any = None
        if device is not None:
            self.torch = Torch(self.network, device)
        self.floats = None if self.program or self.torch else Floats(self.network)
        wide = max(self.network.inputs, *(m.affine.size for m in self.network.layers), 1)
        self.rows = max(draws.TILE, NUMBERS // wide // draws.TILE * draws.TILE)
        self.size = 1 << 18 if self.program else self._size()

    def _size(self) -> int:
        """Points of a block that cost about 10^10 multiplications, a power of two."""
        work = self.network.inputs + sum(
            m.affine.size * self.network.size_of(s)
            for m in self.network.layers
            for s in m.affine.sources
        )
        return 1 << int(np.clip(np.log2(1e10 / max(work, 1)), 10, 18))

    @property
    def path(self) -> str:
        """How points are evaluated."""
        return "kernel" if self.program else "torch" if self.torch else "numpy"

    def __call__(self, law: int, block: int, first: int, last: int) -> Block:
        """Count the points ``first .. last - 1`` of a block."""
        out = Block(law, last - first, [])
        run = self._kernel if self.program else self._products
        doubtful = run(out, block, first, last)
        self._settle(out, doubtful)
        return out

    def _kernel(self, out: Block, block: int, first: int, last: int) -> np.ndarray:
        p, k = self.program, self.network.inputs
        assert p is not None
        stream = draws.stream(self.seed, out.law, block, self.source.scales[out.law])
        tile = kernel.work(k, len(p.unit))
        doubtful = np.zeros((HANDED_BACK, k))
        tally, at = np.zeros(4, np.int64), 0
        while at < last:
            table = np.zeros((SLOTS, 4), np.uint64)
            tally[0] = 0
            met = kernel.Met(table, tally, doubtful, self.source.gates, self.trip)
            at = kernel.advance(p, stream, tile, met, at, first, last)
            used = table[table[:, 2] > 0]
            keys = np.ascontiguousarray(used[:, :2])
            out.found.append(NewPatterns(keys.T, used[:, 2].astype(np.int64), keys))
            if self.trip[0]:  # the points so far are as good as ever
                out.points = at - first
                break
        out.outside, out.skipped = int(tally[1]), int(tally[2])
        return doubtful[: tally[3]]

    def _products(self, out: Block, block: int, first: int, last: int) -> np.ndarray:
        doubtful: list[np.ndarray] = []
        stream = self._stream(out.law, block, last)
        clock = current()
        for a, x in stream:
            if clock.reason:
                out.points = max(a - first, 0)
                break
            x = x[max(first - a, 0) :]
            if not len(x):
                continue
            inside, unsure = self._inside(x)
            out.outside += int((~inside & ~unsure).sum())
            out.skipped += int(unsure.sum())
            x = x if bool(inside.all()) else x[inside]
            words, count, doubt = self._count(x)
            out.found.append(NewPatterns(keys_of(words), count, words))
            room = HANDED_BACK - sum(map(len, doubtful))
            doubtful.append(doubt[:room])
            out.skipped += len(doubt) - len(doubtful[-1])
        return np.concatenate([np.zeros((0, self.network.inputs)), *doubtful])

    def _stream(self, law: int, block: int, last: int) -> Any:
        """Points of a block, some at a time, from the first on."""
        k, scale = self.network.inputs, self.source.scales[law]
        if self.torch:
            yield from self.torch.stream(self.seed, law, block, scale, last, self.rows)
            return
        flat, points = np.empty(k * draws.TILE), draws.stream(self.seed, law, block, scale)
        for a in range(0, last, self.rows):
            count = min(self.rows, last - a)
            x = np.empty((-(-count // draws.TILE) * draws.TILE, k))
            for b in range(0, count, draws.TILE):
                draws.tile(flat, points)
                x[b : b + draws.TILE] = flat.reshape(k, draws.TILE).T
            yield a, x[:count]

    def _inside(self, x: Any) -> tuple[Any, Any]:
        """Which points are surely in the domain, and which are in doubt."""
        gates, k = self.source.gates, self.network.inputs
        if not len(gates):
            yes = x[:, 0] == x[:, 0]
            return yes, ~yes
        put = self.torch.put if self.torch else np.asarray
        rows, at, error = put(gates[:, :k].T.copy()), put(gates[:, k]), put(gates[:, k + 1])
        room = at - x @ rows
        bound = 1.01 * (k + 8) * ROUNDOFF * (abs(at) + abs(x) @ abs(rows)) + error
        out = (room < -bound).any(1)
        inside = (room > bound).all(1)
        return inside, ~(inside | out)

    def _count(self, x: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distinct packed patterns at points, how often each, and the points in doubt."""
        if self.torch:
            return self.torch.count(x, self.layout)
        assert self.floats is not None
        bits, doubt = self.floats(x)
        words = self.layout.pack(bits[~doubt])
        distinct, count = _distinct(words)
        return distinct, count, x[doubt]

    def _settle(self, out: Block, doubtful: np.ndarray) -> None:
        """Patterns of doubtful points in rational arithmetic."""
        for x in doubtful:
            if len(doubtful) > FEW:
                check()  # the block is lost
            pieces = self.exactly(x.tolist())
            if pieces is None:
                out.skipped += 1
                continue
            out.rational += 1
            words = self.layout.encode(np.array([pieces], np.int64))
            out.found.append(NewPatterns(keys_of(words), np.ones(1, np.int64), words))


def _distinct(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(words):
        return words, np.zeros(0, np.int64)
    whole = np.ascontiguousarray(words).view([("", np.uint64)] * words.shape[1])[:, 0]
    found, count = np.unique(whole, return_counts=True)
    return found.view(np.uint64).reshape(len(found), -1), count.astype(np.int64)


FEW = 4  # points in doubt that are settled after the end
CARDS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # a machine without one needs no torch


def check_device(device: str | None) -> str | None:
    """``auto``: a GPU where torch sees one, else None; ``cpu``: None."""
    if device is None or device == "cpu":
        return None
    if device == "auto":
        if not ("torch" in sys.modules or any(map(os.path.exists, CARDS))):
            return None
        try:
            with current().pause():
                import torch
        except ImportError:
            return None
        return "cuda" if torch.cuda.is_available() else None
    try:
        import torch

        torch.zeros(1, device=device.removeprefix("torch:"))
    except ImportError:
        raise LinregionsError(f"device={device!r} needs torch: install linregions[torch]") from None
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise LinregionsError(f"device={device!r} cannot be used: {first}") from None
    return device.removeprefix("torch:")
