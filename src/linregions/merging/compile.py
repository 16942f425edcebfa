"""Compile the kernels of the search and of merging by a tiny problem."""

from __future__ import annotations

from collections.abc import Callable

from ..domain.domains import Box
from ..domain.restrict import Restricted, restrict
from ..network.affine import Affine
from ..network.network import Layer, Network
from ..network.units import MaxUnits
from ..progress import announced, check
from ..search.search import Search
from ..search.zonotope import seen_through
from .maps import Merger

_compiled: set[tuple[bool, bool, bool]] = set()


def compile_for(problem: Restricted, merge: bool = False) -> float:
    """Compile the kernels that a search of this problem takes; returns the seconds taken."""
    return compile_kernel(merge, None, problem.zonotope is not None, problem.network.has_max)


def compile_kernel(
    merge: bool = False,
    announce: Callable[[str], None] | None = None,
    zonotope: bool = False,
    full: bool = False,
) -> float:
    """Compile the kernels (once per machine, then cached); returns the seconds taken.

    ``merge``: those of linear and affine counts as well. ``zonotope``: those for boxes of many
    inputs instead. ``full``: those that know max units and write proofs. ``announce`` is called
    with a line for every kernel that takes more than a second; by default it goes to stderr.
    """
    if (merge, zonotope, full) in _compiled or (True, zonotope, full) in _compiled:
        return 0.0
    with announced(announce) as seconds:
        problem = tiny_problem(zonotope, full)
        search = Search(problem, emit=16 if merge else 0)
        while search.run(1000):
            check()
        if merge:
            merger = Merger(search, [search.take()])
            merger.affine()
            merger.linear()
    _compiled.add((merge, zonotope, full))
    return seconds()


def tiny_problem(zonotope: bool, full: bool = False) -> Restricted:
    """A problem to compile with: two hidden layers, over the line or over a box of many inputs.

    ``full``: with a max unit.
    """
    # 1 + 2 cells: where the unit of layer 1 is off, layer 2 does not matter, and two merge
    first = [[1.0, 0.0, 0.0, 0.0]] * 2 if zonotope else [[1.0], [1.0]]
    net = Network.from_layers([(first, [0.0, 1.0]), ([[-1.0, 0.0]], [-1.0]), ([[1.0]], [0.0])])
    if full:
        largest = Layer(Affine.identity(2, 1), MaxUnits(((0, 1),), 2))
        net = Network(net.inputs, (net.layers[0], largest), Affine.identity(1, 2))
    return seen_through(restrict(net, Box(-2.0, 2.0))) if zonotope else restrict(net)
