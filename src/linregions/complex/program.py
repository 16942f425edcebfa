"""A restricted network as the flat arrays that the kernels of the complex read.

Everything is numbered through the network: *pre-activations*, *values* (the k coordinates, then
the outputs of the layers), *tests* (what a round refines by: a breakpoint of a pointwise unit, or
a whole max unit), *bits* of a pattern (one a breakpoint; for max units as many as the position of
the winner takes) and *walls*, the hyperplanes that a test may put between cells: a breakpoint
has one, a max unit one for each pair of its arguments (i, j), i < j, ordered by i, then j. Walls
are the rows that users see.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ..domain.restrict import Restricted
from ..domain.scaling import exponent, reach_of
from ..network.affine import INPUT, ONE, Affine
from ..network.network import Network
from ..network.rational import integers
from ..network.scaling import inequalities, is_ordinary, scaled
from ..network.units import MaxUnits, Pointwise, Units
from ..search.program import kind_in_floats

# columns of the table of layers: first pre-activation, test, value; the range of values read;
# place of the weights; first bit, first wall; whether the weights are sparse; bits of a max unit
PRE, TEST, VALUE, LO, HI, AT, BIT, WALL, SPARSE, WIDE = range(10)
SMALL = 4096  # entries up to which weights are kept dense
THIN = 0.2  # part of non-zero weights up to which a larger layer is kept sparse


class Layers(NamedTuple):
    """The network, for the kernels.

    ``table`` has one row per layer, one for the output and one for the ends of ranges. Dense
    weights lie in ``W`` by columns; sparse ones by columns (``cptr, cidx, cval``) and by rows
    (``rptr, ridx, rval``), rows counted from the layer's first, columns from the first value read.
    """

    k: int
    table: np.ndarray
    W: np.ndarray
    cptr: np.ndarray
    cidx: np.ndarray
    cval: np.ndarray
    rptr: np.ndarray
    ridx: np.ndarray
    rval: np.ndarray
    bias: np.ndarray
    bias_error: np.ndarray
    first_piece: np.ndarray
    pieces: np.ndarray
    first_row: np.ndarray  # of each pre-activation
    row_unit: np.ndarray  # pre-activation of each test of pointwise units
    place: np.ndarray  # of each breakpoint, and below it its rounding
    plain: np.ndarray  # layers with one breakpoint a unit, at zero
    bit_value: np.ndarray  # value that each bit belongs to
    gptr: np.ndarray  # arguments of the test, as a range of ``args``
    args: np.ndarray  # their pre-activations
    idle: np.ndarray  # arguments that another one of the unit equals or exceeds everywhere
    wall_of: np.ndarray  # first wall of each test
    wall_test: np.ndarray
    wall_a: np.ndarray  # the pre-activation, or the earlier argument
    wall_b: np.ndarray  # the later argument, or -1
    pick: np.ndarray  # the value that a pre-activation hands on as it is, or -1
    zero_wall: np.ndarray  # a wall on which a value vanishes, or -1


@dataclass(frozen=True, eq=False)
class Weights:
    """The float matrix of an affine map over a range of values, per source, with its errors."""

    lo: int
    hi: int
    blocks: list[tuple[int, Any, Any]]  # first column, matrix, elementwise error or None
    bias: np.ndarray
    bias_error: np.ndarray | None

    @property
    def thin(self) -> bool:
        """Whether the weights should be kept sparse."""
        full = sum(m.shape[0] * m.shape[1] for _, m, _ in self.blocks)
        full = max(full, len(self.bias) * (self.hi - self.lo))
        return full > SMALL and sum(_entries(m) for _, m, _ in self.blocks) < THIN * full

    def dense(self) -> np.ndarray:
        """One dense matrix."""
        out = np.zeros((len(self.bias), self.hi - self.lo))
        for at, matrix, _ in self.blocks:
            to = slice(at - self.lo, at - self.lo + matrix.shape[1])
            out[:, to] = matrix.toarray() if sparse.issparse(matrix) else matrix
        return out

    def csr(self) -> sparse.csr_array:
        """One sparse matrix."""
        if len(self.blocks) == 1 and sparse.issparse(self.blocks[0][1]):
            at, matrix, _ = self.blocks[0]
            whole = at == self.lo and matrix.shape[1] == self.hi - self.lo
            if whole and matrix.has_canonical_format and matrix.data.all():
                return sparse.csr_array(matrix)
        rows: list[Any] = [np.zeros(0, int)]
        columns: list[Any] = [np.zeros(0, int)]
        data: list[Any] = [np.zeros(0)]
        for at, matrix, _ in self.blocks:
            coo: Any = sparse.coo_array(matrix)
            rows.append(coo.row)
            columns.append(coo.col + (at - self.lo))
            data.append(coo.data)
        parts = np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))
        out = sparse.coo_array(parts, shape=(len(self.bias), self.hi - self.lo)).tocsr()
        out.eliminate_zeros()
        return out


def _entries(matrix: Any) -> int:
    return int(matrix.nnz) if sparse.issparse(matrix) else int(np.count_nonzero(matrix))


class Plan:
    """A restricted network with its coordinate scale, and its arrays for the kernels.

    Kernel coordinates are ``y_j / unit_j`` with powers of two, so that they lie in [-1, 1]
    (``reach``: bounds of the y_j, where no rows of single coordinates give them). ``network`` is
    the problem's, of ``y / fold`` with ``fold = unit``; where rows are far from size one, it is
    scaled (`scaling.scaled`), ``fold`` is 1, and output i is to be multiplied by
    ``2^outputs[i]``.
    """

    def __init__(self, problem: Restricted, reach: np.ndarray | None = None) -> None:
        self.problem, self.network = problem, problem.network
        self.k = self.network.inputs
        found = reach_of(problem) if reach is None else reach
        exponents = [0] * self.k if found is None else [min(1023, exponent(r)) for r in found]
        scale = np.array(exponents, np.int64)
        self.bounded = found is not None
        self.unit = np.ldexp(1.0, scale)
        self.fold = self.unit
        self.outputs = np.zeros(self.network.outputs, np.int64)
        self.rows = inequalities(problem.A, problem.b, scale)
        with np.errstate(all="ignore"):  # what leaves the floats is not ordinary
            ordinary = is_ordinary(self.network, scale)
        if not ordinary:
            self.network, self.outputs = scaled(self.network, scale)
            self.fold = np.ones(self.k)
        net = self.network
        self.start = np.cumsum([0, self.k, *net.widths])  # first value of each source, and the end
        self.weights = [self._weights(m) for m in (*(x.affine for x in net.layers), net.output)]
        self.units: list[Units | None] = [*(layer.units for layer in net.layers), None]
        self.layers = _Builder(self).layers()
        self.table = self.layers.table

    def _weights(self, affine: Affine) -> Weights:
        net, sources = self.network, affine.sources
        lo = int(self.start[sources[0]]) if sources else 0
        hi = int(self.start[sources[-1] + 1]) if sources else 0
        blocks = []
        for source in sources:
            size = net.size_of(source)
            take = affine.csr if affine.is_sparse(source) else affine.rounded
            matrix, error = take(source, size)
            if source == INPUT:
                matrix = _scaled(matrix, self.fold)
                error = None if error is None else _scaled(error, self.fold)
            blocks.append((int(self.start[source]), matrix, error))
        bias, off = affine.rounded(ONE, 1)
        return Weights(lo, hi, blocks, bias[:, 0], None if off is None else off[:, 0])

    def constants(self, n: int) -> dict[int, Fraction]:
        """Pre-activations of layer n that are constant on the whole domain, where they compete.

        Black pixels make such constants, and equal ones, which no float can compare.
        """
        units = self.units[n]
        assert isinstance(units, MaxUnits)
        still = self._still[n]
        some = [g for g in units.groups if sum(bool(still[i]) for i in g) > 1]
        if not some:
            return {}
        values = self._values_at_origin[n]
        return {i: values[i] for g in some for i in g if still[i]}

    @cached_property
    def _still(self) -> list[np.ndarray]:
        """Per layer, the pre-activations that read no coordinate, not even through units."""
        moving = np.zeros(int(self.start[-1]), bool)
        moving[: self.k] = True
        out = []
        for n, (weights, units) in enumerate(zip(self.weights, self.units, strict=True)):
            moves = np.zeros(len(weights.bias), bool)
            for at, matrix, error in weights.blocks:
                mine = moving[at : at + matrix.shape[1]].astype(np.float64)
                moves |= np.asarray(abs(matrix) @ mine).ravel() > 0.0
                if error is not None:
                    moves |= np.asarray(abs(error) @ mine).ravel() > 0.0
            out.append(~moves)
            if units is not None:
                if isinstance(units, MaxUnits):
                    moves = np.array([moves[list(g)].any() for g in units.groups], bool)
                moving[self.start[n + 1] : self.start[n + 2]] = moves
        return out

    @cached_property
    def _values_at_origin(self) -> list[list[Fraction]]:
        """Exact pre-activations of all layers where all coordinates are 0."""
        one = integers(np.ones((1, 1)))
        values, out = {INPUT: integers(np.zeros((self.k, 1))), ONE: one}, []
        for n, layer in enumerate(self.network.layers, start=1):
            z = layer.affine.applied(values, 1).to_fractions()[:, 0]
            out.append(list(z))
            column = np.empty((layer.size, 1), dtype=object)
            column[:, 0] = layer.units.at(z)[0]
            values[n] = integers(column)
        return out

    @property
    def bits(self) -> int:
        """Bits of a whole pattern."""
        return int(self.table[-1, BIT])

    def pieces(self, bits: np.ndarray) -> np.ndarray:
        """Piece of every unit from the bits of patterns, (n, bits) to (n, units)."""
        parts, many = [], 1
        for n, units in enumerate(self.units):
            at, end = self.table[n, BIT], self.table[n + 1, BIT]
            mine = bits[:, at:end]
            if isinstance(units, MaxUnits):
                wide = int(self.table[n, WIDE])
                weight = (1 << np.arange(wide)).astype(np.int32)
                parts.append(mine.reshape(len(bits), -1, wide).astype(np.int32) @ weight)
                many = max([many, *units.pieces_per_unit()])
            elif units is not None:
                counts = np.array(units.pieces_per_unit(), np.int64) - 1
                many = max(many, 1 + int(counts.max(initial=0)))
                parts.append(mine if (counts == 1).all() else _sums(mine, counts))
        kind = np.uint8 if many < 256 else np.uint16
        none = np.zeros((len(bits), 0), kind)
        return np.concatenate([none, *(p.astype(kind, copy=False) for p in parts)], axis=1)

    def signs(self, bits: np.ndarray) -> np.ndarray:
        """(n, walls) int8: +1 above a breakpoint, or where the later of two arguments wins.

        The rows of a max unit are those of `MaxUnits.row_weights`; all others are -1.
        """
        out = [np.zeros((len(bits), 0), np.int8)]
        pieces, at = self.pieces(bits), 0
        for n, units in enumerate(self.units):
            if isinstance(units, MaxUnits):
                later = [pairs(m)[1] for m in units.pieces_per_unit()]
                owner = np.repeat(np.arange(units.size), [len(j) for j in later])
                won = pieces[:, at + owner] == np.concatenate([np.zeros(0, int), *later])
                out.append(won.astype(np.int8) * 2 - 1)
            elif units is not None:
                mine = bits[:, self.table[n, BIT] : self.table[n + 1, BIT]]
                out.append(mine.astype(np.int8) * 2 - 1)
            at += 0 if units is None else units.size
        return np.concatenate(out, axis=1)


def _scaled(matrix: Any, unit: np.ndarray) -> Any:
    """The columns times powers of two."""
    if sparse.issparse(matrix):
        return sparse.csr_array(matrix @ sparse.diags_array(unit))
    return matrix * unit


def _sums(bits: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sums of the bits over runs of these lengths (some may be 0)."""
    total = np.zeros((len(bits), bits.shape[1] + 1), np.int64)
    np.cumsum(bits, axis=1, out=total[:, 1:])
    ends = np.cumsum(counts)
    return total[:, ends] - total[:, ends - counts]


class _Builder:
    """Collects the arrays layer by layer."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.lists: dict[str, list[Any]] = {name: [] for name in Layers._fields}
        self.at = {name: 0 for name in ("pre", "test", "bit", "wall", "W", "c")}

    def layers(self) -> Layers:
        """The arrays of all layers."""
        plan, lists, at = self.plan, self.lists, self.at
        lists["zero_wall"] += [np.full(plan.k, -1)]
        for n, (weights, units) in enumerate(zip(plan.weights, plan.units, strict=True)):
            thin = weights.thin
            wide = 0
            if isinstance(units, MaxUnits):
                wide = max(1, int(max(units.pieces_per_unit(), default=1) - 1).bit_length())
            first = at["c"] if thin else at["W"]
            row = [at["pre"], at["test"], plan.start[n + 1], weights.lo, weights.hi, first]
            lists["table"].append([*row, at["bit"], at["wall"], thin, wide])
            self._matrix(weights, thin)
            if isinstance(units, MaxUnits):
                self._groups(units, int(plan.start[n + 1]), wide, n)
            elif units is not None:
                self._pointwise(units, int(plan.start[n + 1]))
            at["pre"] += len(weights.bias)
        row = [at["pre"], at["test"], plan.start[-1], 0, 0, 0, at["bit"], at["wall"], 0, 0]
        lists["table"].append(row)
        return self._packed()

    def _matrix(self, weights: Weights, thin: bool) -> None:
        add, at = self._add, self.at
        add("bias", weights.bias)
        none = np.zeros(len(weights.bias))
        add("bias_error", none if weights.bias_error is None else weights.bias_error)
        rows = np.zeros(len(weights.bias), np.int64)
        if thin:
            csr = weights.csr()
            csc = csr.tocsc()
            add("cptr", csc.indptr.astype(np.int64) + sum(map(len, self.lists["cval"])))
            add("cidx", csc.indices)
            add("cval", csc.data)
            add("ridx", csr.indices)
            add("rval", csr.data)
            rows = np.diff(csr.indptr).astype(np.int64)
            at["c"] += len(csc.indptr)
        else:
            block = weights.dense()
            add("W", block.T.ravel())
            at["W"] += block.size
        add("rptr", rows)
        add("pick", _handed_on(weights))

    def _same(self, weights: Weights) -> np.ndarray:
        """For each pre-activation a number, equal for rows that are the same exactly."""
        count = len(weights.bias)
        if weights.bias_error is not None or any(e is not None for _, _, e in weights.blocks):
            return np.arange(count)
        csr = weights.csr()
        seen: dict[bytes, int] = {}
        out = np.empty(count, np.int64)
        for i, (a, b) in enumerate(pairwise(csr.indptr)):
            key = csr.indices[a:b].tobytes() + csr.data[a:b].tobytes() + weights.bias[i].tobytes()
            out[i] = seen.setdefault(key, i)
        return out

    def _groups(self, units: MaxUnits, value: int, wide: int, n: int) -> None:
        at, add = self.at, self._add
        same, constants = self._same(self.plan.weights[n]), self.plan.constants(n)
        sizes = np.array([len(g) for g in units.groups], np.int64)
        first = np.cumsum(sizes) - sizes
        args = np.array([i for g in units.groups for i in g], np.int64)
        owner = np.repeat(np.arange(units.size), sizes)
        earlier, later = (
            np.concatenate([np.zeros(0, np.int64), *(
                pairs(m)[side] + f for m, f in zip(sizes.tolist(), first.tolist(), strict=True)
            )]) for side in (0, 1)
        )  # fmt: skip
        walls = sizes * (sizes - 1) // 2
        add("gptr", sizes)
        add("args", at["pre"] + args)
        add("idle", _idle(same[args], owner, [constants.get(i) for i in args.tolist()]))
        add("wall_of", at["wall"] + np.cumsum(walls) - walls)
        add("wall_test", at["test"] + np.repeat(np.arange(units.size), walls))
        add("wall_a", at["pre"] + args[earlier])
        add("wall_b", at["pre"] + args[later])
        add("row_unit", np.full(units.size, -1))
        add("place", np.zeros((units.size, 2)))
        add("bit_value", value + np.repeat(np.arange(units.size), wide))
        at["test"] += units.size
        at["wall"] += len(later)
        at["bit"] += wide * units.size
        add("first_piece", np.zeros(units.fan_in, np.int64))
        add("first_row", np.full(units.fan_in, at["test"]))
        add("plain", [False])
        add("zero_wall", np.full(units.size, -1))

    def _pointwise(self, units: Pointwise, value: int) -> None:
        at, add = self.at, self._add
        kinds = [kind_in_floats(kind) for kind in units.kinds]
        pieces = sum(map(len, self.lists["pieces"]))
        first_piece, zeros = [], []
        for kind, (mine, _) in zip(units.kinds, kinds, strict=True):
            first_piece.append(pieces)
            add("pieces", mine)
            pieces += len(mine)
            zeros.append([i for i, t in enumerate(kind.breaks) if kind(Fraction(t)) == 0])
        counts = np.array([len(kinds[w][1]) for w in units.which], np.int64)
        first = at["test"] + np.cumsum(counts) - counts
        tests = int(counts.sum())
        owner = np.repeat(np.arange(units.size), counts)
        add("first_piece", [first_piece[w] for w in units.which])
        add("first_row", first)
        add("row_unit", at["pre"] + owner)
        places = [p for w in units.which for p in kinds[w][1]]
        add("place", np.array(places, np.float64).reshape(-1, 2))
        add("plain", [all(len(k[1]) == 1 and k[1][0] == (0.0, 0.0) for k in kinds)])
        add("bit_value", value + owner)
        add("gptr", np.zeros(tests, np.int64))
        walls = at["wall"] + np.arange(tests)
        add("wall_of", walls)
        add("wall_test", at["test"] + np.arange(tests))
        add("wall_a", at["pre"] + owner)
        add("wall_b", np.full(tests, -1))
        zero = [zeros[w][0] if zeros[w] else -1 for w in units.which]
        base = at["wall"] - at["test"]
        add("zero_wall", [base + f + z if z >= 0 else -1 for f, z in zip(first, zero, strict=True)])
        at["test"] += tests
        at["wall"] += tests
        at["bit"] += tests

    def _add(self, name: str, values: Any) -> None:
        self.lists[name].append(np.asarray(values))

    def _packed(self) -> Layers:
        kinds = {
            "table": np.int64, "W": np.float64, "cptr": np.int64, "cidx": np.int32,
            "cval": np.float64, "ridx": np.int32, "rval": np.float64, "bias": np.float64,
            "bias_error": np.float64, "first_piece": np.int64, "first_row": np.int64,
            "row_unit": np.int64, "plain": np.bool_, "bit_value": np.int64, "args": np.int64,
            "idle": np.bool_, "wall_test": np.int32, "wall_a": np.int32, "wall_b": np.int32,
            "pick": np.int64, "zero_wall": np.int64,
        }  # fmt: skip
        out: dict[str, Any] = {"k": self.plan.k}
        for name, kind in kinds.items():
            if name == "table":
                out[name] = np.array(self.lists[name], kind)
            else:
                parts = [np.zeros(0, kind), *self.lists[name]]
                out[name] = np.ascontiguousarray(np.concatenate(parts).astype(kind))
        none = np.zeros(1, np.int64)
        for name in ("rptr", "gptr"):
            out[name] = np.cumsum(np.concatenate([none, *self.lists[name]])).astype(np.int64)
        walls = np.array([self.at["wall"]])
        out["wall_of"] = np.concatenate([none[:0], *self.lists["wall_of"], walls]).astype(np.int64)
        out["plain"] = np.append(out["plain"], [False, False])
        pairs = [np.zeros((0, 2)), *self.lists["pieces"]]
        out["pieces"] = np.ascontiguousarray(np.concatenate([np.asarray(p) for p in pairs]))
        places = np.concatenate([np.zeros((0, 2)), *self.lists["place"]])
        out["place"] = np.ascontiguousarray(places.T)
        return Layers(**out)


@cache
def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The earlier and the later one of every pair of so many, in order."""
    earlier, later = np.triu_indices(count, 1)
    return earlier, later


def _idle(same: np.ndarray, owner: np.ndarray, constants: list[Any]) -> np.ndarray:
    """Arguments of which an earlier one of their unit is the same row, or a constant one is larger
    everywhere."""
    out = np.ones(len(same), np.bool_)
    _, first = np.unique(owner * (np.max(same, initial=0) + 1) + same, return_index=True)
    out[first] = False
    known: dict[int, list[int]] = {}
    for i, c in enumerate(constants):
        if c is not None:
            known.setdefault(int(owner[i]), []).append(i)
    for mine in known.values():
        out[mine] = True
        out[max(mine, key=lambda i: (constants[i], -i))] = False
    return out


def _handed_on(weights: Weights) -> np.ndarray:
    """For each pre-activation the value that it is exactly a multiple of, or -1."""
    out = np.full(len(weights.bias), -1, np.int64)
    if weights.bias_error is not None or any(e is not None for _, _, e in weights.blocks):
        return out
    csr = weights.csr()
    single = (np.diff(csr.indptr) == 1) & (weights.bias == 0.0)
    out[single] = weights.lo + csr.indices[csr.indptr[:-1][single]]
    return out


def is_large(network: Network, cells: int = 1) -> bool:
    """Whether dense matrices of all layers would take more than a quarter of a gigabyte."""
    sizes = [network.inputs, *network.widths]
    layers = (*(x.affine for x in network.layers), network.output)
    return cells * sum(a.size * sum(sizes[s] for s in a.sources) for a in layers) > 1 << 25
