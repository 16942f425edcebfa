"""The domain that the options of ``linregions draw`` ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..domain import Domain, Plane, Segment
from ..errors import LinregionsError

DomainOf = Callable[[str | None, Path | None], Domain]


@dataclass(frozen=True)
class Where:
    """The four ways to name a domain, of which one is given."""

    box: str | None
    polytope: Path | None
    plane: Path | None
    size: float
    segment: Path | None

    def domain(self, domain_of: DomainOf) -> tuple[Domain, np.ndarray | None]:
        """The domain, and the points that span a plane (drawn unless others are given)."""
        options = {
            "--box": self.box,
            "--polytope": self.polytope,
            "--plane": self.plane,
            "--segment": self.segment,
        }
        given = [name for name, value in options.items() if value is not None]
        if len(given) != 1:
            which = " and ".join(given) + " together" if given else "no domain"
            raise LinregionsError(f"{which}; give one of {', '.join(options)}")
        if self.plane is not None:
            points = read_points(self.plane, "--plane", 3)
            with _named(f"--plane {self.plane}"):
                return Plane.through(*points, size=self.size), points
        if self.segment is not None:
            points = read_points(self.segment, "--segment", 2)
            with _named(f"--segment {self.segment}"):
                return Segment(*points), None
        return domain_of(self.box, self.polytope), None


@contextmanager
def _named(option: str) -> Iterator[None]:
    """Put the option in front of what is wrong with its value."""
    try:
        yield
    except LinregionsError as error:
        raise LinregionsError(f"{option}: {error}") from None


def read_points(path: Path, option: str, count: int | None = None) -> np.ndarray:
    """An array (count, n) of finite numbers from a ``.npy`` file."""
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise LinregionsError(f"{option} {path}: no such file") from None
    except Exception as error:  # numpy and zip have their own kinds
        raise LinregionsError(f"{option} {path}: not a readable .npy file ({error})") from None
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
