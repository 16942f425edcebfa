"""Boxes from bounds, alternatives and their conjunctions, exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from ..errors import LinregionsError
from ..network.rational import simplest

Side = Fraction | None
Sides = tuple[tuple[Fraction, ...], tuple[Fraction, ...]]
LARGEST_UNION = 10_000
NO_INPUTS = (
    "it constrains the outputs alone and no input; name the domain yourself: Box(lo, hi), or "
    "--box=LO,HI on the command line"
)


@dataclass
class Constraints:
    """Constraints that all hold, and alternatives of which one must hold each."""

    lo: dict[int, Fraction] = field(default_factory=dict)
    hi: dict[int, Fraction] = field(default_factory=dict)
    choices: list[list[Constraints]] = field(default_factory=list)

    def add(self, i: int, low: Side, high: Side) -> None:
        """One more bound of entry i from either side."""
        if low is not None:
            self.lo[i] = max(low, self.lo.get(i, low))
        if high is not None:
            self.hi[i] = min(high, self.hi.get(i, high))

    def either(self, options: list[Constraints]) -> None:
        """One of several must hold as well."""
        self.choices.append(options)

    def also(self, other: Constraints) -> Constraints:
        """Both, without the alternatives of either."""
        out = Constraints(dict(self.lo), dict(self.hi))
        for i, low in other.lo.items():
            out.add(i, low, None)
        for i, high in other.hi.items():
            out.add(i, None, high)
        return out

    def plain(self) -> list[Constraints]:
        """The alternatives written out: bounds of which one must hold."""
        out = [Constraints(self.lo, self.hi)]
        for options in self.choices:
            inner = [p for option in options for p in option.plain()]
            if len(out) * len(inner) > LARGEST_UNION:
                raise LinregionsError(
                    f"the inputs lie in a union of more than {LARGEST_UNION:,} boxes; write fewer "
                    "alternatives to a file"
                )
            out = [a.also(b) for a in out for b in inner]
        return out

    def boxes(self, n: int, name: Callable[[int], str]) -> list[Sides]:
        """Both sides of every box that is not empty; ``name`` says how entry i is written."""
        plain = self.plain()
        if not any(p.lo or p.hi for p in plain):
            raise LinregionsError(NO_INPUTS)
        for p in plain:
            for sides, what in ((p.lo, "lower"), (p.hi, "upper")):
                if missing := [name(i) for i in range(n) if i not in sides]:
                    names = ", ".join(missing[:4]) + (", ..." if len(missing) > 4 else "")
                    where = " in one of the alternatives" if len(plain) > 1 else ""
                    raise LinregionsError(
                        f"no {what} bound for {names}{where}; a box needs both bounds"
                    )
        out = [(tuple(p.lo[i] for i in range(n)), tuple(p.hi[i] for i in range(n))) for p in plain]
        full = [b for b in out if all(x <= y for x, y in zip(*b, strict=True))]
        return full or out[:1]  # an empty one is refused by `Box`, which says where


def distinct(boxes: list[Sides]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The boxes that no other one holds; refused where two overlap in their interiors."""
    boxes = list(dict.fromkeys(boxes))
    lo, hi = _ranks(boxes)
    kept = [i for i in range(len(boxes)) if not _held(lo, hi, i)]
    # between two ranks there is one more: the inside of a side, which a flat side lacks
    open_ = lo < hi
    start, end = 2 * lo + open_, 2 * hi - open_
    for place, i in enumerate(kept):
        rest = np.array(kept[place + 1 :], dtype=np.int64)
        both = np.maximum(start[i], start[rest]) <= np.minimum(end[i], end[rest])
        over = rest[np.all(both, axis=1)]
        if over.size:
            raise LinregionsError(
                f"boxes {i + 1} and {over[0] + 1} of {len(boxes)} overlap in their interiors, so "
                "that regions would count twice; cut them into boxes that only touch"
            )
    return [(_array(boxes[i][0]), _array(boxes[i][1])) for i in kept]


def _ranks(boxes: list[Sides]) -> tuple[np.ndarray, np.ndarray]:
    """Both sides as ranks among all bounds of their coordinate: they compare the same."""
    n = len(boxes[0][0])
    lo, hi = (np.zeros((len(boxes), n), np.int64) for _ in range(2))
    for j in range(n):
        values = sorted({side[j] for box in boxes for side in box})
        rank = {v: r for r, v in enumerate(values)}
        lo[:, j] = [rank[box[0][j]] for box in boxes]
        hi[:, j] = [rank[box[1][j]] for box in boxes]
    return lo, hi


def _held(lo: np.ndarray, hi: np.ndarray, i: int) -> bool:
    """Whether another box holds box i (all are different)."""
    inside = np.all((lo <= lo[i]) & (hi >= hi[i]), axis=1)
    return bool(inside.sum() > 1)


def _array(side: tuple[Fraction, ...]) -> np.ndarray:
    out = np.empty(len(side), dtype=object)
    out[:] = side
    return simplest(out)
