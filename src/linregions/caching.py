"""Compiled kernels on disk: where they are kept, and when they hold no longer.

A kernel is known by a hash of all that it is made of: the byte code of every function that is
linked into it, their options, the constants that they read, the versions of numba and Python.
Whoever edits one of them gets a new kernel, and nobody has to delete anything. (numba's own cache
looks at the file of the outermost function alone.)

Folders, in order: ``LINREGIONS_CACHE`` alone where it is set, or numba's ``NUMBA_CACHE_DIR``; else
the package's own ``__pycache__``, then the user's folder for caches. Kernels are read from all of
them and written to the first that can be written. `docs/compiling.md` has more.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
from numba.core.dispatcher import Dispatcher
from numba.core.runtime.nrt import rtsys
from numba.misc.appdirs import AppDirs

PATIENCE = 1.0  # seconds after which a compilation is announced
FORMAT = "2"  # of kernels: what is not in their code, such as how they are linked


class _Log:
    """What has been compiled in this process, and who is told."""

    def __init__(self) -> None:
        self.say: Callable[[str], None] = _to_stderr
        self.seconds = 0.0
        self.now = "kernels"  # what is being compiled, in words


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


log = _Log()


@contextmanager
def told(say: Callable[[str], None] | None) -> Iterator[None]:
    """Tell somebody else what is compiled meanwhile (None: whoever is told now)."""
    before = log.say
    log.say = say or before
    try:
        yield
    finally:
        log.say = before


@cache
def folders() -> tuple[Path, ...]:
    """Where kernels may be."""
    given = os.environ.get("LINREGIONS_CACHE") or getattr(config, "CACHE_DIR", "")
    if given:
        return (Path(given).expanduser(),)
    own = Path(__file__).parent / "__pycache__"
    return own, Path(AppDirs("linregions", appauthor=False).user_cache_dir)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


class _Locator:
    """What numba asks about a place for a kernel."""

    def __init__(self, folder: Path, stamp: str, file: str) -> None:
        self.folder, self.stamp, self._py_file = folder, stamp, file

    def ensure_cache_path(self) -> None:
        """The folder was made before."""

    def get_cache_path(self) -> str:
        """The folder."""
        return str(self.folder)

    def get_source_stamp(self) -> str:
        """The hash of what the kernel is made of."""
        return self.stamp

    def get_disambiguator(self) -> str:
        """The hash again, shorter: kernels of several versions live beside each other."""
        return self.stamp[:16]


# what unpickling raises where a type that a kernel takes has moved, or where a file is cut short
OLD = (AttributeError, ImportError, UnpicklingError, EOFError, TypeError, ValueError, KeyError)


class _Impl(CompileResultCacheImpl):
    def __init__(self, function: Any, locator: Any) -> None:
        self._lineno, self._locator = function.__code__.co_firstlineno, locator
        name = f"{function.__module__.removeprefix('linregions.')}.{function.__qualname__}"
        self._filename_base = self.get_filename_base(name, getattr(sys, "abiflags", ""))


class _Folder(FunctionCache):
    """numba's cache of one kernel in one folder."""

    def __init__(self, function: Any, folder: Path, stamp: str) -> None:
        self._name, self._py_func = repr(function), function
        self._impl = _Impl(function, _Locator(folder, stamp, function.__code__.co_filename))
        self._cache_path = str(folder)
        self._cache_file = IndexDataCacheFile(str(folder), self._impl.filename_base, stamp)
        self.enable()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """A kernel from disk, without what only compiling needs: that takes longer to import."""
        rtsys.initialize(target_context)
        try:
            with self._guard_against_spurious_io_errors():
                return self._load_overload(sig, target_context)
        except OLD:
            with suppress(OSError):
                Path(self._cache_path, self._impl.filename_base + ".nbi").unlink()
            return None


class KernelCache:
    """What numba's dispatcher asks for compiled versions of a kernel, and gives new ones to.

    ``what`` says in words what the kernel is for.
    """

    def __init__(self, dispatcher: Any, what: str) -> None:
        self.dispatcher, self.what = dispatcher, what
        self.begin, self.timer = 0.0, threading.Timer(0, log.say)

    @property
    def cache_path(self) -> str:
        """The first of the folders."""
        return str(folders()[0])

    def _at(self, folder: Path) -> _Folder:
        return _Folder(self.dispatcher.py_func, folder, stamp(self.dispatcher))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The kernel for a signature; None, and a word about it, where it must be compiled."""
        for folder in folders():
            found = self._at(folder).load_overload(sig, target_context)
            if found is not None:
                return found
        self.begin, log.now = time.perf_counter(), self.what
        line = f"linregions: compiling {self.what} (once per machine) ..."
        self.timer = threading.Timer(PATIENCE, log.say, [line])
        self.timer.daemon = True
        self.timer.start()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a new one."""
        self.timer.cancel()
        took = time.perf_counter() - self.begin
        log.seconds += took
        if took > PATIENCE:
            log.say(f"linregions: compiled {self.what} in {took:.1f} s")
        for folder in folders():
            if _writable(folder):
                self._at(folder).save_overload(sig, data)
                if folder.parent == Path(__file__).parent:
                    self._tidy(folder)
                return
        log.say("linregions: found no folder to keep compiled kernels in; see docs/compiling.md")

    def _tidy(self, folder: Path) -> None:
        """Forget earlier versions in the package's own folder."""
        base = self._at(folder)._impl.filename_base
        name = base[: base.rindex("-")]
        for file in folder.glob(f"{name}-*.nb[ic]"):
            if not file.name.startswith(base):
                file.unlink(missing_ok=True)


# -- what a kernel is made of -------------------------------------------------------------


@cache
def stamp(dispatcher: Any) -> str:
    """A hash of all that a kernel is made of."""
    parts = [FORMAT, numba.__version__, sys.version.split()[0]]
    seen: set[int] = set()
    todo = [dispatcher]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        function = getattr(one, "py_func", one)
        options = getattr(one, "targetoptions", {})
        parts.append(f"{function.__module__}.{function.__qualname__} {sorted_repr(options)}")
        parts.extend(_code(function.__code__))
        todo += _used(function.__code__, function.__globals__, parts)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def sorted_repr(value: Any) -> str:
    """`repr` that does not depend on the order of a dictionary or a set."""
    if isinstance(value, dict):
        return repr(sorted((k, sorted_repr(v)) for k, v in value.items()))
    if isinstance(value, set | frozenset):
        return repr(sorted(map(sorted_repr, value)))
    return repr(value)


def _code(code: CodeType) -> list[str]:
    """Byte code and constants, without documentation."""
    parts = [code.co_code.hex(), repr(code.co_names), repr(code.co_varnames)]
    for value in code.co_consts:
        if isinstance(value, CodeType):
            parts += _code(value)
        elif not isinstance(value, str):
            parts.append(repr(value))
    return parts


def _used(code: CodeType, names: dict[str, Any], parts: list[str]) -> list[Any]:
    """Functions that are called; the constants that are read go to ``parts``."""
    called: list[Any] = []
    for name in code.co_names:
        value = names.get(name)
        spaces = [value.__dict__] if _ours(value) else []
        found = [value, *(s.get(n) for s in spaces for n in code.co_names)]
        for one in found:
            if isinstance(one, Dispatcher) or (isinstance(one, FunctionType) and _ours_too(one)):
                called.append(one)
            elif isinstance(one, np.ndarray):
                parts.append(f"{name} {one.dtype} {one.shape} {one.tobytes().hex()}")
            elif isinstance(one, bool | int | float | tuple | str | np.generic):
                parts.append(f"{name} {one!r}")
    for value in code.co_consts:
        if isinstance(value, CodeType):
            called += _used(value, names, parts)
    return called


def _ours(value: Any) -> bool:
    return isinstance(value, ModuleType) and value.__name__.startswith("linregions.")


def _ours_too(function: FunctionType) -> bool:
    return function.__module__.startswith("linregions.")
