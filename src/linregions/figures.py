"""Numbers of any size as text: for people, in `repr`, and in JSON.

Python refuses to print or read integers of more than 4,300 digits, and JSON readers elsewhere lose
what is beyond 2^53. So in all JSON of this library integers beyond 2^53 are strings of decimal
digits, with the decimal logarithm beside: ``"value": "9007199254740993", "value_log10": 15.95``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from math import isfinite, log10
from typing import Any

import numpy as np

LARGEST = 1 << 53  # every integer up to here is a float


def decimal(value: int | Fraction) -> str:
    """All digits of a number of any size (`Decimal` knows no limit); a Fraction as ``p/q``."""
    if isinstance(value, Fraction) and value.denominator != 1:
        return f"{decimal(value.numerator)}/{decimal(value.denominator)}"
    return str(Decimal(int(value)))


def log10_of(value: int | Fraction) -> float:
    """Decimal logarithm of the absolute value of a number of any size but 0."""
    if isinstance(value, Fraction):
        return log10_of(value.numerator) - log10_of(value.denominator)
    size = abs(int(value))
    bits = max(size.bit_length() - 60, 0)
    return log10(size >> bits) + bits * log10(2)


def magnitude(value: int | Fraction) -> str:
    """A value for people: digits while they fit, else a power of ten."""
    if isinstance(value, Fraction) and value.denominator != 1 and value < 10**12:
        return f"{float(value):,.2f}"
    value = int(value)
    return f"{value:,}" if value < 10**12 else _power(value, 3)


def _power(value: int | Fraction, digits: int) -> str:
    exponent = log10_of(value)
    whole = int(exponent)
    text = f"{10 ** (exponent - whole):.{digits}f}"
    if text.startswith("10"):
        text, whole = f"{1:.{digits}f}", whole + 1
    return f"{'-' if value < 0 else ''}{text}e{whole}"


def short(value: float) -> str:
    """An estimate for people: digits while they fit, else a power of ten."""
    return "unknown" if value != value else magnitude(round(value))


def duration(seconds: float) -> str:
    """Time for people."""
    if not isfinite(seconds):
        return "unknown"
    for unit, length in (("years", 31_557_600.0), ("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            value = seconds / length
            return f"{short(value) if value >= 1000 else f'{value:.3g}'} {unit}"
    return f"{seconds:.2g} s"


def size(number: int) -> str:
    """Bytes for people."""
    for unit, length in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= length:
            return f"{number / length:.3g} {unit}"
    return f"{number} bytes"


def brief(value: Any) -> str:
    """``repr``, with ``1.4e9864`` for numbers beyond 2^53."""
    if _is_large(value):
        return _power(value, 1)
    if isinstance(value, Fraction):
        return f"Fraction({value.numerator}, {value.denominator})"
    return repr(value)


def brief_repr(self: Any) -> str:
    """The ``__repr__`` of a dataclass or named tuple whose integers may be of any size."""
    names = getattr(self, "_fields", None) or [f.name for f in fields(self) if f.repr]
    parts = (f"{name}={brief(getattr(self, name))}" for name in names)
    return f"{type(self).__name__}({', '.join(parts)})"


def dump(value: Any, default: Callable[[Any], Any] | None = None, nan: bool = False) -> str:
    """The JSON of every command, one line.

    Integers beyond 2^53 become strings of digits, and the object that holds one under a key gets
    its decimal logarithm under the key with ``_log10`` behind (for a list: one for each entry).
    ``default`` is as in `json.dumps`; NaN is refused unless ``nan``.
    """
    return json.dumps(jsonable(value), allow_nan=nan, default=default)


def jsonable(value: Any) -> Any:
    """The value with its large integers as strings, their logarithms beside them."""
    if isinstance(value, dict):
        out: dict[Any, Any] = {}
        for key, entry in value.items():
            out[key] = jsonable(entry)
            if (size := _logarithm(entry)) is not None:
                out[f"{key}_log10"] = size
        return out
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, Fraction):
        return decimal(value)
    return decimal(value) if _is_large(value) else value


def _is_large(value: Any) -> bool:
    exact = isinstance(value, int | np.integer | Fraction) and not isinstance(value, bool)
    return exact and bool(abs(value) > LARGEST)


def _logarithm(value: Any) -> Any:
    """The logarithm of a large number, or those of a list that holds some; else None."""
    if _is_large(value):
        return log10_of(value)
    if isinstance(value, list | tuple) and any(map(_is_large, value)):
        return [log10_of(v) if isinstance(v, int | Fraction) and v else None for v in value]
    return None
