"""`affine`: the affine maps of a network at many points, and the patterns there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ..errors import LinregionsError
from ..network.affine import INPUT, ONE, Affine
from ..network.arrays import points_of
from ..network.composing import nearest_map
from ..network.deciding import decide
from ..network.network import Network
from ..network.scaling import measured
from ..network.units import MaxUnits, Units
from ..readers import load

NUMBERS = 1 << 23  # of the rows over one layer at a chunk of points
MOST = 8 << 30  # bytes of an answer


@dataclass(frozen=True, eq=False)
class AffineMaps:
    """The affine map of a network at each of m points; see `affine`.

    For one point, given as (n,), the arrays come without their first axis; for one output, given
    as an integer, without that of the outputs.

    Attributes
    ----------
    W, b
        (m, outputs, n) and (m, outputs): ``f(y) = W[i] y + b[i]`` on the cell of point i.
    patterns
        (m, units) piece of every unit; 1 where a ReLU unit is active, the winner of a max unit.
    decided_exactly
        (m,) how many units at each point floats could not decide: those were decided in rational
        arithmetic.
    """

    W: np.ndarray
    b: np.ndarray
    patterns: np.ndarray
    decided_exactly: np.ndarray

    @property
    def pattern(self) -> np.ndarray:
        """`patterns` of a single point."""
        if self.patterns.ndim == 1:
            return self.patterns
        if len(self.patterns) != 1:
            raise LinregionsError(f"{len(self.patterns):,} points have that many patterns")
        return self.patterns[0]

    def __len__(self) -> int:
        return 1 if self.patterns.ndim == 1 else len(self.patterns)

    def __call__(self, x: Any) -> np.ndarray:
        """Value of map i at row i of points of the shape that was given."""
        return np.einsum("...n,...n->...", self.W, self._beside(x)) + self.b

    def _beside(self, x: Any) -> np.ndarray:
        x = np.asarray(x)
        return x if self.W.ndim == x.ndim else x[..., None, :]

    def __repr__(self) -> str:
        one = self.patterns.ndim == 1
        many = "the affine map at a point" if one else f"affine maps at {len(self):,} points"
        asked = int(np.sum(self.decided_exactly))
        return f"<{many}, W {self.W.shape}, {asked:,} signs decided exactly>"


def affine(
    network: Any,
    X: Any,
    *,
    output: int | Sequence[int] | None = None,
    dtype: Any = np.float64,
    shape: Sequence[int] | None = None,
) -> AffineMaps:
    """The affine map of a network at each of many points: its gradient, bias and pattern there.

    The pattern is that of the exact network at the exact point: floats with bounds of their
    rounding errors decide nearly every sign, and the others are decided in rational arithmetic
    (`AffineMaps.decided_exactly` counts them). A value exactly on a breakpoint is on the lower
    piece; of equal arguments of a max unit the first one wins. Map and bias are the composition
    on that pattern in float64; where numbers on the way may leave the floats it is composed
    exactly and rounded once.

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes.
    X
        (m, n) points, or (n,) for one.
    output
        Outputs to give: an integer drops their axis (``W`` is (m, n), as gradients are),
        several keep it. All by default. One output takes a tenth of the time and memory of ten.
    dtype
        Of W and b: float64 or float32.
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Returns
    -------
    AffineMaps
        ``W`` (m, outputs, n), ``b`` (m, outputs), ``patterns`` (m, units).

    Raises
    ------
    LinregionsError
        For wrong shapes, NaN or infinite entries, an output that does not exist, and answers of
        more than 8 GiB.

    Examples
    --------
    >>> net = Network.from_layers([([[1.0], [-1.0]], [0.0, 1.0]), ([[1.0, 1.0]], [0.5])])
    >>> found = affine(net, [[2.0], [0.5], [0.0]])
    >>> found.W.ravel(), found.b.ravel(), found.patterns.tolist()
    (array([ 1.,  0., -1.]), array([0.5, 1.5, 1.5]), [[1, 0], [1, 1], [0, 1]])
    >>> affine(net, [2.0], output=0).W
    array([1.])
    """

    net = load(network, shape=shape)
    x, single = _points(X, net.inputs)
    chosen, one = _outputs(output, net.outputs)
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise LinregionsError(f"dtype={dtype!r}: give float64 or float32")
    rows = kind.itemsize * len(chosen) * (net.inputs + 1)
    need = len(x) * (rows + net.units)
    if need > MOST:
        raise LinregionsError(
            f"{len(x):,} points x {len(chosen)} outputs x {net.inputs:,} inputs take "
            f"{need / 2**30:.1f} GiB; give at most {max(MOST // (rows + net.units), 1):,} points "
            "at a time, output= for some outputs, or dtype='float32'"
        )
    found = decide(net, x)
    if chosen != list(range(net.outputs)):
        net = Network(net.inputs, net.layers, net.output.rows(chosen), net.notes)
    W, b = maps_on(net, found.pieces, kind)
    W, b = (W[:, 0], b[:, 0]) if one else (W, b)
    parts = (W, b, found.pieces, found.asked)
    return AffineMaps(*(p[0] for p in parts) if single else parts)


def _points(X: Any, n: int) -> tuple[np.ndarray, bool]:
    x, single = points_of(X, n, "X")
    if not np.isfinite(x).all():
        raise LinregionsError("X holds NaN or infinite values")
    return x, single


def _outputs(output: Any, count: int) -> tuple[list[int], bool]:
    if output is None:
        return list(range(count)), False
    one = np.ndim(output) == 0
    chosen = np.atleast_1d(np.asarray(output))
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
        raise LinregionsError(f"output={output!r}: give an integer or several")
    if ((chosen < -count) | (chosen >= count)).any():
        raise LinregionsError(f"output={output!r}: the network has {count} outputs, from 0")
    return (chosen % count).tolist(), one


def maps_on(
    network: Network, pieces: np.ndarray, dtype: Any = np.float64
) -> tuple[np.ndarray, np.ndarray]:
    """``W`` (m, outputs, n) and ``b`` (m, outputs) of the maps on patterns (m, units).

    In float64; exactly, with one rounding at the end, where the rows of the network are far
    from size one.
    """
    m, outputs, n = len(pieces), network.outputs, network.inputs
    W, b = np.empty((m, outputs, n), dtype), np.empty((m, outputs), dtype)
    if measured(network).network is not network:
        distinct, index = np.unique(pieces, axis=0, return_inverse=True)
        for i, pattern in enumerate(distinct):
            found = nearest_map(network, pattern)
            with np.errstate(over="ignore"):
                W[index == i], b[index == i] = found[:, :n], found[:, n]
        return W, b
    wide = max((n, *(layer.affine.size for layer in network.layers)), default=1)
    step = max(1, NUMBERS // max(1, outputs * wide))
    for a in range(0, m, step):
        W[a : a + step], b[a : a + step] = _backward(network, pieces[a : a + step])
    return W, b


def _backward(network: Network, pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`maps_on` from the outputs back to the input: rows over the values of each layer."""
    m, outputs = len(pieces), network.outputs
    owed: dict[int, np.ndarray] = {}

    def pass_on(affine: Affine, rows: np.ndarray) -> None:
        flat = rows.reshape(-1, affine.size)
        for source, part in _pulled(affine, flat):
            owed[source] = owed[source] + part if source in owed else part

    pass_on(network.output, np.tile(np.eye(outputs), (m, 1)).reshape(m, outputs, outputs))
    ends = np.cumsum([0, *network.widths])
    for number in range(len(network.layers), 0, -1):
        if (rows := owed.pop(number, None)) is None:
            continue
        layer = network.layers[number - 1]
        mine = pieces[:, ends[number - 1] : ends[number]]
        rows, constant = _before(layer.units, rows.reshape(m, outputs, layer.size), mine)
        pass_on(layer.affine, rows)
        if constant is not None:
            owed[ONE] = owed.get(ONE, 0.0) + constant.reshape(-1, 1)
    W = owed.get(INPUT, np.zeros((m * outputs, network.inputs)))
    b = owed.get(ONE, np.zeros((m * outputs, 1)))
    return W.reshape(m, outputs, network.inputs), b.reshape(m, outputs)


def _pulled(affine: Affine, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Rows over the values of an affine map as rows over each source."""
    for source in sorted({term.source for term in affine.terms}):
        W = affine.product(source)
        yield source, (W.T @ rows.T).T if sparse.issparse(W) else rows @ W


def _before(
    units: Units, rows: np.ndarray, pieces: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Rows over values as rows over pre-activations, and the constants (None: 0)."""
    if isinstance(units, MaxUnits):
        out = np.zeros((*rows.shape[:2], units.fan_in))
        won = units.members[np.arange(units.size), pieces][:, None, :]
        points, outputs = (np.arange(k) for k in rows.shape[:2])
        np.add.at(out, (points[:, None, None], outputs[:, None], won), rows)
        return out, None
    slope, shift = units.lines
    which = np.asarray(units.which, np.int64)
    constant = None
    if shift.any():
        constant = (rows @ shift[which, pieces][:, :, None])[..., 0]
    return rows * slope[which, pieces][:, None, :], constant
