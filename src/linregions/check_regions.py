#!/usr/bin/env python3
"""Check a proof of a number of linear regions: Python alone, no other package, all numbers exact.

    python check_regions.py FILE [--workers N] [--json] [--journal FILE.checked]

Exit 0: accepted; 1: refused, with one line that says where and why; 2: not readable.

The theorem. A tree starts at the whole domain; each node divides the cell of its path by a row (the
affine form z - t of a unit with pre-activation z and breakpoint t) or by the winner of a max unit;
a side that is left out is shown to be empty; at a leaf every unit of every layer is decided. Then
the cells of the leaves are open, disjoint, cover the domain up to hyperplanes, and have one pattern
each, no two the same. A witness strictly inside each shows that none is empty: the leaves are the
activation regions. The side h > 0 of a cell where a_i >= 0 is empty if h + sum l_i a_i, l_i >= 0,
is nowhere positive over proved bounds of the coordinates. Once all units that it reads are decided,
a row is one affine form on the cell, composed here from the weights: integers over one denominator
a layer. A row that vanishes on the cell is on its lower side. docs/proofs.md describes the file.
"""

# ruff: noqa: B905 (zip without strict: only where the lengths were compared)
# pyright: basic, reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false
# pyright: reportAssignmentType=false, reportGeneralTypeIssues=false
# pyright: reportCallIssue=false, reportUnusedExpression=false

import argparse
import hashlib
import json
import os
import re
import signal
import struct
import sys
import zipfile
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, pairwise
from math import inf, lcm, prod
from operator import mul

FORMAT = "linregions proof 1"
MOST = 1 << 24  # units, rows, numbers in a block: more is refused
OPEN = 2  # the side of a row that is not decided; else 0, lower, or 1, upper


class Refused(Exception):
    """The proof does not prove its statement: why, and where."""

    def __str__(self):
        return " ".join(": ".join(reversed(self.args)).split())

    def facts(self):
        return {"accepted": False, "where": self.args[1], "why": " ".join(self.args[0].split())}


class Unreadable(Exception):
    """The file is no proof of this format, or is damaged."""


@contextmanager
def at(where):
    """Name the place of a refusal; whatever else goes wrong in here is one, too."""
    try:
        yield
    except Refused as error:
        raise Refused(error.args[0], error.args[1] if error.args[1:] else where()) from None
    except Exception as error:
        raise Refused(f"malformed ({type(error).__name__}: {error!s:.200})", where()) from None


def need(true, why):
    if not true:
        raise Refused(why)


def index(value, end, what):
    if type(value) is int and 0 <= value < end:
        return value
    raise Refused(f"{what} {value!r:.40} of {end}")


def rational(text):
    need(re.fullmatch("-?[0-9]+(/[0-9]+)?", text), f"{text:.40} is no number p/q")
    return Fraction(*(int(Decimal(part)) for part in text.split("/")))  # of any length


def numbers(code, data):
    return struct.unpack(f"<{len(data) // struct.calcsize('<' + code)}{code}", data)


def whole(values):
    """(d, integers): d times the floats or fractions. Neither NaN nor infinity is a ratio."""
    ratios = [v.as_integer_ratio() for v in values]
    below = lcm(*(q for _, q in ratios))
    return below, [p * (below // q) for p, q in ratios]


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


def flat(target, rows, free=()):
    """Show that target + sum l_i rows_i has no gradient and a constant <= 0, where l_i >= 0 but for
    the free rows, for the only l that can do it."""
    found = solved([form[1:] for form in (*rows, *free)], [-v for v in target[1:]])
    need(found and all(v >= 0 for v in found[1][: len(rows)]), "no multipliers >= 0")
    top = found[0] * target[0] + sum(v * form[0] for v, form in zip(found[1], (*rows, *free)))
    need(top <= 0, "a combination with a positive constant")


# -- the network; matrices and maps are lists of rows {column: Fraction} --------------------------


def factor(spec, arrays):
    """One matrix, as the file stores it: (columns, rows)."""
    kind = next(k for k in ("dense", "csr", "rational") if k in spec)
    high, wide = arrays[spec[kind]][0] if kind == "dense" else spec["shape"]
    data = arrays[spec[kind] + "_data" * (kind == "csr")][1]
    if kind == "csr":
        ends, columns = (list(arrays[f"{spec[kind]}_{part}"][1]) for part in ("indptr", "indices"))
    else:
        ends, columns = (
            [i * wide for i in range(index(high, MOST, "rows") + 1)],
            [*range(wide)] * high,
        )
    need(len(ends) == high + 1 and ends == sorted(ends) and ends[0] == 0, f"the rows of {spec}")
    need(ends[-1] == len(data) == len(columns), f"the size of {spec}")
    rows = [{} for _ in range(high)]
    for row, (a, b) in zip(rows, pairwise(ends)):
        for c, v in zip(columns[a:b], data[a:b]):
            row[c] = row.get(index(c, wide, "column"), 0) + Fraction(v)
    return wide, rows


def affine(spec, arrays, sizes, chart):
    """The sum of products of factors, as rows {0: constant, 1 + j: of y_j, (i, u): of output u of
    layer i}; the input is chart (1, y)."""
    rows = [{} for _ in range(index(spec["size"], MOST, "size"))]
    for term in spec["terms"]:
        source = index(term["source"] + 1, len(sizes), "source") - 1
        total = chart if source == 0 else [{c: Fraction(1)} for c in range(sizes[source + 1])]
        for wide, left in (factor(spec, arrays) for spec in term["factors"]):
            need(wide == len(total), f"{wide} columns for {len(total)} rows")
            right, total = total, [{} for _ in left]
            for into, row in zip(total, left):
                for j, w in row.items():
                    for c, v in right[j].items() if w else ():
                        into[c] = into.get(c, 0) + w * v
        for into, row in zip(rows, total, strict=True):
            for c, v in row.items():
                c = (source, c) if source > 0 else c
                into[c] = into.get(c, 0) + v
    return rows


def read_units(spec, fan_in):
    """The arguments of max units, or (breakpoints, pieces (slope, shift)) of pointwise ones."""
    if "max" in spec:
        need(spec["fan_in"] == fan_in and all(spec["max"]), "fan_in, or a max unit of nothing")
        return [[index(a, fan_in, "argument") for a in group] for group in spec["max"]], []
    kinds = []
    for kind in spec["kinds"]:
        breaks, slopes = ([rational(t) for t in kind[key]] for key in ("breaks", "slopes"))
        pieces = [(slopes[0], rational(kind["value"]) - slopes[0] * [*breaks, 0][0])]
        for t, slope in zip(breaks, slopes[1:], strict=True):
            pieces.append((slope, pieces[-1][1] + (pieces[-1][0] - slope) * t))
        bends = all(a != b for a, b in pairwise(slopes))
        need(
            bends and all(a < b for a, b in pairwise(breaks)),
            "breakpoints that do not ascend, or bend",
        )
        kinds.append((breaks, pieces))
    need(len(spec["which"]) == fan_in, "units and pre-activations differ in number")
    return [], [kinds[index(w, len(kinds), "kind of unit")] for w in spec["which"]]


class Layer:
    """An affine map in integers over `below`, and its units; their outputs are over `outer`."""

    def __init__(self, rows, units, layers):
        self.groups, kinds = units
        self.size, self.first = len(self.groups or kinds), sum(e.size for e in layers)
        under = {c: layers[c[0]].outer for row in rows for c in row if type(c) is tuple}
        self.reads = {i for i, _ in under}
        self.needs = sorted(self.reads.union(*(layers[i].needs for i in self.reads)))
        rows = [{c: v / under.get(c, 1) for c, v in row.items() if v} for row in rows]
        ends = {t.denominator for breaks, _ in kinds for t in breaks}
        self.below = lcm(*{v.denominator for row in rows for v in row.values()}, *ends)
        rows = [{c: int(v * self.below) for c, v in row.items()} for row in rows]
        self.fixed = [{c: v for c, v in row.items() if c not in under} for row in rows]
        self.weights = [[v for c, v in row.items() if c in under] for row in rows]
        self.columns = [[layers[c[0]].first + c[1] for c in row if c in under] for row in rows]
        more = lcm(*(v.denominator for _, pieces in kinds for ab in pieces for v in ab))
        self.outer = self.below * more
        self.breaks = [[int(t * self.below) for t in breaks] for breaks, _ in kinds]
        self.pieces = [[(int(a * more), int(b * self.outer)) for a, b in p] for _, p in kinds]
        # No entry of a row or an output is ever greater than `most`.
        tops = [
            [abs(v) * (layers[c[0]].most if c in under else 1) for c, v in row.items()]
            for row in rows
        ]
        most = max(map(sum, tops), default=0) + max(
            (abs(t) for b in self.breaks for t in b), default=0
        )
        self.most = max([2 * most, *(abs(a) * most + abs(b) for p in self.pieces for a, b in p)])


def express(rows, base):
    """Rows on y as rows on the coordinates u_i = base_i (their gradients), which must span them."""
    columns = sorted({c for r in (*rows, *base) for c in r if type(c) is int and c})
    _, flatted = whole([r.get(c, Fraction(0)) for r in (*base, *rows) for c in columns])
    forms, n = (
        [flatted[i * len(columns) :][: len(columns)] for i in range(len(base) + len(rows))],
        len(base),
    )
    out = [{c: v for c, v in row.items() if type(c) is tuple or c == 0} for row in rows]
    for row, form in zip(out, forms[n:]):
        need(found := solved(forms[:n], form), "a row that is not in the span of the coordinates")
        row |= {i + 1: Fraction(v, found[0]) for i, v in enumerate(found[1])}
    return out


class Network:
    """All rows of network and domain as forms (constant, gradient) on the tree's coordinates.

    Layer 0 is the domain. `where[row]` is its layer, its max unit or -1, the argument added, the
    one taken off, and the breakpoint. Of a max unit `units` has the first row, the number of
    arguments, and for each argument the (other, row, side) where it wins.
    """

    def __init__(self, spec, arrays, domain, coordinates, kind):
        n, k, basis = spec["inputs"], domain["dimension"], domain["basis"]
        index(n, MOST, "inputs"), index(k, n + 1, "dimensions")
        need(basis is not None or k == n, "a domain of fewer dimensions without a basis")
        chart = [{j + 1: Fraction(1)} for j in range(n)]
        if basis is not None:
            chart = [dict(zip(range(1, k + 1), map(rational, row), strict=True)) for row in basis]
            express([{}], [{i + 1: r[j] for i, r in enumerate(chart)} for j in range(1, k + 1)])
        for row, v in zip(chart, domain["origin"] or ["0"] * n, strict=True):
            row[0] = rational(v)
        maps, units, sizes = [[]], [([], [])], [1, n]
        for row, bound in domain["rows"]:
            negative = {1 + index(j, k, "column"): -rational(v) for j, v in row}
            need(len(negative) == len(row), "a column twice")
            maps[0].append({0: rational(bound), **negative})
        for layer in [
            *spec["layers"],
            {"affine": spec["output"], "units": {"max": [], "fan_in": None}},
        ]:
            maps.append(affine(layer["affine"], arrays, sizes, chart))
            last = len(maps) > len(spec["layers"]) + 1
            units.append(([], []) if last else read_units(layer["units"], len(maps[-1])))
            sizes.append(len(units[-1][0] or units[-1][1]))
        if coordinates is not None:
            blocks = [(maps[index(b, len(maps), "block")], r, b) for b, r in coordinates]
            base = [(rows[index(r, len(rows), "row")], b) for rows, r, b in blocks]
            base = [{c: v if b else -v for c, v in row.items()} for row, b in base]  # 0: A y
            k = len(base)
            maps[-1] *= kind != "activation"  # which does not ask for the output
            maps = [express(rows, base) for rows in maps]
        self.dimension, self.layers, self.where, self.units = k, [], [], []
        self.rows, self.starts = [], []  # of each layer: its range of rows, and where units start
        for i, (rows, each) in enumerate(zip(maps, units)):
            self.layers.append(layer := Layer(rows, each, self.layers))
            first, starts = len(self.where), []
            for u, breaks in enumerate(layer.breaks):
                starts.append(len(self.where))
                self.where += [(i, -1, u, -1, t) for t in breaks]
            for group in layer.groups:
                starts.append(len(self.units))
                need((start := len(self.where)) + len(group) ** 2 < MOST, "too many rows")
                wins = [[] for _ in group]
                for row, (a, b) in enumerate(combinations(range(len(group)), 2), start):
                    self.where.append((i, len(self.units), group[b], group[a], 0))
                    wins[a].append((b, row, 0))
                    wins[b].append((a, row, 1))
                self.units.append((start, len(group), wins))
            self.rows.append(range(first, len(self.where)))
            self.starts.append(starts)
        self.pack()

    def pack(self):
        """Forms become one integer each: their entries in fields that no entry exceeds."""
        self.step = max(e.most for e in self.layers).bit_length() // 8 + 1  # bytes, with the sign
        self.half, self.wide = 1 << (8 * self.step - 1), (self.dimension + 1) * self.step
        self.middle = sum(self.half << (8 * i) for i in range(0, self.wide, self.step))
        self.thin = [list(row.items()) for row in self.layers[0].fixed]
        self.box = self.bounds_of_walls()
        for e in self.layers:
            e.fixed = [sum(v << (8 * self.step * c) for c, v in row.items()) for row in e.fixed]
        twos = [(e.below & -e.below).bit_length() - 1 for e in self.layers]
        odds = [e.below >> t for e, t in zip(self.layers, twos)]
        self.odd = lcm(*odds)
        self.scale = [(self.odd // o, t) for o, t in zip(odds, twos)]  # 1 / below = a / (odd 2^t)
        self.walls = [(self.unpack(form), *self.scale[0]) for form in self.layers[0].fixed]

    def bounds_of_walls(self):
        """(d, low, high): d times the bounds that rows of one coordinate give, None for none."""
        ends = [[None] * self.dimension, [None] * self.dimension]
        for row in self.thin:
            if len(slopes := [(c - 1, v) for c, v in row if c and v]) == 1:
                (j, v), side = slopes[0], ends[int(slopes[0][1] < 0)]
                end = Fraction(-dict(row).get(0, 0), v)
                side[j] = end if side[j] is None else (min if v < 0 else max)(end, side[j])
        below = lcm(*(v.denominator for side in ends for v in side if v is not None))
        return below, *([None if v is None else int(v * below) for v in side] for side in ends)

    def unpack(self, form):
        data, step, half = (form + self.middle).to_bytes(self.wide, "little"), self.step, self.half
        steps = range(0, self.wide, step)
        return tuple([int.from_bytes(data[i : i + step], "little") - half for i in steps])


# -- the way to a cell ----------------------------------------------------------------------------


class Path:
    """The decisions on the way to a cell, and what follows: `made[i]` are the rows of layer i,
    `outs[i]` its outputs, or None where the path does not say; `back(mark())` undoes the rest.
    """

    def __init__(self, net):
        self.net, n = net, len(net.layers)
        self.side = bytearray([OPEN if unit < 0 else 0 for _, unit, *_ in net.where])
        for start, m, _ in net.units:  # its first comparison says whether a max unit is decided
            if m > 1:
                self.side[start] = OPEN
        self.winner = {unit: 0 for unit, (_, m, _) in enumerate(net.units) if m == 1}
        self.trail, self.bounds, self.box = [], {}, net.box
        self.made, self.outs = [None] * n, [None] * n

    def mark(self):
        sizes = len(self.trail), len(self.bounds), len(self.winner)
        return sizes, bytes(self.side), self.box, self.made[:], self.outs[:]

    def back(self, mark):
        (trail, bounds, winners), self.side[:], self.box, made, outs = mark
        self.made, self.outs = made[:], outs[:]
        del self.trail[trail:]
        for kept, size in ((self.bounds, bounds), (self.winner, winners)):
            while len(kept) > size:
                kept.popitem()  # the last one

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
            pieces = [p[sum(self.side[a : a + len(p) - 1])] for p, a in zip(e.pieces, starts)]
            self.outs[layer] = [v * slope + shift for v, (slope, shift) in zip(z, pieces)]
            self.outs[layer] += [z[g[self.winner[u]]] for g, u in zip(e.groups, starts)]
        return self.outs[layer]

    def form(self, row, side=1):
        """A row, turned to be positive on `side`: (form, a, t) for form a / (odd 2^t)."""
        layer, unit, plus, minus, shift = self.net.where[index(row, len(self.side), "row")]
        packed, unpacked = self.composed(layer)
        if (form := unpacked.get(row)) is None:
            form = unpacked[row] = self.net.unpack(
                packed[plus] - (shift if unit < 0 else packed[minus])
            )
        return (form if side else tuple([-v for v in form])), *self.net.scale[layer]

    def decide(self, code, a, b):
        """Go on by a decision: that it is justified is shown elsewhere (or claimed)."""
        if code == 5:
            (p, q), (below, *box) = b.as_integer_ratio(), self.box
            need(0 <= a < 2 * self.net.dimension, f"end {a} of a coordinate")
            more = lcm(below, q)
            box = [[None if v is None else v * (more // below) for v in ends] for ends in box]
            box[a % 2][a // 2] = p * (more // q)
            self.box = more, *box
        elif code in (7, 10):
            start, m, _ = self.net.units[index(a, len(self.net.units), "max unit")]
            need(a not in self.winner, f"max unit {a} is decided twice")
            index(b, m, "argument")
            if code == 7:
                self.favour(a, b)
            self.winner[a], self.side[start] = b, 0
        else:
            form, pointwise = self.form(a, index(b, 2, "side")), self.net.where[a][1] < 0
            need(self.side[a] == OPEN or not pointwise, "a row that is decided twice")
            need(pointwise or code == 1, "a split by two arguments of a max unit")
            self.side[a] = b if pointwise else self.side[a]
            if code == 6:
                self.bounds[a] = form
        self.trail.append((code, a, b))

    def favour(self, unit, w):
        """The cell where argument w wins: of equal ones the lower index does, which is no bound."""
        for _, row, side in self.net.units[unit][2][w]:
            form = self.form(row, side)
            if side or any(form[0]):
                self.bounds[row] = form

    def follows(self, unit, w):
        """Show that every other argument loses to one that, step by step, loses to w."""
        _, m, wins = self.net.units[index(unit, len(self.net.units), "max unit")]
        best, known = {index(w, m, "argument")}, set(self.trail)
        for _ in range(m):
            best |= {o for b in best for o, row, side in wins[b] if (1, row, side) in known}
        need(len(best) == m, f"not every argument of unit {unit} loses to {w}")

    def cited(self, row):
        """A row that bounds the cell."""
        if row >= len(self.side):
            return self.net.walls[index(row - len(self.side), len(self.net.walls), "domain row")]
        if row in self.bounds:
            return self.bounds[row]
        raise Refused(f"row {row} does not bound this cell")

    def never(self, target, rows=(), multipliers=()):
        """Show that target + sum of multipliers times rows is nowhere positive over the bounds."""
        terms = [(target[0], target[1], -target[2])]
        for (form, a, twos), f in zip(rows, multipliers, strict=True):
            need(0 <= f < inf, "a multiplier that is negative, or no number")
            p, q = f.as_integer_ratio()
            terms += [(form, a * p, 1 - q.bit_length() - twos)] * (p > 0)
        total, least = target[0], min(t for _, _, t in terms)
        if len(terms) > 1:
            factors = [a << (t - least) for _, a, t in terms]
            total = [
                sum(map(mul, factors, entry)) for entry in zip(*(form for form, _, _ in terms))
            ]
        below, low, high = self.box
        top = total[0] * below
        for g, a, b in zip(total[1:], low, high):
            if g:
                need(
                    (end := b if g > 0 else a) is not None, "a slope along an unbounded coordinate"
                )
                top += g * end
        need(top <= 0, "a combination that is positive somewhere")

    def refute(self, row, side, code, rows=(), multipliers=()):
        """Show, as a record of the kind `code` does, that the cell is on `side` of a row."""
        target = self.form(row, 1 - index(side, 2, "side"))
        need(not side or any(target[0]), "a row that vanishes is on its lower side")
        if code == 2:
            flat(target[0], [form for form, _, _ in rows])
        elif code == 3:
            flat(target[0], ())
        else:
            self.never(target, rows, multipliers)

    def witness(self, below, point):
        """Show that a point, integers over `below`, is strictly inside the cell."""
        point = [below, *point]
        for row, (form, _, _) in self.bounds.items():
            if sum(map(mul, form, point)) <= 0:
                raise Refused(f"the witness is not inside row {row}")
        for i, wall in enumerate(self.net.thin):
            if sum([v * point[c] for c, v in wall]) <= 0:
                raise Refused(f"the witness is not inside wall {i}")


class Walk:
    """One stream of records, checked: the root, or a part after the claims of its path."""

    def __init__(self, proof, name):
        self.kind, self.path, self.net = proof.kind, Path(proof.network), proof.network
        self.sum, self.data, self.at, self.records = hashlib.sha256(), ((), (), b""), [0, 0, 0], 0
        self.leaves, self.parts, self.cells = 0, [], []
        with at(lambda: self.place(name)), proof.zip.open(name) as self.file:
            while name != "root" and (code := self.code()):
                need(code in (1, 5, 6, 7, 10), f"record {code} in the path of a part")
                self.path.decide(code, *self.take(1), *self.take(1, int(code == 5)))
            self.claim = self.way()
            self.tree()
            need(self.spent(), "numbers that no record asks for")
            while more := self.file.read(12):
                self.sum.update(more)
                need(more == bytes(12), "more than empty blocks after the end of the tree")
            said = proof.streams[name]
            need(self.sum.hexdigest() == said["sha256"], "its hash is not that in proof.json")
            need(self.leaves == said["count"], f"{self.leaves} leaves, not {said['count']}")

    def place(self, name):
        return f"{name}, record {self.records}, {len(self.path.trail)} decisions deep"

    def way(self):
        """What must agree between a branch and its part, and what the part may know of besides: the
        decisions that make the cell, in any order; bounds, and comparisons of arguments."""
        where, decisions, facts = self.net.where, [], []
        for at in self.path.trail:
            besides = at[0] == 5 or (at[0] == 1 and where[at[1]][1] >= 0)
            (facts if besides else decisions).append(at)
        return hashlib.sha256(repr(sorted(decisions)).encode()).hexdigest(), facts

    def spent(self):
        return self.at == [len(data) for data in self.data]

    def read(self, n):
        self.sum.update(data := self.file.read(n))
        need(len(data) == n, "the stream is cut off")
        return data

    def code(self):
        while self.at[0] == len(self.data[0]):
            need(self.spent(), "numbers that no record asks for")
            i, f, t = (index(n, MOST, "numbers in a block:") for n in numbers("I", self.read(12)))
            self.data = numbers("i", self.read(4 * i)), numbers("d", self.read(8 * f)), self.read(t)
            self.at = [0, 0, 0]
        self.records += 1
        return self.take(1)[0]

    def take(self, n, kind=0):
        start = self.at[kind]
        need(0 <= n <= len(self.data[kind]) - start, "a record is cut off")
        self.at[kind] += n
        return self.data[kind][start : start + n]

    def evidence(self, code):
        """The rows and multipliers of a record."""
        rows = [self.path.cited(row) for row in self.take(*self.take(1))]
        return rows, self.take(len(rows), 1) if code == 1 else ()

    def tree(self):
        path, stack = (
            self.path,
            [],
        )  # of the branches that are left: (mark, code, row or unit, next)
        while True:
            code = self.code()
            if 1 <= code <= 4:
                (row,), side = self.take(1), self.take(int(code != 3))
                side = side[0] if side else int(path.form(row)[0][0] > 0)
                path.refute(row, side, code, *(self.evidence(code) if code < 3 else ()))
                path.decide(1, row, side)
            elif code == 5:
                (end,), (value,) = self.take(1), self.take(1, 1)
                index(end, 2 * self.net.dimension, "end of a coordinate")
                (p, q), sign, form = (
                    value.as_integer_ratio(),
                    end % 2 * 2 - 1,
                    [0] * self.net.dimension,
                )
                form[end // 2] = sign * q  # positive beyond the bound
                path.never(
                    ([-sign * p, *form], self.net.odd, q.bit_length() - 1), *self.evidence(1)
                )
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
                    need(
                        (unit := self.take(1)[0]) not in path.winner,
                        f"unit {unit} is decided twice",
                    )
                    stack.append((path.mark(), 7, index(unit, len(self.net.units), "unit"), 0))
                elif code == 13:
                    self.parts.append((*self.take(1), self.way()))
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
            if b < self.net.units[a][1]:
                stack.append((mark, 7, a, b + 1))
                if (code := self.code()) == 8:
                    self.path.decide(7, a, b)
                    return True
                need(code == 9, f"record {code} where 8 or 9 is due")
                mode, row = self.take(2)
                self.path.favour(a, b)
                sides = {row: side for _, row, side in self.net.units[a][2][b]}
                need(row in sides, f"row {row} does not compare argument {b} of unit {a}")
                evidence = self.evidence(index(mode - 1, 4, "mode") + 1)
                self.path.refute(row, 1 - sides[row], mode, *evidence)
        return False

    def leaf(self, code):
        path, net = self.path, self.net
        need(code in (11, 12), f"record {code}")
        need((row := path.side.find(OPEN)) < 0, f"a leaf, but row {row} is undecided")
        if code == 11:
            point = self.take(net.dimension, 1)
        else:
            text = self.take(self.data[2].index(b"\n", self.at[2]) + 1 - self.at[2], 2)
            point = [rational(part) for part in text.decode("ascii").split()]
            need(len(point) == net.dimension, f"a point of {len(point)} coordinates")
        path.witness(*whole(point))
        self.leaves += 1
        if self.kind != "activation":  # the map of the cell and, for joins, its rows
            output = list(map(hex, path.composed(len(net.layers) - 1)[0]))
            self.cells.append([hashlib.sha256(repr(output).encode()).digest()])
        if self.kind == "linear":
            rows = [(row, s) for row, s in enumerate(path.side) if net.where[row][1] < 0]
            rows += [at[1:] for unit, w in path.winner.items() for at in net.units[unit][2][w]]
            self.cells[-1].append({row: path.form(row, side)[0] for row, side in rows})


# -- linear regions: which cells are joined -------------------------------------------------------


def multiple(f, g, positive=False):
    """Whether g is a (positive) multiple of f, neither zero."""
    i = next(i for i, v in enumerate(f) if v)
    return all(f[i] * y == g[i] * x for x, y in zip(f, g)) and (
        f[i] * g[i] > 0 if positive else g[i] != 0
    )


class Joins:
    """Cells [name, map, {row: form}], and the lines J and S that join them or part them."""

    def __init__(self, net, cells):
        self.net, self.cells, self.number = net, cells, {cell[0]: i for i, cell in enumerate(cells)}

    def differ(self, a, b):
        """Rows in which cells differ, in the first layer with any, positive on a."""
        (_, _, ours), (_, _, theirs) = self.cells[a], self.cells[b]
        first = min(self.net.where[row][0] for row in ours if ours[row] != theirs.get(row))
        mine = {
            row: form
            for row, form in ours.items()
            if self.net.where[row][0] == first and row in theirs
        }
        return {row: form for row, form in mine.items() if form != theirs[row]}

    def join(self, cells, below, point):
        """Show that cells share a facet, the point inside it."""
        point, walls = [below, *point], []
        for rows in (self.cells[a][2].values() for a in cells):
            values = [(sum(map(mul, form, point)), form) for form in rows if any(form)]
            need(min(v for v, _ in values) == 0, "the point is not on the border of a cell")
            walls += [form for v, form in values if v == 0]
        need(all(multiple(walls[0], form) for form in walls), "the point is on several borders")
        inside = all(sum(map(mul, form, point)) > 0 for form, _, _ in self.net.walls)
        need(inside, "the point is not inside the domain")

    def part(self, a, b, h, *names):
        """Show that cells share no facet."""
        wall = self.differ(a, b)[int(h)]
        rows = {
            "a": self.cells[a][2],
            "b": self.cells[b][2],
            "d": [form for form, _, _ in self.net.walls],
        }
        target, *others = (rows[name[0]][index(int(name[1:]), MOST, "row")] for name in names)
        need(any(target) and not multiple(wall, target), "a first row that is a multiple of h")
        flat(target, others, [wall])

    def count(self, lines):
        """The number of components, once every two cells of one map are joined or parted."""
        parent, parted, same = list(range(len(self.cells))), set(), {}

        def root(a):
            while parent[a] != a:
                parent[a] = a = parent[parent[a]]
            return a

        for kind, *cells, rest in (line.decode("ascii").split(maxsplit=3) for line in lines):
            a, b = (self.number[name] for name in cells)
            need(a != b and self.cells[a][1] == self.cells[b][1], f"{cells} are of different maps")
            need(kind in ("J", "S"), f"a line {kind}")
            if kind == "J":
                point = [rational(part) for part in rest.split()]
                need(len(point) == self.net.dimension, "the length of a point")
                self.join((a, b), *whole(point))
                parent[root(a)] = root(b)
            else:
                self.part(a, b, *rest.split())
                parted.add(frozenset((a, b)))
        for a, cell in enumerate(self.cells):
            same.setdefault(cell[1], []).append(a)
        for a, b in (pair for group in same.values() for pair in combinations(group, 2)):
            if root(a) != root(b) and frozenset((a, b)) not in parted:
                h, *rest = self.differ(a, b).values()
                names = f"{self.cells[a][0]} and {self.cells[b][0]}"
                need(
                    not all(multiple(h, g, True) for g in rest),
                    f"{names} are neither joined nor parted",
                )
        return len({root(a) for a in parent})


# -- the file -------------------------------------------------------------------------------------


def unique(pairs):
    need(len(dict(pairs)) == len(pairs), "a key twice")
    return dict(pairs)


class Proof:
    """The file: its statement, its network (made of what the hash covers), its streams."""

    def __init__(self, path):
        try:
            self.zip = zipfile.ZipFile(path)
            self.text = self.zip.read("proof.json")
            self.statement = said = json.loads(self.text, object_pairs_hook=unique)
            version = said["format"]
        except Exception as error:
            raise Unreadable(f"no proof that can be read ({error})") from None
        if version != FORMAT:
            raise Unreadable(f"its format: {version!r:.40}, not {FORMAT!r}")
        with at(lambda: "proof.json"):
            self.kind, self.parts = (
                said["kind"],
                [f"parts/{part['name']}" for part in said["parts"]],
            )
            need(self.kind in ("activation", "affine", "linear"), f"kind {self.kind!r:.40}")
            index(said["total"], inf, "total")
            self.streams = {"root": said["root"], **dict(zip(self.parts, said["parts"]))}
            shapes = json.loads(self.zip.read("arrays.json"), object_pairs_hook=unique)
            names = ["proof.json", "network.json", "arrays.json", "root", *self.parts]
            names += [f"arrays/{name}" for name in shapes] + ["linear"] * (self.kind == "linear")
            once = sorted(set(names)) == sorted(names) == sorted(self.zip.namelist())
            need(once, "members that are missing, unknown or double")
        with at(lambda: "network.json"):
            self.network = self.read_network(said, shapes)

    def read_network(self, said, shapes):
        digest, arrays = hashlib.sha256(text := self.zip.read("network.json")), {}
        for name, (dtype, shape) in sorted(shapes.items()):
            data = self.zip.read(f"arrays/{name}")
            digest.update(f"{name} {dtype} {tuple(shape)}".encode() + data)
            if dtype.startswith("<U"):
                wide, text32 = index(int(dtype[2:]), MOST, "letters"), data.decode("utf-32-le")
                values = [text32[i : i + wide].rstrip("\0") for i in range(0, len(text32), wide)]
                values = list(map(rational, values))
            else:
                values = numbers({"<f8": "d", "<f4": "f", "<i4": "i", "<i8": "q"}[dtype], data)
            need(len(values) == prod(index(n, MOST, "shape") for n in shape), f"the size of {name}")
            arrays[name] = shape, values
        need(digest.hexdigest() == said["network"], "its hash is not that in proof.json")
        spec = json.loads(text, object_pairs_hook=unique)
        return Network(spec, arrays, said["domain"], said["coordinates"], self.kind)

    def accepted(self, journal):
        """(key, {stream: result}): what a journal says of this proof, checked by this file."""
        with open(__file__, "rb") as me:
            key, done = hashlib.sha256(self.text + me.read()).hexdigest(), {}
        with open(journal, "a+", encoding="ascii") as file:
            lines = file.readlines() if not file.seek(0) else ()
        for line in lines:
            try:
                told, name, result = json.loads(line)
            except ValueError:  # written when the run was stopped
                continue
            if told == key and name in self.streams:
                with self.zip.open(name) as file:
                    if (
                        hashlib.file_digest(file, "sha256").hexdigest()
                        == self.streams[name]["sha256"]
                    ):
                        done[name] = result
        return key, done


def start(path):
    global proof
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    proof = Proof(path)


def work(name, given=None):
    walk = Walk(given or proof, name)
    return name, (walk.leaves, walk.claim, walk.parts, walk.cells)


def results(path, whole_proof, names, workers):
    """The results of streams, in any order, of so many processes."""
    if min(workers, len(names)) < 2:
        yield from (work(name, whole_proof) for name in names)
        return
    pool = ProcessPoolExecutor(min(workers, len(names)), initializer=start, initargs=(path,))
    try:
        for done in as_completed([pool.submit(work, name) for name in names]):
            yield done.result()
    except BrokenExecutor:
        raise Unreadable("a process ended before its part was checked") from None
    finally:
        pool.shutdown(cancel_futures=True)  # the parts in hand are finished


def check(path, workers=None, journal=None, progress=None):
    """Check a proof; the answer as a dictionary. Raises `Refused` or `Unreadable`.

    `journal` is a file that keeps which streams were accepted, for another run; `progress` is
    called with the number of streams that are done, of all streams, and of leaves.
    """
    proof = Proof(path)
    said, names = proof.statement, list(proof.streams)
    journal = journal if proof.kind == "activation" else None
    key, done = proof.accepted(journal) if journal else ("", {})
    todo = [name for name in names if name not in done]
    for name, result in results(path, proof, todo, workers or os.cpu_count() or 1):
        done[name] = result
        if journal:
            with open(journal, "a") as log:
                print(json.dumps([key, name, result]), file=log)
        if progress:
            progress(len(done), len(names), sum(leaves for leaves, *_ in done.values()))
    with at(lambda: "proof.json"):
        seen, todo = {"root"}, ["root"]
        while todo:
            for number, (decisions, facts) in done[todo.pop()][2]:
                name, known = f"parts/{number:06d}", set(map(tuple, facts))
                need(name in done and name not in seen, f"{name} is used twice, or is missing")
                begins, claims = done[name][1]
                same = begins == decisions and known.issuperset(map(tuple, claims))
                need(same, f"{name} is of another path than its branch")
                seen.add(name)
                todo.append(name)
        need(len(seen) == len(names), f"{min(set(names) - seen, default='')} is not used")
        total = sum(leaves for leaves, *_ in done.values())
    numbered = enumerate(names)
    cells = [(f"{i}:{j}", *cell) for i, n in numbered for j, cell in enumerate(done[n][3])]
    if proof.kind == "affine":
        total = len({output for _, output in cells})
    elif proof.kind == "linear":
        line = [0]
        with at(lambda: f"linear, line {line[0]}"), proof.zip.open("linear") as lines:
            total = Joins(proof.network, cells).count(counted(lines, line))
    with at(lambda: "proof.json"):
        need(total == said["total"] > 0, f"{total} regions are proved, not {said['total']}")
        return {"accepted": True, "regions": total, "kind": proof.kind, "network": said["network"],
                "domain": said["domain"]["description"], "parts": len(proof.parts)}  # fmt: skip


def counted(lines, line):
    for line[0], text in enumerate(lines, 1):
        yield text


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Check a proof of a number of linear regions.")
    parser.add_argument("file")
    parser.add_argument("--workers", type=int, help="processes (all processors)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--journal", help="keep which parts were accepted in this file")
    given = parser.parse_args(arguments)
    try:
        answer = check(given.file, given.workers, given.journal)
        words = "accepted: {regions} {kind} regions of network {network} over {domain}".format(
            **answer
        )
        code = 0
    except Refused as error:
        answer, words, code = error.facts(), f"refused: {error}", 1
    except (Unreadable, OSError) as error:
        answer, words, code = {"accepted": False, "why": str(error)}, f"not readable: {error}", 2
    except KeyboardInterrupt:
        return 130
    print(json.dumps(answer) if given.json else words)
    return code


if __name__ == "__main__":
    sys.exit(main())
