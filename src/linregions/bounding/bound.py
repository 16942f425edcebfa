"""One statement about a number of regions, and how to print its value."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..figures import brief_repr

EVERY = "activation regions of every network of this shape, over R^n or a convex part of it"
MOST = "the largest number of activation regions that a network of this shape has over R^n"
THIS = "activation regions of this network"


@dataclass(frozen=True, repr=False)
class Bound:
    """A statement about a number of regions.

    Attributes
    ----------
    name
        Short and unique within an answer.
    value
        An exact integer (a Fraction for an expectation).
    direction
        ``upper``, ``lower`` or ``equal``.
    bounds
        What the value bounds, in words.
    conditions
        Under which conditions, all of which are met.
    status
        ``proved`` (an argument is in the documentation of this library or in its source, and
        was checked), ``published``, or ``from memory`` (of a paper whose text was not at hand).
    source
        Paper and theorem.
    """

    name: str
    value: int | Fraction
    direction: str
    bounds: str
    conditions: tuple[str, ...]
    status: str
    source: str

    __repr__ = brief_repr

    def to_dict(self) -> dict[str, Any]:
        """What ``linregions bounds --json`` prints of it (`figures.dump` makes it text)."""
        return {
            "name": self.name,
            "value": self.value,
            "direction": self.direction,
            "bounds": self.bounds,
            "conditions": list(self.conditions),
            "status": self.status,
            "source": self.source,
        }
