"""``linregions count``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ..answer import Count
from ..bounding import Bound, magnitude, tightest
from ..definitions import MEMORY, check_exact
from ..domain.domains import Domain
from ..domain.restrict import restrict
from ..errors import LinregionsError
from ..network.network import Network
from ..progress import watched
from ..questions.answering import check_options
from ..questions.count import count
from .count_words import prose
from .model import Model, Shape, read_model
from .options import Effort, Exact, Json, Merging, Stop, Where
from .output import answered
from .progress import shown
from .shard import ShardFile
from .union import count_each


def command(
    model: Model,
    /,
    *,
    shape: Shape = None,
    where: Where = Where(),
    kind: str = "activation",
    engine: str = "auto",
    exact: Exact = True,
    stop: Stop = Stop(),
    effort: Effort = Effort(),
    merging: Merging = Merging(),
    part: ShardFile = ShardFile(),
    proof: Path | None = None,
    json: Json = False,
) -> int:
    """Count the regions of a network, over all of R^n, a box, a plane, a line, ...

    Example: linregions count network.onnx --box=-1,1 --kind linear

    Parameters
    ----------
    kind
        activation (cells of one pattern), linear (cells of one affine map, joined through
        facets), closed (closed sets of one affine map), affine (distinct affine maps) or
        pattern (lower-dimensional patterns too; small networks).
    engine
        search (any dimension, little memory), complex (bounded domains of dimension 1 to 4,
        fast) or auto, which takes complex where it can; milp and milp-scip are slow referees.
    proof
        A file to write the proof of the answer to; `linregions check FILE` checks it.
    """
    check_exact(exact, "--no-exact")
    check_options(kind, engine, stop.limit, stop.seconds)
    part.check(kind, engine, stop.limit)
    if proof is not None and part.shard is not None:
        raise LinregionsError("--proof is that of a whole count; leave out --shard")
    _check_used(kind, merging)
    net, domains = read_model(model, shape), where.domains()
    memory, begin = merging.memory or MEMORY, time.perf_counter()
    options = {"kind": kind, "engine": engine, "scratch": merging.scratch}
    if len(domains) > 1:
        single = [proof, part.shard, effort.checkpoint]
        with _working(effort) as given:
            table = count_each(net, domains, stop, single, memory=memory, **options, **given)
        words = partial(table.describe, model.name, net.units)
        return answered(table.facts(), words, json, table.stopped)
    (domain,) = domains
    if part.shard is not None:
        with _working(effort) as given:
            done = part.count(net, domain, seconds=stop.seconds, **given)
        return answered(done.facts(), partial(done.describe, part.output), json, done.count.stopped)
    with _working(effort) as given:
        answer = count(
            net, domain, limit=stop.limit, seconds=stop.seconds, memory=memory, proof=proof,
            **options, **given,
        )  # fmt: skip
    left = None if stop.seconds is None else stop.seconds - (time.perf_counter() - begin)
    bound = _upper(net, domain, answer, left)
    facts = {**answer.to_dict(), "upper_bound": None if bound is None else int(bound.value)}
    tail = "" if bound is None else f"\n  at most     {magnitude(bound.value)} ({bound.name})"
    return answered(facts, lambda: prose(model.name, net, answer) + tail, json, answer.stopped)


@contextmanager
def _working(effort: Effort) -> Iterator[dict[str, Any]]:
    """What every way to count is given besides: who works, who is told, what Ctrl-C does."""
    with shown() as report, effort.options() as given:
        yield {"progress": report, "on_interrupt": "return", **given}


def _upper(net: Network, domain: Domain, answer: Count, left: float | None) -> Bound | None:
    """The tightest proved upper bound beside a count, in what is left of its time."""
    if answer.report.kind == "pattern":
        return None  # every bound is one of full-dimensional regions
    if answer.stopped == "interrupt":
        left = 0.3
    if left is not None and left <= 0:
        return None
    try:
        return watched(lambda _: tightest(restrict(net, domain)), left, otherwise=lambda _: None)
    except KeyboardInterrupt:
        return None


def _check_used(kind: str, merging: Merging) -> None:
    """Raise for options that nothing would take notice of."""
    if kind not in ("linear", "affine"):
        for name, value in vars(merging).items():
            if value is not None:
                raise LinregionsError(
                    f"--{name} is for cells that are merged: --kind linear or affine, not {kind}"
                )
