"""How the numbers of many points go to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..files import beside
from ..questions.store import parquet_columns


def write_columns(target: Path, columns: dict[str, np.ndarray]) -> None:
    """Write arrays of one length as a table, complete or not at all."""
    with beside(target) as part:
        if target.suffix == ".npz":
            with open(part, "wb") as file:
                contents: dict[str, Any] = dict(columns)
                np.savez_compressed(file, **contents)
        else:
            parquet_columns(part, columns)
