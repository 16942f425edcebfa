"""Distances against rational oracles in one and two dimensions: |true - distance| <= error.

The oracle enumerates all cells of a small network in Fractions (by brute force over patterns and
vertices of the arrangement), takes every edge between two cells, and the distance of a point to
each of them in closed form.
"""

from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import pytest
from helpers import gaussian

import linregions as lr
from linregions.network.affine import INPUT, Affine
from linregions.network.units import MaxUnits

NORMS = (2, 1, "inf")
common = {"deadline": None, "derandomize": True}


# -- the oracle: along lines, in Fractions --------------------------------------------------------


def forms(net, x, way):
    """Value and derivative of all rows and outputs along ``x + e way`` for small e > 0, and pieces.

    A row is (unit, partner, value, derivative): each breakpoint of a unit, each pair of a max unit.
    """
    values = {INPUT: list(zip(x, way, strict=True))}
    rows, pieces, unit = [], [], 0

    def apply(affine):
        out = [[Fraction(0), Fraction(0)] for _ in range(affine.size)]
        bias = affine.exact(-1, 1).to_fractions()
        for i in range(affine.size):
            out[i][0] += bias[i, 0]
        for source in affine.sources:
            W = affine.exact(source, net.size_of(source)).to_fractions()
            for i in range(affine.size):
                for j, (v, d) in enumerate(values[source]):
                    out[i][0] += W[i, j] * v
                    out[i][1] += W[i, j] * d
        return [tuple(o) for o in out]

    for number, layer in enumerate(net.layers, start=1):
        z, units = apply(layer.affine), layer.units
        if isinstance(units, MaxUnits):
            values[number] = []
            for g in units.groups:
                for i, j in combinations(range(len(g)), 2):
                    a, b = z[g[i]], z[g[j]]
                    rows.append((unit, (i, j), a[0] - b[0], a[1] - b[1]))
                best = max(range(len(g)), key=lambda p, g=g, z=z: (z[g[p]], -p))
                pieces.append(best)
                values[number].append(z[g[best]])
                unit += 1
            continue
        values[number] = []
        for w, (v, d) in zip(units.which, z, strict=True):
            kind = units.kinds[w]
            for q, t in enumerate(kind.breaks):
                rows.append((unit, q, v - Fraction(t), d))
            p = sum((v - Fraction(t), d) > (0, 0) for t in kind.breaks)
            pieces.append(p)
            slope = Fraction(kind.slopes[p])
            values[number].append((slope * v + kind.intercepts[p], slope * d))
            unit += 1
    return rows, tuple(pieces), apply(net.output)


def breaks_along(net, p, way):
    """All t > 0 at which the pattern on ``p + t way`` changes, with the maps' slopes around it."""
    t, out = Fraction(0), []
    x = list(p)
    _, pieces, ends = forms(net, x, way)
    for _ in range(10_000):
        rows, pieces, ends = forms(net, x, way)
        steps = [-v / d for _, _, v, d in rows if d != 0 and -v / d > 0]
        if not steps:
            return out
        step = min(steps)
        x = [a + step * d for a, d in zip(x, way, strict=True)]
        t += step
        _, after, then = forms(net, x, way)
        if after != pieces:
            linear = [a[1] for a in ends] != [b[1] for b in then]
            out.append((t, linear))
    raise AssertionError("too many breakpoints")


def on_the_line(net, x, kind):
    """Distance on R^1 in both directions, exactly (0 on a boundary); None where there is none."""
    best = None
    back, there = forms(net, [x], [Fraction(-1)]), forms(net, [x], [Fraction(1)])
    if back[1] != there[1]:
        slopes = [-a[1] for a in back[2]], [b[1] for b in there[2]]
        if kind == "activation" or slopes[0] != slopes[1]:
            return Fraction(0)
    for way in (Fraction(-1), Fraction(1)):
        for t, linear in breaks_along(net, [x], [way]):
            if kind == "activation" or linear:
                best = t if best is None else min(best, t)
                break
    return best


def covers(found, i, true):
    """Whether the answer covers a rational truth (None: there is no boundary)."""
    d, e = float(found.distance[i]), float(found.error[i])
    if true is None:
        return d == np.inf or e == np.inf
    if e == np.inf:
        return True
    if d == np.inf:
        return False
    return abs(Fraction(d) - true) <= Fraction(e)


# -- one dimension --------------------------------------------------------------------------------


def random_line_net(rng):
    """Small networks of one input with dead, pruned, duplicate, twin and scaled units."""
    scale = 2.0 ** int(rng.integers(-300, 300)) if rng.random() < 0.5 else 1.0
    sizes = [1, *rng.integers(1, 4, int(rng.integers(1, 4))), int(rng.integers(1, 3))]
    net = []
    for a, b in pairwise(sizes):
        style = rng.integers(4)
        W = rng.normal(size=(b, a)) if style else rng.integers(-2, 3, (b, a)).astype(float)
        c = rng.normal(size=b) if style != 1 else np.zeros(b)
        c = np.round(c) if not style else c
        for i in range(b):
            what = rng.random()
            if i and what < 0.15:
                W[i], c[i] = W[i - 1], c[i - 1]
            elif i and what < 0.3:
                W[i], c[i] = np.nextafter(W[i - 1], np.inf), c[i - 1]
            elif i and what < 0.4:
                W[i], c[i] = -W[i - 1], -c[i - 1]
            elif what < 0.5:
                W[i] = 0.0
            elif what < 0.6:
                W[i], c[i] = W[i] * scale, c[i] * scale
        W[rng.random(W.shape) < 0.15] = 0.0
        net.append((W, c))
    return lr.load(net)


@pytest.mark.parametrize("seed", range(60))
def test_random_networks_on_a_line(seed):
    rng = np.random.default_rng(seed)
    net = random_line_net(rng)
    x = np.r_[rng.uniform(-3, 3, 4), 0.0, 1.0, 10.0 ** rng.uniform(-20, 20)]
    for kind in ("activation", "linear"):
        truth = [on_the_line(net, Fraction(float(v)), kind) for v in x]
        for norm in NORMS:
            found = lr.distance(net, x[:, None], kind=kind, norm=norm)
            for i, true in enumerate(truth):
                assert covers(found, i, true), (kind, norm, x[i], true, found.distance[i])
                sharp = true is None or found.error[i] <= 1e-6 * found.distance[i] + 1e-12 * abs(
                    x[i]
                )
                assert sharp, (
                    kind,
                    norm,
                    x[i],
                    float(true or 0),
                    found.distance[i],
                    found.error[i],
                )


# -- two dimensions: all edges of the arrangement --------------------------------------------------


def edges_of(net, box, kind):
    """All boundary edges of a network in a square, as pairs of rational points.

    The plane is cut along every line on which a row of some cell vanishes; on each line the
    pieces between crossings with the others are edges where the patterns on both sides differ.
    """
    lo, hi = (Fraction(v) for v in box)
    lines, cells = set(), set()
    todo = [(Fraction(lo) + (hi - lo) * Fraction(3, 7), lo + (hi - lo) * Fraction(5, 11))]
    e1, e2 = [Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]
    sides = {(1, 0, -lo), (1, 0, -hi), (0, 1, -lo), (0, 1, -hi)}
    cut = []
    while todo:
        x = list(todo.pop())
        first, pieces, _ = forms(net, x, e1)
        if pieces in cells:
            continue
        cells.add(pieces)
        second, _, _ = forms(net, x, e2)
        for (_, _, v, a), (_, _, _, b) in zip(first, second, strict=True):
            if a == 0 and b == 0:
                continue
            top = a if a != 0 else b
            c = v - a * x[0] - b * x[1]
            line = (a / top, b / top, c / top)
            if line not in lines:
                lines.add(line)
        cut = pieces_of(lines | sides, lo, hi)
        for p, q, line in cut:
            m = [(s + t) / 2 for s, t in zip(p, q, strict=True)]
            for sign in (1, -1):
                y = inward(m, line, sign, lines | sides)
                if lo < y[0] < hi and lo < y[1] < hi:
                    pattern = forms(net, y, e1)[1]
                    if pattern not in cells:
                        todo.append(tuple(y))
    out = []
    for p, q, line in cut:
        if line in sides:
            continue
        m = [(s + t) / 2 for s, t in zip(p, q, strict=True)]
        a, b = (inward(m, line, sign, lines | sides) for sign in (1, -1))
        fa, fb = forms(net, a, [line[0], line[1]]), forms(net, b, [line[0], line[1]])
        if fa[1] == fb[1]:
            continue
        if kind == "activation" or [o[1] for o in fa[2]] != [o[1] for o in fb[2]]:
            out.append((p, q))
    return out


def inward(m, line, sign, lines):
    """A point next to a point of one line, nearer to it than to all other lines."""
    n = [sign * line[0], sign * line[1]]
    step = Fraction(1)
    for a, b, c in lines:
        rate = a * n[0] + b * n[1]
        value = a * m[0] + b * m[1] + c
        if rate != 0 and value != 0 and -value / rate > 0:
            step = min(step, -value / rate)
    return [v + step / 2 * d for v, d in zip(m, n, strict=True)]


def pieces_of(lines, lo, hi):
    """The pieces of all lines inside the square, between their crossings."""
    out = []
    for line in lines:
        a, b, c = line
        n = a * a + b * b
        base, way = (-a * c / n, -b * c / n), (-b, a)
        times = set()
        for p, q, r in lines:
            rate = p * way[0] + q * way[1]
            if rate != 0:
                times.add(-(p * base[0] + q * base[1] + r) / rate)
        for s, t in zip(sorted(times), sorted(times)[1:], strict=False):
            ends = [tuple(o + u * w for o, w in zip(base, way, strict=True)) for u in (s, t)]
            if all(lo <= v <= hi for e in ends for v in e):
                out.append((*ends, line))
    return out


def to_edge(x, edge, norm):
    """Distance of a rational point to an edge: squared in the 2-norm."""
    p, q = edge
    d = [b - a for a, b in zip(p, q, strict=True)]
    r = [a - v for a, v in zip(p, x, strict=True)]

    def at(t):
        y = [a + t * b for a, b in zip(r, d, strict=True)]
        if norm == 2:
            return y[0] ** 2 + y[1] ** 2
        return abs(y[0]) + abs(y[1]) if norm == 1 else max(abs(y[0]), abs(y[1]))

    times = {Fraction(0), Fraction(1)}
    if norm == 2:
        times.add(-(r[0] * d[0] + r[1] * d[1]) / (d[0] ** 2 + d[1] ** 2))
    else:  # convex and piecewise linear in t: least at a bend
        bends = [(r[0], d[0]), (r[1], d[1])]
        if norm == "inf":
            bends += [(r[0] - r[1], d[0] - d[1]), (r[0] + r[1], d[0] + d[1])]
        times |= {-v / s for v, s in bends if s != 0}
    return min(at(min(max(t, Fraction(0)), Fraction(1))) for t in times)


def covered(d, e, true, norm):
    """|true - d| <= e where ``true`` is squared in the 2-norm."""
    if e == np.inf:
        return True
    low, high = max(Fraction(d) - Fraction(e), Fraction(0)), Fraction(d) + Fraction(e)
    return low**2 <= true <= high**2 if norm == 2 else low <= true <= high


def random_plane_net(rng, maxout):
    sizes = [2, int(rng.integers(1, 4)), int(rng.integers(1, 3)), 1]
    net = []
    for a, b in pairwise(sizes):
        W = rng.normal(size=(b, a)) if rng.random() < 0.6 else rng.integers(-2, 3, (b, a)) / 2.0
        c = np.round(rng.normal(size=b), 2) * (rng.random() < 0.7)
        for i in range(1, b):
            if rng.random() < 0.3:
                W[i], c[i] = W[i - 1] * rng.choice([1.0, 3.0, -1 / 3]), c[i - 1]
            elif rng.random() < 0.2:
                W[i], c[i] = np.nextafter(W[i - 1], np.inf), c[i - 1]
        W[rng.random(W.shape) < 0.2] = 0.0
        net.append((W, c))
    if not maxout:
        return lr.load(net)
    (W, c), last = net[0], net[-1]
    width = len(W)
    W, c = np.concatenate([W, rng.normal(size=W.shape)]), np.r_[c, c]
    groups = tuple((i, i + width) for i in range(width))
    first = lr.Layer(Affine.dense(W, c, INPUT), MaxUnits(groups, len(W)))
    rest = rng.normal(size=(1, width)) if last else None
    return lr.Network(2, (first,), Affine.dense(rest, None, 1))


@pytest.mark.parametrize("seed", range(24))
def test_random_networks_in_a_square(seed):
    rng = np.random.default_rng(1000 + seed)
    net = random_plane_net(rng, seed % 4 == 3)
    x = np.concatenate([rng.uniform(-1.5, 1.5, (4, 2)), [[0.0, 0.0], [-2.0, 0.5]]])
    for kind in ("activation", "linear"):
        edges = edges_of(net, (-2, 2), kind)
        for norm in NORMS:
            found = lr.distance(net, x, kind=kind, norm=norm, domain=lr.Box(-2, 2))
            for i, point in enumerate(x):
                at = [Fraction(float(v)) for v in point]
                d, e = float(found.distance[i]), float(found.error[i])
                if not edges:
                    assert d == np.inf
                    continue
                true = min(to_edge(at, edge, norm) for edge in edges)
                assert covered(d, e, true, norm), (kind, norm, point, float(true), d, e)
                assert e <= 1e-6 * d + 1e-12, (kind, norm, point, float(true), d, e)


# -- ranges ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [-1000, -900, -540, -500, 0, 500, 515, 900, 1000])
@pytest.mark.parametrize("kind", ["activation", "linear"])
def test_rows_of_any_size(exponent, kind):
    """A power of two in a row changes no distance."""
    base = gaussian(4, 2, 4, 3, 1)
    x = np.random.default_rng(3).normal(size=(5, 2))
    for which in range(4):
        net = [(W.copy(), b.copy()) for W, b in base]
        net[0][0][which] *= 2.0**exponent
        net[0][1][which] *= 2.0**exponent
        net[1][0][:, which] *= 2.0**-exponent
        for norm in NORMS:
            found = lr.distance(net, x, norm=norm, kind=kind)
            expected = lr.distance(base, x, norm=norm, kind=kind)
            np.testing.assert_allclose(found.distance, expected.distance, rtol=1e-9)
            assert (found.error <= 1e-6 * found.distance).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e-160, 1e-20, 1e20, 1e155, 1e200, 1e290])
def test_points_and_weights_of_any_size(scale):
    """The network of x / s at points s x: distances times s."""
    base = gaussian(5, 2, 4, 3, 1)
    x = np.random.default_rng(5).normal(size=(4, 2))
    power = 2.0 ** np.round(np.log2(scale))
    net = [(base[0][0] / power, base[0][1]), *base[1:]]
    for kind in ("activation", "linear"):
        for norm in NORMS:
            found = lr.distance(net, x * power, norm=norm, kind=kind)
            expected = lr.distance(base, x, norm=norm, kind=kind)
            np.testing.assert_allclose(found.distance / power, expected.distance, rtol=1e-9)
            boxed = lr.distance(
                net, x * power, norm=norm, kind=kind, domain=lr.Box(-4 * power, 4 * power)
            )
            expected = lr.distance(base, x, norm=norm, kind=kind, domain=lr.Box(-4, 4))
            np.testing.assert_allclose(boxed.distance / power, expected.distance, rtol=1e-9)


@pytest.mark.parametrize("s", [5e-324, 1e-310, 1e-163, 1e-150, 1e150, 1e155, 1e300, 1e308])
def test_one_unit_of_any_size(s):
    net = [([[s, 0.0]], [0.0]), ([[1.0]], [0.0])]
    for norm in NORMS:
        for kind in ("activation", "linear"):
            found = lr.distance(net, [[1.0, 0.5]], norm=norm, kind=kind)
            assert abs(found.distance[0] - 1.0) <= found.error[0] < 1e-9


def max_of(first, second, b):
    layer = lr.Layer(
        Affine.dense(np.array([[first], [second]]), np.array(b), INPUT), MaxUnits(((0, 1),), 2)
    )
    return lr.Network(1, (layer,), Affine.dense(np.ones((1, 1)), None, 1))


@pytest.mark.parametrize("ulps", [1, 2, 3, 1000])
@pytest.mark.parametrize("size", [1e-300, 1e-5, 1.0, 1e100])
def test_arguments_that_differ_by_ulps(ulps, size):
    """max(a x, b x) bends at 0, however close a and b are; and nowhere where they are equal."""
    near = size
    for _ in range(ulps):
        near = np.nextafter(near, np.inf)
    for kind in ("activation", "linear"):
        found = lr.distance(max_of(size, near, [0.0, 0.0]), [[0.5], [-3.0]], kind=kind)
        assert (abs(found.distance - [0.5, 3.0]) <= found.error).all()
        assert (found.error < 1e-6).all()
        found = lr.distance(max_of(size, size, [0.0, 0.0]), [[0.5]], kind=kind)
        assert found.distance[0] == np.inf and found.error[0] == 0


# -- walks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("domain", [None, lr.Box(-9, 9)])
def test_walls_that_change_no_map_near_the_origin(norm, domain):
    """The foot of the first wall lies nearer the origin than the point by many ulps."""
    x = -np.random.default_rng(0).random((60, 1)) - 1e-3
    for first, shift in ((3.0, 0.0), (2.5, 0.0004), (7.0, 1e-13), (1e160, 1e140), (3e-200, 0.0)):
        net = [([[first], [1.0]], [shift, -1.0]), ([[0.0, 1.0]], [0.0])]
        found = lr.distance(net, x, kind="linear", norm=norm, domain=domain)
        assert (abs(found.distance - (1 - x[:, 0])) <= found.error).all()
        assert (found.error < 1e-9).all() and (found.crossed == 1).all()


def test_walls_that_change_no_map_in_the_plane():
    net = [([[3.0, 1.0], [1.0, 0.3], [0.0, 1.0]], [0.0, -1.0, -50.0]), ([[0.0, 1.0, 1.0]], [0.0])]
    noise = 1e-4 * np.random.default_rng(1).standard_normal((60, 2))
    x = -np.linspace(0.1, 2, 60)[:, None] * np.array([[3.0, 1.0]]) + noise
    found = lr.distance(net, x, kind="linear")
    want = abs(x @ [1.0, 0.3] - 1) / np.hypot(1, 0.3)
    assert (abs(found.distance - want) <= found.error + 1e-13 * want).all()
    assert (found.error < 1e-9).all()


def test_no_boundary_is_proved():
    """Infinite with error 0 only where there is none: units that cancel or that nobody reads."""
    x = np.random.default_rng(2).normal(size=(5, 2))
    W, b = np.array([[1.0, 2.0], [-1.0, -2.0], [0.3, -0.1]]), np.array([0.1, -0.1, 0.2])
    net = [(W, b), ([[1.0, -1.0, 0.0]], [0.0])]
    for norm in NORMS:
        for domain in (None, lr.Box(-5, 5)):
            found = lr.distance(net, x, kind="linear", norm=norm, domain=domain)
            assert (found.distance == np.inf).all() and (found.error == 0).all()
    nearly = [(W, b), ([[1.0, -1.0 - 2.0**-50, 0.0]], [0.0])]
    found = lr.distance(nearly, x, kind="linear")
    want = abs(x @ W[0] + b[0]) / np.hypot(1, 2)
    np.testing.assert_allclose(found.distance, want, rtol=1e-9)


def test_a_flat_piece_with_a_value_changes_no_map():
    """Behind the flat piece of a clip nothing changes, whatever its value is."""
    flat = lr.Activation((-0.25, 0.25), (0, 1, 0), -0.25)
    layers = lr.Network.from_layers([([[-1.0]], [0.0]), ([[0.0]], [-1.0]), ([[1.0]], [0.0])]).layers
    second = lr.Layer(layers[1].affine, lr.Pointwise((flat,), (0,)))
    last = lr.Network.from_layers([([[-1.0]], [0.0]), ([[0.0]], [0.0]), ([[1.0]], [0.0])]).output
    net = lr.Network(1, (layers[0], second), last)
    found = lr.distance(net, [[-0.1]], kind="linear")
    assert found.distance[0] == np.inf and found.error[0] == 0.0


def test_points_in_several_batches(monkeypatch):
    import sys

    monkeypatch.setattr(sys.modules["linregions.boundary.distance"], "NUMBERS", 1)
    found = lr.distance([([[1.0]], [0.0]), ([[1.0]], [0.0])], [[1.0], [2.0], [-3.0]])
    assert found.distance.tolist() == [1.0, 2.0, 3.0]


def test_max_units_of_unequal_sizes_around_a_boundary_that_changes_no_map():
    """Smaller groups are filled up in a table; what fills them bounds nothing."""
    first = Affine.dense(np.array([[0.0], [0.0], [-1.0]]), None, 0)
    pools = lr.MaxUnits(((0, 2, 1), (0, 2)), 3)
    silent = lr.Network(1, (lr.Layer(first, pools),), Affine.dense(np.zeros((1, 2)), None, 1))
    found = lr.distance(silent, [[-1.0], [0.0], [0.3], [1.0]], kind="linear")
    assert (found.distance == np.inf).all() and (found.error == 0).all()
    heard = lr.Network(1, silent.layers, Affine.dense(np.ones((1, 2)), None, 1))
    found = lr.distance(heard, [[-1.0], [0.25], [1.0]], kind="linear")
    assert found.distance.tolist() == [1.0, 0.25, 1.0]


@pytest.mark.parametrize("norm", ["2", "1", "inf"])
@pytest.mark.parametrize("kind", ["activation", "linear"])
def test_rows_that_floats_see_as_zero_in_a_box(norm, kind):
    """Gap and gradient cancel in floats, and nothing is known: that is no proof of absence."""
    both = lr.MaxUnits(((0, 1),), 2)
    second = np.array(
        [[0.6324745219738013, 0.32396637209560497], [0.6324745219738013, 0.323966372095605]]
    )
    net = lr.Network(1, (
        lr.Layer(Affine.dense(np.ones((2, 1)), None, 0), lr.MaxUnits(((0,), (1,)), 2)),
        lr.Layer(Affine.dense(second, np.full(2, 0.2251897465868148), 1), both),
    ), Affine.dense(np.ones((1, 1)), None, 2))  # fmt: skip
    for domain in (None, lr.Box(-1, 1), lr.Box(-0.5, 0.5)):
        found = lr.distance(net, [[-0.1044921875], [0.3]], domain=domain, norm=norm, kind=kind)
        assert found.distance == pytest.approx([0.1044921875, 0.3])
        assert (found.error < 1e-9).all()
