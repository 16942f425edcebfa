"""`bounds`: every published bound that applies to a network or an architecture.

What a network is, is read off once (`_Shape`): for each layer how many pieces its units have
and whether a unit that is off is constant. The formulas are in `theory`; the bound that
reads the weights is here, over the intervals of `stability`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import ceil, log10, prod
from typing import Any

import numpy as np

from .affine import INPUT, Affine
from .domain import Domain, Restricted, Space, restrict
from .errors import LinregionsError
from .network import Network
from .rational import integers
from .stability import reaches
from .theory import Conv, conv, deepconv, dense, expectation, maxout, shared
from .theory._check import whole, wholes
from .theory._dimension import start, step
from .theory.arrangements import elementary, mixed
from .units import MaxUnits

__all__ = ["Bound", "Dense", "bounds", "magnitude", "tightest"]

ACTIVATIONS = {"relu": 2, "leaky_relu": 2, "abs": 2, "hardtanh": 3, "relu6": 3, "hardsigmoid": 3}
LARGEST = 10**7  # entries of a weight matrix beyond which the weights are not read
EVERY = "activation regions of every network of this shape, over R^n or a convex part of it"
MOST = "the largest number of activation regions that a network of this shape has over R^n"
THIS = "activation regions of this network"


@dataclass(frozen=True)
class Bound:
    """A statement about a number of regions.

    Attributes
    ----------
    name
        Short and unique within an answer.
    value
        An exact integer (a Fraction for an expectation).
    direction
        ``upper``, ``lower`` or ``equal``.
    bounds
        What the value bounds, in words.
    conditions
        Under which conditions, all of which are met.
    status
        ``proved`` (an argument is in the documentation of this library or in its source, and
        was checked), ``published``, or ``from memory`` (of a paper whose text was not at hand).
    source
        Paper and theorem.
    """

    name: str
    value: int | Fraction
    direction: str
    bounds: str
    conditions: tuple[str, ...]
    status: str
    source: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``linregions bounds --json``; a Fraction becomes a string."""
        value = self.value if isinstance(self.value, int) else str(self.value)
        return {
            "name": self.name,
            "value": value,
            "direction": self.direction,
            "bounds": self.bounds,
            "conditions": list(self.conditions),
            "status": self.status,
            "source": self.source,
        }


@dataclass(frozen=True)
class Dense:
    """The shape of a fully connected network.

    Parameters
    ----------
    inputs, widths
        Input dimension and hidden widths.
    activation
        ``relu``, ``leaky_relu``, ``abs``, ``hardtanh``, ``relu6``, ``hardsigmoid`` or a number
        of pieces.
    maxout
        The rank, for maxout units.

    Examples
    --------
    >>> bounds(Dense(2, [3, 3], activation="leaky_relu"))[0].value
    49
    """

    inputs: int
    widths: Sequence[int]
    activation: str | int = "relu"
    maxout: int | None = None

    def __post_init__(self) -> None:
        whole(self.inputs, "the input dimension")
        object.__setattr__(self, "widths", wholes(self.widths, "the widths"))
        if self.maxout is not None:
            whole(self.maxout, "the rank of maxout units", 1)
            if self.activation != "relu":
                raise LinregionsError("maxout units have no activation; give one of the two")
        _pieces(self.activation)


def _pieces(activation: str | int) -> int:
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise LinregionsError(
                f"unknown activation {activation!r}; give one of {', '.join(ACTIVATIONS)} or "
                "a number of pieces"
            )
        return ACTIVATIONS[activation]
    return whole(activation, "the number of pieces", 1)


@dataclass(frozen=True)
class _Layer:
    """``pieces`` of each unit that switches, how many units do not, and of what sort they are."""

    pieces: tuple[int, ...]
    straight: int = 0
    flat: bool = True  # every switching unit is constant on one of two pieces
    most: bool = False  # units are maxima
    reads: int | None = None  # the widths that it reads, together (None: the layer before)

    @property
    def size(self) -> int:
        return len(self.pieces) + self.straight


@dataclass(frozen=True)
class _Shape:
    inputs: int
    layers: tuple[_Layer, ...]
    chain: bool = True  # every layer reads the one before it, and nothing else

    @property
    def plain(self) -> bool:
        """ReLU-like units in a chain: what Serra's subtraction is valid for."""
        return self.chain and all(m.flat and not m.most for m in self.layers)

    @property
    def widths(self) -> list[int]:
        return [m.size for m in self.layers]

    @property
    def relu(self) -> bool:
        """Dense layers of two-piece units only: the setting of the papers."""
        return self.plain and all(not m.straight for m in self.layers) and bool(self.layers)

    def dimensions(self) -> list[int]:
        """How many dimensions the input of each layer may have."""
        if self.chain:
            return list(accumulate([self.inputs, *self.widths], min))[: len(self.layers)]
        return [min(self.inputs, self.inputs if m.reads is None else m.reads) for m in self.layers]


def bounds(source: Any, domain: Domain | None = None, *, lp: bool = False) -> list[Bound]:
    """Every bound that applies, the tightest first: upper bounds, lower bounds, expectations.

    Upper bounds hold for activation regions, hence for the fewer linear, closed and affine
    ones (not for lower-dimensional patterns). Lower bounds are about the maximum over the
    weights, and are given for architectures and for networks alike.

    Parameters
    ----------
    source
        A `Network` or anything that `load` takes; or an architecture: ``[n0, n1, ..., nL]``
        for dense ReLU layers, a `Dense`, a `theory.Conv` or a list of them.
    domain
        Where to look (networks only); convex, all of R^n by default. It matters for the
        dimension and for the bound that reads the weights.
    lp
        Sharpen that bound by linear programs, two for each unit; for bounded domains.

    Returns
    -------
    list of Bound

    Raises
    ------
    LinregionsError
        For a bad network, architecture or domain.

    Examples
    --------
    >>> found = bounds([784, 11, 11])
    >>> found[0].name, found[0].value
    ('hinz-recursive', 2449868)
    """
    if isinstance(source, Conv) or _all(source, Conv):
        _no_domain(domain)
        return _sorted(_conv_bounds([source] if isinstance(source, Conv) else list(source)))
    if isinstance(source, Dense) or _all(source, (int, np.integer)):
        _no_domain(domain)
        given = source if isinstance(source, Dense) else _from_list(source)
        return _sorted(_dense_bounds(_dense_shape(given)))
    return _sorted(_network_bounds(_restricted(source, domain), lp))


def tightest(network: Any, domain: Domain | None = None) -> Bound:
    """The tightest upper bound of a network over a domain, of those that are proved.

    Examples
    --------
    >>> tightest([([[1.0], [1.0]], [0.0, 1.0]), ([[1.0, 1.0]], [0.0])]).value
    3
    """
    found = _network_bounds(_restricted(network, domain), lower=False)
    return min((b for b in found if b.status != "from memory"), key=lambda b: b.value)


def _restricted(source: Any, domain: Domain | None) -> Restricted:
    if isinstance(source, Restricted):
        return source
    return restrict(_network(source), Space() if domain is None else domain)


def _network_bounds(problem: Restricted, lp: bool = False, lower: bool = True) -> list[Bound]:
    shape = _shape(problem)
    found = _dense_bounds(shape, lower)
    size = problem.network.size_of
    entries = [m.affine.size * size(s) for m in problem.network.layers for s in m.affine.sources]
    if max(entries, default=0) <= LARGEST:
        found += _weight_bounds(problem, shape, lp)
    return found


def _all(source: Any, kind: Any) -> bool:
    is_list = isinstance(source, list | tuple | np.ndarray) and len(source) > 0
    return is_list and all(isinstance(v, kind) and not isinstance(v, bool) for v in source)


def _from_list(sizes: Any) -> Dense:
    if len(sizes) < 2:
        raise LinregionsError(f"{list(sizes)} is no architecture; give [inputs, width, ...]")
    return Dense(int(sizes[0]), [int(v) for v in sizes[1:]])


def _no_domain(domain: Domain | None) -> None:
    if domain is not None:
        raise LinregionsError(
            "an architecture has no domain: its bounds hold over every convex one"
        )


def _network(source: Any) -> Network:
    if isinstance(source, Network):
        return source
    from .readers import load

    return load(source)


def _sorted(found: list[Bound]) -> list[Bound]:
    upper = sorted(
        (b for b in found if b.direction != "lower" and _whole(b)), key=lambda b: b.value
    )
    lower = sorted(
        (b for b in found if b.direction == "lower" and _whole(b)), key=lambda b: -b.value
    )
    return [*upper, *lower, *(b for b in found if not _whole(b))]


def _whole(b: Bound) -> bool:
    return "expected" not in b.bounds


# -- shapes -----------------------------------------------------------------------------------


def _dense_shape(given: Dense) -> _Shape:
    k = given.maxout or _pieces(given.activation)
    flat = given.maxout is None and given.activation == "relu"
    layers = [_Layer((k,) * m, flat=flat, most=given.maxout is not None) for m in given.widths]
    if k == 1:
        layers = [_Layer((), m) for m in given.widths]
    return _Shape(given.inputs, tuple(layers))


def _shape(problem: Restricted) -> _Shape:
    net, layers, chain = problem.network, [], True
    spans = {INPUT: problem.dimension}
    for i, layer in enumerate(net.layers, start=1):
        sources = layer.affine.sources
        chain = chain and sources in ((), (i - 1,))
        counts = [k for k in layer.units.pieces_per_unit() if k > 1]
        reads = min(problem.dimension, sum(spans[s] for s in sources))
        spans[i] = min(reads, layer.size)
        layers.append(
            _Layer(
                tuple(counts),
                layer.size - len(counts),
                _flat(layer.units),
                isinstance(layer.units, MaxUnits),
                reads,
            )
        )
    return _Shape(problem.dimension, tuple(layers), chain)


def _flat(units: Any) -> bool:
    if isinstance(units, MaxUnits):
        return False
    bent = [units.kinds[w] for w in units.which if units.kinds[w].breaks]
    return all(len(k.slopes) == 2 and 0 in k.slopes for k in bent)


# -- architectures ----------------------------------------------------------------------------


def _dense_bounds(shape: _Shape, lower: bool = True) -> list[Bound]:
    everything = prod(k for m in shape.layers for k in m.pieces)
    found = [Bound("trivial", everything, "upper", EVERY, (), "proved", "any unit on any piece")]
    if not shape.layers:
        return found
    found += _products(shape)
    if shape.plain:
        found += _serra(shape)
    if shape.relu and lower:
        found += _lower_bounds(shape.inputs, shape.widths)
        found += _expectations(shape.inputs, shape.widths)
    if all(m.most and len(set(m.pieces)) == 1 for m in shape.layers) and shape.chain:
        found += _maxout_bounds(shape)
    return found


def _products(shape: _Shape) -> list[Bound]:
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


def _serra(shape: _Shape) -> list[Bound]:
    on = ("units that are off are constant",)
    paper = "Serra, Tjandraatmadja and Ramalingam 2018, Theorem 1"
    if not shape.relu:
        F = start(shape.inputs)
        for m in shape.layers:
            F = step(F, elementary([1] * len(m.pieces), len(F) - 1), m.size, cap=m.size)
        return [Bound("serra2018", sum(F), "upper", EVERY, on, "proved", paper)]
    at = shape.inputs, shape.widths
    found = [Bound("serra2018", dense.serra2018(*at), "upper", EVERY, on, "proved", paper)]
    if max(shape.widths) <= 64:
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


def _maxout_bounds(shape: _Shape) -> list[Bound]:
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


def _conv_bounds(layers: list[Conv]) -> list[Bound]:
    layers = deepconv.checked(layers)
    flat = _Shape(layers[0].inputs, tuple(_Layer((2,) * m.units) for m in layers))
    every = [b for b in _dense_bounds(flat) if b.direction == "upper" and _whole(b)]
    work = conv.WORK // 10
    if len(layers) == 1:
        return [*every, *_one_conv(layers[0], work)]
    paper = "Xiong et al. 2020, Theorem 5 (ii)"
    every.append(
        Bound("xiong2020", deepconv.upper(layers, work=work), "upper", EVERY, (), "proved", paper)
    )
    for name, rule, how in (
        ("xiong2020-dimension", deepconv.upper_by_dimension, "dimensions followed"),
        ("xiong2020-receptive", deepconv.upper_by_receptive_field,
         "dimensions and receptive fields followed"),
    ):  # fmt: skip
        value = rule(layers, work=work)
        every.append(Bound(name, value, "upper", EVERY, (), "proved", f"{paper}, {how}"))
    try:
        value = deepconv.lower(layers, work=work)
    except LinregionsError:
        return every
    conditions = ("no padding or dilation", "at least as many filters as input channels")
    paper = "Xiong et al. 2020, Theorem 5 (i), with the true count of its last layer"
    return [*every, Bound("xiong2020-lower", value, "lower", MOST, conditions, "published", paper)]


def _one_conv(layer: Conv, work: int) -> list[Bound]:
    best = shared.maximum(layer, work=work)
    found = []
    if best.eq4 is not None:
        found.append(
            Bound("xiong2020-eq4", best.eq4, "upper", EVERY, (), "proved",
                  "Xiong et al. 2020, equation (4), as an upper bound")
        )  # fmt: skip
    elif best.generic is None:
        found.append(Bound("xiong2020-relaxed", best.value, "upper", EVERY, (), "proved", best.why))
    if best.exact:
        certain = best.generic is not None
        how = ("counted modulo 2^61 - 1 for random weights",) if certain else ()
        proved = certain or "dimension" not in best.why
        found.append(
            Bound("xiong2020-maximum", best.value, "lower", MOST, how,
                  "proved" if proved else "published", f"Xiong et al. 2020, Theorem 2: {best.why}")
        )  # fmt: skip
        if best.eq4 is None or best.value < best.eq4:
            found.append(
                Bound("xiong2020-shared", best.value, "upper", EVERY, how, "proved", best.why)
            )
    return found


# -- the bound that reads the weights ---------------------------------------------------------


def _weight_bounds(problem: Restricted, shape: _Shape, lp: bool) -> list[Bound]:
    """Section "weight-dependent" of the documentation: units that switch, ranks, dimensions."""
    layers, reach = problem.network.layers, reaches(problem, lp)
    F, total, dims = start(problem.dimension), 1, shape.dimensions()
    stable = 0
    for layer, mine, kind, d in zip(layers, reach, shape.layers, dims, strict=True):
        switching = mine.pieces > 1
        stable += int((~switching).sum())
        pieces = mine.pieces[switching].tolist()
        if shape.plain:
            rank = _rank(layer.affine, problem)
            few = _rank(layer.affine.rows(np.flatnonzero(switching)), problem)
            a = elementary([1] * len(pieces), min(len(F) - 1, few))
            on = int(mine.active.sum())
            F = step(F, a, on, cap=min(rank, on))
        else:
            rank = layer.affine.size if kind.most else _rank(layer.affine, problem)
            total *= mixed(pieces, min(d, rank))
    value = sum(F) if shape.plain else total
    how = "linear programs" if lp else "intervals"
    over = problem.domain.describe()
    where = f"{THIS} over {over}"
    conditions = (f"{stable} units stable by {how}",)
    status = "from memory" if any(m.most for m in shape.layers) else "proved"
    paper = "down-shift lemma with stable units and ranks (after Serra and Ramalingam 2018)"
    return [Bound("weights", value, "upper", where, conditions, status, paper)]


def _rank(affine: Affine, problem: Restricted, largest: int = 40_000) -> int:
    """An upper bound for the rank of an affine map's linear part; exact for small ones.

    The number of rows or columns that are not zero; less only if exact elimination says so,
    which is tried when the rank modulo a prime is smaller.
    """
    from flint import nmod_mat

    sources = affine.sources
    size = problem.network.size_of
    blocks = [affine.rounded(s, size(s)) for s in sources]
    if not blocks or affine.size == 0:
        return 0
    exact = all(error is None for _, error in blocks)
    W = np.hstack([w for w, _ in blocks])
    if not exact:
        W = np.hstack([(w != 0) | (e is not None and e != 0) for w, e in blocks]).astype(float)
    loose = min(int(W.any(axis=1).sum()), int(W.any(axis=0).sum()))
    entries = sum(prod(f.shape) for t in affine.terms for f in t.factors)
    if loose == 0 or entries > largest:
        return loose
    matrix = (
        integers(W)
        if exact
        else integers(np.hstack([affine.exact(s, size(s)).to_fractions() for s in sources]))
    )
    prime = (1 << 61) - 1
    flat = [int(v) % prime for row in matrix.num.tolist() for v in row]
    if nmod_mat(*W.shape, flat, prime).rank() == loose:
        return loose
    return matrix.num.rank()


def magnitude(value: int | Fraction) -> str:
    """A value for people: digits while they fit, else a power of ten."""
    if isinstance(value, Fraction) and value.denominator != 1:
        return f"{float(value):,.2f}"
    value = int(value)
    if value < 10**12:
        return f"{value:,}"
    bits = max(value.bit_length() - 60, 0)
    exponent = log10(value >> bits) + bits * log10(2)
    whole_part = int(exponent)
    return f"{10 ** (exponent - whole_part):.3f}e{whole_part}"
