"""One statement about a number of regions, and how to print its value."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import log10
from typing import Any

EVERY = "activation regions of every network of this shape, over R^n or a convex part of it"
MOST = "the largest number of activation regions that a network of this shape has over R^n"
THIS = "activation regions of this network"


@dataclass(frozen=True)
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

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``linregions bounds --json``; a Fraction becomes a string."""
        value = self.value if isinstance(self.value, int) else str(self.value)
        return {
            "name": self.name,
            "value": value,
            "direction": self.direction,
            "bounds": self.bounds,
            "conditions": list(self.conditions),
            "status": self.status,
            "source": self.source,
        }


def magnitude(value: int | Fraction) -> str:
    """A value for people: digits while they fit, else a power of ten."""
    if isinstance(value, Fraction) and value.denominator != 1 and value < 10**12:
        return f"{float(value):,.2f}"
    value = int(value)
    if value < 10**12:
        return f"{value:,}"
    bits = max(value.bit_length() - 60, 0)
    exponent = log10(value >> bits) + bits * log10(2)
    whole_part = int(exponent)
    return f"{10 ** (exponent - whole_part):.3f}e{whole_part}"
