"""`boundary_volume`: how much boundary there is between the regions of a network."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..answer import CutShort
from ..complex.cells import CellComplex, complex_of
from ..domain.domains import Domain
from ..domain.restrict import Restricted, restrict
from ..errors import LinregionsError
from ..network.network import Network
from ..network.rational import rounded
from ..progress import Progress, Status, check, current, reason_of
from ..readers import load
from ..watching import watchful
from .chords import Ball, Chords, bends, through_ball, through_box, through_polytope

BATCH = 256  # lines drawn together
HITS = 20  # lines that must have met a boundary before an interval is given
LINES = 10_000
NUMBERS = 1 << 18  # units of the network times lines between two looks at the clock


@dataclass(frozen=True, eq=False)
class BoundaryVolume(CutShort):
    """The (k - c)-volume of the boundary of codimension c inside a domain of dimension k.

    Attributes
    ----------
    value
        The volume, in the coordinates of the domain; a number of points where k = c. It may
        leave the range of floats in many dimensions (inf or 0), where `density` does not.
    density
        The volume per k-volume of the domain; None for polytopes by Crofton's formula.
    standard_error, interval
        Of ``value``. Exact answers have 0 and ``(value, value)``. The interval is the normal one,
        of 95 %; None where fewer than 20 lines met a boundary, too few to trust it.
    method
        ``exact`` (the faces of the cell complex; volumes are floats) or ``crofton``.
    lines, hits, mean
        Lines drawn, lines that met a boundary, and crossings per line; None when exact.
    kind, codimension, dimension, domain, seed, seconds
        What was measured, where, and how.
    stopped
        What ended the lines: empty where all were drawn, ``seconds`` or ``interrupt``.
    """

    sampled = True  # fewer lines are an estimate all the same

    value: float
    density: float | None
    standard_error: float
    interval: tuple[float, float] | None
    method: str
    kind: str
    codimension: int
    dimension: int
    domain: str
    seconds: float
    lines: int | None = None
    hits: int | None = None
    mean: float | None = None
    seed: int | None = None
    stopped: str = ""

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        what = f"{self.kind} boundary of codimension {self.codimension}"
        if self.method == "exact":
            return f"<{what}: {self.value:.6g}, exact>"
        value = f"{self.value:.6g} +- {self.standard_error:.2g}"
        return f"<{what}: {value}, {self.lines:,} lines{self.remark}>"


@watchful
def boundary_volume(
    network: Any,
    domain: Domain | Ball,
    *,
    kind: str = "activation",
    codimension: int = 1,
    method: str = "auto",
    lines: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    progress: Callable[[Status], None] | None = None,
    on_interrupt: str = "raise",
    shape: Sequence[int] | None = None,
) -> BoundaryVolume:
    """Volume of the boundary between regions inside a bounded domain.

    The boundary of codimension 1 is the union of the facets between regions: points, lengths,
    areas for domains of dimension k = 1, 2, 3. Of codimension c it is the union of the
    (k - c)-dimensional faces of the activation cells in the interior of the domain: vertices are
    those with c = k (Hanin and Rolnick 2019, section 5, there for linear regions). Faces in the
    boundary of the domain do not count.

    ``exact`` adds up the faces of the complex (k <= 4). ``crofton`` is for any dimension: random
    lines of the motion-invariant measure through the domain, on which all boundary points are
    counted exactly. With the surface ``|dK|`` of the body K that the lines are drawn through,
    ``|dK| / 2`` times the mean count is unbiased.

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes; pointwise and max units.
    domain
        A bounded `Box`, `Polytope`, `Segment`, `Plane` or `Slice`, or a `Ball`. Volumes are those
        of the domain's coordinates, which are input lengths where a slice's basis is
        orthonormal.
    kind
        ``activation``, or ``linear``: only facets across which the affine map changes.
    codimension
        1 to k; above 1 for ``activation`` and exact answers.
    method
        ``exact``, ``crofton``, or ``auto``: exact where k <= 4 and nothing asks for lines.
    lines, seconds
        How many lines (10,000 unless ``seconds`` is given), and when to stop earlier. Asking for
        either under ``auto`` takes ``crofton``.
    seed
        Of the lines; the first lines of a longer run are those of a shorter one.
    progress
        Called with a `Status`.
    on_interrupt
        As in `count`; the answer so far is that of the lines so far.
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Raises
    ------
    LinregionsError
        For unbounded domains, unknown kinds and methods, codimensions that are not there.

    Examples
    --------
    >>> net = Network.from_layers([([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])])
    >>> from linregions import Box
    >>> boundary_volume(net, Box(-1, 1)).value
    4.0
    >>> boundary_volume(net, Box(-1, 1), codimension=2).value
    1.0
    """
    net = load(network, shape=shape)
    if kind not in ("activation", "linear"):
        raise LinregionsError(f"kind={kind!r}: give activation or linear")
    if method not in ("auto", "exact", "crofton"):
        raise LinregionsError(f"method={method!r}: give auto, exact or crofton")
    _check_effort(lines, seconds)
    start = time.perf_counter()
    problem = None if isinstance(domain, Ball) else _restricted(net, domain)
    k = net.inputs if problem is None else problem.dimension
    _check_codimension(codimension, k, kind)
    if method == "auto":
        asked = lines is not None or seconds is not None
        possible = problem is not None and k <= 4
        method = "exact" if possible and not (asked and codimension == 1) else "crofton"
    if method == "exact":
        if problem is None or k > 4:
            what = "a ball" if problem is None else f"a domain of dimension {k}"
            raise LinregionsError(
                f"method='exact' in {what}: it is for polytopes of dimension <= 4"
            )
        if lines is not None or seconds is not None:
            raise LinregionsError("lines= and seconds= are for method='crofton' in codimension 1")
        value, whole = _exact(problem, kind, codimension, progress, start)
        return BoundaryVolume(
            value, value / whole, 0.0, (value, value), "exact", kind, codimension, k,
            domain.describe(), time.perf_counter() - start,
        )  # fmt: skip
    if codimension != 1:
        raise LinregionsError(
            f"codimension={codimension} in dimension {k}: lines meet boundaries of codimension 1 "
            "only; above that the domain must have dimension 4 or less"
        )
    if problem is None:
        assert isinstance(domain, Ball)
        inner, chords = net, _ball(domain, net.inputs)
    else:
        inner, chords = problem.network, _chords(problem)
    if lines is None and seconds is None:
        lines = LINES
    counts, stopped = _crossed(inner, chords, kind, lines, seed, progress)
    return _estimated(counts, chords, kind, domain.describe(), seed, start, stopped)


# -- exact --------------------------------------------------------------------------------------


def _exact(
    problem: Restricted, kind: str, codimension: int, progress: Any, start: float
) -> tuple[float, float]:
    """Volume of the inner faces, and of the domain."""

    def report(cells: int, _: float) -> None:
        progress(Status(cells, time.perf_counter() - start, "complex"))

    cells = complex_of(problem, None if progress is None else report)
    inner = inner_faces(cells, codimension)
    if kind == "linear":
        a, b = cells.facet_cells.T
        inner &= cells.affine[a] != cells.affine[b]
    volume = cells.face_volumes(cells.dimension - codimension)
    return math.fsum(volume[inner]), math.fsum(cells.volumes)


def inner_faces(cells: CellComplex, codimension: int) -> np.ndarray:
    """Which faces of this codimension do not lie in the boundary of the domain.

    Every face in that boundary is a face of a facet in it.
    """
    inner = cells.facet_cells[:, 1] >= 0
    for d in range(cells.dimension - 1, cells.dimension - codimension, -1):
        ptr, idx = cells.faces(d)
        below = np.ones(cells.face_counts[d - 1], bool)
        below[idx[np.repeat(~inner, np.diff(ptr))]] = False
        inner = below
    return inner


# -- by lines -----------------------------------------------------------------------------------


def _crossed(
    net: Network, chords: Chords, kind: str, lines: int | None, seed: int,
    progress: Progress | None,
) -> tuple[np.ndarray, str]:  # fmt: skip
    """Boundary points on each line, and what ended them; the batch under way then is dropped."""
    counts: list[np.ndarray] = []
    done, size, clock = 0, max(1, min(BATCH, NUMBERS // max(1, net.units))), current()
    clock.stage = "lines"
    try:
        while lines is None or done < lines:
            check()
            m = BATCH if lines is None else min(BATCH, lines - done)
            ends = chords.draw(np.random.default_rng([seed, done // BATCH]), BATCH)[:m]
            for a in range(0, m, size):  # few at a time where they are dear
                counts.append(bends(net, ends[a : a + size], kind))
                done += len(counts[-1])
                if progress is not None:
                    progress(Status(done, clock.elapsed, "lines"))
                check()
    except KeyboardInterrupt as stop:
        first = getattr(stop, "partial", None)
        if not counts and isinstance(first, np.ndarray) and len(first):
            counts = [first]  # else a batch is dropped: its quick lines alone would be too few
        if not counts:
            raise
        return np.concatenate(counts), reason_of(stop)
    return np.concatenate(counts), ""


def _estimated(
    counts: np.ndarray, chords: Chords, kind: str, where: str, seed: int, start: float,
    stopped: str,
) -> BoundaryVolume:  # fmt: skip
    m, mean = len(counts), float(counts.mean())
    error = float(counts.std(ddof=1) / math.sqrt(m)) if m > 1 else math.inf
    hits = int(np.count_nonzero(counts))
    scale = _exp(chords.surface) / 2
    value, error_ = scale * mean if mean else 0.0, scale * error if error else 0.0
    interval = None
    if hits >= HITS and math.isfinite(value):
        interval = (max(0.0, value - 1.96 * error_), value + 1.96 * error_)
    density = None
    if chords.volume is not None:
        density = _exp(chords.surface - chords.volume) / 2 * mean
    return BoundaryVolume(
        value, density, error_, interval, "crofton", kind, 1, chords.dimension, where,
        time.perf_counter() - start, m, hits, mean, seed, stopped,
    )  # fmt: skip


def _exp(x: float) -> float:
    return math.exp(x) if x < 709 else math.inf


def _ball(ball: Ball, n: int) -> Chords:
    centre = np.asarray(ball.centre, np.float64)
    if centre.ndim and centre.shape != (n,):
        raise LinregionsError(f"ball: centre has {len(centre)} entries, the network has {n} inputs")
    return through_ball(np.broadcast_to(centre, (n,)), float(ball.radius))


def _chords(problem: Restricted) -> Chords:
    """Lines through the polytope of a restricted network; a box is recognised."""
    A, b, k = rounded(problem.A), rounded(problem.b), problem.dimension
    if not (np.count_nonzero(A, axis=1) == 1).all():
        return through_polytope(A, b)
    lo, hi = np.full(k, -np.inf), np.full(k, np.inf)
    for row, value in zip(A, b, strict=True):
        (j,) = np.flatnonzero(row)
        if row[j] > 0:
            hi[j] = min(hi[j], value / row[j])
        else:
            lo[j] = max(lo[j], value / row[j])
    return through_box(lo, hi)


# -- what is given ------------------------------------------------------------------------------


def _restricted(net: Network, domain: Any) -> Restricted:
    problem = restrict(net, domain)
    # (whether a polytope has bounds is seen by the engine, or when a box is put around it)
    if (
        problem.picked is not None
        or problem.bounded is False
        or (not len(problem.A) and problem.dimension)
    ):
        raise LinregionsError(
            f"boundary_volume in {problem.domain.describe()}: the domain is unbounded; give a "
            "bounded one, such as Box(-1, 1)"
        )
    return problem


def _check_codimension(codimension: Any, k: int, kind: str) -> None:
    if k == 0:
        raise LinregionsError("the domain is a single point; give one with an interior")
    if not isinstance(codimension, int | np.integer) or not 1 <= codimension <= k:
        raise LinregionsError(f"codimension={codimension!r} in dimension {k}: give 1 to {k}")
    if codimension > 1 and kind == "linear":
        raise LinregionsError(
            f"codimension={codimension} with kind='linear': pieces of codimension 2 and more are "
            "those of activation regions; give kind='activation'"
        )


def _check_effort(lines: Any, seconds: Any) -> None:
    if lines is not None and (not isinstance(lines, int | np.integer) or lines < 2):
        raise LinregionsError(f"lines={lines!r}: give an integer of at least 2")
    if seconds is not None and not 0 < seconds < math.inf:
        raise LinregionsError(f"seconds={seconds!r}: give a positive finite number")
