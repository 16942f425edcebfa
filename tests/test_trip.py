"""Trip wires: a running kernel stops soon, and goes on as if it had not been stopped."""

import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from data import shared
from helpers import gaussian as layers_of

from linregions import Box, Network, count, load
from linregions.complex.engine import Refinement
from linregions.domain.restrict import restrict
from linregions.estimation import thin_kernel as T
from linregions.estimation.thinned_walk import Thinned
from linregions.line import kernel as line
from linregions.line.program import Sweeper, prepare, sweep
from linregions.merging.compile import compile_kernel
from linregions.progress import Deadline
from linregions.search import kernel as K
from linregions.search.lp import TRIP
from linregions.search.recorded import Recorder
from linregions.search.search import Search
from linregions.search.zonotope import seen_through


def gaussian(seed, *widths):
    """A random network."""
    return Network.from_layers(layers_of(seed, *widths))


class Nagger:
    """Raises a trip wire again and again, after random times that grow on the whole."""

    def __init__(self, cells, at=0, seed=0):
        self.cells, self.at, self.rng = cells, at, np.random.default_rng(seed)
        self.stop, self.times = threading.Event(), 0
        self.thread = threading.Thread(target=self._nag, daemon=True)

    def _nag(self):
        while not self.stop.is_set():
            self.stop.wait(self.rng.exponential(2e-4 * 1.02**self.times))
            if not self.cells[self.at]:
                self.cells[self.at] = 1
                self.times += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.cells[self.at] = 0


def maxout(seed, *widths):
    """A network of max units of three arguments."""
    from linregions.network.affine import Affine
    from linregions.network.network import Layer
    from linregions.network.units import MaxUnits

    rng, layers = np.random.default_rng(seed), []
    for i, (n, m) in enumerate(pairwise(widths)):
        groups = tuple((3 * u, 3 * u + 1, 3 * u + 2) for u in range(m))
        W, b = rng.normal(size=(3 * m, n)), rng.normal(size=3 * m)
        layers.append(Layer(Affine.dense(W, b, i), MaxUnits(groups, 3 * m)))
    last = len(widths) - 1
    return Network(widths[0], tuple(layers), Affine.identity(widths[-1], last))


def wide_problem():
    """Many inputs under a layer of few units: a zonotope."""
    problem = seen_through(restrict(gaussian(4, 24, 5, 6, 1), Box(-1.0, 1.0)))
    assert problem.zonotope is not None
    return problem


SEARCHED = {
    "dense": lambda: restrict(gaussian(1, 4, 12, 12, 1), Box(-1.0, 1.0)),
    "unbounded": lambda: restrict(gaussian(2, 3, 14, 14, 1)),
    "deep": lambda: restrict(gaussian(3, 8, 8, 8, 8, 1), Box(-0.5, 0.5)),
    "max": lambda: restrict(maxout(5, 3, 8, 6), Box(-1.0, 1.0)),
    "ties": lambda: restrict(grid(), Box(-2.0, 2.0)),
    "zonotope": wide_problem,
}


def grid():
    """Weights and biases of few values: rows coincide, vertices are shared."""
    rng, widths = np.random.default_rng(6), (3, 12, 12, 1)
    return Network.from_layers(
        [
            (rng.integers(-1, 2, (m, n)).astype(float), rng.integers(-1, 2, m).astype(float))
            for n, m in pairwise(widths)
        ]
    )


def walked(problem, nag=False, emit=0, recorded=False):
    """A finished search; with its cells and records, and how often it was stopped."""
    log = []
    recorder = Recorder(lambda a, b, _: log.append((a, b))) if recorded else None
    search = Search(problem, emit=emit, recorder=recorder)
    found, cells = [], search.cursor.st
    watch = Nagger(cells, TRIP) if nag else None
    if watch:
        watch.__enter__()
    while search.run(1 << 30):
        cells[TRIP] = 0
        if emit:
            found.append(search.take().signs)
    if watch:
        watch.__exit__()
    if emit:
        found.append(search.take().signs)
    records = [np.concatenate([np.zeros(0, int), *part]) for part in zip(*log, strict=True)]
    return search, (np.concatenate(found) if emit else None), records, watch and watch.times


@pytest.mark.parametrize("name", SEARCHED)
def test_a_search_that_is_stopped_all_the_time_finds_the_same(name):
    compile_kernel()
    problem = SEARCHED[name]()
    calm, _, _, _ = walked(problem)
    stops = 0
    for _ in range(100):
        nagged, _, _, times = walked(problem, nag=True)
        assert nagged.leaves == calm.leaves
        if name != "zonotope":  # whose vertices are kept from one attempt to the next
            assert nagged.stats() == calm.stats()
        stops += times
        if stops > 20:
            return
    raise AssertionError(f"stopped {stops} times only")


@pytest.mark.parametrize("name", ["dense", "max", "ties"])
def test_cells_and_records_are_the_same(name):
    problem = SEARCHED[name]()
    _, cells, records, _ = walked(problem, emit=256, recorded=True)
    _, others, again, times = walked(problem, nag=True, emit=256, recorded=True)
    assert times > 0
    assert np.array_equal(cells, others)
    assert len(records) == len(again) == 2
    assert all(np.array_equal(a, b) for a, b in zip(records, again, strict=True))


def test_a_raised_wire_stops_before_the_first_step():
    search = Search(SEARCHED["dense"]())
    search.cursor.st[TRIP] = 1
    assert K.advance(search.compiled.program, search.cursor, 1000) == K.STOPPED
    assert search.leaves == 0


def test_estimates_are_the_same(monkeypatch):
    problem, thin = SEARCHED["dense"](), T.thin

    def patient(P, C, state, budget):
        """Calls the kernel until it ends otherwise."""
        while (status := thin(P, C, state, budget)) == K.STOPPED:
            C.st[TRIP] = 0
        return status

    def passes():
        thinned = Thinned(problem, np.random.default_rng(3))
        return thinned, lambda: [thinned.go(threshold, 1e9) for threshold in (0.0, 20.0, 20.0)]

    calm = passes()[1]()
    monkeypatch.setattr(T, "thin", patient)
    thinned, again = passes()
    with Nagger(thinned.search.cursor.st, TRIP) as watch:
        assert np.allclose(again(), calm, rtol=1e-12, atol=0.0)  # sums in another order
    assert watch.times > 0


@pytest.mark.parametrize("kind", ["dense", "max", "cube"])
def test_a_complex_goes_on_where_it_was_stopped(kind, monkeypatch):
    """Kernels of the complex are called again with the cell that they name."""
    from linregions.complex import engine

    net = {"dense": gaussian(1, 2, 40, 40, 1), "max": maxout(2, 2, 14, 14),
           "cube": gaussian(3, 3, 16, 16, 1)}[kind]  # fmt: skip
    problem = restrict(net, Box(-1.0, 1.0))
    calm = Refinement(problem).run()
    stopped = Refinement(problem)
    for name in ("refine", "refine_largest"):
        kernel = getattr(engine, name)

        def patient(*arguments, kernel=kernel):
            """Calls the kernel until it ends otherwise."""
            arguments = list(arguments)
            while (status := kernel(*arguments)) == engine.K.STOPPED:
                stopped.trip[0] = 0
                begin = int(arguments[4].st[engine.K.NEXT])
                arguments[6] = arguments[6]._replace(begin=begin)  # of O, and the task
            return status

        monkeypatch.setattr(engine, name, patient)
    with Nagger(stopped.trip) as watch:
        found = stopped.run()
    assert watch.times > 0
    assert found.cells == calm.cells
    assert np.array_equal(found.faces.at, calm.faces.at)
    assert np.array_equal(found.bits, calm.bits)


def test_the_sweep_of_a_segment_is_made_again(monkeypatch):
    net = gaussian(4, 20, 60, 60, 60, 1)
    rng = np.random.default_rng(1)
    x, ends = rng.normal(size=(200, 20)), np.arange(200).reshape(100, 2)
    given = (x, np.ones(200), np.zeros(200), ends, 1)
    sweeper = prepare(net)
    calm = sweep(sweeper, *given)
    run = line.run

    def patient(*arguments):
        """Calls the kernel until it ends otherwise."""
        arguments = list(arguments)
        while True:
            k, at = run(*arguments)
            if k == arguments[6] or arguments[3].outcome[k] != line.STOPPED:
                return k, at
            sweeper.trip[0] = 0
            arguments[5], arguments[7] = k, at

    monkeypatch.setattr(line, "run", patient)
    monkeypatch.setattr(line, "multiply", lambda *a: _multiplied(sweeper, *a))
    with Nagger(sweeper.trip) as watch:
        found = sweep(sweeper, *given)
    assert watch.times > 0
    for name in ("outcome", "starts", "ptr", "s", "row"):
        assert np.array_equal(getattr(found, name), getattr(calm, name))


_product = line.multiply


def _multiplied(sweeper: Sweeper, x, W, n, first, last, out, trip):
    while first < last:
        first = _product(x, W, n, first, last, out, trip)
        sweeper.trip[0] = 0
    return last


def test_a_clock_that_is_tripped_ends_a_sweep_and_a_complex():
    """Verbs put the wires up through their clock, which then owns them."""
    net = gaussian(4, 2, 30, 30, 1)
    with Deadline().current() as clock:
        clock.trip("interrupt")
        with pytest.raises(KeyboardInterrupt):
            sweep(prepare(net), np.eye(2), np.ones(2), np.zeros(2), np.array([[0, 1]]), 1)
        clock.trip("interrupt")
        with pytest.raises(KeyboardInterrupt):
            Refinement(restrict(net, Box(-1.0, 1.0))).run()


@pytest.mark.parametrize("limit", range(1, 9))
def test_a_limit_is_never_passed(limit):
    """Two last cells that differ in one unit are counted at once."""
    net = gaussian(1, 2, 3, 3, 1)
    answer = count(net, limit=limit)
    assert 0 < answer.to_dict()["regions"] <= limit


@pytest.mark.slow
def test_a_large_network_stops_soon():
    net = load(shared("mnistfc/mnist-net_256x2.onnx"))
    problem = restrict(net, Box.from_vnnlib(shared("mnistfc/prop_0_0.03.vnnlib")))
    search = Search(problem)
    took, ended = [], []

    def run():
        search.run(1 << 30)
        ended.append(time.perf_counter())

    for _ in range(4):
        search.cursor.st[TRIP] = 0
        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(2.5)
        begin = time.perf_counter()
        search.cursor.st[TRIP] = 1
        thread.join()
        took.append(ended[-1] - begin)
    assert min(took) < 0.2, took
