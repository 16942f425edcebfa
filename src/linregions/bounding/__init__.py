"""`bounds`: every published bound that applies to a network or an architecture.

What a network is, is read off once (``_shape``); the formulas are in `theory`; the bound that
reads the weights is in ``_weights``, over the intervals of `stability`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import sparse

from ..domain.domains import Domain, Space
from ..domain.restrict import Restricted, restrict
from ..errors import LinregionsError
from ..figures import magnitude
from ..network.network import Network
from ..network.rank import seen_at_most
from ..progress import Progress, current, reason_of
from ..readers import load
from ..theory import Conv, OutOfReach
from ..watching import watchful
from .bound import Bound
from .conv import of_convolutions
from .dense import of_shape
from .shape import Dense, from_list, of_dense, of_network
from .weights import of_weights

__all__ = ["Bound", "BoundTable", "Dense", "bounds", "magnitude", "tightest"]

LARGEST = 10**7  # weights of a layer beyond which they are not read


class BoundTable(list[Bound]):
    """What `bounds` gives: a list of `Bound`, and what it left out.

    Attributes
    ----------
    skipped
        One line for each bound that applies but was not computed, with the reason.
    stopped
        Why some were not: ``seconds`` or ``interrupt``; else empty.
    """

    def __init__(
        self, found: Iterable[Bound] = (), skipped: Iterable[str] = (), stopped: str = ""
    ) -> None:
        super().__init__(found)
        self.skipped, self.stopped = tuple(skipped), stopped


@watchful
def bounds(
    source: Any,
    domain: Domain | None = None,
    *,
    lp: bool = False,
    seconds: float | None = None,
    progress: Progress | None = None,
    on_interrupt: str = "raise",
) -> BoundTable:
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
    seconds
        Stop after so much time, with the bounds so far; every one of them holds.
    progress
        Called with a `Status` twice a second.
    on_interrupt
        As in `count`.

    Returns
    -------
    BoundTable
        A list of `Bound`; its ``skipped`` says which bounds were left out, and why.

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
    skipped: list[str] = []
    stopped, current().stage = "", "bounds"
    if isinstance(source, Conv) or _all(source, Conv):
        _no_domain(domain)
        found = of_convolutions([source] if isinstance(source, Conv) else list(source))
    elif isinstance(source, Dense) or _all(source, (int, np.integer)):
        _no_domain(domain)
        given = source if isinstance(source, Dense) else from_list(source)
        found = of_shape(of_dense(given), skipped=skipped)
    else:
        problem, dimension = _restricted(source, domain)
        found, stopped = _network_bounds(problem, dimension, skipped, lp)
    return BoundTable(_sorted(found), skipped, stopped)


@watchful
def tightest(network: Any, domain: Domain | None = None) -> Bound:
    """The tightest upper bound of a network over a domain, of those that are proved.

    Examples
    --------
    >>> tightest([([[1.0], [1.0]], [0.0, 1.0]), ([[1.0, 1.0]], [0.0])]).value
    3
    """
    problem, dimension = _restricted(network, domain)
    found, _ = _network_bounds(problem, dimension, [], lower=False)
    return min((b for b in found if b.status != "from memory"), key=lambda b: b.value)


def _restricted(source: Any, domain: Domain | None) -> tuple[Restricted, int]:
    """The network over the domain, and how many dimensions it sees there, at most.

    Over all of R^n that number is all that coordinates of the values of its rows would bring: a
    large network stays as it is where counting rows and columns says it.
    """
    if isinstance(source, Restricted):
        return source, source.dimension
    net = _network(source)
    domain = Space() if domain is None else domain
    if type(domain) is Space and (seen := seen_at_most(net)) is not None:
        none = np.zeros((0, net.inputs)), np.zeros(0)
        return Restricted(net, *none, False, None, None, net, domain), seen
    problem = restrict(net, domain)
    return problem, problem.dimension


def _network_bounds(
    problem: Restricted,
    dimension: int,
    skipped: list[str],
    lp: bool = False,
    lower: bool = True,
) -> tuple[list[Bound], str]:
    """Every bound of a network, and what ended the work on the one that takes long."""
    shape = of_network(problem, dimension)
    found = of_shape(shape, lower, skipped)
    sizes = [
        np.size(w.data if sparse.issparse(w) else w)
        for m in problem.network.layers
        for w in map(m.affine.product, m.affine.sources)
    ]
    if max(sizes, default=0) > LARGEST:
        skipped.append(
            f"weights: a layer of {max(sizes):,} weights; they are read up to {LARGEST:,}"
        )
        return found, ""
    try:
        plain = of_weights(problem, shape, lp=False)
    except OutOfReach as why:
        skipped.append(f"weights: {why}")
        return found, ""
    if not lp:
        return found + plain, ""
    try:
        return found + of_weights(problem, shape, lp=True), ""
    except KeyboardInterrupt as stop:
        skipped.append("weights: stopped within its linear programs; it is the one by intervals")
        return found + plain, reason_of(stop)


def _all(source: Any, kind: Any) -> bool:
    is_list = isinstance(source, list | tuple | np.ndarray) and len(source) > 0
    return is_list and all(isinstance(v, kind) and not isinstance(v, bool) for v in source)


def _no_domain(domain: Domain | None) -> None:
    if domain is not None:
        raise LinregionsError(
            "an architecture has no domain: its bounds hold over every convex one"
        )


def _network(source: Any) -> Network:
    if isinstance(source, Network):
        return source

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
