"""The mixed-integer referee: equal to the search, to known counts and to brute force."""

import ast
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from data import shared
from helpers import domain_of, gaussian, run_cli, write_npz
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from known import NETWORKS
from scipy import sparse
from scipy.optimize import linprog

import linregions as lr
import linregions.milp as milp
from linregions.cli.app import main
from linregions.network.affine import ONE, Affine, Term
from linregions.network.network import Layer, Network
from linregions.network.units import (
    ABS,
    HARDTANH,
    RELU,
    RELU6,
    MaxUnits,
    Pointwise,
    clip,
    leaky_relu,
)
from linregions.search.patterns import PatternSearch
from linregions.testing import oracle
from linregions.testing.strategies import boxes, networks

common = settings(deadline=None, derandomize=True)
TIES = ("fresh", "duplicate", "opposite", "scaled", "parallel", "zero bias", "dead", "concurrent")
SOLVERS = ("milp", "milp-scip")


def referee(net, domain, kind="activation", **options):
    return milp.Referee(lr.restrict(lr.load(net), domain), kind, **options)


# -- every kind of network -----------------------------------------------------------------------


def dense(seed, rows, columns, source):
    rng = np.random.default_rng(seed)
    return Affine.dense(rng.standard_normal((rows, columns)), rng.standard_normal(rows), source)


def two_layers(first, second):
    """2 inputs, two layers with these units, one output."""
    one = Layer(dense(1, first.fan_in, 2, 0), first)
    two = Layer(dense(2, second.fan_in, first.size, 1), second)
    return Network(2, (one, two), dense(3, 1, second.size, 2))


def residual():
    """Layer 2 reads the input and layer 1; layer 3 reads layers 1 and 2, and the input."""
    relu = Pointwise.uniform(RELU, 3)

    def read(seed, *sources):
        rng = np.random.default_rng(seed)
        sizes = {0: 2, 1: 3, 2: 3, ONE: 1}
        return Affine(
            3, tuple(Term(s, (rng.standard_normal((3, sizes[s])),)) for s in (*sources, ONE))
        )

    layers = (Layer(read(1, 0), relu), Layer(read(2, 0, 1), relu), Layer(read(3, 0, 1, 2), relu))
    return Network(2, layers, dense(4, 1, 3, 3))


def factors():
    """A sparse factor (a convolution along four inputs), then a dense one: three exact factors."""
    slide = sparse.csr_array(np.array([[1.0, -2, 0, 0], [0, 1, -2, 0], [0, 0, 1, -2]]))
    mix = np.random.default_rng(5).standard_normal((4, 3))
    terms = Term(0, (slide, mix)), Term(ONE, (np.full((4, 1), 0.25),))
    return Network(4, (Layer(Affine(4, terms), Pointwise.uniform(RELU, 4)),), dense(6, 1, 4, 1))


def pooled():
    """Max pooling over rectifiers: where two are off, the arguments are equal on a whole cell."""
    relu = Layer(dense(7, 4, 2, 0), Pointwise.uniform(RELU, 4))
    pool = Layer(Affine.identity(4, 1), MaxUnits(((0, 1), (2, 3, 1)), 4))
    last = Layer(dense(8, 2, 2, 2), Pointwise.uniform(RELU, 2))
    return Network(2, (relu, pool, last), dense(9, 1, 2, 3))


UNITS = {
    "relu": Pointwise.uniform(RELU, 4),
    "leaky": Pointwise.uniform(leaky_relu(0.1), 4),
    "prelu": Pointwise.each([leaky_relu(s) for s in (0.25, -0.5, 2.0, 0.0)]),
    "abs": Pointwise.uniform(ABS, 4),
    "relu6": Pointwise.uniform(RELU6, 3),
    "hard tanh": Pointwise.uniform(HARDTANH, 3),
    "clip": Pointwise.uniform(clip(-0.5, 0.25), 3),
    "max": MaxUnits(((0, 1, 2), (3, 4), (5,), (1, 4)), 6),
}
NETS = {
    **{n: two_layers(u, Pointwise.uniform(RELU, 2)) for n, u in UNITS.items()},
    "max in layer two": two_layers(UNITS["relu"], MaxUnits(((0, 1), (2, 3, 4)), 5)),
    "residual": residual(),
    "factors": factors(),
    "pooled": pooled(),
}


def brute(net, lo, hi, margin):
    """PatternSearch whose cell in a box holds a ball: one linear program for every combination."""
    n = net.inputs
    sides = [(np.eye(n)[j] * s, hi if s > 0 else -lo) for j in range(n) for s in (1.0, -1.0)]

    def extend(layer, values, rows, pieces):
        if rows and radius(rows) <= margin:
            return
        if layer == len(net.layers):
            yield pieces
            return
        here, z = net.layers[layer], np.zeros((net.layers[layer].affine.size, n + 1))
        for source in (*here.affine.sources, ONE):
            z += here.affine.rounded(source, net.size_of(source))[0] @ values[source]
        for mine in itertools.product(*map(range, here.units.pieces_per_unit())):
            more, out = [], []
            for i, p in enumerate(mine):
                if isinstance(here.units, MaxUnits):
                    group = here.units.groups[i]
                    rest = [(j, group[j]) for j in range(len(group)) if j != p]
                    more += [(z[group[p]] - z[g], j < p) for j, g in rest]
                    out.append(z[group[p]])
                else:
                    kind, e = here.units.kinds[here.units.which[i]], np.eye(n + 1)[n]
                    more += [(z[i] - float(t) * e, True) for t in kind.breaks[:p]]
                    more += [(float(t) * e - z[i], False) for t in kind.breaks[p:]]
                    out.append(float(kind.slopes[p]) * z[i] + float(kind.intercepts[p]) * e)
            flat = [(r, strict) for r, strict in more if abs(r[:n]).max() < 1e-12]
            if any(r[n] < -1e-12 or (strict and r[n] < 1e-12) for r, strict in flat):
                continue
            new = [(-r[:n], r[n]) for r, _ in more if abs(r[:n]).max() >= 1e-12]
            after = {**values, layer + 1: np.array(out)}
            yield from extend(layer + 1, after, [*rows, *new], (*pieces, *mine))

    def radius(rows):
        A, b = (np.array(part) for part in zip(*rows, strict=True))
        norms = np.linalg.norm(A, axis=1)
        bounds = [(None, None)] * (n + 1)
        return -linprog(np.r_[np.zeros(n), -1.0], np.c_[A, norms], b, bounds=bounds).fun

    start = {0: np.eye(n, n + 1), ONE: np.eye(1, n + 1, n)}
    return set(extend(0, start, sides, ()))


@pytest.mark.parametrize("name", NETS)
def test_every_kind_of_network_against_brute_force(name):
    net = NETS[name]
    expected = brute(net, -2, 2, milp.MARGIN)
    found = list(referee(net, lr.Box(-2, 2)).patterns())
    assert len(found) == len(set(found)) > 3 and set(found) == expected
    if all(isinstance(layer.units, Pointwise) for layer in net.layers):
        assert lr.count(net, lr.Box(-2, 2), engine="search") == len(expected)


@pytest.mark.parametrize("name", NETS)
def test_every_kind_of_network_against_rational_patterns(name):
    """PatternSearch of all dimensions: the paper's own count, and exact sign sets."""
    net, box = NETS[name], lr.Box(-2, 2)
    exact = {p for p, _ in PatternSearch(lr.restrict(net, box))}
    assert set(referee(net, box, "pattern").patterns()) == exact
    assert lr.count(net, box, kind="pattern", engine="milp") == len(exact)


@pytest.mark.parametrize("name", NETS)
def test_scip_agrees(name):
    pytest.importorskip("pyscipopt")
    net, box = NETS[name], lr.Box(-2, 2)
    assert lr.count(net, box, kind="pattern", engine="milp-scip") == lr.count(
        net, box, kind="pattern"
    )
    if name != "pooled":  # there arguments are equal on whole cells, which its model misses
        assert lr.count(net, box, engine="milp-scip") == lr.count(net, box, engine="milp")


# -- against the other engines -------------------------------------------------------------------


@given(st.data())
@settings(common, max_examples=40)
def test_the_search_agrees_where_cells_are_thick(data):
    """Degenerate networks in integers, where no cell is thinner than 1e-4."""
    net = data.draw(
        networks(inputs=(1, 3), layers=(1, 2), units=(1, 4), kinds=TIES, styles=("integer",))
    )
    domain = ("box", *data.draw(boxes(net[0][0].shape[1])))
    cells = list(lr.regions(net, domain_of(domain)))
    assume(min(c.inradius for c in cells) > 1e-4)
    answer = lr.count(net, domain_of(domain), engine="milp")
    assert answer == len(cells) and answer.also["pattern"] == len(oracle.all_patterns(net, domain))
    found = set(referee(net, domain_of(domain)).patterns())
    assert found == oracle.activation_patterns(net, domain)


@pytest.mark.parametrize("widths", [(2, 8, 6, 1), (3, 7, 5, 2), (5, 6, 1), (2, 5, 4, 3, 1)])
def test_networks_in_general_position(widths):
    net, box = gaussian(4, *widths), lr.Box(-1, 1)
    cells = list(lr.regions(net, box))
    assert min(r.inradius for r in cells) > 1e-4
    answer = lr.count(net, box, engine="milp")
    assert answer == len(cells) and answer.engine == "milp"
    pytest.importorskip("pyscipopt")
    assert lr.count(net, box, engine="milp-scip") == len(cells)


@pytest.mark.parametrize("name", ["a", "b", "c", "d", "braid 4", "semiorder 3", "wang (2, 6)"])
def test_known_networks(name):
    net, _ = NETWORKS[name]()
    n = net[0][0].shape[1]
    box = ("box", [-8] * n, [8] * n)
    assert lr.count(net, domain_of(box), engine="milp") == len(oracle.activation_patterns(net, box))


def test_other_bounded_domains():
    net = gaussian(5, 3, 6, 4, 1)
    triangle = lr.Polytope([[-1, 0, 0], [0, -1, 0], [0, 0, -1], [1, 1, 1]], [0, 0, 0, 2])
    plane = lr.Plane.through([0.0, 0, 0], [1.0, 0, 1], [0.0, 1, 1])
    for domain in (triangle, plane, lr.Segment([-3.0, 0, 0], [3.0, 1, 2]), lr.Box(0.5, 0.5)):
        assert lr.count(net, domain, engine="milp") == lr.count(net, domain, engine="search")


def test_a_trained_network():
    """One cell has a radius of some 1e-7: below a margin of 1e-6 it is missed."""
    model, box = shared("counted/quadratic_2-16-16-1.onnx"), lr.Box(-1, 1)
    found = [set(referee(model, box, margin=m).patterns()) for m in (1e-6, 1e-7)]
    (missed,) = found[1] - found[0]
    cells = {tuple(r.pattern.tolist()): r for r in lr.regions(model, box)}
    assert set(cells) == found[1] and len(cells) == 202
    assert 1e-7 < cells[missed].inradius <= 1e-6


@pytest.mark.parametrize(("margin", "value"), [(1e-6, 201), (1e-7, 202), (1e-8, 202)])
def test_a_trained_network_by_scip(margin, value):
    pytest.importorskip("pyscipopt")
    model = shared("counted/quadratic_2-16-16-1.onnx")
    found = referee(model, lr.Box(-1, 1), margin=margin, solver="scip").count()
    assert found == (value, "")


def test_a_margin_hides_thin_cells():
    net = [([[1.0], [1.0]], [0.0, -1e-5]), ([[1.0, 1.0]], [0.0])]
    assert lr.count(net, lr.Box(-1, 1), engine="milp") == 3
    wide = referee(net, lr.Box(-1, 1), margin=1e-4)
    assert sorted(wide.patterns()) == [(0, 0), (1, 1)]


def test_bounds_decide_units_that_the_box_leaves_no_choice():
    """Interval and linear programs together: no binary where a breakpoint is out of reach."""
    net = [([[1, 0], [0, 1], [1, 1]], [-3, 3, 0]), ([[0, 1, -1]], [-1]), ([[1]], [0])]
    # layer 2 is 2 + y - relu(x + y), at least 0 on the box only if x + y and y are seen together
    answer = lr.count(net, lr.Box([0, -1], [1, 1]), engine="milp")
    assert answer == lr.count(net, lr.Box([0, -1], [1, 1])) and answer.stats["binaries"] == 1


# -- the answer, and its refusals ----------------------------------------------------------------


def test_what_an_answer_says():
    answer = lr.count(gaussian(4, 2, 4, 1), lr.Box(-1, 1), engine="milp")
    assert answer.complete and not answer.exact and answer.kind == "activation"
    assert answer.stats["margin"] == 1e-7 and answer.stats["tolerance"] == 1e-9
    assert answer.stats["flat_patterns"] == 0 and answer.stats["lps"] >= int(answer)
    assert answer.stats["smallest_output"] > 1e-7


def test_counts_can_be_cut_short():
    net = gaussian(0, 4, 12, 10, 1)
    few = lr.count(net, lr.Box(-1, 1), engine="milp", limit=3)
    assert (few, few.complete, few.stopped) == (3, False, "limit")
    start = time.perf_counter()
    late = lr.count(net, lr.Box(-1, 1), engine="milp", seconds=0.3)
    assert late.stopped == "seconds" and not late.complete and time.perf_counter() - start < 10
    seen = []

    def interrupt(status):
        seen.append(status.regions)
        raise KeyboardInterrupt

    cut = lr.count(net, lr.Box(-1, 1), engine="milp", progress=interrupt, on_interrupt="return")
    assert cut.stopped == "interrupt" and not cut.complete and seen == [int(cut)]


def test_scip_can_be_cut_short():
    pytest.importorskip("pyscipopt")
    net = gaussian(0, 4, 12, 10, 1)
    late = lr.count(net, lr.Box(-1, 1), engine="milp-scip", seconds=0.3)
    assert late.stopped == "seconds" and not late.complete
    few = lr.count(net, lr.Box(-1, 1), engine="milp-scip", limit=5)
    assert (few, few.stopped, few.complete) == (5, "limit", False)


@pytest.mark.parametrize("engine", SOLVERS)
@pytest.mark.parametrize(
    ("domain", "kind", "message"),
    [
        (None, "activation", "bounded domain, and all of"),
        (lr.Polytope([[1.0, 0.0]], [1.0]), "activation", "needs a bounded domain"),
        (lr.Polytope([[1.0, 0], [-1, 0], [0, 1], [0, -1]], [0.0, 0, 1, 1]), "pattern", "interior"),
        (lr.Box(-1, 1), "linear", "not 'linear'"),
        (lr.Box(-1, 1), "closed", "not 'closed'"),
    ],
)
def test_what_is_refused(engine, domain, kind, message):
    with pytest.raises(lr.LinregionsError, match=message) as caught:
        lr.count(gaussian(0, 2, 3, 1), domain, kind=kind, engine=engine)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("margin", [0, 1e-12, -1, 1, float("nan")])
def test_margins_that_are_refused(margin):
    with pytest.raises(lr.LinregionsError, match="margin"):
        referee(gaussian(0, 2, 3, 1), lr.Box(-1, 1), margin=margin)


def test_without_scip(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyscipopt", None)
    with pytest.raises(lr.LinregionsError, match="pyscipopt, which is not installed"):
        lr.count(gaussian(0, 2, 3, 1), lr.Box(-1, 1), engine="milp-scip")
    assert lr.count(gaussian(0, 2, 3, 1), lr.Box(-1, 1), engine="milp") >= 1


def test_the_referee_shares_nothing_with_the_engines():
    for path in Path(milp.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                assert (node.module or "").split(".")[0] in ("domain", "errors", "network")
            elif isinstance(node, ast.ImportFrom | ast.Import):
                assert "search" not in ast.dump(node) and "complex" not in ast.dump(node)


def test_the_command_line(tmp_path):
    model = write_npz(tmp_path / "net.npz", NETWORKS["d"]()[0])
    done = run_cli("count", model, "--box=-8,8", "--engine", "milp", "--json")
    facts = json.loads(done.stdout)  # one object and nothing else: no banner of a solver
    assert (done.returncode, facts["regions"], facts["exact"], facts["engine"]) == (
        0, 14, False, "milp"
    )  # fmt: skip
    assert facts["stats"]["margin"] == 1e-7 and facts["also"] == {"pattern": 19}


def test_the_command_line_in_prose(tmp_path, capsys):
    model = str(write_npz(tmp_path / "net.npz", NETWORKS["d"]()[0]))

    def call(*arguments):
        with pytest.raises(SystemExit) as done:
            main(["count", model, *arguments])
        return done.value.code, *capsys.readouterr()

    _, out, _ = call("--box=-8,8", "--engine", "milp", "--kind", "pattern")
    assert "19 pattern regions" in out and "margin 1e-07" in out and "at most" not in out
    _, out, _ = call("--kind", "pattern", "--json")
    assert json.loads(out)["regions"] == 19 and json.loads(out)["upper_bound"] is None
    _, out, _ = call("--kind", "closed")
    assert "7 closed regions" in out and "8 linear" in out
    code, out, error = call("--engine", "milp")
    assert (code, out, error.count("\n")) == (2, "", 1) and "bounded" in error


def test_ctrl_c_on_the_command_line(tmp_path):
    model = write_npz(tmp_path / "net.npz", gaussian(0, 4, 14, 12, 1))
    arguments = ["count", str(model), "--box=-1,1", "--engine", "milp", "--json"]
    command = [sys.executable, "-m", "linregions.cli.app", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        time.sleep(8)  # the import takes seconds on a busy machine
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    facts = json.loads(out)
    assert process.returncode == 130 and facts["complete"] is False
    assert facts["stopped"] == "interrupt" and facts["regions"] > 0
