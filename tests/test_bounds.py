"""`bounds`: above every count, below by construction, and what applies where."""

import json
import time
from fractions import Fraction

import numpy as np
import pytest
from helpers import gaussian, run_cli, write_npz
from hypothesis import HealthCheck, given, settings

import linregions as lr
from linregions import constructions as build
from linregions.bounding import Dense, magnitude, tightest
from linregions.bounding.stability import reaches
from linregions.cli.app import main
from linregions.domain.restrict import restrict
from linregions.network.affine import ONE, Affine, Term
from linregions.network.network import Layer
from linregions.network.units import (
    ABS,
    HARDTANH,
    RELU,
    RELU6,
    MaxUnits,
    Pointwise,
    leaky_relu,
)
from linregions.testing.strategies import problems
from linregions.theory import Conv, dense


def named(found):
    assert len({b.name for b in found}) == len(found)
    return {b.name: b for b in found}


def counts(found):
    return [b for b in found if "expected" not in b.bounds]


def uppers(found):
    return [b for b in counts(found) if b.direction == "upper"]


def lowers(found):
    return [b for b in counts(found) if b.direction == "lower"]


def holds(net, domain=None, lp=False):
    """Every upper bound is at least the count."""
    answer = lr.count(net, domain)
    found = lr.bounds(net, domain, lp=lp)
    for bound in uppers(found):
        assert bound.value >= answer, (bound, int(answer))
    return int(answer), found


# -- above every count ------------------------------------------------------------------------


def test_hundreds_of_gaussian_networks():
    rng = np.random.default_rng(0)
    sharp = 0
    for seed in range(250):
        widths = rng.integers(1, 6, rng.integers(1, 4)).tolist()
        n = int(rng.integers(1, 4))
        net = gaussian(seed, n, *widths, 1)
        domain = [None, lr.Box(-1, 1), lr.Box(-0.2, 0.1)][seed % 3]
        answer, found = holds(net, domain)
        sharp += found[0].value == answer
    assert sharp > 60


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(problems(inputs=(1, 3), layers=(1, 3), units=(1, 4)))
def test_degenerate_networks_and_domains(problem):
    """Duplicated, parallel and dead units, zero biases, integer weights."""
    net, domain = problem
    if domain is not None:
        kind, first, second = domain
        domain = lr.Box(first, second) if kind == "box" else lr.Polytope(first, second)
    holds(net, domain)


@pytest.mark.parametrize("activation", [leaky_relu(0.1), ABS, HARDTANH, RELU6])
def test_other_activations(activation):
    for seed in range(15):
        pairs = gaussian(seed, 2, 3, 3, 1)
        net = lr.Network.from_layers(pairs, activation)
        _, found = holds(net, [None, lr.Box(-1, 1)][seed % 2])
        names = named(found)
        assert "pieces" in names and "serra2018" not in names
        assert names["pieces"].value == dense.piecewise(2, [3, 3], len(activation.slopes))


def test_serra_does_not_hold_for_other_units():
    """Why the subtraction is left out: four quadrants folded onto one, two lines across it."""
    lines = np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([0.0, -2.0])
    pairs = [(np.eye(2), np.zeros(2)), lines, (np.array([[1.0, 3.0]]), None)]
    answer, _ = holds(lr.Network.from_layers(pairs, ABS))
    assert dense.serra2018(2, [2, 2]) == 11 < answer == dense.piecewise(2, [2, 2]) == 16


def residual(seed, n=2, m=3):
    """Two layers, the second of which reads the input as well."""
    rng = np.random.default_rng(seed)
    first = Affine.dense(rng.standard_normal((m, n)), rng.standard_normal(m), 0)
    second = Affine(
        m,
        (
            Term(0, (rng.standard_normal((m, n)),)),
            Term(1, (rng.standard_normal((m, m)),)),
            Term(ONE, (rng.standard_normal((m, 1)),)),
        ),
    )
    layers = tuple(Layer(a, Pointwise.uniform(RELU, m)) for a in (first, second))
    return lr.Network(n, layers, Affine.dense(np.ones((1, m)), None, 2))


def test_networks_that_skip_layers():
    for seed in range(25):
        _, found = holds(residual(seed), [None, lr.Box(-1, 1)][seed % 2])
        assert "serra2018" not in named(found)
    narrow = residual(0, n=3, m=1)  # the second layer sees all three dimensions
    assert lr.bounds(narrow)[0].value >= lr.count(narrow)


def test_mixed_units_in_a_layer():
    rng = np.random.default_rng(0)
    straight = lr.Activation((), (1,), 0, "identity")
    for seed in range(30):
        first, second, out = gaussian(seed, 2, 4, 3, 1)
        units = [RELU if v else straight for v in rng.random(4) < 0.6]
        layers = (
            Layer(Affine.dense(*first, 0), Pointwise.each(units)),
            Layer(Affine.dense(*second, 1), Pointwise.uniform(RELU, 3)),
        )
        net = lr.Network(2, layers, Affine.dense(*out, 2))
        holds(net)
        holds(net, lr.Box(-1, 1))


@pytest.mark.parametrize("seed", range(6))
def test_linear_programs_sharpen_and_stay_valid(seed):
    net = gaussian(seed, 2, 4, 4, 4, 1)
    box = lr.Box(-0.3, 0.3)
    _, loose = holds(net, box)
    _, sharp = holds(net, box, lp=True)
    assert named(sharp)["weights"].value <= named(loose)["weights"].value
    triangle = lr.Polytope([[1, 1], [-1, 0], [0, -1]], [0.4, 0.1, 0.1])
    holds(net, triangle, lp=True)
    square = lr.Polytope([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1]], [0.3, 0.3, 0.3, 0.3, 0.2])
    holds(net, square, lp=True)


def test_pre_activations_lie_in_their_intervals():
    rng = np.random.default_rng(1)
    for seed in range(20):
        net = lr.load(gaussian(seed, 3, 5, 4, 3, 1))
        box = lr.Box(rng.uniform(-1, 0, 3), rng.uniform(0, 1, 3))
        problem = restrict(net, box)
        x = rng.uniform(box.lo, box.hi, (500, 3))
        for lp in (False, True):
            for i, reach in enumerate(reaches(problem, lp), start=1):
                z = net.upto(i)(x)
                assert (reach.z.low <= z.min(axis=0)).all()
                assert (reach.z.high >= z.max(axis=0)).all()
                seen = np.array([len(set(column)) for column in (z > 0).T])
                assert (reach.pieces >= seen).all()


def test_sign_rules_over_all_of_space():
    """Units that cannot be on, or off, whatever the input is."""
    first = np.eye(2), np.zeros(2)
    second = np.array([[-1.0, -1.0], [1.0, 2.0], [-1.0, 1.0]]), np.array([-1.0, 1.0, 0.0])
    net = [first, second, (np.ones((1, 3)), None)]
    (_, reach) = reaches(restrict(lr.load(net)))
    assert reach.pieces.tolist() == [1, 1, 2] and reach.active.tolist() == [False, True, True]
    answer, found = holds(net)
    # Orthants with 2, 1, 1 and 0 units on; one unit of the second layer switches.
    assert (answer, named(found)["weights"].value) == (5, 7)


def test_duplicates_and_low_rank():
    one = np.outer([1.0, 2.0, -1.0, 3.0], [1.0, -2.0, 1.0, 4.0])  # rank one
    (W, b), (V, c), _, out = gaussian(3, 4, 4, 4, 4, 1)
    net = [(one, b), (V, c), out]
    holds(net)
    found = named(lr.bounds(net))
    assert found["weights"].value == found["montufar2017"].value == 5 * 5
    _, found = holds([(W, b), (one, c), (V, b), out])
    assert named(found)["weights"].value < named(found)["serra2018"].value
    twice = np.vstack([W[:2], W[:2]])  # duplicated units: rank two
    _, found = holds([(W, b), (twice, c), (V, b), out])
    assert named(found)["weights"].value < named(found)["serra2018"].value


# -- order, lower bounds, expectations --------------------------------------------------------


def test_tightest_first_and_lower_below_upper():
    rng = np.random.default_rng(5)
    for _ in range(150):
        sizes = rng.integers(1, 9, rng.integers(2, 6)).tolist()
        found = lr.bounds(sizes)
        up, low = [b.value for b in uppers(found)], [b.value for b in lowers(found)]
        assert up == sorted(up) and low == sorted(low, reverse=True)
        assert found[: len(up)] == uppers(found)
        assert not low or low[0] <= up[0]
        for bound in found:
            assert isinstance(bound.value, int | Fraction) and bound.source
            assert bound.status in ("proved", "published", "from memory")


@pytest.mark.parametrize(
    "net",
    [
        build.montufar2014(2, [4, 3]),
        build.serra2018(1, [3, 4]),
        build.serra2018(2, [6, 4]),
        build.wang2022(2, [4, 4]),
        build.arrangement("shi", 3),
        build.xiong_counterexample(),
        build.six_definitions("D"),
    ],
)
def test_constructions_obey_every_upper_bound(net):
    answer, found = holds(net)
    assert answer == net.regions["activation"]
    name = {"Montufar et al. 2014, Theorem 4": "montufar2014"}.get(net.source)
    name = "serra2018-lower" if net.source.startswith("Serra") else name
    if name:
        assert named(found)[name].value == answer and named(found)[name].status == "proved"


def test_expectations():
    found = named(lr.bounds([7, 5, 5]))
    assert found["wang2022-activation"].value == Fraction(4915, 16)
    assert found["wang2022-activation"].direction == "equal"
    assert found["wang2022-lower"].value == Fraction(4403, 16) + 1
    assert "wang2022-lower" not in named(lr.bounds([7, 3, 8]))  # n0 >= max(n1, n2) fails
    assert named(lr.bounds([2, 2, 2, 2]))["wang2022-upper"].value == 6 * Fraction(175, 64) ** 2
    assert named(lr.bounds([1, 1, 1]))["wang2022-upper"].value == Fraction(5, 2)
    assert not any("expected" in b.bounds for b in lr.bounds([2, 3, 3]))


def test_architectures():
    assert (
        lr.bounds([784, 11, 11])[0].value == 2449868 == lr.bounds(np.array([784, 11, 11]))[0].value
    )
    assert lr.bounds(Dense(2, [3, 3], "abs"))[0].value == 49
    assert lr.bounds(Dense(2, [3, 3], 3))[0].value == 361
    assert lr.bounds(Dense(2, [3, 3], 1))[0].value == 1
    sharp = named(lr.bounds(Dense(2, [3, 3], maxout=3)))
    assert (sharp["maxout"].value, sharp["serra2018-maxout"].value) == (361, 2116)
    assert sharp["montufar2014-maxout"].value == 27
    assert {b.status for b in sharp.values()} == {"proved", "from memory"}


def test_convolutions():
    found = named(lr.bounds(Conv((3, 3), (2, 2), 2)))
    assert found["xiong2020-eq4"].value == 256
    assert found["xiong2020-shared"].value == 255 == found["xiong2020-maximum"].value
    line = named(lr.bounds(Conv((1, 28), (1, 5), 64)))
    assert line["xiong2020-eq4"].value == line["xiong2020-maximum"].value
    two = named(lr.bounds([Conv((1, 4), (1, 2), 2), Conv((1, 3), (1, 2), 4, 2)]))
    assert two["xiong2020"].value == 8965 and two["xiong2020-receptive"].value == 5883
    assert two["xiong2020-lower"].value == 680
    assert lr.bounds([Conv((1, 4), (1, 2), 2), Conv((1, 3), (1, 2), 4, 2)])[0].value == 5883


def test_random_convolutions_obey_the_bounds_of_their_shape():
    shapes = [
        Conv((4,), (2,), 2),
        Conv((2, 3), (2, 2), 3),
        [Conv((1, 4), (1, 2), 2), Conv((1, 3), (1, 2), 2, 2)],
        [Conv((2, 2), (2, 1), 2), Conv((1, 2), (1, 2), 2, 2)],
        [Conv((3,), (2,), 2, 1, 1, 1), Conv((4,), (3,), 1, 2, 2)],
    ]
    for shape in shapes:
        for seed in range(8):
            net = build.convolutional(shape, seed)
            answer, _ = holds(net)
            for bound in uppers(lr.bounds(shape)):
                assert bound.value >= answer, (shape, bound)


def test_maxima_have_bounds_though_they_are_not_counted():
    rng = np.random.default_rng(0)
    affine = Affine.dense(rng.standard_normal((6, 2)), rng.standard_normal(6), 0)
    layer = Layer(affine, MaxUnits(((0, 1, 2), (3, 4, 5)), 6))
    net = lr.Network(2, (layer,), Affine.dense(np.ones((1, 2)), None, 1))
    found = named(lr.bounds(net, lr.Box(-1, 1)))
    assert found["maxout"].value == 9 >= found["weights"].value
    x = rng.uniform(-1, 1, (4000, 2))
    assert len(np.unique(net.patterns(x), axis=0)) <= found["weights"].value
    assert tightest(net).name == "trivial"  # nothing else is proved


def test_a_network_without_layers():
    net = lr.load([(np.ones((1, 2)), np.zeros(1))])
    assert tightest(net).value == 1 == lr.count(net)


def test_speed():
    """Serra for widths of 1,000 and depth 50 in about a second; a network of 300 units."""
    start = time.process_time()
    lr.bounds([784, *[1000] * 50])
    assert time.process_time() - start < 10
    net = lr.load(gaussian(0, 5, 50, 50, 50, 50, 50, 50, 5))
    tightest(net, lr.Box(-1, 1))
    start = time.process_time()
    tightest(net, lr.Box(-1, 1))
    assert time.process_time() - start < 0.5


# -- the command line -------------------------------------------------------------------------


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["bounds", *map(str, arguments)])
    out = capsys.readouterr()
    return end.value.code, out.out, out.err


KEYS = {"name", "value", "direction", "bounds", "conditions", "status", "source"}


def test_json(capsys, tmp_path):
    code, out, err = run(capsys, "--widths", "784,11,11", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert all(set(b) == KEYS for b in found) and found[0]["value"] == 2449868
    assert next(b for b in found if b["name"] == "wang2022-activation")["value"] == str(
        named(lr.bounds([784, 11, 11]))["wang2022-activation"].value
    )
    path = write_npz(tmp_path / "net.npz", gaussian(0, 2, 3, 3, 1))
    code, out, _ = run(capsys, path, "--box=-0.1,0.1", "--lp", "--json")
    assert code == 0 and "weights" in [b["name"] for b in json.loads(out)]
    code, out, _ = run(capsys, "--conv", "28x28x1:3x3x4/2+1,2x2x8@2", "--json")
    assert code == 0 and json.loads(out)
    code, out, _ = run(capsys, "--widths", "20,1000,1000,1000,1000,1000,1000,1000,1000,1000,"
                       "1000,1000,1000,1000,1000,1000", "--json")  # fmt: skip
    assert code == 0 and len(out) > 4300  # more digits than Python prints by default
    assert out.count("\n") == 1


def test_the_table(capsys):
    code, out, _ = run(capsys, "--conv", "3x3x1:2x2x2")
    assert code == 0 and "at most  255  xiong2020-shared" in out
    _, out, _ = run(capsys, "--widths", "2,3,3", "--maxout", 3)
    assert "at least" in out and "361" in out and "from memory" in out
    _, out, _ = run(capsys, "--widths", "2,3,3", "--activation", "hardtanh")
    assert "361" in out
    _, out, _ = run(capsys, "--widths", "784,1000,1000")
    assert "e6" in out  # a power of ten


def test_count_shows_the_bound(capsys, tmp_path):
    path = write_npz(tmp_path / "net.npz", net := gaussian(0, 2, 3, 3, 1))
    best = tightest(net)
    with pytest.raises(SystemExit):
        main(["count", str(path)])
    assert f"at most     {best.value} ({best.name})" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["count", str(path), "--json"])
    assert json.loads(capsys.readouterr().out)["upper_bound"] == best.value


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give one of MODEL, --widths and --conv"),
        (["--widths", "2,3", "--conv", "3x1:2x2"], "give one of"),
        (["--widths", "5"], "INPUTS,WIDTH"),
        (["--widths", "5,a"], "INPUTS,WIDTH"),
        (["--widths", "5,-2"], "at least 1"),
        (["--widths", "2,3", "--maxout", "0"], "rank of maxout"),
        (["--widths", "2,3", "--activation", "cosh"], "unknown activation 'cosh'"),
        (["--widths", "2,3", "--activation", "abs", "--maxout", "2"], "one of the two"),
        (["--widths", "2,3", "--box=-1,1"], "go with a model"),
        (["--conv", "nonsense"], "KERNELxFILTERS"),
        (["--conv", "3x3x1:4x4x2"], "does not fit"),
        (["--conv", "3x3x1:2x2x2/0"], "at least 1"),
        (["--conv", "3x3x1:2x2x2,3x2"], "spatial dimension"),
        (["--conv", "3x1:2x2", "--maxout", "2"], "go with --widths"),
        (["missing.npz"], "no such file"),
    ],
)
def test_bad_input(capsys, arguments, words):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("linregions: ") and err.count("\n") == 1 and words in err


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: lr.bounds([784]), "no architecture"),
        (lambda: lr.bounds([2, 3], lr.Box(-1, 1)), "no domain"),
        (lambda: lr.bounds([2, 0]), "at least 1"),
        (lambda: lr.bounds(gaussian(0, 2, 3, 1), "box"), "is no domain"),
        (lambda: lr.bounds(Dense(2, [3], "tanh")), "unknown activation"),
        (lambda: lr.bounds([Conv((3,), (2,), 2), Conv((3,), (2,), 2)]), "layer 2 reads"),
        (lambda: lr.bounds("net.xyz"), "no such file"),
    ],
)
def test_bad_calls(call, words):
    with pytest.raises(lr.LinregionsError, match=words):
        call()


def test_as_a_process():
    done = run_cli("bounds", "--widths", "2,3,3", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)[0]["value"] == 40


def test_magnitudes():
    assert magnitude(1234567) == "1,234,567" and magnitude(Fraction(9, 4)) == "2.25"
    assert magnitude(10**15) == "1.000e15" and magnitude(2**16384) == "1.190e4932"
