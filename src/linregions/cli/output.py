"""How the answer of a command goes to stdout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..figures import dump


def answered(facts: Any, prose: Callable[[], str], as_json: bool, stopped: str | None = "") -> int:
    """Print an answer, as JSON or in words; the exit code."""
    print(dump(facts) if as_json else prose())
    return 130 if stopped == "interrupt" else 0
