"""Lists on disk: parts that can be read while they grow, from many workers, and back again."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import gaussian, patterns, write_npz

import linregions as lr
from linregions.cli.app import main
from linregions.parallel.run import Means
from linregions.questions.listing import Listing
from linregions.questions.parquet import PartsWriter
from linregions.questions.store import open_list, read_regions
from linregions.testing.networks import random_network

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

NET = gaussian(0, 3, 8, 6, 1)


@pytest.fixture
def small(monkeypatch):
    """Row groups of at most 16 rows, a part after 40."""
    monkeypatch.setattr("linregions.questions.parquet.MOST", 16)
    monkeypatch.setattr("linregions.questions.parquet.PART", 40)
    monkeypatch.setattr("linregions.questions.listing.BATCH", 16)


@pytest.fixture
def refused(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert (end.value.code, out) == (2, "") and err.count("\n") == 1
        return err

    return run


@pytest.fixture
def disk():
    """Room for so many bytes in any one file: ``with disk(bytes): ...``."""
    resource = pytest.importorskip("resource")

    @contextlib.contextmanager
    def room(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return room


def written(path, net=NET, domain=None, **options):
    listing = Listing(lr.load(net), domain or lr.Space(), **options)
    listing.write(path, lambda status: None)
    return listing


def same(a, b):
    return a.tobytes() == b.tobytes()


# -- there and back ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "domain",
    [lr.Space(), lr.Box(-1, 1), lr.Plane.through([0, 0, 0], [1, 0, 0.5], [0, 1, 0.25])],
)
def test_regions_come_back_bit_by_bit(tmp_path, small, domain):
    written(tmp_path / "r.parquet", NET, domain)
    assert [p.name for p in tmp_path.iterdir()] == ["r.parquet"]
    back = lr.Regions.load(tmp_path / "r.parquet", NET, domain)
    alone = list(lr.regions(NET, domain))
    assert len(back) == len(alone) == back.metadata["regions"] and back.metadata["complete"]
    for a, b in zip(alone, back, strict=True):
        assert same(a.signs, b.signs) and same(a.coordinates, b.coordinates)
        assert same(a.point, b.point)
    a, b = alone[7], next(back)
    for _ in range(7):
        b = next(back)
    assert all(same(x.signs, y.signs) for x, y in zip(a.neighbours, b.neighbours, strict=True))
    assert a.bounded == b.bounded and b.facets_exact
    assert pq.ParquetFile(tmp_path / "r.parquet").num_row_groups > 1
    with pytest.raises(lr.LinregionsError, match="order of a search"):
        back.graph()


@pytest.mark.parametrize("seed", range(4))
def test_other_units_and_sources(tmp_path, seed):
    """Max units and several pieces: more breakpoints than units."""
    net = random_network(seed, 3, 6, 3)
    written(tmp_path / "r.parquet", net, lr.Box(-2, 2))
    back = [tuple(r.pattern.tolist()) for r in lr.Regions.load(tmp_path / "r.parquet", net,
                                                               lr.Box(-2, 2))]  # fmt: skip
    assert len(back) == len(set(back)) and set(back) == patterns(net, lr.Box(-2, 2))


def test_a_box_of_many_inputs(tmp_path):
    net, box = gaussian(0, 12, 4, 3, 1), lr.Box(0, 1)
    written(tmp_path / "r.parquet", net, box)
    back = lr.Regions.load(tmp_path / "r.parquet", net, box)
    for a, b in zip(lr.regions(net, box), back, strict=True):
        assert same(a.signs, b.signs) and b.contains(b.point)
    assert len(back) == lr.count(net, box)


def test_cells_without_a_float_keep_their_rational_point(tmp_path):
    net = [([[1.0], [1 - 2**-53]], [-1.0, -1.0]), ([[1.0, 1.0]], [0.0])]
    written(tmp_path / "r.parquet", net)
    alone = {tuple(r.signs): r.exact_point for r in lr.regions(net)}
    back = {tuple(r.signs): r.exact_point for r in lr.Regions.load(tmp_path / "r.parquet", net)}
    assert back == alone and len(back) == 3
    assert any(float(x) != x for point in back.values() for x in point)


def test_no_units_and_no_regions(tmp_path):
    affine = [(np.ones((1, 2)), np.zeros(1))]
    written(tmp_path / "r.parquet", affine)
    assert [len(r.pattern) for r in lr.Regions.load(tmp_path / "r.parquet", affine)] == [0]
    written(tmp_path / "none.parquet", NET, limit=0)
    back = lr.Regions.load(tmp_path / "none.parquet", NET)
    assert list(back) == [] and back.metadata["complete"] is False


def test_many_workers_write_the_same_set(tmp_path, small):
    with ThreadPoolExecutor(3) as executor:
        listing = written(tmp_path / "r.parquet", means=Means(None, executor))
        cut = written(tmp_path / "cut.parquet", means=Means(None, executor), limit=50)
    signs, points, metadata = read_regions(tmp_path / "r.parquet")
    assert {tuple(s) for s in signs.tolist()} == patterns(NET)
    assert len(signs) == listing.listed == metadata["regions"] == lr.count(NET)
    assert (lr.load(NET).patterns(points) == signs).all()
    signs, _, metadata = read_regions(tmp_path / "cut.parquet")
    assert len(signs) == cut.listed == 50
    assert (metadata["complete"], metadata["stopped"]) == (False, "limit")


def test_processes_on_the_command_line(tmp_path, capsys):
    model = write_npz(tmp_path / "net.npz", NET)
    target = tmp_path / "r.parquet"
    with pytest.raises(SystemExit) as end:
        main(["list", str(model), "--workers=2", "-o", str(target)])
    assert end.value.code == 0 and f"{lr.count(NET):,} regions written" in capsys.readouterr().out
    assert {tuple(s) for s in read_regions(target)[0].tolist()} == patterns(NET)


# -- while it grows ---------------------------------------------------------------------------


def test_finished_parts_can_be_read_while_the_list_grows(tmp_path, small):
    target, parts = tmp_path / "r.parquet", tmp_path / "r.parquet.parts"
    seen = []

    def look(status):
        if list(parts.glob("part-*.parquet")):
            found = lr.Regions.load(parts, NET)
            assert not target.exists() and found.metadata["complete"] is False
            assert len({tuple(r.signs) for r in found}) == len(found) <= status.regions
            seen.append(len(found))

    Listing(lr.load(NET), lr.Space()).write(target, look)
    assert len(set(seen)) > 2 and seen == sorted(seen) and seen[-1] <= len(open_list_rows(target))
    assert not parts.exists()


def open_list_rows(path):
    return np.concatenate([b.signs for b in open_list(path).batches(7)])


def test_a_part_is_finished_when_it_is_old(tmp_path, monkeypatch):
    monkeypatch.setattr("linregions.questions.parquet.AGE", 0.0)
    monkeypatch.setattr("linregions.questions.parquet.SHARE", 1e9)
    monkeypatch.setattr("linregions.questions.listing.BATCH", 64)
    counts = []
    Listing(lr.load(NET), lr.Space()).write(
        tmp_path / "r.parquet",
        lambda status: counts.append(len(list((tmp_path / "r.parquet.parts").iterdir()))),
    )
    assert counts[-1] > 2
    assert len(read_regions(tmp_path / "r.parquet")[0]) == lr.count(NET)


def test_memory_holds_one_row_group(tmp_path, small):
    from linregions.questions.store import writer

    listing = Listing(lr.load(NET), lr.Space())
    with writer(tmp_path / "r.parquet", listing.problem, listing.facts(False)) as sink:
        for found in listing:
            sink(found)
            assert sink.held < 16 and sum(len(b.signs) for b in sink.batches) == sink.held


# -- faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["between", "while writing"])
def test_ctrl_c_leaves_a_list_that_says_so(tmp_path, small, monkeypatch, when):
    """Also in the middle of a row group: it is written to its end, and once."""
    take = PartsWriter.__call__

    def interrupt(rows):
        if rows > 100:
            os.kill(os.getpid(), signal.SIGINT)

    def taken(self, leaves):
        interrupt(self.rows if when == "while writing" else 0)
        take(self, leaves)

    monkeypatch.setattr(PartsWriter, "__call__", taken)
    listing = Listing(lr.load(NET), lr.Space())
    listing.write(
        tmp_path / "r.parquet", lambda s: interrupt(s.regions if when == "between" else 0)
    )
    back = lr.Regions.load(tmp_path / "r.parquet", NET)
    assert 100 < len(back) == listing.listed < lr.count(NET)
    assert (back.metadata["complete"], back.metadata["stopped"]) == (False, "interrupt")
    assert len({tuple(r.pattern.tolist()) for r in back} & patterns(NET)) == len(back)
    assert not (tmp_path / "r.parquet.parts").exists()


def test_a_killed_run_leaves_its_parts(tmp_path, refused):
    model = write_npz(tmp_path / "net.npz", gaussian(0, 6, 12, 12, 1))
    target, parts = tmp_path / "r.parquet", tmp_path / "r.parquet.parts"
    code = (
        "import sys; import linregions.questions.parquet as p; p.AGE, p.SHARE = 0.05, 1e9\n"
        "from linregions.cli.app import main; main(sys.argv[1:])"
    )
    process = subprocess.Popen([sys.executable, "-c", code, "list", model, "-o", target])
    deadline = time.monotonic() + 60
    while not list(parts.glob("part-*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not target.exists() and sum(1 for _ in lr.Regions.load(parts, model)) > 0
    assert "another run" in refused("list", model, "-o", target)
    with pytest.raises(lr.LinregionsError, match=r"so far is in .*r\.parquet\.parts"):
        lr.Regions.load(target, model)


def test_a_full_disk(tmp_path, small, refused, disk):
    """Files may grow to 6 kB: what fits is kept, nothing under the final name."""
    model = write_npz(tmp_path / "net.npz", NET)
    target = tmp_path / "r.parquet"
    with disk(6_000):
        message = refused("list", model, "-o", target)
    assert "cannot be written: " in message and os.strerror(errno.EFBIG) in message
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.npz", "r.parquet.parts"]
    assert "finished parts stay" in message
    assert {p.suffix for p in (tmp_path / "r.parquet.parts").iterdir()} == {".parquet"}
    assert 0 < len(lr.Regions.load(tmp_path / "r.parquet.parts", NET)) <= lr.count(NET)


def test_a_disk_that_was_full_from_the_start(tmp_path, small, refused, disk):
    model = write_npz(tmp_path / "net.npz", NET)
    with disk(100):
        message = refused("list", model, "-o", tmp_path / "r.parquet")
    assert "cannot be written: " in message and "stay" not in message
    assert [p.name for p in tmp_path.iterdir()] == ["net.npz"]


def test_lists_that_are_refused(tmp_path, small):
    path = tmp_path / "r.parquet"
    written(path, NET, lr.Box(-1, 1))

    def load(net=NET, domain=lr.Box(-1, 1)):  # noqa: B008
        return list(lr.Regions.load(path, net, domain))

    assert load()
    with pytest.raises(lr.LinregionsError, match=r"r\.parquet is a list of another network"):
        load(gaussian(1, 3, 8, 6, 1))
    with pytest.raises(lr.LinregionsError, match=r"a list over box .* asked for was"):
        load(domain=lr.Box(-1, 2))
    good = path.read_bytes()
    for damaged in (good[: len(good) // 2], b"PAR1", good[:300] + b"\xff" * 8 + good[308:]):
        path.write_bytes(damaged)
        with pytest.raises(lr.LinregionsError, match=r"r\.parquet: not a readable") as caught:
            load()
        assert "\n" not in str(caught.value)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(lr.LinregionsError, match="no list of regions"):
        load()
    (tmp_path / "empty").mkdir()
    with pytest.raises(lr.LinregionsError, match="no finished part"):
        lr.Regions.load(tmp_path / "empty", NET)


def test_lists_of_the_first_format_are_read(tmp_path):
    table = pa.table({
        "pattern": ["01", "10"],
        "point": pa.FixedSizeListArray.from_arrays(pa.array([0.0, 1.0, 2.0, 3.0]), 2),
    })  # fmt: skip
    path = tmp_path / "old.parquet"
    pq.write_table(table.replace_schema_metadata({"linregions": '{"regions": 2}'}), path)
    signs, points, metadata = read_regions(path)
    assert signs.tolist() == [[0, 1], [1, 0]] and points.tolist() == [[0, 1], [2, 3]]
    assert metadata == {"regions": 2}
    with pytest.raises(lr.LinregionsError, match="early version"):
        lr.Regions.load(path, NET)
