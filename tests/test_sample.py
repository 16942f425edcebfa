"""Sampling: never more than there is, the same on any path, honest about the rest."""

import json
import runpy
import signal
from pathlib import Path

import numpy as np
import pytest
from helpers import gaussian, patterns, run_here, write_npz
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import linregions as lr
from linregions.network.affine import INPUT, Affine
from linregions.network.units import HARDTANH, MaxUnits, Pointwise
from linregions.sampling import blocks, draws, floats, table
from linregions.sampling.exactly import Exactly
from linregions.sampling.laws import source
from linregions.sampling.layout import Layout
from linregions.sampling.species import chao1, coverage
from linregions.testing.strategies import networks

EXAMPLES = Path(__file__).parents[1] / "examples"


def spread(seed, d1):
    """A network of Xiong's Table 1 (1x3x1 input, d1 filters 1x2x1) without very small regions."""
    rng = np.random.default_rng(seed)
    angle = np.pi * (np.arange(d1) + 0.5 + 0.3 * rng.uniform(-1, 1, d1)) / d1
    bias = rng.permutation(np.linspace(-1, 1, d1)) if d1 > 1 else np.array([0.5])
    bias = bias + 0.2 * rng.normal(size=d1)
    W = np.zeros((2 * d1, 3))
    for i in range(2):
        W[i * d1 : (i + 1) * d1, i : i + 2] = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return [(W, np.tile(bias, 2)), (np.ones((1, 2 * d1)), np.zeros(1))]


def conv(seed, d1, d2=None):
    """Random networks of Xiong's Table 1, or of Table 2 (1x4x1 input, 2 and d2 filters 1x2)."""
    rng, layers, size, channels = np.random.default_rng(seed), [], 3 if d2 is None else 4, 1
    for filters in (d1,) if d2 is None else (d1, d2):
        W = np.zeros(((size - 1) * filters, size * channels))
        taps, bias = rng.normal(size=(filters, 2 * channels)), rng.normal(size=filters)
        for i in range(size - 1):
            W[i * filters : (i + 1) * filters, i * channels : (i + 2) * channels] = taps
        layers.append((W, np.tile(bias, size - 1)))
        size, channels = size - 1, filters
    return [*layers, (np.ones((1, size * channels)), np.zeros(1))]


SPREAD = {1: 0, 2: 1, 3: 2, 4: 5, 5: 26, 6: 14, 7: 1326}


@pytest.mark.parametrize("d1", SPREAD)
def test_table_1_of_xiong(d1):
    """d1^3 + d1^2 + d1 + 1 regions: all of them where none is too small, and never more."""
    count = d1**3 + d1**2 + d1 + 1
    net = spread(SPREAD[d1], d1)
    assert lr.count(net) == count
    found = lr.sample(net, points=20_000_000, v=(0.3, 0.5, 1, 3, 9))
    assert found == count and found.total.coverage > 0.999999 and found.total.chao1 < count + 2
    if d1 <= 4:
        assert set(map(tuple, found.patterns())) == patterns(net)
    for seed in range(3):  # as they come, with regions that few points meet
        found = lr.sample(conv(seed, d1), points=1_000_000)
        assert found <= count


@settings(max_examples=30, deadline=None)
@given(net=networks(inputs=(1, 3), layers=(1, 3)), seed=st.integers(0, 9))
def test_every_pattern_is_a_region(net, seed):
    """Ties, zero biases, duplicates: what is met is a full-dimensional region of the count."""
    everywhere, inside = patterns(net), patterns(net, lr.Box(-1, 2))
    found = lr.sample(net, points=20_000, v=(1, 4), seed=seed)
    assert set(map(tuple, found.patterns())) <= everywhere
    assert found.total.points + found.total.skipped == 20_000
    found = lr.sample(net, lr.Box(-1, 2), points=20_000, seed=seed)
    assert set(map(tuple, found.patterns())) <= inside


def test_a_zero_that_stays_zero_is_no_tie():
    """Without biases, layer 2 is zero where layer 1 is off: these points count."""
    rng = np.random.default_rng(0)
    net = [(rng.normal(size=(m, n)), np.zeros(m)) for n, m in ((2, 3), (3, 3), (3, 1))]
    found = lr.sample(net, points=100_000, v=1)
    assert found == lr.count(net) and found.total.skipped == 0


def test_table_2_of_xiong_by_all_paths():
    """The kernel, numpy and torch on its CPU agree; the first two at the very same points."""
    net = lr.load(conv(0, 2, 4))
    s = source(net, None, (3, 9))
    kernel = blocks.Sampler(s, 7, None)
    assert kernel.path == "kernel"
    plain = blocks.Sampler(s, 7, None)
    plain.program, plain.floats = None, floats.Floats(net)
    for first, last in ((0, 5000), (1000, 5000), (777, 4321)):
        tables = []
        for sampler in (kernel, plain):
            t = table.PatternTable(1, 0, 1 << 24)
            for found in sampler(1, 3, first, last).found:
                found.words = found.words[:, :0]
                t.add(found, 0)
            tables.append(t.sorted())
        for a, b in zip(*(t.arrays().values() for t in tables), strict=True):
            np.testing.assert_array_equal(a, b)
        assert tables[0].count.sum() == last - first
    x = draws.points(draws.stream(7, 1, 3, 9.0), 4, 0, 5000)
    whole = kernel(1, 3, 0, 5000).found
    got = {tuple(p) for f in whole for p in kernel.layout.decode(f.words).tolist()}
    assert got == set(map(tuple, net.patterns(x).tolist()))


def test_torch():
    pytest.importorskip("torch")
    net = conv(0, 2, 3)
    found = lr.sample(net, points=300_000, device="torch:cpu")
    assert found.path == "torch"
    assert set(map(tuple, found.patterns())) <= patterns(net)
    again = lr.sample(net, points=300_000, device="torch:cpu")
    np.testing.assert_array_equal(found.counts(), again.counts())
    other = lr.sample(net, points=300_000)
    assert abs(int(found) - int(other)) < 0.1 * int(other)
    box = lr.sample(net, lr.Box(-1, 1), points=100_000, device="torch:cpu")
    assert set(map(tuple, box.patterns())) <= patterns(net, lr.Box(-1, 1))
    with pytest.raises(lr.LinregionsError, match="cannot be used"):
        lr.sample(net, device="no such device")


def test_threads_and_resumption(tmp_path):
    net, n = conv(1, 2, 3), 2_000_003
    whole = lr.sample(net, points=n, threads=1)
    many = lr.sample(net, points=n, threads=5)
    state = tmp_path / "run.npz"
    for part in (10, 700_001, 1_500_000, n):
        again = lr.sample(net, points=part, state=state)
    for other in (many, again):
        assert other == whole and other.total == whole.total and other.laws == whole.laws
        np.testing.assert_array_equal(other.counts(), whole.counts())
        np.testing.assert_array_equal(other.patterns(), whole.patterns())
    done = lr.sample(net, points=n, state=state)  # nothing left to do
    assert done.laws == whole.laws
    assert lr.sample(net, points=n, seed=1).laws != whole.laws
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("how", ["seconds", "interrupt"])
def test_a_run_cut_short_goes_on(tmp_path, how):
    net, state, calls = conv(1, 2, 3), tmp_path / "run.npz", []
    before = signal.getsignal(signal.SIGINT)  # a shell without job control has it ignored

    def stop(status):
        calls.append(status)
        if how == "interrupt":
            signal.raise_signal(signal.SIGINT)

    seconds = 0.3 if how == "seconds" else None
    cut = lr.sample(
        net, points=60_000_000, state=state, seconds=seconds, progress=stop, threads=1,
        on_interrupt="return",
    )  # fmt: skip
    assert not cut.complete and cut.stopped == how and calls
    assert 0 < cut.total.points < 60_000_000
    assert signal.getsignal(signal.SIGINT) is before
    points = 6 * max(t.points + t.skipped for t in cut.laws) + 1_000_000
    rest = lr.sample(net, points=points, state=state)
    assert rest.complete and rest.laws == lr.sample(net, points=points).laws


def test_bounded_memory():
    """With too many patterns a known random share is kept, whatever the order."""
    net = gaussian(0, 6, 40, 40, 1)
    full = lr.sample(net, lr.Box(-1, 1), points=150_000, keep=True)
    assert full.total.thinned == 0 and full > 50_000
    small = lr.sample(net, lr.Box(-1, 1), points=150_000, memory=1 << 21, keep=True)
    t = small.total
    assert t.thinned > 0 and small <= full
    assert abs(t.distinct - int(full)) < 5 * t.deviation * int(full)
    assert abs(t.once - full.total.once) < 6 * t.deviation * int(full)
    kept = dict(zip(map(tuple, small.patterns()), small.counts()[:, 0], strict=True))
    every = dict(zip(map(tuple, full.patterns()), full.counts()[:, 0], strict=True))
    assert all(every[p] == n for p, n in kept.items())
    few = lr.sample(net, lr.Box(-1, 1), points=150_000, memory=1 << 21, threads=3)
    assert few.total == t


def test_long_patterns_are_hashed():
    """Beyond 128 bits: as many keys as patterns; kept on request."""
    net = lr.load(gaussian(1, 3, 70, 70, 1))
    assert Layout.of(net).bits == 140
    found = lr.sample(net, lr.Box(-1, 1), points=20_000, keep=True)
    assert found.path == "numpy"
    distinct = np.unique(found.patterns(), axis=0)
    assert len(distinct) == found
    assert found <= lr.count(net, lr.Box(-1, 1))
    with pytest.raises(lr.LinregionsError, match="keep=True"):
        lr.sample(net, lr.Box(-1, 1), points=100).patterns()
    words = np.random.default_rng(0).integers(0, 1 << 63, (20000, 3)).astype(np.uint64)
    words[:, 1:] = 0
    assert len(np.unique(table.keys_of(words).T, axis=0)) == 20000


def pooled(seed):
    """ReLUs without biases, then maxima of threes: all zero at many points."""
    rng = np.random.default_rng(seed)
    first = lr.Layer(
        Affine.dense(rng.normal(size=(6, 2)), None, INPUT),
        Pointwise.uniform(lr.network.units.RELU, 6),
    )
    groups = ((0, 1, 2), (3, 4, 5))
    second = lr.Layer(Affine.identity(6, 1), MaxUnits(groups, 6))
    third = lr.Layer(
        Affine.dense(rng.normal(size=(2, 2)), rng.normal(size=2), 2),
        Pointwise.uniform(HARDTANH, 2),
    )
    return lr.Network(2, (first, second, third), Affine.dense(np.ones((1, 2)), None, 3))


def test_max_units():
    """Against the patterns of rational arithmetic at the same points."""
    for seed in range(3):
        net = pooled(seed)
        found = lr.sample(net, points=3000, v=2)
        assert found.path == "numpy"
        sampler = blocks.Sampler(source(net, None, 2), 0, None)
        exactly, expected = Exactly(net), set()
        for _, x in sampler._stream(0, 0, 3000):
            for p in x[:400]:
                expected.add(tuple(exactly(p.tolist()) or ()))
        got = set(map(tuple, found.patterns()))
        assert expected - {()} <= got and found.total.skipped == 0


def test_a_doubt_is_settled_in_rationals_or_skipped():
    exactly = Exactly(lr.load([([[1.0, 1.0], [1.0, -1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])]))
    assert exactly([1.0, 0.5]) == [1, 1]
    assert exactly([1.0, 1.0]) is None
    # twice the same unit, added with opposite signs: zero everywhere, up to rounding
    W = np.random.default_rng(0).normal(size=(1, 3))
    net = [(np.concatenate([W, 3 * W]), np.zeros(2)), ([[3.0, -1.0]], [0.0]), ([[1.0]], [0.0])]
    found = lr.sample(net, points=2000, v=1)
    assert found == lr.count(net) == 2 or found < 4
    assert found.total.points + found.total.skipped == 2000


def test_domains():
    net = gaussian(2, 3, 6, 5, 1)
    triangle = lr.Polytope([[-1, 0, 0], [0, -1, 0], [0, 0, -1], [1, 1, 1]], [0, 0, 0, 1])
    found = lr.sample(net, triangle, points=300_000)
    assert set(map(tuple, found.patterns())) <= patterns(net, triangle)
    share = found.total.points / 300_000
    assert abs(share - 1 / 6) < 0.01 and found.total.outside == 300_000 - found.total.points
    plane = lr.Plane.through([0.0, 0, 1], [1, 0, 0], [0, 2, 0])
    flat = lr.sample(net, plane, points=500_000)
    assert set(map(tuple, flat.patterns())) <= patterns(net, plane)
    assert flat == lr.count(net, plane)
    low = lr.Box([-1, 0.5, -1], [1, 0.5, 1])
    assert lr.sample(net, low, points=200_000) <= lr.count(net, low)
    segment = lr.Segment([-3.0, 0, 1], [3, 1, 2])
    assert lr.sample(net, segment, points=100_000) == lr.count(net, segment)


def test_uniform_shares():
    """Points of the cells in proportion to their volumes (a chi-square test at 10^-4)."""
    net = gaussian(5, 2, 4, 3, 1)
    found = lr.sample(net, lr.Box(-1, 1), points=200_000)
    cells = lr.subdivide(net, lr.Box(-1, 1))
    volume = dict(zip(map(tuple, cells.patterns().tolist()), cells.volumes / 4, strict=True))
    got = dict(zip(map(tuple, found.patterns().tolist()), found.counts()[:, 0], strict=True))
    big = [p for p, v in volume.items() if v > 1e-3]
    expected = np.array([volume[p] for p in big])
    seen = np.array([got[p] for p in big])
    test = stats.chisquare(seen, expected / expected.sum() * seen.sum())
    assert test.pvalue > 1e-4


def test_normal_numbers():
    x = draws.points(draws.stream(3, 0, 0, 1.0), 4, 0, 250_000)
    assert stats.kstest(x.ravel(), "norm").pvalue > 1e-4
    tail = (abs(x) > draws.EDGE).sum()
    expected = x.size * 2 * stats.norm.sf(draws.EDGE)
    assert abs(tail - expected) < 5 * np.sqrt(expected)
    assert abs(np.corrcoef(x.T) - np.eye(4)).max() < 0.01
    u = draws.points(draws.stream(3, 0, 1, 0.0), 3, 0, 100_000)
    assert stats.kstest(u.ravel(), "uniform", args=(-1, 2)).pvalue > 1e-4
    again = draws.points(draws.stream(3, 0, 0, 1.0), 4, 1000, 50)
    np.testing.assert_array_equal(again, x[1000:1050])


def test_what_was_not_seen():
    """The values of the sheet: f1 = 4, n = 50; S = 10, f1 = 4, f2 = 2; f2 = 0."""
    assert coverage(50, 4) == 0.92 and coverage(0, 0) is None
    assert chao1(10, 4, 2) == 12 and chao1(10, 4, 0) == 16 and chao1(10, 0, 0) == 10


def test_bad_input(tmp_path):
    net = gaussian(0, 3, 4, 1)
    cases = [
        ({"points": 0}, "points"), ({"points": 2.5}, "points"), ({"seed": -1}, "seed"),
        ({"v": (3, -1)}, "positive"), ({"v": "abc"}, "standard dev"), ({"v": (3, 3)}, "twice"),
        ({"v": ()}, "positive"), ({"memory": 10}, "memory"), ({"threads": 0}, "threads"),
        ({"seconds": -1}, "seconds"), ({"domain": lr.Box(0, 1), "v": 3}, "one of the two"),
        ({"domain": lr.Polytope([[1, 0, 0]], [1])}, "unbounded"),
        ({"domain": lr.Line([0, 0, 0], [1, 0, 0])}, "unbounded"),
        ({"domain": lr.Box([0, 0], [1, 1])}, "3 inputs"), ({"domain": 3}, "no domain"),
        ({"domain": lr.Box(1, 1)}, "single point"), ({"state": tmp_path / "x.txt"}, "npz"),
    ]  # fmt: skip
    for options, message in cases:
        with pytest.raises(lr.LinregionsError, match=message):
            lr.sample(net, **options)
    state = tmp_path / "run.npz"
    lr.sample(net, points=1000, state=state)
    for options, message in (({"seed": 1}, "seed"), ({"v": 3}, "laws"), ({"points": 10}, "holds")):
        with pytest.raises(lr.LinregionsError, match=message):
            lr.sample(net, **{"points": 1000, "state": state, **options})
    with pytest.raises(lr.LinregionsError, match="network"):
        lr.sample(gaussian(1, 3, 4, 1), points=1000, state=state)
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(lr.LinregionsError, match="not a readable state"):
        lr.sample(net, points=1000, state=state)


SQUARE = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
THIN = {
    "sliver": ([[1, 1], [-1, -1]], [1e-9, 0]),
    "corner": ([[1, 1]], [-2 + 1e-7]),
    "below rounding": ([[1, 1], [-1, -1]], [1e-17, 0]),
    "flat": ([[1, 1], [-1, -1]], [0, 0]),
}


@pytest.mark.parametrize("name", THIN)
@pytest.mark.parametrize("points", [1, 5000])
@pytest.mark.parametrize("seconds", [None, 0])
def test_a_polytope_that_all_points_miss(tmp_path, name, points, seconds):
    """No answer at 0 points: an error, and no state of a run that gave nothing."""
    A, b = THIN[name]
    thin = lr.Polytope(np.vstack([SQUARE, A]), np.append(np.ones(4), b))
    state = tmp_path / "state.npz"
    with pytest.raises(lr.LinregionsError, match=f"none of {points:,} points"):
        lr.sample(gaussian(0, 2, 4, 1), thin, points=points, seconds=seconds, state=state)
    assert not state.exists()


def test_a_network_of_which_no_point_can_be_told():
    """A unit that is zero up to rounding wherever it is evaluated, and not settled."""
    net = lr.load([([[1.0, 1.0]], [0.0]), ([[1.0]], [0.0])])
    line = lr.Slice([0, 0], [[1.0], [-1.0]], lr.Box(-1, 1))
    assert lr.sample(net, line, points=100) == lr.count(net, line) == 1


def test_command_line(tmp_path):
    model, out = write_npz(tmp_path / "net.npz", spread(1, 2)), tmp_path / "patterns.npz"
    done = run_here("sample", model, "--points", "1e5", "--v", "1,3", "--json", "-o", out)
    answer = json.loads(done.stdout)
    found = lr.sample(spread(1, 2), points=100_000, v=(1, 3))
    assert answer["seen"] == found == 15 and len(answer["laws"]) == 2
    with np.load(out) as file:
        np.testing.assert_array_equal(file["patterns"], found.patterns())
    done = run_here("sample", model, "--box=-1,1", "--points", "1000")
    assert done.returncode == 0 and "coverage" in done.stdout
    done = run_here("sample", model, "--points", "many")
    assert done.returncode == 2 and "--points=many" in done.stderr


def test_the_example(capsys):
    runpy.run_path(str(EXAMPLES / "sampling_closes_in.py"))["main"]()
    lines = capsys.readouterr().out.splitlines()
    met = [int(line.split(": ")[1].split()[0]) for line in lines[1:]]
    assert met == sorted(met) and met[-1] <= int(lines[0].split()[0]) < 1.3 * met[-1]
