"""``linregions compile``: compile the kernels before they are needed.

Each group of kernels by a tiny problem, in a process of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..caching import folders, log, told
from ..complex.engine import suits_complex
from ..complex.subdivide import compile_complex
from ..domain.domains import Box, Domain
from ..domain.restrict import restrict
from ..estimation.estimate import compile_thinned
from ..line.crossings import line_compile
from ..merging.compile import compile_kernel
from ..network.affine import Affine
from ..network.network import Layer, Network
from ..network.units import RELU, MaxUnits, Pointwise
from ..processors import available, workers_of
from ..sampling import sample
from ..search.zonotope import seen_through
from .model import Shape, read_model
from .options import Json, Where
from .output import answered


def command(
    model: Path | None = None,
    /,
    *,
    shape: Shape = None,
    where: Where = Where(),
    workers: str | None = None,
    json: Json = False,
) -> int:
    """Compile the kernels now, for images and clusters: all, or those for a model and domain.

    Example: linregions compile --workers 2

    Parameters
    ----------
    model
        A model file: only the kernels that count, list and estimate take for it.
    workers
        Processes to compile in (default: one for each processor).
    """
    names = list(JOBS)
    if model is not None:
        names = needed(read_model(model, shape), where.domain())
    number = workers_of(workers) or available()
    begin, found = time.perf_counter(), {}
    for kernel in compiled(names, min(number, len(names))):
        found[kernel.name] = kernel.seconds
        took = f"{kernel.seconds:.1f} s" if kernel.seconds else "there already"
        print(f"{kernel.name:10} {took:>14}  {kernel.what}", file=sys.stderr, flush=True)
    seconds, kept = time.perf_counter() - begin, [str(folder) for folder in folders()]
    facts = {"kernels": found, "seconds": seconds, "folders": kept}
    return answered(facts, lambda: f"{len(found)} kernels in {seconds:.1f} s, in {kept[0]}", json)


class Kernel(NamedTuple):
    """A group of kernels, and what took time in compiling it (0: it was there)."""

    name: str
    what: str
    seconds: float


def tiny_max() -> Network:
    """One max unit of two arguments, and a rectifier."""
    first = Affine.dense(np.eye(2), None, 0)
    second = Affine.dense(np.ones((1, 1)), -np.ones(1), 1)
    layers = (
        Layer(first, MaxUnits(((0, 1),), 2)),
        Layer(second, Pointwise.uniform(RELU, 1)),
    )
    return Network(2, layers, Affine.identity(1, 2))


TINY = Network.from_layers([([[1.0]], [0.0]), ([[1.0]], [0.0])])
# longest first; those behind `search` read its kernel
JOBS: dict[str, tuple[str, Callable[[], Any]]] = {
    "search": ("count, list and the rest over any domain", compile_kernel),
    "complex": ("domains of 1 to 4 dimensions", compile_complex),
    "inputs": ("boxes of many inputs", partial(compile_kernel, zonotope=True)),
    "proofs": ("max units in any dimension, and proofs", partial(compile_kernel, full=True)),
    "lines": ("crossings of segments and lines", line_compile),
    "largest": ("max units in 1 to 4 dimensions", partial(compile_complex, tiny_max())),
    "merging": (
        "linear regions and affine maps of a search",
        partial(compile_kernel, merge=True),
    ),
    "samples": ("samples", partial(sample, TINY, Box(-1.0, 1.0), points=256)),
    "estimates": ("estimates", partial(compile_thinned, False)),
}


def needed(network: Network, domain: Domain) -> list[str]:
    """The kernels that counting, listing and estimating on a domain take."""
    problem = restrict(network, domain)
    names = ["proofs" if network.has_max else "search", "estimates", "merging"]
    if seen_through(problem).zonotope is not None:
        names.append("inputs")
    if suits_complex(problem):
        names += ["complex", "largest"] if network.has_max else ["complex"]
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
