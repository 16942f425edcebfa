"""Input boxes of ``.vnnlib`` properties: exact decimals, and refusals that name the remedy."""

from fractions import Fraction

import numpy as np
import pytest
from data import shared

from linregions.domain import Box
from linregions.errors import LinregionsError

DECLARED = "(declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real)\n"
SECOND = "(assert (<= X_1 1)) (assert (>= X_1 -1))\n"


def box(path, text):
    path.write_text(text)
    return Box.from_vnnlib(path)


def test_decimals_are_rationals(tmp_path):
    text = "; X_0\n(assert (<= X_0 3.5e-1)) (assert (>= X_0 -.1)) (assert (<= Y_0 7))\n"
    out = box(tmp_path / "p.vnnlib", DECLARED + text + SECOND)
    assert list(out.lo) == [Fraction(-1, 10), Fraction(-1)]
    assert list(out.hi) == [Fraction(35, 100), Fraction(1)]
    assert out.describe() == "box of p.vnnlib"


def test_numbers_that_floats_hold_become_floats(tmp_path):
    out = box(tmp_path / "p.vnnlib", DECLARED + SECOND + SECOND.replace("X_1", "X_0"))
    assert out.lo.dtype == out.hi.dtype == np.float64


@pytest.mark.parametrize(
    "text",
    [
        "(assert (and (<= X_0 0.5) (and (>= X_0 0.25) (<= Y_0 X_0))))",
        "(assert (<= 0.25 X_0)) (assert (>= 0.5 X_0)) (assert (<= X_0 9))",
        "(assert (or (and (<= X_0 (/ 1 2)) (>= X_0 (- (- 0.25))))))",
        "(assert (< X_0 0.5)) (assert (> X_0 0.25)) (assert (or (<= Y_0 1) (>= Y_0 2)))",
    ],
)
def test_ways_to_write_a_box(tmp_path, text):
    out = box(tmp_path / "p.vnnlib", DECLARED + SECOND + text)
    assert (out.lo[0], out.hi[0]) == (0.25, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("; nothing", "the file is empty"),
        ("(declare-const Y_0 Real)", "no input is declared"),
        (DECLARED + SECOND, "no lower bound for X_0"),
        (DECLARED + SECOND + "(assert (>= X_0 0))", "no upper bound for X_0"),
        (DECLARED + "(assert (<= X_0 0.5)", "not closed"),
        (DECLARED + ")", "closing parenthesis"),
        (DECLARED + "(assert (<= X_7 0.5))", "X_7 is not declared"),
        (DECLARED + "(assert (<= X_0 X_1))", "no bound on one input"),
        (DECLARED + "(assert (<= (+ X_0 X_1) 1))", "Polytope(A, b)"),
        (DECLARED + "(assert (not (<= X_0 1)))", "no bound on one input"),
        (DECLARED + "(assert (<= X_0 1e9999999))", "no bound on one input"),
        (DECLARED + "(assert (<= X_0 abc))", "no bound on one input"),
        (DECLARED + "(frobnicate X_0)", "not understood"),
        (DECLARED + "word", "expected a list"),
        ("(declare-const X_1 Real)", "without a gap"),
        ("(declare-const Z Real)", "expected variables"),
        (DECLARED + SECOND + "(assert (<= X_0 0)) (assert (>= X_0 1))", "box is empty"),
        (DECLARED + "(assert (or (and (<= X_0 1)) (and (>= X_0 2))))", "union of 2 boxes"),
    ],
)
def test_what_is_no_box_is_refused(tmp_path, text, message):
    with pytest.raises(LinregionsError) as caught:
        box(tmp_path / "p.vnnlib", text)
    assert message in str(caught.value)
    assert "p.vnnlib: " in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "p.vnnlib").write_bytes(b"\xff\xfe\x80")
    for path in (tmp_path / "absent.vnnlib", tmp_path, tmp_path / "p.vnnlib"):
        with pytest.raises(LinregionsError, match="cannot be read"):
            Box.from_vnnlib(path)


def test_shared_properties():
    first = Box.from_vnnlib(shared("acasxu/prop_1.vnnlib"))
    assert first.hi[0] == Fraction(679857769, 10**9)
    fourth = Box.from_vnnlib(shared("acasxu/prop_4.vnnlib"))
    assert fourth.chart(5).dimension == 4
    assert Box.from_vnnlib(shared("mnistfc/prop_0_0.03.vnnlib")).lo.shape == (784,)
    with pytest.raises(LinregionsError, match="each box separately"):
        Box.from_vnnlib(shared("acasxu/prop_6.vnnlib"))
