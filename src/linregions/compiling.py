"""Compile kernels before they are needed: each by a tiny problem, in processes of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np

from .caching import log, told
from .domain.domains import Box, Domain
from .domain.restrict import Restricted, restrict
from .network.affine import Affine
from .network.network import Layer, Network
from .network.units import RELU, MaxUnits, Pointwise


class Kernel(NamedTuple):
    """A group of kernels, and what took time in compiling it (0: it was there)."""

    name: str
    what: str
    seconds: float


def _search() -> None:
    from .merging.compile import compile_kernel

    compile_kernel()


def _proofs() -> None:
    from .merging.compile import compile_kernel

    compile_kernel(full=True)


def _inputs() -> None:
    from .merging.compile import compile_kernel

    compile_kernel(zonotope=True)


def _merging() -> None:
    from .merging.compile import compile_kernel

    compile_kernel(merge=True)


def _complex() -> None:
    from .complex.compiling import compile_complex

    compile_complex()


def _largest() -> None:
    from .complex.compiling import compile_complex

    compile_complex(tiny_max())


def _lines() -> None:
    from .line.crossings import line_compile

    line_compile()


def _estimates() -> None:
    from .estimation.estimate import compile_thinned

    compile_thinned(False)


def _samples() -> None:
    from .sampling.sample import sample

    tiny = Network.from_layers([([[1.0]], [0.0]), ([[1.0]], [0.0])])
    sample(tiny, Box(-1.0, 1.0), points=256)


# longest first; those behind `search` read its kernel
JOBS: dict[str, tuple[str, Callable[[], None]]] = {
    "search": ("count, list and the rest over any domain", _search),
    "complex": ("domains of 1 to 4 dimensions", _complex),
    "inputs": ("boxes of many inputs", _inputs),
    "proofs": ("max units in any dimension, and proofs", _proofs),
    "lines": ("crossings of segments and lines", _lines),
    "largest": ("max units in 1 to 4 dimensions", _largest),
    "merging": ("linear regions and affine maps of a search", _merging),
    "samples": ("samples", _samples),
    "estimates": ("estimates", _estimates),
}


def tiny_max() -> Network:
    """One max unit of two arguments, and a rectifier."""
    first = Affine.dense(np.eye(2), None, 0)
    second = Affine.dense(np.ones((1, 1)), -np.ones(1), 1)
    layers = (
        Layer(first, MaxUnits(((0, 1),), 2)),
        Layer(second, Pointwise.uniform(RELU, 1)),
    )
    return Network(2, layers, Affine.identity(1, 2))


def needed(network: Network, domain: Domain) -> list[str]:
    """The kernels that counting, listing and estimating on a domain take."""
    from .complex.engine import suits_complex
    from .search.zonotope import seen_through

    problem: Restricted = restrict(network, domain)
    largest = network.has_max
    names = ["proofs" if largest else "search", "estimates", "merging"]
    if seen_through(problem).zonotope is not None:
        names.append("inputs")
    if suits_complex(problem):
        names += ["complex", "largest"] if largest else ["complex"]
    return [name for name in JOBS if name in names]


def compiled(names: list[str], workers: int) -> Iterator[Kernel]:
    """Compile kernels by name in so many processes; gives each when it is done."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(_compile, name): name for name in names}
        for job in as_completed(jobs):
            yield Kernel(jobs[job], JOBS[jobs[job]][0], job.result())


def _compile(name: str) -> float:
    """Compile one group in this process."""
    before, begin = log.seconds, time.perf_counter()
    with told(lambda _: None):
        JOBS[name][1]()
    return time.perf_counter() - begin if log.seconds > before else 0.0
