"""Networks with large convolutions on slices: only the units that switch there are kept."""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest

import linregions as lr
from linregions.domain.restrict import restrict
from linregions.errors import LinregionsError
from linregions.large.columns import Column, ColumnFactor
from linregions.large.fixed import BITS, TOP, carry, split, to_float, to_ints
from linregions.large.whole import whole_signs
from linregions.network import network as network_module
from linregions.network import operators
from linregions.network.affine import INPUT, ONE
from linregions.network.operators import Convolution
from linregions.network.units import MaxUnits
from linregions.readers.symbolic import layers
from linregions.readers.symbolic.windows import Window

torch = pytest.importorskip("torch")
nn = torch.nn
SIZE = (2, 12, 12)


class Residual(nn.Module):
    """A small relative of ResNet18: all kinds of layers that it has, groups and leaky units too."""

    def __init__(self, twins=False):
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.inner = nn.Conv2d(4, 4, 3, padding=1)
        self.down, self.short = nn.Conv2d(4, 6, 3, 2, 1, groups=2), nn.Conv2d(4, 6, 1, 2)
        self.late, self.linear = nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 3)
        self.pool, self.mean = nn.MaxPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(1)
        nn.init.uniform_(self.norm.running_var, 0.5, 2.0)
        nn.init.uniform_(self.norm.weight, 0.5, 2.0)
        nn.init.uniform_(self.norm.running_mean, -0.1, 0.1)
        if twins:
            first, norm = self.first, self.norm
            for t in (first.weight, first.bias, norm.weight, norm.running_mean, norm.running_var):
                t.data[1] = t.data[0]

    def forward(self, x):
        x = self.pool(torch.relu(self.norm(self.first(x))))
        x = torch.relu(self.inner(x) + x)
        x = torch.relu(self.down(x) + self.short(x))
        x = nn.functional.leaky_relu(self.late(x), 0.125)
        return self.linear(torch.flatten(self.mean(x), 1))


@cache
def networks(twins, seed):
    """The same network with its convolutions written out, and kept as they are."""
    torch.manual_seed(seed)
    module = Residual(twins).eval()
    small = lr.load(module, shape=SIZE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "LAZY", 0)
        large = lr.load(module, shape=SIZE)
    assert len(large.convolutions) == 5 and not small.convolutions
    return small, large


def pair(monkeypatch, twins=False, seed=0):
    """Both networks, and all of this size are large."""
    monkeypatch.setattr("linregions.domain.restrict.LARGE", 1000)
    return networks(twins, seed)


def square(size, seed=0):
    return lr.Plane.through(*np.random.default_rng(seed).normal(size=(3, 288)), size=size)


def test_the_canonical_form_does_not_change(monkeypatch, tmp_path):
    small, large = pair(monkeypatch)
    assert small.hash == large.hash and small.canonical()[0] == large.canonical()[0]
    x = np.random.default_rng(0).normal(size=(3, 288))
    assert np.array_equal(small(x), large(x))
    large.save(tmp_path / "net.npz")
    assert lr.load(tmp_path / "net.npz") == small


@pytest.mark.parametrize("seed", [0, 3])
def test_plane(monkeypatch, seed):
    small, large = pair(monkeypatch, seed=seed)
    a, b = lr.subdivide(small, square(0.02)), lr.subdivide(large, square(0.02))
    assert b.problem.reduced is not None and b.problem.network.units < 60 < small.units
    assert b.exact and b.in_doubt == b.stats["undecided"] == 0
    assert a.cells == b.cells > 100 and a.face_counts == b.face_counts
    whole = {p.tobytes() for p in a.patterns().astype(np.uint8)}
    assert whole == {p.tobytes() for p in b.whole_patterns().astype(np.uint8)}
    numbers = b.problem.reduced.numbers
    made = b.facet_unit[b.facet_unit > 0]
    assert sorted(numbers[made - 1] + 1) == sorted(a.facet_unit[a.facet_unit > 0])
    assert a.count("linear") == b.count("linear")
    x = b.embed(b.interior_points)
    W, shift = b.affine_maps()
    value = np.einsum("nok,nk->no", W, b.interior_points) + shift
    assert np.allclose(value, small(x), atol=1e-12)


def test_counts(monkeypatch):
    small, large = pair(monkeypatch)
    found = lr.count(large, square(0.02))
    assert found == lr.count(small, square(0.02)) and found.exact and found.engine == "complex"
    assert found.units == small.units
    assert not lr.count(large, square(0.02), kind="linear").exact  # equal maps are not certified


def test_a_solid(monkeypatch):
    small, large = pair(monkeypatch)
    rng = np.random.default_rng(2)
    solid = lr.Slice(rng.normal(size=288), rng.normal(size=(288, 3)), lr.Box(-0.006, 0.004))
    a, b = lr.subdivide(small, solid), lr.subdivide(large, solid)
    assert a.cells == b.cells > 5 and a.face_counts == b.face_counts and b.exact


def test_segments(monkeypatch):
    small, large = pair(monkeypatch)
    for seed in range(2):
        ends = np.random.default_rng(seed).normal(size=(1, 2, 288)) * 0.3
        a, b = lr.crossings(small, ends), lr.crossings(large, ends)
        assert b.exact and len(a.t) > 100
        assert np.allclose(a.t, b.t, atol=1e-12, rtol=0.0)
        for name in ("start", "rows", "row_ptr"):
            assert np.array_equal(getattr(a, name), getattr(b, name))
        assert a.count("linear") == b.count("linear")
        assert np.allclose(a.pieces.slope, b.pieces.slope, atol=1e-12)
    with pytest.raises(LinregionsError, match="as rationals"):
        b.exact_t(0)


def test_ties_are_counted_and_never_certified(monkeypatch):
    """Two equal channels bend on the same lines, which no error bound can tell."""
    small, large = pair(monkeypatch, twins=True)
    cells = lr.subdivide(large, square(0.02))
    first = cells.problem.reduced.kept[0].units
    assert np.isin(first[first < 144] + 144, first).any()  # both of some pair may switch
    assert not cells.exact and cells.in_doubt == cells.stats["undecided"] > 0
    assert cells.cells == lr.subdivide(small, square(0.02)).cells
    assert not lr.count(large, square(0.02)).exact


def test_radius(monkeypatch):
    """Rows of the small network against exact pre-activations of the given one."""
    small, large = pair(monkeypatch)
    where = square(0.05)
    problem = restrict(large, where, switching=True)
    reduced, net = problem.reduced, problem.network
    chart = where.chart(288)
    rng = np.random.default_rng(0)
    half = float(np.max(where.rectangle.hi))
    y = [Fraction(v) for v in rng.uniform(-half, half, 2)]
    x = [
        Fraction(o) + Fraction(u) * y[0] + Fraction(v) * y[1]
        for o, (u, v) in zip(chart.origin.tolist(), chart.basis.tolist(), strict=True)
    ]
    point = np.empty(288, dtype=object)
    point[:] = x
    values, pre, pieces = {INPUT: point}, [], []
    for i, layer in enumerate(small.layers, start=1):
        pre.append(layer.affine.at(values))
        values[i], mine = layer.units.at(pre[-1])
        pieces.append(mine)
    known = {INPUT: y, ONE: [Fraction(1)]}
    for n, (kept, layer) in enumerate(zip(reduced.kept, net.layers, strict=True)):
        args = pre[kept.layer - 1]
        if isinstance(layer.units, MaxUnits):
            groups = small.layers[kept.layer - 1].units.groups
            lists = [np.array(groups[u])[p] for u, p in zip(kept.units, kept.args, strict=True)]
            args = args[np.unique(np.concatenate(lists))]
        else:
            args = args[kept.units]
        for r, exact in enumerate(args):
            assert abs(_row(layer.affine, r, known) - exact) <= Fraction(reduced.radius[n][r])
        known[n + 1] = [values[kept.layer][u] for u in kept.units]
        fixed = np.ones(len(pieces[kept.layer - 1]), bool)
        fixed[kept.units] = False
        stays = np.array(pieces[kept.layer - 1])[fixed]
        assert np.array_equal(stays, reduced.pieces[kept.layer - 1][fixed])
    out = small.output.at(values)
    for r in range(3):
        assert abs(_row(net.output, r, known) - out[r]) <= Fraction(reduced.radius[-1][r])


def _row(affine, r, known):
    total = Fraction(0)
    for term in affine.terms:
        row = term.factors[0][r]
        total += sum(Fraction(w) * v for w, v in zip(row.tolist(), known[term.source], strict=True))
    return total


# -- arithmetic -------------------------------------------------------------------------------


def test_digits():
    rng = np.random.default_rng(0)
    values = rng.normal(size=50) * 10.0 ** rng.integers(-9, 9, 50)
    parts, left = split(values, -TOP, 7)
    X = np.zeros((10, 50))
    for d, part in parts.items():
        X[d + TOP] = part
    ulp = Fraction(1, 1 << (BITS * 7))
    for got, value in zip(to_ints(X), values.tolist(), strict=True):
        assert abs(got * ulp - Fraction(value)) <= Fraction(left)
    assert np.abs(X).max() <= 2.0 ** (BITS - 1)
    assert np.allclose(to_float(X), values, rtol=4e-16, atol=2.0 ** -(BITS * 7))
    Y = rng.integers(-(2**50), 2**50, size=(6, 20)).astype(float)
    Y[:3] = 0.0
    before = to_ints(Y)
    carry(Y)
    assert to_ints(Y) == before and np.abs(Y).max() <= 2.0 ** (BITS - 1)


WINDOWS = [
    (Window.of((3, 3), (1, 1), (1, 1), (1, 1)), 1),
    (Window.of((3, 2), (2, 1), (1, 2), (1, 0), (0, 2)), 2),
    (Window.of((1, 1), (2, 2)), 1),
    (Window.of((2, 3), (3, 2), (2, 1), (2, 2)), 4),
]


@pytest.mark.parametrize("digits", [4, 8])
@pytest.mark.parametrize("window, groups", WINDOWS)
def test_convolution_of_columns(window, groups, digits):
    """Against the matrix, in rationals: whole columns, sparse ones, and what may be lost."""
    rng = np.random.default_rng(digits)
    shape, made = (7, 6), 4
    weight = rng.normal(size=(made, 4 // groups, *window.kernel))
    m = Convolution(weight, groups, shape, window.outputs(shape), window)
    x = rng.normal(size=m.shape[1])
    some = np.flatnonzero(np.isin(np.arange(len(x)) % 42, (8, 9, 15)))[:5]
    factor, exact = ColumnFactor(m), m.matrix()
    assert factor.shape == exact.shape
    e = np.abs(x)
    assert np.all(factor.bound(e) >= abs(exact) @ e * (1 - 1e-12))
    for at in (None, some):
        parts, _ = split(x if at is None else x[at], -TOP, digits - 1 - TOP)
        X = np.zeros((digits, len(x) if at is None else len(at)))
        for d, part in parts.items():
            X[d + TOP] = part
        given = Column(at, X)
        found, lost = factor.apply({0: given, 1: given})
        ulp = Fraction(1, 1 << (BITS * (digits - 1 - TOP)))
        inputs = [v * ulp for v in to_ints(given.whole(len(x)))]
        for c in (0, 1):
            none = Column(np.zeros(0, int), np.zeros((digits, 0)))
            outputs = to_ints(found.get(c, none).whole(m.shape[0]))
            for i, row in enumerate(exact.tocsr()):
                true = (
                    sum(
                        Fraction(w) * inputs[j]
                        for w, j in zip(row.data.tolist(), row.indices.tolist(), strict=True)
                    )
                    if row.nnz
                    else Fraction(0)
                )
                assert abs(outputs[i] * ulp - true) <= Fraction(lost)


def test_signs_of_the_whole(monkeypatch):
    small, _ = pair(monkeypatch)
    cells = lr.subdivide(small, square(0.01))
    for i in range(3):
        assert np.array_equal(whole_signs(small, cells.patterns([i])[0]), cells.signs([i])[0] > 0)


# -- refusals ---------------------------------------------------------------------------------


def test_what_cannot_work_is_refused_at_once(monkeypatch):
    _, large = pair(monkeypatch)
    monkeypatch.setattr(network_module, "MATRICES", 1000)
    for domain in (None, lr.Box(-1, 1)):
        with pytest.raises(LinregionsError, match=r"288 inputs.* GB .*--plane"):
            lr.count(large, domain)
    for options in ({"limit": 5}, {"kind": "closed"}, {"engine": "search"}):
        with pytest.raises(LinregionsError, match="--plane"):
            lr.count(large, square(0.02), **options)
    with pytest.raises(LinregionsError, match="--plane"):
        lr.crossings(large, lr.Line(np.zeros(288), np.ones(288)))


def test_large_matrices_are_never_made(monkeypatch):
    _, large = pair(monkeypatch)
    for part in large.convolutions:
        part.__dict__.pop("_matrix", None)
    monkeypatch.setattr(operators, "LARGEST_CONVOLUTION", 1000)
    assert lr.count(large, square(0.02)) > 100
    with pytest.raises(LinregionsError, match="as a matrix"):
        large.canonical()


def test_a_slice_that_is_too_large(monkeypatch):
    _, large = pair(monkeypatch)
    monkeypatch.setattr("linregions.large.reduce.MOST", 50)
    with pytest.raises(LinregionsError, match="more than 50 units may switch"):
        lr.subdivide(large, square(1.0))


def test_memory_is_known_before(monkeypatch):
    _, large = pair(monkeypatch)
    monkeypatch.setattr("linregions.large.reduce.memory", lambda: 100_000)
    with pytest.raises(LinregionsError, match="GB; take a smaller slice"):
        lr.subdivide(large, square(0.02))


def test_a_picture(monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    _, large = pair(monkeypatch)
    cells = lr.subdivide(large, square(0.02))
    figure = lr.draw.draw(cells)
    assert figure is not None
    lr.draw.page(cells, tmp_path / "page.html") if hasattr(lr.draw, "page") else None
