"""A search on disk: saved whole every few seconds, found whole after any accident.

A checkpoint holds the sums so far and every branch that is not counted yet, tasks under way
included; both belong to the same moment, so nothing is counted twice or lost, whenever the
process dies. It is written beside the old one, flushed to the disk and renamed; the one before
stays as ``FILE.old``. A checksum tells a damaged file, and the name of what is counted (network,
domain, kind, version, ...) one that belongs to something else.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import warnings
import zipfile
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import LinregionsError
from ..search.branch import Branch
from ..search.rational_branch import RationalBranch
from .identity import Identity
from .task import Bundle

MAGIC = b"linregions checkpoint 1\n"
EVERY = 5.0  # seconds between two savings, at least
SHARE = 0.01  # of the time may go into saving


@dataclass
class State:
    """What a checkpoint holds: sums, the bundles that are still to walk, what a question learnt."""

    leaves: int = 0
    coincident: int = 0
    seconds: float = 0.0
    stats: dict[str, int] = field(default_factory=dict)
    complete: bool = False
    bundles: list[Bundle] = field(default_factory=list)
    question: dict[str, Any] = field(default_factory=dict)


class Checkpoint:
    """A file that one process at a time keeps a search in.

    Parameters
    ----------
    path
        The file. ``PATH.old`` holds the checkpoint before, ``PATH.lock`` is there while it is used.
    identity
        What is counted; a checkpoint of anything else is refused.

    Raises
    ------
    LinregionsError
        When another process uses it, it cannot be written, it belongs to another search, or it is
        damaged and so is the one before.
    """

    def __init__(self, path: str | Path, identity: Identity) -> None:
        self.path, self.identity = Path(path), identity
        self.old = self.path.with_name(self.path.name + ".old")
        if not self.path.parent.is_dir():
            raise LinregionsError(f"{path}: the folder {self.path.parent} does not exist")
        if self.path.is_dir():
            raise LinregionsError(f"{path} is a folder; give the name of a file")
        self._lock = _Lock(self.path.with_name(self.path.name + ".lock"))
        self._sound = False  # the file under the name is a good one
        try:
            self.found = self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> State | None:
        """The state to go on from, or None where there is no checkpoint yet."""
        damage = None
        if self.path.exists():
            try:
                state = read(self.path, self.identity)
                self._sound = True
                return state
            except Damaged as error:
                damage = error
        if self.old.exists():
            try:
                state = read(self.old, self.identity)
            except Damaged as error:
                raise LinregionsError(
                    f"{damage or error}, and so is the one before; remove {self.path} and "
                    f"{self.old} to begin anew"
                ) from None
            if damage is not None:
                warnings.warn(f"{damage}; going on from {self.old}", stacklevel=2)
            return state
        if damage is not None:
            raise LinregionsError(f"{damage}; remove it to begin anew")
        return None

    def save(self, state: State) -> None:
        """Replace the checkpoint, at once or not at all."""
        new = self.path.with_name(self.path.name + ".new")
        try:
            with open(new, "wb") as file:
                file.write(_pack(state, self.identity))
                file.flush()
                os.fsync(file.fileno())
            if self._sound:
                os.replace(self.path, self.old)
            os.replace(new, self.path)
            _flush_folder(self.path.parent)
        except OSError as error:
            before = self._sound or self.old.exists()
            kept = "the one before is intact" if before else "there is none before"
            new.unlink(missing_ok=True)
            raise LinregionsError(
                f"checkpoint {self.path} cannot be written: {error.strerror or error}; {kept}"
            ) from None
        self._sound = True

    def close(self) -> None:
        """Let another process have it."""
        self._lock.release()


class Damaged(Exception):
    """The checksum, or what it protects, is wrong."""


def read(path: Path, identity: Identity | None = None) -> State:
    """Read a checkpoint; with an identity, refuse that of another search, with the reason."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LinregionsError(f"{path} cannot be read: {error.strerror or error}") from None
    head, body = len(MAGIC), len(MAGIC) + 65
    if not content.startswith(MAGIC):
        if MAGIC.startswith(content) or not content.strip(b"\0"):
            raise Damaged(f"the checkpoint {path} is damaged")
        raise LinregionsError(f"{path} is no checkpoint of this version; give another name")
    if content[head : body - 1] != hashlib.sha256(content[body:]).hexdigest().encode():
        raise Damaged(f"the checkpoint {path} is damaged")
    try:
        with np.load(io.BytesIO(content[body:]), allow_pickle=False) as file:
            header = json.loads(bytes(file["header"]).decode())
            arrays = {name: file[name] for name in file.files if name != "header"}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise Damaged(f"the checkpoint {path} is damaged ({error})") from None
    if identity is not None:
        identity.check(header["identity"], f"the checkpoint {path}")
    return State(**header["state"], bundles=_unpack_bundles(header["rational"], arrays))


# -- bytes --------------------------------------------------------------------------------


def _pack(state: State, identity: Identity) -> bytes:
    facts = {f.name: getattr(state, f.name) for f in fields(state) if f.name != "bundles"}
    items = [b for bundle in state.bundles for b in bundle]
    header = {
        "identity": asdict(identity),
        "state": facts,
        "rational": [_text(b) for b in items if isinstance(b, RationalBranch)],
    }
    arrays = _pack_branches([b for b in items if isinstance(b, Branch)])
    arrays["bundles"] = np.array([len(b) for b in state.bundles], np.int64)
    arrays["is_rational"] = np.array([isinstance(b, RationalBranch) for b in items], np.bool_)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    body = buffer.getvalue()
    return MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _unpack_bundles(rational: list[Any], arrays: dict[str, np.ndarray]) -> list[Bundle]:
    slow, fast = map(_of_text, rational), iter(_unpack_branches(arrays))
    items = [next(slow) if which else next(fast) for which in arrays["is_rational"]]
    return [items[a:b] for a, b in pairwise(np.cumsum([0, *arrays["bundles"]]))]


def _pack_branches(branches: list[Branch]) -> dict[str, np.ndarray]:
    """Branches end to end, one array per field, with the ends of each."""
    out = {}
    for name in Branch._fields if branches else ():
        parts = [getattr(b, name) for b in branches]
        out[name] = np.concatenate(parts)
        out[f"{name}_ends"] = np.cumsum([0, *map(len, parts)])
    return out


def _unpack_branches(arrays: dict[str, np.ndarray]) -> list[Branch]:
    if "frame" not in arrays:
        return []
    columns = [
        [arrays[name][a:b] for a, b in pairwise(arrays[f"{name}_ends"])] for name in Branch._fields
    ]
    return [Branch(*fields) for fields in zip(*columns, strict=True)]


def _text(b: RationalBranch) -> list[Any]:
    return [b.layer, b.con, b.cand, b.sign.tolist(), [f"{p}/{q}" for p, q in b.point]]


def _of_text(text: list[Any]) -> RationalBranch:
    layer, con, cand, sign, point = text
    pairs = tuple((int(p), int(q)) for p, q in (v.split("/") for v in point))
    return RationalBranch(layer, tuple(con), tuple(cand), np.array(sign, np.int8), pairs)


def _flush_folder(folder: Path) -> None:
    """Make a renaming last through a loss of power, where the system lets us."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Lock:
    """An advisory lock on a file beside the checkpoint; the system drops it if we die."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            import fcntl
        except ImportError:  # Windows has none, and so no protection
            self.file = None
            return
        while True:
            try:
                self.file = open(path, "a")  # noqa: SIM115
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                mine, named = os.fstat(self.file.fileno()), os.stat(path)
            except BlockingIOError:
                raise LinregionsError(
                    f"the checkpoint {path.with_suffix('')} is in use by another process"
                ) from None
            except FileNotFoundError:  # removed by the one before us
                continue
            except OSError as error:
                raise LinregionsError(
                    f"the checkpoint {path.with_suffix('')} cannot be used: {error.strerror}"
                ) from None
            if mine.st_ino == named.st_ino:
                return

    def release(self) -> None:
        """Remove the file and the lock on it."""
        if self.file is not None:
            self.path.unlink(missing_ok=True)
            self.file.close()
            self.file = None
