"""Input boxes of ``.vnnlib`` properties: exact decimals, and refusals that name the remedy."""

import json
from fractions import Fraction

import numpy as np
import pytest
from data import shared
from helpers import run_here

from linregions import count
from linregions.domain.domains import Box
from linregions.errors import LinregionsError

DECLARED = "(declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real)\n"
TWO = "(assert (or (and (<= X_0 1) (>= X_0 0)) (and (>= X_0 2) (<= X_0 3))))"
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
        "(assert (<= (* -1.0 X_0) (- 0.25))) (assert (<= (+ X_0 0.5) 1))",
        "(assert (or (and (<= X_0 0.5) (>= X_0 0.25) (<= Y_0 0))(and (<= X_0 5e-1) (>= X_0 .25))))",
        "(assert (or (and (<= X_0 0.5) (>= X_0 0.25)) (and (<= X_0 0.4) (>= X_0 0.3))))",
        "(assert (or (and (<= X_0 0.5) (>= X_0 0.25)) (and (<= X_0 0.4) (>= X_0 0.5))))",
        "(assert (or (<= X_0 0.5) (<= X_0 0.4))) (assert (>= X_0 0.25))",
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
        (
            DECLARED + "(assert (or (and (<= X_0 1)) (and (>= X_0 2))))",
            "in one of the alternatives",
        ),
        (DECLARED + SECOND + TWO, "union of 2 boxes"),
        (DECLARED + "(assert (<= Y_0 1))", "constrains the outputs alone"),
        (DECLARED, "constrains the outputs alone"),
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
    with pytest.raises(LinregionsError, match="union of 2 boxes; count in each"):
        Box.from_vnnlib(shared("acasxu/prop_6.vnnlib"))
    assert len(Box.all_from_vnnlib(shared("acasxu/prop_6.vnnlib"))) == 2
    for path in sorted(shared("acasxu").glob("*.vnnlib")):
        assert all(b.chart(5).dimension >= 4 for b in Box.all_from_vnnlib(path))


# -- unions -----------------------------------------------------------------------------------


def union(path, text):
    path.write_text(DECLARED + SECOND + text)
    return [(b.lo[0], b.hi[0]) for b in Box.all_from_vnnlib(path)]


def test_boxes_that_touch_are_a_union(tmp_path):
    """Alternatives of both inputs make all their combinations."""
    path = tmp_path / "p.vnnlib"
    assert union(path, TWO) == [(0, 1), (2, 3)]
    assert union(path, TWO.replace(">= X_0 2", ">= X_0 1")) == [(0, 1), (1, 3)]
    assert union(path, TWO.replace(">= X_0 2", ">= X_0 3")) == [(0, 1), (3, 3)]
    assert union(path, TWO.replace(">= X_0 2", ">= X_0 0")) == [(0, 3)]
    more = "(assert (or (<= X_1 0) (>= X_1 0)))"
    path.write_text(DECLARED + SECOND + TWO + more)
    boxes = Box.all_from_vnnlib(path)
    assert [(*b.lo, *b.hi) for b in boxes] == [
        (0, -1, 1, 0), (0, 0, 1, 1), (2, -1, 3, 0), (2, 0, 3, 1),
    ]  # fmt: skip
    assert boxes[1].describe() == "box 2 of 4 of p.vnnlib"


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ((0, 2), (1, 3), True),
        ((0, 1), (1, 2), False),
        ((1, 1), (0, 2), True),
        ((1, 1), (1, 2), False),
        ((0, 0), (1, 1), False),
    ],
)
def test_boxes_that_overlap_are_refused(tmp_path, first, second, overlap):
    """With a second coordinate in which neither holds the other."""
    parts = [
        f"(and (>= X_0 {a}) (<= X_0 {b}) (>= X_1 {c}) (<= X_1 {d}))"
        for (a, b), (c, d) in ((first, (0, 2)), (second, (1, 3)))
    ]
    path = tmp_path / "p.vnnlib"
    path.write_text(DECLARED + f"(assert (or {' '.join(parts)}))")
    if overlap:
        with pytest.raises(LinregionsError, match="boxes 1 and 2 of 2 overlap in their interiors"):
            Box.all_from_vnnlib(path)
    else:
        assert len(Box.all_from_vnnlib(path)) == 2


@pytest.mark.parametrize("seed", range(8))
def test_unions_hold_the_points_of_the_formula(tmp_path, seed):
    """Random alternatives of cells of a grid, against the formula at points of the grid."""
    rng = np.random.default_rng(seed)
    cells = {tuple(c) for c in rng.integers(0, 4, (6, 2)).tolist()}
    parts = [
        f"(and (>= X_0 {i}) (<= X_0 {i + 1}) (>= X_1 {j}) (or (<= X_1 {j + 1}) (<= X_1 {j}.5)))"
        for i, j in cells
    ]
    path = tmp_path / "p.vnnlib"
    path.write_text(DECLARED + f"(assert (or {' '.join(parts)}))")
    boxes = Box.all_from_vnnlib(path)
    for i in range(4):
        for j in range(4):
            x = np.array([i + 0.25, j + 0.75])
            inside = [bool(np.all((b.lo <= x) & (x <= b.hi))) for b in boxes]
            assert sum(inside) == ((i, j) in cells)


def test_too_many_alternatives_are_refused(tmp_path):
    text = "".join(f"(assert (or (<= X_0 {k}.5) (>= X_0 {k})))" for k in range(14))
    with pytest.raises(LinregionsError, match="more than 10,000 boxes"):
        union(tmp_path / "p.vnnlib", text)


def test_the_command_line_counts_box_by_box(tmp_path):
    net, path = tmp_path / "n.npz", tmp_path / "p.vnnlib"
    W = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    np.savez(net, W0=W, b0=np.array([-0.5, 0.0, -2.0]), W1=np.ones((1, 3)), b1=np.zeros(1))
    path.write_text(DECLARED + SECOND + TWO)
    done = run_here("count", net, "--box", path, "--json")
    facts = json.loads(done.stdout)
    each = [int(count(net, box)) for box in Box.all_from_vnnlib(path)]
    assert [b["regions"] for b in facts["boxes"]] == each and facts["regions"] == sum(each)
    assert facts["complete"] and facts["exact"] and facts["uncounted"] == 0
    table = run_here("count", net, "--box", path).stdout
    assert "2 boxes" in table and f"{sum(each)} regions in all" in table
    short = json.loads(run_here("count", net, "--box", path, "--limit", "2", "--json").stdout)
    assert not short["complete"] and short["uncounted"] == 1 and short["stopped"] == "limit"
    done = run_here("count", net, "--box", path, "--proof", tmp_path / "q")
    assert done.returncode == 2 and "one count" in done.stderr
    done = run_here("draw", net, "--box", path, "-o", tmp_path / "q.png")
    assert done.returncode == 2 and "union of 2 boxes" in done.stderr


# -- version 2 --------------------------------------------------------------------------------

NEW = """(vnnlib-version <2.0>)
(declare-network acc
  (declare-input X float32 [1,3] "image")
  (declare-output Y float32 [])
)
"""
SIDES = (
    "(assert (<= (* -1.0 X[0,0]) 0.0)) (assert (<= X[0, 0] 50.5)) (assert (and (>= X [0,1] -50)"
    " (<= X[0,1] 50) (== X[0,2] 0.1)))"
)


@pytest.mark.parametrize("spelling", ["Y", "Y[0]", "Y[]"])
def test_version_2(tmp_path, spelling):
    text = f"(assert (or (<= {spelling} -3.0) (>= {spelling} 0.0) (!= {spelling} X[0,0])))"
    out = box(tmp_path / "p.vnnlib", NEW + SIDES + text)
    assert list(out.lo) == [0, -50, Fraction(1, 10)]
    assert list(out.hi) == [Fraction(101, 2), 50, Fraction(1, 10)]


def test_version_2_flattens_in_c_order(tmp_path):
    text = "(declare-network f (declare-input A Real [2,2]) (declare-output B Real [1]))"
    for k, (i, j) in enumerate(np.ndindex(2, 2)):
        text += f"(assert (>= A[{i},{j}] {k})) (assert (<= A[{i},{j}] {k}.5))"
    out = box(tmp_path / "p.vnnlib", text)
    assert out.lo.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NEW, "constrains the outputs alone"),
        (NEW + "(assert (<= X[0,0] 1))", "no lower bound for X[0,0], X[0,1], X[0,2]"),
        (NEW + SIDES.replace("X[0, 0]", "X[0,5]"), "X[0,5] is no entry of X, of shape [1, 3]"),
        (NEW + SIDES.replace("X[0, 0]", "X[0]"), "X[0] is no entry of X"),
        (NEW + SIDES.replace("X[0, 0]", "Z[0]"), "Z[0] is not declared"),
        (NEW + SIDES + "(assert (<= (+ X[0,0] X[0,1]) 1))", "Polytope(A, b)"),
        (NEW + SIDES + "(assert (<= (* X[0,0] X[0,0]) 1))", "no bound on one input"),
        (NEW + SIDES + "(assert (!= X[0,0] 1))", "no bound on one input"),
        (NEW.replace("2.0", "3.0"), "versions 1 and 2 are read"),
        (NEW + NEW.replace("(vnnlib-version <2.0>)", ""), "2 networks are declared"),
        (NEW.replace("output Y", "input Y"), "2 inputs are declared (X, Y)"),
        (NEW.replace("float32 [1,3]", "int8 [1,3]"), "type int8; a box is one of reals"),
        (NEW.replace("[1,3]", ""), "expected (declare-input NAME TYPE [SHAPE])"),
        (NEW.replace("(declare-output", "(frobnicate"), "not understood in a declare-network"),
    ],
)
def test_version_2_refusals(tmp_path, text, message):
    with pytest.raises(LinregionsError) as caught:
        box(tmp_path / "p.vnnlib", text)
    assert message in str(caught.value) and "\n" not in str(caught.value)
