"""``linregions check``: the proof of a count, checked by the stand-alone checker."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ..certificates.checking import check
from ..check_regions import Refused
from ..figures import dump
from ..network.network import Network
from .options import Json, ShapeOption

Processes = Annotated[
    str | None, Parameter(help="Processes to check with (default: auto, every processor).")
]
Journal = Annotated[
    Path | None,
    Parameter(help="Keep in this file which parts were accepted, and go on from it."),
]


def add_check(app: App, load: Callable[..., Network]) -> None:
    """Register the command."""

    @app.command(name="check")
    def check_command(
        file: Path,
        model: Path | None = None,
        /,
        *,
        shape: ShapeOption = None,
        workers: Processes = "auto",
        journal: Journal = None,
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
        """
        network = None if model is None else load(model, shape)
        try:
            answer = check(file, network, workers=workers, journal=journal, progress=_progress())
        except Refused as error:
            print(dump(error.facts()) if json else f"refused: {error}")
            return 1
        if json:
            print(dump(answer))
            return 0
        parts = answer["parts"]
        print(f"accepted: {answer['regions']:,} {answer['kind']} regions over {answer['domain']}")
        print(f"  network {answer['network']}" + (", which is that of the model" if model else ""))
        if parts:
            print(f"  {parts:,} parts, nothing missing and nothing twice")
        return 0


def _progress() -> Callable[[int, int, int], None]:
    """A line on stderr every ten seconds."""
    last = time.perf_counter()

    def report(done: int, parts: int, cells: int) -> None:
        nonlocal last
        if time.perf_counter() - last >= 10:
            last = time.perf_counter()
            print(f"{done:,} of {parts:,} parts, {cells:,} cells", file=sys.stderr, flush=True)

    return report
