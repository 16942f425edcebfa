#!/usr/bin/env python3
"""Check a proof of a number of linear regions: Python alone, no other package, all numbers exact.

    python check_regions.py FILE [--workers N] [--json] [--journal FILE.checked]

Exit 0: accepted; 1: refused, with one line that says where and why; 2: not readable.

The theorem. A tree starts at the whole domain; each node divides the cell of its path by a row (the
affine form z - t of a unit with pre-activation z and breakpoint t) or by the winner of a max unit; a
side that is left out is shown to be empty; at a leaf every unit of every layer is decided. Then the
cells of the leaves are open, disjoint, cover the domain up to hyperplanes, and have one pattern each,
no two the same. A witness strictly inside each shows that none is empty: the leaves are the activation
regions. The side h > 0 of a cell on which a_i >= 0 is empty if h + sum l_i a_i, l_i >= 0, is nowhere
positive over proved bounds of the coordinates. Once all units that it reads are decided, a row is one
affine form on the cell, composed here from the weights: integers over one denominator a layer. A row
that vanishes on the cell is on its lower side. The file is described in docs/proofs.md.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import sys
import zipfile
from array import array
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, pairwise
from math import inf, lcm, prod
from operator import mul

FORMAT = "linregions proof 1"
MOST = 1 << 24  # units, rows, numbers in a block: more is refused
OPEN = 2  # the side of a row that is not decided; else 0, lower, or 1, upper
DTYPES = {"<f8": "d", "<f4": "f", "<i4": "i", "<i8": "q"}


class Refused(Exception):
    """The proof does not prove its statement: why, and where."""

    def __str__(self):
        return ": ".join(reversed(self.args))


class Unreadable(Exception):
    """The file is no proof of this format, or is damaged."""


def need(true, why):
    if not true:
        raise Refused(why)


def index(value, end, what):
    need(type(value) is int and 0 <= value < end, f"{what} {value!r:.40} of {end}")
    return value


def rational(text):
    need(re.fullmatch("-?[0-9]+(/[0-9]+)?", text), f"{text:.40} is no number p/q")
    return Fraction(*(int(Decimal(part)) for part in text.split("/")))  # of any length


def numbers(code, data):
    out = array(code, data)
    if sys.byteorder == "big":
        out.byteswap()
    return out


def dyadic(values):
    """(s, integers): the values times 2^s; neither NaN nor infinity has a ratio."""
    ratios = [v.as_integer_ratio() for v in values]
    below = max((q for _, q in ratios), default=1)
    return below.bit_length() - 1, [p * (below // q) for p, q in ratios]


def solved(vectors, target):
    """(d, l) with d > 0 and sum l_i vectors_i = d target, in integers, for independent vectors;
    None if there are none. Elimination without fractions, after Bareiss."""
    table, before, n = [list(row) for row in zip(*vectors, target, strict=True)], 1, len(vectors)
    for k in range(n):
        hit = next((i for i in range(k, len(table)) if table[i][k]), None)
        need(hit is not None, "forms that are not linearly independent")
        table[k], table[hit] = table[hit], table[k]
        top, pivot = table[k], table[k][k]
        for i, row in enumerate(table):
            if i != k:
                table[i] = [(pivot * a - row[k] * b) // before for a, b in zip(row, top)]
        before = pivot
    if any(row[n] for row in table[n:]):
        return None
    return abs(before), [row[n] if before > 0 else -row[n] for row in table[:n]]


# -- the network; matrices and maps are lists of rows {column: Fraction} ----------------------------


def factor(spec, arrays):
    """One matrix, as the file stores it: (columns, rows)."""
    kind = next(k for k in ("dense", "csr", "rational") if k in spec)
    high, wide = arrays[spec[kind]][0] if kind == "dense" else spec["shape"]
    data = arrays[spec[kind] + ("_data" if kind == "csr" else "")][1]
    if kind == "csr":
        at, columns = (list(arrays[f"{spec[kind]}_{part}"][1]) for part in ("indptr", "indices"))
    else:
        at, columns = [i * wide for i in range(index(high, MOST, "rows") + 1)], [*range(wide)] * high
    sizes = len(at) == high + 1 and at[0] == 0 and at[-1] == len(data) == len(columns)
    need(sizes and at == sorted(at), f"the sizes of {spec}")
    rows = [{} for _ in range(high)]
    for row, (a, b) in zip(rows, pairwise(at)):
        for c, v in zip(columns[a:b], data[a:b]):
            row[c] = row.get(index(c, wide, "column"), 0) + Fraction(v)
    return wide, rows


def times(left, right):
    rows = [{} for _ in left]
    for total, row in zip(rows, left):
        for j, w in row.items():
            for c, v in right[j].items() if w else ():
                total[c] = total.get(c, 0) + w * v
    return rows


def affine(spec, arrays, sizes, chart):
    """The sum of products of factors, as rows {0: constant, 1 + j: of y_j, (i, u): of output u of
    layer i}; the input is chart (1, y)."""
    rows = [{} for _ in range(index(spec["size"], MOST, "size"))]
    for term in spec["terms"]:
        source = index(term["source"] + 1, len(sizes), "source") - 1
        total = chart if source == 0 else [{c: Fraction(1)} for c in range(sizes[source + 1])]
        for each in term["factors"]:
            wide, left = factor(each, arrays)
            need(wide == len(total), f"{wide} columns for {len(total)} rows")
            total = times(left, total)
        for into, row in zip(rows, total, strict=True):
            for c, v in row.items():
                c = (source, c) if source > 0 else c
                into[c] = into.get(c, 0) + v
    return rows


def read_units(spec, fan_in):
    """The arguments of max units, or the breakpoints and pieces (slope, shift) of pointwise ones."""
    if "max" in spec:
        need(spec["fan_in"] == fan_in and all(spec["max"]), "fan_in, or a max unit of nothing")
        return [[index(a, fan_in, "argument") for a in group] for group in spec["max"]], []
    kinds = []
    for kind in spec["kinds"]:
        breaks, slopes = ([rational(t) for t in kind[key]] for key in ("breaks", "slopes"))
        pieces = [(slopes[0], rational(kind["value"]) - slopes[0] * [*breaks, 0][0])]
        for t, slope in zip(breaks, slopes[1:], strict=True):
            pieces.append((slope, pieces[-1][1] + (pieces[-1][0] - slope) * t))
        need(all(a < b for a, b in pairwise(breaks)), "breakpoints that do not ascend")
        need(all(a != b for a, b in pairwise(slopes)), "a breakpoint without a bend")
        kinds.append((breaks, pieces))
    need(len(spec["which"]) == fan_in, "units and pre-activations differ in number")
    return [], [kinds[index(w, len(kinds), "kind of unit")] for w in spec["which"]]


class Layer:
    """An affine map in integers over `below`, and its units; their outputs are over `outer`."""

    def __init__(self, rows, units, layers):
        self.groups, kinds = units
        self.size, self.first = len(self.groups or kinds), sum(e.size for e in layers)
        self.reads = {c[0] for row in rows for c in row if type(c) is tuple}
        self.needs = sorted(self.reads.union(*(layers[i].needs for i in self.reads)))
        under = {c: layers[c[0]].outer for row in rows for c in row if type(c) is tuple}
        rows = [{c: v / under.get(c, 1) for c, v in row.items() if v} for row in rows]
        ends = {t.denominator for breaks, _ in kinds for t in breaks}
        self.below = lcm(*{v.denominator for row in rows for v in row.values()}, *ends)
        rows = [{c: int(v * self.below) for c, v in row.items()} for row in rows]
        self.fixed = [{c: v for c, v in row.items() if c not in under} for row in rows]
        moving = [{c: v for c, v in row.items() if c in under} for row in rows]
        self.weights = [list(row.values()) for row in moving]
        self.columns = [[layers[i].first + u for i, u in row] for row in moving]
        self.outer = self.below * lcm(*(v.denominator for _, p in kinds for ab in p for v in ab))
        self.breaks = [[int(t * self.below) for t in breaks] for breaks, _ in kinds]
        more = self.outer // self.below
        self.pieces = [[(int(a * more), int(b * self.outer)) for a, b in p] for _, p in kinds]
        # No entry of a row or an output is ever greater than `most`.
        sums = [sum(abs(v) * (layers[c[0]].most if c in under else 1) for c, v in row.items())
                for row in rows]  # fmt: skip
        most = max(sums, default=0) + max((abs(t) for b in self.breaks for t in b), default=0)
        self.most = max([2 * most, *(abs(a) * most + abs(b) for p in self.pieces for a, b in p)])


class Network:
    """All rows of network and domain as forms (constant, gradient) on the tree's coordinates.

    Layer 0 is the domain. `where[row]` is its layer, its max unit or -1, the argument added, the
    argument taken off (-1: none), and the breakpoint; `units` are the max units.
    """

    def __init__(self, spec, arrays, domain, coordinates, kind):
        n, k, basis = spec["inputs"], domain["dimension"], domain["basis"]
        index(n, MOST, "inputs"), index(k, n + 1, "dimensions")
        need(basis is not None or k == n, "a domain of less dimensions without a basis")
        chart = [{j + 1: Fraction(1)} for j in range(n)]
        if basis is not None:
            chart = [dict(zip(range(1, k + 1), map(rational, r), strict=True)) for r in basis]
            self.express([{}], [{i + 1: r[j] for i, r in enumerate(chart)} for j in range(1, k + 1)])
        for row, v in zip(chart, domain["origin"] or ["0"] * n, strict=True):
            row[0] = rational(v)
        maps, units, sizes = [[]], [([], [])], [1, n]
        for row, bound in domain["rows"]:
            negative = {1 + index(j, k, "column"): -rational(v) for j, v in row}
            maps[0].append({0: rational(bound), **negative})
        for layer in [*spec["layers"], {"affine": spec["output"], "units": None}]:
            maps.append(affine(layer["affine"], arrays, sizes, chart))
            units.append(read_units(layer["units"], len(maps[-1])) if layer["units"] else ([], []))
            sizes.append(len(units[-1][0] or units[-1][1]))
        if coordinates is not None:
            blocks = [(maps[index(b, len(maps), "block")], r) for b, r in coordinates]
            base, k = [rows[index(r, len(rows), "row")] for rows, r in blocks], len(blocks)
            if kind == "activation":
                maps[-1] = []  # the output is not asked for
            maps = [self.express(rows, base) for rows in maps]
        self.dimension, self.layers, self.where, self.units = k, [], [], []
        self.rows, self.starts = [], []  # of each layer: its range of rows, and where units start
        for i, (rows, each) in enumerate(zip(maps, units)):
            self.layers.append(layer := Layer(rows, each, self.layers))
            first, starts = len(self.where), []
            for u, breaks in enumerate(layer.breaks):
                starts.append(len(self.where))
                self.where += [(i, -1, u, -1, t) for t in breaks]
            for group in layer.groups:
                need(len(self.where) + len(group) ** 2 < MOST, "too many rows for this checker")
                starts.append(len(self.units))
                self.units.append((len(self.where), group))
                pairs = combinations(group, 2)
                self.where += [(i, len(self.units) - 1, b, a, 0) for a, b in pairs]
            self.rows.append(range(first, len(self.where)))
            self.starts.append(starts)
        self.pack()

    @staticmethod
    def express(rows, base):
        """Rows on y as rows on the coordinates u_i = base_i (their gradients), which span them."""
        columns = sorted({c for r in (*rows, *base) for c in r if type(c) is int and c})
        below = lcm(*(r.get(c, 0).denominator for r in (*rows, *base) for c in columns))
        whole = [[int(r.get(c, 0) * below) for c in columns] for r in (*base, *rows)]
        out = []
        for row, target in zip(rows, whole[len(base) :]):
            found = solved(whole[: len(base)], target)
            need(found, "a row that is not in the span of the coordinates")
            same = {c: v for c, v in row.items() if type(c) is tuple or c == 0}
            out.append({**same, **{i + 1: Fraction(v, found[0]) for i, v in enumerate(found[1])}})
        return out

    def pack(self):
        """Forms become one integer each: their entries in fields that no entry exceeds."""
        self.step = max(e.most for e in self.layers).bit_length() // 8 + 1  # bytes, and a sign
        self.half, self.wide = 1 << (8 * self.step - 1), (self.dimension + 1) * self.step
        self.middle = sum(self.half << (8 * i) for i in range(0, self.wide, self.step))
        self.thin = [list(row.items()) for row in self.layers[0].fixed]
        for e in self.layers:
            e.fixed = [sum(v << (8 * self.step * c) for c, v in row.items()) for row in e.fixed]
        twos = [(e.below & -e.below).bit_length() - 1 for e in self.layers]
        odds = [e.below >> t for e, t in zip(self.layers, twos)]
        self.odd = lcm(*odds)
        self.scale = [(self.odd // o, t) for o, t in zip(odds, twos)]  # 1 / below = a / (odd 2^t)
        self.walls = [(self.unpack(form), *self.scale[0]) for form in self.layers[0].fixed]

    def unpack(self, form):
        data, step, half = (form + self.middle).to_bytes(self.wide, "little"), self.step, self.half
        at = range(0, self.wide, step)
        return tuple([int.from_bytes(data[i : i + step], "little") - half for i in at])

    def comparison(self, unit, w, other):
        """The row that compares two arguments of a max unit, and the side on which w wins."""
        start, group = self.units[unit]
        i, j = min(w, other), max(w, other)
        return start + i * (2 * len(group) - i - 1) // 2 + j - i - 1, int(w > other)


# -- the way to a cell ------------------------------------------------------------------------------


class Path:
    """The decisions on the way to a cell, and what follows: `made[i]` are the rows of layer i,
    `outs[i]` its outputs, or None where the path does not say; `back(mark())` undoes what came after.
    """

    def __init__(self, net):
        self.net, n, none = net, len(net.layers), [None] * net.dimension
        self.side = bytearray([OPEN if unit < 0 else 0 for _, unit, *_ in net.where])
        for start, group in net.units:  # its first comparison says whether a max unit is decided
            if len(group) > 1:
                self.side[start] = OPEN
        self.winner = {u: 0 for u, (_, group) in enumerate(net.units) if len(group) == 1}
        self.trail, self.bounds, self.box = [], {}, (0, none, none)  # low and high, times 2^first
        self.made, self.outs = [None] * n, [None] * n

    def mark(self):
        sizes = len(self.trail), len(self.bounds), len(self.winner)
        return sizes, bytes(self.side), self.box, self.made[:], self.outs[:]

    def back(self, mark):
        (trail, bounds, winners), self.side[:], self.box, made, outs = mark
        self.made, self.outs = made[:], outs[:]
        del self.trail[trail:]
        while len(self.bounds) > bounds:
            self.bounds.popitem()  # the last one
        while len(self.winner) > winners:
            self.winner.popitem()

    def composed(self, layer):
        """The rows of a layer, packed, and those unpacked."""
        for i in (*self.net.layers[layer].needs, layer) if self.made[layer] is None else ():
            e, rows, values = self.net.layers[i], self.net.rows[i], [0] * self.net.layers[-1].first
            need(i == layer or OPEN not in self.side[rows.start : rows.stop], f"layer {i} is open")
            if self.made[i] is None:
                for s in e.reads:
                    first, outputs = self.net.layers[s].first, self.outputs(s)
                    values[first : first + len(outputs)] = outputs
                each, get = zip(e.weights, e.columns, e.fixed), values.__getitem__
                self.made[i] = [sum(map(mul, w, map(get, c)), f) for w, c, f in each], {}
        return self.made[layer]

    def outputs(self, layer):
        """The outputs of a layer that is composed and decided."""
        if self.outs[layer] is None:
            e, starts, (z, _) = self.net.layers[layer], self.net.starts[layer], self.made[layer]
            ends = zip(z, e.pieces, starts)
            at = [(v, p[sum(self.side[a : a + len(p) - 1])]) for v, p, a in ends]
            self.outs[layer] = [v * a + b for v, (a, b) in at]
            self.outs[layer] += [z[g[self.winner[u]]] for g, u in zip(e.groups, starts)]
        return self.outs[layer]

    def form(self, row, side=1):
        """A row, turned to be positive on `side`, with its scale: (form, a, t), the form a/(odd 2^t)."""
        layer, _, plus, minus, shift = self.net.where[index(row, len(self.side), "row")]
        packed, unpacked = self.composed(layer)
        if row not in unpacked:
            form = packed[plus] - (shift if minus < 0 else packed[minus])
            unpacked[row] = self.net.unpack(form)
        form = unpacked[row]
        return (form if side else tuple([-v for v in form])), *self.net.scale[layer]

    def decide(self, code, a, b):
        """Go on by a decision: that it is justified is shown elsewhere (or claimed)."""
        if code == 5:
            (form, _, more), (twos, *box) = self.beyond(a, b), self.box
            low, high = ([None if v is None else v << max(more - twos, 0) for v in s] for s in box)
            end = -form[0] if a % 2 else form[0]
            (high if a % 2 else low)[a // 2] = end << max(twos - more, 0)
            self.box = max(twos, more), low, high
        elif code in (7, 10):
            start, group = self.net.units[index(a, len(self.net.units), "max unit")]
            need(a not in self.winner, f"max unit {a} is decided twice")
            index(b, len(group), "argument")
            for other in range(len(group)) if code == 7 else ():
                row, side = self.net.comparison(a, b, other)
                if other != b and (any((form := self.form(row, side))[0]) or side):
                    self.bounds[row] = form  # not where they are equal and w has the lower index
            self.winner[a], self.side[start] = b, 0
        else:
            form, pointwise = self.form(a, index(b, 2, "side")), self.net.where[a][1] < 0
            need(not pointwise or self.side[a] == OPEN, f"row {a} is decided twice")
            need(pointwise or code == 1, "a split by two arguments of a max unit")
            self.side[a] = b if pointwise else self.side[a]
            if code == 6:
                self.bounds[a] = form
        self.trail.append((code, a, b))

    def beyond(self, end, value):
        """The form that is positive beyond a bound of a coordinate."""
        index(end, 2 * self.net.dimension, "end of a coordinate")
        (twos, (number,)), sign = dyadic([value]), 1 if end % 2 else -1
        form = [-sign * number] + [0] * self.net.dimension
        form[end // 2 + 1] = sign << twos
        return form, self.net.odd, twos

    def cited(self, row, unit=-1, w=-1):
        """A row that bounds the cell, or that argument w wins."""
        if row >= len(self.side):
            return self.net.walls[index(row - len(self.side), len(self.net.walls), "domain row")]
        if row not in self.bounds and unit >= 0 <= row and self.net.where[row][1] == unit:
            others = (o for o in range(len(self.net.units[unit][1])) if o != w)
            found = [self.form(row, s) for r, s in (self.net.comparison(unit, w, o) for o in others) if r == row]
            need(found, f"row {row} does not compare argument {w}")
            return found[0]
        need(row in self.bounds, f"row {row} does not bound this cell")
        return self.bounds[row]

    def never(self, target, rows=(), multipliers=()):
        """Show that target + sum of multipliers times rows is nowhere positive over the bounds."""
        terms = [(target[0], target[1], -target[2])]
        for (form, a, twos), f in zip(rows, multipliers, strict=True):
            need(0 <= f < inf, f"the multiplier {f}")
            p, q = f.as_integer_ratio()
            terms += [(form, a * p, 1 - q.bit_length() - twos)] * (p > 0)
        total, least = target[0], min(t for _, _, t in terms)
        if len(terms) > 1:
            factors = [a << (t - least) for _, a, t in terms]
            total = [sum(map(mul, factors, c)) for c in zip(*(form for form, _, _ in terms))]
        twos, low, high = self.box
        most = total[0] << twos
        for g, a, b in zip(total[1:], low, high):
            if g:
                end = b if g > 0 else a
                need(end is not None, "a combination with a slope along an unbounded coordinate")
                most += g * end
        need(most <= 0, "a combination that is positive somewhere")

    def refute(self, row, side, code, rows=(), multipliers=()):
        """Show by a record of the kind `code` that the cell is on `side` of a row."""
        target, _, _ = given = self.form(row, 1 - index(side, 2, "side"))
        need(not side or any(target), f"row {row} vanishes: it is on its lower side")
        if code == 3:
            need(not any(target[1:]) and target[0] <= 0, "a row with a slope, or of the other sign")
        elif code == 2:
            found = solved([form[1:] for form, _, _ in rows], [-v for v in target[1:]])
            need(found and min(found[1], default=0) >= 0, "multipliers that are not positive")
            end = found[0] * target[0] + sum(v * r[0][0] for v, r in zip(found[1], rows))
            need(end <= 0, "a combination with a positive constant")
        else:
            self.never(given, rows, multipliers)

    def witness(self, below, point):
        """Show that a point, integers over `below`, is strictly inside the cell."""
        point = [below, *point]
        for row, (form, _, _) in self.bounds.items():
            need(sum(map(mul, form, point)) > 0, f"the witness is not inside row {row}")
        for i, wall in enumerate(self.net.thin):
            need(sum(v * point[c] for c, v in wall) > 0, f"the witness is not inside wall {i}")

    def follows(self, unit, w):
        """Show that every other argument loses to one that, step by step, loses to w."""
        start, group = self.net.units[index(unit, len(self.net.units), "max unit")]
        pairs, best = list(combinations(range(len(group)), 2)), {w}
        rows = [(row - start, side) for code, row, side in self.trail if code == 1]
        lost = [pairs[row][:: 1 if side else -1] for row, side in rows if 0 <= row < len(pairs)]
        for _ in group:
            best |= {loser for loser, winner in lost if winner in best}
        need(len(best) == len(group), f"not every argument of unit {unit} loses to {w}")


class Walk:
    """One stream of records, checked: the root, or a part after the claims of its path."""

    def __init__(self, proof, name):
        self.kind, self.path = proof.kind, Path(proof.network)
        self.sum, self.data, self.at, self.records = hashlib.sha256(), ((), (), b""), [0, 0, 0], 0
        self.leaves, self.parts, self.cells = 0, [], []
        with proof.zip.open(name) as self.file, at(self.where(name)):
            while name != "root" and (code := self.code()):
                need(code in (1, 5, 6, 7, 10), f"record {code} in the path of a part")
                self.path.decide(code, *self.take(1), *(self.take(1, code == 5)))
            self.claim = self.digest()
            self.tree()
            need(list(map(len, self.data)) == self.at and not self.file.read(1), "a record too many")
            said = proof.streams[name]
            need(self.sum.hexdigest() == said["sha256"], "its hash is not that in proof.json")
            need(self.leaves == said["count"], f"{self.leaves} leaves, not {said['count']}")

    def where(self, name):
        return lambda: f"{name}, record {self.records}, {len(self.path.trail)} decisions deep"

    def digest(self):
        return hashlib.sha256(repr(self.path.trail).encode()).hexdigest()

    def read(self, n):
        data = self.file.read(n)
        self.sum.update(data)
        need(len(data) == n, "the stream is cut off")
        return data

    def code(self):
        while self.at[0] == len(self.data[0]):
            need(list(map(len, self.data)) == self.at, "numbers that no record asks for")
            sizes = numbers("I", self.read(12))
            need(max(sizes) <= MOST, "a block too large")
            data = [self.read(n * size) for n, size in zip(sizes, (4, 8, 1))]
            self.data, self.at = (numbers("i", data[0]), numbers("d", data[1]), data[2]), [0, 0, 0]
        self.records += 1
        return self.take(1)[0]

    def take(self, n, kind=0):
        start = self.at[kind]
        need(0 <= n <= len(self.data[kind]) - start, "a record is cut off")
        self.at[kind] += n
        return self.data[kind][start : start + n]

    def evidence(self, code, *unit):
        (n,) = self.take(1)
        rows = [self.path.cited(row, *unit) for row in self.take(n)]
        return rows, self.take(n, 1) if code == 1 else ()

    def tree(self):
        path, stack = self.path, []  # of the branches that are left: (mark, code, row or unit, next)
        while True:
            code = self.code()
            if 1 <= code <= 4:
                row, *side = self.take(1 if code == 3 else 2)
                side = side[0] if side else int(path.form(row)[0][0] > 0)
                path.refute(row, side, code, *(self.evidence(code) if code < 3 else ()))
                path.decide(1, row, side)
            elif code == 5:
                (end,), (value,) = self.take(1), self.take(1, 1)
                path.never(path.beyond(end, value), *self.evidence(1))
                path.decide(5, end, value)
            elif code == 6:
                row, side = self.take(2)
                stack.append((path.mark(), 6, row, 1 - side))
                path.decide(6, row, side)
            elif code == 10:
                unit, w = self.take(2)
                path.follows(unit, w)
                path.decide(10, unit, w)
            else:
                if code == 7:
                    need((unit := self.take(1)[0]) not in path.winner, f"unit {unit} decided twice")
                    stack.append((path.mark(), 7, index(unit, len(path.net.units), "unit"), 0))
                elif code == 13:
                    self.parts.append((*self.take(1), self.digest()))
                else:
                    self.leaf(code)
                if not self.branch(stack):
                    return

    def branch(self, stack):
        """Go to the next branch that is left."""
        while stack:
            mark, code, a, b = stack.pop()
            self.path.back(mark)
            if code == 6:
                self.path.decide(6, a, b)
                return True
            if b < len(self.path.net.units[a][1]):
                stack.append((mark, 7, a, b + 1))
                if (code := self.code()) == 8:
                    self.path.decide(7, a, b)
                    return True
                need(code == 9, f"record {code} where 8 or 9 is due")
                mode, row = self.take(2)
                evidence = self.evidence(mode, a, b)
                others = [o for o in range(len(self.path.net.units[a][1])) if o != b]
                sides = dict(self.path.net.comparison(a, b, o) for o in others)
                need(row in sides, f"row {row} does not compare argument {b} of unit {a}")
                self.path.refute(row, 1 - sides[row], index(mode - 1, 4, "mode") + 1, *evidence)
        return False

    def leaf(self, code):
        path, k = self.path, self.path.net.dimension
        need(OPEN not in path.side, f"a leaf, but row {path.side.find(OPEN)} is undecided")
        if code == 11:
            twos, point = dyadic(self.take(k, 1))
            path.witness(1 << twos, point)
        else:
            need(code == 12, f"record {code}")
            text = self.take(self.data[2].index(b"\n", self.at[2]) + 1 - self.at[2], 2)
            path.witness(*whole_point(text.decode().split(), k))
        self.leaves += 1
        if self.kind != "activation":
            packed = path.composed(len(path.net.layers) - 1)[0]
            self.cells.append((hashlib.sha256(repr(list(map(hex, packed))).encode()).digest(),))
            if self.kind == "linear":
                self.cells[-1] += bytes(path.side), sorted(path.winner.items())


def whole_point(texts, k):
    """(denominator, integers) of a rational point."""
    values = [rational(text) for text in texts]
    need(len(values) == k, f"{len(values)} coordinates for {k}")
    below = lcm(*(v.denominator for v in values))
    return below, [int(v * below) for v in values]


# -- linear regions: which cells are joined ---------------------------------------------------------


class Joins:
    """Cells (name, map, sides, winners) joined through facets: the lines J and S of `linear`."""

    def __init__(self, net, cells):
        self.net, self.cells, self.kept = net, cells, {}
        self.number = {cell[0]: i for i, cell in enumerate(cells)}

    def rows(self, a):
        """The rows of cell a, oriented: {number: form}."""
        if a not in self.kept:
            path = Path(self.net)
            _, _, path.side[:], path.winner = self.cells[a][:2] + (self.cells[a][2], dict(self.cells[a][3]))
            rows = {}
            for row, (_, unit, *_) in enumerate(self.net.where):
                if unit < 0:
                    rows[row] = path.form(row, path.side[row])[0]
            for unit, w in path.winner.items():
                for other in range(len(self.net.units[unit][1])):
                    if other != w:
                        row, side = self.net.comparison(unit, w, other)
                        rows[row] = path.form(row, side)[0]
            if len(self.kept) > 1000:
                self.kept.clear()
            self.kept[a] = rows
        return self.kept[a]

    def differ(self, a, b):
        """Rows in which cells differ, in the first layer with any, positive on a."""
        (_, _, sides, winners), (_, _, others, losers), forms = self.cells[a], self.cells[b], self.rows(a)
        rows = [r for r, (x, y) in enumerate(zip(sides, others)) if x != y]
        pairs = zip(winners, losers)
        rows += [self.net.comparison(u, w, o)[0] for (u, w), (_, o) in pairs if w != o]
        first = min(self.net.where[row][0] for row in rows)
        return {row: forms[row] for row in rows if self.net.where[row][0] == first}

    def join(self, a, b, *point):
        """Cells a and b share a facet, and the point is inside it."""
        below, point = whole_point(point, self.net.dimension)
        point, walls = [below, *point], []
        for cell in (a, b):
            forms = [form for form in self.rows(cell).values() if any(form)]
            values = [sum(map(mul, form, point)) for form in forms]
            need(min(values, default=0) == 0, f"the point is not on the border of cell {cell}")
            walls += [form for form, v in zip(forms, values) if v == 0]
        need(all(multiple(walls[0], form) for form in walls), "the point is on several borders")
        for form, *_ in self.net.walls:
            need(sum(map(mul, form, point)) > 0, "the point is not inside the domain")

    def separate(self, a, b, h, target, *others):
        """Cells a and b share no facet."""
        differ = self.differ(a, b)
        need(int(h) in differ, f"row {h} does not part the cells in their first layer")
        target, *others = (self.named(a, b, name) for name in (target, *others))
        need(any(target) and not multiple(target, h := differ[int(h)]), "a multiple of h")
        forms = [*others, h]
        found = solved([form[1:] for form in forms], [-v for v in target[1:]])
        need(found and min(found[1][:-1], default=0) >= 0, "multipliers that are not positive")
        end = found[0] * target[0] + sum(v * form[0] for v, form in zip(found[1], forms))
        need(end <= 0, "a combination with a positive constant")

    def named(self, a, b, name):
        if name[0] == "d":
            return self.net.walls[int(name[1:])][0]
        return self.rows({"a": a, "b": b}[name[0]])[int(name[1:])]

    def count(self, lines):
        """The number of components, once every two cells of one map are joined or parted."""
        parent, parted = list(range(len(self.cells))), set()

        def root(a):
            while parent[a] != a:
                parent[a] = a = parent[parent[a]]
            return a

        for kind, a, b, *rest in (line.decode().split() for line in lines):
            a, b = self.number[a], self.number[b]
            need(a != b and self.cells[a][1] == self.cells[b][1], "cells of different maps")
            if kind == "J":
                self.join(a, b, *rest)
                parent[root(a)] = root(b)
            else:
                need(kind == "S", f"a line {kind}")
                self.separate(a, b, *rest)
                parted.add(frozenset((a, b)))
        same = {}
        for a, cell in enumerate(self.cells):
            same.setdefault(cell[1], []).append(a)
        for group in same.values():
            for a, b in combinations(group, 2):
                if root(a) != root(b) and frozenset((a, b)) not in parted:
                    h, *rest = self.differ(a, b).values()
                    need(not all(multiple(h, form, True) for form in rest),
                         f"cells {self.cells[a][0]} and {self.cells[b][0]} are neither joined nor parted")
        return len({root(a) for a in parent})


def multiple(f, g, positive=False):
    """Whether g is a multiple of f, neither zero (a positive one, where that is asked)."""
    i = next(i for i, v in enumerate(f) if v)
    same = all(f[i] * y == g[i] * x for x, y in zip(f, g))
    return same and (f[i] * g[i] > 0 if positive else g[i] != 0)


# -- the file ---------------------------------------------------------------------------------------


@contextmanager
def at(where):
    """Name the place where something is refused."""
    try:
        yield
    except (Unreadable, OSError):
        raise
    except Refused as error:
        raise Refused(*error.args, *([] if error.args[1:] else [where()])) from None
    except Exception as error:
        raise Refused(f"malformed ({type(error).__name__}: {error})", where()) from None


def unique(pairs):
    need(len(dict(pairs)) == len(pairs), "a key twice")
    return dict(pairs)


def no_float(text):
    raise Refused(f"{text} where a string or an integer belongs")


def parse(data):
    return json.loads(data, object_pairs_hook=unique, parse_float=no_float, parse_constant=no_float)


class Proof:
    """The file: its statement, its network (composed of what the hash covers), its streams."""

    def __init__(self, path):
        try:
            self.zip = zipfile.ZipFile(path)
            self.text = self.zip.read("proof.json")
            self.statement = said = parse(self.text)
            ours = said["format"] == FORMAT
        except Exception as error:
            raise Unreadable(f"{path}: no proof that can be read ({error})") from None
        if not ours:
            raise Unreadable(f"{path}: {said['format']!r:.40}, not {FORMAT!r}")
        with at(lambda: "proof.json"):
            self.kind, self.parts = said["kind"], [f"parts/{p['name']}" for p in said["parts"]]
            need(self.kind in ("activation", "affine", "linear"), f"kind {self.kind!r:.40}")
            index(said["total"], inf, "total")
            self.streams = dict(zip(["root", *self.parts], [said["root"], *said["parts"]]))
            need(len(self.streams) == len(self.parts) + 1, "a part is listed twice")
        with at(lambda: "network.json"):
            shapes = parse(self.zip.read("arrays.json"))
            names = ["proof.json", "network.json", "arrays.json", *(f"arrays/{a}" for a in shapes)]
            names += [*self.streams, *(["linear"] if self.kind == "linear" else [])]
            odd = set(names) ^ set(found := self.zip.namelist())
            need(not odd and len(found) == len(names), f"members missing, unknown or twice {odd or ''}")
            digest, arrays = hashlib.sha256(text := self.zip.read("network.json")), {}
            for name, (dtype, shape) in sorted(shapes.items()):
                data = self.zip.read(f"arrays/{name}")
                digest.update(f"{name} {dtype} {tuple(shape)}".encode() + data)
                if dtype.startswith("<U"):
                    n, letters = int(dtype[2:]), data.decode("utf-32-le")
                    values = [letters[i : i + n].rstrip("\0") for i in range(0, len(letters), n)]
                    values = list(map(rational, values))
                else:
                    values = numbers(DTYPES[dtype], data)
                need(len(values) == prod(index(n, MOST, "shape") for n in shape), f"size of {name}")
                arrays[name] = shape, values
            need(digest.hexdigest() == said["network"], "its hash is not that in proof.json")
            parsed = parse(text), arrays, said["domain"], said["coordinates"], self.kind
            self.network = Network(*parsed)

    def checked(self, name):
        walk = Walk(self, name)
        return walk.leaves, walk.claim, walk.parts, walk.cells

    def sha256(self, name):
        with self.zip.open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def start(path):
    global proof
    proof = Proof(path)


def work(name):
    return name, proof.checked(name)


def results(path, names, workers):
    """The results of the streams, in any order, by processes."""
    workers = min(workers or len(os.sched_getaffinity(0)), len(names))
    if workers < 2:
        start(path)
        yield from map(work, names)
        return
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(workers, initializer=start, initargs=(path,))
    try:
        for done in as_completed([pool.submit(work, name) for name in names]):
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            if child not in others:
                child.terminate()


def check(path, workers=None, journal=None, progress=None):
    """Check a proof; the answer as a dictionary. Raises `Refused` or `Unreadable`.

    `journal`, a file, keeps which parts were accepted, for another run; `progress` is called with
    the numbers of parts that are done, of all parts, and of leaves.
    """
    whole, done = Proof(path), {}
    said, names = whole.statement, list(whole.streams)
    with open(__file__, "rb") as me:
        key = hashlib.sha256(whole.text + me.read()).hexdigest()
    if journal and whole.kind == "activation" and os.path.exists(journal):
        with open(journal) as lines:
            for line in lines:
                try:
                    kept, name, result = json.loads(line)
                except ValueError:
                    continue  # the last line of a run that was stopped
                if kept == key and whole.sha256(name) == whole.streams[name]["sha256"]:
                    done[name] = result
    log = open(journal, "a") if journal and whole.kind == "activation" else None
    for name, result in results(path, [n for n in names if n not in done], workers):
        done[name] = result
        if log:
            print(json.dumps([key, name, result]), file=log, flush=True)
        if progress:
            progress(len(done), len(names), sum(leaves for leaves, *_ in done.values()))
    seen, todo = set(), ["root"]
    with at(lambda: "the parts"):
        while todo:
            for number, claim in done[todo.pop()][2]:
                name = whole.parts[index(number - 1, len(whole.parts), "part")]
                need(name not in seen, f"{name} is used twice")
                need(done[name][1] == claim, f"{name} is of another path than its branch")
                seen.add(name)
                todo.append(name)
        need(len(seen) == len(whole.parts), f"{sorted(set(whole.parts) - seen)[:1]} is not used")
        cells = [(f"{names.index(n)}:{i}", *c) for n in names for i, c in enumerate(done[n][3])]
        total = sum(leaves for leaves, *_ in done.values())
        if whole.kind == "affine":
            total = len({m for _, m in cells})
        elif whole.kind == "linear":
            with whole.zip.open("linear") as lines:
                total = Joins(whole.network, cells).count(lines)
        need(total == said["total"] > 0, f"{total} regions are proved, not {said['total']}")
    return {"accepted": True, "regions": total, "kind": whole.kind, "network": said["network"],
            "domain": said["domain"]["description"], "parts": len(whole.parts)}  # fmt: skip


def main(argv=None):
    parser = argparse.ArgumentParser(description="Check a proof of a number of linear regions.")
    parser.add_argument("file")
    parser.add_argument("--workers", type=int, help="processes (default: all processors)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--journal", help="keep in this file which parts were accepted")
    given = parser.parse_args(argv)
    try:
        answer, code = check(given.file, given.workers, given.journal), 0
        words = "accepted: {regions} {kind} regions of network {network} over {domain}".format(**answer)
    except (Refused, Unreadable, OSError) as error:
        code, words = (1, "refused: ") if isinstance(error, Refused) else (2, "not readable: ")
        words = " ".join((words + str(error)).split())
        answer = {"accepted": False, "why": words}
    except KeyboardInterrupt:
        return 130
    print(json.dumps(answer) if given.json else words)
    return code


if __name__ == "__main__":
    sys.exit(main())
