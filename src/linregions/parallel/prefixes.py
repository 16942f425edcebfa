"""The tree of a search cut at a fixed depth, in an order that no machine changes.

A *prefix* is the pieces of the first t units, in the order of layers and of units in them. The
prefixes that some full-dimensional cell has are exactly the activation patterns of the network
that ends after those units, so the search itself lists them, exactly. Which patterns there are is
a fact about the network: every machine finds the same ones, whatever its rounding, and they divide
the cells of the whole network into disjoint parts that leave nothing out.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..domain.restrict import Restricted
from ..exact.lp import inside
from ..network.affine import Affine
from ..network.network import Layer, Network
from ..network.pattern import pieces
from ..network.units import MaxUnits, Pointwise
from ..progress import check
from ..search import kernel as K
from ..search.branch import Branch, adopt, hand_over
from ..search.rational_branch import rational_branch
from ..search.rational_node import whole
from ..search.search import Search
from .task import Bundle


class Frontier(NamedTuple):
    """All prefixes of ``units`` units.

    ``pieces`` (prefixes, units), in lexicographic order; ``signs`` of the breakpoints of those
    units; ``points`` (prefixes, k) in domain coordinates, or rationals in ``exact``.
    """

    units: int
    pieces: np.ndarray
    signs: np.ndarray
    points: np.ndarray
    exact: dict[int, list[Any]]

    @property
    def digest(self) -> str:
        """SHA-256 of the prefixes."""
        return digest(self.pieces)


def digest(prefixes: np.ndarray) -> str:
    """SHA-256 of prefixes (number, units) in lexicographic order."""
    text = f"{prefixes.shape[0]} x {prefixes.shape[1]}".encode()
    return hashlib.sha256(
        text + np.ascontiguousarray(prefixes, dtype=np.uint8).tobytes()
    ).hexdigest()


def frontier(problem: Restricted, enough: int) -> Frontier:
    """The prefixes of the least number of units that has ``enough`` of them (or of all units)."""
    units = 0
    while True:
        found = _prefixes(problem, units)
        if len(found.pieces) >= enough or units == problem.network.units:
            return found
        units += 1


def _prefixes(problem: Restricted, units: int) -> Frontier:
    short = _shortened(problem, units)
    search = Search(short, emit=4096)
    signs, points, exact, rows = [], [], {}, 0
    more = True
    while more:
        check()
        more = search.run(4096)
        batch = search.take()
        signs.append(batch.signs)
        points.append(batch.points)
        exact.update({rows + i: x for i, x in batch.exact.items()})
        rows += len(batch.signs)
    all_signs = np.concatenate(signs)
    found = pieces(short.network, all_signs)
    order = np.lexsort(found.T[::-1]) if units else np.arange(rows)
    back = {int(old): new for new, old in enumerate(order)}
    return Frontier(
        units, found[order], all_signs[order], np.concatenate(points)[order],
        {back[i]: x for i, x in exact.items()},
    )  # fmt: skip


def _shortened(problem: Restricted, units: int) -> Restricted:
    """The problem of the first units alone, in the same coordinates."""
    short = replace(problem, network=first_units(problem.network, units))
    if problem.zonotope is None:
        return short
    inner = _shortened(problem.zonotope.problem, units)
    return replace(short, zonotope=replace(problem.zonotope, problem=inner))


def first_units(network: Network, units: int) -> Network:
    """The network that ends after some units, with an output that is zero."""
    layers, left = [], units
    for layer in network.layers:
        if left == 0:
            break
        mine = min(left, layer.size)
        left -= mine
        layers.append(layer if mine == layer.size else _first_of(layer, mine))
    return Network(network.inputs, tuple(layers), Affine(1, ()))


def _first_of(layer: Layer, units: int) -> Layer:
    if isinstance(layer.units, MaxUnits):
        return Layer(layer.affine, MaxUnits(layer.units.groups[:units], layer.units.fan_in))
    some = Pointwise(layer.units.kinds, layer.units.which[:units])
    return Layer(layer.affine.rows(range(units)), some)


# -- the way into a search ----------------------------------------------------------------


def roots(search: Search, front: Frontier, which: np.ndarray) -> list[Bundle]:
    """Bundles that walk the cells under some prefixes of a frontier."""
    if front.units == 0:
        entry: Bundle = [whole(search)] if search.cursor is None else [*hand_over(search)]
        return [entry for _ in which]
    out: list[Bundle] = [[_root(search, front, int(i))] for i in which]
    if search.cursor is not None:
        hand_over(search)  # what it came with is not its own
    return out


def _root(search: Search, front: Frontier, i: int) -> Any:
    exact, rows = search.rational, front.signs.shape[1]
    signs = np.full(search.compiled.cuts, -1, np.int8)
    signs[:rows] = front.signs[i].astype(np.int8) * 2 - 1
    layer, left = _layer(search.compiled.network, front.units)
    cand = [c for c in exact.layout.candidates(layer) if c >= rows] if left else []
    bounds = [c for c in exact.bounding(signs) if c < rows and _sloped(exact.row(c, signs))]
    if not left and layer + 1 < len(search.compiled.network.layers):
        layer, fresh = layer + 1, True
    else:
        fresh = False
    if i not in front.exact and search.cursor is not None:
        point = front.points[i] / search.compiled.unit
        given = _float_branch(search, layer, fresh, cand, bounds, signs, point)
        adopt(search, given)
        if search._certain(0, point):
            return given
    domain = exact.domain_rows()
    con = [*range(search.compiled.cuts, search.compiled.cuts + len(domain)), *bounds]
    if i in front.exact:
        x = exact.in_kernel(front.exact[i])
    else:
        x = inside(exact.cell(con, signs), exact.k, "a prefix")
    return rational_branch(layer, con, exact.layout.candidates(layer) if fresh else cand, signs, x)


def _layer(network: Network, units: int) -> tuple[int, int]:
    """The layer of the last of the first units, and how many of its units come after them."""
    for n, layer in enumerate(network.layers):
        if units <= layer.size:
            return n, layer.size - units
        units -= layer.size
    raise AssertionError("more units than there are")


def _sloped(row: list[Any]) -> bool:
    """Whether a row bounds anything: one that is constant has the same sign on all of the cell."""
    return any(a != 0 for a in row[:-1])


def _float_branch(
    search: Search, layer: int, fresh: bool, cand: list[int], bounds: list[int],
    signs: np.ndarray, point: np.ndarray,
) -> Branch:  # fmt: skip
    """A frame of the kernel for a cell that is bounded by these rows and the domain's."""
    C = search.cursor
    assert C is not None
    cuts, domain = search.compiled.cuts, len(search.compiled.rows_b)
    con = np.array([*range(cuts, cuts + domain), *bounds], np.int32)
    frame = np.zeros(C.F.shape[1], np.int64)
    frame[K.LAYER], frame[K.PHASE] = layer, K.NEW if fresh else K.TEST
    frame[[K.PARENT, K.CHAMP]] = -1
    frame[K.NCAND], frame[K.NCON] = len(cand), len(con)
    frame[[K.NIN, K.NPT]] = 1
    sign = np.ones(len(C.sign), np.int8)
    sign[:cuts] = signs
    return Branch(frame, np.array(cand, np.int32), con, point[None, :].copy(), sign)
