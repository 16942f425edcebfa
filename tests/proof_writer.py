"""A slow writer of proofs, and what takes their files apart: the reference for the checker.

Cells are cones in integer double description (`oracle`), forms are lists of Fractions (gradient,
constant), and nothing of the library's arithmetic is used: the format is that of docs/proofs.md.
The tree is drawn at random among those that prove the same: order of units, side that comes first,
kind of record, bounds, parts.
"""

import hashlib
import json
import random
import struct
import zipfile
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import lcm
from pathlib import Path

import numpy as np

import linregions as lr
from linregions.testing.cones import Cone
from linregions.testing.oracle import rational

FORMAT = "linregions proof 1"


def _times(matrix, forms):
    """A matrix of any storage times a list of forms, in Fractions."""
    table = matrix.toarray() if hasattr(matrix, "toarray") else matrix
    out = []
    for row in table.tolist():
        used = [(rational(w), f) for w, f in zip(row, forms, strict=True) if w != 0]
        out.append([sum((w * f[c] for w, f in used), Fraction(0)) for c in range(len(forms[0]))])
    return out


def _affine(affine, values):
    total = [[Fraction(0)] * len(values[-1][0]) for _ in range(affine.size)]
    for term in affine.terms:
        part = values[term.source]
        for factor in term.factors:
            part = _times(factor, part)
        total = [
            [a + b for a, b in zip(x, y, strict=True)] for x, y in zip(total, part, strict=True)
        ]
    return total


def _whole(form):
    """A form as integers: cones want only its sign."""
    d = lcm(*(v.denominator for v in form))
    return [int(v * d) for v in form]


def dot(form, point):
    """The value of a form at a point."""
    return sum((a * x for a, x in zip(form, point, strict=False)), form[-1])


def minus(f, g):
    return [a - b for a, b in zip(f, g, strict=True)]


def unique_solution(vectors, target):
    """Fractions l with sum l_i vectors_i = target for independent vectors, or None."""
    table = [[*map(Fraction, row)] for row in zip(*vectors, target, strict=True)]
    n = len(vectors)
    for k in range(n):
        hit = next((i for i in range(k, len(table)) if table[i][k]), None)
        if hit is None:
            return None
        table[k], table[hit] = table[hit], table[k]
        table[k] = [v / table[k][k] for v in table[k]]
        for i, row in enumerate(table):
            if i != k and row[k]:
                table[i] = [a - row[k] * b for a, b in zip(row, table[k], strict=True)]
    if any(row[n] for row in table[n:]):
        return None
    return [row[n] for row in table[:n]]


def greatest(form, box):
    """The greatest value of a form over bounds [(low, high), ...] with None for none; or None."""
    total = form[-1]
    for g, (low, high) in zip(form, box, strict=False):
        if g:
            end = high if g > 0 else low
            if end is None:
                return None
            total += g * end
    return total


def combination(target, forms, multipliers):
    """target + sum of multipliers times forms."""
    out = list(target)
    for form, m in zip(forms, multipliers, strict=True):
        out = [a + Fraction(m) * b for a, b in zip(out, form, strict=True)]
    return out


def refutes(target, forms, multipliers, box):
    """Whether these multipliers show that target > 0 is impossible where the forms are >= 0."""
    top = greatest(combination(target, forms, multipliers), box)
    return all(m >= 0 for m in multipliers) and top is not None and top <= 0


@dataclass
class Statement:
    """A network over a domain, with all forms in the coordinates of the tree.

    ``reduce``: whether independent rows are the coordinates, or (block, row) of those that a file
    names.
    """

    net: lr.Network
    domain: lr.Domain
    reduce: bool | list = False
    walls: list = field(init=False)

    def __post_init__(self):
        n = self.net.inputs
        chart = self.domain.chart(n)
        self.k = k = chart.dimension
        unit = [[Fraction(int(i == j)) for j in range(k + 1)] for i in range(k + 1)]
        self.one = unit[-1:]
        self.origin = None if chart.origin is None else [rational(v) for v in chart.origin]
        self.basis = None
        x = unit[:-1]
        if chart.basis is not None:
            self.basis = [[rational(v) for v in row] for row in chart.basis]
            x = [[*row, Fraction(0)] for row in self.basis]
        if self.origin is not None:
            x = [[*row[:-1], row[-1] + v] for row, v in zip(x, self.origin, strict=True)]
        self.x = x
        self.rows_of_domain = [
            ([(j, rational(v)) for j, v in enumerate(row) if v != 0], rational(b))
            for row, b in zip(
                np.asarray(chart.A).tolist(), np.asarray(chart.b).tolist(), strict=True
            )
        ]
        walls = []
        for row, b in self.rows_of_domain:
            form = [Fraction(0)] * k + [b]
            for j, v in row:
                form[j] -= v
            walls.append(form)
        self.coordinates, self.base = None, None
        if self.reduce:
            self._pick(walls)
        self.walls = [self.on_tree(form) for form in walls]
        self.number()

    def _pick(self, walls):
        blocks = [walls]
        zero = [[Fraction(0)] * (self.k + 1)]
        values = {0: self.x, -1: zero}  # only what reads the input
        values |= {i: zero * layer.size for i, layer in enumerate(self.net.layers, start=1)}
        for affine in [*(layer.affine for layer in self.net.layers), self.net.output]:
            blocks.append(_affine(affine, values))
        self.coordinates, self.base = [], []
        named = self.reduce if isinstance(self.reduce, list) else None
        each = named or [[b, r] for b, rows in enumerate(blocks) for r in range(len(rows))]
        for b, r in each:
            slopes = blocks[b][r][:-1]
            if any(slopes) and unique_solution([*self.base], slopes) is None:
                self.base.append(slopes if b else [-v for v in slopes])  # A y, not b - A y
                self.coordinates.append([b, r])
        assert named in (None, self.coordinates)

    def on_tree(self, form):
        """A form on y as a form on the coordinates of the tree."""
        if self.base is None:
            return form
        return [*unique_solution(self.base, form[:-1]), form[-1]]

    @property
    def dimension(self):
        return self.k if self.base is None else len(self.base)

    def number(self):
        """Rows: (layer, unit, break) or (layer, unit, i, j); and the first row of each unit."""
        self.rows, self.first, self.max_unit = [], {}, {}
        for i, layer in enumerate(self.net.layers, start=1):
            for u in range(layer.size):
                self.first[i, u] = len(self.rows)
                if isinstance(layer.units, lr.MaxUnits):
                    self.max_unit[i, u] = len(self.max_unit)
                    m = len(layer.units.groups[u])
                    self.rows += [(i, u, a, b) for a in range(m) for b in range(a + 1, m)]
                else:
                    kind = layer.units.kinds[layer.units.which[u]]
                    self.rows += [(i, u, t) for t in range(len(kind.breaks))]

    def pre(self, layer, values):
        """Pre-activations of a layer, on y."""
        return _affine(self.net.layers[layer - 1].affine, values)

    def comparison(self, layer, u, w, other):
        """The row that compares arguments, and the side on which w wins."""
        i, j = min(w, other), max(w, other)
        m = len(self.net.layers[layer - 1].units.groups[u])
        pairs = list(combinations(range(m), 2))
        return self.first[layer, u] + pairs.index((i, j)), int(w > other)

    def json(self):
        texts = None if self.basis is None else [[str(v) for v in row] for row in self.basis]
        return {
            "description": self.domain.describe(),
            "dimension": self.k,
            "origin": None if self.origin is None else [str(v) for v in self.origin],
            "basis": texts,
            "rows": [[[[j, str(v)] for j, v in row], str(b)] for row, b in self.rows_of_domain],
        }


@dataclass(frozen=True)
class State:
    """The way to a cell: its cone, what bounds it, and the forms of the layers before."""

    cone: Cone
    values: dict
    layer: int  # that is being decided
    z: tuple  # its pre-activations, on y
    todo: tuple  # its (unit, break) or (unit,) in the order in which they are decided
    outs: dict  # its outputs so far, on y
    above: dict  # breaks above which a unit is
    scope: tuple  # (row, form) that bound the cell
    box: tuple
    claims: tuple
    sides: tuple  # (row, side) of all decided rows


class Writer:
    """Writes one tree; `leaves` are (name, winners and sides, cone, output)."""

    def __init__(self, statement, seed=0, parts=0.0, bounds=0.3, kind="activation"):
        self.s, self.rng, self.kind = statement, random.Random(seed), kind
        self.share, self.bounding = parts, bounds
        self.parts, self.leaves = {}, []

    # A record is [code, integers, floats, text].

    def write(self, path):
        s = self.s
        cone = Cone.whole(s.dimension + 1).cut([0] * s.dimension + [1], 1)[0]
        scope = []
        for i, form in enumerate(s.walls):
            scope.append((len(s.rows) + i, form))
            if any(form):
                assert cone.sides(_whole(form))[0]
                cone = cone.cut(_whole(form), 1)[0]
        box = tuple([(None, None)] * s.dimension)
        start = State(cone, {0: s.x, -1: s.one}, 0, (), (), {}, {}, tuple(scope), box, (), ())
        streams = {"root": self.node(self.next_layer(start), "root")}
        streams.update({f"parts/{n:06d}": self.parts[n] for n in sorted(self.parts)})
        total, lines = len(self.leaves), None
        if self.kind == "affine":
            total = len({output for *_, output in self.leaves})
        elif self.kind == "linear":
            total, lines = Linear(self.s, self.leaves, streams).lines()
        write_proof(path, self.s, self.kind, streams, total, lines)
        return path

    def next_layer(self, state):
        """The state at the next layer, whose inputs are all decided."""
        values, layer = dict(state.values), state.layer
        if layer:
            values[layer] = [state.outs[u] for u in range(self.s.net.layers[layer - 1].size)]
        layer += 1
        if layer > len(self.s.net.layers):
            return State(**{**state.__dict__, "values": values, "layer": layer, "todo": ()})
        z, todo = self.s.pre(layer, values), []
        units, outs = self.s.net.layers[layer - 1].units, {}
        for u in range(self.s.net.layers[layer - 1].size):
            if isinstance(units, lr.MaxUnits):
                if len(units.groups[u]) > 1:
                    todo.append((u,))
                else:
                    outs[u] = z[units.groups[u][0]]
                continue
            kind = units.kinds[units.which[u]]
            todo += [(u, t) for t in range(len(kind.breaks))]
            if not kind.breaks:
                outs[u] = self.piece(z[u], kind, 0)
        self.rng.shuffle(todo)
        return State(**{**state.__dict__, "values": values, "layer": layer, "z": tuple(z),
                        "todo": tuple(todo), "outs": outs, "above": {}})  # fmt: skip

    @staticmethod
    def piece(z, kind, p):
        slope = rational(kind.slopes[p])
        return [*(slope * v for v in z[:-1]), slope * z[-1] + kind.intercepts[p]]

    def node(self, state, name):
        """The records of the subtree of a cell."""
        if state.claims and self.rng.random() < self.share:
            return self.part(state)
        while not state.todo:
            if state.layer > len(self.s.net.layers):
                return [self.leaf(state, name)]
            state = self.next_layer(state)
        out, state = self.bounds(state)
        task = state.todo[0]
        state = State(**{**state.__dict__, "todo": state.todo[1:]})
        decide = self.pointwise if len(task) == 2 else self.maximum
        return out + decide(state, name, *task)

    def part(self, state):
        number = len(self.parts) + 1
        self.parts[number] = None
        claims = [
            [5, [a], [b], ""] if code == 5 else [code, [a, b], [], ""]
            for code, a, b in state.claims
        ]
        keep, self.share = self.share, self.share / 2
        inner = self.node(state, f"parts/{number:06d}")
        self.share = keep
        self.parts[number] = [*claims, [0, [], [], ""], *inner]
        return [[13, [number], [], ""]]

    # -- decisions

    def pointwise(self, state, name, u, t):
        kind = self.s.net.layers[state.layer - 1].units
        kind = kind.kinds[kind.which[u]]
        edge = [*state.z[u][:-1], state.z[u][-1] - rational(kind.breaks[t])]
        row, form = self.s.first[state.layer, u] + t, self.s.on_tree(edge)
        plus, minus = state.cone.sides(_whole(form))
        if plus and minus:
            side = self.rng.randrange(2)
            children = []
            for s in (side, 1 - side):
                turned = form if s else [-v for v in form]
                cone = state.cone.cut(_whole(turned), 1)[0]
                child = State(**{**state.__dict__, "cone": cone,
                                 "scope": (*state.scope, (row, turned))})  # fmt: skip
                children.append(self.settled(child, u, t, kind, row, s, 6))
            return [
                [6, [row, side], [], ""],
                *self.node(children[0], name),
                *self.node(children[1], name),
            ]
        side = int(plus)
        record = self.refusal(state, row, side, form)
        return [record, *self.node(self.settled(state, u, t, kind, row, side, 1), name)]

    def settled(self, state, u, t, kind, row, side, code):
        above = {**state.above, (u, t): side}
        mine = [above.get((u, i)) for i in range(len(kind.breaks))]
        outs = state.outs
        if None not in mine:
            outs = {**outs, u: self.piece(state.z[u], kind, sum(mine))}
        return State(**{**state.__dict__, "above": above, "outs": outs,
                        "claims": (*state.claims, (code, row, side)),
                        "sides": (*state.sides, (row, side))})  # fmt: skip

    def maximum(self, state, name, u):
        group = self.s.net.layers[state.layer - 1].units.groups[u]
        unit, m = self.s.max_unit[state.layer, u], len(group)
        lead = {
            (w, o): self.s.on_tree(minus(state.z[group[w]], state.z[group[o]]))
            for w in range(m) for o in range(m) if w != o
        }  # fmt: skip
        kept, refused = {}, {}
        for w in range(m):
            cone, cut = state.cone, []
            for o in self.rng.sample([o for o in range(m) if o != w], m - 1):
                row, side = self.s.comparison(state.layer, u, w, o)
                form = lead[w, o]
                if not any(form) and w < o:
                    continue
                if not cone.sides(_whole(form))[0]:
                    refused[w] = (row, 1 - side, form, tuple(cut))
                    break
                cut.append((row, form))
                cone = cone.cut(_whole(form), 1)[0]
            else:
                kept[w] = cone, tuple(cut)
        chosen = next(iter(kept))
        direct = len(kept) == 1 and all(
            not state.cone.sides(_whole(lead[o, chosen]))[0] for o in range(m) if o != chosen
        )
        if direct and self.rng.random() < 0.7:
            out = []
            for o in range(m):
                if o == chosen:
                    continue
                row, side = self.s.comparison(state.layer, u, chosen, o)
                form = lead[chosen, o] if side else [-v for v in lead[chosen, o]]
                out.append(self.refusal(state, row, side, form))
                state = State(**{**state.__dict__, "claims": (*state.claims, (1, row, side))})
            child = self.won(state, u, unit, chosen, 10, ())
            return [*out, [10, [unit, chosen], [], ""], *self.node(child, name)]
        out = [[7, [unit], [], ""]]
        for w in range(m):
            if w in kept:
                cone, cut = kept[w]
                child = State(**{**state.__dict__, "cone": cone, "scope": state.scope + cut})
                out.append([8, [], [], ""])
                out += self.node(self.won(child, u, unit, w, 7, cut), name)
            else:
                row, side, form, cut = refused[w]
                more = State(**{**state.__dict__, "scope": state.scope + cut})
                code, integers, floats, _ = self.refusal(
                    more, row, side, form if not side else [-v for v in form]
                )
                cited = integers[3:] if code < 3 else []
                out.append([9, [code, row, len(cited), *cited], floats, ""])
        return out

    def won(self, state, u, unit, w, code, cut):
        group = self.s.net.layers[state.layer - 1].units.groups[u]
        rows = tuple(self.s.comparison(state.layer, u, w, o) for o in range(len(group)) if o != w)
        return State(**{**state.__dict__, "outs": {**state.outs, u: state.z[group[w]]},
                        "claims": (*state.claims, (code, unit, w)),
                        "sides": (*state.sides, *rows)})  # fmt: skip

    # -- refusals

    def refusal(self, state, row, side, form):
        """A record that shows that the cell is on `side` of the row."""
        target = form if not side else [-v for v in form]
        if not any(form[:-1]):
            return [3, [row], [], ""]
        kinds = [4, 1, 2]
        self.rng.shuffle(kinds)
        top = greatest(target, state.box)
        for kind in kinds:
            if kind == 4 and top is not None and top <= 0:
                return [4, [row, side], [], ""]
            if kind == 4:
                continue
            rows, exact = self.multipliers(state, target)
            if kind == 1:
                forms, floats = [dict(state.scope)[r] for r in rows], [float(m) for m in exact]
                if refutes(target, forms, floats, state.box):
                    return [1, [row, side, len(rows), *rows], floats, ""]
        return [2, [row, side, len(rows), *rows], [], ""]

    def multipliers(self, state, target):
        """Rows of the scope, and multipliers >= 0, for which the combination has no gradient."""
        scope = [(r, f) for r, f in state.scope if any(f[:-1])]
        whole = _whole(target)
        tops = [(Fraction(sum(a * b for a, b in zip(whole, ray, strict=True)), ray[-1]), ray)
                for ray, _ in state.cone.rays if ray[-1] > 0]  # fmt: skip
        vertex = max(tops)[1] if tops else None
        tight = [
            (r, f)
            for r, f in scope
            if vertex and not sum(a * b for a, b in zip(f, vertex, strict=True))
        ]
        for rows in (tight, scope):
            for size in range(1, self.s.dimension + 1):
                for some in combinations(rows, size):
                    found = unique_solution([f[:-1] for _, f in some], [-v for v in target[:-1]])
                    if (
                        found
                        and min(found) >= 0
                        and dot(combination(target, [f for _, f in some], found), []) <= 0
                    ):
                        return [r for r, _ in some], found
        raise AssertionError("no multipliers: Farkas says that there are some")

    def bounds(self, state):
        """Sometimes bounds of the coordinates, a little wide; only over bounded cells."""
        if state.cone.lines or any(not ray[-1] for ray, _ in state.cone.rays):
            return [], state
        if self.rng.random() > self.bounding:
            return [], state
        out, box, scope = [], list(state.box), dict(state.scope)
        for end in range(2 * self.s.dimension):
            j, sign = end // 2, 1 if end % 2 else -1
            values = [Fraction(sign * ray[j], ray[-1]) for ray, _ in state.cone.rays]
            value = float(max(values) + Fraction(self.rng.choice([0, 1]), 1 << 30)) * sign
            target = [Fraction(0)] * (self.s.dimension + 1)
            target[j], target[-1] = Fraction(sign), -sign * Fraction(value)
            old = box[j][end % 2]
            if old is not None and sign * (value - old) >= 0:
                continue
            if sign * Fraction(value) < max(values):
                continue
            rows, exact = self.multipliers(state, target)
            floats = [float(m) for m in exact]
            if not refutes(target, [scope[r] for r in rows], floats, box):
                continue
            pair = list(box[j])
            pair[end % 2] = Fraction(value)
            box[j] = tuple(pair)
            out.append([5, [end, len(rows), *rows], [value, *floats], ""])
            state = State(**{**state.__dict__, "claims": (*state.claims, (5, end, value))})
        return out, State(**{**state.__dict__, "box": tuple(box)})

    def leaf(self, state, name):
        total = [sum(column) for column in zip(*(ray for ray, _ in state.cone.rays), strict=True)]
        point = [Fraction(v, total[-1]) for v in total[:-1]]
        output = tuple(map(tuple, _affine(self.s.net.output, state.values)))
        self.leaves.append((name, state, output))
        near = [float(v) for v in point]
        bounding = [f for _, f in state.scope if any(f)]
        inside = all(dot(f, [Fraction(v) for v in near]) > 0 for f in bounding)
        if inside and self.rng.random() < 0.8:
            return [11, [], near, ""]
        return [12, [], [], " ".join(map(str, point)) + "\n"]


class Linear:
    """Which cells of one map share a facet, and why the others share none."""

    def __init__(self, statement, leaves, streams):
        self.s, self.names, seen = statement, [], dict.fromkeys(streams, 0)
        for name, *_ in leaves:
            self.names.append(
                f"{list(sorted(streams, key=lambda n: (n != 'root', n))).index(name)}:{seen[name]}"
            )
            seen[name] += 1
        self.cells = [(state, output, self.rows(state)) for _, state, output in leaves]

    def rows(self, state):
        """{row: form} of all rows of a cell, oriented."""
        out, pre = {}, {}
        for row, side in state.sides:
            layer, u, *rest = self.s.rows[row]
            if layer not in pre:
                pre[layer] = self.s.pre(layer, state.values)
            z, units = pre[layer], self.s.net.layers[layer - 1].units
            if len(rest) == 2:
                a, b = (z[units.groups[u][j]] for j in rest)
                form = [y - x for x, y in zip(a, b, strict=True)]
            else:
                t = rational(units.kinds[units.which[u]].breaks[rest[0]])
                form = [*z[u][:-1], z[u][-1] - t]
            form = self.s.on_tree(form)
            out[row] = form if side else [-v for v in form]
        return out

    def lines(self):
        """(components, text)."""
        out, parent = [], list(range(len(self.cells)))

        def root(a):
            return a if parent[a] == a else root(parent[a])

        pairs = [(a, b) for a, b in combinations(range(len(self.cells)), 2)
                 if self.cells[a][1] == self.cells[b][1]]  # fmt: skip
        for a, b in pairs:
            if (point := self.shared(a, b)) is not None:
                out.append(f"J {self.names[a]} {self.names[b]} {' '.join(map(str, point))}\n")
                parent[root(a)] = root(b)
        for a, b in pairs:
            if root(a) != root(b) and (words := self.parted(a, b)):
                out.append(f"S {self.names[a]} {self.names[b]} {words}\n")
        return len({root(a) for a in parent}), "".join(out)

    def shared(self, a, b):
        """A point inside a common facet, or None."""
        cone = self.cells[a][0].cone
        for _, form in self.cells[b][0].scope:
            if any(form):
                cone = cone.cut(_whole(form), 1)[0]
        rays = [ray for ray, _ in cone.rays]
        if _rank([*rays, *cone.lines]) < self.s.dimension or not any(ray[-1] > 0 for ray in rays):
            return None
        total = [sum(column) for column in zip(*rays, strict=True)]
        return [Fraction(v, total[-1]) for v in total[:-1]]

    def parted(self, a, b):
        """Words for a line S, or None where no hyperplane could hold a facet."""
        ours, theirs = self.cells[a][2], self.cells[b][2]
        layer = min(self.s.rows[r][0] for r in ours if ours[r] != theirs.get(r))
        differ = [
            r for r in ours if self.s.rows[r][0] == layer and r in theirs and ours[r] != theirs[r]
        ]
        h = differ[0]
        if not all(_multiple(ours[h], ours[r]) in (1,) for r in differ):
            return None
        named = [(f"a{r}", f) for r, f in ours.items()] + [(f"b{r}", f) for r, f in theirs.items()]
        named += [(f"d{i}", f) for i, f in enumerate(self.s.walls)]
        named = [(n, f) for n, f in named if any(f) and not _multiple(ours[h], f)]
        for size in range(self.s.dimension):
            for (name, target), *others in _ordered(named, size):
                forms = [f for _, f in others] + [ours[h]]
                found = unique_solution([f[:-1] for f in forms], [-v for v in target[:-1]])
                fit = found and min(found[:-1], default=0) >= 0
                if fit and combination(target, forms, found)[-1] <= 0:
                    return " ".join([str(h), name, *(n for n, _ in others)])
        raise AssertionError("cells that share no facet, and no proof of it")


def _ordered(named, size):
    for i, first in enumerate(named):
        for some in combinations(named[:i] + named[i + 1 :], size):
            yield first, *some


def _multiple(f, g):
    """1, -1: a multiple of this sign; 0: none."""
    i = next(i for i, v in enumerate(f) if v)
    same = g[i] != 0 and all(f[i] * y == g[i] * x for x, y in zip(f, g, strict=True))
    return (1 if f[i] * g[i] > 0 else -1) if same else 0


def _rank(vectors):
    rows, rank = [list(map(Fraction, v)) for v in vectors], 0
    for c in range(len(rows[0]) if rows else 0):
        hit = next((i for i in range(rank, len(rows)) if rows[i][c]), None)
        if hit is None:
            continue
        rows[rank], rows[hit] = rows[hit], rows[rank]
        for i in range(rank + 1, len(rows)):
            w = rows[i][c] / rows[rank][c]
            rows[i] = [a - w * b for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


# -- files ----------------------------------------------------------------------------------------


def encode(records, rng=None):
    """A stream: blocks of whole records, of any size."""
    out, rng = [], rng or random.Random(0)
    at = 0
    while at < len(records):
        some = records[at : at + rng.randint(1, 400)]
        at += len(some)
        integers = [i for code, ints, _, _ in some for i in (code, *ints)]
        floats = [f for _, _, fs, _ in some for f in fs]
        text = "".join(t for *_, t in some).encode()
        out.append(struct.pack("<3I", len(integers), len(floats), len(text)))
        out.append(struct.pack(f"<{len(integers)}i{len(floats)}d", *integers, *floats) + text)
    return b"".join(out)


def network_members(net):
    """{member: bytes} of the canonical network."""
    header, arrays = net._pack()
    out = {"network.json": json.dumps(header["network"], sort_keys=True).encode()}
    out["arrays.json"] = json.dumps(
        {n: [a.dtype.str, list(a.shape)] for n, a in arrays.items()}
    ).encode()
    return out | {f"arrays/{n}": np.ascontiguousarray(a).tobytes() for n, a in arrays.items()}


def write_proof(path, statement, kind, streams, total, linear=None):
    members = network_members(statement.net)
    said = {
        "format": FORMAT, "kind": kind, "total": total, "network": statement.net.hash,
        "domain": statement.json(), "coordinates": statement.coordinates, "root": None, "parts": [],
    }  # fmt: skip
    for name, records in streams.items():
        members[name] = encode(records)
    if linear is not None:
        members["linear"] = linear.encode()
    save(path, said, members)


def save(path, said, members, whole=False):
    """Write the archive, with the hashes and counts of its streams (unless `whole`: as it is)."""
    said = json.loads(json.dumps(said))
    if not whole:
        said = described(said, members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("proof.json", json.dumps(said))
        for name, data in members.items():
            file.writestr(name, data)
    return Path(path)


def described(said, members):
    """The statement with the hashes and counts of the streams."""
    given = {"root": said["root"] or {}}
    given |= {f"parts/{p['name']}": p for p in said["parts"]}
    for name, data in members.items():
        if name in given or name.startswith("parts/"):
            entry = given.setdefault(name, {"name": name.removeprefix("parts/")})
            entry["sha256"] = hashlib.sha256(data).hexdigest()
            leaves = sum(r[0] in (11, 12) for r in decode(data, dimension(said), name != "root"))
            entry["count"] = leaves
    said["root"] = {k: v for k, v in given.pop("root").items() if k in ("sha256", "count")}
    said["parts"] = [{k: p[k] for k in ("name", "sha256", "count")} for p in given.values()]
    return said


def dimension(said):
    return said["domain"]["dimension"] if said["coordinates"] is None else len(said["coordinates"])


def load(path):
    """(statement, members) of an archive."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    return json.loads(members.pop("proof.json")), members


def decode(data, k, claims):
    """The records of a stream; a part begins with claims, which end at a record 0."""
    integers, floats, text, at = [], [], "", 0
    while at < len(data):
        ni, nf, nt = struct.unpack_from("<3I", data, at)
        values = struct.unpack_from(f"<{ni}i{nf}d", data, at + 12)
        integers += values[:ni]
        floats += values[ni:]
        at += 12 + 4 * ni + 8 * nf + nt
        text += data[at - nt : at].decode()
    lines, out = text.splitlines(keepends=True), []
    integers, floats, lines = integers[::-1], floats[::-1], lines[::-1]

    def take(source, n):
        return [source.pop() for _ in range(n)]

    while integers:
        code = integers.pop()
        ints, fs, t = [], [], ""
        if claims:
            ints = take(integers, 0 if code == 0 else 1 if code == 5 else 2)
            fs = take(floats, int(code == 5))
            claims = code != 0
        elif code in (1, 2):
            ints = take(integers, 3)
            ints += take(integers, ints[2])
            fs = take(floats, ints[2] if code == 1 else 0)
        elif code == 5:
            ints = take(integers, 2)
            ints += take(integers, ints[1])
            fs = take(floats, 1 + ints[1])
        elif code == 9:
            ints = take(integers, 3)
            ints += take(integers, ints[2])
            fs = take(floats, ints[2] if ints[0] == 1 else 0)
        else:
            ints = take(integers, {3: 1, 4: 2, 6: 2, 7: 1, 10: 2, 13: 1}.get(code, 0))
            fs = take(floats, k if code == 11 else 0)
            t = lines.pop() if code == 12 else ""
        out.append([code, ints, fs, t])
    return out
