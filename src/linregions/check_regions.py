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
# ruff: noqa: B905 (zip without strict: only where the lengths are known)
# pyright: basic, reportOptionalIterable=false, reportArgumentType=false, reportOperatorIssue=false
# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false, reportCallIssue=false
# pyright: reportOptionalSubscript=false
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
from copy import copy
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, islice, pairwise
from math import inf, lcm, prod
from operator import mul, sub

FORMAT = "linregions proof 1"
MOST = 1 << 24  # units, rows, numbers in a block: more is refused
OPEN = 2  # the side of a row that is not decided; else 0, lower, or 1, upper
SIZES = {1: 2, 2: 2, 3: 1, 4: 2, 5: 1, 6: 2, 7: 1, 10: 2, 13: 1}  # first integers of a record

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
    except Exception as error:
        malformed = (f"malformed ({type(error).__name__}: {error!s:.200})",)
        why, *place = error.args if isinstance(error, Refused) else malformed
        raise Refused(why, *(place or [where()])) from None

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
    return [number for (number,) in struct.iter_unpack("<" + code, data)]

def common(values):
    return lcm(*{v.denominator for v in values})

def value(form, point):
    return sum(map(mul, form, point))

def whole(point):
    """(d, d x_1, d x_2, ...), integers, of floats or fractions. NaN and infinity are no ratios."""
    ratios = [v.as_integer_ratio() for v in point]
    below = lcm(*(q for _, q in ratios))
    return [below, *[p * (below // q) for p, q in ratios]]

def solved(vectors, target):
    """(l, d) with d > 0 and sum l_i vectors_i = d target, in integers, for independent vectors;
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
    return [row[n] if before > 0 else -row[n] for row in table[:n]], abs(before)

def flat(target, rows, free=()):
    """Show that target + sum l_i rows_i has no gradient and a constant <= 0, where l_i >= 0 but for
    the free rows, for the only l that can do it."""
    found = solved([form[1:] for form in (*rows, *free)], [-v for v in target[1:]])
    need(found and all(v >= 0 for v in found[0][: len(rows)]), "no multipliers >= 0")
    top = found[1] * target[0] + value(found[0], [form[0] for form in (*rows, *free)])
    need(top <= 0, "a combination with a positive constant")

# -- the network. Rows are {key: Fraction}: key (0, 0) is the constant, (0, j) coordinate j from 1,
# -- (i, u) output u of layer i. Forms are lists of integers, constant and gradient.

def factor(spec, arrays):
    """One matrix, as the file stores it: (number of columns, rows {column: value})."""
    kind = next(k for k in ("dense", "csr", "rational") if k in spec)
    high, wide = arrays[spec[kind]][0] if kind == "dense" else spec["shape"]
    need(index(high, MOST, "rows") + index(wide, MOST, "columns") < MOST, "a matrix too large")
    parts = ("_data", "_indices", "_indptr") if kind == "csr" else ("",)
    data, *places = (arrays[spec[kind] + part][1] for part in parts)
    columns, ends = places or ([*range(wide)] * high, [i * wide for i in range(high + 1)])
    need(len(ends) == high + 1 and sorted(ends) == [*ends] and ends[0] == 0, f"the rows of {spec}")
    need(ends[-1] == len(data) == len(columns), f"the size of {spec}")
    rows = [{} for _ in range(high)]
    for row, (a, b) in zip(rows, pairwise(ends)):
        for c, v in zip(columns[a:b], data[a:b]):
            row[c] = row.get(index(c, wide, "column"), 0) + Fraction(v)
    return wide, rows

def combined(row, forms):
    """The sum of row[j] forms[j]."""
    total = {}
    for j, w in row.items():
        for key, v in forms[j].items() if w else ():
            total[key] = total.get(key, 0) + w * v
    return total

def affine(spec, arrays, sources):
    """The rows of an affine map: the sum of products of factors; sources[s + 1] are those of s."""
    rows = [{} for _ in range(index(spec["size"], MOST, "size"))]
    for term in spec["terms"]:
        total = sources[index(term["source"] + 1, len(sources), "source")]
        for wide, left in (factor(spec, arrays) for spec in term["factors"]):
            need(wide == len(total), f"{wide} columns for {len(total)} rows")
            total = [combined(row, total) for row in left]
        rows = [combined({0: 1, 1: 1}, pair) for pair in zip(rows, total, strict=True)]
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
        need(all(a != b for a, b in pairwise(slopes)), "a breakpoint without a bend")
        need(all(a < b for a, b in pairwise(breaks)), "breakpoints that do not ascend")
        kinds.append((breaks, pieces))
    need(len(spec["which"]) == fan_in, "units and pre-activations differ in number")
    return [], [kinds[index(w, len(kinds), "kind of unit")] for w in spec["which"]]

def express(rows, base):
    """Rows on y as rows on the coordinates u_i = base_i (their gradients), which must span them."""
    keys = sorted({key for row in (*rows, *base) for key in row if key[0] == 0 < key[1]})
    below = common(v for row in (*rows, *base) for v in row.values())
    grid = [[int(row.get(key, 0) * below) for key in keys] for row in (*base, *rows)]
    out = [{key: v for key, v in row.items() if key[0] or not key[1]} for row in rows]
    for row, form in zip(out, grid[len(base) :]):
        found = solved(grid[: len(base)], form)
        need(found, "a row that is not in the span of the coordinates")
        row |= {(0, i): Fraction(v, found[1]) for i, v in enumerate(found[0], 1)}
    return out

class Layer:
    """An affine map and its units: forms over the denominator `below`, outputs over `outer`."""

    def __init__(self, net, rows, groups, kinds):
        layers, number = net.layers, len(net.layers)
        self.size, self.groups, self.first = len(groups or kinds), groups, len(net.where)
        self.reads = sorted({i for row in rows for i, _ in row if i})
        read = [(i, u) for i in self.reads for u in range(layers[i].size)]
        slot = {key: place for place, key in enumerate(read)}
        over = [1, *(e.outer for e in layers[1:])]
        rows = [{key: v / over[key[0]] for key, v in row.items() if v} for row in rows]
        ends, pieces = ([v for kind in kinds for v in kind[i]] for i in (0, 1))
        self.below = common([*ends, *(v for row in rows for v in row.values())])
        more = common(v for piece in pieces for v in piece)
        self.outer = self.below * more
        rows = [{key: int(v * self.below) for key, v in row.items()} for row in rows]
        self.fixed = [[row.get((0, c), 0) for c in range(net.dimension + 1)] for row in rows]
        self.weights = [[v for key, v in row.items() if key in slot] for row in rows]
        self.columns = [[slot[key] for key in row if key in slot] for row in rows]
        # No entry of a row or an output is ever greater than `most`.
        most = [1, *(e.most for e in layers[1:])]
        tops = [sum(abs(v) * most[i] for (i, _), v in row.items()) for row in rows]
        tops.append(top := max(tops, default=0))
        tops += [abs(a) * more * top + abs(b) * self.outer for a, b in pieces]
        self.most = int(max(tops))
        self.units = []  # pointwise: (first row, pieces); max: (its number, arguments)
        for u, (breaks, pieces) in enumerate(kinds):
            pieces = [(int(a * more), int(b * self.outer)) for a, b in pieces]
            self.units.append((len(net.where), pieces))
            net.where += [(number, u, None, int(t * self.below)) for t in breaks]
        for group in groups:
            self.units.append((len(net.units), group))
            need((start := len(net.where)) + len(group) ** 2 < MOST, "too many rows")
            wins = [[] for _ in group]
            for row, (a, b) in enumerate(combinations(range(len(group)), 2), start):
                net.where.append((number, group[b], group[a], 0))
                wins[a].append((b, row, 0))
                wins[b].append((a, row, 1))
            net.units.append((start, wins))
        self.last = len(net.where)

class Network:
    """All rows of network and domain, as forms on the tree's coordinates. Layer 0 is the domain.

    `where[row]` is (layer, argument, None, breakpoint), or (layer, argument, the other, 0) for a
    comparison; `units` has the max units: (first row, [(other, row, side) where w wins, for all w])
    """

    def __init__(self, spec, arrays, domain, coordinates, kind):
        n, k, basis = spec["inputs"], domain["dimension"], domain["basis"]
        index(k, index(n, MOST, "inputs") + 1, "dimensions")
        need(k == n or basis is not None, "a domain of fewer dimensions without a basis")
        chart = [{(0, i): Fraction(1)} for i in range(1, n + 1)]
        if basis is not None:
            table = [[rational(v) for v in row] for row in basis]
            solved([whole(column)[1:] for column in zip(*table, strict=True)], [0] * n)
            need(all(len(row) == k for row in table), f"a basis of other than {k} columns")
            chart = [{(0, j): v for j, v in enumerate(row, 1)} for row in table]
        for row, v in zip(chart, domain["origin"] or ["0"] * n, strict=True):
            row[0, 0] = rational(v)
        maps, units, sources = [[]], [([], [])], [[{(0, 0): Fraction(1)}], chart]
        for row, bound in domain["rows"]:
            slopes = {(0, 1 + index(j, k, "column")): -rational(v) for j, v in row}
            need(len(slopes) == len(row), "a column twice")
            maps[0].append({(0, 0): rational(bound), **slopes})
        for i, layer in enumerate(spec["layers"], 1):
            maps.append(affine(layer["affine"], arrays, sources))
            units.append(read_units(layer["units"], len(maps[-1])))
            size = len(units[-1][0] or units[-1][1])
            sources.append([{(i, u): Fraction(1)} for u in range(size)])
        maps.append(affine(spec["output"], arrays, sources))
        if coordinates is not None:
            base = []
            for block, r in coordinates:
                rows = maps[index(block, len(maps), "block")]
                base.append(combined({index(r, len(rows), "row"): 1 if block else -1}, rows))  # A y
            k, maps[-1] = len(base), [] if kind == "activation" else maps[-1]  # the output
            maps = [express(rows, base) for rows in maps]
        self.dimension, self.layers, self.where, self.units = k, [], [], []
        for rows, each in zip(maps, [*units, ([], [])]):
            self.layers.append(Layer(self, rows, *each))
        self.walls = [(form, self.layers[0].below) for form in self.layers[0].fixed]
        self.thin = [[(c, v) for c, v in enumerate(form) if v] for form, _ in self.walls]
        # Forms to be composed are one integer each: their entries in fields that none exceeds.
        self.step = max(e.most for e in self.layers).bit_length() // 8 + 1  # bytes, with the sign
        self.half, self.wide = 1 << (8 * self.step - 1), (k + 1) * self.step
        self.middle = sum(self.half << (8 * i) for i in range(0, self.wide, self.step))
        for e in self.layers:
            e.fixed = [sum(v << (8 * self.step * c) for c, v in enumerate(f) if v) for f in e.fixed]
        self.box = 1, [None] * k, [None] * k  # d, then d times the least and greatest y_j
        for wall in self.thin:
            if len(slopes := [(c, v) for c, v in wall if c]) == 1:
                (c, v), constant = slopes[0], sum(v for c, v in wall if not c)
                self.box = bounded(self.box, 2 * c - 2 + (v < 0), Fraction(-constant, v))

    def unpacked(self, packed):
        data = (packed + self.middle).to_bytes(self.wide, "little")
        step, half = self.step, self.half
        starts = range(0, self.wide, step)
        return [int.from_bytes(data[i : i + step], "little") - half for i in starts]

def bounded(box, end, bound):
    """A box with y_j >= bound (end = 2 j) or y_j <= bound (end = 2 j + 1) besides."""
    (d, *sides), (p, q), j = box, bound.as_integer_ratio(), end // 2
    more = lcm(d, q)
    sides = [[v if v is None else v * (more // d) for v in side] for side in sides]
    new, old, pick = p * (more // q), sides[end % 2][j], (max, min)[end % 2]
    sides[end % 2][j] = new if old is None else pick(new, old)
    return more, *sides

# -- the way to a cell ----------------------------------------------------------------------------

class Path:
    """The decisions on the way to a cell, and what follows: the rows of layer i are `made[i]`, its
    outputs `outs[i]` (None: not composed yet), `bounds` what bounds it: {row: (form, below)}."""

    def __init__(self, net):
        self.net, self.box, self.trail = net, net.box, []
        self.bounds = dict(enumerate(net.walls, len(net.where)))
        self.side = bytearray([OPEN if minus is None else 0 for _, _, minus, _ in net.where])
        for start, wins in net.units:  # its first comparison says whether a max unit is decided
            if len(wins) > 1:
                self.side[start] = OPEN
        self.winner = {unit: 0 for unit, (_, wins) in enumerate(net.units) if len(wins) == 1}
        self.made, self.outs = ([None] * len(net.layers) for _ in range(2))

    def twin(self):
        """A copy to come back to."""
        twin, names = copy(self), ("trail", "bounds", "side", "winner", "made", "outs")
        twin.__dict__ |= {name: self.__dict__[name].copy() for name in names}
        return twin

    def composed(self, layer):
        """The forms of a layer's pre-activations: packed, and as lists."""
        if self.made[layer] is None:
            e = self.net.layers[layer]
            get = [out for i in e.reads for out in self.outputs(i)].__getitem__
            each = zip(e.fixed, e.weights, e.columns)
            packed = [sum(map(mul, weights, map(get, columns)), f) for f, weights, columns in each]
            self.made[layer] = packed, list(map(self.net.unpacked, packed))
        return self.made[layer]

    def outputs(self, layer):
        """The outputs of a layer that is decided."""
        if self.outs[layer] is None:
            e, (z, _) = self.net.layers[layer], self.composed(layer)
            need(OPEN not in self.side[e.first : e.last], f"layer {layer} is open")
            if e.groups:
                self.outs[layer] = [z[group[self.winner[unit]]] for unit, group in e.units]
            else:
                sides = (p[sum(self.side[row : row + len(p) - 1])] for row, p in e.units)
                self.outs[layer] = [v * slope + shift for v, (slope, shift) in zip(z, sides)]
        return self.outs[layer]

    def form(self, row, side=1):
        """(form, d): d times a row, turned to be positive on `side`."""
        layer, plus, minus, shift = self.net.where[index(row, len(self.side), "row")]
        _, forms = self.composed(layer)
        form = forms[plus] if minus is None else list(map(sub, forms[plus], forms[minus]))
        form = [form[0] - shift, *form[1:]] if shift else form
        return (form if side else [-v for v in form]), self.net.layers[layer].below

    def decide(self, code, a, b):
        """Go on by a decision: that it is justified is shown elsewhere (or claimed)."""
        if code == 5:
            self.box = bounded(self.box, index(a, 2 * self.net.dimension, "end of a coordinate"), b)
        elif code in (7, 10):
            start, wins = self.net.units[index(a, len(self.net.units), "max unit")]
            need(a not in self.winner, f"max unit {a} is decided twice")
            self.winner[a], self.side[start] = index(b, len(wins), "argument"), 0
            if code == 7:
                self.favour(a, b)
        else:
            form, pointwise = self.form(a, index(b, 2, "side")), self.net.where[a][2] is None
            need(self.side[a] == OPEN or not pointwise, "a row that is decided twice")
            need(pointwise or code == 1, "a split by two arguments of a max unit")
            self.side[a] = b if pointwise else self.side[a]
            if code == 6:
                self.bounds[a] = form
        self.trail.append((code, a, b))

    def favour(self, unit, w):
        """The cell where argument w wins: of equal ones the lower index does, which is no bound."""
        for _, row, side in self.net.units[unit][1][w]:
            form = self.form(row, side)
            if side or any(form[0]):
                self.bounds[row] = form

    def follows(self, unit, w):
        """Show that every other argument loses to one that, step by step, loses to w."""
        wins = self.net.units[index(unit, len(self.net.units), "max unit")][1]
        best, known = {index(w, len(wins), "argument")}, set(self.trail)
        for _ in wins:
            best |= {o for b in best for o, row, side in wins[b] if (1, row, side) in known}
        need(len(best) == len(wins), f"not every argument of unit {unit} loses to {w}")

    def never(self, target, rows=(), multipliers=()):
        """Show that target + sum of multipliers times rows is nowhere positive over the bounds."""
        (total, below), (d, lows, highs) = target, self.box
        if rows:
            ratios = [(1, below)]
            for (_, d_i), f in zip(rows, multipliers, strict=True):
                need(0 <= f < inf, "a multiplier that is negative, or no number")
                p, q = f.as_integer_ratio()
                ratios.append((p, q * d_i))
            below = lcm(*(q for _, q in ratios))
            factors = [p * (below // q) for p, q in ratios]
            entries = zip(total, *(form for form, _ in rows))
            total = [sum(map(mul, factors, entry)) for entry in entries]
        top = total[0] * d
        for g, low, high in zip(total[1:], lows, highs):
            if g:
                end = high if g > 0 else low
                need(end is not None, "a slope along an unbounded coordinate")
                top += g * end
        need(top <= 0, "a combination that is positive somewhere")

    def refute(self, row, side, code, rows=(), multipliers=()):
        """Show, as a record of the kind `code` does, that the cell is on `side` of a row."""
        target = self.form(row, 1 - index(side, 2, "side"))
        need(not side or any(target[0]), "a row that vanishes is on its lower side")
        if code in (2, 3):
            flat(target[0], [form for form, _ in rows] if code == 2 else ())
        else:
            self.never(target, rows, multipliers)

    def beyond(self, end, bound, *evidence):
        """Show that no point of the cell is beyond a bound of a coordinate."""
        (p, q), sign, slopes = bound.as_integer_ratio(), end % 2 * 2 - 1, [0] * self.net.dimension
        slopes[index(end, 2 * len(slopes), "end") // 2] = sign * q
        self.never(([-sign * p, *slopes], q), *evidence)

    def witness(self, point):
        """Show that a point is strictly inside the cell."""
        point = whole(point)
        for row, (form, _) in islice(self.bounds.items(), len(self.net.walls), None):
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
        where = "{}, record {}, {} decisions deep".format
        place = at(lambda: where(name, self.records, len(self.path.trail)))
        with place, proof.zip.open(name) as self.file:
            while name != "root" and (code := self.code()):
                need(code in (1, 5, 6, 7, 10), f"record {code} in the path of a part")
                self.path.decide(code, *self.take(1), *self.take(1, int(code == 5)))
            self.claim = self.way()
            self.tree()
            self.spent()
            while more := self.file.read(12):
                self.sum.update(more)
                need(more == bytes(12), "more than empty blocks after the end of the tree")
            said = proof.streams[name]
            need(self.sum.hexdigest() == said["sha256"], "its hash is not that in proof.json")
            need(self.leaves == said["count"], f"{self.leaves} leaves, not {said['count']}")

    def way(self):
        """What must agree between a branch and its part, and what the part may know of besides: the
        decisions that make the cell, in any order; bounds, and comparisons of arguments."""
        decisions, facts, where = [], [], self.net.where
        for code, a, b in self.path.trail:
            besides = code == 5 or (code == 1 and where[a][2] is not None)
            (facts if besides else decisions).append((code, a, b))
        return hashlib.sha256(repr(sorted(decisions)).encode()).hexdigest(), facts

    def spent(self):
        need(self.at == [len(data) for data in self.data], "numbers that no record asks for")

    def read(self, n):
        self.sum.update(data := self.file.read(n))
        need(len(data) == n, "the stream is cut off")
        return data

    def code(self):
        """The next record's code, from the next block where this one ends."""
        while self.at[0] == len(self.data[0]):
            self.spent()
            i, f, t = (index(n, MOST, "numbers in a block:") for n in numbers("I", self.read(12)))
            self.data = numbers("i", self.read(4 * i)), numbers("d", self.read(8 * f)), self.read(t)
            self.at = [0, 0, 0]
        self.records += 1
        return self.take(1)[0]

    def take(self, n, kind=0):
        """The next n integers, floats (kind 1) or bytes (kind 2) of this block."""
        start = self.at[kind]
        need(0 <= n <= len(self.data[kind]) - start, "a record is cut off")
        self.at[kind] += n
        return self.data[kind][start : start + n]

    def evidence(self, code):
        """The rows that a record cites, which must bound the cell, and their multipliers."""
        rows, bounds = self.take(*self.take(1)), self.path.bounds
        if alien := [row for row in rows if row not in bounds]:
            raise Refused(f"row {alien[0]} does not bound this cell and is no domain row")
        return [bounds[row] for row in rows], self.take(len(rows), 1) if code == 1 else ()

    def tree(self):
        """The subtree of the path, in preorder: branches (path, code, a, b) are still to come."""
        branches = [(self.path, 0, 0, 0)]
        while branches:
            self.path, code, a, b = branches.pop()
            if code == 7 and b + 1 < len(self.net.units[a][1]):
                branches.append((self.path.twin(), 7, a, b + 1))
            if code != 7 or self.kept(a, b):
                if code:
                    self.path.decide(code, a, b)
                self.follow(branches)

    def kept(self, unit, w):
        """Whether argument w is kept; it is shown never to win where it is not."""
        if (code := self.code()) == 8:
            return True
        need(code == 9, f"record {code} where 8 or 9 is due")
        mode, row = self.take(2)
        self.path.favour(unit, w)
        sides = {row: side for _, row, side in self.net.units[unit][1][w]}
        need(row in sides, f"row {row} does not compare argument {w} of unit {unit}")
        evidence = self.evidence(index(mode - 1, 4, "mode") + 1)
        self.path.refute(row, 1 - sides[row], mode, *evidence)
        return False

    def follow(self, branches):
        """The records to the next leaf, part or max unit."""
        path, code = self.path, 0
        while code not in (7, 11, 12, 13):
            code = self.code()
            a, b = (*self.take(SIZES.get(code, 0)), None, None)[:2]
            if 1 <= code <= 4:
                b = int(path.form(a)[0][0] > 0) if code == 3 else b
                path.refute(a, b, code, *(self.evidence(code) if code < 3 else ()))
            elif code == 5:
                b = self.take(1, 1)[0]
                path.beyond(a, b, *self.evidence(1))
            elif code == 6:
                branches.append((path.twin(), 6, a, 1 - b))
            elif code == 7:
                need(a not in path.winner, f"unit {a} is decided twice")
                branches.append((path, 7, index(a, len(self.net.units), "unit"), 0))
            elif code == 10:
                path.follows(a, b)
            elif code == 13:
                self.parts.append((a, self.way()))
            else:
                self.leaf(code)
            if code in (1, 2, 3, 4, 5, 6, 10):
                path.decide(code if code > 4 else 1, a, b)

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
        path.witness(point)
        self.leaves += 1
        if self.kind != "activation":  # the map of the cell and, for joins, its rows
            output = [list(map(hex, form)) for form in path.composed(len(net.layers) - 1)[1]]
            self.cells.append([hashlib.sha256(repr(output).encode()).digest()])
        if self.kind == "linear":
            rows = [(row, s) for row, s in enumerate(path.side) if net.where[row][2] is None]
            rows += [at[1:] for unit, w in path.winner.items() for at in net.units[unit][1][w]]
            self.cells[-1].append({row: path.form(row, side)[0] for row, side in rows})

# -- linear regions: which cells are joined -------------------------------------------------------

def multiple(f, g, positive=False):
    """Whether g is a (positive) multiple of f, neither zero."""
    i = next(i for i, v in enumerate(f) if v)
    same = all(f[i] * y == g[i] * x for x, y in zip(f, g))
    return same and (f[i] * g[i] > 0 if positive else g[i] != 0)

class Joins:
    """Cells (name, map, {row: form}), and the lines J and S that join them or part them."""

    def __init__(self, net, cells):
        self.net, self.cells, self.line = net, cells, 0
        self.number = {cell[0]: i for i, cell in enumerate(cells)}

    def differ(self, a, b):
        """Rows in which cells differ, in the first layer with any, positive on a."""
        ours, theirs, where = self.cells[a][2], self.cells[b][2], self.net.where
        first = min(where[row][0] for row in ours if ours[row] != theirs.get(row))
        unlike = {row: form for row, form in ours.items() if theirs.get(row, form) != form}
        return {row: form for row, form in unlike.items() if where[row][0] == first}

    def join(self, a, b, words):
        """Show that cells share a facet, the point inside it."""
        need(len(words) == self.net.dimension, "the length of a point")
        point, walls = whole([rational(word) for word in words]), []
        for rows in (self.cells[a][2].values(), self.cells[b][2].values()):
            values = [(value(form, point), form) for form in rows if any(form)]
            need(min(v for v, _ in values) == 0, "the point is not on the border of a cell")
            walls += [form for v, form in values if v == 0]
        need(all(multiple(walls[0], form) for form in walls), "the point is on several borders")
        inside = all(value(form, point) > 0 for form, _ in self.net.walls)
        need(inside, "the point is not inside the domain")

    def part(self, a, b, h, *names):
        """Show that cells share no facet."""
        wall, domain = self.differ(a, b)[int(h)], [form for form, _ in self.net.walls]
        rows = {"a": self.cells[a][2], "b": self.cells[b][2], "d": domain}
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
        for self.line, line in enumerate(lines, 1):
            kind, *names, rest = line.decode("ascii").split(maxsplit=3)
            a, b = (self.number[name] for name in names)
            need(a != b and self.cells[a][1] == self.cells[b][1], f"{names} are of different maps")
            need(kind in ("J", "S"), f"a line {kind}")
            if kind == "J":
                self.join(a, b, rest.split())
                parent[root(a)] = root(b)
            else:
                self.part(a, b, *rest.split())
                parted.add(frozenset((a, b)))
        for a, (_, output, _) in enumerate(self.cells):
            same.setdefault(output, []).append(a)
        for a, b in (pair for group in same.values() for pair in combinations(group, 2)):
            if root(a) != root(b) and frozenset((a, b)) not in parted:
                h, *rest = self.differ(a, b).values()
                names = f"{self.cells[a][0]} and {self.cells[b][0]}"
                apart = not all(multiple(h, form, True) for form in rest)
                need(apart, f"{names} are neither joined nor parted")
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
            self.kind, parts = said["kind"], [f"parts/{part['name']}" for part in said["parts"]]
            need(self.kind in ("activation", "affine", "linear"), f"kind {self.kind!r:.40}")
            index(said["total"], inf, "total")
            self.streams = {"root": said["root"], **dict(zip(parts, said["parts"]))}
            shapes = json.loads(self.zip.read("arrays.json"), object_pairs_hook=unique)
            names = ["proof.json", "network.json", "arrays.json", "root", *parts]
            names += [f"arrays/{name}" for name in shapes] + ["linear"] * (self.kind == "linear")
            once = sorted(set(names)) == sorted(names) == sorted(self.zip.namelist())
            need(once, "members that are missing, unknown or double")
        with at(lambda: "network.json"):
            digest, arrays = hashlib.sha256(text := self.zip.read("network.json")), {}
            for name, (dtype, shape) in sorted(shapes.items()):
                data = self.zip.read(f"arrays/{name}")
                digest.update(f"{name} {dtype} {tuple(shape)}".encode() + data)
                if dtype.startswith("<U"):
                    n, letters = index(int(dtype[2:]), MOST, "letters"), data.decode("utf-32-le")
                    words = [letters[i : i + n].rstrip("\0") for i in range(0, len(letters), n)]
                    values = list(map(rational, words))
                else:
                    values = numbers({"<f8": "d", "<f4": "f", "<i4": "i", "<i8": "q"}[dtype], data)
                size = prod(index(n, MOST, "shape") for n in shape)
                need(len(values) == size, f"the size of {name}")
                arrays[name] = shape, values
            need(digest.hexdigest() == said["network"], "its hash is not that in proof.json")
            spec = json.loads(text, object_pairs_hook=unique)
            self.network = Network(spec, arrays, said["domain"], said["coordinates"], self.kind)

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
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                if digest == self.streams[name]["sha256"]:
                    done[name] = result
        return key, done

def start(path):
    global proof
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    proof = Proof(path)

def work(name, given=None):
    walk = Walk(given or proof, name)
    return name, (walk.leaves, walk.claim, walk.parts, walk.cells)

def results(path, given, names, workers):
    """The results of streams, in any order, of so many processes."""
    if min(workers, len(names)) < 2:
        yield from (work(name, given) for name in names)
        return
    pool = ProcessPoolExecutor(min(workers, len(names)), initializer=start, initargs=(path,))
    try:
        yield from (job.result() for job in as_completed([pool.submit(work, n) for n in names]))
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
    cells = [(f"{i}:{j}", *cell) for i, n in enumerate(names) for j, cell in enumerate(done[n][3])]
    if proof.kind == "affine":
        total = len({output for _, output in cells})
    elif proof.kind == "linear":
        joins = Joins(proof.network, cells)
        with at(lambda: f"linear, line {joins.line}"), proof.zip.open("linear") as lines:
            total = joins.count(lines)
    with at(lambda: "proof.json"):
        need(total == said["total"] > 0, f"{total} regions are proved, not {said['total']}")
        return {"accepted": True, "regions": total, "kind": proof.kind, "network": said["network"],
                "domain": said["domain"]["description"], "parts": len(names) - 1}

def main(arguments=None):
    parser = argparse.ArgumentParser(description="Check a proof of a number of linear regions.")
    parser.add_argument("file")
    parser.add_argument("--workers", type=int, help="processes (all processors)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--journal", help="keep which parts were accepted in this file")
    given = parser.parse_args(arguments)
    try:
        answer, code = check(given.file, given.workers, given.journal), 0
        words = "accepted: {regions} {kind} regions of network {network} over {domain}"
        words = words.format(**answer)
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
