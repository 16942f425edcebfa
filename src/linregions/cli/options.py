"""Options that commands share, above all those that name a domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from ..domain.domains import Box, Domain, Line, Plane, Polytope, Segment, Space
from ..errors import LinregionsError
from ..files import check_numpy
from ..network.rational import fraction_array, simplest

Model = Annotated[Path, Parameter(help="A .onnx, .nnet, .npz, .pt2 or TorchScript file.")]
_SIZES = "Sizes of one input without the batch (3,32,32), for models that do not say them."
ShapeOption = Annotated[str | None, Parameter(name=["--shape", "--input-shape"], help=_SIZES)]
InputShape = Annotated[str | None, Parameter(help=_SIZES)]  # where --shape is that of something
Json = Annotated[bool, Parameter(negative="", help="Print one JSON object and nothing else.")]
BoxOption = Annotated[
    str | None,
    Parameter(
        help="LO,HI for every coordinate (--box=-1,1), or LO1:HI1,LO2:HI2,..., or FILE.vnnlib."
    ),
]
PolytopeOption = Annotated[
    Path | None, Parameter(help="FILE.npz with A and b: the points where A x <= b.")
]
PlaneOption = Annotated[
    Path | None,
    Parameter(help="FILE.npy of three points (3 x inputs): the square around them in their plane."),
]
SizeOption = Annotated[
    float | None, Parameter(help="Half-width of that square in circumradii (default 1.2).")
]
SegmentOption = Annotated[
    Path | None, Parameter(help="FILE.npy of two points (2 x inputs): the way between them.")
]
LineOption = Annotated[
    Path | None, Parameter(help="FILE.npy of two points (2 x inputs): the whole line through them.")
]


@dataclass(frozen=True)
class Where:
    """The ways to name a domain, of which one may be given."""

    box: str | None = None
    polytope: Path | None = None
    plane: Path | None = None
    size: float | None = None
    segment: Path | None = None
    line: Path | None = None

    def given(self) -> list[str]:
        """The options that are there."""
        names = ("box", "polytope", "plane", "segment", "line")
        return [f"--{name}" for name in names if getattr(self, name) is not None]

    def domain(self) -> Domain:
        """The domain: all of R^n where nothing is given."""
        if len(self.given()) > 1:
            raise LinregionsError(f"{' and '.join(self.given())} together; give one domain")
        if self.size is not None and self.plane is None:
            raise LinregionsError(f"--size={self.size} is the size of a plane: give --plane too")
        if self.box is not None:
            return _box(self.box)
        if self.polytope is not None:
            return _polytope(self.polytope)
        if self.plane is not None:
            with _named(f"--plane {self.plane}"):
                return Plane.through(*self.corners(), size=1.2 if self.size is None else self.size)
        if self.segment is not None:
            ends = read_points(self.segment, "--segment", 2)
            with _named(f"--segment {self.segment}"):
                return Segment(*ends)
        if self.line is not None:
            p, q = read_points(self.line, "--line", 2)
            with _named(f"--line {self.line}"):
                return Line(p, simplest(fraction_array(q) - fraction_array(p)))
        return Space()

    def domains(self) -> Sequence[Domain]:
        """The domains to take one by one: several for a property with a union of boxes."""
        if self.given() == ["--box"] and self.size is None and str(self.box).endswith(".vnnlib"):
            return Box.all_from_vnnlib(self.box)
        return [self.domain()]

    def corners(self) -> np.ndarray:
        """The three points of ``--plane``."""
        assert self.plane is not None
        return read_points(self.plane, "--plane", 3)


def sizes_of(text: str | None) -> tuple[int, ...] | None:
    """The sizes in ``--shape 3,32,32``, or ``3x32x32``."""
    if text is None:
        return None
    parts = text.replace("x", ",").split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise LinregionsError(f"--shape={text}: give the sizes of one input, such as 3,32,32")
    return tuple(map(int, parts))


def domain_of(box: str | None, polytope: Path | None) -> Domain:
    """The domain of a command that knows only these two options."""
    return Where(box, polytope).domain()


@contextmanager
def _named(option: str) -> Iterator[None]:
    """Put the option in front of what is wrong with its value."""
    try:
        yield
    except LinregionsError as error:
        text = str(error)
        raise LinregionsError(text if text.startswith(option) else f"{option}: {text}") from None


def read_points(path: Path, option: str, count: int | None = None) -> np.ndarray:
    """An array (count, n) of finite numbers from a ``.npy`` file."""
    try:
        check_numpy(path, ".npy")
        array = np.load(path, allow_pickle=False)
    except (LinregionsError, OSError) as error:
        raise LinregionsError(f"{option} {path}: {_reason(error)}") from None
    except Exception as error:  # numpy and zip have their own kinds
        raise LinregionsError(
            f"{option} {path}: not a readable .npy file ({_reason(error)})"
        ) from None
    rows = "points" if count is None else str(count)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub" or array.ndim != 2:
        raise LinregionsError(
            f"{option} {path}: a .npy file of numbers of shape ({rows}, inputs) is needed"
        )
    if count is not None and len(array) != count:
        raise LinregionsError(f"{option} {path}: {len(array)} points; {count} are needed")
    if not np.isfinite(array).all():
        raise LinregionsError(f"{option} {path} holds NaN or infinite values")
    return array.astype(np.float64)


def _box(text: str) -> Box:
    if text.endswith(".vnnlib"):
        return Box.from_vnnlib(text)
    try:
        if ":" in text:
            pairs = [side.split(":") for side in text.split(",")]
            lo, hi = zip(*((float(a), float(b)) for a, b in pairs), strict=True)
            return Box(np.array(lo), np.array(hi))
        low, high = text.split(",")
        return Box(float(low), float(high))
    except (ValueError, TypeError) as error:
        if isinstance(error, LinregionsError):
            raise
        raise LinregionsError(
            f"--box={text}: give LO,HI (such as --box=-1,1), LO1:HI1,LO2:HI2,..., or a .vnnlib file"
        ) from None


def _polytope(path: Path) -> Polytope:
    with _named(f"--polytope {path}"):
        try:
            check_numpy(path, ".npz")
            with np.load(path, allow_pickle=False) as file:
                return Polytope(file["A"], file["b"], f"polytope of {path.name}")
        except (LinregionsError, OSError) as error:
            raise LinregionsError(_reason(error)) from None
        except Exception as error:  # a damaged zip archive raises its own kinds
            raise LinregionsError(
                f"a .npz file of the numbers A and b is needed ({_reason(error)})"
            ) from None


def _reason(error: Exception) -> str:
    """What is wrong with a file, in words that help here."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or error})"
    if isinstance(error, KeyError):
        return f"{error.args[0]}".removesuffix(" in the archive")
    text = " ".join(str(error).split())
    return "it holds Python objects, not numbers" if "pickle" in text else text
