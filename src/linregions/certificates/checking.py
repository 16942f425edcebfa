"""``lr.check``: the stand-alone checker of proofs, and whether a proof is about a given model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import check_regions
from ..check_regions import Refused
from ..errors import LinregionsError
from ..network.network import Network
from ..processors import workers_of
from ..readers import load

Progress = Callable[[int, int, int], None]


def check(
    path: str | Path,
    model: str | Path | Network | None = None,
    *,
    workers: int | str | None = None,
    journal: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Check the proof of a count, with exact numbers and none of the code that counted.

    Parameters
    ----------
    path
        What ``count(..., proof=path)`` wrote.
    model
        A model file or a network: the proof must be about this very network.
    workers
        Processes; by default as many as there are processors.
    journal
        A file that keeps which parts were accepted: the same call goes on where it was stopped.
    progress
        Called with the number of parts that are checked, that of all, and that of cells so far.

    Returns
    -------
    dict
        ``accepted`` (True), ``regions``, ``kind``, ``network`` (its hash), ``domain``, ``parts``.

    Raises
    ------
    Refused
        The proof does not prove its statement; ``str`` of it says where and why.
    LinregionsError
        The file cannot be read.
    """
    count = workers_of(workers)
    network = model if isinstance(model, Network) or model is None else load(model)
    try:
        if network is not None:
            said = check_regions.Proof(path).statement["network"]
            if said != network.hash:
                why = f"it is about the network {said:.16}, and the model is {network.hash:.16}"
                raise Refused(why, "proof.json")
        return check_regions.check(path, count, journal, progress)
    except (check_regions.Unreadable, OSError) as error:
        raise LinregionsError(f"{path}: {error}") from None
