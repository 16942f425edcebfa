"""Published bounds of networks of layers, dense or maxout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import ceil, prod

from ..theory import OutOfReach, dense, expectation, maxout
from ..theory._check import within_reach
from ..theory._dimension import start, step
from ..theory.arrangements import elementary, mixed
from .bound import EVERY, MOST, Bound
from .shape import Shape


def of_shape(shape: Shape, lower: bool = True, skipped: list[str] | None = None) -> list[Bound]:
    """Every formula that applies; into ``skipped`` goes what is out of reach, and why."""
    skipped = [] if skipped is None else skipped
    pieces = Counter(k for m in shape.layers for k in m.pieces)
    everything = prod(k**n for k, n in pieces.items())
    found = [Bound("trivial", everything, "upper", EVERY, (), "proved", "any unit on any piece")]
    if not shape.layers:
        return found
    at = shape.inputs, shape.widths
    rules: list[tuple[str, bool, Callable[[], list[Bound]]]] = [
        ("montufar2017", True, lambda: _products(shape)),
        ("serra2018", shape.plain, lambda: _serra(shape, skipped)),
        ("lower bounds", shape.relu and lower and min(shape.widths) > 0,
         lambda: _lower_bounds(*at)),
        ("expectations", shape.relu and lower, lambda: _expectations(*at)),
        ("serra2018-maxout", _one_rank(shape), lambda: _maxout_bounds(shape)),
    ]  # fmt: skip
    for name, applies, rule in rules:
        if applies:
            try:
                found += rule()
            except OutOfReach as why:  # numbers too large to compute: one bound less
                skipped.append(f"{name}: {why}")
    return found


def _one_rank(shape: Shape) -> bool:
    return shape.chain and all(m.most and len(set(m.pieces)) == 1 for m in shape.layers)


def _products(shape: Shape) -> list[Bound]:
    """Every layer an arrangement in the dimensions that its input has."""

    def product(dims: list[int]) -> int:
        return prod(mixed(m.pieces, d) for m, d in zip(shape.layers, dims, strict=True))

    value = product(shape.dimensions())
    if any(m.most for m in shape.layers):
        paper = "Montufar, Ren and Zhang 2022, layer by layer"
        return [Bound("maxout", value, "upper", EVERY, (), "from memory", paper)]
    if not shape.relu:
        paper = "Montufar 2017, Proposition 3, with K - 1 hyperplanes for K pieces"
        return [Bound("pieces", value, "upper", EVERY, (), "proved", paper)]
    whole_input = product([shape.inputs] * len(shape.layers))
    paper = "Raghu et al. 2017, Theorem 1 (explicit form)"
    return [
        Bound("raghu2017", whole_input, "upper", EVERY, (), "proved", paper),
        Bound("montufar2017", value, "upper", EVERY, (), "proved", "Montufar 2017, Proposition 3"),
    ]


def _serra(shape: Shape, skipped: list[str]) -> list[Bound]:
    on = ("units that are off are constant",)
    paper = "Serra, Tjandraatmadja and Ramalingam 2018, Theorem 1"
    if not shape.relu:
        F = start(shape.inputs)
        for m in shape.layers:
            F = step(F, elementary([1] * len(m.pieces), len(F) - 1), m.size, cap=m.size)
        return [Bound("serra2018", sum(F), "upper", EVERY, on, "proved", paper)]
    at = shape.inputs, shape.widths
    found = [Bound("serra2018", dense.serra2018(*at), "upper", EVERY, on, "proved", paper)]
    if max(shape.widths) > 64:
        skipped.append(
            f"hinz-recursive: a layer of {max(shape.widths):,} units; its table is made for at "
            "most 64"
        )
    else:
        paper = "Hinz and van de Geer 2019, with a recursive gamma"
        found.insert(
            0, Bound("hinz-recursive", dense.hinz(*at), "upper", EVERY, on, "proved", paper)
        )
    return found


def _lower_bounds(n0: int, widths: list[int]) -> list[Bound]:
    """Each theorem for the number of inputs that serves it best; the others stay unused."""
    rules: list[tuple[str, Callable[[int, list[int]], int], int, str, str]] = [
        ("pascanu2013", dense.pascanu2013, 1, "published", "Pascanu et al. 2013, Theorem 1"),
        ("montufar2014", dense.montufar2014, 1, "published", "Montufar et al. 2014, Theorem 4"),
        ("serra2018-lower", dense.serra2018_lower, 3, "proved", "Serra et al. 2018, lower bound"),
    ]
    found = []
    for name, rule, share, status, paper in rules:
        narrow = widths[:-1] if share == 3 else widths
        most = min([n0, *(m // share for m in narrow)])
        if not most:
            continue
        within_reach(most * most, sum(widths), f"{name} for {most} numbers of inputs")
        value, d = max((rule(d, widths), -d) for d in range(1, most + 1))
        d = -d
        conditions = (f"every width >= {share * d}{', the last excepted' * (share == 3)}",)
        if d < n0:
            conditions += (f"{d} of {n0} inputs used",)
        if name == "montufar2014" and min(widths[:-1], default=2 * d) >= 2 * d:
            status = "proved"  # by the construction of this library
        found.append(Bound(name, value, "lower", MOST, conditions, status, paper))
    equal = len(widths) > 1 and len(set(widths[1:])) == 1 and widths[1] > 1
    if equal and n0 and widths[0] and widths[0] % 2 == 0:
        value = dense.arora2018(n0, widths[0] // 2, widths[1], len(widths))
        conditions = ("an even first width, the others equal",)
        paper = "Arora et al. 2018, Theorem 2.11"
        found.append(Bound("arora2018", value, "lower", MOST, conditions, "published", paper))
    if len(widths) == 2 and n0 >= widths[0]:
        value = ceil(expectation.wang_two_layers_activation(*widths))
        paper = "the mean over random weights (Wang 2022, Theorem 2.1 (2), sharpened)"
        found.append(Bound("mean", value, "lower", MOST, ("n0 >= n1",), "proved", paper))
    return found


def _expectations(n0: int, widths: list[int]) -> list[Bound]:
    random = "independent weights and biases with even densities"
    if len(widths) == 2 and n0 >= widths[0]:
        n1, n2 = widths
        value = expectation.wang_two_layers_activation(n1, n2)
        found = [
            Bound("wang2022-activation", value, "equal", "expected activation regions over R^n",
                  (random, "n0 >= n1"), "proved", "Wang 2022, Theorem 2.1 (2), sharpened"),
        ]  # fmt: skip
        if n0 >= max(widths):
            low, high = expectation.wang_two_layers(n1, n2)
            for value, direction in ((low, "lower"), (high, "upper")):
                found.append(
                    Bound(f"wang2022-{direction}", value, direction,
                          "expected linear regions over R^n, one output",
                          (random, "n0 >= n1, n2"), "published", "Wang 2022, Theorem 2.1 (2)")
                )  # fmt: skip
        return found
    if len(widths) >= 2 and set(widths) == {2} and n0 >= 2:
        low, high = expectation.wang_width_two(len(widths))
        pairs, part = ((low, "lower"), (high, "upper")), "(3)"
    elif set(widths) == {1}:
        pairs, part = ((expectation.wang_narrow(len(widths)), "upper"),), "(1)"
    else:
        return []
    return [
        Bound(f"wang2022-{direction}", value, direction,
              "expected linear regions over R^n, one output", (random,), "published",
              f"Wang 2022, Theorem 2.1 {part}")
        for value, direction in pairs
    ]  # fmt: skip


def _maxout_bounds(shape: Shape) -> list[Bound]:
    rank, widths = shape.layers[0].pieces[0], shape.widths
    found = []
    if all(m.pieces[0] == rank for m in shape.layers):
        value = maxout.serra2018(shape.inputs, widths, rank)
        found.append(
            Bound("serra2018-maxout", value, "upper", EVERY, (), "from memory",
                  "Serra et al. 2018, Theorem 2 (as corrected)")
        )  # fmt: skip
        if all(m >= shape.inputs > 0 for m in widths) and rank >= 2:
            value = maxout.montufar2014_lower(shape.inputs, len(widths), rank)
            found.append(
                Bound("montufar2014-maxout", value, "lower", MOST, ("every width >= n0",),
                      "from memory", "Montufar et al. 2014, Theorem 10")
            )  # fmt: skip
    return found
