"""The cell complex: against the search engine, the rational oracle, closed forms and itself."""

import threading

import numpy as np
import pytest
from data import shared
from helpers import gaussian, patterns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import linregions as lr
from linregions.complex import engine, lattice
from linregions.complex.cells import complex_of
from linregions.domain.restrict import restrict
from linregions.testing.oracle import facet_neighbours, linear_regions
from linregions.testing.strategies import KINDS, boxes, networks, polytopes

RELAXED = {"deadline": None, "suppress_health_check": list(HealthCheck)}
# units of one layer that agree to 1e-9 and 1e-13, beside those that agree to one ulp
NEAR = (*KINDS, "ulp", "concurrent", "duplicate", "scaled")


def clear(net, x):
    """Where floats can tell the piece of a unit: its breakpoints are 1e-9 away or more.

    A unit that vanishes on a whole cell is within rounding of its breakpoint everywhere there.
    """
    out = []
    for n, layer in enumerate(net.layers, start=1):
        z = net.upto(n).evaluate(x)
        kinds = [layer.units.kinds[w] for w in layer.units.which]
        gaps = [np.min([np.abs(z[:, i] - float(t)) for t in a.breaks], axis=0)
                for i, a in enumerate(kinds)]  # fmt: skip
        out.append(np.stack(gaps, axis=1) > 1e-9 * (1 + np.abs(z)))
    return np.concatenate(out, axis=1)


def check(cells, net):
    """What must hold of every complex: Euler, measures, neighbours, patterns."""
    net = lr.load(net)
    k = cells.dimension
    assert cells.euler == 1
    assert cells.exact and cells.in_doubt == 0
    sides = cells.facet_cells
    inner = sides[:, 1] >= 0
    assert (cells.facet_row[inner] >= 0).all() and (cells.facet_row[~inner] < 0).all()
    ptr, idx = cells.faces(k)
    assert np.bincount(idx, minlength=len(sides)).tolist() == (1 + inner).tolist()
    if k > 1:  # every ridge of a cell lies on exactly two of its facets
        below_ptr, below = cells.faces(k - 1)
        for c in range(min(cells.cells, 20)):
            ridges = np.concatenate(
                [below[below_ptr[f] : below_ptr[f + 1]] for f in idx[ptr[c] : ptr[c + 1]]]
            )
            assert (np.unique(ridges, return_counts=True)[1] == 2).all()
    signs = cells.signs()
    assert len({s.tobytes() for s in signs}) == cells.cells
    a, b = sides[inner].T
    row = cells.facet_row[inner]
    assert (signs[a, row] != signs[b, row]).all()
    # the framework's own evaluation, where a cell is wide enough for floats
    wide = cells.volumes > 1e-6 * cells.volumes.sum()
    inside = cells.embed(cells.interior_points[wide])
    same = net.patterns(inside) == cells.patterns(wide)
    assert (same | ~clear(net, inside)).all()
    W, shift = cells.affine_maps()
    at = np.einsum("noi,ni->no", W, cells.interior_points) + shift
    np.testing.assert_allclose(
        at[wide], net.evaluate(cells.embed(cells.interior_points[wide])), rtol=1e-7, atol=1e-7
    )


def on_both_sides(cells):
    """Affine maps of neighbours agree at the vertices of their common facet."""
    W, shift = cells.affine_maps()
    corners = {1: lambda f: [f], 2: lambda f: cells.edges[f]}[cells.dimension]
    for f in np.flatnonzero(cells.facet_cells[:, 1] >= 0)[:200]:
        a, b = cells.facet_cells[f]
        for v in corners(f):
            x = cells.points[v]
            np.testing.assert_allclose(W[a] @ x + shift[a], W[b] @ x + shift[b], atol=1e-6)


@st.composite
def boxed(draw, **bounds):
    net = draw(networks(kinds=NEAR, **bounds))
    return net, lr.Box(*draw(boxes(net[0][0].shape[1])))


@settings(max_examples=120, **RELAXED)
@given(boxed(inputs=(1, 4), layers=(1, 3), units=(1, 5)))
def test_same_regions_as_the_search(problem):
    net, box = problem
    cells = lr.subdivide(net, box)
    check(cells, net)
    found = {tuple(p) for p in cells.patterns().tolist()}
    assert found == patterns(net, box)
    volume = np.prod(np.asarray(box.hi) - np.asarray(box.lo))
    assert cells.volumes.sum() == pytest.approx(volume, rel=1e-9)
    assert lr.count(net, box, engine="complex") == cells.cells
    for kind in ("linear", "affine"):
        assert cells.count(kind) == lr.count(net, box, kind=kind, engine="search")


@settings(max_examples=25, **RELAXED)
@given(boxed(inputs=(2, 3), layers=(1, 2), units=(1, 4)))
def test_same_neighbours_as_the_oracle(problem):
    net, box = problem
    domain = ("box", box.lo, box.hi)
    cells = lr.subdivide(net, box)
    names = [tuple(p) for p in cells.patterns().tolist()]
    found = {name: set() for name in names}
    for a, b in cells.facet_cells:
        if b >= 0:
            found[names[a]].add(names[b])
            found[names[b]].add(names[a])
    assert found == facet_neighbours(net, domain)
    assert cells.count("linear") == linear_regions(net, domain)


@settings(max_examples=40, **RELAXED)
@given(st.data())
def test_polytopes(data):
    net = data.draw(networks(inputs=(2, 3), layers=(1, 2), units=(1, 4)))
    n = net[0][0].shape[1]
    A, b = data.draw(polytopes(n))
    lo, hi = data.draw(boxes(n))
    A = np.concatenate([A, np.eye(n), -np.eye(n)])  # bounded, with corners that many rows share
    b = np.concatenate([b, np.maximum(hi, lo + 4), -np.minimum(lo, hi - 4)])
    domain = lr.Polytope(A, b)
    try:
        searched = patterns(net, domain)
    except lr.LinregionsError:
        with pytest.raises(lr.LinregionsError, match="no interior"):
            lr.subdivide(net, domain)
        return
    cells = lr.subdivide(net, domain)
    check(cells, net)
    assert {tuple(p) for p in cells.patterns().tolist()} == searched


@settings(max_examples=25, **RELAXED)
@given(boxed(inputs=(2, 3), layers=(1, 2), units=(2, 5)), st.integers(0, 2**16))
def test_permuting_and_rescaling_units_changes_nothing(problem, seed):
    net, box = problem
    rng = np.random.default_rng(seed)
    (W, b), (V, c), *rest = net
    order, scale = rng.permutation(len(b)), 2.0 ** rng.integers(-3, 4, len(b))
    moved = [((W * scale[:, None])[order], (b * scale)[order]), ((V / scale)[:, order], c), *rest]
    one, two = lr.subdivide(net, box), lr.subdivide(moved, box)
    assert one.face_counts == two.face_counts
    assert one.boundary_volume == pytest.approx(two.boundary_volume, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_split_rule(k):
    """count(D1) + count(D2) = count(D) + count(D restricted to the cutting hyperplane)."""
    net = gaussian(k, k, 6, 5, 2)
    low, high = -np.ones(k), np.ones(k)
    middle = high.copy()
    middle[0] = 0.3
    start = low.copy()
    start[0] = 0.3
    whole = lr.subdivide(net, lr.Box(low, high)).cells
    parts = [lr.subdivide(net, lr.Box(low, middle)), lr.subdivide(net, lr.Box(start, high))]
    wall = lr.count(net, lr.Box(start, middle))  # one side of width zero
    assert sum(p.cells for p in parts) == whole + wall
    assert sum(p.volumes.sum() for p in parts) == pytest.approx(2.0**k)


def test_grid_through_the_corners_of_the_box():
    rows = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0], [2.0, 2.0], [-1.0, 0.0]]
    net = [(np.array(rows), np.zeros(6)), (np.ones((1, 6)), np.zeros(1))]
    cells = lr.subdivide(net, lr.Box(-1, 1))
    assert cells.face_counts == (9, 16, 8)
    assert np.allclose(cells.volumes, 0.5)
    assert cells.boundary_volume == pytest.approx(4 + 4 * np.sqrt(2))
    check(cells, net)


@pytest.mark.parametrize("gap", [1e-9, 1e-13, 2.0**-52])
@pytest.mark.parametrize("k", [2, 3])
def test_units_that_nearly_agree_leave_slivers_and_no_more(k, gap):
    rng = np.random.default_rng(k)
    m = 9 - 2 * k
    W, b = rng.normal(size=(m, k)), rng.normal(size=m) * 0.3
    twice = np.concatenate([W, W * (1 + gap)]), np.concatenate([b, b])
    net = [twice, (rng.normal(size=(4, 2 * m)), rng.normal(size=4)), (np.ones((1, 4)), np.zeros(1))]
    cells = lr.subdivide(net, lr.Box(-1, 1))
    assert cells.cells == lr.count(net, lr.Box(-1, 1), engine="search")
    assert cells.volumes.sum() == pytest.approx(2.0**k)
    check(cells, net)


def test_unit_that_vanishes_on_a_whole_cell():
    # the second layer has no bias: where the first is off, its units vanish identically
    net = [(np.eye(2), np.zeros(2)), (np.array([[1.0, 1.0], [1.0, -1.0]]), np.zeros(2)),
           (np.ones((1, 2)), np.zeros(1))]  # fmt: skip
    cells = lr.subdivide(net, lr.Box(-1, 1))
    assert cells.cells == lr.count(net, lr.Box(-1, 1), engine="search") == 5
    check(cells, net)


def test_neighbours_agree_on_their_facet():
    on_both_sides(lr.subdivide(gaussian(3, 2, 8, 8, 2), lr.Box(-2, 2)))
    on_both_sides(lr.subdivide(gaussian(3, 1, 8, 8, 1), lr.Box(-2, 2)))


def test_generic_arrangement_has_zaslavsky_many_faces():
    rng = np.random.default_rng(5)
    W = rng.normal(size=(7, 2))
    inside = rng.uniform(-1e-3, 1e-3, 7)  # all lines cross near the origin, inside the box
    cells = lr.subdivide([(W, inside), (np.ones((1, 7)), np.zeros(1))], lr.Box(-1, 1))
    assert cells.cells == 1 + 7 + 21
    assert cells.face_counts == (21 + 14 + 4, 49 + 14 + 4, 29)


@pytest.mark.parametrize("activation", ["leaky", "hardtanh", "abs"])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_other_units(activation, k):
    from linregions.network.units import ABS, HARDTANH, leaky_relu

    kind = {"leaky": leaky_relu(0.1), "hardtanh": HARDTANH, "abs": ABS}[activation]
    net = lr.Network.from_layers(gaussian(k + 7, k, 5, 4, 2), kind)
    cells = lr.subdivide(net, lr.Box(-2, 2))
    assert cells.cells == lr.count(net, lr.Box(-2, 2), engine="search")
    check(cells, net)


def test_residual_network():
    from linregions.network.affine import Affine
    from linregions.network.network import Layer, Network
    from linregions.network.units import RELU, Pointwise

    rng = np.random.default_rng(0)
    relu = Pointwise.uniform(RELU, 5)
    first = Layer(Affine.dense(rng.normal(size=(5, 2)), rng.normal(size=5), 0), relu)
    both = Affine.dense(rng.normal(size=(5, 5)), rng.normal(size=5), 1) + Affine.dense(
        rng.normal(size=(5, 2)), None, 0
    )
    last = Affine.dense(rng.normal(size=(1, 5)), None, 2) + Affine.dense(
        rng.normal(size=(1, 5)), None, 1
    )
    net = Network(2, (first, Layer(both, relu)), last)
    cells = lr.subdivide(net, lr.Box(-2, 2))
    assert cells.cells == lr.count(net, lr.Box(-2, 2), engine="search")
    check(cells, net)


def test_plane_in_a_high_dimensional_input():
    net = gaussian(2, 30, 9, 9, 3)
    a, b, c = np.random.default_rng(1).normal(size=(3, 30))
    plane = lr.Plane.through(a, b, c)
    cells = lr.subdivide(net, plane)
    assert cells.cells == lr.count(net, plane, engine="search")
    check(cells, net)
    solid = lr.Slice(a, np.stack([a, b, c], axis=1), lr.Box(-1, 1))
    assert lr.subdivide(net, solid).cells == lr.count(net, solid, engine="search")


def test_layers_grow_to_the_whole():
    net = gaussian(4, 2, 7, 6, 5, 1)
    stages = lr.subdivide(net, lr.Box(-1, 1)).layers()
    for n, stage in enumerate(stages[:-1], start=2):
        assert stage.cells == lr.count(lr.load(net).upto(n), lr.Box(-1, 1), engine="search")
    assert [s.cells for s in stages] == sorted(s.cells for s in stages)


def test_region_of_a_cell():
    net = gaussian(4, 2, 7, 6, 1)
    cells = lr.subdivide(net, lr.Box(-1, 1))
    for i in (0, cells.cells // 2, cells.cells - 1):
        region = cells.region(i)
        assert (region.pattern == cells.patterns([i])[0]).all()
        ptr, _ = cells.faces(2)
        assert len(region.facets) == ptr[i + 1] - ptr[i]
        W, b = cells.affine_maps([i])
        np.testing.assert_allclose(W[0], region.local_map.W, atol=1e-12)
        np.testing.assert_allclose(b[0], region.local_map.b, atol=1e-12)


# -- level sets -------------------------------------------------------------------------


def test_zero_set_of_a_diamond():
    # f = |x| + |y| - 1
    net = [(np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]), np.zeros(4)),
           (np.ones((1, 4)), -np.ones(1))]  # fmt: skip
    level = lr.subdivide(net, lr.Box(-2, 2)).level_set()
    assert len(level) == 4
    assert level.measure == pytest.approx(4 * np.sqrt(2))
    assert np.allclose(np.abs(level.segments).sum(axis=2), 1.0)


def test_zero_set_of_an_octahedron():
    rows = np.concatenate([np.eye(3), -np.eye(3)])
    net = [(rows, np.zeros(6)), (np.ones((1, 6)), -np.ones(1))]
    level = lr.subdivide(net, lr.Box(-2, 2)).level_set()
    assert len(level) == 8
    assert level.measure == pytest.approx(8 * np.sqrt(3) / 2)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_decision_boundary_lies_where_the_two_largest_outputs_tie(k):
    net = lr.load(gaussian(11 + k, k, 8, 6, 4))
    cells = lr.subdivide(net, lr.Box(-2, 2))
    level = cells.level_set()
    assert len(level)
    pieces = np.split(level.pieces, level.ptr[1:-1])
    middle = np.array([level.vertices[piece].mean(axis=0) for piece in pieces])
    out = net.evaluate(middle)
    best = np.sort(out, axis=1)
    np.testing.assert_allclose(best[:, -1], best[:, -2], atol=1e-9)
    tied = np.take_along_axis(out, level.classes, axis=1)
    np.testing.assert_allclose(tied, best[:, [-1, -1]], atol=1e-9)
    W, b = cells.affine_maps(level.cell)  # the cell named holds the piece
    np.testing.assert_allclose(np.einsum("noi,ni->no", W, middle) + b, out, atol=1e-9)


# -- counting, options, bad input -------------------------------------------------------


def test_auto_takes_the_complex_where_it_can():
    net = gaussian(0, 2, 5, 1)
    assert lr.count(net, lr.Box(-1, 1)).engine == "complex"
    assert lr.count(net).engine == "search"
    assert lr.count(net, lr.Box(-1, 1), limit=10**9).engine == "search"
    assert lr.count(gaussian(0, 5, 4, 1), lr.Box(-1, 1)).engine == "search"


def test_auto_searches_when_the_complex_would_be_too_large(monkeypatch):
    net = gaussian(0, 2, 30, 30, 1)
    expected = lr.count(net, lr.Box(-1, 1))
    monkeypatch.setattr("linregions.questions.count.MEMORY", 1000)
    answer = lr.count(net, lr.Box(-1, 1))
    assert answer == expected and answer.engine == "search"


def test_threads_change_nothing(monkeypatch):
    net = gaussian(1, 3, 12, 12, 1)
    one = lr.subdivide(net, lr.Box(-1, 1))
    monkeypatch.setattr(engine, "available", lambda: 1)
    two = lr.subdivide(net, lr.Box(-1, 1))
    assert one.face_counts == two.face_counts
    # coordinates may differ, within their bounds: rows reach a cell by other updates
    known = (one.vertex_error + two.vertex_error)[:, None]
    assert (np.abs(one.points - two.points) <= known).all()
    assert (one.signs() == two.signs()).all()
    assert (one.facet_row == two.facet_row).all()


def test_an_interrupt_leaves_a_lower_bound(monkeypatch):
    net = lr.load(gaussian(1, 2, 30, 30, 1))
    problem = restrict(net, lr.Box(-1, 1))
    whole = engine.Refinement(problem).run(count_only=True).cells
    real, calls = engine.Refinement._round, []

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(engine.Refinement, "_round", interrupted)
    answer = lr.count(net, lr.Box(-1, 1), on_interrupt="return")
    assert not answer.complete and answer.stopped == "interrupt"
    assert 1 < answer <= whole
    with pytest.raises(KeyboardInterrupt):
        calls.clear()
        complex_of(problem)


def test_progress_is_reported_from_the_calling_thread():
    seen = []
    lr.subdivide(
        gaussian(1, 2, 10, 10, 1), lr.Box(-1, 1),
        progress=lambda s: seen.append((s.regions, threading.get_ident())),
    )  # fmt: skip
    assert [n for n, _ in seen] == sorted(n for n, _ in seen)
    assert {t for _, t in seen} == {threading.get_ident()}


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (lr.Space(), "unbounded.*give a box"),
        (lr.Box([0.0, 0.0], [np.inf, 1.0]), "unbounded"),
        (lr.Polytope([[1.0, 0.0], [0.0, 1.0]], [1.0, 1.0]), "unbounded"),
        (lr.Polytope([[1.0, 0.0], [-1.0, 0.0]], [0.0, -1.0]), "no interior"),
        (lr.Box([0.0, 1.0], [0.0, 1.0]), "1 to 4 dimensions"),
        ("a box", "no domain"),
    ],
)
def test_domains_that_are_refused(domain, words):
    with pytest.raises(lr.LinregionsError, match=words):
        lr.subdivide(gaussian(0, 2, 3, 1), domain)


def test_what_else_is_refused():
    net = gaussian(0, 2, 3, 2)
    cells = lr.subdivide(net, lr.Box(-1, 1))
    with pytest.raises(lr.LinregionsError, match="1 to 4 dimensions"):
        lr.subdivide(gaussian(0, 5, 3, 1), lr.Box(-1, 1))
    with pytest.raises(lr.LinregionsError, match='engine="search"'):
        lr.count(net, lr.Box(-1, 1), engine="complex", seconds=1.0)
    with pytest.raises(lr.LinregionsError, match="faces"):
        cells.faces(3)
    with pytest.raises(lr.LinregionsError, match="cell"):
        cells.patterns([cells.cells])
    with pytest.raises(lr.LinregionsError, match="kind"):
        cells.count("closed")
    with pytest.raises(lr.LinregionsError, match="face_polygons"):
        lr.subdivide(gaussian(0, 3, 3, 1), lr.Box(-1, 1)).polygons()


def test_networks_without_hidden_units():
    cells = lr.subdivide([(np.ones((1, 2)), np.zeros(1))], lr.Box(-1, 1))
    assert cells.cells == 1 and cells.face_counts == (4, 4, 1)
    assert len(cells.level_set()) == 1


def test_small_arrays_grow(monkeypatch):
    """Local arrays and outputs that are too small are enlarged, and nothing is lost."""
    net = gaussian(3, 2, 40, 20, 1)
    expected = lr.subdivide(net, lr.Box(-1, 1))
    real, tiny = lattice.output, lattice.output(2, 40, 8)

    def small(k, rows, pieces):
        return real(k, rows, min(pieces, 64) if pieces <= 65536 else pieces)

    monkeypatch.setattr(lattice, "output", small)
    assert len(tiny.name) == 8
    assert lr.subdivide(net, lr.Box(-1, 1)).face_counts == expected.face_counts


@pytest.mark.parametrize(
    ("name", "regions"), [("A", 14_353), ("B", 262_431), ("C", 133_592), ("D", 146_603)]
)
def test_counts_that_two_other_programs_confirm(name, regions):
    net = lr.load(shared(f"bench/{name}.npz"))
    assert lr.count(net, lr.Box(-1, 1), engine="complex") == regions


def test_patterns_are_those_of_the_framework_the_network_comes_from():
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 9), torch.nn.ReLU(), torch.nn.Linear(9, 7), torch.nn.LeakyReLU(0.25),
        torch.nn.Linear(7, 3),
    ).double()  # fmt: skip
    cells = lr.subdivide(model, lr.Box(-2, 2))
    x, found = torch.tensor(cells.interior_points), []
    for layer in model:
        x = layer(x)
        if isinstance(layer, torch.nn.Linear):
            found.append(x.detach().numpy() > 0)
    wide = cells.volumes > 1e-9
    assert (np.concatenate(found[:-1], axis=1)[wide] == cells.patterns(wide)).all()
    W, b = cells.affine_maps()
    at = np.einsum("noi,ni->no", W, cells.interior_points) + b
    np.testing.assert_allclose(at, x.detach().numpy(), atol=1e-12)
