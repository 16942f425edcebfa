"""Kernels on disk, and compiling them before they are needed."""

import json
import pickle
import subprocess
import sys

import numba
import pytest
from helpers import run_here

from linregions import Box, Network, caching
from linregions.caching import KernelCache, folders, sorted_repr, stamp
from linregions.cli.compile import JOBS, needed, tiny_max
from linregions.jit import inner, kernel

FACTOR = 2


@inner()
def part(x):
    """Doubles."""
    return FACTOR * x


def made(body):
    """A kernel with a part of this source, as an edited file would have it."""
    names = {"inner": inner, "kernel": kernel, "FACTOR": FACTOR}
    source = (
        f"@inner()\ndef part(x):\n    {body}\n@kernel('a test')\ndef whole(x):\n    return part(x)"
    )
    exec(source, names)
    for name in ("part", "whole"):
        names[name].py_func.__module__ = "linregions.test"
    return names["whole"], names


def test_the_stamp_knows_all_parts_and_constants_but_no_comments():
    first, names = made("return FACTOR * x")
    assert stamp(first) == stamp(made("return FACTOR * x  # twice")[0])
    documented = [made(f'"""{text}."""\n    return FACTOR * x')[0] for text in ("Doubles", "Twice")]
    assert stamp(documented[0]) == stamp(documented[1])
    assert stamp(first) != stamp(made("return FACTOR + x")[0])
    names["FACTOR"] = 3
    caching.stamp.cache_clear()
    changed = stamp(names["whole"])
    names["FACTOR"] = 2
    caching.stamp.cache_clear()
    assert changed != stamp(names["whole"]) == stamp(first)


def test_options_are_compared_without_order():
    assert sorted_repr({"b": {"y", "x"}, "a": 1}) == sorted_repr({"a": 1, "b": {"x", "y"}})


@pytest.fixture
def two_folders(tmp_path, monkeypatch):
    """Two folders for kernels, of which the first cannot be written."""
    monkeypatch.setattr(caching, "folders", lambda: (tmp_path / "first", tmp_path / "second"))
    monkeypatch.setattr(caching, "_writable", lambda f: f.name == "second" or None)
    (tmp_path / "second").mkdir()
    return tmp_path


def test_kernels_go_to_a_folder_that_can_be_written_and_are_read_there(two_folders):
    whole, _ = made("return FACTOR * x")
    assert whole(4) == 8
    assert {f.suffix for f in (two_folders / "second").iterdir()} == {".nbi", ".nbc"}
    again, _ = made("return FACTOR * x")
    assert again(4) == 8
    assert sum(again.stats.cache_hits.values()) == 1
    edited, _ = made("return FACTOR + x")
    assert edited(4) == 6
    assert sum(edited.stats.cache_hits.values()) == 0


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_files_of_types_that_are_gone_are_compiled_anew(two_folders, suffix):
    """A named tuple that a kernel takes may have another name by now: that is no error."""
    whole, _ = made("return FACTOR * x")
    assert whole(4) == 8
    (file,) = (two_folders / "second").glob(f"*{suffix}")
    gone = b"\x80\x04\x8c\x0elinregions.jit\x8c\x07NoClass\x93."  # pickle of a class
    version = pickle.dumps(numba.__version__)
    file.write_bytes(version + gone if suffix == ".nbi" else gone)
    again, _ = made("return FACTOR * x")
    assert again(4) == 8 and sum(again.stats.cache_hits.values()) == 0
    third, _ = made("return FACTOR * x")
    assert third(4) == 8 and sum(third.stats.cache_hits.values()) == 1


def test_a_variable_names_the_only_folder(tmp_path, monkeypatch):
    folders.cache_clear()
    monkeypatch.setenv("LINREGIONS_CACHE", str(tmp_path))
    assert folders() == (tmp_path,)
    folders.cache_clear()


def test_a_long_compilation_is_announced(two_folders, monkeypatch):
    monkeypatch.setattr(caching, "PATIENCE", 0.0)
    lines = []
    with caching.told(lines.append):
        assert made("return FACTOR - x")[0](1) == 1
    assert lines[0] == "linregions: compiling a test (once per machine) ..."
    assert lines[-1].startswith("linregions: compiled a test in ")


def test_every_kernel_releases_the_lock_and_is_kept():
    """All that Python calls is compiled by `jit.kernel`."""
    code = """
import gc, linregions.cli.app, linregions.complex.engine, linregions.sampling.sample
import linregions.merging.maps, linregions.merging.graph
import linregions.search.branch, linregions.estimation.thin_kernel
from numba.core.dispatcher import Dispatcher
from linregions.caching import KernelCache
found = [d for d in gc.get_objects() if isinstance(d, Dispatcher)
         and d.py_func.__module__.startswith("linregions.")]
kept = [d for d in found if isinstance(d._cache, KernelCache)]
assert all(d.targetoptions.get("nogil") for d in found), found
print(len(kept), len(found))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kept, found = map(int, out.stdout.split())
    assert kept >= 20 and found > 100


def test_what_a_model_needs():
    net = Network.from_layers([([[1.0]], [0.0]), ([[1.0]], [0.0])])
    assert needed(net, Box(-1.0, 1.0)) == ["search", "complex", "merging", "estimates"]
    assert "proofs" in needed(tiny_max(), Box(-1.0, 1.0))
    assert "largest" in needed(tiny_max(), Box(-1.0, 1.0))


@pytest.mark.slow
def test_the_command():
    run = run_here("compile", "--json", "--workers", "2")
    answer = json.loads(run.stdout)
    assert run.returncode == 0
    assert list(JOBS) == sorted(answer["kernels"], key=list(JOBS).index)
    assert all(name in run.stderr for name in JOBS)


def test_a_kernel_cache_names_its_folder():
    assert KernelCache(part, "a test").cache_path == str(folders()[0])
