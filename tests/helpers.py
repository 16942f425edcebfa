"""What several test files need: networks, domains of the oracle as ours, exact arithmetic."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

import linregions as lr
from linregions import check_regions
from linregions.domain.restrict import restrict
from linregions.search.search import Search
from linregions.testing.oracle import rational
from linregions.testing.streams import solve


def gaussian(seed, *widths):
    """A random network in general position; the last width is that of the output."""
    rng = np.random.default_rng(seed)
    return [(rng.standard_normal((m, n)), rng.standard_normal(m)) for n, m in pairwise(widths)]


def domain_of(domain):
    """The oracle's domain (None, ("box", lo, hi), ("polytope", A, b)) as ours."""
    if domain is None:
        return None
    kind, first, second = domain
    return (lr.Box if kind == "box" else lr.Polytope)(np.array(first), np.array(second))


def patterns(net, domain=None, **options):
    """Patterns of the stream of regions, each met once, as a set of tuples."""
    found = [tuple(r.pattern.tolist()) for r in lr.regions(net, domain, **options)]
    assert len(set(found)) == len(found)
    return set(found)


def counted(net, domain=None, **options):
    """The count of the search, after the engine that is taken by default has agreed."""
    answer = lr.count(net, domain, engine="search", **options)
    assert lr.count(net, domain, **options) == answer
    if answer <= 200 and answer.complete and not options:
        assert accepted(net, domain) == answer
    return answer


def accepted(net, domain=None):
    """The number that the stand-alone checker accepts as proved."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proof"
        lr.count(net, domain, proof=path)
        return check_regions.check(str(path), workers=1)["regions"]


def exact_input(region):
    """The region's exact point in input coordinates, where the domain is not a slice."""
    problem, y = region.problem, region.exact_point
    if problem.rows is not None and problem.basis is None:
        return solve(problem.rows, y, problem.source.inputs)
    if problem.lift is None:
        return list(y)
    # a box with sides of width zero: the lift has one 1 per free coordinate
    lo = np.broadcast_to(problem.domain.lo, (problem.source.inputs,))
    rest = iter(y)
    return [next(rest) if problem.lift[i].any() else Fraction(v) for i, v in enumerate(lo)]


def inside(domain, x):
    """Whether a rational point lies strictly inside an oracle domain."""
    if domain is None:
        return True
    kind, first, second = domain
    if kind == "box":
        return all(rational(a) < v < rational(b) for a, v, b in zip(first, x, second, strict=True))
    return all(
        sum((rational(a) * v for a, v in zip(row, x, strict=True)), Fraction(0)) < rational(b)
        for row, b in zip(first, second, strict=True)
    )


def search_of(net, domain=None, **options):
    """A search over a network given as pairs."""
    return Search(restrict(lr.load(net), domain), **options)


def run_cli(*arguments, **options):
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "linregions.cli.app", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=300, env=dict(os.environ), **options,
    )  # fmt: skip


def run_here(*arguments):
    """The command line in this process, which has its imports and kernels already."""
    from linregions.cli.app import main

    out, err, code = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(a) for a in arguments])
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def write_npz(path, net):
    """A network as a .npz file of W0, b0, W1, ...; the path."""
    arrays = {}
    for i, (W, b) in enumerate(net):
        arrays[f"W{i}"], arrays[f"b{i}"] = np.asarray(W, float), np.asarray(b, float)
    np.savez(path, **arrays)
    return path
