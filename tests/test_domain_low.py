"""Segments, lines and planes: what they refuse, and that they are what they say, exactly."""

from fractions import Fraction

import numpy as np
import pytest
from helpers import gaussian
from hypothesis import given, settings
from hypothesis import strategies as st

import linregions as lr
from linregions.domain.domains import Line, Plane, Segment
from linregions.testing import oracle
from linregions.testing.strategies import networks

NET = gaussian(7, 3, 6, 5, 1)


def on_line(net, p, d):
    """The network of the parameter t of ``p + t d``, in Fractions."""
    (W, b), *rest = net
    exact = [[Fraction(v) for v in row] for row in W]
    slope = [[sum((w * e for w, e in zip(row, d, strict=True)), Fraction(0))] for row in exact]
    shift = [
        Fraction(c) + sum((w * e for w, e in zip(row, p, strict=True)), Fraction(0))
        for row, c in zip(exact, b, strict=True)
    ]
    return [(slope, shift), *rest]


points = st.lists(st.integers(-16, 16).map(lambda v: v / 4), min_size=3, max_size=3)


@settings(max_examples=40, deadline=None)
@given(networks(inputs=(3, 3)), points, points, st.booleans())
def test_segments_and_lines_by_the_oracle(net, p, q, tenths):
    p = [v / 10 for v in p] if tenths else p  # differences of such floats are no floats
    if p == q:
        q = [v + 1 for v in p]
    x = [Fraction(v) for v in p]
    d = [Fraction(v) - u for u, v in zip(x, q, strict=True)]
    inner = on_line(net, x, d)
    expected = oracle.activation_patterns(inner, ("box", [0], [1]))
    assert lr.count(net, Segment(p, q)) == len(expected)
    inner = on_line(net, x, [Fraction(v) for v in q] if any(q) else [Fraction(1)] * 3)
    line = Line(p, q if any(q) else [1, 1, 1])
    assert lr.count(net, line) == len(oracle.activation_patterns(inner, None))


def test_the_difference_of_two_floats_is_exact():
    """0.1 + t (1e20 - 0.1) at t = 1 is 1e20 itself, though the float difference is off."""
    chart = Segment([0.1], [1e20]).chart(1)
    assert Fraction(0.1) + chart.basis[0, 0] == Fraction(1e20)
    assert Segment([0.5], [2.0]).chart(1).basis.dtype == np.float64


def test_a_segment_may_have_fractions():
    third = np.array([Fraction(1, 3)], dtype=object)
    net = [([[3.0]], [-1.0]), ([[1.0]], [0.0])]
    assert lr.count(net, Segment(third, [1.0])) == 1
    assert lr.count(net, Segment([0.3], [1.0])) == 2


def test_names():
    assert Segment([0, 0], [1, 1]).describe() == "segment between two points of R^2"
    assert repr(Line([0, 0], [1, 1])) == "<line in R^2>"
    assert Plane(np.zeros(3), np.eye(3, 2), 2).describe() == "plane in R^3, [-2, 2] x [-2, 2]"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Segment([0, 0], [0, 0]), "segment: p and q are the same point"),
        (lambda: Segment([0, 0], [1]), "segment: p has 2 entries and q has 1"),
        (lambda: Segment([0, np.nan], [1, 1]), "segment: p holds NaN"),
        (lambda: Segment(0, [1, 1]), "segment: p has 0 dimensions, expected 1"),
        (lambda: Segment(["a"], [1]), "segment: p is not made of numbers"),
        (lambda: Line([0, 0], [0, 0]), "line: the direction is zero"),
        (lambda: Line([0, 0], [0, np.inf]), "line: direction holds NaN or infinite"),
        (lambda: Line([0], [0, 1]), "line: p has 1 entries and direction has 2"),
        (lambda: Plane(np.zeros(3), np.eye(3, 2)), "either half_width or both"),
        (lambda: Plane(np.zeros(3), np.eye(3, 2), 1, lo=0, hi=1), "either half_width or both"),
        (lambda: Plane(np.zeros(3), np.eye(3, 2), lo=0), "either half_width or both"),
        (lambda: Plane(np.zeros(3), np.eye(3, 2), 0), "positive finite"),
        (lambda: Plane(np.zeros(3), np.eye(3, 2), np.nan), "positive finite"),
        (lambda: Plane(np.zeros(3), np.eye(3, 2), lo=0, hi=np.inf), "must be finite"),
        (lambda: Plane(np.zeros(3), np.eye(3, 2), lo=0, hi=[1, 1, 1]), "one entry or two"),
        (lambda: Plane(np.zeros(3), np.eye(3, 2), lo=0, hi=[1, 0]), "no area"),
        (lambda: Plane(np.zeros(3), np.eye(3), 1), "basis has 3 columns; give two"),
        (lambda: Plane(np.zeros(3), np.ones((3, 2)), 1), "linearly dependent"),
        (lambda: Plane.through([0, 0], [1, 1], [2, 2]), "lie on one line"),
        (lambda: Plane.through([0, 0], [0, 0], [2, 2]), "lie on one line"),
        (lambda: Plane.through([0, 0], [1, 1], [1, 1]), "lie on one line"),
        (lambda: Plane.through([0.0], [1.0], [2.0]), "lie on one line"),
        (lambda: Plane.through([0, 0], [1, 1], [2, 2 + 1e-14]), "lie on one line"),
        (lambda: Plane.through([0, 0], [1, 1], [2, np.nan]), "plane: c holds NaN"),
        (lambda: Plane.through([0, 0], [1, 1, 1], [2, 0]), "2, 3 and 2 entries"),
        (lambda: Plane.through([0, 0], [1, 1], [2, 0], size=-1), "size=-1"),
        (
            lambda: Plane.through([0, 0], [1, 1], [2, 0]).coordinates([1, 2, 3]),
            "points of shape (3,); give (..., 2)",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(lr.LinregionsError) as caught:
        make()
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "domain",
    [Segment([0, 0], [1, 1]), Line([0, 0], [1, 1]), Plane.through([0, 0], [1, 1], [2, 0])],
)
def test_the_wrong_number_of_inputs(domain):
    with pytest.raises(lr.LinregionsError, match="3 inputs"):
        lr.count(NET, domain)


# -- planes ----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.sampled_from([1e-6, 1.0, 1e6]))
def test_the_circle_through_three_points(seed, n, scale):
    a, b, c = scale * np.random.default_rng(seed).standard_normal((3, n))
    plane = Plane.through(a, b, c, size=1.5)
    assert np.allclose(plane.basis.T @ plane.basis, np.eye(2), atol=1e-14)
    y = plane.coordinates([a, b, c])
    radius = np.linalg.norm(y, axis=1)
    assert np.allclose(radius, radius[0], rtol=1e-9)
    assert np.allclose(float(plane.rectangle.hi), 1.5 * radius[0], rtol=1e-9)
    lifted = plane.origin + y @ plane.basis.T
    assert np.allclose(lifted, [a, b, c], rtol=1e-9, atol=1e-9 * radius[0])
    assert y[0, 1] == pytest.approx(y[1, 1], abs=1e-9 * radius[0]) and y[1, 0] > y[0, 0]


def test_a_plane_is_a_slice_of_its_numbers():
    a, b, c = np.random.default_rng(3).standard_normal((3, 3))
    plane = Plane.through(a, b, c)
    half = float(plane.rectangle.hi)
    same = lr.Slice(plane.origin, plane.basis, lr.Box(-half, half))
    answer = lr.count(NET, plane)
    assert answer == lr.count(NET, same) and answer.dimension == 2 and answer > 3
    assert lr.count(NET, Plane(plane.origin, plane.basis, lo=[half / 2, 0], hi=half)) < answer
    assert plane.coordinates(plane.origin).shape == (2,)
    assert plane.coordinates(np.zeros((4, 5, 3))).shape == (4, 5, 2)


def test_the_whole_plane_of_two_inputs():
    """A square of R^2 in turned coordinates counts what the turned square holds."""
    net = gaussian(2, 2, 7, 4, 1)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    A = np.vstack([turn.T, -turn.T])
    # 0.6 and 0.8 are rounded, so the polytope is this square only up to one part in 10^16
    assert lr.count(net, Plane([0, 0], turn, 1.0)) == lr.count(net, lr.Polytope(A, np.ones(4)))
