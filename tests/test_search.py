"""The search as a resumable cursor: slices, limits, interrupts, memory."""

import itertools
import tracemalloc

import numpy as np
import pytest
from helpers import gaussian, search_of
from hypothesis import given, settings
from hypothesis import strategies as st
from known import central, ulp

import linregions as lr
from linregions.testing import oracle
from linregions.testing.strategies import problems

NETS = {
    "generic": lambda: (gaussian(0, 3, 8, 6, 1), lr.Box(-1, 1)),
    "unbounded": lambda: (gaussian(1, 2, 9, 7, 1), None),
    "central": lambda: (central(9, 3)[0], None),
    "thin": lambda: (ulp()[0], None),
    "degenerate": lambda: (degenerate(), lr.Box(-2, 2)),
}


def degenerate():
    """Integer rows, many of them parallel, opposite or concurrent, over two layers."""
    rng = np.random.default_rng(12)
    return [
        (rng.integers(-2, 3, (8, 2)).astype(float), rng.integers(-1, 2, 8).astype(float)),
        (rng.integers(-1, 2, (5, 8)).astype(float), rng.integers(-2, 3, 5).astype(float)),
        (np.ones((1, 5)), np.zeros(1)),
    ]


def thin_and_deep():
    """The cell without floats, with a second layer that cuts inside it."""
    e = 2.0**-53
    return [([[1], [1 - e]], [-1, -1]), ([[1, -4], [1, -8]], [-e / 4, -e / 2]), ([[1, 1]], [0])]


def drain(search, budgets):
    """All cells in the order found, as (signs, point) in bytes."""
    found, more = [], True
    for nodes in budgets:
        more = search.run(nodes)
        batch = search.take()
        found += [
            (s.tobytes(), p.tobytes()) for s, p in zip(batch.signs, batch.points, strict=True)
        ]
        if not more:
            break
    assert not more and search.done
    return found


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("nodes", [1, 7, 100])
def test_small_slices_make_the_same_search(name, nodes):
    net, domain = NETS[name]()
    whole = search_of(net, domain)
    assert not whole.run(10**9) and whole.done
    sliced = search_of(net, domain)
    seen = [0]
    while sliced.run(nodes):
        assert sliced.leaves >= seen[-1]
        seen.append(sliced.leaves)
    assert sliced.leaves == whole.leaves
    if name in ("generic", "unbounded"):
        assert len(set(seen)) > whole.leaves / (2 * nodes + 10)
        box = domain and ("box", [-1] * 3, [1] * 3)
        assert whole.leaves == len(oracle.activation_patterns(net, box))


@pytest.mark.parametrize("name", NETS)
def test_the_order_does_not_depend_on_slices_or_buffers(name):
    net, domain = NETS[name]()
    one = drain(search_of(net, domain, emit=5000), itertools.repeat(10**6))
    assert len({s for s, _ in one}) == len(one)
    rng = np.random.default_rng(3)
    for emit in (1, 3, 64):
        budgets = (int(n) for n in rng.integers(1, 40, 10**6))
        search = search_of(net, domain, emit=emit)
        found = drain(search, budgets)
        assert sorted(found) == sorted(one)
        if not search.stats()["rational_cells"]:
            assert found == one


@given(problems(layers=(1, 2)), st.sampled_from([1, 7, 100]))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_slices_of_degenerate_searches(problem, nodes):
    net, domain = problem
    from helpers import domain_of

    search = search_of(net, domain_of(domain))
    while search.run(nodes):
        pass
    assert search.leaves == len(oracle.activation_patterns(net, domain))


# -- stopping early --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def big():
    """A network with more cells than any test waits for."""
    return lr.load(gaussian(0, 6, 24, 24, 1))


@pytest.mark.parametrize("kind", ["activation", "affine", "linear"])
def test_a_limit_gives_a_lower_bound(kind):
    net = gaussian(0, 3, 8, 6, 1)
    whole = lr.count(net, kind=kind)
    cells = whole.also.get("activation", whole)
    for limit in (0, 1, 2, 17, cells - 1):
        part = lr.count(net, kind=kind, limit=limit)
        assert not part.complete and part.stopped == "limit"
        assert part <= whole and part.exact
        assert limit <= part.also.get("activation", part) < cells
        assert ("at least" in part.describe()) and part.to_dict()["complete"] is False
    for limit in (cells, cells + 1, 10**9):
        assert lr.count(net, kind=kind, limit=limit) == whole
    assert lr.count(net, kind=kind, limit=cells + 1).complete


def test_seconds_end_a_search(big):
    answer = lr.count(big, seconds=0.3)
    assert (answer.complete, answer.stopped) == (False, "seconds")
    assert answer > 0 and 0.3 <= answer.seconds < 3
    assert lr.count(big, seconds=0).stopped == "seconds"
    assert lr.count(gaussian(0, 1, 1, 1), seconds=60).complete


def test_seconds_end_a_search_for_other_kinds(big):
    answer = lr.count(big, seconds=0.2, kind="linear")
    assert (answer.complete, answer.stopped) == (False, "seconds")
    assert 0 < answer <= answer.also["activation"]


@pytest.mark.parametrize("kind", ["activation", "linear"])
def test_an_interrupt_gives_what_is_proved_so_far(big, kind):
    calls = []

    def interrupt(status):
        calls.append(status)
        if len(calls) == 3:
            raise KeyboardInterrupt

    answer = lr.count(big, kind=kind, progress=interrupt, on_interrupt="return")
    assert (answer.complete, answer.stopped) == (False, "interrupt")
    assert 0 < answer <= calls[2].regions


def test_an_interrupt_during_the_merge():
    def interrupt(status):
        if status.stage == "merge":
            raise KeyboardInterrupt

    try:
        answer = lr.count(
            gaussian(0, 3, 8, 6, 1), kind="linear", progress=interrupt, on_interrupt="return"
        )
    except KeyboardInterrupt:
        pytest.fail("the interrupt was passed on")
    assert (answer.complete, answer.stopped) == (False, "interrupt")
    assert 1 <= answer <= answer.also["activation"]


def test_progress_is_told_growing_numbers(big):
    seen = []
    answer = lr.count(big, seconds=0.5, progress=seen.append)
    regions, seconds = [s.regions for s in seen], [s.seconds for s in seen]
    assert len(seen) >= 3 and regions == sorted(regions) and seconds == sorted(seconds)
    assert regions[0] < regions[-1] == answer
    assert seen[-1].rate > 0 and {s.stage for s in seen} == {"search"}
    small = []
    assert lr.count(gaussian(0, 2, 5, 1), kind="linear", progress=small.append) == small[-1].regions
    assert small[-1].stage == "merge"


def test_other_errors_of_a_callback_are_not_swallowed(big):
    def fail(status):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lr.count(big, progress=fail)


# -- memory ----------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_number_of_regions():
    net = lr.load(gaussian(3, 3, 16, 16, 1))

    def peak(side):
        tracemalloc.start()
        try:
            answer = lr.count(net, lr.Box(-side, side), engine="search")
            return int(answer), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(0.1)
    few, small = peak(0.1)
    many, large = peak(4)
    assert many > 20 * few
    assert large < small + 100_000 < 100 * many


def test_the_cursor_does_not_grow():
    search = search_of(gaussian(3, 3, 12, 12, 1), lr.Box(-3, 3))
    search.run(10)
    before = sum(a.nbytes for a in search.cursor)
    search.run(10**9)
    assert search.leaves > 1000 and sum(a.nbytes for a in search.cursor) == before


def test_statistics_add_up():
    search = search_of(gaussian(0, 3, 8, 6, 1), lr.Box(-1, 1))
    search.run(10**9)
    stats = search.stats()
    assert stats["nodes"] >= search.leaves and stats["tests"] > 0
    assert all(isinstance(v, int) and v >= 0 for v in stats.values())
    assert search.coincidences == 0
    twins = search_of([([[1, 2], [2, 4]], [1, 2]), ([[1, 1]], [0])])
    twins.run(10**9)
    assert (twins.leaves, twins.coincidences > 0) == (2, True)
