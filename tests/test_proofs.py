"""Proofs that the library writes, checked by the program that shares nothing with it."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers import domain_of, gaussian
from hypothesis import given, settings
from test_near_ties import SCALED, network

import linregions as lr
from linregions import check_regions
from linregions.certificates import part
from linregions.testing.networks import random_network
from linregions.testing.strategies import canonical, problems


def proved(net, domain=None, kind="activation", **options):
    """The count with a proof, once the checker has accepted it."""
    path = options.pop("path")
    answer = lr.count(net, domain, kind=kind, proof=path, **options)
    assert answer.complete and answer.proof == str(path) and path.is_file()
    assert not path.with_name(path.name + ".parts").exists()
    said = check_regions.check(str(path), workers=1)
    assert said["regions"] == answer and said["kind"] == kind
    assert said["network"] == lr.load(net).hash
    return answer


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("proofs") / "count.proof"


@given(problems(inputs=(1, 3), layers=(1, 3), units=(1, 4)))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_networks_with_ties(file, problem):
    net, domain = problem
    for kind in ("activation", "linear", "affine"):
        count = lr.count(net, domain_of(domain), kind=kind, engine="search")
        assert proved(net, domain_of(domain), kind, path=file) == count


@given(canonical(inputs=(1, 2), layers=(1, 3)))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_all_kinds_of_units(file, net):
    for domain in (None, lr.Box(-2, 2)):
        for kind in ("activation", "linear"):
            assert proved(net, domain, kind, path=file) == lr.count(net, domain, kind=kind)


@pytest.mark.parametrize("seed", range(6))
def test_max_units_in_parts(seed, file, monkeypatch):
    """Branches are given away between max units, and winners are part of their path."""
    monkeypatch.setattr(part, "LEAVES", 4)
    net = random_network(seed, 2, 4, 3)
    assert proved(net, lr.Box(-2, 2), path=file) == lr.count(net, lr.Box(-2, 2))


def test_near_ties(file):
    assert proved(SCALED, path=file) == 24
    for seed in range(10):
        proved(network(seed), path=file)
        proved(network(seed), lr.Box(-1, 1), "linear", path=file)


NET = gaussian(3, 6, 9, 8, 1)  # six inputs: the search over R^6


@pytest.mark.parametrize(
    "domain",
    [
        None,
        lr.Box([-1, -1, -1, -1, 0.5, -1], [1, 1, 1, 1, 0.5, 2]),
        lr.Slice(np.zeros(6), np.eye(6)[:, :3]),
        lr.Plane.through(*np.random.default_rng(0).normal(size=(3, 6))),
        lr.Segment(np.zeros(6), np.arange(1.0, 7.0) / 7),
        lr.Line(np.zeros(6), np.arange(1.0, 7.0)),
        lr.Polytope(np.vstack([np.eye(6)[:2], -np.ones((1, 6))]), [1.0, 0.5, 2.0]),
        lr.Polytope([[1.0, 1, 0, 0, 0, 0], [-1.0, 1, 0, 0, 0, 0]], [1.0, 1.0]),
    ],
    ids=lambda domain: "space" if domain is None else type(domain).__name__.lower(),
)
def test_every_domain(domain, file, monkeypatch):
    monkeypatch.setattr(part, "LEAVES", 60)
    assert proved(NET, domain, path=file) == lr.count(NET, domain, engine="search")


def test_fewer_rows_than_inputs(file):
    """Coordinates are the values of independent rows, some of them of the domain."""
    net = gaussian(1, 5, 3, 4, 1)
    assert proved(net, path=file) == lr.count(net)
    domain = lr.Polytope([[1.0, 2, 3, 4, 5]], [1.0])
    assert proved(net, domain, "affine", path=file) == lr.count(net, domain, kind="affine")


def test_parts_by_workers_and_their_names(file, monkeypatch):
    net = gaussian(0, 5, 10, 8, 1)
    count = lr.count(net)
    monkeypatch.setattr(part, "LEAVES", 50)
    assert proved(net, path=file) == count
    with zipfile.ZipFile(file) as archive:
        head = json.loads(archive.read("proof.json"))
    assert len(head["parts"]) > 10
    assert sum(p["count"] for p in (head["root"], *head["parts"])) == count == head["total"]
    assert proved(net, path=file, workers=2) == count


@pytest.mark.parametrize("s", [1e-320, 1e-200, 1e-60, 1e200, 1e300])
def test_far_from_size_one(s, file):
    net = [
        ([[s, 0.0], [1.0, s]], [s, -0.5]),
        ([[1.0, -1.0], [s, 1.0]], [0.0, 0.1]),
        ([[1.0, 1]], [0]),
    ]
    for domain in (None, lr.Box(-2, 2)):
        assert proved(net, domain, "linear", path=file) == lr.count(net, domain, kind="linear")


def test_a_count_that_is_stopped_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(part, "LEAVES", 50)
    net, path = gaussian(0, 5, 10, 8, 1), tmp_path / "count.proof"
    whole = lr.count(net)
    stopped = lr.count(net, proof=path, limit=200)
    assert stopped.stopped == "limit" and not stopped.complete and stopped.proof == ""
    assert 200 <= stopped < whole - 100 and not path.exists()
    folder = tmp_path / "count.proof.parts"
    done = {f.name: f.stat().st_mtime_ns for f in folder.glob("*.done")}
    assert done
    with pytest.raises(lr.LinregionsError, match="of another network"):
        lr.count(gaussian(1, 5, 10, 8, 1), proof=path)
    again = lr.count(net, proof=path, limit=whole - 100)
    assert again.stopped == "limit"
    kept = {f.name: f.stat().st_mtime_ns for f in folder.glob("*.done")}
    assert done.items() <= kept.items() and len(kept) > len(done)
    assert proved(net, path=path) == whole


def test_no_time_at_all(tmp_path):
    answer = lr.count(gaussian(0, 5, 10, 8, 1), proof=tmp_path / "p", seconds=0)
    assert answer.stopped == "seconds" and not answer.complete


@pytest.mark.parametrize(
    "options, words",
    [
        ({"kind": "closed"}, "has no proof"),
        ({"kind": "pattern"}, "has no proof"),
        ({"engine": "complex"}, 'not of engine="complex"'),
        ({"engine": "milp"}, 'not of engine="milp"'),
        ({"checkpoint": "c.ckpt"}, "no executor or checkpoint"),
    ],
)
def test_what_has_no_proof(options, words, tmp_path):
    with pytest.raises(lr.LinregionsError, match=words):
        lr.count(NET, proof=tmp_path / "p", **options)
    assert not list(tmp_path.iterdir())
    with pytest.raises(lr.LinregionsError, match="does not exist"):
        lr.count(NET, proof=tmp_path / "nowhere" / "p")


def test_the_two_commands(tmp_path):
    """Count with a proof, and check it with Python alone."""
    model, path = tmp_path / "net.npz", tmp_path / "net.proof"
    lr.load(gaussian(3, 3, 5, 4, 1)).save(model)
    run = [sys.executable, "-m", "linregions", "count", str(model), "--proof", str(path), "--json"]
    facts = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    assert facts["proof"] == str(path)
    checker = Path(check_regions.__file__).read_bytes()
    alone = tmp_path / "alone.py"
    alone.write_bytes(checker)
    run = [sys.executable, "-I", "-S", str(alone), str(path), "--json"]
    said = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    assert said["accepted"] and said["regions"] == facts["regions"]
