"""How the answer of a command goes to stdout, and columns to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..figures import dump
from ..files import beside
from ..questions.store import parquet_columns


def answered(facts: Any, prose: Callable[[], str], as_json: bool, stopped: str | None = "") -> int:
    """Print an answer, as JSON or in words; the exit code."""
    print(dump(facts) if as_json else prose())
    return 130 if stopped == "interrupt" else 0


def write_columns(target: Path, columns: dict[str, np.ndarray]) -> None:
    """Write arrays of one length as a table, complete or not at all."""
    with beside(target) as part:
        if target.suffix == ".npz":
            with open(part, "wb") as file:
                contents: dict[str, Any] = dict(columns)
                np.savez_compressed(file, **contents)
        else:
            parquet_columns(part, columns)
