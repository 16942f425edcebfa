"""``linregions check``: the proof of a count, checked by the stand-alone checker."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..certificates.checking import check
from ..check_regions import Refused
from ..figures import dump
from .model import Shape, read_model
from .options import Json
from .output import answered


def command(
    file: Path,
    model: Path | None = None,
    /,
    *,
    shape: Shape = None,
    workers: str | None = "auto",
    journal: Path | None = None,
    json: Json = False,
) -> int:
    """Check the proof of a count: exit 0 where it is accepted, 1 where it is refused.

    Example: linregions check count.proof network.onnx

    Parameters
    ----------
    file
        What count --proof wrote.
    model
        A model file: the proof must be about this very network.
    workers
        Processes to check with (default: auto, every processor).
    journal
        Keep in this file which parts were accepted, and go on from it.
    """
    network = None if model is None else read_model(model, shape)
    try:
        answer = check(file, network, workers=workers, journal=journal, progress=_progress())
    except Refused as error:
        print(dump(error.facts()) if json else f"refused: {error}")
        return 1
    return answered(answer, lambda: _prose(answer, model is not None), json)


def _prose(answer: dict[str, Any], same: bool) -> str:
    parts, whose = answer["parts"], ", which is that of the model" if same else ""
    lines = [
        f"accepted: {answer['regions']:,} {answer['kind']} regions over {answer['domain']}",
        f"  network {answer['network']}{whose}",
    ]
    if parts:
        lines.append(f"  {parts:,} parts, nothing missing and nothing twice")
    return "\n".join(lines)


def _progress() -> Callable[[int, int, int], None]:
    """A line on stderr every ten seconds."""
    last = time.perf_counter()

    def report(done: int, parts: int, cells: int) -> None:
        nonlocal last
        if time.perf_counter() - last >= 10:
            last = time.perf_counter()
            print(f"{done:,} of {parts:,} parts, {cells:,} cells", file=sys.stderr, flush=True)

    return report
