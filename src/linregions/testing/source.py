"""Networks and domains as Python that makes them again, digit for digit."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..domain.domains import Box, Domain, Line, Plane, Polytope, Segment, Slice, Space
from ..network.affine import ONE, Affine
from ..network.network import Network
from ..network.units import RELU, MaxUnits, Pointwise

IMPORTS = """\
from fractions import Fraction
from math import inf
import numpy as np
import linregions as lr
from linregions.network.affine import Affine, Term
"""


def _numbers(values: Any) -> str:
    """Nested lists of floats, Fractions as they are."""
    if isinstance(values, np.ndarray) and values.dtype == object:
        return f"np.array({values.tolist()!r}, dtype=object)"
    return repr(np.asarray(values).tolist())


def _matrix(factor: Any) -> str:
    if hasattr(factor, "toarray"):
        return f"csr_array({factor.toarray().tolist()!r})"
    return _numbers(factor) if factor.dtype == object else f"np.array({factor.tolist()!r})"


def network_source(net: Network) -> str:
    """An expression for a network."""
    pairs = _pairs(net)
    if pairs is not None:
        kinds = {k for m in net.layers if isinstance(m.units, Pointwise) for k in m.units.kinds}
        more = f", {_activation(kinds.pop())}" if kinds and kinds != {RELU} else ""
        lines = ",\n    ".join(f"({W!r}, {b!r})" for W, b in pairs)
        return f"lr.Network.from_layers([\n    {lines},\n]{more})"
    layers = "".join(f"    lr.Layer({_affine(m.affine)}, {_units(m.units)}),\n" for m in net.layers)
    return f"lr.Network({net.inputs}, (\n{layers}), {_affine(net.output)})"


def _pairs(net: Network) -> list[tuple[list, list]] | None:
    """(W, b) of a sequential network of one kind of pointwise unit, else None."""
    kinds, out = set(), []
    for layer in net.layers:
        if not isinstance(layer.units, Pointwise):
            return None
        kinds |= {layer.units.kinds[w] for w in layer.units.which}
        if len(layer.units.kinds) != 1 or len(kinds) > 1:
            return None
    for source, a in enumerate([*(m.affine for m in net.layers), net.output]):
        named = {t.source: t for t in a.terms}
        plain = all(len(t.factors) == 1 and isinstance(t.factors[0], np.ndarray) for t in a.terms)
        fits = source in named and set(named) <= {ONE, source} and len(named) == len(a.terms)
        if not (plain and fits) or any(t.factors[0].dtype == object for t in a.terms):
            return None
        b = named[ONE].factors[0][:, 0] if ONE in named else np.zeros(a.size)
        out.append((named[source].factors[0].tolist(), b.tolist()))
    return out


def _affine(a: Affine) -> str:
    terms = "".join(
        f"Term({t.source}, ({''.join(_matrix(f) + ', ' for f in t.factors)})), " for t in a.terms
    )
    return f"Affine({a.size}, ({terms}))"


def _activation(kind: Any) -> str:
    return f"lr.{kind!r}"


def _units(units: Any) -> str:
    if isinstance(units, MaxUnits):
        return f"lr.{units!r}"
    kinds = "".join(_activation(k) + ", " for k in units.kinds)
    return f"lr.Pointwise(({kinds}), {units.which!r})"


def domain_source(domain: Domain) -> str:
    """An expression for a domain."""
    if isinstance(domain, Box):
        return f"lr.Box({_numbers(domain.lo)}, {_numbers(domain.hi)})"
    if isinstance(domain, Polytope):
        return f"lr.Polytope({_numbers(domain.A)}, {_numbers(domain.b)})"
    if isinstance(domain, Segment):
        return f"lr.Segment({_numbers(domain.p)}, {_numbers(domain.q)})"
    if isinstance(domain, Line):
        return f"lr.Line({_numbers(domain.p)}, {_numbers(domain.direction)})"
    if isinstance(domain, Plane):
        sides = f"lo={_numbers(domain.rectangle.lo)}, hi={_numbers(domain.rectangle.hi)}"
        return f"lr.Plane({_numbers(domain.origin)}, {_numbers(domain.basis)}, {sides})"
    if isinstance(domain, Slice):
        where = f"{domain_source(domain.within)}, coordinates={domain.coordinates!r}"
        return f"lr.Slice({_numbers(domain.origin)}, {_numbers(domain.basis)}, {where})"
    assert isinstance(domain, Space)
    return "lr.Space()"


def as_python(net: Network, domain: Domain) -> str:
    """Lines that make a network ``net`` and a domain ``domain``."""
    lines = f"net = {network_source(net)}\ndomain = {domain_source(domain)}\n"
    sparse = "from scipy.sparse import csr_array\n" if "csr_array(" in lines else ""
    return IMPORTS + sparse + lines
