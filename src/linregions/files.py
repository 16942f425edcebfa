"""Writing results: a file appears under its name only when it is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import LinregionsError


def check_target(path: str | Path, formats: tuple[str, ...]) -> Path:
    """A path that can be written, with one of the suffixes."""
    path = Path(path)
    if path.suffix.lower() not in formats:
        raise LinregionsError(
            f"{path}: unknown output type; give a name ending in {', '.join(formats)}"
        )
    if not path.parent.is_dir():
        raise LinregionsError(f"{path}: the folder {path.parent} does not exist")
    if path.is_dir():
        raise LinregionsError(f"{path} is a folder; give the name of a file")
    return path


BEGINS = {".npy": (b"\x93NUMPY",), ".npz": (b"PK\x03\x04", b"PK\x05\x06")}


def check_numpy(path: str | Path, suffix: str) -> None:
    """Raise for a file that numpy would take for something else, whose advice would not help."""
    with open(path, "rb") as file:
        begin = file.read(6)
    if not begin.startswith(BEGINS[suffix]):
        what = next((f"a {s} file" for s, b in BEGINS.items() if begin.startswith(b)), "neither")
        how = {".npy": "numpy.save(file, array)", ".npz": "numpy.savez(file, name=array, ...)"}
        raise LinregionsError(
            f"not a {suffix} file{f' but {what}' if what != 'neither' else ''}; "
            f"write one with {how[suffix]}"
        )


def pyarrow(instead: str) -> tuple[Any, Any]:
    """The package and its parquet, or the advice to install it; ``instead`` is the other format."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise LinregionsError(
            f".parquet needs pyarrow: pip install 'linregions[store]', or take a {instead} file"
        ) from None
    return pyarrow, pyarrow.parquet


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A file to write to, renamed to ``path`` at the end, removed if something fails."""
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        raise LinregionsError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def about(path: str | Path) -> Iterator[None]:
    """Name the file in every error that arises while it is read."""
    try:
        yield
    except LinregionsError as error:
        text = str(error)
        raise type(error)(text if text.startswith(f"{path}:") else f"{path}: {text}") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LinregionsError(f"{path}: cannot be read ({reason})") from error
