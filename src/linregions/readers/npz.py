"""Weights in a ``.npz`` archive: W0, b0, W1, b1, ..., or the library's own format."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import LinregionsError
from ..files import about, check_numpy
from ..network.network import Network
from .symbolic.values import floats

KEYS = "keys W0 (n1 x n0), b0 (n1), W1, b1, ...; the last pair is the affine output"


def read(path: str | Path) -> Network:
    """Read a ReLU network from a ``.npz`` file.

    Parameters
    ----------
    path
        A file with keys W0 (n1 x n0), b0 (n1), W1 (n2 x n1), b1, ...; all pairs but the last
        are followed by ReLU. Or a file that `Network.save` wrote.
    """
    with about(path):
        arrays = _arrays(path)
        if arrays is None:
            try:
                return Network.read(path)
            except (LinregionsError, OSError):
                raise
            except Exception as error:  # a damaged header
                raise LinregionsError(f"not a readable network file ({error!r})") from error
        numbers = sorted({int(k[1:]) for k in arrays if re.fullmatch(r"[Wb]\d+", k)})
        if "W0" not in arrays:
            found = ", ".join(sorted(arrays)[:6]) or "no key"
            raise LinregionsError(f"W0 is missing (found {found}); give {KEYS}")
        pairs = []
        for i in range(numbers[-1] + 1):
            for key in (f"W{i}", f"b{i}"):
                if key not in arrays:
                    raise LinregionsError(f"{key} is missing; give {KEYS}")
            pairs.append((arrays[f"W{i}"], arrays[f"b{i}"]))
        other = sorted(k for k in arrays if not re.fullmatch(r"[Wb]\d+", k))
        notes = [f"keys not read: {', '.join(other)}"] if other else []
        return Network.from_layers(pairs, notes=notes)


def _arrays(path: str | Path) -> dict[str, np.ndarray] | None:
    """The arrays of the file, or None where it is in the library's own format."""
    try:
        check_numpy(path, ".npz")
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise LinregionsError(f"one array, not an archive of arrays; give {KEYS}")
        with file:
            if "linregions" in file.files:
                return None
            out = {}
            for key in file.files:
                try:
                    out[key] = file[key]
                except ValueError as error:
                    why = "Python objects, not numbers" if "pickle" in str(error) else error
                    raise LinregionsError(f"{key} cannot be read ({why})") from error
    except (LinregionsError, OSError):
        raise
    except Exception as error:  # a damaged archive fails in zipfile, zlib or numpy
        raise LinregionsError(f"not a readable .npz archive ({error})") from error
    return {k: floats(v, k) if re.fullmatch(r"[Wb]\d+", k) else v for k, v in out.items()}
