"""Boxes of many inputs, searched in the space of the first layer's units: the same counts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import linregions as lr
from linregions.domain.restrict import restrict
from linregions.exact.boxed import least, positive
from linregions.exact.lp import inside
from linregions.network.affine import Affine
from linregions.papers._data import digits
from linregions.papers._networks import he
from linregions.papers._train import Training, epoch
from linregions.search import kernel
from linregions.search.search import Search
from linregions.search.zonotope import seen_through
from linregions.testing.strategies import STYLES


def exhausted(search: Search) -> int:
    while search.run(10_000):
        pass
    return search.leaves


def both(layers, box) -> tuple[int, int]:
    """Cells without and with the zonotope, which must have been taken."""
    plain = restrict(lr.load(layers), box)
    seen = seen_through(plain)
    assert seen.zonotope is not None
    return exhausted(Search(plain)), exhausted(Search(seen))


@st.composite
def nets(draw):
    """Networks of four inputs or more to each unit of the first layer, in a style of numbers."""
    n1, n2 = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    sizes = [4 * n1 + draw(st.integers(0, 2)), n1, n2, 1]
    style = draw(st.sampled_from(STYLES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layers = []
    for n, m in pairwise(sizes):
        if style in ("integer", "dyadic"):
            scale = 1.0 if style == "integer" else 0.25
            values = rng.integers(-2, 3, (m, n + 1)) * scale
        else:
            values = rng.standard_normal((m, n + 1))
            if style == "float32":
                values = values.astype(np.float32).astype(float)
        layers.append((values[:, :n], values[:, n]))
    W = layers[0][0]
    W[np.arange(n1), np.arange(n1)] = 1.0 + np.arange(n1)  # full rank, nearly always
    return layers


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(nets(), st.sampled_from([(0, 1), (-1, 1), (-0.3, 0.9)]))
def test_the_same_count_as_over_the_box(layers, sides) -> None:
    if np.linalg.matrix_rank(layers[0][0]) < len(layers[0][0]):
        return  # rows are searched in fewer dimensions, where a rational basis may be needed
    plain, seen = both(layers, lr.Box(*sides))
    assert plain == seen


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(nets(), st.integers(0, 2**32 - 1))
def test_a_proof_holds_at_random_points(layers, seed) -> None:
    if np.linalg.matrix_rank(layers[0][0]) < len(layers[0][0]):
        return
    problem = restrict(lr.load(layers), lr.Box(0, 1))
    search = Search(problem)
    rational, signs = search.rational, np.ones(search.compiled.cuts, np.int8)
    rows = rational.rows(0, signs)
    unit = search.compiled.unit
    lo, hi = np.zeros(search.compiled.k), 1.0 / unit
    rng = np.random.default_rng(seed)
    for w in rows:
        cell = [r for r in rows if r is not w and rng.random() < 0.5]
        guess = least(cell, w, lo, hi)
        if guess is None:
            continue  # no point of the box is there
        if positive(cell, w, lo, hi, guess.multipliers):
            points = rng.uniform(lo, hi, (200, len(lo)))
            A = np.array([[float(int(a)) for a in r] for r in [*cell, w]])
            values = points @ A[:, :-1].T + A[:, -1]
            inside = (values[:, :-1] >= 0).all(axis=1)
            assert (values[inside, -1] > 0).all()
            flipped = [-a for a in w]
            assert not positive(cell, flipped, lo, hi, guess.multipliers)


def test_a_wrong_guess_proves_nothing() -> None:
    from flint import fmpz

    w, row = [fmpz(1), fmpz(-1), fmpz(0)], [fmpz(1), fmpz(-1), fmpz(-1)]  # x - y, x - y - 1 >= 0
    lo, hi = np.zeros(2), np.full(2, 2.0)
    assert positive([row], w, lo, hi, np.array([1.0]))
    assert not positive([row], w, lo, hi, np.array([0.0]))
    assert not positive([row], w, lo, hi, np.array([3.0]))
    assert not positive([], w, lo, hi, np.zeros(0))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(nets(), st.integers(1, 12))
def test_guessed_decisions_are_those_of_exact_arithmetic(layers, nodes) -> None:
    """In the middle of a search, every row of the layer at hand is placed both ways."""
    if np.linalg.matrix_rank(layers[0][0]) < len(layers[0][0]):
        return
    search = Search(seen_through(restrict(lr.load(layers), lr.Box(0, 1))))
    if not search.run(nodes) or search._side is not None:
        return
    C = search.cursor
    assert C is not None
    d = int(C.st[kernel.DEPTH])
    if C.F[d, kernel.PHASE] == kernel.NEW:  # the rows of its layer are not composed yet
        return
    exact, signs = search.rational, C.sign[: search.compiled.cuts]
    rows = exact.cell(C.con[d, : C.F[d, kernel.NCON]].tolist(), signs)
    whole = [*exact.domain_rows(), *rows]
    x0 = inside(whole, exact.k, "a cell")
    layer = int(C.F[d, kernel.LAYER])
    for c in range(int(exact.cut[layer]), int(exact.cut[layer + 1])):
        g = exact.row(c, signs)
        if not any(g[:-1]) or c in C.con[d, : C.F[d, kernel.NCON]]:
            continue
        answer = search._guessed(d, c, rows, g)
        side, _, other, _ = exact.place(whole, x0, g)
        if answer is not None:
            one = kernel.PLUS if side > 0 else kernel.MINUS
            assert answer == (one if other is None else kernel.CUTS)


def test_trained_on_digits() -> None:
    """Few units: the plain search and the zonotope agree on a network of the inner 16 pixels."""
    pytest.importorskip("sklearn")
    data, rng = digits(small=True), np.random.default_rng(1)
    images = data.images.reshape(-1, 8, 8)[:, 2:6, 2:6].reshape(-1, 16)
    training = Training([he([16, 3, 3, 10], rng)])
    for _ in range(2):
        for _ in epoch(training, images, data.labels, rng):
            pass
    plain, seen = both(training.layers(), lr.Box(0, 1))
    assert plain == seen > 8


def test_one_unit_behind_a_whole_layer() -> None:
    """2^n1 orthants, each cut by the last unit unless all of its active weights have its sign."""
    rng = np.random.default_rng(3)
    for same in range(8):
        W = rng.integers(-8, 9, (7, 40)) / 8  # with a bias that puts 0 in the middle, exactly
        v = np.where(np.arange(7) < same, 1.0, -1.0) * rng.integers(1, 9, 7)
        layers = [(W, -0.5 * W.sum(axis=1)), (v[None], np.array([1e-3])), (np.eye(1), np.zeros(1))]
        assert lr.count(layers, lr.Box(0, 1), engine="search") == 2**8 - 2**same


def test_witnesses_lie_in_the_zonotope():
    """Points are mixtures of vertices kept from cell to cell: none may leave the zonotope."""
    rng = np.random.default_rng(5)
    sizes = [120, 6, 10, 1]
    layers = [
        (rng.normal(0, (2 / n) ** 0.5, (m, n)), rng.normal(0, 0.1, m)) for n, m in pairwise(sizes)
    ]
    layers[0] = (layers[0][0], layers[0][1] - 0.5 * layers[0][0].sum(axis=1))
    seen = seen_through(restrict(lr.load(layers), lr.Box(0, 1)))
    V = seen.zonotope.V
    search, points = Search(seen, emit=1024), []
    more = True
    while more:
        more = search.run(10_000)
        points.append(search.take().points)
    points = np.concatenate(points)
    # normals of facets: orthogonal to five generators each
    facets = [rng.choice(V.shape[1], 5, replace=False) for _ in range(3000)]
    normals = np.array([np.linalg.svd(V[:, f])[0][:, -1] for f in facets])
    room = np.maximum(normals @ V, 0).sum(axis=1) - points @ normals.T
    assert len(points) == search.leaves > 3000
    assert room.min() > -1e-9


ROW = np.arange(1.0, 9.0) / 10


def slope_free(name):
    """Networks of eight inputs with a unit that is constant on cells of the first layer."""
    v, out = ROW, ([[1.0]], [0.0])
    return {
        "zero": [([v], [0.1]), ([[0.0]], [2.0]), ([[1.0]], [-2.0]), out],
        "positive": [([v], [0.1]), ([[0.0]], [2.0]), ([[1.0]], [-1.0]), out],
        "negative": [([v], [0.1]), ([[0.0]], [2.0]), ([[1.0]], [-3.0]), out],
        "equal units": [([v, v], [0.1, 0.1]), ([[1.0, -1], [0.3, 0.3]], [0, -0.2]),
                        ([[1.0, 1.0]], [0])],
        "scaled units": [([v, 4 * v], [0.5, 2.0]), ([[4.0, -1], [1, 1]], [0, -1]),
                         ([[1.0, 1.0]], [0])],
        "behind two": [([v, v], [0.1, 0.1]), ([[1.0, -1]], [0]), ([[1.0], [-1]], [0, 0]),
                       ([[1.0, 1.0]], [0])],
        "sum and parts": [([v, -v], [0.25, -0.25]), ([[1.0, -1], [1, 1]], [0, 0]),
                          ([[1.0, -1]], [0]), out],
    }[name]  # fmt: skip


NAMES = (
    "zero", "positive", "negative", "equal units", "scaled units", "behind two", "sum and parts",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("activation", ["relu", "leaky", "abs", "hardtanh"])
def test_rows_without_slope_go_by_the_sign_of_their_constant(name, activation) -> None:
    """Zero belongs to the lower piece, as over R^n and over a box of few inputs."""
    units = {
        "relu": {}, "leaky": {"activation": lr.Activation((0,), (0.5, 1), 0)},
        "abs": {"activation": lr.Activation((0,), (-1, 1), 0)},
        "hardtanh": {"activation": lr.Activation((-1, 1), (0, 1, 0), -1)},
    }[activation]  # fmt: skip
    net = lr.Network.from_layers(slope_free(name), **units)
    plain, seen = (
        Search(problem, emit=64)
        for problem in (restrict(net, lr.Box(-1, 1)), seen_through(restrict(net, lr.Box(-1, 1))))
    )
    found = []
    for search in (plain, seen):
        signs = []
        while True:
            more = search.run(1000)
            signs += map(tuple, search.take().signs.tolist())
            if not more:
                break
        found.append(set(signs))
        assert len(signs) == len(found[-1]) == search.leaves
    assert found[0] == found[1]
    answer = lr.count(net, lr.Box(-1, 1))
    assert answer == len(found[0]) and answer.exact
    for kind in ("linear", "affine"):
        line = lr.Slice(np.zeros(8), ROW[:, None], lr.Box(-9, 9))  # all that the units see
        assert lr.count(net, lr.Box(-9, 9), kind=kind) == lr.count(net, line, kind=kind)


def test_max_units_with_equal_arguments_over_many_inputs() -> None:
    """Two arguments that are one function: their comparison is a row of zeros everywhere."""
    first = lr.Layer(Affine.dense(np.array([ROW, ROW, -ROW]), np.zeros(3), 0),
                     lr.MaxUnits(((0, 1, 2),), 3))  # fmt: skip
    net = lr.Network(8, (first,), Affine.identity(1, 1))
    assert lr.count(net, lr.Box(-1, 1)) == lr.count(net) == 2


def test_a_guess_about_a_row_of_zeros() -> None:
    """The guesses in floats do not fail on it either, and prove nothing that is not true."""
    from flint import fmpz

    zero, row = [fmpz(0)] * 3, [fmpz(1), fmpz(0), fmpz(0)]
    lo, hi = -np.ones(2), np.ones(2)
    for cell, w in (([row], zero), ([row, zero], row), ([], zero)):
        guess = least(cell, w, lo, hi)
        assert guess is not None and not positive(cell, w, lo, hi, guess.multipliers)
