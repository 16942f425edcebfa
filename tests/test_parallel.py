"""Several workers: the same total and the same set, whatever dies on the way."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from flint import fmpq
from helpers import gaussian, patterns, run_cli, write_npz

import linregions as lr
from linregions.exact.forms import Exact
from linregions.parallel import pool, task
from linregions.parallel.coordinator import Coordinator
from linregions.parallel.run import Means, Shared
from linregions.parallel.task import Job, work
from linregions.processors import workers_of
from linregions.search.rational_node import walk_node, whole
from linregions.search.search import Search
from linregions.testing.networks import random_network

NET = gaussian(0, 5, 9, 8, 1)


@pytest.fixture(scope="module")
def total():
    return lr.count(NET)


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(3) as executor:
        yield executor


@pytest.fixture
def short(monkeypatch):
    """Tasks of milliseconds, so that a small search takes many."""
    monkeypatch.setattr("linregions.parallel.policy.LONG", 0.003)
    monkeypatch.setattr("linregions.parallel.policy.SHORT", 0.002)
    monkeypatch.setattr("linregions.parallel.task.SLICE", 0.0005)


# -- the same answer ----------------------------------------------------------------------


def test_processes_give_the_same_total(total):
    answer = lr.count(NET, workers=2)
    assert answer == total and answer.complete and answer.exact
    assert answer.stats["nodes"] > 0 and lr.count(NET, workers=1) == total


@pytest.mark.parametrize("seed", range(8))
def test_any_executor_gives_the_same_total(seed, threads, short):
    """Max units, several sources, ties, bounded and unbounded; many bundles handed back."""
    net = random_network(seed, 3, 6, 3)
    for domain in (None, lr.Box(-2, 2)):
        alone = lr.count(net, domain, engine="search")
        assert lr.count(net, domain, executor=threads) == alone
    assert patterns(net, executor=threads) == patterns(net)


def test_tasks_hand_back_and_split(threads, short, total):
    sizes, tasks = [], []
    means = Means(3, threads, log=sizes.append)
    shared = Shared(lr.restrict(lr.load(NET)), means)
    submit = Coordinator._submit
    try:
        Coordinator._submit = lambda self, *a: (tasks.append(len(self._flights)), submit(self, *a))
        for _ in shared.run(None, None):
            pass
    finally:
        Coordinator._submit = submit
    assert shared.leaves == total and len(tasks) > 10 and max(tasks) == 5  # six under way
    assert sizes and all(s.leaves > 0 and s.seconds > 0 for s in sizes)
    assert sum(s.leaves for s in sizes) <= total


@pytest.mark.parametrize("kind", ["linear", "affine", "closed"])
def test_other_kinds_are_merged_here(kind, threads, short):
    zero = [(np.round(2 * W), 0 * b) for W, b in gaussian(1, 3, 6, 6, 1)]
    for net in (zero, gaussian(2, 3, 6, 5, 1)):
        assert lr.count(net, kind=kind, executor=threads) == lr.count(net, kind=kind)


def test_a_box_of_many_inputs(threads, short):
    net, box = gaussian(0, 30, 7, 6, 1), lr.Box(0, 1)
    assert lr.count(net, box, executor=threads) == lr.count(net, box)


def test_regions_from_processes_are_the_same_set():
    net = gaussian(3, 3, 6, 6, 1)
    assert patterns(net, workers=2) == patterns(net)


def test_a_tree_without_any_float_is_shared_too(threads):
    flat = [([[1.0], [1 - 2**-53]], [-1.0, -1.0]), ([[1.0, 1.0]], [0.0])]
    assert lr.count(flat, executor=threads) == 3
    with pytest.raises(lr.LinregionsError, match="numbers the regions"):
        lr.regions(flat, executor=threads).graph()


@pytest.mark.parametrize("seed", range(10))
def test_rational_branches_walk_like_rational_leaves(seed):
    search = Search(lr.restrict(random_network(seed, 2, 4, 2), lr.Box(-2, 2)), emit=64)
    exact = Exact(search.compiled)
    root = whole(search)
    x = [fmpq(*v) for v in root.point]
    start = np.ones(search.compiled.cuts, np.int8)
    cand = list(root.cand)
    wanted = {s.tobytes() for s, *_ in exact.leaves(0, exact.domain_rows(), x, start, cand)}
    stack = [root]
    while stack:
        stack += walk_node(search, stack.pop())
    assert {s.tobytes() for _, s, _ in search._found} == wanted
    assert search.extra == len(wanted)


# -- limits -------------------------------------------------------------------------------


def test_limits_give_lower_bounds(threads, short, total):
    some = lr.count(NET, executor=threads, limit=500)
    assert 500 <= some < total and not some.complete and some.stopped == "limit"
    none = lr.count(NET, executor=threads, seconds=0)
    assert none.stopped == "seconds" and none < total
    assert lr.count(NET, executor=threads, limit=10**9) == total


def test_progress_and_an_interrupt_in_it(threads, short, total):
    seen = []
    assert lr.count(NET, executor=threads, progress=seen.append) == total
    assert seen[-1].regions == total

    def stop(status):
        raise KeyboardInterrupt

    part = lr.count(NET, executor=threads, progress=stop, on_interrupt="return")
    assert part.stopped == "interrupt" and part < total


def test_ctrl_c_ends_a_count_by_processes_in_order(tmp_path):
    path = write_npz(tmp_path / "large.npz", gaussian(0, 10, 20, 20, 1))
    run = subprocess.Popen(
        [sys.executable, "-m", "linregions.cli.app", "count", path, "--workers", "2"],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.perf_counter() + 60
    while len(_group(run.pid)) < 4 and time.perf_counter() < deadline:  # it, two, and a tracker
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(run.pid, signal.SIGINT)
    out, _ = run.communicate(timeout=90)
    assert run.returncode == 130 and "at least" in out
    deadline = time.perf_counter() + 20
    while _group(run.pid) and time.perf_counter() < deadline:
        time.sleep(0.1)
    assert not _group(run.pid)


# -- losses -------------------------------------------------------------------------------


def _group(group):
    """Processes of a process group that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


def test_a_worker_killed_mid_task_loses_nothing(monkeypatch):
    """Its bundle goes to a new pool; what had come back is not counted again."""
    net = gaussian(0, 6, 11, 10, 1)
    total = lr.count(net)
    monkeypatch.setattr("linregions.parallel.policy.LONG", 0.2)
    shared, killed = Shared(lr.restrict(lr.load(net)), Means(2)), []
    monkeypatch.setattr(Coordinator, "_walk_here", lambda self, limit: time.sleep(0.02))
    for _ in shared.run(None, None):
        coordinator = shared.coordinator
        if not killed and coordinator.leaves > 0 and coordinator._flights:
            killed = list(coordinator._pool._processes)
            os.kill(killed[0], signal.SIGKILL)
    assert killed and shared.leaves == total
    assert not shared.stop and shared.coordinator.finished


class Dying(ThreadPoolExecutor):
    """Every third task dies like one whose worker was killed."""

    tasks = 0

    def submit(self, fn, /, *args):
        self.tasks += 1
        return super().submit(_die if self.tasks % 3 == 0 else fn, *args)


def _die(*_):
    raise ConnectionResetError("the worker is gone")


def test_tasks_that_die_are_done_again(total, short):
    with Dying(2) as executor:
        assert lr.count(NET, executor=executor) == total
        assert executor.tasks > 3


def test_workers_that_always_die_are_reported(monkeypatch):
    class Dead(ThreadPoolExecutor):
        def submit(self, fn, /, *args):
            return super().submit(_die)

    with Dead(2) as executor, pytest.raises(lr.LinregionsError, match="lost its workers"):
        lr.count(NET, executor=executor)
    monkeypatch.setattr(pool, "warm", os.abort)
    monkeypatch.setattr("linregions.parallel.coordinator.LOSSES", 1)
    with pytest.raises(lr.LinregionsError, match="workers died 2 times"):
        lr.count(gaussian(0, 9, 20, 20, 1), workers=2)


def test_a_large_job_is_sent_only_where_it_is_missing(monkeypatch, short, total):
    monkeypatch.setattr("linregions.parallel.coordinator.LARGE", 0)
    job = Job.of(lr.restrict(lr.load(NET)), 0)
    assert work("another", None, [], 1.0, None, False).missing
    sent = []

    class Watching(ThreadPoolExecutor):
        def submit(self, fn, /, key, blob, *rest):
            sent.append(blob is not None)
            return super().submit(fn, key, blob, *rest)

    with Watching(2) as executor:
        assert lr.count(NET, executor=executor) == total
    assert job.blob and 1 <= sum(sent) <= 6 < len(sent)


def test_a_task_that_fails_forgets_its_search():
    job = Job.of(lr.restrict(lr.load(NET)), 0)
    work(job.key, job.blob, [], 1.0, None, False)
    assert task._local.held[0] == job.key
    with pytest.raises(AttributeError):
        work(job.key, job.blob, [None], 1.0, None, False)
    assert task._local.held is None


def test_a_script_without_a_guard_is_not_run_again(tmp_path):
    script = tmp_path / "count.py"
    script.write_text(
        textwrap.dedent("""
            import numpy as np, linregions as lr
            print("once")
            rng = np.random.default_rng(0)
            widths = (6, 11, 10, 1)
            shapes = zip(widths, widths[1:])
            net = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in shapes]
            assert lr.count(net, workers=2) == lr.count(net)
        """)
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "once\n"


# -- options ------------------------------------------------------------------------------


def test_bad_options_are_refused(threads):
    for options, words in (
        ({"workers": 0}, "workers=0"),
        ({"workers": "many"}, "workers='many'"),
        ({"workers": 2, "kind": "pattern"}, "one process counts it"),
        ({"workers": 2, "engine": "complex"}, "takes no workers"),
        ({"executor": threads, "engine": "milp"}, "takes no workers"),
    ):
        with pytest.raises(lr.LinregionsError, match=words):
            lr.count(NET, lr.Box(-1, 1), **options)


def test_auto_respects_what_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    assert workers_of("auto") == 12
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert workers_of("auto") == 3 and workers_of("5") == 5


# -- dask ---------------------------------------------------------------------------------


def test_dask_and_a_dask_worker_killed_mid_task(monkeypatch):
    pytest.importorskip("distributed")
    from distributed import Client, LocalCluster

    net = gaussian(0, 6, 11, 10, 1)
    total = lr.count(net)
    monkeypatch.setattr("linregions.parallel.policy.LONG", 0.2)
    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        means, killed = Means(None, client.get_executor()), []
        assert pool.width(means.executor) == 2
        shared = Shared(lr.restrict(lr.load(net)), means)
        for _ in shared.run(None, None):
            if not killed and shared.leaves > 0:
                killed = [w.process.pid for w in cluster.workers.values()]
                os.kill(killed[0], signal.SIGKILL)
        assert killed and shared.leaves == total
        path = cluster.scheduler_address
        with pool.cluster(path) as executor:
            assert lr.count(NET, executor=executor) == lr.count(NET)


def test_a_scheduler_that_does_not_answer(tmp_path):
    pytest.importorskip("distributed")
    path = write_npz(tmp_path / "net.npz", NET)
    start = time.perf_counter()
    done = run_cli("count", path, "--cluster", "tcp://127.0.0.1:9")
    assert done.returncode == 2 and time.perf_counter() - start < 40
    assert done.stderr.splitlines()[-1].startswith(
        "linregions: no Dask scheduler answers at tcp://"
    )
    with pytest.raises(lr.LinregionsError, match="no Dask scheduler"), pool.cluster("nonsense"):
        pass
