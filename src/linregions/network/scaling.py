"""Powers of two that bring every unit of a network to size about one, without any rounding.

Floats hold numbers from 5e-324 to 1.8e308, and their products only from about 1e-308 on without
loss: weights of 1e-170 in two layers are lost, one of 1e155 cannot be squared. But a unit may be
measured in any positive unit of measurement. With exponents r for the pre-activations z of a layer,
s for its values h, and the coordinates y_j = 2^(c_j) u_j,

    z_i = 2^(r_i) z'_i,    h_i = 2^(s_i) h'_i,    h'_i = phi'_i(z'_i),
    W'_ij = 2^(s_j - r_i) W_ij,    phi'(z) = 2^(-s) phi(2^r z)

is the same network of u, cell by cell. Breakpoints, slopes and values of phi scale along. The
arguments of a max unit share one r, since they are compared; a value that several layers read is
unscaled in the columns of each of them. With r_i the largest exponent in row i every row is of size
about one.

What does not fit then is far below the rest of its row. Exact decisions see it in full (`Term` s
hold it, as a Fraction where no float does); the float table (`Affine.rounded`) holds 0 there, and
its bound says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from scipy import sparse

from ..roundoff import ROUNDOFF
from .affine import INPUT, ONE, Affine, Term
from .network import Layer, Network
from .rational import dense, is_rational, nearest, rounded, simplest
from .units import Activation, MaxUnits, Pointwise, Units

ZERO = -(1 << 40)  # the exponent of 0
CUT = 500  # below 2^-CUT of its row a weight is 0 in float tables
MILD = 100  # exponents of rows, all layers together, at which nothing need be scaled
STEEP = 60  # the same for numbers of a unit
EDGE = 900  # exponents that products must stay within


class Scaled(NamedTuple):
    """A network of scaled coordinates u; output i of the original is ``2^outputs[i]`` times its."""

    network: Network
    outputs: np.ndarray


def exponents(values: Any) -> np.ndarray:
    """For each number an e with ``|x| < 2^e``, at most two too large; `ZERO` for 0."""
    array = np.asarray(values)
    if array.dtype != object:
        return np.where(array == 0.0, ZERO, np.frexp(array)[1]).astype(np.int64)
    flat = [_exponent(Fraction(x)) for x in array.ravel()]
    return np.array(flat, np.int64).reshape(array.shape)


def _exponent(x: Fraction) -> int:
    return x.numerator.bit_length() - x.denominator.bit_length() + 1 if x else ZERO


def shifted(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """The numbers times ``2^by``, exactly: floats where they hold all, else Fractions."""
    if values.dtype != object:
        with np.errstate(over="ignore", under="ignore"):
            out = np.ldexp(values, by)
            if np.isfinite(out).all() and (np.ldexp(out, -by) == values).all():
                return out
    pairs = zip(values.ravel().tolist(), np.broadcast_to(by, values.shape).ravel(), strict=True)
    out = np.empty(values.size, dtype=object)
    out[:] = [Fraction(x) * Fraction(2) ** int(e) for x, e in pairs]
    return simplest(out.reshape(values.shape))


# -- whether there is anything to do --------------------------------------------------------------


def is_ordinary(
    network: Network, coordinates: np.ndarray | None = None, most: int = 4 * MILD
) -> bool:
    """Whether all rows are of moderate size already (with coordinates in units of 2^c).

    ``most``: what the largest exponents of the layers' rows may add up to.
    """
    total = 0
    shift = np.zeros(network.inputs, np.int64) if coordinates is None else coordinates
    for affine in (*(layer.affine for layer in network.layers), network.output):
        size = _mildest(affine, shift)
        if size is None:
            return False
        total += size
    kinds = {
        kind
        for layer in network.layers
        if isinstance(layer.units, Pointwise)
        for kind in layer.units.kinds
    }
    return total <= most and all(_is_mild(kind) for kind in kinds)


def _mildest(affine: Affine, coordinates: np.ndarray) -> int | None:
    """Largest size of the exponent of a row; None where a number or a product is far out."""
    for term in affine.terms:
        spread = 0
        for factor in term.factors:
            e = exponents(factor.data if sparse.issparse(factor) else factor)
            spread += int(np.max(np.abs(e), where=e != ZERO, initial=0))
        if spread > EDGE:
            return None
    rows = np.full(affine.size, ZERO)
    for source in (*affine.sources, ONE):
        if source in affine._rounded:
            matrix = abs(affine._rounded[source][0])
            if source == INPUT:
                matrix = matrix * np.exp2(np.clip(coordinates, -EDGE, EDGE))
            top = matrix.max(axis=1) if matrix.shape[1] else np.zeros(affine.size)
            rows = np.maximum(rows, exponents(np.asarray(dense(top)).ravel()))
    most = int(np.max(np.abs(rows), where=rows != ZERO, initial=0))
    far = int(np.max(np.abs(coordinates), initial=0)) if INPUT in affine.sources else 0
    return most if max(most, far) <= 4 * MILD else None


def _is_mild(kind: Activation) -> bool:
    numbers = np.array([*kind.breaks, *kind.slopes, *kind.intercepts, Fraction(0)], dtype=object)
    e = exponents(numbers)
    return bool((np.abs(e[e != ZERO]) <= STEEP).all())


# -- scaling --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Tabled(Affine):
    """An affine map whose float table is given."""

    table: dict[int, tuple[Any, Any]]

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "table": self.table}

    @cached_property
    def _rounded(self) -> dict[int, tuple[Any, Any]]:
        return self.table


class _Entries(NamedTuple):
    """The non-zero entries of an exact matrix: floats, or Fractions."""

    source: int
    data: np.ndarray
    row: np.ndarray
    col: np.ndarray
    shape: tuple[int, int]
    sparse: bool


def scaled(network: Network, coordinates: np.ndarray, cut: int = CUT) -> Scaled:
    """The network of ``u = y / 2^coordinates`` with all rows, values and outputs of size about 1.

    Exact as it stands; weights below ``2^-cut`` of their row are 0 in its float tables.
    """
    columns = {INPUT: np.asarray(coordinates, np.int64), ONE: np.zeros(1, np.int64)}
    layers = []
    for number, layer in enumerate(network.layers, start=1):
        entries = _entries(layer.affine, network)
        rows = _shared(layer.units, _rows(entries, columns, layer.affine.size))
        units, columns[number] = _units(layer.units, rows)
        layers.append(Layer(_affine(entries, columns, rows, cut), units))
    entries = _entries(network.output, network)
    rows = np.maximum(_rows(entries, columns, network.outputs), -(1 << 30))
    rows[rows == -(1 << 30)] = 0
    output = _affine(entries, columns, rows, cut)
    return Scaled(Network(network.inputs, tuple(layers), output, network.notes), rows)


_known: WeakKeyDictionary[Network, Scaled | None] = WeakKeyDictionary()  # None: the network itself


def measured(network: Network) -> Scaled:
    """The network itself, or scaled in its own coordinates where its rows are far from size one.

    It is kept as long as the network is.
    """
    if network not in _known:
        with np.errstate(all="ignore"):
            ordinary = is_ordinary(network)
        _known[network] = None if ordinary else scaled(network, np.zeros(network.inputs, np.int64))
    return _known[network] or Scaled(network, np.zeros(network.outputs, np.int64))


def _entries(affine: Affine, network: Network) -> list[_Entries]:
    """The exact matrices of an affine map; products of factors are multiplied out exactly."""
    out = []
    for source in (*affine.sources, ONE):
        terms = [t for t in affine.terms if t.source == source]
        if not terms:
            continue
        matrix = terms[0].factors[0]
        if len(terms) > 1 or len(terms[0].factors) > 1:
            matrix = simplest(affine.exact(source, network.size_of(source)).to_fractions())
        if sparse.issparse(matrix):
            coo: Any = sparse.coo_array(matrix)
            coo.sum_duplicates()
            data, row, col = coo.data, coo.row, coo.col
        else:
            row, col = np.nonzero(matrix)
            data = matrix[row, col]
        out.append(_Entries(source, data, row, col, matrix.shape, sparse.issparse(matrix)))
    return out


def _rows(entries: list[_Entries], columns: dict[int, np.ndarray], size: int) -> np.ndarray:
    """Largest exponent of each row, `ZERO` for rows of zeros."""
    rows = np.full(size, ZERO)
    for m in entries:
        e = exponents(m.data) + columns[m.source][m.col]
        np.maximum.at(rows, m.row, e)
    return rows


def _shared(units: Units, rows: np.ndarray) -> np.ndarray:
    """Exponents of the pre-activations: breakpoints count too, and rivals share the largest."""
    from scipy.sparse.csgraph import connected_components

    if isinstance(units, Pointwise):
        most = [int(np.max(exponents(_objects(k.breaks)), initial=ZERO)) for k in units.kinds]
        rows = np.maximum(rows, np.array(most, np.int64)[list(units.which)])
    else:
        pairs = np.array([(g[0], a) for g in units.groups for a in g], np.int64).reshape(-1, 2)
        ones = np.ones(len(pairs), np.int8)
        graph = sparse.coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=2 * (len(rows),))
        count, part = connected_components(graph, directed=False)
        most = np.full(count, ZERO)
        np.maximum.at(most, part, rows)
        rows = most[part]
    return np.where(rows == ZERO, 0, rows)


def _units(units: Units, rows: np.ndarray) -> tuple[Units, np.ndarray]:
    """The units that read scaled pre-activations, and the exponents of their values."""
    if isinstance(units, MaxUnits):
        return units, rows[[g[0] for g in units.groups]].astype(np.int64)
    known: dict[tuple[int, int], tuple[Activation, int]] = {}
    pairs = list(zip(units.which, rows.tolist(), strict=True))
    for which, r in pairs:
        if (which, r) not in known:
            known[which, r] = _kind(units.kinds[which], r)
    made = [known[pair] for pair in pairs]
    return Pointwise.each([kind for kind, _ in made]), np.array([s for _, s in made], np.int64)


def _kind(kind: Activation, r: int) -> tuple[Activation, int]:
    """``2^-s phi(2^r z)`` and s, which takes in slopes and values far from 1."""
    steep = int(exponents(_objects(kind.slopes)).max())
    steep = 0 if steep == ZERO or abs(steep) <= 8 else steep
    s = max(r + steep, int(exponents(_objects([kind.value]))[0]))
    if s == r and kind.value == 0 and all(t == 0 for t in kind.breaks):
        return kind, s

    def times(numbers: Any, by: int) -> tuple[Any, ...]:
        return tuple(_plain(Fraction(x) * Fraction(2) ** by) for x in numbers)

    (value,) = times([kind.value], -s)
    return Activation(times(kind.breaks, -r), times(kind.slopes, r - s), value, kind.name), s


def _plain(x: Fraction) -> Any:
    """A float where one holds the number."""
    v = nearest(x)
    return v if np.isfinite(v) and Fraction(v) == x else x


def _objects(numbers: Any) -> np.ndarray:
    out = np.empty(len(numbers), dtype=object)
    out[:] = [Fraction(x) for x in numbers]
    return out


def _affine(
    entries: list[_Entries], columns: dict[int, np.ndarray], rows: np.ndarray, cut: int
) -> Affine:
    """The scaled map: exact terms, and the table of what floats see of them."""
    terms, table = [], {}
    for m in entries:
        by = columns[m.source][m.col] - rows[m.row]
        exact = shifted(m.data, by)
        values = np.array(rounded(exact))  # exact stays as it is
        error = np.zeros(len(values))
        if is_rational(exact):
            error = 2 * ROUNDOFF * np.abs(values)
        small = exponents(exact) < -cut
        values[small], error[small] = 0.0, 2.0**-cut
        terms.append(Term(m.source, (_matrix(m, exact),)))
        lost = _matrix(m, error) if error.any() else None
        table[m.source] = _matrix(m, values), lost
    return _Tabled(len(rows), tuple(terms), table)


def _matrix(m: _Entries, data: np.ndarray) -> Any:
    """These entries as a matrix; dense where they are Fractions."""
    if m.sparse and data.dtype != object:
        return sparse.csr_array(sparse.coo_array((data, (m.row, m.col)), shape=m.shape))
    out = np.zeros(m.shape)
    if data.dtype == object:
        out = np.full(m.shape, Fraction(0), dtype=object)
    out[m.row, m.col] = data
    return out


# -- coordinates and inequalities -----------------------------------------------------------------


def coordinates(network: Network, A: Any) -> np.ndarray:
    """Exponents of coordinates without bounds in which rows and constants are of one size.

    ScaledRows of the network and of the domain are brought to size one; then each column, and all
    columns together so that constants are about as large.
    """
    k = network.inputs
    columns = {s: np.zeros(network.size_of(s), np.int64) for s in range(len(network.layers) + 1)}
    columns[ONE] = np.zeros(1, np.int64)
    tops, offsets = [exponents(np.asarray(A)).reshape(-1, k)], []
    for layer in network.layers:
        entries = _entries(layer.affine, network)
        table = np.full((layer.affine.size, k), ZERO)
        for m in entries:
            if m.source == INPUT:
                table[m.row, m.col] = exponents(m.data)
        constant = _rows([m for m in entries if m.source == ONE], columns, layer.affine.size)
        top = table.max(axis=1, initial=ZERO)
        both = (top != ZERO) & (constant != ZERO)
        offsets += (constant[both] - top[both]).tolist()
        tops.append(table)
    every = np.concatenate(tops)
    size = every.max(axis=1, initial=ZERO, keepdims=True)
    every = np.where(every == ZERO, ZERO, every - size)
    top = every.max(axis=0, initial=ZERO)
    column = np.where(top == ZERO, 0, -top)
    return np.clip(column + int(np.median(offsets or [0])), -1000, 1000).astype(np.int64)


class ScaledRows(NamedTuple):
    """``A u <= b`` in floats, rows of size about one, with bounds of the errors of both."""

    A: np.ndarray
    b: np.ndarray
    A_error: np.ndarray
    b_error: np.ndarray


def inequalities(A: Any, b: Any, by: np.ndarray) -> ScaledRows:
    """``A y <= b`` in the coordinates ``u = y / 2^by``, every row times a power of two."""
    A, b = np.asarray(A), np.asarray(b)
    rows = (exponents(A) + by).max(axis=1, initial=ZERO) if A.size else np.zeros(len(b), np.int64)
    rows = np.where(rows < -(1 << 30), 0, rows)
    out = []
    for values, shift in ((A, by - rows[:, None]), (b, -rows)):
        exact = shifted(values, shift)
        value = rounded(exact)
        lost = np.zeros(value.shape)
        if is_rational(exact):
            lost = 2 * ROUNDOFF * np.abs(value) + 2.0**-CUT
        out.append((value, lost))
    (left, left_error), (right, right_error) = out
    return ScaledRows(left, right, left_error, right_error)


def unscaled(u: np.ndarray, unit: np.ndarray, exact: dict[int, list[Fraction]]) -> np.ndarray:
    """Points ``y = unit u`` in floats; those that no floats hold go into ``exact`` as well."""
    with np.errstate(over="ignore", under="ignore"):
        points = u * unit
        held = np.isfinite(points) & (points / unit == u)
    for i in np.flatnonzero(~held.all(axis=1)).tolist():
        pairs = zip(u[i].tolist(), unit.tolist(), strict=True)
        exact[i] = [Fraction(x) * Fraction(scale) for x, scale in pairs]
    return points


def along(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """(m,) powers of two that make directions q about as long as max(norm of p, 1)."""
    with np.errstate(all="ignore"):
        size = np.maximum(np.linalg.norm(p, axis=1), 1.0) / np.linalg.norm(q, axis=1)
        e = np.round(np.log2(size))
    long, short = (exponents(np.abs(v).max(axis=1, initial=0.0)) for v in (p, q))
    e = np.where(np.isfinite(e), e, np.maximum(long, 0) - short)
    return np.exp2(np.clip(e, -900, 900))
