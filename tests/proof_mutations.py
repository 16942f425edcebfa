"""Changes to the file of a proof, with the verdict that each deserves, decided without the checker.

A mutation takes a `Dossier` and a random generator and returns (name, file contents, verdict), or
None where the proof has nothing to change in that way. The verdict is False where the statement or
a step of the proof is no longer true, True where all are.
"""

import hashlib
import json
from fractions import Fraction

import numpy as np
import proof_writer as pw

import linregions as lr
from linregions.network.affine import Affine, Term


class Dossier:
    """A proof, taken apart: streams of records, and for each record the decisions before it."""

    def __init__(self, path, statement, maps=None):
        self.s, self.maps = statement, maps  # the number of distinct maps, where it is known
        self.said, self.members = pw.load(path)
        self.k = pw.dimension(self.said)
        names = ["root", *(f"parts/{p['name']}" for p in self.said["parts"])]
        self.streams = {n: pw.decode(self.members[n], self.k, n != "root") for n in names}
        units = {number: key for key, number in statement.max_unit.items()}
        self.arguments = {
            n: len(statement.net.layers[i - 1].units.groups[u]) for n, (i, u) in units.items()
        }
        self.unit_of = units
        self.paths, self.ends = {}, {}
        for name, records in self.streams.items():
            self._parse(name, records)

    def _parse(self, name, records):
        at, path = 0, ()
        if name != "root":
            while records[at][0]:
                code, ints, floats, _ = records[at]
                path += ((code, *ints, *floats),)
                at += 1
            at += 1
        assert self._node(name, records, at, path) == len(records)

    def _node(self, name, records, at, path):
        while True:
            code, ints, floats, _ = records[at]
            self.paths[name, at] = path
            if code in (1, 2, 4):
                path += ((1, *ints[:2]),)
            elif code == 3:
                form = self.forms(path)(ints[0])
                path += ((1, ints[0], int(form[-1] > 0)),)
            elif code == 5:
                path += ((5, ints[0], floats[0]),)
            elif code == 10:
                path += ((10, *ints),)
            elif code == 6:
                row, side = ints
                first = self._node(name, records, at + 1, (*path, (6, row, side)))
                last = self._node(name, records, first, (*path, (6, row, 1 - side)))
                self.ends[name, at] = first, last
                return last
            elif code == 7:
                here, at = path, at + 1
                for w in range(self.arguments[ints[0]]):
                    self.paths[name, at] = (*here, ("argument", ints[0], w))
                    at += 1
                    if records[at - 1][0] == 8:
                        at = self._node(name, records, at, (*here, (7, ints[0], w)))
                return at
            else:
                return at + 1
            at += 1

    def forms(self, path):
        """A function from rows to their forms on this path, composed from the network."""
        s, sides, winners = self.s, {}, {}
        for code, a, b in path:
            if code in (1, 6):
                sides[a] = b
            elif code in (7, 10):
                winners[self.unit_of[a]] = b

        def form(row):
            if row >= len(s.rows):
                return s.walls[row - len(s.rows)]
            layer, u, *rest = s.rows[row]
            values = {0: s.x, -1: s.one}
            for i in range(1, layer + 1):
                z, units = s.pre(i, values), s.net.layers[i - 1].units
                if i < layer:
                    values[i] = [
                        self._output(i, j, units, z, sides, winners) for j in range(units.size)
                    ]
            if len(rest) == 2:
                a, b = (z[units.groups[u][j]] for j in rest)
                return s.on_tree([y - x for x, y in zip(a, b, strict=True)])
            t = pw.rational(units.kinds[units.which[u]].breaks[rest[0]])
            return s.on_tree([*z[u][:-1], z[u][-1] - t])

        return form

    def _output(self, i, u, units, z, sides, winners):
        if isinstance(units, lr.MaxUnits):
            return z[units.groups[u][winners.get((i, u), 0)]]
        kind, first = units.kinds[units.which[u]], self.s.first[i, u]
        return pw.Writer.piece(z[u], kind, sum(sides[first + t] for t in range(len(kind.breaks))))

    def scope(self, path):
        """{row: oriented form} that bound the cell of a path."""
        out, form = {}, self.forms(path)
        for i, wall in enumerate(self.s.walls):
            out[len(self.s.rows) + i] = wall
        for at, (code, a, b) in enumerate(path):
            if code == 6:
                f = self.forms(path[:at])(a)
                out[a] = f if b else [-v for v in f]
            elif code in (7, "argument"):
                layer, u = self.unit_of[a]
                for other in range(self.arguments[a]):
                    if other != b:
                        row, side = self.s.comparison(layer, u, b, other)
                        f = form(row)
                        if any(f):
                            out[row] = f if side else [-v for v in f]
        return out

    def box(self, path):
        box = [[None, None] for _ in range(self.k)]

        def bound(j, side, end):
            old = box[j][side]
            box[j][side] = end if old is None else (min if side else max)(end, old)

        for *slopes, limit in self.s.walls:  # those of one coordinate are bounds from the start
            if sum(v != 0 for v in slopes) == 1:
                j = next(j for j, v in enumerate(slopes) if v)
                bound(j, int(slopes[j] < 0), -limit / slopes[j])
        for code, a, b in path:
            if code == 5:
                bound(a // 2, a % 2, Fraction(b))
        return box

    def proved(self, name, at, records):
        """Whether a record with multipliers proves what it says, in Fractions."""
        code, ints, floats, _ = records[at]
        path = self.paths[name, at]
        scope, box = self.scope(path), self.box(path)
        if code == 5:
            end, sign = ints[0], 1 if ints[0] % 2 else -1
            target = [Fraction(0)] * (self.k + 1)
            target[end // 2], target[-1] = Fraction(sign), -sign * Fraction(floats[0])
            rows, mode, floats = ints[2:], 1, floats[1:]
        else:
            mode, row, side, rows = (
                (code, *ints[:2], ints[3:]) if code != 9 else (ints[0], ints[1], None, ints[3:])
            )
            form = self.forms(path)(row)
            if code == 9:
                _, unit, w = path[-1]
                side = 1 - dict(self._versus(unit, w))[row]
            target = [-v for v in form] if side else form
        if any(r not in scope for r in rows):
            return False
        forms = [scope[r] for r in rows]
        if mode == 2:
            floats = pw.unique_solution([f[:-1] for f in forms], [-v for v in target[:-1]])
            box = [[None, None]] * self.k
            if floats is None:
                return False
        return pw.refutes(target, forms, floats, box)

    def _versus(self, unit, w):
        layer, u = self.unit_of[unit]
        return [self.s.comparison(layer, u, w, o) for o in range(self.arguments[unit]) if o != w]

    # -- finding things

    def every(self, *codes):
        """(stream, index) of all records of some kinds, outside of claims."""
        return [key for key in self.paths if self.streams[key[0]][key[1]][0] in codes]

    def leaves(self, name, a, b):
        return [i for i in range(a, b) if self.streams[name][i][0] in (11, 12)]

    def leaf_below(self, name, at):
        """A leaf in the same stream below a record that decides without branching."""
        path = self.paths[name, at]
        for other, i in self.every(11, 12):
            if other == name and i > at and self.paths[name, i][: len(path)] == path:
                return i
        return None

    def point(self, name, at):
        _, _, floats, text = self.streams[name][at]
        return [Fraction(v) for v in floats] or [Fraction(v) for v in text.split()]

    def changed(self, streams=None, said=None, members=None):
        """File contents with some streams replaced, and the statement's parts changed."""
        out = {**self.members, **(members or {})}
        out = {n: data for n, data in out.items() if data is not None}
        for name, records in (streams or {}).items():
            out[name] = pw.encode(records)
        return {**self.said, **(said or {})}, out

    def replaced(self, name, a, b, records, lost=0):
        """Records a..b of a stream replaced, and the total lowered."""
        old = self.streams[name]
        new = [*old[:a], *records, *old[b:]]
        return self.changed({name: new}, {"total": self.said["total"] - lost})


def _pick(rng, found):
    return rng.choice(found) if found else None


def _split(d, rng):
    """A split with leaves of its own stream on both sides."""
    found = []
    for name, at in d.every(6):
        first, last = d.ends[name, at]
        if d.leaves(name, at, first) and d.leaves(name, first, last):
            found.append((name, at, first, last))
    return _pick(rng, found)


def cell_left_out(d, rng):
    if not (hit := _split(d, rng)):
        return None
    name, at, first, last = hit
    row, side = d.streams[name][at][1]
    kind = rng.choice([[4, [row, side], [], ""], [2, [row, side, 0], [], ""], [3, [row], [], ""]])
    return d.replaced(
        name, at, last, [kind, *d.streams[name][at + 1 : first]], len(d.leaves(name, first, last))
    ), False


def cell_given_twice(d, rng):
    if not (hit := _split(d, rng)):
        return None
    name, at, first, last = hit
    again = d.streams[name][at + 1 : first]
    lost = len(d.leaves(name, first, last)) - len(d.leaves(name, at, first))
    return d.replaced(name, first, last, again, lost), False


def split_left_out(d, rng):
    if not (hit := _split(d, rng)):
        return None
    name, at, first, last = hit
    return d.replaced(
        name, at, last, d.streams[name][at + 1 : first], len(d.leaves(name, first, last))
    ), False


def split_side_flipped(d, rng):
    if not (hit := _split(d, rng)):
        return None
    name, at, _, _ = hit
    row, side = d.streams[name][at][1]
    return d.replaced(name, at, at + 1, [[6, [row, 1 - side], [], ""]]), False


def witness_moved(d, rng):
    leaves = d.every(11, 12)
    if len(leaves) < 2:
        return None
    (name, at), (other, i) = rng.sample(leaves, 2)
    return d.replaced(name, at, at + 1, [d.streams[other][i]]), False


def refusal_flipped(d, rng):
    found = [(n, i) for n, i in d.every(1, 2, 4) if d.leaf_below(n, i) is not None]
    if not (hit := _pick(rng, found)):
        return None
    name, at = hit
    code, ints, floats, text = d.streams[name][at]
    return d.replaced(
        name, at, at + 1, [[code, [ints[0], 1 - ints[1], *ints[2:]], floats, text]]
    ), False


def multiplier_negative(d, rng):
    found = [
        (n, i) for n, i in d.every(1, 5, 9) if any(d.streams[n][i][2][d.streams[n][i][0] == 5 :])
    ]
    if not (hit := _pick(rng, found)):
        return None
    name, at = hit
    code, ints, floats, text = d.streams[name][at]
    floats = [*floats[:-1], rng.choice([-1.0, float("nan"), float("inf"), -1e-300])]
    return d.replaced(name, at, at + 1, [[code, ints, floats, text]]), False


def _citing(d, rng, code, ints):
    """Where the cited rows begin."""
    return 2 if code == 5 else 3


def constraint_exchanged(d, rng):
    found = [
        (n, i)
        for n, i in d.every(1, 2, 5, 9)
        if len(d.streams[n][i][1]) > _citing(d, rng, *d.streams[n][i][:2])
    ]
    if not (hit := _pick(rng, found)):
        return None
    name, at = hit
    code, ints, floats, text = d.streams[name][at]
    j = rng.randrange(_citing(d, rng, code, ints), len(ints))
    others = [r for r in d.scope(d.paths[name, at]) if r not in ints[_citing(d, rng, code, ints) :]]
    if not others:
        return None
    record = [code, [*ints[:j], rng.choice(others), *ints[j + 1 :]], floats, text]
    records = [*d.streams[name][:at], record, *d.streams[name][at + 1 :]]
    return d.changed({name: records}), d.proved(name, at, records)


def sibling_row(d, rng):
    found = []
    for name, at in d.every(1, 2, 5, 9):
        code, ints, *_ = d.streams[name][at]
        if len(ints) > _citing(d, rng, code, ints):
            on_path = {a for c, a, _ in d.paths[name, at] if c == 6}
            split = {d.streams[n][i][1][0] for n, i in d.every(6)} - on_path
            found += [(name, at, row) for row in sorted(split)]
    if not (hit := _pick(rng, found)):
        return None
    name, at, row = hit
    code, ints, floats, text = d.streams[name][at]
    j = rng.randrange(_citing(d, rng, code, ints), len(ints))
    return d.replaced(
        name, at, at + 1, [[code, [*ints[:j], row, *ints[j + 1 :]], floats, text]]
    ), False


def undecided(d, rng):
    found = [
        (n, i) for n, i in d.every(1, 2, 3, 4)
        if len(d.s.rows[d.streams[n][i][1][0]]) == 3 and d.leaf_below(n, i) is not None
    ]  # fmt: skip
    if not (hit := _pick(rng, found)):
        return None
    return d.replaced(hit[0], hit[1], hit[1] + 1, []), False


def decided_twice(d, rng):
    found = [(n, i) for n, i in d.every(1, 2, 3, 4) if len(d.s.rows[d.streams[n][i][1][0]]) == 3]
    if not (hit := _pick(rng, found)):
        return None
    record = d.streams[hit[0]][hit[1]]
    return d.replaced(hit[0], hit[1], hit[1], [record]), False


def argument_swapped(d, rng):
    """The kept arguments of a max unit and the refused ones: in another order."""
    found = [(n, i) for n, i in d.every(10) if d.arguments[d.streams[n][i][1][0]] > 1]
    if not (hit := _pick(rng, found)):
        return None
    unit, w = d.streams[hit[0]][hit[1]][1]
    other = (w + 1) % d.arguments[unit]
    return d.replaced(hit[0], hit[1], hit[1] + 1, [[10, [unit, other], [], ""]]), False


def bound_too_tight(d, rng):
    found = [(n, i) for n, i in d.every(5) if d.leaf_below(n, i) is not None]
    if not (hit := _pick(rng, found)):
        return None
    name, at = hit
    _, ints, floats, _ = d.streams[name][at]
    inside = d.point(name, d.leaf_below(name, at))[ints[0] // 2]
    sign = 1 if ints[0] % 2 else -1
    value = float(inside) - sign * (abs(float(inside)) + 1) * 2.0**-20
    return d.replaced(name, at, at + 1, [[5, ints, [value, *floats[1:]], ""]]), False


def other_domain(d, rng):
    """A wall of the domain pulled in beyond one of the witnesses."""
    if d.s.base is not None or not d.said["domain"]["rows"]:
        return None
    y = d.point(*rng.choice(d.every(11, 12)))
    rows = json.loads(json.dumps(d.said["domain"]["rows"]))
    row = rng.choice(rows)
    value = sum((Fraction(v) * y[j] for j, v in row[0]), Fraction(0))
    row[1] = str(value - Fraction(1, 1 << 40))
    return d.changed(said={"domain": {**d.said["domain"], "rows": rows}}), False


def wrong_total(d, rng):
    return d.changed(said={"total": max(0, d.said["total"] + rng.choice([-1, 1, 10**6]))}), False


def other_kind(d, rng):
    if d.said["kind"] != "activation" or d.maps in (None, d.said["total"]) or d.s.base is not None:
        return None
    return d.changed(said={"kind": "affine"}), False


def part_left_out(d, rng):
    gone = _pick(rng, [i for i, p in enumerate(d.said["parts"]) if p["count"]])
    if gone is None:
        return None
    parts = [p for i, p in enumerate(d.said["parts"]) if i != gone]
    part = d.said["parts"][gone]
    said = {"parts": parts, "total": d.said["total"] - part["count"]}
    return d.changed(said=said, members={f"parts/{part['name']}": None}), False


def part_given_twice(d, rng):
    found = d.every(13)
    if len(found) < 2:
        return None
    (name, at), (other, i) = rng.sample(found, 2)
    number = d.streams[other][i][1]
    a, b = (
        d.said["parts"][d.streams[n][j][1][0] - 1]["count"] for n, j in ((name, at), (other, i))
    )
    said = {"total": d.said["total"] - a + b}
    records = d.streams[name][:]
    records[at] = [13, number, [], ""]
    return d.changed({name: records}, said), False


def foreign_part(d, rng):
    """A part of another path in the place of one: the numbers exchanged."""
    if len(d.said["parts"]) < 2:
        return None
    parts = d.said["parts"][:]
    i, j = rng.sample(range(len(parts)), 2)
    a, b = (f"parts/{parts[n]['name']}" for n in (i, j))
    return d.changed(members={a: d.members[b], b: d.members[a]}), False


def truncated_stream(d, rng):
    name = rng.choice(list(d.streams))
    data = d.members[name]
    said = json.loads(json.dumps(d.said))
    end = len(data)
    while data[:end].endswith(bytes(12)):  # an empty block, without which the proof is as true
        end -= 12
    cut = data[: rng.randrange(12, end)]
    for entry in (said["root"], *said["parts"]):
        if entry.get("name", "root") == name.removeprefix("parts/"):
            entry["sha256"] = hashlib.sha256(cut).hexdigest()
    return (said, {**d.members, name: cut}, "as it is"), False


def trailing_record(d, rng):
    name = rng.choice(list(d.streams))
    data = d.members[name] + pw.encode(
        [rng.choice([[8, [], [], ""], [13, [1], [], ""], [7, [0], [], ""]])]
    )
    said = json.loads(json.dumps(d.said))
    for entry in (said["root"], *said["parts"]):
        if entry.get("name", "root") == name.removeprefix("parts/"):
            entry["sha256"] = hashlib.sha256(data).hexdigest()
    return (said, {**d.members, name: data}, "as it is"), False


def other_network(d, rng):
    """Another number in the network: the hash of the statement is not that of the file."""
    name = rng.choice([n for n in d.members if n.startswith("arrays/") and d.members[n]])
    data = bytearray(d.members[name])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return d.changed(members={name: bytes(data)}), False


def other_network_rehashed(d, rng):
    """Another network with its own hash, in which a witness has another pattern."""
    if d.every(3):  # which says no side: the tree may be true of the other network, too
        return None
    net = d.s.net
    first = net.layers[0]
    more = np.array([[(7.0 + 3 * i) * (-1) ** i] for i in range(first.affine.size)])
    bias = Affine(first.affine.size, (*first.affine.terms, Term(-1, (more,))))
    other = lr.Network(net.inputs, (lr.Layer(bias, first.units), *net.layers[1:]), net.output)
    y = d.point(*rng.choice(d.every(11, 12)))
    if d.s.base is not None:
        return None
    x = [pw.dot(row, y) for row in d.s.x]
    if net.exactly(x)[1] == other.exactly(x)[1]:
        return None
    members = {n: None for n in d.members if n.startswith("arrays/")}
    return d.changed(
        said={"network": other.hash}, members={**members, **pw.network_members(other)}
    ), False


# -- what leaves a true proof


def members_reordered(d, rng):
    names = list(d.members)
    rng.shuffle(names)
    return (d.said, {n: d.members[n] for n in names}), True


def blocks_cut_anew(d, rng):
    members = {n: pw.encode(records, rng) for n, records in d.streams.items()}
    return d.changed(members=members), True


def another_witness(d, rng):
    name, at = rng.choice(d.every(11, 12))
    scope, point = d.scope(d.paths[name, at]), d.point(name, at)
    for exponent in (3, 8, 16):
        moved = [v + Fraction(rng.randint(-9, 9), 1 << exponent) for v in point]
        if moved != point and all(pw.dot(f, moved) > 0 for f in scope.values() if any(f)):
            text = " ".join(map(str, moved)) + "\n"
            return d.replaced(name, at, at + 1, [[12, [], [], text]]), True
    return None


def multipliers_changed(d, rng):
    if not (hit := _pick(rng, [(n, i) for n, i in d.every(1) if d.streams[n][i][2]])):
        return None
    name, at = hit
    code, ints, floats, text = d.streams[name][at]
    floats = [v * (1 + rng.choice([2.0**-40, -(2.0**-40), 0.5])) for v in floats]
    records = [*d.streams[name][:at], [code, ints, floats, text], *d.streams[name][at + 1 :]]
    return d.changed({name: records}), d.proved(name, at, records)


def unused_row_cited(d, rng):
    """One more row with multiplier 0: slack that proves the same."""
    if not (hit := _pick(rng, d.every(1))):
        return None
    name, at = hit
    code, ints, floats, text = d.streams[name][at]
    others = [r for r in d.scope(d.paths[name, at]) if r not in ints[3:]]
    if not others:
        return None
    ints = [*ints[:2], ints[2] + 1, *ints[3:], rng.choice(others)]
    return d.replaced(name, at, at + 1, [[code, ints, [*floats, 0.0], text]]), True


MUTATIONS = [
    cell_left_out, cell_given_twice, split_left_out, split_side_flipped, witness_moved,
    refusal_flipped, multiplier_negative, constraint_exchanged, sibling_row, undecided,
    decided_twice, argument_swapped, bound_too_tight, other_domain, wrong_total, other_kind,
    part_left_out, part_given_twice, foreign_part, truncated_stream, trailing_record,
    other_network, other_network_rehashed, members_reordered, blocks_cut_anew, another_witness,
    multipliers_changed, unused_row_cited,
]  # fmt: skip
