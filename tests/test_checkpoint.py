"""Checkpoints: whatever ends a run, the next one goes on; nothing is lost or counted twice."""

import errno
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from helpers import gaussian, run_cli, write_npz

import linregions as lr
from linregions.estimation.ahead import Forecast
from linregions.parallel import checkpoint as module
from linregions.parallel.checkpoint import MAGIC, Checkpoint, State, read
from linregions.parallel.run import Shared
from linregions.testing.networks import random_network

NET = gaussian(0, 5, 9, 8, 1)
BIG = gaussian(0, 6, 12, 11, 1)


@pytest.fixture(scope="module")
def total():
    return lr.count(NET)


@pytest.fixture(scope="module")
def big():
    return lr.count(BIG)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.ckpt"


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Tasks of milliseconds, all saved, so that a small search is stopped in the middle."""
    monkeypatch.setattr("linregions.parallel.policy.LONG", 0.003)
    monkeypatch.setattr("linregions.parallel.task.SLICE", 0.0005)
    monkeypatch.setattr("linregions.parallel.run.EVERY", 0.0)
    monkeypatch.setattr("linregions.parallel.run.SHARE", 1e9)


def partly(file, net=NET, domain=None, limit=300, **options):
    """A run that stops early; the count so far."""
    part = lr.count(net, domain, checkpoint=file, limit=limit, **options)
    assert part.stopped == "limit" and not part.complete
    return part


# -- going on -----------------------------------------------------------------------------


def test_a_run_goes_on_and_an_ended_one_answers_at_once(file, total):
    first = partly(file)
    second = partly(file, limit=2000)
    assert 300 <= first < second < total
    answer = lr.count(NET, checkpoint=file)
    assert answer == total and answer.complete and answer.seconds > second.seconds
    assert answer.stats["nodes"] > second.stats["nodes"] > first.stats["nodes"]
    again = lr.count(NET, checkpoint=file)
    assert again == total and again.complete
    assert read(file).bundles == [] and not list(file.parent.glob("*.lock"))


def test_a_forecast_takes_its_part_of_this_process_alone(file, total, monkeypatch):
    """After days of counting a new process must not estimate for hours."""
    partly(file)
    before = Shared._restore
    seen = []

    def days(self, state):
        before(self, replace(state, seconds=1e6))

    monkeypatch.setattr(Shared, "_restore", days)
    monkeypatch.setattr(Forecast, "total", lambda self, regions, elapsed: seen.append(elapsed))
    answer = lr.count(NET, checkpoint=file, progress=lambda status: None)
    assert answer == total and answer.seconds > 1e6 and seen and max(seen) < 1e3


@pytest.mark.parametrize("seed", range(6))
def test_every_kind_of_network_goes_on(file, seed, monkeypatch):
    """Max units, ties, several sources: stopped after every few tasks, by turns with threads."""
    net = random_network(seed, 3, 6, 3)
    total = lr.count(net, engine="search")
    with ThreadPoolExecutor(2) as executor:
        for n in range(12):
            where = {"executor": executor} if n % 2 else {}
            part = lr.count(net, checkpoint=file, limit=1 + n * int(total) // 12, **where)
            assert part <= total
        assert lr.count(net, checkpoint=file, executor=executor) == total


def test_rational_branches_and_zonotopes_are_kept(file, tmp_path):
    thin = [([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0]], [0.5, -0.25, 0.0]), ([[1.0] * 3], [0.0])]
    segment = lr.Polytope([[1.0, 0.0], [-1.0, 0.0]], [1.0, 2**-53 - 1])  # no float between
    total = lr.count(thin, segment, engine="search")
    partly(file, thin, segment, limit=0)
    state = read(file)
    assert [type(b).__name__ for bundle in state.bundles for b in bundle] == ["RationalBranch"]
    assert lr.count(thin, segment, checkpoint=file) == total > 1
    net, box, other = gaussian(0, 30, 7, 6, 1), lr.Box(0, 1), tmp_path / "box.ckpt"
    partly(other, net, box)
    assert lr.count(net, box, checkpoint=other) == lr.count(net, box)


def test_bundles_come_back_as_they_were(file):
    partly(file)
    state = read(file)
    assert state.leaves >= 300 and not state.complete and sum(map(len, state.bundles)) > 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        identity = _identity()
        other = file.with_name("other.ckpt")
        keeper = Checkpoint(other, identity)
        keeper.save(state)
        keeper.close()
    back = read(other, identity)
    pairs = zip(chain(*state.bundles), chain(*back.bundles), strict=True)
    for a, b in pairs:
        assert all((x == y).all() for x, y in zip(a, b, strict=True))


def _identity():
    from linregions.parallel.identity import Identity

    return Identity.of(lr.restrict(lr.load(NET)), "activation", "", "")


# -- ends of a run ------------------------------------------------------------------------

RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from helpers import gaussian
import linregions as lr
from linregions.parallel import policy, run
policy.LONG, run.EVERY, run.SHARE = 0.02, 0.0, 1e9
if __name__ == "__main__":
    workers = int(sys.argv[3])
    print(int(lr.count(gaussian(0, 6, 12, 11, 1), checkpoint=sys.argv[2], workers=workers)))
"""


def started(tmp_path, file, workers):
    script = tmp_path / "run.py"
    script.write_text(RUN)
    here = os.path.dirname(__file__)
    return subprocess.Popen(
        [sys.executable, script, here, file, str(workers)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_any_moment_and_resumed(tmp_path, file, big, workers):
    killed, seen = 0, []
    for n in range(4 - workers):
        run = started(tmp_path, file, workers)
        before, deadline = seen[-1] if seen else 0, time.perf_counter() + 30
        while run.poll() is None and time.perf_counter() < deadline:
            if file.exists() and _leaves(file) > before:
                time.sleep(0.01 * n)
                break
            time.sleep(0.005)
        killed += run.poll() is None
        run.kill()
        run.communicate()
        seen.append(_leaves(file))
    assert killed >= 1 and seen == sorted(seen) and 0 < seen[0] <= big
    assert lr.count(BIG, checkpoint=file) == big


def _leaves(file):
    try:
        return read(file).leaves
    except (module.Damaged, lr.LinregionsError):  # none yet, or between two renamings
        return -1


def test_ctrl_c_saves_and_says_so(tmp_path):
    file, net = tmp_path / "run.ckpt", gaussian(0, 10, 20, 20, 1)
    path = write_npz(tmp_path / "large.npz", net)
    command = [sys.executable, "-m", "linregions.cli.app", "count", path, "--checkpoint", file]
    found = [-1]
    for _ in range(2):
        run = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip  (a background job ignores the signal)
        deadline = time.perf_counter() + 60
        while _leaves(file) <= found[-1] and time.perf_counter() < deadline:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=90)
        assert run.returncode == 130 and "at least" in out
        found.append(read(file).leaves)
        assert f"at least {found[-1]:,} activation regions" in out
    assert 0 <= found[1] < found[2]


# -- disks --------------------------------------------------------------------------------


def test_a_full_disk_is_an_error_and_the_checkpoint_before_is_intact(file, total, monkeypatch):
    partly(file)
    before, calls = file.read_bytes(), []

    def full(handle):
        calls.append(handle)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(
        lr.LinregionsError, match="No space left on device; the one before is intact"
    ):
        lr.count(NET, checkpoint=file)
    monkeypatch.undo()
    assert before in (file.read_bytes(), file.with_name("run.ckpt.old").read_bytes())
    assert not file.with_name("run.ckpt.new").exists()
    assert lr.count(NET, checkpoint=file) == total


def test_a_real_limit_of_the_system(tmp_path):
    """A file that may not grow beyond 512 bytes: one line, exit 2, nothing left behind."""
    resource = pytest.importorskip("resource")
    path = write_npz(tmp_path / "net.npz", NET)
    where = tmp_path / "run.ckpt"
    done = run_cli(
        "count", path, "--checkpoint", where,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512)),
    )  # fmt: skip
    assert done.returncode == 2 and "cannot be written: File too large" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["net.npz"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_file_is_noticed_and_the_one_before_used(file, total, damage):
    partly(file)
    content = file.read_bytes()
    bad = {
        "cut": content[: len(content) // 2],
        "flipped": content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
        "empty": b"",
    }[damage]
    file.write_bytes(bad)
    with pytest.warns(UserWarning, match=r"is damaged; going on from .*\.old"):
        assert lr.count(NET, checkpoint=file) == total
    assert lr.count(NET, checkpoint=file) == total


def test_two_damaged_files_are_refused(file):
    partly(file)
    for name in (file, file.with_name("run.ckpt.old")):
        name.write_bytes(name.read_bytes()[:100])
    with pytest.raises(lr.LinregionsError, match="and so is the one before; remove"):
        lr.count(NET, checkpoint=file)
    file.with_name("run.ckpt.old").unlink()
    with pytest.raises(lr.LinregionsError, match="damaged; remove it"):
        lr.count(NET, checkpoint=file)


def test_a_run_that_died_between_two_renamings_goes_on(file, total):
    partly(file)
    os.replace(file, file.with_name("run.ckpt.old"))
    assert lr.count(NET, checkpoint=file) == total


# -- refusals -----------------------------------------------------------------------------


def test_the_second_process_is_refused(tmp_path, file):
    run = started(tmp_path, file, 1)
    deadline = time.perf_counter() + 30
    while not file.exists() and time.perf_counter() < deadline:
        time.sleep(0.005)
    assert file.exists()
    if run.poll() is None:
        run.send_signal(signal.SIGSTOP)  # it holds the lock, however fast it is
        with pytest.raises(lr.LinregionsError, match=r"run\.ckpt is in use by another process"):
            lr.count(BIG, checkpoint=file)
        run.send_signal(signal.SIGCONT)
    out, _ = run.communicate(timeout=60)
    assert int(out) == lr.count(BIG) == lr.count(BIG, checkpoint=file)


def test_a_checkpoint_of_something_else_is_refused(file, monkeypatch):
    partly(file)
    other = [(W.copy(), b) for W, b in NET]
    other[0][0][0, 0] += 2**-40
    for net, domain, options, words in (
        (other, None, {}, "of another network"),
        (NET, lr.Box(-9, 9), {}, r"over all of R\^n; asked for was box"),
        (NET, None, {"kind": "linear"}, "takes no checkpoint"),
        (NET, None, {"kind": "pattern"}, "one process counts it"),
    ):
        with pytest.raises(lr.LinregionsError, match=words):
            lr.count(net, domain, checkpoint=file, **options)
    with pytest.raises(lr.LinregionsError, match="of shard the whole; asked for was 1/2"):
        lr.shard(NET, None, 1, 2, checkpoint=file)
    monkeypatch.setattr("linregions.parallel.identity.__version__", "9.9")
    with pytest.raises(lr.LinregionsError, match=r"made by version .*; this is 9\.9"):
        lr.count(NET, checkpoint=file)


def test_files_that_are_no_checkpoints_are_refused_and_kept(file, tmp_path):
    np.save(file.with_suffix(".npy"), np.ones(3))
    for name, words in (
        (file.with_suffix(".npy"), "is no checkpoint of this version"),
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "x", "does not exist"),
    ):
        with pytest.raises(lr.LinregionsError, match=words):
            lr.count(NET, checkpoint=name)
    assert np.load(file.with_suffix(".npy")).sum() == 3
    assert MAGIC.startswith(b"linregions") and State().leaves == 0
