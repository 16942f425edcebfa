"""What every function here asks of its arguments: whole numbers, none too small."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

from ..errors import LinregionsError


class OutOfReach(LinregionsError):
    """The exact number would take more work than was allowed; the message says what is known."""


def whole(value: Any, name: str, least: int = 0) -> int:
    """``value`` as a Python integer, at least ``least``."""
    try:
        number = index(value)
    except TypeError:
        raise LinregionsError(f"{name} must be a whole number, got {value!r}") from None
    if number < least:
        raise LinregionsError(f"{name} must be at least {least}, got {number}")
    return number


def wholes(values: Any, name: str, least: int = 1) -> tuple[int, ...]:
    """A non-empty sequence of whole numbers."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise LinregionsError(f"{name} must be a list of whole numbers, got {values!r}")
    out = tuple(whole(v, name, least) for v in values)
    if not out:
        raise LinregionsError(f"{name} must not be empty")
    return out
