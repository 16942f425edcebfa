"""A run on disk: the table, what is done, and what it belongs to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..errors import LinregionsError

FORMAT = "linregions sample 1"


def save(path: Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write the file beside its name and rename it."""
    text = np.frombuffer(json.dumps({"format": FORMAT, **header}).encode(), np.uint8)
    with files.beside(path) as part, open(part, "wb") as file:
        contents: dict[str, Any] = {"header": text, **arrays}
        np.savez(file, **contents)


def read(path: Path, header: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What was saved, after checking that it belongs to the same run."""
    try:
        with np.load(path, allow_pickle=False) as file:
            saved = json.loads(bytes(file["header"]).decode())
            arrays = {name: file[name] for name in ("keys", "count", "words", "done")}
    except Exception as error:  # numpy, zip and json each have their own kinds
        raise LinregionsError(f"{path}: not a readable state of a run ({error})") from None
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise LinregionsError(f"{path}: not in the format {FORMAT!r}")
    for name, value in header.items():
        if saved.get(name) != value:
            raise LinregionsError(
                f"{path} belongs to another run: its {name} is {saved.get(name)}, not {value}; "
                "give another file, or remove this one to start afresh"
            )
    return saved, arrays
