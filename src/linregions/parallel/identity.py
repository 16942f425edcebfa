"""What a search is a search of: the name that checkpoints and parts carry."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..domain.domains import Domain
from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..network.rational import is_rational
from ..version import __version__


@dataclass(frozen=True)
class Identity:
    """All that must agree before two results may be added.

    ``network`` and ``domain`` are hashes of the exact contents; ``where`` says the domain in
    words. ``coordinates`` is a hash of those that points are given in, or empty where there are
    none; ``shard`` such as ``2/7``, or empty. ``exact`` is False in files of versions that could
    count by floats.
    """

    version: str
    network: str
    domain: str
    where: str
    kind: str
    exact: bool
    coordinates: str = ""
    shard: str = ""

    @staticmethod
    def of(problem: Restricted, kind: str, coordinates: str, shard: str) -> Identity:
        """The identity of counting a restricted problem."""
        return Identity(
            __version__,
            problem.source.hash,
            domain_hash(problem.domain, problem.source.inputs),
            problem.domain.describe(),
            kind,
            True,
            coordinates,
            shard,
        )

    def check(self, other: dict[str, Any], name: str) -> None:
        """Raise, with the reason, where ``other`` (as a dictionary) is another identity."""
        mine = asdict(self)
        words = {
            "version": ("made by version {0}", "this is {1}"),
            "network": ("of another network ({0:.12})", "this is {1:.12}"),
            "domain": ("over another domain", "this is another"),
            "kind": ("of kind {0}", "asked for was {1}"),
            "exact": ("with exact={0}", "asked for was {1}"),
            "shard": ("of shard {0}", "asked for was {1}"),
            "coordinates": ("in other coordinates", "it comes from a different machine"),
        }
        for key, (theirs, ours) in words.items():
            if other.get(key) == mine[key]:
                continue
            a, b = (str(x) or "the whole" for x in (other.get(key, ""), mine[key]))
            if key == "domain":
                theirs, ours = "over {0}", "asked for was {1}"
                a, b = str(other.get("where")), self.where
                if a == b:
                    a, b = a + " (another one)", b
            raise LinregionsError(f"{name} is {theirs.format(a, b)}; {ours.format(a, b)}")


def domain_hash(domain: Domain, inputs: int) -> str:
    """SHA-256 of the exact chart: equal for domains of equal numbers."""
    chart = domain.chart(inputs)
    digest = hashlib.sha256(f"{inputs} {chart.dimension}".encode())
    for part in (chart.origin, chart.basis, chart.A, chart.b):
        if part is None:
            digest.update(b"none")
            continue
        array = np.asarray(part)
        digest.update(str(array.shape).encode())
        if is_rational(array):
            digest.update(" ".join(map(str, array.ravel())).encode())
        else:
            digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
    return digest.hexdigest()


def coordinates_hash(compiled: Any) -> str:
    """SHA-256 of the coordinates that the branches of a compiled problem are given in."""
    digest = hashlib.sha256(np.ascontiguousarray(compiled.unit).tobytes())
    digest.update(np.ascontiguousarray(compiled.V).tobytes())
    problem = compiled.problem
    if problem.picked is not None:  # values of units of the first layers
        digest.update(np.ascontiguousarray(problem.picked).tobytes())
    return digest.hexdigest()
