"""Rows with integer coefficients and rational points: values, signs, common factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flint import fmpq, fmpz

from ..network.rational import to_fmpq

Row = list[fmpz]  # k coefficients and a constant


Point = list[fmpq]


ZERO = fmpq(0)


def value(row: Row, x: Point) -> fmpq:
    """The row at a point."""
    total = fmpq(row[-1])
    for a, v in zip(row, x, strict=False):
        if a != 0:
            total += a * v
    return total


def sign(x: Any) -> int:
    """-1, 0 or 1."""
    return (x > 0) - (x < 0)


def constant_side(row: Row) -> int:
    """The side of a row without slope, -1 where it is zero (the lower piece); 0 of any other."""
    if any(a != 0 for a in row[:-1]):
        return 0
    return 1 if row[-1] > 0 else -1


def negative(row: Row) -> Row:
    """The opposite row."""
    return [-a for a in row]


def point_of(x: Sequence[float]) -> Point:
    """A float point as the rational that it is."""
    return [to_fmpq(float(v)) for v in x]


def reduced(row: Row) -> Row:
    """The row divided by the greatest common divisor of its entries."""
    common = fmpz(0)
    for a in row:
        common = common.gcd(a)
        if common == 1:
            return row
    return row if common == 0 else [a // common for a in row]
