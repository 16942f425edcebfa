"""``linregions list``: the regions, to a table or to the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..definitions import check_exact, check_kind
from ..errors import LinregionsError
from ..figures import dump
from ..merging.compile import compile_for
from ..network.pattern import pieces
from ..parallel.run import Means
from ..progress import Progress, watched
from ..questions.answering import check_options
from ..questions.listing import Listing
from ..questions.store import check_target
from ..search.search import Leaves
from .model import Model, Shape, read_model
from .options import Exact, Json, Limit, Target, Where, Workers
from .progress import shown


def command(
    model: Model,
    /,
    *,
    shape: Shape = None,
    where: Where = Where(),
    kind: str = "activation",
    output: Target = None,
    exact: Exact = True,
    limit: Limit = None,
    seconds: float | None = None,
    workers: Workers = Workers(),
    json: Json = False,
) -> int:
    """List the activation regions of a network: pattern and a point of each.

    Example: linregions list network.onnx --box=-1,1 -o regions.parquet

    Without -o the regions are printed, one line each (the first 20 unless --limit says more).

    Parameters
    ----------
    kind
        activation (the only kind that is listed).
    output
        A .npz or .parquet file; it appears only when it is complete. Until then FILE.parquet.parts
        holds what there is so far.
    limit
        List at most so many regions.
    seconds
        Stop after so much time.
    """
    check_exact(exact, "--no-exact")
    if kind != "activation":
        check_kind(kind)
        raise LinregionsError(f"list --kind {kind}: only activation regions are listed; count it")
    net, domain = read_model(model, shape), where.domain()
    domain.chart(net.inputs)
    target = None if output is None else check_target(output)
    if target is None and limit is None and not json:
        limit = 20
    check_options(kind, "auto", limit, seconds)
    with workers.options() as given:
        means = Means.of(given.get("workers"), given.get("executor"))
        listing, extra = _listed(
            lambda: Listing(net, domain, limit, seconds, means), target, seconds, json
        )
    summary = {**listing.summary(), **extra}
    if json:
        print(dump(summary))
    elif target is not None:
        print(f"{listing.listed:,} regions written to {target}")
    elif listing.stopped:
        print(f"... ({listing.listed:,} shown; more with --limit N, all with -o FILE)")
    return 130 if listing.stopped == "interrupt" else 0


def _listed(
    make: Callable[[], Listing], target: Path | None, seconds: float | None, as_json: bool
) -> tuple[Listing, dict[str, Any]]:
    """List to a file, or to stdout; the list, and what the summary says of where it is."""

    def work(report: Progress | None) -> tuple[Listing, dict[str, Any]]:
        listing = make()
        compile_for(listing.problem)
        if target is not None:
            listing.write(target, report)
            return listing, {"output": str(target)}
        rows = [row for found in listing for row in _rows(listing, found, as_json)]
        return listing, {"listed": rows} if as_json else {}

    with shown() as report:
        return watched(work, seconds, report, on_interrupt="return")


def _rows(listing: Listing, found: Leaves, as_json: bool) -> list[Any]:
    patterns = pieces(listing.problem.network, found.signs)
    points = listing.problem.embed(found.points)
    out = []
    for pattern, point in zip(patterns, points, strict=True):
        if as_json:
            out.append({"pattern": pattern.tolist(), "point": point.tolist()})
        else:
            at = ", ".join(f"{v:.6g}" for v in point[:8]) + (", ..." if len(point) > 8 else "")
            print("".join(map(str, pattern)), f"({at})")
    return out
