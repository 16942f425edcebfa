"""`count(..., proof=FILE)`: the answer, and why it is true, in a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ..answer import Count
from ..certificates.proof import Limits, prove
from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..merging.compile import compile_kernel
from ..progress import Progress, Status, Stopped, tell
from .answering import answer_of

KINDS = ("activation", "linear", "affine")


def check_proof_options(path: str | Path, kind: str, engine: str, other: bool) -> Path:
    """The file of the proof, once nothing that was asked for stands against it."""
    path = Path(path)
    if kind not in KINDS:
        raise LinregionsError(f'kind="{kind}" has no proof; those of {", ".join(KINDS)} have')
    if engine not in ("auto", "search"):
        raise LinregionsError(
            f'a proof is that of a search, and not of engine="{engine}"; leave it out or give '
            'engine="search"'
        )
    if other:
        raise LinregionsError(
            "a proof is written in parts that are kept by themselves: it takes workers, but no "
            "executor or checkpoint"
        )
    if not path.parent.is_dir():
        raise LinregionsError(f"{path}: the folder {path.parent} does not exist")
    if path.is_dir():
        raise LinregionsError(f"{path} is a folder; give the name of a file")
    return path


def count_with_proof(
    problem: Restricted,
    kind: str,
    path: Path,
    workers: int | None,
    limit: int | None,
    seconds: float | None,
    progress: Progress | None,
    counted: Callable[[], Count],
) -> Count:
    """Count the regions of a problem and write the proof; ``counted`` counts them without one.

    A count that is stopped leaves a folder ``FILE.parts`` behind, from which the next one goes on.
    """
    begin = time.perf_counter()
    total, also = None, {}
    if kind != "activation":
        try:
            found = counted()
        except Stopped as stop:
            if stop.partial is None:
                raise
            return stop.partial
        total, also = int(found), dict(found.also)
        begin = time.perf_counter() - found.seconds
    start = begin + compile_kernel(full=True)
    last = [0.0]

    def report(cells: int) -> None:
        now = time.perf_counter()
        if progress is not None and now - last[0] > 0.1:
            last[0] = now
            tell(progress, Status(cells, now - start, stage="prove"))

    until = float("inf") if seconds is None else time.time() + seconds
    limits = Limits(float("inf") if limit is None else limit, until)
    answer = prove(problem, path, kind, total, workers, limits, report)
    value, stopped = answer.leaves if total is None else total, answer.stopped
    if total is not None:
        cells = also.setdefault("activation", answer.leaves)
        if not stopped and cells != answer.leaves:
            raise ArithmeticError(
                f"the proof has {answer.leaves} cells and the count {cells}; report this network"
            )
    stats = {**answer.stats, "proof_bytes": answer.size}
    return answer_of(
        problem,
        "search",
        value,
        kind,
        exact=True,
        complete=not stopped or total is not None,
        stopped=stopped,
        seconds=time.perf_counter() - start,
        stats=stats,
        also=also,
        proof="" if stopped else str(path),
    )
