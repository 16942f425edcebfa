"""`bounds`: every published bound that applies to a network or an architecture.

What a network is, is read off once (``_shape``); the formulas are in `theory`; the bound that
reads the weights is in ``_weights``, over the intervals of `stability`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from ..domain import Domain, Restricted, Space, restrict
from ..errors import LinregionsError
from ..figures import magnitude
from ..network import Network
from ..theory import Conv, OutOfReach
from ._bound import Bound
from ._conv import of_convolutions
from ._dense import of_shape
from ._shape import Dense, from_list, of_dense, of_network
from ._weights import of_weights

__all__ = ["Bound", "Dense", "bounds", "magnitude", "tightest"]

LARGEST = 10**7  # entries of a weight matrix beyond which the weights are not read


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
        return _sorted(of_convolutions([source] if isinstance(source, Conv) else list(source)))
    if isinstance(source, Dense) or _all(source, (int, np.integer)):
        _no_domain(domain)
        given = source if isinstance(source, Dense) else from_list(source)
        return _sorted(of_shape(of_dense(given)))
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
    shape = of_network(problem)
    found = of_shape(shape, lower)
    size = problem.network.size_of
    entries = [m.affine.size * size(s) for m in problem.network.layers for s in m.affine.sources]
    if max(entries, default=0) <= LARGEST:
        with suppress(OutOfReach):
            found += of_weights(problem, shape, lp)
    return found


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
    from ..readers import load

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
