"""Estimates: unbiased, with intervals that cover; the tree can be thinned, split and forecast."""

import importlib.util
import json
from functools import cache
from itertools import product
from pathlib import Path

import known
import numpy as np
import pytest
from data import shared
from helpers import gaussian, run_here, write_npz

import linregions as lr
from linregions.cli import progress as cli_progress
from linregions.estimation import ahead as _ahead
from linregions.estimation import thin_kernel as thin
from linregions.estimation.estimate import EstimateRun
from linregions.estimation.interval import Groups
from linregions.estimation.thinned_walk import KNUTH, Thinned
from linregions.questions.count import Status
from linregions.search.branch import adopt, hand_over
from linregions.search.search import Search
from linregions.search.zonotope import seen_through
from linregions.testing.networks import random_network

GENERIC = [
    (20, 3), (30, 3), (60, 3), (25, 4), (40, 4), (50, 4), (20, 5), (30, 5), (40, 5), (20, 6),
    (30, 6), (40, 6), (50, 6), (16, 8), (20, 8), (24, 8), (30, 7), (20, 10), (22, 10), (12, 10),
    (18, 9),
]  # fmt: skip
CENTRAL = [(20, 4), (40, 4), (30, 5), (20, 6), (30, 6), (16, 8), (20, 8), (14, 10)]
FOLDED = [
    (known.wang, (2, 12, 12)), (known.wang, (2, 8, 8, 4)), (known.wang, (3, 12, 9)),
    (known.montufar, (2, 6, 6, 6)), (known.montufar, (2, 8, 8, 6)), (known.montufar, (3, 9, 9, 6)),
    (known.montufar, (3, 6, 6, 8)), (known.serra, (2, 6, 6, 4)),
]  # fmt: skip
DEEP = [
    (2, 24, 24, 1), (3, 20, 20, 1), (3, 16, 16, 1), (4, 10, 10, 1), (4, 8, 8, 8, 1), (5, 9, 9, 1),
    (6, 10, 8, 1), (3, 16, 16, 16, 1), (4, 12, 12, 1), (2, 30, 30, 30, 1), (5, 8, 8, 8, 1),
    (7, 10, 6, 1), (4, 14, 14, 1),
]  # fmt: skip


def fifty():
    """(layers, domain, number of regions) of fifty networks, 10^3 to 10^7 regions each."""
    for make, sizes in (
        [(known.generic, s) for s in GENERIC] + [(known.central, s) for s in CENTRAL] + FOLDED
    ):
        layers, expected = make(*sizes)
        yield layers, None, expected["activation"]
    for i, widths in enumerate(DEEP):
        layers, box = gaussian(100 + i, *widths), lr.Box(-1, 1) if i % 2 else None
        yield layers, box, int(lr.count(layers, box, engine="search"))


@cache
def networks():
    return list(fifty())


def test_there_are_fifty_networks_from_1000_to_10_million_regions():
    sizes = [count for *_, count in networks()]
    assert len(sizes) == 50
    assert min(sizes) >= 1000 and 10**7 < max(sizes) < 10**8


def test_intervals_of_95_per_cent_cover_the_count_of_45_networks():
    covered = given = 0
    for layers, domain, count in networks():
        found = lr.estimate(layers, domain, passes=24, work=800, seed=1)
        if found.interval is not None:
            given += 1
            covered += found.interval[0] <= count <= found.interval[1]
        assert found.seen <= count <= found.upper
    assert covered >= 45
    assert given >= covered


@pytest.mark.parametrize("method", ["thinned", "strata", "descents"])
def test_the_mean_of_repeats_is_the_count(method):
    layers, count = gaussian(5, 3, 9, 9, 1), lr.count(gaussian(5, 3, 9, 9, 1))
    values = np.array([
        lr.estimate(layers, passes=4, work=100, seed=seed, method=method).estimate
        for seed in range(60)
    ])  # fmt: skip
    assert values.std() > 0
    assert abs(values.mean() - count) < 3 * values.std(ddof=1) / np.sqrt(len(values))


@pytest.mark.parametrize("seed", range(16))
def test_passes_are_unbiased_for_every_kind_of_unit(seed):
    """Max units, several sources, ties (rational decisions and rational subtrees)."""
    net = random_network(seed, 3, 6, 3)
    problem = lr.restrict(net, lr.Box(-2, 2) if seed % 2 else lr.Space())
    whole = Search(problem)
    while whole.run(1 << 20):
        pass
    walker = Thinned(problem, np.random.default_rng(seed))
    everything = walker.go(0.0, np.inf)
    assert everything.complete
    assert everything.estimate == everything.seen == whole.leaves
    for _ in range(4):
        walker.go(5.0, np.inf)
    walker.learn()
    for threshold in (max(walker.forecast / 8, 1.5), KNUTH):
        x = np.array([walker.go(threshold, np.inf).estimate for _ in range(120)])
        assert abs(x.mean() - whole.leaves) <= 3.3 * x.std(ddof=1) / np.sqrt(len(x)) + 1e-9


def test_a_threshold_raised_on_the_way_leaves_no_bias():
    layers = gaussian(3, 3, 10, 10, 1)
    count = lr.count(layers)
    walker = Thinned(lr.restrict(lr.load(layers)), np.random.default_rng(0))
    found = [walker.go(1.0 + count / 2000, 60.0) for _ in range(200)]
    assert all(f.raised for f in found)
    x = np.array([f.estimate for f in found])
    assert abs(x.mean() - count) < 3 * x.std(ddof=1) / np.sqrt(len(x))


def test_work_is_forecast_with_the_leaves():
    layers = gaussian(3, 4, 10, 10, 1)
    problem = lr.restrict(lr.load(layers))
    whole = Thinned(problem, np.random.default_rng(0)).go(0.0, np.inf)
    walker = Thinned(problem, np.random.default_rng(1))
    for _ in range(5):
        walker.go(20.0, np.inf)
        walker.learn()
    found = [walker.go(20.0, np.inf) for _ in range(100)]
    for name in ("all_steps", "all_lps"):
        x = np.array([getattr(f, name) for f in found])
        truth = getattr(whole, name)
        assert abs(x.mean() - truth) < 3.3 * x.std(ddof=1) / np.sqrt(len(x))
        assert whole.all_lps == whole.lps and whole.all_steps == whole.steps


def test_the_same_seed_gives_the_same_estimate():
    layers = gaussian(0, 4, 16, 16, 1)
    a, b, c = (lr.estimate(layers, passes=12, work=500, seed=s) for s in (7, 7, 8))
    assert a.estimate == b.estimate and a.interval == b.interval and a.steps == b.steps
    assert a.estimate != c.estimate


def test_a_small_tree_is_walked_to_its_end():
    found = lr.estimate(gaussian(0, 2, 6, 6, 1), seconds=5)
    count = lr.count(gaussian(0, 2, 6, 6, 1))
    assert found.complete and found.estimate == found.seen == count
    assert found.interval == (count, count)
    assert found.stopped == "complete"
    assert "all of them were met" in found.describe()


def test_a_relative_error_ends_an_estimate():
    layers, expected = known.generic(40, 6)
    found = lr.estimate(layers, relative_error=0.1)
    assert found.stopped == "relative_error"
    assert found.relative_error <= 0.1
    assert found.estimate == pytest.approx(expected["activation"], rel=0.3)


def test_no_interval_where_few_descents_dominate():
    layers = gaussian(0, 8, 16, 16, 16, 1)
    found = lr.estimate(layers, passes=20, method="descents")
    assert found.interval is None
    assert "few descents dominate the sum" in found.why
    assert found.relative_error == float("inf")
    assert "no interval" in found.describe()
    assert found.to_dict()["interval"] is None
    few = lr.estimate(gaussian(0, 4, 16, 16, 1), passes=3, work=500)
    assert few.interval is None and "only 3 independent passes" in few.why


def test_without_units_there_is_one_region():
    found = lr.estimate([([[1.0, 2.0]], [0.0])], seconds=1)
    assert found.estimate == found.seen == 1 and found.complete


def test_a_tree_that_only_rational_arithmetic_can_walk(monkeypatch):
    """No float witness to start from: Exact.leaves does it all."""
    monkeypatch.setattr(Search, "_float_witness", lambda self: None)
    rng = np.random.default_rng(0)
    layers = [(rng.standard_normal((7, 2)) * 1e200, rng.standard_normal(7) * 1e200),
              (rng.standard_normal((4, 7)) * 1e200, rng.standard_normal(4)),
              (np.ones((1, 4)), [0.0])]  # fmt: skip
    problem = lr.restrict(lr.load(layers))
    whole = Search(problem)
    assert whole.cursor is None
    while whole.run(1 << 20):
        pass
    walker = Thinned(problem, np.random.default_rng(0))
    assert walker.go(0.0, np.inf).estimate == whole.leaves
    walker.learn()
    x = np.array([walker.go(3.0, np.inf).estimate for _ in range(100)])
    assert abs(x.mean() - whole.leaves) < 3.3 * x.std(ddof=1) / np.sqrt(len(x))
    assert lr.estimate(layers, seconds=5).estimate == whole.leaves


def test_a_box_of_many_inputs_is_estimated_and_split():
    """Behind more inputs than units the search works on a zonotope."""
    layers = gaussian(0, 30, 7, 6, 1)
    problem = seen_through(lr.restrict(lr.load(layers), lr.Box(0, 1)))
    first, whole = Search(problem), Search(problem)
    assert first.compiled.zonotope is not None
    while whole.run(1 << 20):
        pass
    first.run(20)
    others = adopted(problem, hand_over(first))
    for search in others:
        while search.run(1 << 20):
            pass
    assert first.leaves + sum(search.leaves for search in others) == whole.leaves
    assert len(others) > 1 and all(search.leaves > 0 for search in others)
    walker = Thinned(problem, np.random.default_rng(0))
    assert walker.go(0.0, np.inf).estimate == whole.leaves
    walker.learn()
    x = np.array([walker.go(walker.forecast / 10, np.inf).estimate for _ in range(100)])
    assert abs(x.mean() - whole.leaves) < 3.3 * x.std(ddof=1) / np.sqrt(len(x))
    found = lr.estimate(layers, lr.Box(0, 1), seconds=20)
    assert found.dimension == 30 and found.estimate == lr.count(layers, lr.Box(0, 1))


def test_groups_merge_in_pairs_and_keep_the_mean():
    rng, groups, total = np.random.default_rng(0), Groups(), []
    for _ in range(79):
        value = rng.normal(10.0)
        total += [value] * (1 << groups.doublings)
        groups.add(value)
    assert groups.doublings == 2 and 20 <= len(groups.values) < 40
    assert groups.interval(0.95).low < 10 < groups.interval(0.95).high
    assert groups.interval(0.99).high > groups.interval(0.95).high
    assert groups.mean == pytest.approx(np.mean(total))


def test_bad_options_are_refused():
    net = gaussian(0, 2, 3, 1)
    for options, line in (
        ({"method": "magic"}, "unknown method 'magic'"),
        ({"seconds": 0}, "seconds=0"),
        ({"relative_error": -1}, "relative_error=-1"),
        ({"passes": 0}, "passes=0"),
        ({"confidence": 1}, "confidence=1"),
        ({"work": 1}, "work=1"),
    ):
        with pytest.raises(lr.LinregionsError, match=line):
            lr.estimate(net, **options)
    with pytest.raises(lr.LinregionsError, match="workers"):
        lr.plan(net, workers=(0,))


# -- branches handed over -----------------------------------------------------------------


def adopted(problem, branches):
    """A search of its own for each branch."""
    searches = [Search(problem) for _ in branches]
    for search, branch in zip(searches, branches, strict=True):
        adopt(search, branch)
    return searches


@pytest.mark.parametrize(("seed", "bounded"), list(product(range(12), (False, True))))
def test_branches_given_to_other_searches_add_up(seed, bounded):
    net = random_network(seed, 3, 6, 3)
    problem = lr.restrict(net, lr.Box(-2, 2) if bounded else lr.Space())
    whole = Search(problem)
    while whole.run(1 << 20):
        pass
    if whole.cursor is None:
        pytest.skip("a search without a cursor has no branches")
    first = Search(problem)
    first.run(5)
    searches, rng = [first], np.random.default_rng(seed)
    for _ in range(10):
        for search in searches:
            search.run(2)
        searches += adopted(problem, hand_over(searches[rng.integers(len(searches))]))
    assert len(searches) > 1 or whole.leaves < 20
    while any([search.run(1 << 20) for search in searches]):
        pass
    assert sum(search.leaves for search in searches) == whole.leaves


# -- plan and progress --------------------------------------------------------------------


def test_plan_forecasts_what_a_count_takes():
    layers = gaussian(0, 8, 12, 12, 1)
    forecast = lr.plan(layers, seconds=2, workers=(1, 4))
    count = lr.count(layers, engine="search")
    assert forecast.estimate.estimate == pytest.approx(count, rel=0.2)
    assert count.seconds / 6 < forecast.seconds < 6 * count.seconds  # a shared machine
    assert forecast.workers == {1: forecast.seconds, 4: forecast.seconds / 4}
    assert forecast.engine == "search" and forecast.complex_memory is None
    assert 1e4 < forecast.memory < 1e7


def test_plan_knows_when_count_takes_the_complex():
    layers = gaussian(0, 3, 8, 8, 1)
    forecast = lr.plan(layers, lr.Box(-1, 1), seconds=1)
    assert forecast.engine == "complex" == lr.count(layers, lr.Box(-1, 1)).engine
    assert forecast.complex_memory > 100 * forecast.estimate.seen
    assert "complex" in forecast.describe()


def test_progress_says_how_far_a_count_is(monkeypatch):
    monkeypatch.setattr(_ahead, "FIRST", 0.2)
    monkeypatch.setattr(_ahead, "PART", 0.5)
    seen = []
    count = lr.count(gaussian(0, 8, 12, 12, 1), progress=seen.append, engine="search")
    late = [s for s in seen if s.total is not None]
    assert late, "no estimate came"
    assert late[-1].total == pytest.approx(count, rel=0.25)
    assert 0 < late[-1].share < 1 and late[-1].left > 0
    text = cli_progress.words(late[-1], 9.0)
    assert "%" in text and "left" in text
    assert "%" not in cli_progress.words(Status(10, 1.0), 1.0)


def test_an_estimate_beside_a_count_ends(monkeypatch):
    monkeypatch.setattr(_ahead, "MOST", 0.3)
    ahead = _ahead.Ahead(lr.restrict(lr.load(gaussian(0, 8, 24, 24, 1))))
    ahead.prepare()
    for elapsed in (1e3, 1e4, 1e5):
        ahead.total(1, elapsed)
    assert 0.2 < ahead.used < 10  # one try, though a twentieth of a day was there


# -- command line -------------------------------------------------------------------------


def test_the_command_line_estimates(tmp_path):
    path = write_npz(tmp_path / "net.npz", gaussian(0, 4, 16, 16, 1))
    done = run_here("estimate", path, "--passes", "12", "--seed", "3", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"estimate", "interval", "confidence", "seen", "seconds", "method"} <= set(found)
    again = lr.estimate(lr.load(path), passes=12, seed=3)
    assert found["estimate"] == again.estimate
    assert found["interval"] == list(again.interval)
    assert found["upper_bound"] == again.upper >= again.estimate
    words = run_here("estimate", path, "--passes", "12")
    assert "interval    " in words.stdout and "at least    " in words.stdout


def test_the_command_line_plans(tmp_path):
    path = write_npz(tmp_path / "net.npz", gaussian(0, 3, 6, 6, 1))
    done = run_here("plan", path, "--seconds", "1", "--workers", "1,8", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["regions"]["seen"] == lr.count(lr.load(path))
    assert set(found["workers"]) == {"1", "8"} and found["memory"] > 0
    assert "8 workers" in run_here("plan", path, "--seconds", "1", "--workers", "1,8").stdout


@pytest.mark.parametrize(
    "arguments",
    [("estimate", "--method", "magic"), ("estimate", "--seconds", "0"), ("estimate", "--seed=-1"),
     ("plan", "--workers", "1,x"), ("plan", "--seconds=-1")],
)  # fmt: skip
def test_the_command_line_refuses(tmp_path, arguments):
    path = write_npz(tmp_path / "net.npz", gaussian(0, 2, 3, 1))
    done = run_here(arguments[0], path, *arguments[1:])
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and arguments[-1].split("=")[-1].split(",")[-1] in (
        done.stderr
    )


# -- the real thing -----------------------------------------------------------------------


@pytest.mark.parametrize(("name", "count"), [("C", 133_592), ("D", 146_603), ("E", 77_455)])
def test_five_per_cent_of_the_networks_of_the_peers(name, count):
    found = lr.estimate(shared(f"bench/{name}.npz"), lr.Box(-1, 1), relative_error=0.05)
    assert found.seconds < 30
    assert found.relative_error <= 0.05
    assert abs(found.estimate / count - 1) < 0.1


def test_the_example_closes_in_on_the_count():
    spec = importlib.util.spec_from_file_location(
        "estimates", Path(__file__).parents[1] / "examples" / "estimates.py"
    )
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    layers = script.deep(5, 10, 10, 1)
    plan, counted = script.forecast(layers, seconds=1.0)
    found = script.closing_in(layers)
    assert abs(plan.estimate.estimate / counted - 1) < 0.1
    assert found[-1].relative_error < 0.5 * found[0].relative_error
    assert found[-1].interval[0] <= counted <= found[-1].interval[1]
    assert abs(found[-1].estimate / counted - 1) < 0.05


# -- bad numbers, and the least that is certain -------------------------------------------------


def twin(n, seed=0):
    """Every hidden unit twice, and the difference: 2^n cells, one affine map."""
    rng = np.random.default_rng(seed)
    W, b, v = rng.normal(size=(n, n)), rng.normal(size=n), rng.normal(size=n)
    return [(np.vstack([W, W]), np.append(b, b)), (np.append(v, -v)[None], [0.5])]


def lattice(n, steps):
    """Parallel lines on each axis, again in a second layer: every decision of the next is a tie."""
    W, b = np.repeat(np.eye(n), steps, axis=0), -np.tile(np.arange(1.0, steps + 1), n)
    return [(W, b), (np.tile(np.eye(n * steps)[:n], (2, 1)), -np.arange(2.0 * n)),
            (np.ones((1, 2 * n)), [0.0])]  # fmt: skip


@pytest.mark.parametrize("net", [twin(4), twin(8), lattice(2, 4), lattice(3, 3)])
def test_many_rational_decisions_in_a_limited_time(net):
    """Each is quick and ends a time slice early, which must not make the next one longer."""
    for seconds in (1, 4):
        found = lr.estimate(net, seconds=seconds)
        assert 1 <= found.seen <= found.estimate <= found.upper
    assert lr.plan(net, seconds=1).seconds > 0
    if found.complete:
        assert found.estimate == lr.count(net)


def test_time_slices_are_no_longer_where_they_end_early(monkeypatch):
    """Steps per slice grow with the speed of the walk alone, whatever ends the slices."""
    from linregions.estimation import thinned_walk as thinned

    asked, thin = [], thinned.T.thin
    monkeypatch.setattr(thinned.T, "thin", lambda *a: asked.append(a[-1]) or thin(*a))
    walker = Thinned(lr.restrict(lr.load(twin(8))), np.random.default_rng(0))
    walker.deadline = 1e18
    assert walker.go(0.0, np.inf).seen == 2**8
    assert max(asked) < 1 << 24 and len(asked) > 64


def test_a_trained_network_is_planned(tmp_path):
    path = shared("lipschitz/bike_13-20-16-8-3.npz")
    done = run_here("plan", path, "--seconds", "5", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["regions"]["seen"] >= 1


def test_a_domain_has_one_region_at_least():
    """However little time there was: no pass met a leaf, and yet a cell holds the witness."""
    net = gaussian(0, 12, 60, 40, 1)
    for method in ("thinned", "strata", "descents"):
        found = lr.estimate(net, lr.Box(0, 1), seconds=1e-3, method=method)
        assert 1 <= found.seen <= found.estimate <= found.upper
        assert found.interval is None or found.interval[0] >= found.seen
        assert "about 0" not in found.describe()
    problem = lr.restrict(lr.load(net), lr.Box(0, 1))
    run = EstimateRun(problem, "thinned", 0, 100)
    for _ in range(12):
        run.groups.add(0.0)  # passes that left out everything
    found = run.answer(0.95)
    assert (found.estimate, found.seen, found.interval) == (1.0, 1, None)
    assert "at least 1 " in found.describe() and "about" not in found.describe()
    assert run._so_far() == 1


@pytest.mark.parametrize("value", [0.25, 1e12, 1e300])
def test_estimates_respect_what_is_certain(value):
    """Values beyond the least or the most that there can be."""
    net = gaussian(0, 2, 3, 1)
    run = EstimateRun(lr.restrict(lr.load(net)), "thinned", 0, 100)
    for n in range(12):
        run.groups.add(value * (1 + 0.01 * n))
    found = run.answer(0.95)
    assert found.seen <= found.estimate <= found.upper <= 8
    assert found.interval is None and "certain bounds" in found.why


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_weights_beyond_floats_are_no_estimate(value):
    run = EstimateRun(lr.restrict(lr.load(gaussian(0, 2, 3, 1))), "thinned", 0, 100)
    for _ in range(12):
        run.groups.add(value)
    assert not run.groups.interval(0.95).given and run._so_far() >= 1
    with pytest.raises(lr.LinregionsError, match="more regions than"):
        run.answer(0.95)


def test_a_threshold_may_be_raised_for_ever():
    walker = Thinned(lr.restrict(lr.load(gaussian(0, 3, 8, 8, 1))), np.random.default_rng(0))
    walker.start(1.0, 10.0)
    for _ in range(1200):
        walker._raise()
    assert walker.state.v[thin.THRESHOLD] == np.inf
