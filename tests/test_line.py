"""Breakpoints along segments, lines and curves: against an exact walk, the search, and theorems."""

import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from data import shared
from helpers import gaussian
from hypothesis import given, settings
from hypothesis import strategies as st

import linregions as lr
from linregions.domain.domains import Line, Segment
from linregions.line.crossings import crossings, regions_along
from linregions.network.affine import INPUT, Affine
from linregions.network.units import ABS, HARDTANH, RELU, RELU6, Activation, leaky_relu
from linregions.testing.strategies import networks

KINDS = ("activation", "linear", "affine")
STEPS = Activation((-1, Fraction(1, 3), 2), (0.5, 0, Fraction(-1, 7), 1), 1)
ACTIVATIONS = (RELU, RELU, RELU, leaky_relu(0.25), ABS, HARDTANH, RELU6, STEPS)


# -- an oracle: walk from one right-hand germ to the next, in Fractions ------------------------


def germ(net, activation, p, d, above):
    """Signs and forms of all rows, and the output's forms, where ``above(a, c)`` says which
    forms ``a t + c`` are positive."""
    values = [(Fraction(b), Fraction(a)) for a, b in zip(p, d, strict=True)]
    rows = []
    for number, (W, bias) in enumerate(net):
        z = [
            (
                sum((Fraction(w) * v[0] for w, v in zip(row, values, strict=True)), Fraction(0)),
                sum((Fraction(w) * v[1] for w, v in zip(row, values, strict=True)), Fraction(c)),
            )
            for row, c in zip(W, bias, strict=True)
        ]
        if number == len(net) - 1:
            return rows, tuple(z)
        values = []
        for a, c in z:
            piece = 0
            for t in activation.breaks:
                rows.append((above(a, c - Fraction(t)), a, c - Fraction(t)))
                piece += rows[-1][0]
            slope, shift = Fraction(activation.slopes[piece]), activation.intercepts[piece]
            values.append((slope * a, slope * c + shift))
    raise AssertionError


def walk(net, activation, p, d, lo, hi):
    """``(t, rows that switch)`` in order, and signs and output map on each interval."""
    if lo is None:
        rows, out = germ(net, activation, p, d, lambda a, c: a < 0 or (a == 0 and c > 0))
    else:
        now = Fraction(lo)
        rows, out = germ(
            net, activation, p, d, lambda a, c: a * now + c > 0 or (a * now + c == 0 and a > 0)
        )
    breaks, signs, maps = [], [[r[0] for r in rows]], [out]
    while True:
        roots = [-c / a for up, a, c in rows if (a < 0 if up else a > 0)]
        if not roots or (hi is not None and min(roots) >= hi):
            return breaks, signs, maps
        t = min(roots)
        rows, out = germ(
            net, activation, p, d, lambda a, c, t=t: a * t + c > 0 or (a * t + c == 0 and a > 0)
        )
        new = [r[0] for r in rows]
        flips = [i for i, (u, v) in enumerate(zip(signs[-1], new, strict=True)) if u != v]
        breaks.append((t, flips))
        signs.append(new)
        maps.append(out)


def agree(found, i, truth):
    """The i-th segment of an answer is what the oracle walked."""
    breaks, signs, maps = truth
    a, b = found.ptr[i], found.ptr[i + 1]
    assert found.regions[i] == len(breaks) + 1
    assert found.exact_t(i) == [t for t, _ in breaks] or i not in found.rational
    times = np.array([float(t) for t, _ in breaks])
    assert np.allclose(found.t[a:b], times, rtol=1e-6, atol=1e-9)
    flips = [sorted(found.rows[found.row_ptr[j] : found.row_ptr[j + 1]]) for j in range(a, b)]
    assert flips == [rows for _, rows in breaks]
    assert (found.signs(i) == np.array(signs).reshape(len(signs), -1)).all()
    changes = [u != v for u, v in pairwise(maps)]
    assert list(found.changes[a:b]) == changes
    assert found.count("linear")[i] == 1 + sum(changes)
    assert found.count("affine")[i] == len(set(maps))
    pieces = found.pieces
    mine = slice(pieces.ptr[i], pieces.ptr[i + 1])
    for k, name in enumerate(("slope", "intercept")):
        exact = np.array([[float(o[k]) for o in m] for m in maps])
        assert np.allclose(getattr(pieces, name)[mine], exact, rtol=1e-7, atol=1e-7)


def coordinates(n):
    """Points on a coarse grid, so that ties are common, or of tenths, which are rounded."""
    whole = st.integers(-8, 8).map(float)
    return st.lists(st.one_of(whole, whole.map(lambda v: v / 10)), min_size=n, max_size=n)


@settings(max_examples=150, deadline=None)
@given(st.data(), networks(layers=(1, 4)), st.sampled_from(ACTIVATIONS), st.booleans())
def test_degenerate_networks_by_the_oracle(data, pairs, activation, lines):
    net = lr.Network.from_layers(pairs, activation)
    p = data.draw(coordinates(net.inputs))
    q = data.draw(coordinates(net.inputs))
    if lines and not any(q):
        q[0] = 1.0
    if not lines and p == q:
        q[0] += 1.0
    found = crossings(net, [[p, q]], lines=lines, threads=1)
    assert found.exact and found.stats["doubtful"] == 0
    x = [Fraction(v) for v in p]
    d = [Fraction(v) - (0 if lines else u) for u, v in zip(x, q, strict=True)]
    ends = (None, None) if lines else (0, 1)
    agree(found, 0, walk(pairs, activation, x, d, *ends))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.sampled_from(ACTIVATIONS),
    st.booleans(),
)
def test_generic_networks_by_the_oracle(seed, widths, activation, lines):
    """No doubt in general position: the compiled sweep alone."""
    pairs = gaussian(seed, 3, *widths, 2)
    p, q = np.random.default_rng(seed + 1).standard_normal((2, 3))
    found = crossings(lr.Network.from_layers(pairs, activation), [[p, q]], lines=lines, threads=1)
    assert found.stats == {"float": 1, "rational": 0, "doubtful": 0}
    x, y = [Fraction(v) for v in p], [Fraction(v) for v in q]
    d = y if lines else [b - a for a, b in zip(x, y, strict=True)]
    ends = (None, None) if lines else (0, 1)
    agree(found, 0, walk(pairs, activation, x, d, *ends))


@settings(max_examples=60, deadline=None)
@given(st.data(), networks(), st.sampled_from(KINDS), st.booleans())
def test_the_search_counts_the_same(data, pairs, kind, whole):
    net = lr.load(pairs)
    p = data.draw(coordinates(net.inputs))
    q = [v + 1.5 for v in p] if data.draw(st.booleans()) else data.draw(coordinates(net.inputs))
    if whole:
        domain = Line(p, q if any(q) else [1.0] * net.inputs)
    else:
        domain = Segment(p, q if p != q else [v + 1 for v in p])
    answer = lr.count(net, domain, kind=kind, engine="search")
    assert crossings(net, domain).count(kind)[0] == answer


def residual(seed, integer=False):
    """Layers that read the input and all layers before; the output too."""
    rng = np.random.default_rng(seed)

    def draw(m, n):
        return rng.integers(-2, 3, (m, n)).astype(float) if integer else rng.standard_normal((m, n))

    sizes, layers = [2, 4, 3, 4, 3], []
    for k in range(1, 5):
        affine = Affine.dense(draw(sizes[k], 2), draw(1, sizes[k])[0], INPUT)
        for source in range(1, k):
            if source != k - 2:
                affine += Affine.dense(draw(sizes[k], sizes[source]), None, source)
        layers.append(lr.Layer(affine, lr.Pointwise.uniform(RELU, sizes[k])))
    output = Affine.dense(draw(2, 3), None, 4) + Affine.dense(draw(2, 2), None, INPUT)
    return lr.Network(2, tuple(layers), output + Affine.dense(draw(2, 4), None, 1))


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_residual_networks(seed, integer):
    net = residual(seed, integer)
    for domain in (Segment([-2.0, 1.0], [3.0, -1.5]), Line([0.5, 0.0], [1.0, 1.0])):
        found = crossings(net, domain)
        for kind in KINDS:
            assert found.count(kind)[0] == lr.count(net, domain, kind=kind, engine="search")
        ends = found.exact_t(0)
        ends = [ends[0] - 1, *ends, ends[-1] + 1] if found.given.lines else [0, *ends, 1]
        p, d = (np.array([Fraction(v) for v in x[0]]) for x in (found.given.p, found.given.q))
        d = d if found.given.lines else d - p
        middles = [p + (a + b) / 2 * d for a, b in pairwise(ends)]
        assert found.patterns(0).tolist() == [net.exactly(x)[1] for x in middles]


def _matches_evaluation(net, found):
    """Patterns and affine pieces are what the network does at a point of each interval."""
    for i in range(len(found)):
        ends = found.intervals(i)
        if found.given.lines and len(ends) > 2:
            ends[0], ends[-1] = ends[1] - 1, ends[-2] + 1
        elif found.given.lines:
            ends = np.array([-1.0, 1.0])
        wide = np.diff(ends) > 1e-7
        t = (ends[1:] + ends[:-1])[wide, None] / 2
        p, q = found.given.p[i], found.given.q[i]
        x = p + t * (q if found.given.lines else q - p)
        assert (net.patterns(x) == found.patterns(i)[wide]).all()
        mine = slice(found.pieces.ptr[i], found.pieces.ptr[i + 1])
        value = found.pieces.intercept[mine] + np.diff(ends)[:, None] * 0
        value = value[wide] + t * found.pieces.slope[mine][wide]
        assert np.allclose(value, net(x), rtol=1e-9, atol=1e-9 * (1 + np.abs(value).max()))


@pytest.mark.parametrize("widths", [(30,), (40, 30), (40, 40, 40), (20, 20, 20, 20, 20)])
@pytest.mark.parametrize("lines", [False, True])
def test_affine_pieces_are_the_network(widths, lines):
    net = lr.load(gaussian(5, 10, *widths, 3))
    ends = np.random.default_rng(2).standard_normal((20, 2, 10))
    found = crossings(net, ends, lines=lines)
    assert found.stats["rational"] == 0
    _matches_evaluation(net, found)
    assert (found.points(0)).shape == (found.regions[0] - 1, 10)


def test_threads_and_batches_do_not_matter():
    net = lr.load(gaussian(1, 8, 30, 30, 2))
    ends = np.random.default_rng(1).standard_normal((333, 2, 8))
    one, two = crossings(net, ends, threads=1), crossings(net, ends, threads=2)
    assert (one.t == two.t).all() and (one.rows == two.rows).all()
    assert (one.ptr == two.ptr).all() and (one.start == two.start).all()
    seen = []
    alone = [crossings(net, e, progress=seen.append).regions[0] for e in ends[:5]]
    assert alone == one.regions[:5].tolist() and len(seen) == 5
    assert seen[0].stage == "line" and seen[0].regions == alone[0]


def test_network_g():
    """Of the table of peers: 784-[256, 256, 256], 17,627 regions along 100 segments."""
    with np.load(shared("bench/G_lines.npz")) as file:
        ends = np.stack([file["p"], file["q"]], axis=1)
    net = lr.load(shared("bench/G.npz"))
    found = crossings(net, ends)
    assert int(found.regions.sum()) == 17_627 and found.exact
    assert found.stats["float"] == 100
    start = time.perf_counter()
    assert int(crossings(net, ends).regions.sum()) == 17_627
    assert time.perf_counter() - start < 2.0


# -- ties --------------------------------------------------------------------------------------


def test_no_hidden_layer():
    net = lr.load([([[1.0, 2.0]], [3.0])])
    found = crossings(net, [[[0.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [1.0, 1.0]]])
    assert found.regions.tolist() == [1, 1] and len(found.t) == 0
    assert found.pieces.slope.tolist() == [[3.0], [1.0]]
    assert found.pieces.intercept.tolist() == [[3.0], [5.0]]
    assert found.patterns(0).shape == (1, 0)
    assert all(found.count(kind).tolist() == [1, 1] for kind in KINDS)


def test_units_that_switch_together():
    net = lr.load(
        [([[1.0], [-2.0], [3.0], [1.0]], [-0.3, 0.6, -0.9, -0.5]), (np.ones((1, 4)), None)]
    )
    found = crossings(net, [[[0.0], [1.0]]])
    # 3 * 0.3 is not the float 0.9, so the third unit is apart from the first two by one ulp
    assert found.regions[0] == 4 and found.stats["rational"] == 1
    assert [r.tolist() for r in np.split(found.rows, found.row_ptr[1:-1])] in (
        [[0, 1], [2], [3]],
        [[2], [0, 1], [3]],
    )
    assert found.exact_t(0)[2] == Fraction(1, 2) and len(set(found.exact_t(0))) == 3


def test_a_segment_inside_the_hyperplane_of_a_unit():
    W, b = np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2)
    net = lr.load([(W, b), (np.ones((1, 2)), None)])
    found = crossings(net, [[[-1.0, 0.0], [1.0, 0.0]], [[0.0, -1.0], [0.0, 1.0]]])
    assert found.regions.tolist() == [2, 2]
    assert found.patterns(0).tolist() == [[0, 0], [1, 0]]
    assert found.patterns(1).tolist() == [[0, 0], [0, 1]]


def test_a_line_through_the_point_where_all_units_meet():
    W = np.random.default_rng(0).integers(-9, 10, (50, 3)).astype(float)
    net = lr.load(
        [(W, W @ [1.0, 2.0, 3.0]), (np.ones((4, 50)), np.ones(4)), (np.ones((1, 4)), None)]
    )
    found = crossings(net, [[[-1.0, -2.0, -3.0], [1.0, 1.0, 1.0]]], lines=True)
    live = np.count_nonzero(W @ np.ones(3))
    assert found.regions[0] == 2 and found.exact_t(0) == [0] and len(found.rows) == live


def test_breakpoints_at_the_ends_do_not_count():
    net = lr.load([([[1.0], [1.0], [1.0]], [0.0, -0.5, -1.0]), ([[1.0, 1.0, 1.0]], [0.0])])
    found = crossings(net, [[[0.0], [1.0]], [[1.0], [0.0]]])
    assert found.regions.tolist() == [2, 2]
    assert found.patterns(0).tolist() == [[1, 0, 0], [1, 1, 0]]
    assert found.patterns(1).tolist() == [[1, 1, 0], [1, 0, 0]]


def test_a_region_that_holds_no_float():
    """W = (1, 1 - 2^-53), b = -1: the middle region is thinner than an ulp."""
    net = lr.load([([[1.0], [1 - 2.0**-53]], [-1.0, -1.0]), ([[1.0, 1.0]], [0.0])])
    found = crossings(net, [[[0.0], [3.0]]])
    assert found.regions[0] == 3 and found.stats["rational"] == 1
    first, second = found.exact_t(0)
    assert first == Fraction(1, 3) < second


def test_dead_and_constant_units_need_no_rationals():
    W = np.array([[1.0, 0.5], [0.0, 0.0], [0.0, 0.0], [-0.3, 1.0]])
    pairs = [(W, np.array([0.1, 0.0, 2.0, 0.2])), *gaussian(0, 4, 5, 1)]
    ends = np.random.default_rng(0).standard_normal((30, 2, 2))
    for lines in (False, True):
        found = crossings(lr.load(pairs), ends, lines=lines)
        assert found.stats["rational"] == 0
        for i in range(30):
            x, q = ([Fraction(v) for v in e] for e in ends[i])
            d = q if lines else [b - a for a, b in zip(x, q, strict=True)]
            limits = (None, None) if lines else (0, 1)
            agree(found, i, walk(pairs, RELU, x, d, *limits))


# -- theorems ----------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 3, 8, 12])
def test_telgarsky_sawtooth(depth):
    """The tent map composed: 2^depth pieces on [0, 1], exactly at multiples of 2^-depth.

    The deep ones outgrow the kernel's first work space.
    """
    first = (np.array([[1.0], [1.0]]), np.array([0.0, -0.5]))
    again = (np.array([[2.0, -4.0], [2.0, -4.0]]), np.array([0.0, -0.5]))
    net = lr.load([first, *[again] * (depth - 1), (np.array([[2.0, -4.0]]), None)])
    found = crossings(net, [[[0.0], [1.0]]])
    assert found.count("linear")[0] == 2**depth
    assert found.exact_t(0) == [Fraction(i, 2**depth) for i in range(1, 2**depth)]
    slopes = found.pieces.slope[:, 0]
    assert (np.abs(slopes) == 2.0**depth).all() and (slopes[1:] == -slopes[:-1]).all()


def test_expected_number_of_kinks():
    """Hanin and Rolnick 2019: one input, N units with weights and biases N(0, 1): the zero
    -b / w is Cauchy, so half of the N kinks lie in [-1, 1] on average."""
    rng = np.random.default_rng(0)
    total, draws = 0, 400
    for _ in range(draws):
        pairs = [(rng.standard_normal((10, 1)), rng.standard_normal(10)), (np.ones((1, 10)), None)]
        total += int(crossings(lr.load(pairs), [[[-1.0], [1.0]]], threads=1).regions[0]) - 1
    assert abs(total / draws - 5) < 4 * np.sqrt(10 / 4 / draws)


def test_a_line_meets_every_unit_of_one_layer():
    net = lr.load(gaussian(3, 20, 50, 1))
    ends = np.random.default_rng(0).standard_normal((10, 2, 20))
    assert (crossings(net, ends, lines=True).regions == 51).all()


def test_a_rescaled_direction_rescales_t():
    net = lr.load(gaussian(3, 5, 20, 20, 1))
    p, d = np.random.default_rng(0).standard_normal((2, 5))
    t = crossings(net, [[p, d]], lines=True).t
    for scale in (2.0**-80, 2.0**-7, -1.0, 2.0**90):
        other = crossings(net, [[p, scale * d]], lines=True).t
        assert np.allclose(np.sort(other * scale), t, rtol=1e-12)


# -- curves ------------------------------------------------------------------------------------


def test_regions_along_a_curve():
    net = lr.load([(np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2)), (np.ones((1, 2)), None)])
    square = [[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]
    path = regions_along(net, square)
    assert (path.regions, path.transitions, path.patterns, int(path)) == (4, 3, 4, 4)
    loop = regions_along(net, square, closed=True)
    assert (loop.regions, loop.transitions, loop.patterns) == (4, 4, 4)
    twice = regions_along(net, square + square, closed=True)
    assert (twice.regions, twice.transitions, twice.patterns) == (8, 8, 4)
    # corners on the boundaries: the pattern changes just there
    diamond = regions_along(net, [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], closed=True)
    assert (diamond.regions, diamond.transitions) == (4, 4)
    still = regions_along(net, [[1.0, 1.0], [1.0, 1.0], [2.0, 1.0], [2.0, 2.0]], closed=True)
    assert (still.regions, still.transitions, still.patterns) == (1, 0, 1)


def test_a_subdivided_segment_is_one_segment():
    net = lr.load(gaussian(3, 6, 20, 20, 1))
    p, q = np.random.default_rng(0).standard_normal((2, 6))
    t = np.linspace(0, 1, 33)[:, None]
    assert regions_along(net, p + t * (q - p)).regions == crossings(net, [[p, q]]).regions[0]


# -- what is refused ---------------------------------------------------------------------------

NET = lr.load(gaussian(7, 3, 6, 5, 1))


@pytest.mark.parametrize(
    ("segments", "options", "message"),
    [
        (np.zeros((0, 2, 3)), {}, "no segments given"),
        ([], {}, "segments of shape (0,)"),
        (np.zeros((4, 2, 2)), {}, "give (m, 2, 3)"),
        (np.zeros((4, 3)), {}, "give (m, 2, 3)"),
        ([[[0, 0, np.nan], [1, 1, 1]]], {}, "NaN"),
        ([[[0, 0, np.inf], [1, 1, 1]]], {"lines": True}, "infinite"),
        ([[[0, 0, 0], [1, 1, 1]], [[1, 2, 3], [1, 2, 3]]], {}, "segment 1: both ends are the same"),
        ([[[0, 0, 0], [0, 0, 0]]], {"lines": True}, "line 0: the direction is zero"),
        ("abc", {}, "not numbers"),
        ([Segment([0, 0], [1, 1])], {}, "3 inputs"),
        (
            [Segment([0, 0, 0], [1, 1, 1]), Line([0, 0, 0], [1, 1, 1])],
            {},
            "Segments alone or Lines",
        ),
        ([Segment([0, 0, 0], [1, 1, 1]), 3], {}, "Segments alone or Lines"),
    ],
)
def test_what_is_refused(segments, options, message):
    with pytest.raises(lr.LinregionsError) as caught:
        crossings(NET, segments, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[0, 0, 0]], "at least two"),
        ([0, 0, 0], "at least two"),
        (np.zeros((5, 3)), "all points of the curve are the same"),
        ([[0, 0, 0], [1, 1, np.nan]], "NaN"),
        ([[0, 0], [1, 1]], "give (m, 2, 3)"),
    ],
)
def test_curves_that_are_refused(points, message):
    with pytest.raises(lr.LinregionsError) as caught:
        regions_along(NET, points)
    assert message in str(caught.value)


def test_fractions_are_exact():
    third = np.array([Fraction(1, 3)], dtype=object)
    net = lr.load([([[3.0]], [-1.0]), ([[1.0]], [0.0])])
    found = crossings(net, [Segment(third, [1.0]), Segment([0.0], [1.0]), Segment([0.3], [1.0])])
    assert found.regions.tolist() == [1, 2, 2]
    assert found.exact_t(1) == [Fraction(1, 3)]
