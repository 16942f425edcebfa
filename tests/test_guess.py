"""Decisions that a guess in floats leads to, against the exact simplex; also in many inputs."""

import numpy as np
import pytest
from flint import fmpq, fmpz
from helpers import domain_of, gaussian
from hypothesis import given, settings

import linregions as lr
from linregions.exact import forms, lp
from linregions.exact.forms import Exact
from linregions.exact.guess import farthest
from linregions.exact.rows import value
from linregions.search import search as engine
from linregions.search.rational_branch import rational_branch
from linregions.search.rational_node import walk_node
from linregions.search.search import Search
from linregions.testing.strategies import problems


@pytest.fixture
def at(monkeypatch):
    """The patience of the simplex."""

    def use(patience):
        for module in (forms, lp):
            monkeypatch.setattr(module, "PATIENCE", patience)
        monkeypatch.setattr(engine, "PATIENCE", patience)

    return use


def walk(net, domain):
    """Number of cells by rational arithmetic alone, and whether rows coincided."""
    search = Search(lr.restrict(lr.load(net), domain or lr.Space()))
    if search.cursor is None:
        return None
    base = Exact(search.compiled)
    rows = base.domain_rows()
    x = lp.inside(rows, base.k, "the domain")
    signs = np.zeros(base.cut[-1], np.int8)
    found = list(base.leaves(0, rows, x, signs, base.layout.candidates(0)))
    return sorted(tuple(s.tolist()) for s, _, _ in found), any(tie for *_, tie in found)


@given(problems(inputs=(1, 3), layers=(1, 2), units=(1, 4), outputs=(1, 1)))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_guesses_decide_as_the_simplex_does(problem):
    net, domain = problem
    before, answers = lp.PATIENCE, []
    try:
        for lp.PATIENCE in (float("inf"), 0.0):
            forms.PATIENCE = lp.PATIENCE
            answers.append(walk(net, domain_of(domain)))
    finally:
        lp.PATIENCE = forms.PATIENCE = before
    assert answers[0] == answers[1]


def test_a_point_that_moves_on_to_an_earlier_row():
    """Off the second unit's zero the point lands on the first one's: still three cells."""
    net = [(np.array([[1.0], [-1.0]]), np.array([0.0, 1.0])), (np.array([[1.0, 1.0]]), np.zeros(1))]
    assert walk(net, None) == ([(-1, 1), (1, -1), (1, 1)], False)
    search = Search(lr.restrict(lr.load(net)), emit=8)
    stack = [rational_branch(0, (), [0, 1], np.ones(2, np.int8), [fmpq(0)])]
    while stack:
        stack += walk_node(search, stack.pop())
    found = [signs.tolist() for _, signs, _ in search._found]
    assert sorted(found) == [[-1, 1], [1, -1], [1, 1]]


def test_most_decisions_in_sixteen_dimensions_need_no_whole_simplex(monkeypatch):
    solves = []
    simplex = lp.minimise

    def noted(*args, **options):
        solves.append(options.get("patience", np.inf) == np.inf)
        return simplex(*args, **options)

    monkeypatch.setattr(lp, "minimise", noted)
    found = lr.count(gaussian(0, 16, 20, 20, 1), engine="search", limit=3000)
    assert found >= 3000 and found.stats["rational"] > 20
    assert sum(solves) < found.stats["rational"] / 4


def test_guesses_change_no_count_in_twelve_dimensions(at):
    """A box around the middle, so that all of them are counted."""
    net, box = gaussian(2, 12, 14, 4, 1), lr.Box(-0.3, 0.3)
    at(0.0)
    ours = lr.count(net, box, engine="search")
    at(float("inf"))
    assert ours == lr.count(net, box, engine="search") > 100


def test_a_guess_in_a_thin_cell():
    """2^-60 across one way: the far point and the tight rows are still right."""

    def row(*a):
        return [fmpz(v) for v in a]

    rows = [row(2**60, 2**59, 0), row(-(2**60), -(2**59), 1), row(0, 1, 1), row(0, -1, 1)]
    x0 = [fmpq(1, 2**61), fmpq(0)]
    found = farthest(rows, x0, row(0, 1, 0))
    assert found is not None and found.tight == [2]
    assert abs(float(found.point[1]) + 1) < 1e-6
    other, *_ = lp.guessed(rows, x0, row(0, 2, 1))
    assert value(row(0, 2, 1), other) < 0 and all(value(r, other) > 0 for r in rows)
    assert lp.guessed(rows, x0, row(0, 1, 2)) == (None, False, (2,))
    assert lp.guessed(rows, x0, row(0, 3, 3)) == (None, True, (2,))


def test_an_interior_point_of_hundreds_of_inputs(monkeypatch):
    """A corner cut off a box: the exact simplex would take hours and is stopped early."""
    k, simplex, patience = 200, lp.minimise, []

    def noted(*args, **options):
        patience.append(options["patience"])
        return simplex(*args, **options)

    monkeypatch.setattr(lp, "minimise", noted)
    eye = np.eye(k, dtype=int).tolist()
    rows = [[*map(fmpz, e), fmpz(0)] for e in eye] + [
        [*map(fmpz, [-v for v in e]), fmpz(1)] for e in eye
    ]
    rng = np.random.default_rng(0)
    rows += [
        [*map(fmpz, rng.integers(1, 2**40, k).tolist()), fmpz(-(2**40) * k // 3)] for _ in range(5)
    ]
    x = lp.interior_point(rows, k)
    assert x is not None and all(value(r, x) > 0 for r in rows)
    assert patience == [lp.PATIENCE]
