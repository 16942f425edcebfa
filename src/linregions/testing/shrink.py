"""A smaller network and domain on which the same check still fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..domain.domains import Box, Domain, Polytope, Space
from ..errors import LinregionsError
from ..network.network import Network
from ..network.units import RELU, MaxUnits, Pointwise
from . import edits
from .cases import Case, Check, outcome


def shrunk(case: Case, check: Check, seconds: float = 15.0) -> Case:
    """The case after all reductions that leave the check failing in the same way.

    Layers, units, outputs, inputs, arguments of max units and half-spaces are dropped and weights
    rounded, one after the other, until nothing more can go or the time is over.
    """
    end = time.monotonic() + seconds
    status = outcome(check, case).status
    changed = True
    while changed:
        changed = False
        for reductions in (_parts, _weights):
            again = True
            while again:
                again = False
                for smaller in reductions(case):
                    if time.monotonic() > end:
                        return case
                    if _fails(check, smaller, status):
                        case, again, changed = smaller, True, True
                        break
    return case


def _fails(check: Check, case: Case, status: str) -> bool:
    try:
        return check.applies(case) and outcome(check, case).status == status
    except (LinregionsError, ValueError, AssertionError):
        return False  # the domain is empty now, or the oracle cannot read it


def _parts(case: Case) -> Iterator[Case]:
    """The case with a part left out, large parts first."""
    net = case.network
    for domain in _domains(case.domain, net.inputs):
        yield replace(case, domain=domain)
    for layer in range(1, len(net.layers) + 1):
        yield replace(case, network=net.upto(layer))
    for i in range(net.outputs if net.outputs > 1 else 0):
        yield replace(case, network=Network(net.inputs, net.layers, net.output.rows([i])))
    for layer, size in enumerate(net.widths, start=1):
        for unit in range(size if size > 1 else 0):
            yield replace(case, network=edits.without_unit(net, layer, unit))
    if isinstance(case.domain, Space) and net.inputs > 1:
        for i in range(net.inputs):
            yield replace(case, network=edits.without_input(net, i))
    for layer, m in enumerate(net.layers, start=1):
        if isinstance(m.units, MaxUnits):
            for unit, group in enumerate(m.units.groups):
                for position in range(len(group) if len(group) > 1 else 0):
                    yield replace(case, network=edits.without_argument(net, layer, unit, position))
        elif any(k != RELU for k in m.units.kinds):
            layers = list(net.layers)
            layers[layer - 1] = replace(m, units=Pointwise.uniform(RELU, m.size))
            yield replace(case, network=Network(net.inputs, tuple(layers), net.output))


def _domains(domain: Domain, n: int) -> Iterator[Domain]:
    if isinstance(domain, Space):
        return
    yield Space()
    if isinstance(domain, Polytope):
        for i in range(len(domain.A)):
            yield Polytope(np.delete(domain.A, i, axis=0), np.delete(domain.b, i))
    elif not (isinstance(domain, Box) and not domain.lo.ndim):
        yield Box(-1.0, 1.0)


def _weights(case: Case) -> Iterator[Case]:
    """The case with one weight made simpler."""
    for place, value in edits.entries(case.network):
        for simpler in _simpler(value):
            yield replace(case, network=edits.with_entry(case.network, place, simpler))


def _simpler(value: Any) -> list[float]:
    """Simpler numbers, the simplest first; a number that is one of them stops before itself."""
    value = float(value)
    tries = [0.0, float(np.sign(value)), 1.0, float(np.round(value))]
    tries += [float(f"{value:.{digits}e}") for digits in (0, 1, 3)]
    if value in tries:
        tries = tries[: tries.index(value)]
    return [v for v in dict.fromkeys(tries) if np.isfinite(v)]
