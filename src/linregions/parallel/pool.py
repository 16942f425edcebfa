"""Where tasks run: in this process, in processes of our own, or wherever an executor sends them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from ..errors import LinregionsError
from ..processors import available

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Here(Executor):
    """Runs a task in this thread, at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it; the future that comes back is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def processes(workers: int) -> ProcessPoolExecutor:
    """A pool of fresh processes that live no longer than this one and ignore Ctrl-C."""
    return ProcessPoolExecutor(workers, mp_context=_Context(), initializer=_begin)


def warm() -> None:
    """A task that gets a process ready: it imports the package."""


def _begin() -> None:
    """What each process of the pool does first."""
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be blocked
    parent = parent_process()

    def follow() -> None:
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        with _alone():
            return SpawnProcess._Popen(process_obj)  # type: ignore[attr-defined]


class _Context(SpawnContext):
    Process = _Process


@contextmanager
def _alone() -> Iterator[None]:
    """Processes started here use one thread each, and do not run the caller's script again.

    Nor do they take part in Ctrl-C, from their first moment on: they inherit that it is blocked.

    A spawned process usually imports the main module anew, so a script without the guard
    ``if __name__ == "__main__"`` would count again in every worker. Nothing of it is needed.
    """
    mask = getattr(signal, "pthread_sigmask", None)
    blocked = mask(signal.SIG_BLOCK, {signal.SIGINT}) if mask else None
    main, held = sys.modules["__main__"], {n: os.environ.get(n) for n in THREADS}
    sys.modules["__main__"] = types.ModuleType("__main__")
    for name in THREADS:
        os.environ.setdefault(name, "1")
    try:
        yield
    finally:
        if mask and blocked is not None:
            mask(signal.SIG_SETMASK, blocked)
        sys.modules["__main__"] = main
        for name, value in held.items():
            if value is None:
                os.environ.pop(name, None)


def width(executor: Executor) -> int:
    """How many tasks an executor runs at a time, now."""
    client = getattr(executor, "_client", None)
    if client is not None and hasattr(client, "nthreads"):  # dask.distributed
        return max(1, sum(client.nthreads().values()))
    known = getattr(executor, "_max_workers", None)  # the standard pools, loky, mpi4py
    return known if isinstance(known, int) and known > 0 else available()


@contextmanager
def cluster(address: str, seconds: float = 5.0) -> Iterator[Executor]:
    """The executor of a running Dask scheduler.

    Raises
    ------
    LinregionsError
        When distributed is not installed, or nothing answers at the address within some seconds.
    """
    try:
        from distributed import Client
    except ImportError:
        raise LinregionsError(
            "a cluster needs dask and distributed: install linregions[cluster]"
        ) from None
    try:
        client = Client(address, timeout=seconds)
    except (OSError, ValueError, TimeoutError) as error:
        why = str(error).split("\n")[0] or type(error).__name__
        raise LinregionsError(
            f"no Dask scheduler answers at {address} ({why}); give the address that "
            "`dask scheduler` prints, such as tcp://node1:8786"
        ) from None
    with client:
        yield client.get_executor()
