"""From the text of an option to its value, or one line that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..domain.domains import Box, Polytope
from ..errors import LinregionsError
from ..files import check_numpy


@contextmanager
def named(option: str) -> Iterator[None]:
    """Put the option in front of what is wrong with its value."""
    try:
        yield
    except LinregionsError as error:
        text = str(error)
        raise LinregionsError(text if text.startswith(option) else f"{option}: {text}") from None


def whole_limit(_: Any, tokens: Any) -> int:
    """The number in ``--limit 100``."""
    text = tokens[0].value
    if not text.lstrip("+").isdigit():
        raise LinregionsError(f"--limit={text}: give a whole number, 0 or more")
    return int(text)


def byte_count(_: Any, tokens: Any) -> int:
    """The bytes in ``--memory 2G``, ``500M``, ``100k`` or a number of bytes."""
    text = tokens[0].value
    digits, unit = text.rstrip("kKMGTB"), text[len(text.rstrip("kKMGTB")) :]
    powers = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
    power = powers.get(unit.upper().removesuffix("B"))
    if power is None or not digits.isdigit() or int(digits) == 0:
        raise LinregionsError(f"--memory={text}: give a size above 0, such as 500M or 8G")
    return int(digits) << power


def sizes_of(text: str | None) -> tuple[int, ...] | None:
    """The sizes in ``--shape 3,32,32``, or ``3x32x32``."""
    if text is None:
        return None
    parts = text.replace("x", ",").split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise LinregionsError(f"--shape={text}: give the sizes of one input, such as 3,32,32")
    return tuple(map(int, parts))


def read_box(text: str) -> Box:
    """``LO,HI``, ``LO1:HI1,LO2:HI2,...`` or the name of a ``.vnnlib`` file."""
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


def read_polytope(path: Path) -> Polytope:
    """The points where A x <= b, from a ``.npz`` file."""
    with named(f"--polytope {path}"):
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
