"""Networks with known numbers of regions: attained, and never above an upper bound."""

from itertools import product

import numpy as np
import pytest
from known import NETWORKS
from reference import reference

import linregions as lr
from linregions import constructions as build
from linregions.constructions._folds import _generic_layer
from linregions.theory import Conv, dense
from linregions.theory.arrangements import generic

COUNTED = ("activation", "linear", "affine")


def check(net):
    """Every kind that this version counts has the number that the construction names."""
    assert isinstance(net, lr.Network) and net.source and net.regions
    for kind in COUNTED:
        if kind in net.regions:
            answer = lr.count(net, kind=kind)
            assert answer == net.regions[kind] and answer.exact
    assert net.regions["activation"] <= dense.serra2018(net.inputs, net.widths)


MONTUFAR = {(1, 2, 2): 6, (1, 3, 3): 12, (1, 2, 2, 3): 16, (1, 4, 3, 2): 36, (2, 4, 3): 28}
MONTUFAR |= {(2, 4, 4): 44, (2, 6, 4): 99, (2, 4, 4, 3): 112, (2, 5, 3): 28, (3, 6, 4): 120}
SERRA = {(1, 3, 3): 16, (1, 4, 3): 20, (1, 5, 4): 30, (1, 3, 3, 3): 64, (2, 6, 4): 176}
SERRA |= {(2, 6, 3): 112, (1, 7, 2): 24, (2, 8, 3): 175, (1, 4, 5, 3): 120, (1, 6, 8): 63}
WANG = {(1, 3): 3, (1, 3, 3): 9, (1, 2, 3, 4): 24, (2, 6): 9, (2, 6, 6): 81, (2, 4, 4, 4): 64}
WANG |= {(2, 5, 7): 36, (3, 6, 7): 64}


@pytest.mark.parametrize("shape", MONTUFAR, ids=str)
def test_montufar_is_attained(shape):
    net = build.montufar2014(shape[0], shape[1:])
    assert net.regions["activation"] == MONTUFAR[shape] == dense.montufar2014(shape[0], shape[1:])
    assert ("linear" in net.regions) == (shape[-1] > shape[0])
    check(net)


@pytest.mark.parametrize("shape", SERRA, ids=str)
def test_the_lower_bound_of_serra_is_attained(shape):
    net = build.serra2018(shape[0], shape[1:])
    assert net.regions["activation"] == SERRA[shape] == dense.serra2018_lower(shape[0], shape[1:])
    check(net)


def test_the_table_of_lower_bounds_is_attained():
    for row in reference("lower_bounds"):
        at = row["n0"], row["widths"]
        assert str(build.montufar2014(*at).regions["activation"]) == row["montufar14"]
        if row["serra18"]:
            assert str(build.serra2018(*at).regions["activation"]) == row["serra18"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "net",
    [
        lambda: build.montufar2014(2, [6, 6, 4]),
        lambda: build.serra2018(2, [6, 6, 4]),
        lambda: build.montufar2014(3, [9, 9]),
        lambda: build.serra2018(3, [9, 9]),
        lambda: build.wang2022(3, [6, 6, 6]),
    ],
)
def test_larger_folds(net):
    check(net())


@pytest.mark.parametrize("shape", WANG, ids=str)
def test_wang_is_attained(shape):
    net = build.wang2022(shape[0], shape[1:])
    assert set(net.regions.values()) == {WANG[shape]}
    check(net)


def test_serra_needs_no_more_than_the_linear_count_promises():
    """Where the last layer is narrow, linear regions are fewer: no promise is made."""
    net = build.montufar2014(2, [4, 2])
    assert (int(lr.count(net)), "linear" in net.regions) == (16, False)
    assert lr.count(net, kind="linear") < 16


@pytest.mark.parametrize("units", [2, 3])
def test_sawtooth(units):
    for depth in range(1, 7):
        net = build.sawtooth(depth, units=units)
        check(net)
        assert lr.count(net, lr.Box(0, 1)) == 2**depth
        if units == 2 and depth < 5:
            row = reference("tent_telgarsky")[str(depth)]
            assert row == {"on_01": 2**depth, "on_R": net.regions["activation"]}
    assert build.sawtooth(6, units=3).units + 1 == 3 * 5 + 4  # 2^5 teeth


def test_noise_destroys_the_sawtooth():
    counts = [
        int(lr.count(build.sawtooth(6, units=3, noise=0.1, seed=s), lr.Box(0, 1)))
        for s in range(20)
    ]
    assert np.mean(counts) < 0.8 * 2**6
    a, b = (build.sawtooth(3, noise=0.1, seed=5) for _ in range(2))
    assert a == b and a.regions == {}


@pytest.mark.parametrize("name", build.OFFSETS)
def test_arrangements(name):
    for n, count in reference("nongeneric")[name].items():
        net = build.arrangement(name, int(n))
        assert net.regions["activation"] == count
        if count < 200:
            check(net)


def test_convolutions():
    for d, count in enumerate(reference("xiong_table1")[:5], start=1):
        net = build.convolutional(Conv((1, 3), (1, 2), d), seed=d)
        assert net.regions == {"activation": count} == {"activation": int(lr.count(net))}
    net = build.convolutional(Conv((3, 3), (2, 2), 2))
    assert lr.count(net) == 255
    check(build.xiong_counterexample())
    two = build.convolutional([Conv((1, 4), (1, 2), 2), Conv((1, 3), (1, 2), 3, 2)])
    assert two.widths == (6, 6) and lr.count(two) <= 2380


def test_six_definitions():
    table = reference("six_definitions")
    kinds = dict(zip(("R1", "R2", "R3", "R4", "R5", "R6"), build.KINDS, strict=True))
    for name, row in table.items():
        net = build.six_definitions(name)
        assert net.regions == {kinds[r]: row[r] for r in kinds}
        check(net)
    row = table["D"]
    layers = [(row[f"{k}_W"], row[f"{k}_b"]) for k in ("layer1", "layer2", "out")]
    assert lr.load([(np.array(W, float), np.array(b, float)) for W, b in layers]) == (
        build.six_definitions("D")
    )


def test_the_same_networks_as_the_independent_builders():
    """tests/known.py builds some of these networks in its own way: same numbers."""
    for name in ("a", "b", "c", "d"):
        _, expected = NETWORKS[name]()
        assert {k: build.six_definitions(name.upper()).regions[k] for k in expected} == expected


def satisfiable(clauses):
    n = max(abs(v) for c in clauses for v in c)
    return any(
        all(any((v > 0) == x[abs(v) - 1] for v in c) for c in clauses)
        for x in product((False, True), repeat=n)
    )


def formulas():
    rng = np.random.default_rng(4)
    for _ in range(6):
        n = int(rng.integers(2, 4))
        yield [
            [int(v) * int(rng.choice([-1, 1])) for v in rng.choice(n, 2, replace=False) + 1]
            for _ in range(rng.integers(3, 9))
        ]
    yield [[1], [-1]]
    yield [[1, 2], [1, -2], [-1, 2], [-1, -2]]
    yield [[1, 2], [1, -2], [-1, 2]]
    yield [[1, -1]]


def test_regions_decide_satisfiability():
    answers = set()
    for clauses in formulas():
        answer = satisfiable(clauses)
        answers.add(answer)
        for K in (1,) if len(clauses) > 4 else (1, 2):
            found = lr.count(build.from_sat(clauses, K), kind="linear")
            assert (found > K) == answer and (answer or found == K), clauses
    assert answers == {True, False}


def test_a_construction_is_a_network(tmp_path):
    net = build.wang2022(1, [3, 3])
    net.save(tmp_path / "net.npz")
    assert lr.load(tmp_path / "net.npz") == net


def test_the_generic_layer_is_generic():
    for n, m in ((1, 5), (2, 6), (3, 6), (4, 3), (3, 3)):
        W, b = _generic_layer(n, m)
        one = [(W, b), (np.ones((1, m)), None)]
        assert lr.count(one) == generic(m, n) == lr.count(one, lr.Box(0, 1))
        off = [r for r in lr.regions(one) if not r.pattern.any()]
        assert (not off) == (m > n)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: build.montufar2014(2, [3, 3]), "at least 2 n0 = 4"),
        (lambda: build.serra2018(2, [5, 3]), "at least 3 n0 = 6"),
        (lambda: build.wang2022(2, [4, 3]), "at least 2 n0"),
        (lambda: build.wang2022(0, [4]), "at least 1"),
        (lambda: build.montufar2014(9, [18, 60]), "53 bits"),
        (lambda: build.sawtooth(0), "at least 1"),
        (lambda: build.sawtooth(2, units=4), "give 2 or 3"),
        (lambda: build.sawtooth(2, noise=-1), "standard deviation"),
        (lambda: build.arrangement("shy", 3), "braid, shi"),
        (lambda: build.arrangement("shi", 1), "at least 2"),
        (lambda: build.six_definitions("E"), "A, B, C, D"),
        (lambda: build.from_sat([]), "non-empty list"),
        (lambda: build.from_sat([[1, 0]]), "not 0"),
        (lambda: build.from_sat([[1]], 0), "at least 1"),
        (lambda: build.convolutional([]), "empty list"),
        (lambda: build.convolutional([Conv((4,), (2,), 2)] * 2), "cannot read 6"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(lr.LinregionsError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
