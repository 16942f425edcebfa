"""Domains: what they refuse, their exact coordinates, and how they are folded into a network."""

from fractions import Fraction

import numpy as np
import pytest
from data import shared
from helpers import gaussian, patterns

import linregions as lr
from linregions.testing import oracle

LINE = [([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])]
PLANE = gaussian(7, 2, 6, 5, 1)


def objects(*values):
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


# -- boxes -----------------------------------------------------------------------------------


def test_ways_to_write_a_box():
    expected = oracle.activation_patterns(PLANE, ("box", [-1, -1], [1, 1]))
    for box in (
        lr.Box(-1, 1),
        lr.Box([-1, -1], [1, 1]),
        lr.Box(-1, [1, 1]),
        lr.Box(np.array([-1.0, -1.0]), 1.0),
        lr.Box(np.float32(-1), np.int64(1)),
        lr.Box(Fraction(-1), Fraction(1)),
        lr.Box(objects(Fraction(-1), -1), objects(1.0, Fraction(1))),
    ):
        assert patterns(PLANE, box) == expected


def test_a_side_may_be_infinite():
    net, inf = PLANE, np.inf
    assert lr.count(net, lr.Box(-inf, inf)) == lr.count(net)
    half = lr.Box([0, -inf], [inf, inf])
    expected = oracle.activation_patterns(net, ("polytope", [[-1, 0]], [0]))
    assert patterns(net, half) == expected
    assert half.chart(2).bounded is False and lr.Box(0, 1).chart(2).bounded is True


def test_fractions_are_meant_exactly():
    """The kink at the float 0.1 lies above 1/10, so only a box up to 0.1 itself misses it."""
    net = [([[1.0]], [-0.1]), ([[1.0]], [0.0])]
    assert lr.count(net, lr.Box(0, 0.1)) == 1
    assert lr.count(net, lr.Box(0, Fraction(0.1))) == 1
    assert lr.count(net, lr.Box(Fraction(1, 10), 1)) == 2
    assert lr.count(net, lr.Box(0.1, 1)) == 1
    assert lr.count(net, lr.Box(0, Fraction(0.1) + Fraction(1, 10**40))) == 2
    thin = lr.Box(Fraction(1, 10), Fraction(1, 10) + Fraction(1, 10**30))
    assert lr.count(net, thin) == 1


def test_a_box_thinner_than_floats():
    """Between 1 and 1 + 10^-30 no float lies, but a kink may: relu(3x - 3 - tiny)."""
    tiny = Fraction(1, 10**30)
    answer = lr.count(LINE, lr.Box(1 - tiny, 1 + tiny))
    assert (answer, answer.exact) == (2, True)
    inside = [r.exact_point[0] for r in lr.regions(LINE, lr.Box(1 - tiny, 1 + tiny))]
    assert all(1 - tiny < x < 1 + tiny and x != 1 for x in inside)


def test_large_and_small_boxes():
    for scale in (1e-300, 1e-30, 1e30, 1e300):
        assert lr.count(LINE, lr.Box(-scale, scale)) == (3 if scale > 1 else 2)


@pytest.mark.parametrize(
    ("lo", "hi", "message"),
    [
        (1, -1, "box is empty: lo 1.0 > hi -1.0"),
        ([0, 2], [1, 1], "in coordinate 1"),
        ([0, 0], [1, 1, 1], "lo has 2 entries and hi has 3"),
        (np.nan, 1, "lo holds NaN"),
        (0, [1, np.nan], "hi holds NaN"),
        (np.inf, np.inf, "box is empty"),
        (-np.inf, -np.inf, "box is empty"),
        ("a", 1, "lo = 'a' is not a number"),
        (objects(Fraction(1), Fraction(2)), objects(Fraction(1), Fraction(1)), "in coordinate 1"),
        (objects(float("nan"), 0), 1, "NaN"),
        (None, 1, "lo"),
        (objects("x", 0), 1, "lo"),
        (1j, 2, "lo"),
    ],
)
def test_boxes_that_are_refused(lo, hi, message):
    with pytest.raises(lr.LinregionsError) as caught:
        lr.Box(lo, hi)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("lo", "hi"), [([0, 0, 0], 1), (0, [1, 1, 1]), ([0], [1])])
def test_a_box_of_the_wrong_length(lo, hi):
    with pytest.raises(lr.LinregionsError, match="the network has 2 inputs"):
        lr.count(PLANE, lr.Box(lo, hi))


def test_the_names_of_domains():
    assert lr.Box(-1, 0.5).describe() == "box [-1, 0.5]^n"
    assert lr.Box([0, 0], [1, 2]).describe() == "box [0, 1] x [0, 2]"
    assert lr.Box([0] * 9, 1).describe() == "box of 9 sides"
    assert lr.Space().describe() == "all of R^n"
    assert lr.Polytope([[1, 0]], [1]).describe() == "polytope of 1 half-spaces"
    assert repr(lr.Space()) == "<all of R^n>"
    assert "slice" in lr.Slice([0, 0], [[1], [0]]).describe()


def test_the_box_of_a_property(tmp_path):
    text = "(declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real)\n"
    text += "(assert (<= X_0 0.1)) (assert (>= X_0 -1)) (assert (<= X_1 1)) (assert (>= X_1 1))"
    (tmp_path / "p.vnnlib").write_text(text)
    box = lr.Box.from_vnnlib(tmp_path / "p.vnnlib")
    answer = lr.count(PLANE, box)
    assert (answer.dimension, answer.domain) == (1, "box of p.vnnlib")
    (W, b), *rest = PLANE
    moved = [Fraction(c) + Fraction(w) for w, c in zip(W[:, 1], b, strict=True)]
    expected = oracle.activation_patterns([(W[:, :1], moved), *rest], ("box", [-1], ["1/10"]))
    assert answer == len(expected)
    assert lr.Box.from_vnnlib(shared("acasxu/prop_3.vnnlib")).chart(5).dimension == 5


# -- polytopes -------------------------------------------------------------------------------


def test_a_polytope():
    A, b = np.array([[1.0, 1], [-1, 2], [0, -1]]), np.array([1.0, 3, 1])
    expected = oracle.activation_patterns(PLANE, ("polytope", A, b))
    assert patterns(PLANE, lr.Polytope(A, b)) == expected
    assert patterns(PLANE, lr.Polytope(A.tolist(), b.tolist())) == expected
    thirds = np.vectorize(Fraction, otypes=[object])(A) / 3
    assert (
        patterns(PLANE, lr.Polytope(thirds, np.vectorize(Fraction, otypes=[object])(b) / 3))
        == expected
    )


def test_a_polytope_without_rows_is_all_of_space():
    assert lr.count(PLANE, lr.Polytope(np.zeros((0, 2)), np.zeros(0))) == lr.count(PLANE)
    assert lr.count(PLANE, lr.Polytope([[0.0, 0.0]], [1.0])) == lr.count(PLANE)


def test_an_unbounded_polytope_of_many_inputs():
    """Rows of the domain count among the rows that the network is reduced to."""
    net = gaussian(3, 20, 4, 1)
    row = np.random.default_rng(1).standard_normal((1, 20))
    answer = lr.count(net, lr.Polytope(row, [1.0]))
    # four free units and a half-space in a fifth direction: all signs
    assert (answer, answer.dimension) == (16, 5)
    both = lr.count(net, lr.Polytope(np.vstack([net[0][0][:1], row]), [-10.0, 1.0]))
    assert (both, both.dimension) == (8 if net[0][1][0] < 10 else 16, 5)


def test_a_thin_polytope():
    """0 < x + y < 2^-60: a strip that holds floats only near the axis of the other diagonal."""
    strip = lr.Polytope([[1, 1], [-1, -1]], [2.0**-60, 0])
    A, b = [[1, 1], [-1, -1]], [Fraction(1, 2**60), 0]
    expected = oracle.activation_patterns(PLANE, ("polytope", A, b))
    assert patterns(PLANE, strip) == expected


@pytest.mark.parametrize(
    ("A", "b"),
    [
        ([[1, 0], [-1, 0]], [-1, -1]),  # empty
        ([[1, 0], [-1, 0]], [1, -1]),  # flat
        ([[1, 0], [-1, 0], [0, 1], [0, -1]], [0, 0, 0, 0]),  # a point
        ([[0, 0]], [-1]),  # 0 <= -1
        ([[1, 1], [-1, 0], [0, -1]], [0, 0, 0]),  # a point, by three rows
        ([[1, 0], [-1, 0]], [0, -5e-324]),
    ],
)
def test_polytopes_without_interior(A, b):
    net = gaussian(7, 2, 3, 1)
    for run in (lr.count, lambda *a: list(lr.regions(*a))):
        with pytest.raises(lr.LinregionsError, match="has no interior"):
            run(net, lr.Polytope(A, b))


SQUARE = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])


@pytest.mark.parametrize("last", [0.0, 5e-324, 1.0, 1e300])
@pytest.mark.parametrize("at", [0, 2, 4])
@pytest.mark.parametrize("exact", [False, True])
def test_a_row_of_zeros_says_nothing(last, at, exact):
    """``0 x <= b``, as presolvers and padded tables have it: true everywhere where b >= 0."""
    A, b = np.insert(SQUARE, at, 0.0, axis=0), np.insert(np.ones(4), at, last)
    if exact:
        A = np.array([[Fraction(v) for v in row] for row in A.tolist()], dtype=object)
        b = objects(*map(Fraction, b.tolist()))
    plain, padded = lr.Polytope(SQUARE, np.ones(4)), lr.Polytope(A, b)
    expected = patterns(PLANE, plain)
    assert patterns(PLANE, padded) == expected
    for engine in ("search", "complex"):
        assert lr.count(PLANE, padded, engine=engine) == len(expected)
    assert len(lr.subdivide(PLANE, padded).patterns()) == len(expected)
    assert len(lr.subdivide(PLANE, padded).points) == len(lr.subdivide(PLANE, plain).points)
    assert set(map(tuple, lr.sample(PLANE, padded, points=2000).patterns())) <= expected
    assert lr.estimate(PLANE, padded, passes=5).seen <= len(expected)
    volume = lr.boundary_volume(PLANE, padded, method="exact").value
    assert volume == pytest.approx(lr.boundary_volume(PLANE, plain, method="exact").value)
    assert lr.boundary_volume(PLANE, padded, method="crofton", lines=50).hits > 0


def test_rows_of_zeros_alone_are_all_of_space():
    assert patterns(PLANE, lr.Polytope(np.zeros((3, 2)), [0, 1, 2])) == patterns(PLANE)


def test_a_slice_parallel_to_a_facet():
    """Its row vanishes on the slice, which lies within the half-space, on its boundary or out."""
    for height, inside in ((-1.0, True), (0.5, True), (1.0, True), (1 + 2**-52, False)):
        at = lr.Slice([0, height], [[1.0], [0]], lr.Polytope(SQUARE, np.ones(4)), "input")
        if inside:
            free = lr.Slice([0, height], [[1.0], [0]], lr.Box(-1, 1))
            assert patterns(PLANE, at) == patterns(PLANE, free)
            continue
        for run in (lr.count, lr.subdivide, lr.sample, lr.estimate):
            with pytest.raises(lr.LinregionsError, match="has no interior"):
                run(PLANE, at)


@pytest.mark.parametrize(
    ("A", "b", "message"),
    [
        ([[1, 0]], [1, 2], "A has 1 rows and b has 2 entries"),
        ([1, 0], [1], "A has 1 dimensions, expected 2"),
        ([[1, 0]], 1, "b has 0 dimensions, expected 1"),
        ([[np.nan, 0]], [1], "A holds NaN"),
        ([[1, 0]], [np.inf], "b holds NaN or infinite"),
        ([["a", "b"]], [1], "A is not made of numbers"),
    ],
)
def test_polytopes_that_are_refused(A, b, message):
    with pytest.raises(lr.LinregionsError) as caught:
        lr.Polytope(A, b)
    assert message in str(caught.value)


def test_a_polytope_of_the_wrong_width():
    with pytest.raises(lr.LinregionsError, match="A has 3 columns, the network has 2 inputs"):
        lr.count(PLANE, lr.Polytope([[1, 0, 0]], [1]))


# -- slices ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "basis", "message"),
    [
        ([0, 0], [[1, 2], [2, 4]], "the 2 basis vectors are linearly dependent"),
        ([0, 0], [[0], [0]], "the 1 basis vectors are linearly dependent"),
        ([0, 0], [[1, 0, 1], [0, 1, 1]], "the 3 basis vectors are linearly dependent"),
        ([0, 0, 0], [[1], [0]], "origin has 3 entries, basis has 2 rows"),
        ([0, np.nan], [[1], [0]], "origin holds NaN"),
        ([0, 0], [1, 0], "basis has 1 dimensions, expected 2"),
    ],
)
def test_slices_that_are_refused(origin, basis, message):
    with pytest.raises(lr.LinregionsError) as caught:
        lr.Slice(origin, basis)
    assert message in str(caught.value)


def test_slices_that_do_not_fit():
    with pytest.raises(lr.LinregionsError, match="basis has 3 rows, the network has 2 inputs"):
        lr.count(PLANE, lr.Slice([0, 0, 0], [[1], [0], [0]]))
    with pytest.raises(lr.LinregionsError, match="coordinates='world'"):
        lr.Slice([0, 0], [[1], [0]], coordinates="world")
    flat = lr.Slice([0, 0], [[1], [0]], lr.Box([0, 0], [1, 0]), coordinates="input")
    with pytest.raises(lr.LinregionsError, match="full-dimensional"):
        lr.count(PLANE, flat)
    with pytest.raises(lr.LinregionsError, match="1 inputs"):
        lr.count(PLANE, lr.Slice([0, 0], [[1], [0]], lr.Box([0, 0], 1)))
    away = lr.Slice([5, 5], [[1], [0]], lr.Box(-1, 1), coordinates="input")
    with pytest.raises(lr.LinregionsError, match="no interior"):
        lr.count(PLANE, away)


def test_nearly_dependent_vectors_are_a_basis():
    """Exact rank: one last bit makes a plane."""
    basis = np.array([[1.0, 1.0], [1.0, np.nextafter(1, 2)]])
    assert lr.count(PLANE, lr.Slice([0, 0], basis)) == lr.count(PLANE)


def test_a_slice_of_all_directions_is_the_space():
    basis = np.array([[2.0, 1], [1, 1]])
    assert patterns(PLANE, lr.Slice([3, -5], basis)) == patterns(PLANE)


def test_a_slice_with_fractions():
    third = np.array([[Fraction(1, 3)], [Fraction(1, 7)]], dtype=object)
    line = lr.Slice(objects(Fraction(1, 9), 0), third, lr.Box(-9, 9))
    (W, b), *rest = PLANE
    exact = [[Fraction(u) / 3 + Fraction(v) / 7] for u, v in W]
    shift = [Fraction(c) + Fraction(u) / 9 for (u, _), c in zip(W, b, strict=True)]
    expected = oracle.activation_patterns([(exact, shift), *rest], ("box", [-9], [9]))
    assert patterns(PLANE, line) == expected


# -- restrict --------------------------------------------------------------------------------


def test_a_reduction_takes_rows_as_coordinates():
    """r independent units get unit vectors, the others exact rationals."""
    W = np.array([[1.0, 2, 0, 0], [0, 1, 1, 0], [2, 5, 1, 0], [1, 1, -1, 0], [0.5, 0, 0, 3]])
    problem = lr.restrict(lr.load([(W, np.arange(5.0)), (np.ones((1, 5)), None)]))
    assert problem.dimension == 3
    rows = np.array([[Fraction(v) for v in row] for row in problem.rows], dtype=object)
    new = problem.network.layers[0].affine.exact(0, 3).to_fractions()
    old = [[Fraction(v) for v in row] for row in W]
    assert (new @ rows == np.array(old, dtype=object)).all()
    unit = [tuple(int(i == j) for j in range(3)) for i in range(3)]
    assert set(unit) <= {tuple(row) for row in new.tolist()}
    # row 3 = 2 row 1 + row 2 and row 4 = row 1 - row 2, exactly
    assert {(2, 1, 0), (1, -1, 0)} <= {tuple(row) for row in new.tolist()}


def test_a_reduction_keeps_the_function():
    net = lr.load(gaussian(1, 50, 6, 5, 2))
    problem = lr.restrict(net)
    assert problem.dimension == 6 and problem.network.units == net.units
    y = np.random.default_rng(0).standard_normal((4, 6))
    assert np.allclose(problem.network.evaluate(y), net.evaluate(problem.embed(y)))


def test_a_network_that_ignores_its_input():
    net = [(np.zeros((3, 5)), [1.0, -1.0, 0.0]), (np.ones((1, 3)), [2.0])]
    answer = lr.count(net)
    assert (answer, answer.dimension, answer.inputs) == (1, 0, 5)
    assert lr.count(net, lr.Box(-1, 1)) == lr.count(net, kind="linear") == 1


def test_an_output_that_reads_the_input_counts_for_the_rank():
    from linregions.network.affine import INPUT, Affine, Term

    base = lr.load([(np.eye(1, 3), [0.0]), (np.ones((1, 1)), None)])
    skip = Affine(1, (*base.output.terms, Term(INPUT, (np.array([[0.0, 1, 1]]),))))
    net = lr.Network(3, base.layers, skip)
    assert lr.restrict(net).dimension == 2
    assert lr.count(net) == lr.count(net, kind="linear") == 2


def test_no_reduction_on_a_bounded_box():
    net = gaussian(1, 5, 3, 1)
    assert lr.count(net, lr.Box(-1, 1)).dimension == 5
    assert lr.count(net).dimension == 3
    assert lr.count(net, lr.Box(-9, 9)) == len(
        oracle.activation_patterns(net, ("box", [-9] * 5, [9] * 5))
    )
