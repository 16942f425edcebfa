"""Numbers from 5e-324 to 1.8e308: a rescaled network has the regions of the network itself.

A hidden unit may be measured in any unit of measurement: its row times 2^e, its column in the next
layer times 2^-e, its breakpoints times 2^e. So a network of known counts gives any number of
networks far from the ordinary whose counts are known, for every engine and kind.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import linregions as lr
from linregions.errors import LinregionsError
from linregions.line.program import measured
from linregions.network.affine import Affine
from linregions.network.network import Layer, Network
from linregions.network.rational import nearest
from linregions.network.scaling import is_ordinary, scaled
from linregions.network.units import (
    ABS,
    HARDTANH,
    Activation,
    MaxUnits,
    Pointwise,
    leaky_relu,
)
from linregions.search.program import Compiled

KINDS = ("activation", "linear", "affine", "closed")
SHAPES = ((1, 3, 3, 1), (2, 4, 3, 1), (2, 3, 3, 3, 2), (3, 4, 3, 1))


def drawn(shape: tuple[int, ...], seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases in eighths: ties are common, products exact."""
    rng = np.random.default_rng(seed)
    pairs = []
    for n, m in pairwise(shape):
        W, b = rng.integers(-24, 25, (m, n)) / 8.0, rng.integers(-24, 25, m) / 8.0
        W[W == 0.0] = 0.125
        pairs.append((W, b))
    return pairs


def rescaled(pairs: list, rng: np.random.Generator, reach: int) -> list | None:
    """The same network with every hidden unit times a power of two; None where floats overflow."""
    out, columns = [], np.zeros(pairs[0][0].shape[1], int)
    for n, (W, b) in enumerate(pairs):
        last = n == len(pairs) - 1
        rows = np.zeros(len(b), int) if last else rng.integers(-reach, reach + 1, len(b))
        by = rows[:, None] - columns
        with np.errstate(over="ignore", under="ignore"):
            V, c = np.ldexp(W, by), np.ldexp(b, rows)
        held = np.isfinite(V).all() and np.isfinite(c).all()
        with np.errstate(over="ignore", under="ignore"):
            held = held and (np.ldexp(V, -by) == W).all() and (np.ldexp(c, -rows) == b).all()
        if not held:
            return None
        out.append((V, c))
        columns = rows
    return out


def counts(net: object, domain: object, kinds: tuple[str, ...] = KINDS) -> dict[str, int]:
    """All kinds by the search."""
    out = {}
    for kind in kinds:
        answer = lr.count(net, domain, kind=kind, engine="search")
        assert answer.exact and answer.complete
        out[kind] = int(answer)
    return out


# -- unit by unit ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reach", [200, 500, 1000])
@pytest.mark.parametrize("shape", SHAPES)
def test_units_times_powers_of_two(shape, reach):
    rng = np.random.default_rng(reach + len(shape))
    done = 0
    for seed in range(40):
        pairs = drawn(shape, seed)
        far = rescaled(pairs, rng, reach)
        if far is None:
            continue
        done += 1
        box = lr.Box(-2.0, 2.0)
        for domain in (None, box):
            assert counts(far, domain) == counts(pairs, domain), (seed, domain)
        for kind in ("activation", "linear", "affine"):
            for engine in ("complex", "auto"):
                want = lr.count(pairs, box, kind=kind, engine="complex")
                found = lr.count(far, box, kind=kind, engine=engine)
                assert int(found) == int(want) and found.exact, (seed, kind, engine)
        ends = rng.integers(-16, 17, (5, 2, shape[0])) / 4.0
        ends[:, 1, 0] += 0.125
        for lines in (False, True):
            a, b = (lr.crossings(x, ends, lines=lines) for x in (pairs, far))
            for kind in ("activation", "linear", "affine"):
                assert a.count(kind).tolist() == b.count(kind).tolist(), (seed, lines, kind)
            assert np.allclose(a.t, b.t, rtol=1e-12, atol=0)
        if done == 4:
            break
    assert done


@pytest.mark.parametrize("scale", [1e-320, 1e-310, 1e-300, 1e-170, 1e-155, 1e155, 1e200, 1e300])
def test_one_layer_times_any_number(scale):
    """Rows and biases times a number, which rounds; the same times a power of two is ordinary."""
    back = -int(np.frexp(scale)[1])
    for seed in range(3):
        (W, b), last = drawn((2, 3, 1), seed)
        far = [(W * scale, b * scale), last]
        near = [(np.ldexp(W * scale, back), np.ldexp(b * scale, back)), last]
        for domain in (None, lr.Box(-2.0, 2.0)):
            want = counts(near, domain, ("activation",))
            assert counts(far, domain, ("activation",)) == want
            if domain is not None:
                found = lr.count(far, domain, engine="complex")
                assert int(found) == want["activation"] and found.exact


@pytest.mark.parametrize("scale", [2.0**-1070, 2.0**-1000, 2.0**-540, 2.0**540, 2.0**1000])
def test_closed_form_in_one_dimension(scale):
    """|x - 1/2| <= 1/2 folded twice has kinks at 0, 1/2 and 1, whatever the units' scale."""
    first = [[1.0 * scale], [-1.0 * scale]], [0.0, scale]
    second = [[1.0, -1.0]], [0.0]
    net = [first, second, ([[1.0]], [0.0])]
    for engine in ("search", "complex", "auto"):
        assert int(lr.count(net, lr.Box(-1.0, 2.0), engine=engine)) == 4
        assert int(lr.count(net, lr.Box(-1.0, 2.0), engine=engine, kind="linear")) == 3
    assert int(lr.count(net)) == 4
    found = lr.crossings(net, [[[-1.0], [2.0]]])
    assert found.t.tolist() == pytest.approx([1 / 3, 1 / 2, 2 / 3]) and found.count("linear") == [3]


@pytest.mark.parametrize("a", [-1074, -1000, -500, 0, 500, 1000])
@pytest.mark.parametrize("b", [-1074, -600, 0, 600, 1000])
def test_closed_form_in_the_plane(a, b):
    """Two hyperplanes cross: four cells; a third in general position: seven."""
    rows = [[np.ldexp(1.0, a), 0.0], [0.0, np.ldexp(1.0, b)]]
    for engine in ("search", "complex"):
        net = [(rows, [0.0, 0.0]), ([[1.0, 1.0]], [0.0])]
        assert int(lr.count(net, lr.Box(-1.0, 1.0), engine=engine)) == 4
        net = [([*rows, [1.0, 1.0]], [0.0, 0.0, -0.5]), ([[1.0, 1.0, 1.0]], [0.0])]
        assert int(lr.count(net, lr.Box(-1.0, 1.0), engine=engine)) == 7
        assert int(lr.count(net)) == 7


# -- kinds of units and shapes --------------------------------------------------------------------


def rebuilt(net: Network, rng: np.random.Generator, reach: int) -> Network:
    """Any network with its layers' rows times powers of two, units and readers along with them."""
    columns = {0: np.zeros(net.inputs, np.int64), -1: np.zeros(1, np.int64)}
    layers = []

    def times(affine: Affine, rows: np.ndarray) -> Affine:
        total = None
        for source in (*affine.sources, -1):
            exact = affine.exact(source, net.size_of(source)).to_fractions()
            for i, j in np.ndindex(exact.shape):
                exact[i, j] *= Fraction(2) ** int(rows[i] - columns[source][j])
            floats = np.array([nearest(x) for x in exact.ravel()]).reshape(exact.shape)
            part = Affine.dense(floats, None, source)
            total = part if total is None else total + part
        assert total is not None
        return total

    for number, layer in enumerate(net.layers, start=1):
        rows = rng.integers(-reach, reach + 1, layer.affine.size)
        units = layer.units
        if isinstance(units, MaxUnits):
            rows[:] = reach  # rivals are compared
            columns[number] = np.full(units.size, rows[0])
        else:
            kinds = []
            for which, r in zip(units.which, rows, strict=True):
                kind, up = units.kinds[which], Fraction(2) ** int(r)
                breaks = tuple(Fraction(t) * up for t in kind.breaks)
                value = Fraction(kind.value) * up
                kinds.append(Activation(breaks, kind.slopes, value, kind.name))
            units = Pointwise.each(kinds)
            columns[number] = rows
        layers.append(Layer(times(layer.affine, rows), units))
    return Network(net.inputs, tuple(layers), times(net.output, np.zeros(net.outputs, int)))


def of_units(name: str, seed: int) -> Network:
    rng = np.random.default_rng(seed)

    def affine(size: int, *sources: tuple[int, int]) -> Affine:
        total = Affine.dense(np.zeros((size, 1)), None, -1)
        for source, width in sources:
            total = total + Affine.dense(rng.integers(-16, 17, (size, width)) / 4.0, None, source)
        return total + Affine.dense(rng.integers(-16, 17, (size, 1)) / 4.0, None, -1)

    units = {
        "leaky": Pointwise.uniform(leaky_relu(0.25), 3),
        "abs": Pointwise.uniform(ABS, 3),
        "hardtanh": Pointwise.uniform(HARDTANH, 3),
        "steps": Pointwise.uniform(Activation((-1, 0.5, 2), (0, 1, -2, 3), 0.25), 3),
        "max": MaxUnits(((0, 1), (1, 2), (0, 2)), 3),
        "max3": MaxUnits(((0, 1, 2),), 3),
    }[name]
    one = Layer(affine(3, (0, 2)), units)
    two = Layer(affine(3, (0, 2), (1, one.size)), units)  # a residual connection: two readers
    return Network(2, (one, two), affine(2, (1, one.size), (2, two.size)))


@pytest.mark.parametrize("reach", [150, 450])
@pytest.mark.parametrize("name", ["leaky", "abs", "hardtanh", "steps", "max", "max3"])
def test_all_units_and_shared_values(name, reach):
    rng = np.random.default_rng(reach)
    for seed in range(3):
        net = of_units(name, seed)
        far = rebuilt(net, rng, reach)
        assert reach < 400 or not is_ordinary(far)
        for domain in (None, lr.Box(-3.0, 3.0)):
            assert counts(far, domain) == counts(net, domain), (seed, domain)
        for kind in ("activation", "linear", "affine"):
            want = lr.count(net, lr.Box(-3.0, 3.0), kind=kind, engine="complex")
            assert int(lr.count(far, lr.Box(-3.0, 3.0), kind=kind, engine="complex")) == int(want)
        ends = rng.integers(-16, 17, (3, 2, 2)) / 4.0
        ends[:, 1, 0] += 0.125
        for lines in (False, True):
            a, b = (lr.crossings(x, ends, lines=lines) for x in (net, far))
            for kind in ("activation", "linear", "affine"):
                assert a.count(kind).tolist() == b.count(kind).tolist(), (seed, lines, kind)


def test_scaled_network_is_the_same_network():
    rng = np.random.default_rng(5)
    for name in ("leaky", "hardtanh", "steps", "max"):
        far = rebuilt(of_units(name, 1), rng, 450)
        by = rng.integers(-300, 300, 2)
        again = scaled(far, by)
        for _ in range(5):
            u = [Fraction(int(v), 8) for v in rng.integers(-40, 40, 2)]
            y = [v * Fraction(2) ** int(e) for v, e in zip(u, by, strict=True)]
            (f, pieces), (g, same) = far.exactly(y), again.network.exactly(u)
            assert pieces == same
            assert f == [v * Fraction(2) ** int(e) for v, e in zip(g, again.outputs, strict=True)]


def test_weights_far_below_their_row():
    """A row (1, 2^-1060): no power of two helps, the small weight is left to rationals."""
    tiny = 2.0**-1060
    net = [([[1.0, tiny], [1.0, -tiny], [0.0, 1.0]], [0.0, 0.0, 0.0]), ([[1.0, 1.0, 1.0]], [0.0])]
    assert int(lr.count(net)) == 6  # three lines through the origin
    for engine in ("search", "complex"):
        for kind, want in (("activation", 6), ("affine", 6)):
            found = lr.count(net, lr.Box(-1.0, 1.0), engine=engine, kind=kind)
            assert int(found) == want and found.exact, (engine, kind)


def test_maps_that_differ_below_the_floats_of_their_row():
    tiny = 2.0**-1070
    net = [([[1.0], [1.0]], [0.0, 0.0]), ([[1.0, -1.0]], [1.0]), ([[tiny]], [1.0])]
    base = [([[1.0], [1.0]], [0.0, -1.0]), ([[tiny, 0.0]], [1.0])]
    for engine in ("search", "complex"):
        assert int(lr.count(net, lr.Box(-1, 1), kind="affine", engine=engine)) == 1
        assert int(lr.count(base, lr.Box(-1, 3), kind="affine", engine=engine)) == 2
    assert lr.crossings(base, [[[-1.0], [3.0]]]).count("affine").tolist() == [2]


# -- domains --------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1e-323, 1e-310, 1e-200, 1e155, 1e300, 1e308, 1.7e308])
def test_boxes_of_any_size(side):
    for n, net, want in (
        (1, [([[1.0]], [0.0]), ([[1.0]], [0.0])], 2),
        (2, [([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0.0] * 3), ([[1.0] * 3], [0.0])], 6),
    ):
        for engine in ("search", "complex", "auto"):
            for kind in ("activation", "affine"):
                found = lr.count(net, lr.Box(-side, side), engine=engine, kind=kind)
                assert int(found) == want and found.exact, (n, engine, kind)
        assert len(list(lr.regions(net, lr.Box(-side, side)))) == want
        lr.subdivide(net, lr.Box(-side, side)).volumes.sum()


def test_polytopes_of_any_size():
    net = [([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0.0] * 3), ([[1.0] * 3], [0.0])]
    A = np.array([[-1.0, -1.0], [1.0, 0.0], [0.0, 1.0]])
    for size in (1e-300, 1e-150, 1.0, 1e150, 1e300):
        for row in (1e-300, 1.0, 1e300):
            with np.errstate(over="ignore", under="ignore"):
                rows, limits = A * row, np.array([1.0, 2.0, 2.0]) * row * size
            if not np.isfinite(limits).all() or limits.min() < 1e-307:
                continue
            for engine in ("search", "complex"):
                assert int(lr.count(net, lr.Polytope(rows, limits), engine=engine)) == 6


def test_segments_of_any_length():
    net = [([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])]
    for size in (1e-320, 1e-200, 1e200, 1.7e308):
        ends = [[[-size, size / 2], [size, size]], [[-size, -size], [size, size]]]
        found = lr.crossings(net, ends)
        assert found.count().tolist() == [2, 2] and found.count("linear").tolist() == [2, 2]
        assert lr.crossings(net, ends, lines=True).count().tolist() == [3, 2]
        assert np.isfinite(found.points(0)).all()
        assert int(lr.count(net, lr.Segment(*np.array(ends[1])))) == 2


# -- regions beyond the floats ----------------------------------------------------------------


def test_regions_beyond_the_floats():
    net = [([[1e-310]], [1.0]), ([[1.0]], [0.0])]  # the breakpoint is at -1e310
    found = list(lr.regions(net))
    assert sorted(r.pattern.tolist() for r in found) == [[0], [1]]
    for r in found:
        _, pieces = r.network.exactly(r.exact_point)
        assert pieces == r.pattern.tolist()
        assert np.isfinite(r.point).all() or abs(r.exact_point[0]) > Fraction(1.7e308)
        assert r.half_spaces.A.shape == (1, 1) and len(r.neighbours) == 1
    here = lr.region(net, [0.0])
    assert here.pattern.tolist() == [1] and here.neighbours[0].pattern.tolist() == [0]
    assert here.affine_map.W.tolist() == [[1e-310]] and here.affine_map.b.tolist() == [1.0]
    line = lr.crossings(net, [[[0.0], [1.0]]], lines=True)
    assert line.count().tolist() == [2] and line.t.tolist() == [-np.inf]
    assert line.exact_t(0) == [-1 / Fraction(1e-310)]
    assert int(lr.count(net, lr.Box(-1e308, 1e308))) == 1


def test_maps_within_the_floats_through_products_beyond():
    net = [([[1e200]], [0.0]), ([[1e200]], [0.0]), ([[1e-300]], [0.0])]
    r = lr.region(net, [1.0])
    assert r.affine_map.W[0, 0] == pytest.approx(1e100, rel=1e-12)
    cells = lr.subdivide(net, lr.Box(-1.0, 1.0))
    assert cells.affine_maps()[0].max() == pytest.approx(1e100, rel=1e-12)
    pieces = lr.crossings(net, [[[-1.0], [1.0]]]).pieces
    assert pieces.slope.max() == pytest.approx(2e100, rel=1e-12)


# -- the usual stays as it is ---------------------------------------------------------------------


def test_ordinary_networks_are_left_alone():
    for shape in SHAPES:
        net = lr.load(drawn(shape, 3))
        assert measured(net).network is net
        problem = lr.restrict(net, lr.Box(-1.0, 1.0))
        compiled = Compiled(problem)
        assert compiled.network is problem.network and compiled.tame


def test_extreme_networks_are_searched_in_floats():
    rng = np.random.default_rng(0)
    far = next(f for s in range(99) if (f := rescaled(drawn((2, 4, 3, 1), s), rng, 500)))
    compiled = Compiled(lr.restrict(lr.load(far), lr.Box(-1.0, 1.0)))
    assert compiled.tame
    assert lr.count(far, lr.Box(-1.0, 1.0), engine="search").stats["rational_cells"] == 0


def test_milp_scales_units_and_refuses_domains():
    rng = np.random.default_rng(3)
    for reach in (20, 300, 500):
        for seed in range(4):
            pairs = drawn((2, 3, 2, 1), seed)
            far = rescaled(pairs, rng, reach)
            if far is not None:
                found = lr.count(far, lr.Box(-1.0, 1.0), engine="milp")
                assert int(found) == int(lr.count(pairs, lr.Box(-1.0, 1.0))) and not found.exact
                assert "too low" in found.describe()
    net = [([[1.0]], [0.0]), ([[1.0]], [0.0])]
    for side in (1e-310, 1e-20, 1e20, 1e308):
        with pytest.raises(LinregionsError, match="milp"):
            lr.count(net, lr.Box(-side, side), engine="milp")


@pytest.mark.parametrize("most", [100, 1000, 10000])
def test_milp_ends_on_integer_networks(most):
    """Values of 10^8 and absolute tolerances: HiGHS used to end with the status Unknown."""
    rng = np.random.default_rng(most)
    differ = 0
    for _ in range(12):
        shape = [(3, 3, 3, 1), (2, 3, 3, 3, 1), (1, 4, 4, 1)][rng.integers(3)]
        net = [
            (rng.integers(-most, most + 1, (m, n)) * 1.0, rng.integers(-most, most + 1, m) * 1.0)
            for n, m in pairwise(shape)
        ]
        found, want = (int(lr.count(net, lr.Box(-1, 1), engine=e)) for e in ("milp", "search"))
        assert found <= want
        differ += found != want
    assert differ <= 2


@pytest.mark.parametrize("scale", [2.0**-1060, 2.0**-700, 2.0**700, 2.0**1010])
def test_many_inputs(scale):
    """Twelve inputs seen through two units: reduced over R^n, a zonotope over a box."""
    rng = np.random.default_rng(4)
    W, b = rng.integers(-8, 9, (2, 12)) * 1.0, np.array([1.0, -2.0])
    for rest in ([([[1.0, 2.0]], [0.0])], [([[1.0, -1.0]], [0.5]), ([[1.0]], [0.0])]):
        near = [(W, b), *rest]
        far = [(W * scale, b * scale), *[(np.array(V), np.array(c)) for V, c in rest]]
        if len(rest) > 1:
            far[1] = (far[1][0], far[1][1] * scale)
        for domain in (None, lr.Box(-1.0, 1.0)):
            found, want = lr.count(far, domain), lr.count(near, domain)
            assert int(found) == int(want) and found.exact
        assert len({tuple(r.pattern) for r in lr.regions(far)}) == int(lr.count(near))
        for r in lr.regions(far):  # a cell may be thinner than floats: its witness is rational
            assert np.isfinite(r.point).all()
            assert r.contains(r.point) or r._rational is not None
