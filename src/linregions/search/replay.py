"""Records read back: the tree that a search wrote down, node by node, with the path to each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..network.pattern import crown, pair
from . import records as R
from .program import Program


class Event(NamedTuple):
    """One record in its place.

    ``code`` as in `records`; ``row`` its row, unit or end of a coordinate; ``value`` the side or
    the argument of a max unit; ``rows`` and ``reals`` what it cites. The path is in `Replay`.
    """

    code: int
    row: int = -1
    value: int = 0
    rows: tuple[int, ...] = ()
    reals: tuple[float, ...] = ()
    text: str = ""


class Replay:
    """Follows a stream of records; after each event it stands where that record stands.

    Attributes
    ----------
    signs
        Sign of every row, 0 where it is open on this path.
    con
        Rows that bound the cell: those of splits, and of arguments of max units that win.
    """

    def __init__(self, program: Program, k: int) -> None:
        self.program, self.k = program, k
        self.signs = np.zeros(len(program.cut_unit), np.int8)
        self.con: list[int] = []
        self._back: list[tuple[str, int, int, np.ndarray, int]] = []

    def arguments(self, unit: int) -> tuple[int, int]:
        """First row and number of arguments of a max unit."""
        groups = self.program.groups
        return int(groups[unit, 0]), int(groups[unit + 1, 1] - groups[unit, 1])

    def enter(self, path: np.ndarray) -> None:
        """Stand where the path leads that a part begins with."""
        whole = iter(path.tolist())
        while (code := next(whole)) != R.PATH_END:
            row, side = next(whole), next(whole)
            if code not in (R.FAN, R.WINS):
                self.signs[row] = 1 if side else -1
                self.con += [row] * (code == R.SPLIT)
                continue
            first, m = self.arguments(row)
            crown(self.signs, first, m, side)
            if code == R.FAN:
                self.con += [pair(first, m, side, j) for j in range(m) if j != side]

    def feed(self, ints: np.ndarray, reals: np.ndarray, text: str = "") -> Iterator[Event]:
        """The events of a block. The path is that of the event while it is being looked at."""
        whole, floats = iter(ints.tolist()), iter(reals.tolist())
        lines = iter(text.splitlines())
        for code in whole:
            event = self._read(code, whole, floats, lines)
            yield event
            self._follow(event)

    def _read(
        self, code: int, whole: Iterator[int], floats: Iterator[float], lines: Iterator[str]
    ) -> Event:
        def take(count: int) -> tuple[int, ...]:
            return tuple(next(whole) for _ in range(count))

        def real(count: int) -> tuple[float, ...]:
            return tuple(next(floats) for _ in range(count))

        if code in (R.REFUSED, R.SOLVED):
            row, upper, count = take(3)
            return Event(code, row, upper, take(count), real(count if code == R.REFUSED else 0))
        if code in (R.BOXED, R.SPLIT, R.WINS):
            row, side = take(2)
            return Event(code, row, side)
        if code in (R.SLOPELESS, R.FAN, R.PART):
            return Event(code, next(whole))
        if code == R.BOUND:
            end, count = take(2)
            return Event(code, end, 0, take(count), real(1 + count))
        if code == R.LOST:
            mode, row, count = take(3)
            return Event(code, row, mode, take(count), real(count if mode == R.REFUSED else 0))
        if code == R.LEAF:
            return Event(code, reals=real(self.k))
        return Event(code, text=next(lines) if code == R.POINT else "")

    def decided(self, event: Event) -> int:
        """The side that a record leaves of its row: 1 or -1, or 0 where its constant says it."""
        return 0 if event.code == R.SLOPELESS else (1 if event.value else -1)

    def settle(self, row: int, sign: int) -> None:
        """A row without a slope has this sign."""
        self.signs[row] = sign

    def _follow(self, event: Event) -> None:
        code = event.code
        if code in (R.REFUSED, R.SOLVED, R.BOXED):
            self.signs[event.row] = self.decided(event)
        elif code == R.SPLIT:
            side = 1 if event.value else -1
            self._back.append(("split", event.row, -side, self.signs.copy(), len(self.con)))
            self.signs[event.row] = side
            self.con.append(event.row)
        elif code == R.FAN:
            self._back.append(("fan", event.row, 0, self.signs.copy(), len(self.con)))
        elif code == R.WINS:
            first, m = self.arguments(event.row)
            crown(self.signs, first, m, event.value)
        elif code == R.KEPT:
            self._keep()
        elif code == R.LOST:
            self._next()
        elif code in (R.LEAF, R.POINT, R.PART):
            self._up()

    @property
    def open(self) -> bool:
        """Whether a part of the tree is still to come."""
        return bool(self._back)

    @property
    def argument(self) -> tuple[int, int]:
        """The max unit that is being divided, and the argument whose turn it is."""
        _, unit, w, _, _ = self._back[-1]
        return unit, w

    def _keep(self) -> None:
        unit, w = self.argument
        first, m = self.arguments(unit)
        crown(self.signs, first, m, w)
        self.con += [pair(first, m, w, j) for j in range(m) if j != w]

    def _next(self) -> None:
        """The next argument of the max unit on top; up where there is none."""
        what, unit, w, signs, bounds = self._back.pop()
        self.signs[:] = signs
        del self.con[bounds:]
        if w + 1 < self.arguments(unit)[1]:
            self._back.append((what, unit, w + 1, signs, bounds))
        else:
            self._up()

    def _up(self) -> None:
        """A subtree has ended: to the next that is open."""
        while self._back:
            what, row, value, signs, bounds = self._back[-1]
            if what == "fan":
                self._next()
                return
            self._back.pop()
            self.signs[:] = signs
            del self.con[bounds:]
            if what == "split":
                self.signs[row] = value
                self.con.append(row)
                self._back.append(("done", row, 0, signs, bounds))
                return
