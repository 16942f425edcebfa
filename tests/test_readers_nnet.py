"""The ``.nnet`` reader: its normalisation exactly, and odd or damaged files."""

from fractions import Fraction

import numpy as np
import pytest
from data import shared

from linregions.errors import LinregionsError
from linregions.readers import load

SMALL = """// comment
2,2,1,3,
2,3,1,
0,
-1.0,-1.0,
1.0,1.0,
0.25,-3.0,1.5,
3.0,0.7,2.0,
1.0,2.0,
-1.0,0.1,
0.5,0.5,
0.1,
0.2,
0.3,
1.0,-1.0,2.5,
-0.7,
"""
WEIGHTS = ([[1.0, 2.0], [-1.0, 0.1], [0.5, 0.5]], [0.1, 0.2, 0.3], [1.0, -1.0, 2.5], -0.7)


def written(path, text):
    path.write_text(text)
    return path


def by_hand(x, means=(0.25, -3.0, 1.5), ranges=(3.0, 0.7, 2.0)):
    """The same function in rational arithmetic."""
    W, b, v, c = WEIGHTS
    z = [(a - Fraction(m)) / Fraction(r) for a, m, r in zip(x, means, ranges, strict=False)]
    rows = zip(W, b, strict=True)
    hidden = [
        sum(Fraction(w) * a for w, a in zip(row, z, strict=True)) + Fraction(s) for row, s in rows
    ]
    raw = sum(Fraction(w) * max(h, 0) for w, h in zip(v, hidden, strict=True)) + Fraction(c)
    return raw * Fraction(ranges[2]) + Fraction(means[2]) if len(ranges) > 2 else raw


def test_normalisation_is_exact(tmp_path):
    net = load(written(tmp_path / "a.nnet", SMALL))
    for x in ([Fraction(1, 7), Fraction(-2)], [Fraction(5), Fraction(22, 7)]):
        assert net.exactly(x)[0] == [by_hand(x)]
    assert any("clipped" in note for note in net.notes)
    assert any("outputs are scaled back by range 2 and mean 1.5" in note for note in net.notes)


def test_without_an_entry_for_the_outputs(tmp_path):
    text = SMALL.replace("-3.0,1.5,", "-3.0,").replace("0.7,2.0,", "0.7,")
    net = load(written(tmp_path / "a.nnet", text))
    x = [Fraction(1, 7), Fraction(-2)]
    assert net.exactly(x)[0] == [by_hand(x, (0.25, -3.0), (3.0, 0.7))]


def test_the_identity_leaves_no_factor(tmp_path):
    text = SMALL.replace("0.25,-3.0,1.5,", "0,0,0,").replace("3.0,0.7,2.0,", "1,1,1,")
    for given in (text, text.replace("0,0,0,", "0").replace("1,1,1,", "0")):
        net = load(written(tmp_path / "a.nnet", given))
        assert [len(t.factors) for t in net.layers[0].affine.terms] == [1, 1]
        assert [len(t.factors) for t in net.output.terms] == [1, 1]
        assert net == load([WEIGHTS[:2], ([WEIGHTS[2]], [WEIGHTS[3]])])


@pytest.mark.parametrize("name", ["1_1", "2_1", "3_3"])
def test_acas_agrees_with_its_onnx_form(name):
    nnet = load(shared(f"acasxu/ACASXU_run2a_{name}_batch_2000.nnet"))
    onnx = load(shared(f"acasxu/ACASXU_run2a_{name}_batch_2000.onnx"))
    means, ranges = (19791.091, 0, 0, 650, 600), (60261, 6.28318530718, 6.28318530718, 1100, 1200)
    x = np.random.default_rng(1).uniform(-0.5, 0.5, size=(50, 5))
    out = onnx(x) * 373.94992 + 7.5188840201005975
    assert np.allclose(nnet(x * ranges + means), out, rtol=1e-5, atol=1e-3)
    assert nnet.widths == (50,) * 6


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("tiny", [2.0], [2.0]),
        ("tiny", [-2.0], [0.0]),
        # hidden: 2 relus of x + 1.5; 2 of 4 h + 2.5; the output is 6 times that, plus 3.5
        ("small", [0.5], [3.5 + 6 * (4 * 2.0 + 2.5)]),
        ("small", [-3.0], [3.5 + 6 * 2.5]),
    ],
)
def test_placeholders_for_the_normalisation(name, x, expected):
    assert load(shared(f"nnet/{name}_nnet.nnet"))(x).tolist() == expected


def test_other_shared_files():
    assert load(shared("nnet/spiky_nnet.nnet")).widths == (6, 4, 3)
    assert load(shared("nnet/cartpole_nnet.nnet")).widths == (16, 16, 16)
    net = load(shared("nnet/mnist_small.nnet"))
    assert (net.inputs, net.units, net.outputs) == (784, 0, 10)


def test_every_truncation_is_refused(tmp_path):
    lines = SMALL.splitlines()
    for n in range(1, len(lines)):
        path = written(tmp_path / "cut.nnet", "\n".join(lines[:n]))
        with pytest.raises(LinregionsError, match=r"cut\.nnet: the file ends before"):
            load(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2,2,1,3,", "two", "line 2"),
        ("2,2,1,3,", "3,2,1,3,", "3 layers"),
        ("2,2,1,3,", "2,3,1,3,", "3 inputs"),
        ("2,3,1,", "2,0,1,", "positive whole numbers"),
        ("2,2,1,3,", "1e999,2", "infinite"),
        ("0.25,-3.0,1.5,", "1,2,3,4,5", "5 means for 2 inputs"),
        ("3.0,0.7,2.0,", "3.0,0,2.0,", "a range is 0"),
        ("-1.0,0.1,", "-1.0,", "line 10 (row 2 of 3 of layer 1): 1 numbers, expected 2"),
        ("0.1,\n0.2", "x,\n0.2", "line 12"),
        ("0.5,0.5,", "nan,0.5,", "NaN"),
        ("-0.7,", "-0.7,\n1.0", "after the last bias"),
    ],
)
def test_bad_files_are_named(tmp_path, old, new, message):
    assert old in SMALL
    path = written(tmp_path / "bad.nnet", SMALL.replace(old, new, 1))
    with pytest.raises(LinregionsError) as caught:
        load(path)
    assert message in str(caught.value)
    assert "bad.nnet: " in str(caught.value)


def test_binary_garbage(tmp_path):
    (tmp_path / "bad.nnet").write_bytes(bytes(range(128, 256)))
    with pytest.raises(LinregionsError, match=r"bad\.nnet"):
        load(tmp_path / "bad.nnet")
