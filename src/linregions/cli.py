"""The command line: thin words around the library.

Results go to stdout, everything else to stderr. Exit 0 success, 1 a proof is refused, 2 bad input,
130 interrupted.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from . import __version__
from .answer import Count
from .cli_bounds import add_bounds, upper_bound
from .cli_boxes import Stop, count_each
from .cli_check import add_check
from .cli_compile import add_compile
from .cli_crossings import add_crossings
from .cli_estimate import add_estimate
from .cli_measure import add_measure
from .cli_paper import add_paper
from .cli_parallel import (
    CheckpointFile,
    Cluster,
    Effort,
    Memory,
    PartFile,
    Scratch,
    Shard,
    Workers,
    add_merge,
    check_shard,
    count_part,
)
from .cli_progress import leave, shown
from .cli_sample import add_sample
from .cli_volume import add_volume
from .counting import check_options, compile_for, count
from .definitions import KINDS, MEMORY, check_kind
from .domain import Domain, restrict
from .draw.command import register as add_draw
from .errors import LinregionsError, PartialAnswerWarning
from .figures import dump
from .listing import Listing
from .network import Network
from .parallel.run import Means
from .progress import Progress, current, watched
from .readers import load
from .readers.builder import COMPILED, ROUNDED
from .regions import pieces
from .search.engine import Leaves
from .seen import seen_dimension
from .store import check_target
from .where import (
    BoxOption,
    Json,
    LineOption,
    Model,
    PlaneOption,
    PolytopeOption,
    SegmentOption,
    ShapeOption,
    SizeOption,
    Where,
    sizes_of,
)

app = App(
    name="linregions",
    help="Count the linear regions of piecewise-linear neural networks, exactly.",
    version=__version__,
    suppress_keyboard_interrupt=False,  # `_run` says it, with the JSON
)


def _whole(_: Any, tokens: Any) -> int:
    text = tokens[0].value
    if not text.lstrip("+").isdigit():
        raise LinregionsError(f"--limit={text}: give a whole number, 0 or more")
    return int(text)


Limit = Annotated[int | None, Parameter(converter=_whole)]


@app.command(name="count")
def count_command(
    model: Model,
    /,
    *,
    shape: ShapeOption = None,
    box: BoxOption = None,
    polytope: PolytopeOption = None,
    plane: PlaneOption = None,
    size: SizeOption = None,
    segment: SegmentOption = None,
    line: LineOption = None,
    kind: str = "activation",
    engine: str = "auto",
    exact: bool = True,
    limit: Limit = None,
    seconds: float | None = None,
    workers: Workers = None,
    cluster: Cluster = None,
    checkpoint: CheckpointFile = None,
    memory: Memory = None,
    scratch: Scratch = None,
    shard: Shard = None,
    output: PartFile = None,
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
    exact
        Justify every decision; --no-exact is faster and uncertified.
    limit
        Stop after so many regions: the answer is then a lower bound.
    seconds
        Stop after so much time: the answer is then a lower bound.
    proof
        A file to write the proof of the answer to; `linregions check FILE` checks it.
    """
    check_options(kind, engine, limit, seconds)
    check_shard(shard, output, kind, engine, limit)
    if proof is not None and shard is not None:
        raise LinregionsError("--proof is that of a whole count; leave out --shard")
    _check_used(kind, engine, exact, memory, scratch)
    net = _load(model, shape)
    domains = Where(box, polytope, plane, size, segment, line).domains()
    effort = Effort(workers, cluster, checkpoint)
    if len(domains) > 1:
        with shown() as report, effort.options() as given:
            table = count_each(
                net, domains, Stop(limit, seconds), single=[proof, shard, checkpoint],
                kind=kind, exact=exact, engine=engine, progress=report,
                memory=memory or MEMORY, scratch=scratch, on_interrupt="return", **given,
            )  # fmt: skip
        print(dump(table.facts()) if json else table.describe(model.name, net.units))
        return 130 if table.stopped == "interrupt" else 0
    (domain,) = domains
    begin = time.perf_counter()
    with shown() as report:
        if shard is not None:
            part = count_part(net, domain, shard, output, effort, exact, seconds, report)
            print(dump(part.facts()) if json else part.describe(output))
            return 130 if part.count.stopped == "interrupt" else 0
        with effort.options() as given:
            answer = count(
                net, domain, kind=kind, exact=exact, engine=engine, limit=limit, seconds=seconds,
                progress=report, memory=memory or MEMORY, scratch=scratch, proof=proof,
                on_interrupt="return", **given,
            )  # fmt: skip
    most, bound = None, ""  # every bound is one of full-dimensional regions
    if kind != "pattern":
        left = None if seconds is None else seconds - (time.perf_counter() - begin)
        most, bound = _upper(net, domain, 0.3 if answer.stopped == "interrupt" else left)
    facts = {**answer.to_dict(), "upper_bound": most}
    tail = f"\n  at most     {bound}" if bound else ""
    print(dump(facts) if json else _prose(model.name, net, answer) + tail)
    return 130 if answer.stopped == "interrupt" else 0


@app.command(name="list")
def list_command(
    model: Model,
    /,
    *,
    shape: ShapeOption = None,
    box: BoxOption = None,
    polytope: PolytopeOption = None,
    plane: PlaneOption = None,
    size: SizeOption = None,
    segment: SegmentOption = None,
    line: LineOption = None,
    kind: str = "activation",
    output: Annotated[Path | None, Parameter(name=["-o", "--output"])] = None,
    exact: bool = True,
    limit: Limit = None,
    seconds: float | None = None,
    workers: Workers = None,
    cluster: Cluster = None,
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
    exact
        Justify every decision; --no-exact is faster and uncertified.
    limit
        List at most so many regions.
    seconds
        Stop after so much time.
    """
    if kind != "activation":
        check_kind(kind)
        raise LinregionsError(f"list --kind {kind}: only activation regions are listed; count it")
    net, domain = _load(model, shape), Where(box, polytope, plane, size, segment, line).domain()
    domain.chart(net.inputs)
    target = None if output is None else check_target(output)
    if target is None and limit is None and not json:
        limit = 20
    check_options(kind, "auto", limit, seconds)
    with Effort(workers, cluster).options() as given:
        means = Means.of(given.get("workers"), given.get("executor"))
        listing, extra = _listed(
            lambda: Listing(net, domain, exact, limit, seconds, means), target, seconds, json
        )
    summary = {**listing.summary(), **extra}
    if json:
        print(dump(summary))
    elif target is not None:
        print(f"{listing.listed:,} regions written to {target}")
    elif listing.stopped:
        print(f"... ({listing.listed:,} shown; more with --limit N, all with -o FILE)")
    return 130 if listing.stopped == "interrupt" else 0


@app.command
def info(model: Model, /, *, shape: ShapeOption = None, json: Json = False) -> int:
    """Say what a model is: layers, units, what was compiled away, what was rounded.

    Example: linregions info network.onnx
    """
    net = _load(model, shape)
    layers = [
        {
            "units": layer.size,
            "fan_in": layer.affine.size,
            "activation": layer.units.describe(),
            "reads": ["input" if s == 0 else f"layer {s}" for s in layer.affine.sources],
        }
        for layer in net.layers
    ]
    dimension = seen_dimension(net)
    notes = {
        kind: [n.removeprefix(kind) for n in net.notes if n.startswith(kind)]
        for kind in (COMPILED, ROUNDED)
    }
    facts = {
        "model": str(model),
        "inputs": net.inputs,
        "outputs": net.outputs,
        "units": net.units,
        "dimension": dimension,
        "hash": net.hash,
        "layers": layers,
        "compiled_away": notes[COMPILED],
        "roundings": notes[ROUNDED],
        "notes": list(net.notes),
    }
    if json:
        print(dump(facts))
        return 0
    print(f"{model.name}: {net.inputs} inputs, {net.outputs} outputs, {net.units} units")
    for i, layer in enumerate(layers, start=1):
        reads = "" if layer["reads"] in (["input"], [f"layer {i - 1}"]) else _reads(layer["reads"])
        print(f"  layer {i}: {layer['units']} units, {layer['activation']}{reads}")
    if dimension is not None and dimension < net.inputs:
        print(f"  over R^n the network sees {dimension} of its {net.inputs} dimensions")
    for note in net.notes:
        print(f"  {note if note.startswith((COMPILED, ROUNDED)) else f'note: {note}'}")
    print(f"  hash {net.hash[:16]}")
    return 0


# -- parts --------------------------------------------------------------------------------


def _check_used(
    kind: str, engine: str, exact: bool, memory: int | None, scratch: Path | None
) -> None:
    """Raise for options of a count that nothing would take notice of."""
    if not exact and (engine not in ("auto", "search") or kind in ("closed", "pattern")):
        raise LinregionsError(
            f"--no-exact is for the search of activation, linear and affine regions, not for "
            f"--engine {engine} --kind {kind}"
        )
    if kind not in ("linear", "affine"):
        for name, value in (("--memory", memory), ("--scratch", scratch)):
            if value is not None:
                raise LinregionsError(
                    f"{name} is for cells that are merged: --kind linear or affine, not {kind}"
                )


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


def _reads(names: list[str]) -> str:
    return " (reads " + ", ".join(names) + ")"


def _load(model: Path, shape: str | None = None) -> Network:
    sizes = sizes_of(shape)

    def work(_: Any) -> Network:
        current().stage = "reading"
        return load(model, shape=sizes)

    with warnings.catch_warnings(record=True) as caught, shown() as report:
        warnings.simplefilter("always")
        try:
            net = watched(work, progress=report)
        except LinregionsError as error:  # options have other names here
            raise LinregionsError(str(error).replace("shape=", "--shape=")) from None
    for warning in caught:
        print(f"linregions: warning: {warning.message}", file=sys.stderr)
    return net


def _upper(net: Network, domain: Domain, seconds: float | None) -> tuple[int | None, str]:
    """The upper bound beside a count, in what is left of its time."""
    nothing: tuple[int | None, str] = None, ""
    if seconds is not None and seconds <= 0:
        return nothing
    try:
        return watched(
            lambda _: upper_bound(restrict(net, domain)), seconds, otherwise=lambda _: nothing
        )
    except KeyboardInterrupt:
        return nothing


def _prose(name: str, net: Network, answer: Count) -> str:
    """An answer for a person."""
    r = answer.report
    shape = "-".join(map(str, (net.inputs, *net.widths, net.outputs)))
    least = "" if r.complete else "at least "
    where = r.domain.replace("R^n", f"R^{net.inputs}").replace("]^n", f"]^{net.inputs}")
    if r.dimension < net.inputs and not where.startswith(("plane", "segment", "line")):
        where += f" (in effect {r.dimension}-dimensional)"
    rate = (r.also.get("activation", answer.number)) / max(r.seconds, 1e-9)
    lines = [
        f"{name}: {shape}, {r.units} units",
        "",
        f"  {least}{answer.number:,} {r.kind} regions",
        f"  over {where}",
        "",
        f"  counted     {KINDS[r.kind]}",
        f"  certainty   {_certainty(r)}",
        f"  time        {r.seconds:.3g} s ({rate:,.0f} cells per second)",
    ]
    if r.proof:
        size = r.stats["proof_bytes"]
        lines.append(f"  proof       {r.proof} ({size:,} bytes); linregions check {r.proof}")
    others = [f"{v:,} {k}" for k, v in r.also.items() if k != r.kind]
    if others:
        lines.append(f"  also        {', '.join(others)}")
    lines.append(f"  perspective {_perspective(answer.number, r.units)}")
    return "\n".join(lines)


def _certainty(r: Any) -> str:
    if r.engine.startswith("milp"):
        margin = f" with margin {r.stats['margin']:g}" if r.stats else ""
        sure = f"floating point{margin}: thinner cells are missed; a referee, no proof"
    elif not r.exact:
        sure = "floating point, not certified"
    elif r.kind == "pattern":
        sure = f"exact: {r.stats['rational']:,} rational linear programs"
    else:
        if r.engine == "complex":
            hard, of = r.stats["doubtful_cells"], r.stats["cells_refined"]
            return _cut_short(r, f"exact: {hard:,} of {of:,} cells refined needed rationals")
        hard = r.stats.get("rational", 0) + r.stats.get("integer_proofs", 0)
        sure = f"exact: {hard:,} of {r.stats.get('tests', 0) + hard:,} decisions needed integers"
    return _cut_short(r, sure)


def _cut_short(r: Any, sure: str) -> str:
    if r.complete:
        return sure
    why = {"limit": "--limit", "seconds": "--seconds", "interrupt": "an interrupt"}[r.stopped]
    return f"{sure}; stopped by {why}, so this is a lower bound"


def _perspective(regions: int, units: int) -> str:
    from math import log10

    if regions == 0:
        return "nothing was counted"
    if units == 0:
        return "without units a network is affine: one region"
    patterns = f"2^{units}" + (f" = {2**units:,}" if units <= 40 else "")
    share = log10(regions) - units * log10(2)
    if share > -4:
        return f"{100 * 10**share:.3g} % of the {patterns} patterns that {units} units could have"
    return f"one in 10^{-share:.1f} of the {patterns} patterns that {units} units could have"


add_bounds(app, _load, shown)
add_check(app, _load)
add_compile(app, _load)
add_estimate(app, _load, shown, dump)
add_draw(app, _load, shown)
add_paper(app)
add_sample(app, _load, shown)
add_merge(app, dump)
add_crossings(add_volume(add_measure(app, _load, shown), _load, shown), _load, shown)


def main(argv: list[str] | None = None) -> None:
    """Entry point of the ``linregions`` command."""
    code = _run(argv)
    if argv is None:
        leave(code)
    sys.exit(code)


def _run(argv: list[str] | None) -> int:
    tokens = sys.argv[1:] if argv is None else argv
    try:
        with warnings.catch_warnings():  # floats beyond 1e308 are no news
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", PartialAnswerWarning)  # the words say it
            code = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        print(f"linregions: {' '.join(lines)} (see linregions --help)", file=sys.stderr)
        return 2
    except LinregionsError as error:
        print(f"linregions: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("linregions: interrupted", file=sys.stderr)
        if "--json" in tokens:  # there is no answer yet, and the object still comes
            print(dump({"complete": False, "stopped": "interrupt"}))
        return 130
    except (ArithmeticError, MemoryError, RecursionError) as error:  # numbers no check foresaw
        why = " ".join(f"{type(error).__name__} {error}".split())
        print(
            f"linregions: {' '.join(tokens[:2])}: numbers too large or too small to work with "
            f"({why}); scale the domain or the weights, or ask for less",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:  # the reader of a pipe has gone: nothing left to say
        sys.stderr.close()
        return 0
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
