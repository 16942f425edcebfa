"""The canonical form: construction, evaluation, storage, identity."""

import json
from fractions import Fraction

import numpy as np
import pytest
from helpers import gaussian
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import linregions as lr
from linregions.network.affine import INPUT, ONE, Affine, Term
from linregions.network.units import ABS, HARDTANH, RELU, RELU6, clip, leaky_relu
from linregions.testing.strategies import networks

PAIRS = [
    (np.array([[1.0, 2.0], [-1.0, 0.5]]), np.array([0.5, 0.0])),
    (np.array([[1.0, -1.0]]), np.array([3.0])),
]


def fractions(rows):
    out = np.empty((len(rows), len(rows[0])), dtype=object)
    for i, row in enumerate(rows):
        for j, v in enumerate(row):
            out[i, j] = Fraction(v)
    return out


def rich():
    """CSR, rational and dense factors, a skip connection, several kinds of units, a maximum."""
    csr = sparse.csr_array(np.array([[0.0, 1.5, 0], [2, 0, 0], [0, 0, -0.25]]))
    thirds = fractions([["1/3", "-2/7", "0"], ["1", "1/2", "10/3"], ["0", "0", "5"]])
    first = Affine(3, (Term(INPUT, (csr, thirds)), Term(ONE, (fractions([["1/3"], [0], [1]]),))))
    kinds = lr.Pointwise.each([RELU, leaky_relu(Fraction(1, 3)), HARDTANH])
    second = Affine(
        4, (Term(1, (np.arange(12.0).reshape(4, 3) - 5,)), Term(INPUT, (np.eye(4, 3),)))
    )
    groups = lr.MaxUnits(((0, 1), (2, 3, 0)), 4)
    ends = (
        Term(2, (np.array([[1.0, -0.5]]),)),
        Term(1, (sparse.csr_array(np.ones((1, 3))),)),
        Term(ONE, (np.array([[0.1]]),)),
    )
    output = Affine(1, ends)
    layers = (lr.Layer(first, kinds), lr.Layer(second, groups))
    return lr.Network(3, layers, output, ("made by hand",))


# -- evaluation ------------------------------------------------------------------------------


def test_evaluation_by_hand():
    net = lr.Network.from_layers(PAIRS)
    # x = (1, 1): z = (3.5, -0.5); x = (-2, 1): z = (0.5, 2.5); x = (-1, 0): z = (-0.5, 1)
    points = [[1, 1], [-2, 1], [-1, 0]]
    assert net.evaluate(points).tolist() == [[6.5], [1.0], [2.0]]
    assert net(points).tolist() == net.evaluate(points).tolist()
    assert net.evaluate([1, 1]).tolist() == [6.5]
    assert net.patterns(points).tolist() == [[1, 0], [1, 1], [0, 1]]
    assert net.patterns([1, 1]).tolist() == [1, 0]
    assert net.evaluate(np.zeros((0, 2))).shape == (0, 1)
    values, pieces = net.exactly([Fraction(1, 3), -2])
    # z = (1/3 - 4 + 1/2, -1/3 - 1)
    assert (values, pieces) == ([Fraction(3)], [0, 0])


def test_evaluation_of_a_rich_network_by_hand():
    net, x = rich(), [Fraction(1), Fraction(2), Fraction(4)]
    # csr x = (3, 2, -1); z = (1 - 4/7 + 1/3, 3 + 1 - 10/3, -5 + 1) = (16/21, 2/3, -4)
    h = [Fraction(16, 21), Fraction(2, 3), Fraction(-1)]
    rows = [[-5, -4, -3], [-2, -1, 0], [1, 2, 3], [4, 5, 6]]
    z = [sum((a * v for a, v in zip(r, h, strict=True)), Fraction(0)) for r in rows]
    z = [v + s for v, s in zip(z, (1, 2, 4, 0), strict=True)]
    g = [max(z[0], z[1]), max(z[2], z[3], z[0])]
    expected = g[0] - g[1] / 2 + sum(h) + Fraction(0.1)
    values, pieces = net.exactly(x)
    assert values == [expected]
    assert pieces[:3] == [1, 1, 0]
    assert pieces[3] == z.index(g[0]) and (2, 3, 0)[pieces[4]] == z.index(g[1])
    assert net.evaluate([1, 2, 4]) == pytest.approx(float(expected))
    assert net.patterns([1, 2, 4]).tolist() == pieces


def test_ties_go_to_the_lowest_piece():
    net = lr.Network.from_layers([([[1.0]], [0.0]), ([[1.0]], [0.0])], activation=HARDTANH)
    assert net.patterns([[-1.0], [1.0], [1.5]])[:, 0].tolist() == [0, 1, 2]
    assert [net.exactly([x])[1] for x in (-1, 1, 1.5)] == [[0], [1], [2]]
    units = lr.MaxUnits(((1, 0), (0, 1)), 2)
    assert units.at(np.array([Fraction(1)] * 2))[1] == [0, 0]
    assert units.pieces(np.array([[1.0, 1.0], [0.0, 1.0]])).tolist() == [[0, 0], [0, 1]]


def test_maximum_units():
    units = lr.MaxUnits(((0, 2), (1,), (2, 1, 0)), 3)
    z = np.array([[1.0, 5, 3], [4, -1, 0]])
    assert units(z).tolist() == [[3, 5, 5], [4, -1, 4]]
    assert units.pieces(z).tolist() == [[1, 0, 1], [0, 0, 2]]
    assert (units.size, units.pieces_per_unit(), units.describe()) == (
        3,
        [2, 1, 3],
        "max of 1, 2, 3",
    )
    for groups in (((),), ((0, 3),), ((-1,),)):
        with pytest.raises(lr.LinregionsError, match="max unit 0"):
            lr.MaxUnits(groups, 3)


@given(networks(), st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_floats_follow_exact_evaluation(net, seed):
    network = lr.load(net)
    rng = np.random.default_rng(seed)
    for x in rng.standard_normal((3, network.inputs)):
        values, pieces = network.exactly(x)
        floats = network.evaluate(x)
        assert np.allclose(floats, [float(v) for v in values], rtol=1e-9, atol=1e-9)
        assert len(pieces) == network.units


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 2, 2), ()])
def test_points_of_a_wrong_shape(shape):
    net = lr.Network.from_layers(PAIRS)
    for method in (net.evaluate, net.patterns):
        with pytest.raises(lr.LinregionsError, match=r"2 inputs; give \(points, 2\)"):
            method(np.zeros(shape))


# -- activations -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (RELU, {-2: 0, 0: 0, 3: 3}),
        (ABS, {-2: 2, 0: 0, 3: 3}),
        (RELU6, {-1: 0, 2: 2, 6: 6, 7: 6}),
        (HARDTANH, {-3: -1, -1: -1, 0: 0, 1: 1, 5: 1}),
        (leaky_relu(0.25), {-4: -1, 0: 0, 2: 2}),
        (clip(-2, 3), {-5: -2, 1: 1, 9: 3}),
        (lr.Activation((1, 2), (2, 0, -1), 5), {0: 3, 1: 5, 2: 5, 4: 3}),
        (lr.Activation((), (3,), 1), {0: 1, -2: -5}),
    ],
)
def test_activations_at_points(kind, values):
    for z, y in values.items():
        assert kind(Fraction(z)) == y
    units = lr.Pointwise.uniform(kind, 1)
    z = np.array(list(values), dtype=float)[:, None]
    assert units(z)[:, 0].tolist() == list(values.values())
    assert units.pieces(z)[:, 0].tolist() == [kind.piece(Fraction(v)) for v in values]


@pytest.mark.parametrize(
    ("breaks", "slopes", "message"),
    [
        ((0,), (1,), "needs 2 slopes, got 1"),
        ((), (), "needs 1 slopes, got 0"),
        ((1, 0), (0, 1, 2), "must ascend"),
        ((0, 0), (0, 1, 2), "must ascend"),
        ((np.nan,), (0, 1), "must be finite"),
        ((0,), (0, np.inf), "must be finite"),
    ],
)
def test_activations_that_are_refused(breaks, slopes, message):
    with pytest.raises(lr.LinregionsError, match=message):
        lr.Activation(breaks, slopes)


def test_an_activation_with_an_infinite_value_is_refused():
    with pytest.raises(lr.LinregionsError, match="finite"):
        lr.Activation((0,), (0, 1), np.inf)


@given(
    st.sets(st.integers(-6, 6), min_size=1, max_size=4),
    st.lists(st.integers(-1, 1), min_size=5, max_size=5),
    st.integers(-2, 2),
)
@settings(deadline=None, derandomize=True, max_examples=60)
def test_straight_breakpoints_are_dropped_and_nothing_else(breaks, slopes, value):
    breaks = sorted(breaks)
    slopes = slopes[: len(breaks) + 1]
    kind = lr.Activation(tuple(breaks), tuple(slopes), value)
    bends = [t for t, a, b in zip(breaks, slopes, slopes[1:], strict=False) if a != b]
    assert list(kind.breaks) == bends
    assert len(kind.slopes) == len(kind.intercepts) == len(bends) + 1

    def by_hand(z):
        y, at = Fraction(value), Fraction(breaks[0])
        if z <= at:
            return y + slopes[0] * (z - at)
        for left, right, s in zip(breaks, [*breaks[1:], 10**9], slopes[1:], strict=True):
            y += s * (min(z, right) - min(z, left))
        return y

    points = [Fraction(k, 2) for k in range(-16, 17)]
    assert [kind(z) for z in points] == [by_hand(z) for z in points]
    units = lr.Pointwise.uniform(kind, 1)
    floats = units(np.array([[float(z)] for z in points]))[:, 0]
    assert floats.tolist() == [float(by_hand(z)) for z in points]


def test_a_straight_activation_makes_no_regions():
    straight = lr.Activation((0, 1), (2, 2, 2), 1)
    assert straight.breaks == () and straight(Fraction(-3)) == -5
    net = lr.Network.from_layers(gaussian(0, 2, 4, 1), activation=straight)
    assert lr.count(net) == 1
    assert leaky_relu(0) == RELU and leaky_relu(1).breaks == ()
    assert clip(0, 6) == RELU6


# -- construction ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "empty list"),
        ([(np.ones((2, 2)), np.ones(3))], r"layer 1: a bias of shape \(3,\)"),
        ([(np.ones(2), np.ones(2))], "layer 1: the weight has shape"),
        ([(np.ones((2, 2)), None), (np.ones((1, 3)), None)], "layer 2 has weights of shape 1 x 3"),
        ([(np.array([[np.nan]]), [0.0])], "layer|NaN"),
        ([("a", "b")], "layer 1 is not a pair"),
        ([(np.ones((1, 1)),)], "layer 1 is not a pair"),
    ],
)
def test_pairs_that_are_refused(pairs, message):
    with pytest.raises(lr.LinregionsError, match=message) as caught:
        lr.Network.from_layers(pairs)
    assert "\n" not in str(caught.value)


def test_layers_that_do_not_fit_are_refused():
    affine = Affine.dense(np.ones((2, 3)), None, 0)
    with pytest.raises(lr.LinregionsError, match="3 units got 2"):
        lr.Layer(affine, lr.Pointwise.uniform(RELU, 3))
    layer = lr.Layer(affine, lr.Pointwise.uniform(RELU, 2))
    with pytest.raises(lr.LinregionsError, match="layer 1 has weights of shape 2 x 3"):
        lr.Network(4, (layer,), Affine.dense(np.ones((1, 2)), None, 1))
    with pytest.raises(lr.LinregionsError, match="reads value 2, which comes later"):
        lr.Network(3, (layer,), Affine.dense(np.ones((1, 2)), None, 2))
    with pytest.raises(lr.LinregionsError, match="cannot follow"):
        Affine(2, (Term(INPUT, (np.ones((3, 2)), np.ones((2, 2)))),))
    with pytest.raises(lr.LinregionsError, match="2 rows in an affine map of 3"):
        Affine(3, (Term(INPUT, (np.ones((2, 2)),)),))
    with pytest.raises(lr.LinregionsError, match="the output layer holds infinite values"):
        lr.Network(3, (layer,), Affine.dense(np.full((1, 2), np.inf), None, 1))


def test_shape_and_print():
    net = rich()
    assert (net.inputs, net.widths, net.units, net.outputs) == (3, (3, 2), 5, 1)
    assert repr(net).startswith("Network(3-3-2-1, relu, leaky_relu")


# -- parts -----------------------------------------------------------------------------------


def test_the_network_up_to_a_layer_or_unit():
    net = lr.load(gaussian(0, 3, 5, 4, 2))
    x = np.random.default_rng(0).standard_normal((6, 3))
    (W, b), (V, c), _ = gaussian(0, 3, 5, 4, 2)
    first = x @ W.T + b
    second = np.maximum(first, 0) @ V.T + c
    assert np.allclose(net.upto(1).evaluate(x), first)
    assert np.allclose(net.upto(2).evaluate(x), second)
    assert np.allclose(net.upto(2, 3).evaluate(x), second[:, 3:])
    assert net.upto(1).units == 0 and net.upto(2, 3).units == 5
    for layer, unit in ((0, None), (3, None), (2, 4), (1, -1)):
        with pytest.raises(lr.LinregionsError, match=f"layer {layer}"):
            net.upto(layer, unit)
    for unit in range(2):
        assert rich().upto(2, unit).exactly([1, 2, 4])[0] == [
            rich().upto(2).exactly([1, 2, 4])[0][unit]
        ]


# -- storage and identity --------------------------------------------------------------------


def test_saving_loses_nothing(tmp_path):
    net = rich()
    net.save(tmp_path / "net.npz")
    for back in (lr.Network.read(tmp_path / "net.npz"), lr.load(tmp_path / "net.npz")):
        assert back == net and back.hash == net.hash and back.notes == net.notes
        x = [Fraction(1, 3), Fraction(-5, 7), Fraction(2)]
        assert back.exactly(x) == net.exactly(x)
        assert repr(back) == repr(net)
        csr, thirds = back.layers[0].affine.terms[0].factors
        assert sparse.issparse(csr) and csr.nnz == 3
        assert thirds.dtype == object and thirds[1, 2] == Fraction(10, 3)
        assert back.layers[0].units == net.layers[0].units
        assert back.layers[1].units == net.layers[1].units


@given(networks())
@settings(deadline=None, derandomize=True, max_examples=25)
def test_saving_plain_networks(tmp_path_factory, net):
    path = tmp_path_factory.mktemp("nets") / "net.npz"
    network = lr.load(net)
    network.save(path)
    back = lr.load(path)
    assert back == network
    for i, (W, b) in enumerate(net):
        affine = back.layers[i].affine if i < len(back.layers) else back.output
        assert np.array_equal(affine.rounded(i, W.shape[1])[0], W)
        assert np.array_equal(affine.rounded(ONE, 1)[0][:, 0], b)


def test_extreme_numbers_survive(tmp_path):
    net = lr.load([([[5e-324, 1.7e308]], [-0.0]), ([[1.0]], [2.0**-1074])])
    net.save(tmp_path / "net.npz")
    assert lr.load(tmp_path / "net.npz") == net


def test_equal_content_has_equal_hashes(tmp_path):
    net = lr.Network.from_layers(PAIRS)
    same = lr.load([(W.tolist(), b.tolist()) for W, b in PAIRS])
    assert net == same and hash(net) == hash(same) and net.hash == same.hash
    noted = lr.Network(net.inputs, net.layers, net.output, ("a note",))
    assert noted == net
    assert len(net.hash) == 64 and net != "something else"


def changes():
    (W, b), (V, c) = PAIRS
    yield [(np.nextafter(W, 9), b), (V, c)]
    yield [(W, np.nextafter(b, 9)), (V, c)]
    yield [(W, b), (V, c + 1)]
    yield [(W[::-1], b[::-1]), (V[:, ::-1], c)]
    yield [(W, b), (np.eye(2), np.zeros(2)), (V, c)]


def test_different_content_has_different_hashes():
    hashes = {lr.load(pairs).hash for pairs in (PAIRS, *changes())}
    hashes.add(lr.Network.from_layers(PAIRS, activation=ABS).hash)
    hashes.add(lr.Network.from_layers(PAIRS, activation=leaky_relu(0.5)).hash)
    hashes.add(rich().hash)
    assert len(hashes) == 9


def damaged(header, **changed):
    """Headers that are valid JSON but no network."""
    spec = header["network"]
    yield {**header, "format": "linregions network 99"}
    yield {k: v for k, v in header.items() if k != "network"}
    yield {k: v for k, v in header.items() if k != "format"}
    yield {k: v for k, v in header.items() if k != "notes"}
    yield {**header, "network": 3}
    yield {**header, "network": {k: v for k, v in spec.items() if k != "inputs"}}
    yield {**header, "network": {k: v for k, v in spec.items() if k != "output"}}
    yield {**header, "network": {**spec, "layers": [{}]}}
    yield {**header, "network": {**spec, "inputs": "three"}}
    yield {**header, "network": {**spec, "inputs": 5}}
    factors = [{"source": 0, "factors": [{"dense": "m99999"}]}]
    yield {**header, "network": {**spec, "output": {"size": 1, "terms": factors}}}
    factors = [{"source": 7, "factors": [{"dense": "m00000"}]}]
    yield {**header, "network": {**spec, "output": {"size": 2, "terms": factors}}}
    layer = {**spec["layers"][0], "units": {"kinds": [], "which": [0, 0]}}
    yield {**header, "network": {**spec, "layers": [layer, *spec["layers"][1:]]}}
    kinds = [{"breaks": ["x"], "slopes": ["0", "1"], "value": "0", "name": "relu"}]
    layer = {**spec["layers"][0], "units": {"kinds": kinds, "which": [0, 0]}}
    yield {**header, "network": {**spec, "layers": [layer]}}
    yield [1, 2]


@pytest.mark.parametrize("case", range(15))
def test_damaged_headers_are_refused(tmp_path, case):
    path = tmp_path / "net.npz"
    lr.Network.from_layers(PAIRS).save(path)
    with np.load(path) as file:
        arrays = {k: file[k] for k in file.files}
    header = json.loads(bytes(arrays.pop("linregions")).decode())
    broken = list(damaged(header))[case]
    np.savez(path, linregions=np.frombuffer(json.dumps(broken).encode(), np.uint8), **arrays)
    for read in (lr.Network.read, lr.load):
        with pytest.raises(lr.LinregionsError) as caught:
            read(path)
        assert "net.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_truncated_files_are_refused(tmp_path):
    whole = tmp_path / "net.npz"
    rich().save(whole)
    data = whole.read_bytes()
    for size in (0, 1, 30, len(data) // 2, len(data) - 5):
        path = tmp_path / f"cut{size}.npz"
        path.write_bytes(data[:size])
        for read in (lr.Network.read, lr.load):
            with pytest.raises(lr.LinregionsError, match=path.name):
                read(path)
    (tmp_path / "text.npz").write_text("W0 = 1")
    with pytest.raises(lr.LinregionsError, match=r"text\.npz"):
        lr.Network.read(tmp_path / "text.npz")
    with pytest.raises(lr.LinregionsError, match=r"absent\.npz"):
        lr.Network.read(tmp_path / "absent.npz")
