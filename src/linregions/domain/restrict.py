"""A domain folded into a network: the restricted network that every engine reads."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import LinregionsError
from ..large.reduce import Reduced, reduce
from ..network.affine import INPUT, ONE, Affine, Term
from ..network.network import Layer, Network, check_matrices
from ..network.operators import LARGE
from ..network.rank import PRIME, pivots, surely_full_rank
from ..network.rational import Matrix, integers, nearest, rounded, simplest, to_fmpq
from ..progress import check
from .domains import Box, Chart, Domain, Plane, Segment, Slice, Space, _column


@dataclass(frozen=True, eq=False)
class Restricted:
    """A network on R^k, a polytope ``A y <= b`` in R^k, and the way back to the input.

    ``lift`` (n, k) and ``origin`` (n,) map y to an input x in float64; over R^n the lift is
    one of many (the network does not see the rest of the input), and ``rows`` (k, n), exact,
    are the rows whose values are the coordinates (None: y is x itself, or a slice's). ``reduced``:
    ``network`` holds only the units of a large one that may switch on the domain. On an
    unbounded slice they are rows over its own coordinates, those of the columns of its ``basis``;
    `own` goes back to these.
    """

    network: Network
    A: Any
    b: Any
    bounded: bool | None
    basis: np.ndarray | None
    origin: np.ndarray | None
    source: Network
    domain: Domain
    rows: Any = None
    picked: np.ndarray | None = None
    zonotope: Any = None  # the search's, see `search.zonotope.Zonotope`
    reduced: Reduced | None = None

    @property
    def dimension(self) -> int:
        """k, the dimension that the engine works in."""
        return self.network.inputs

    @cached_property
    def lift(self) -> np.ndarray | None:
        """(n, k) matrix from coordinates to the input (None: the identity)."""
        if self.picked is None:
            return self.basis
        # rows of size one: of D P the inverse is that of P times that of D, as P has full rank
        e = np.frexp(np.abs(self.picked).max(axis=1, initial=0.0))[1]
        e = np.where(np.abs(e) > 100, e, 0)
        with np.errstate(over="ignore", under="ignore"):
            inverse = np.ldexp(np.linalg.pinv(np.ldexp(self.picked, -e[:, None])), -e)
            return inverse if self.basis is None else self.basis @ inverse

    @property
    def unseen(self) -> np.ndarray | None:
        """``rows`` in floats, on a slice with directions that the network does not see."""
        return None if self.basis is None else self.picked

    def own(self, y: list[Fraction]) -> list[Fraction]:
        """The shortest point in a slice's own coordinates at which ``rows`` have these values."""
        from flint import fmpq_mat

        if self.unseen is None:
            return y
        r, k = self.unseen.shape
        P = fmpq_mat(r, k, [to_fmpq(v) for row in self.rows for v in row])
        values = fmpq_mat(len(y), 1, [to_fmpq(v) for v in y])
        found = P.transpose() * (P * P.transpose()).solve(values) if y else fmpq_mat(k, 1)
        return [Fraction(int(v.p), int(v.q)) for v in found.entries()]

    def embed(self, y: np.ndarray) -> np.ndarray:
        """Input coordinates of points y of shape (..., k)."""
        x = y if self.lift is None else y @ self.lift.T
        return x if self.origin is None else x + self.origin


def restrict(
    network: Network, domain: Domain | None = None, *, switching: bool = False
) -> Restricted:
    """Fold a domain into a network: the network on R^k and the polytope in R^k.

    ``switching``: of a network with large convolutions on a slice of at most four dimensions keep
    only the units that may switch there (`large.reduce`), for callers that know what `Restricted`
    says about ``reduced``. Everybody else gets the convolutions as matrices, or is refused.

    Exact: the chart becomes one more factor of every map that reads the input. Where the
    input maps and inequalities together have rank r < k, coordinates are changed to r
    independent rows of them (certified modulo a prime), so that a 784-input network whose
    first layer has 10 units is a 10-dimensional problem.
    """
    domain = Space() if domain is None else domain
    if not isinstance(domain, Domain):
        raise LinregionsError(
            f"{domain!r} is no domain; give Space(), Box(lo, hi), Polytope(A, b), Segment(p, q), "
            "Line(p, direction), Plane.through(a, b, c) or Slice(...)"
        )
    large = sum(c.multiplications for c in network.convolutions) > LARGE
    if large and not (switching and _is_low(domain, network.inputs)):
        check_matrices(network)  # before the chart: that of a box has as many rows as inputs
    chart = domain.chart(network.inputs)
    small = None
    if large and switching and chart.bounded and chart.dimension <= 4:
        small = reduce(network, chart)
    elif large:
        check_matrices(network)
    out = Restricted(
        composed(network, chart) if small is None else small.network,
        chart.A,
        chart.b,
        chart.bounded,
        None if chart.basis is None else rounded(chart.basis),
        None if chart.origin is None else rounded(chart.origin),
        network,
        domain,
        reduced=small,
    )
    return out if chart.bounded or small is not None else reduce_inputs(out)


def _is_low(domain: Domain, n: int) -> bool:
    """Whether a domain has at most four dimensions, for all that its class tells."""
    if isinstance(domain, Box):
        return int(np.count_nonzero(np.broadcast_to(domain.lo != domain.hi, (n,)))) <= 4
    return isinstance(domain, Slice | Plane | Segment)


def composed(network: Network, chart: Chart) -> Network:
    if chart.origin is None and chart.basis is None:
        return network

    def change(term: Term) -> list[Term]:
        if term.source != INPUT:
            return [term]
        terms = [term if chart.basis is None else term.before(chart.basis, INPUT)]
        if chart.origin is not None and np.any(chart.origin != 0):
            terms.append(term.before(_column(chart.origin), ONE))
        return terms

    return _change(network, chart.dimension, change)


def _change(network: Network, inputs: int, change: Any) -> Network:
    layers = tuple(Layer(m.affine.replace(change), m.units) for m in network.layers)
    return Network(inputs, layers, network.output.replace(change), network.notes)


def reduce_inputs(given: Restricted) -> Restricted:
    """Coordinates of r independent rows, where all rows that read the input have rank r < k."""
    from flint import nmod_mat

    net, k = given.network, given.dimension
    readers = [m.affine for m in net.layers] + [net.output]
    readers = [a for a in readers if INPUT in a.sources]
    blocks = [a.exact(INPUT, k) for a in readers] + [integers(given.A)]
    rows = []
    for block in blocks:
        check()
        rows += block.num.tolist()
    if k == 0 or surely_full_rank(rows, k):
        return given
    chosen: list[int] = []
    check()
    if rows:
        columns = [int(x) % PRIME for column in zip(*rows, strict=True) for x in column]
        chosen = pivots(nmod_mat(k, len(rows), columns, PRIME))
    r = len(chosen)
    check()
    if r == k:
        return given
    maps = _coordinates(blocks, rows, chosen, k)
    change = {id(a): m for a, m in zip(readers, maps, strict=False)}

    def rewrite(affine: Affine) -> Affine:
        if id(affine) not in change:
            return affine
        others = tuple(t for t in affine.terms if t.source != INPUT)
        return Affine(affine.size, (Term(INPUT, (change[id(affine)],)), *others))

    layers = tuple(Layer(rewrite(m.affine), m.units) for m in net.layers)
    reduced = Network(r, layers, rewrite(net.output), net.notes)
    scale = [b.den for b in blocks for _ in range(b.shape[0])]
    picked = [[nearest(Fraction(int(x), scale[i])) for x in rows[i]] for i in chosen]
    picked = np.array(picked).reshape(r, k)
    exact_rows = [[Fraction(int(x), scale[i]) for x in rows[i]] for i in chosen]
    return Restricted(
        reduced,
        maps[-1],
        given.b,
        given.bounded,
        given.basis,
        given.origin,
        given.source,
        given.domain,
        exact_rows,
        picked,
    )


def _coordinates(blocks: list[Any], rows: list[Any], chosen: list[int], k: int) -> list[Matrix]:
    """Every row as an exact combination of the chosen ones: one (rows, r) matrix per block."""
    from flint import fmpq_mat, fmpz_mat, nmod_mat

    r = len(chosen)
    base = fmpz_mat(r, k, [x for i in chosen for x in rows[i]])
    columns = pivots(nmod_mat(r, k, [int(x) % PRIME for i in chosen for x in rows[i]], PRIME))
    square = fmpz_mat(r, r, [rows[i][j] for j in columns for i in chosen])  # transposed
    position = {i: n for n, i in enumerate(chosen)}
    scale = [b.den for b in blocks for _ in range(b.shape[0])]
    rest = [i for i in range(len(rows)) if i not in position]
    solved: dict[int, list[Fraction]] = {}
    if rest:
        right = fmpz_mat(r, len(rest), [rows[i][j] for j in columns for i in rest])
        weights = fmpq_mat(square).solve(fmpq_mat(right))
        check()
        combined = weights.transpose() * fmpq_mat(base)
        for n, i in enumerate(rest):
            check()
            if any(combined[n, j] != rows[i][j] for j in range(k)):
                raise ArithmeticError("the rank modulo a prime fell short; report this network")
            solved[i] = [
                Fraction(int(weights[a, n].p), int(weights[a, n].q))
                * Fraction(scale[chosen[a]], scale[i])
                for a in range(r)
            ]
    out, start = [], 0
    for block in blocks:
        check()
        m = np.empty((block.shape[0], r), dtype=object)
        for i in range(block.shape[0]):
            row = start + i
            if row in position:
                m[i] = [Fraction(int(a == position[row])) for a in range(r)]
            else:
                m[i] = solved[row]
        out.append(simplest(m))
        start += block.shape[0]
    return out
