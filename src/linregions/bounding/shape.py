"""What the formulas need to know of an architecture or a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..network.affine import INPUT
from ..network.units import MaxUnits
from ..theory._check import shown, whole, wholes

MOST = 10**6  # units of an architecture
ACTIVATIONS = {"relu": 2, "leaky_relu": 2, "abs": 2, "hardtanh": 3, "relu6": 3, "hardsigmoid": 3}


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
        whole(self.inputs, "the input dimension", 1)
        object.__setattr__(self, "widths", wholes(self.widths, "the widths"))
        check_units(sum(self.widths))
        if self.maxout is not None:
            whole(self.maxout, "the rank of maxout units", 1)
            if self.activation != "relu":
                raise LinregionsError("maxout units have no activation; give one of the two")
        count_pieces(self.activation)


def check_units(units: int) -> None:
    """Raise for more units than are listed one by one."""
    if units > MOST:
        raise LinregionsError(f"a network of {shown(units)} units; bounds are for {MOST:,} at most")


def count_pieces(activation: str | int) -> int:
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise LinregionsError(
                f"unknown activation {activation!r}; give one of {', '.join(ACTIVATIONS)} or "
                "a number of pieces"
            )
        return ACTIVATIONS[activation]
    return whole(activation, "the number of pieces", 1)


def from_list(sizes: Any) -> Dense:
    if len(sizes) < 2:
        raise LinregionsError(f"{list(sizes)} is no architecture; give [inputs, width, ...]")
    return Dense(sizes[0], sizes[1:])


@dataclass(frozen=True)
class LayerShape:
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
class Shape:
    inputs: int
    layers: tuple[LayerShape, ...]
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


def of_dense(given: Dense) -> Shape:
    k = given.maxout or count_pieces(given.activation)
    flat = given.maxout is None and given.activation == "relu"
    layers = [LayerShape((k,) * m, flat=flat, most=given.maxout is not None) for m in given.widths]
    if k == 1:
        layers = [LayerShape((), m) for m in given.widths]
    return Shape(given.inputs, tuple(layers))


def of_network(problem: Restricted, dimension: int | None = None) -> Shape:
    """``dimension``: how many the network sees at most, where these are fewer than its inputs."""
    net, layers, chain = problem.network, [], True
    d = problem.dimension if dimension is None else dimension
    spans = {INPUT: d}
    for i, layer in enumerate(net.layers, start=1):
        sources = layer.affine.sources
        chain = chain and sources in ((), (i - 1,))
        counts = [k for k in layer.units.pieces_per_unit() if k > 1]
        reads = min(d, sum(spans[s] for s in sources))
        spans[i] = min(reads, layer.size)
        layers.append(
            LayerShape(
                tuple(counts),
                layer.size - len(counts),
                _flat(layer.units),
                isinstance(layer.units, MaxUnits),
                reads,
            )
        )
    return Shape(d, tuple(layers), chain)


def _flat(units: Any) -> bool:
    if isinstance(units, MaxUnits):
        return False
    bent = [units.kinds[w] for w in units.which if units.kinds[w].breaks]
    return all(len(k.slopes) == 2 and 0 in k.slopes for k in bent)
