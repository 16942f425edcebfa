"""What a proof says, apart from the tree: the network, the domain and the coordinates."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np

from ..domain.restrict import Restricted
from ..network.affine import INPUT
from ..network.network import Network
from ..network.rational import integers

FORMAT = "linregions proof 1"


def network_members(network: Network) -> dict[str, bytes]:
    """The members of the archive that hold the canonical network."""
    text, arrays = network.canonical()
    kinds = {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items()}
    members = {"network.json": text, "arrays.json": json.dumps(kinds, sort_keys=True).encode()}
    for name, a in arrays.items():
        members[f"arrays/{name}"] = np.ascontiguousarray(a).tobytes()
    return members


def statement(problem: Restricted, kind: str) -> dict[str, Any]:
    """The keys of `proof.json` that do not depend on the tree."""
    return {
        "format": FORMAT,
        "kind": kind,
        "network": problem.source.hash,
        "domain": _domain(problem),
        "coordinates": _coordinates(problem),
    }


def _domain(problem: Restricted) -> dict[str, Any]:
    """The points ``origin + basis y`` with ``A y <= b``, every number as an exact string."""
    chart = problem.domain.chart(problem.source.inputs)
    rows = [
        [[[j, _text(a)] for j, a in enumerate(row) if a != 0], _text(limit)]
        for row, limit in zip(chart.A, chart.b, strict=True)
    ]
    return {
        "description": problem.domain.describe(),
        "dimension": chart.dimension,
        "origin": None if chart.origin is None else [_text(v) for v in chart.origin],
        "basis": None if chart.basis is None else [[_text(v) for v in r] for r in chart.basis],
        "rows": rows,
    }


def _text(value: Any) -> str:
    return str(Fraction(value) if isinstance(value, Fraction) else Fraction(float(value)))


def _coordinates(problem: Restricted) -> list[list[int]] | None:
    """For each coordinate of a reduced problem a row that it is the value of; None for y itself."""
    if problem.picked is None:
        return None
    net, r = problem.network, problem.dimension
    maps = [(n, layer.affine) for n, layer in enumerate(net.layers, start=1)]
    maps.append((len(net.layers) + 1, net.output))
    blocks = [(n, a.exact(INPUT, r)) for n, a in maps if INPUT in a.sources]
    blocks.append((0, integers(problem.A)))
    found: dict[int, list[int]] = {}
    for n, block in blocks:
        for i, row in enumerate(block.num.tolist()):
            at = [j for j, v in enumerate(row) if v != 0]
            if len(at) == 1 and int(row[at[0]]) == block.den:
                found.setdefault(at[0], [n, i])
    return [found[j] for j in range(r)]
