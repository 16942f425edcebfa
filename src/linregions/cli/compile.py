"""``linregions compile``: compile the kernels before they are needed."""

from __future__ import annotations

import json as jsonlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ..caching import folders
from ..compiling import JOBS, compiled, needed
from ..network.network import Network
from ..processors import available, workers_of
from .options import (
    BoxOption,
    Json,
    LineOption,
    PlaneOption,
    PolytopeOption,
    SegmentOption,
    ShapeOption,
    SizeOption,
    Where,
)

Processes = Annotated[
    str | None, Parameter(help="Processes to compile in (default: one for each processor).")
]


def add_compile(app: App, load: Callable[..., Network]) -> None:
    """Register the command."""

    @app.command(name="compile")
    def compile_command(
        model: Path | None = None,
        /,
        *,
        shape: ShapeOption = None,
        box: BoxOption = None,
        polytope: PolytopeOption = None,
        plane: PlaneOption = None,
        size: SizeOption = None,
        segment: SegmentOption = None,
        line: LineOption = None,
        workers: Processes = None,
        json: Json = False,
    ) -> int:
        """Compile the kernels now, for images and clusters: all, or those for a model and domain.

        Example: linregions compile --workers 2

        Parameters
        ----------
        model
            A model file: only the kernels that count, list and estimate take for it.
        """
        names = list(JOBS)
        if model is not None:
            where = Where(box, polytope, plane, size, segment, line)
            names = needed(load(model, shape), where.domain())
        number = workers_of(workers) or available()
        begin, found = time.perf_counter(), {}
        for kernel in compiled(names, min(number, len(names))):
            found[kernel.name] = kernel.seconds
            took = f"{kernel.seconds:.1f} s" if kernel.seconds else "there already"
            print(f"{kernel.name:10} {took:>14}  {kernel.what}", file=sys.stderr, flush=True)
        seconds = time.perf_counter() - begin
        if json:
            where_kept = [str(folder) for folder in folders()]
            print(jsonlib.dumps({"kernels": found, "seconds": seconds, "folders": where_kept}))
        else:
            print(f"{len(found)} kernels in {seconds:.1f} s, in {folders()[0]}")
        return 0
