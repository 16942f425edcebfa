"""Cells that do not fit in memory: sorted runs on disk, and the same linear and affine counts."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import domain_of, gaussian, run_cli, write_npz
from hypothesis import given, settings
from test_kinds import DEGENERATE

import linregions as lr
from linregions.domain.restrict import restrict
from linregions.merging import cells as spill
from linregions.search.search import Search
from linregions.testing.networks import random_network
from linregions.testing.strategies import problems

NET = gaussian(1, 3, 9, 7, 1)


@pytest.fixture
def runs(monkeypatch):
    """Runs of a few cells; the number of files and the largest part, as they come."""
    monkeypatch.setattr(spill, "LEAST", 5)
    monkeypatch.setattr("linregions.questions.run.BATCH", 16)
    seen = []
    parts = spill.CellStore.parts

    def noted(self):
        for part in parts(self):
            seen.append((len(self.runs), sum(len(b.signs) for b in part)))
            yield part

    monkeypatch.setattr(spill.CellStore, "parts", noted)
    return seen


def both(net, domain=None, **options):
    """Linear and affine counts from runs on disk, checked against those from memory."""
    for kind in ("linear", "affine"):
        plain = lr.count(net, domain, kind=kind, engine="search")
        ours = lr.count(net, domain, kind=kind, engine="search", memory=1, **options)
        assert (ours, ours.also, ours.complete) == (plain, plain.also, True)
    return plain


@given(problems(inputs=(1, 2), layers=(1, 3), units=(1, 4), kinds=DEGENERATE, outputs=(1, 2)))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_degenerate_networks_merge_the_same(problem):
    least, spill.LEAST = spill.LEAST, 3
    try:
        net, domain = problem
        both(net, domain_of(domain))
    finally:
        spill.LEAST = least


@pytest.mark.parametrize("seed", range(6))
def test_every_kind_of_unit(runs, seed):
    both(random_network(seed, 2, 5, 3))


def test_runs_are_many_and_parts_small(runs):
    total = lr.count(NET, engine="search")
    both(NET)
    spilled = [size for files, size in runs if files]
    assert max(files for files, _ in runs) > 20
    assert sum(spilled) <= 2 * total and len(spilled) > 40
    assert max(spilled) < 0.3 * total  # the largest map, where all of the last layer is off


def test_parts_hold_whole_maps_and_every_cell_once(monkeypatch):
    monkeypatch.setattr(spill, "LEAST", 10)
    search = Search(restrict(lr.load(gaussian(3, 2, 8, 6, 1))), emit=16)
    cells, all_signs = spill.CellStore(search, 1), []
    more = True
    while more:
        more = search.run(16)
        batch = search.take()
        all_signs.append(batch.signs)
        cells.add(batch)
    seen, prints = [], []
    for part in cells.parts():
        merger = spill.Merger(search, part)
        seen.append(merger.signs)
        prints.append(set(merger.fingerprints(merger.signs).tolist()))
    cells.close()
    assert len(prints) > 3 and len(set().union(*prints)) == sum(map(len, prints))
    found, expected = np.concatenate(seen), np.concatenate(all_signs)
    assert sorted(map(bytes, found)) == sorted(map(bytes, expected))


def test_one_of_a_pattern_is_kept_for_affine_maps(monkeypatch):
    """Ten units, of which the output reads three: 56 cells, 7 maps, 7 cells in each run at most."""
    monkeypatch.setattr(spill, "LEAST", 40)
    W, b = gaussian(1, 2, 10, 1)[0]
    seen = np.zeros((1, 10))
    seen[0, :3] = 1
    search = Search(restrict(lr.load([(W, b), (seen, np.zeros(1))])), emit=64)
    cells = spill.CellStore(search, 1, distinct=True)
    search.run(1000)
    cells.add(search.take())
    assert [len(r.prints) for r in cells.runs] == [7] and cells.total == 56
    cells.close()


def test_rational_points_go_along(runs):
    """Cells between neighbouring floats hold no float: their points are rational."""
    flat = [([[1.0], [1 - 2**-53], [1.0]], [-1.0, -1.0, -3.0]), ([[1.0, 1.0, 1.0]], [0.0])]
    both(flat)
    assert lr.count(flat, kind="linear", memory=1) == 4


def test_workers_and_stops(runs, tmp_path):
    with ThreadPoolExecutor(2) as executor:
        both(NET, executor=executor)
    part = lr.count(NET, kind="affine", memory=1, limit=100)
    assert not part.complete and 1 < part <= lr.count(NET, kind="affine")


def test_the_folder_is_empty_afterwards(runs, tmp_path):
    def stop(status):
        assert list(tmp_path.iterdir())
        raise KeyboardInterrupt

    lr.count(NET, kind="linear", memory=1, scratch=tmp_path)
    assert not list(tmp_path.iterdir())

    def in_merge(status):
        if status.stage == "merge" and status.regions:
            stop(status)

    with pytest.raises(lr.Interrupted) as caught:
        lr.count(NET, kind="linear", memory=1, scratch=tmp_path, progress=in_merge)
    part = caught.value.partial
    assert part.stopped == "interrupt" and 1 <= part <= lr.count(NET, kind="affine")
    assert not list(tmp_path.iterdir())


def test_a_full_disk(runs, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spill.np, "save", full)
    with pytest.raises(lr.LinregionsError, match=r"no room .*No space left on device after \d+"):
        lr.count(NET, kind="linear", memory=1, scratch=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("memory", [0, -1, 1.5, True, None])
def test_bad_memory_is_refused(memory):
    with pytest.raises(lr.LinregionsError, match="give a number of bytes"):
        lr.count(NET, kind="linear", memory=memory)


def test_on_the_command_line(tmp_path):
    path = write_npz(tmp_path / "net.npz", gaussian(0, 5, 10, 8, 1))
    plain = run_cli("count", path, "--kind", "linear")
    ours = run_cli("count", path, "--kind", "linear", "--memory", "1M", "--scratch", tmp_path)
    assert (
        ours.returncode == 0 and ours.stdout.split("regions")[0] == plain.stdout.split("regions")[0]
    )
    assert [p.name for p in tmp_path.iterdir()] == ["net.npz"]
    for bad in (["--memory", "much"], ["--memory", "0"], ["--scratch", tmp_path / "no"]):
        done = run_cli("count", path, "--kind", "linear", *bad)
        assert done.returncode == 2 and bad[0].lstrip("-") in done.stderr
