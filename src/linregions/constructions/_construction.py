"""A network that knows its numbers of regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..network.network import Network


@dataclass(frozen=True, eq=False)
class Construction(Network):
    """A network with its known numbers of regions over R^n, by kind, and their source."""

    regions: dict[str, int] = field(default_factory=dict)
    source: str = ""


def built(pairs: Sequence[Any], regions: dict[str, int], source: str) -> Construction:
    net = Network.from_layers(pairs)
    return Construction(net.inputs, net.layers, net.output, (), regions, source)
