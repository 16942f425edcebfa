"""`page`: one self-contained, interactive .html file of one or several complexes.

The data travel as typed arrays, packed one after the other, compressed and written in base64;
``page.js`` (no dependencies) reads and draws them. Nothing is fetched: the page's own policy
forbids it.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..domain.domains import Domain
from ..errors import LinregionsError
from ..files import beside, check_target
from .classes import boundary, pieces, winners
from .colours import SIZE, label_colours, layer_colours, palette, region_colours
from .growth import Growth
from .plane import FEW, cell_depths, class_colours, spectral_norms
from .subject import axis_names, complex_of, in_domain, where

MAPS = 8_000_000  # bytes: beyond that the affine maps of a complex stay at home


def page(
    subjects: Any,
    path: str | Path,
    domain: Domain | None = None,
    *,
    points: Any = None,
    labels: Any = None,
    names: Sequence[str] | None = None,
    title: str = "Linear regions",
) -> Path:
    """Write an interactive page of a two-dimensional complex, or of several over time.

    Pan and zoom, hover a cell for its pattern, affine map, area and linear region, watch the
    partition grow layer by layer and unit by unit, and move through checkpoints. One file:
    no server, no script from elsewhere, no network.

    Parameters
    ----------
    subjects
        A `CellComplex` of dimension 2 or a network, or a list of them (checkpoints).
    path
        An ``.html`` file; it appears only when it is complete.
    domain
        Where, for networks.
    points, labels
        Data points and their classes, as in `draw`.
    names
        A name for each complex, shown at the time slider.
    title
        The heading.

    Returns
    -------
    pathlib.Path
        The file written.
    """
    target = check_target(path, (".html",))
    if labels is not None and (points is None or len(labels) != len(np.atleast_2d(points))):
        raise LinregionsError("labels= needs points=, one label for each")
    subjects = [subjects] if _one(subjects) else list(subjects)
    if not subjects:
        raise LinregionsError("an empty list of complexes; give at least one")
    names = [str(i) for i in range(len(subjects))] if names is None else [str(n) for n in names]
    if len(names) != len(subjects):
        raise LinregionsError(f"{len(names)} names for {len(subjects)} complexes")
    frames, blobs, shared = [], [], {}
    for subject, name in zip(subjects, names, strict=True):
        cells = complex_of(subject, domain, 2)
        shared = shared or _layout(cells, points, labels, title)
        if shared["widths"] != _widths(cells):
            raise LinregionsError("the checkpoints of one page must have the same layers")
        header, blob = pack(_arrays(cells))
        facts = {"name": name, "exact": bool(cells.exact), "bits": _binary(cells)}
        frames.append({**facts, "arrays": header})
        blobs.append(blob)
    text = _fill_template({**shared, "frames": frames}, blobs)
    with beside(target) as part:
        part.write_text(text, encoding="utf-8")
    return target


def _one(subjects: Any) -> bool:
    """Whether this is one subject: anything but a list, or a list of pairs (W, b)."""
    if not isinstance(subjects, list | tuple):
        return True
    try:
        return bool(subjects) and all(np.ndim(W) == 2 and np.ndim(b) < 2 for W, b in subjects)
    except (TypeError, ValueError):
        return False


def _widths(cells: Any) -> list[int]:
    return [layer.size for layer in cells.problem.network.layers]


# -- contents ---------------------------------------------------------------------------------


def _arrays(cells: Any) -> dict[str, np.ndarray]:
    """The arrays of one frame, by the names under which ``page.js`` knows them."""
    growth = Growth(cells)
    ptr, idx = cells.polygons()
    outputs = np.asarray(cells.outputs)
    patterns = np.asarray(cells.patterns(), np.uint8)
    out = {
        "points": np.asarray(cells.points, np.float64),
        "ptr": np.asarray(ptr, np.uint32),
        "idx": np.asarray(idx, np.uint32),
        "edges": np.asarray(cells.edges, np.uint32),
        "sides": np.asarray(cells.facet_cells, np.int32),
        "unit": growth.facet_unit.astype(np.uint16 if growth.units < 65536 else np.uint32),
        "counts": growth.counts.astype(np.uint32),
        "areas": np.asarray(cells.volumes, np.float64),
        "depth": np.minimum(cell_depths(cells), 255).astype(np.uint8),
        "pattern": np.packbits(patterns, axis=1) if _binary(cells) else patterns,
        **_regions(cells),
        **_maps(cells),
    }
    if outputs.shape[1] == 1:
        out["value"] = outputs[:, 0].astype(np.float32)
    else:
        out.update(_class_arrays(cells))
    out["level"] = boundary(cells)
    return out


def _binary(cells: Any) -> bool:
    """Whether each unit has at most two pieces: a pattern takes a bit per unit, else a byte."""
    return all(max(m.units.pieces_per_unit(), default=1) < 3 for m in cells.problem.network.layers)


def _regions(cells: Any) -> dict[str, np.ndarray]:
    """The linear region of each cell, and colours for both kinds of regions."""
    linear, single = np.asarray(cells.linear), np.arange(cells.cells)
    hue = region_colours(cells, single)
    merged = cells.count("linear") < cells.cells
    return {
        "linear": linear.astype(np.uint32),
        "hueCell": hue.astype(np.uint8),
        "hueLinear": (region_colours(cells, linear) if merged else hue).astype(np.uint8),
    }


def _maps(cells: Any) -> dict[str, np.ndarray]:
    """The affine maps, where they are not too many to send, and their slopes."""
    W, b = cells.affine_maps()
    maps = np.concatenate([W, np.asarray(b)[:, :, None]], axis=2).astype(np.float32)
    out = {"slope": spectral_norms(W).astype(np.float32)}
    return {**out, "maps": maps} if maps.nbytes <= MAPS else out


def _class_arrays(cells: Any) -> dict[str, np.ndarray]:
    """The winning class of each cell, and the pieces of cells in which several win."""
    winner, mixed = winners(cells)
    split = pieces(cells, only_mixed=True)
    sizes = [len(p) for p in split.polygons]
    return {
        "winner": np.where(mixed, 65535, winner).astype(np.uint16),
        "piecePtr": np.cumsum([0, *sizes]).astype(np.uint32),
        "piecePoints": np.concatenate([np.zeros((0, 2)), *split.polygons]),
        "pieceClass": split.classes.astype(np.uint16),
    }


def _layout(cells: Any, points: Any, labels: Any, title: str) -> dict[str, Any]:
    """What all frames share: the axes, the layers, the colours, the data points."""
    widths = _widths(cells)
    corners = np.asarray(cells.points)
    outputs = int(np.asarray(cells.outputs).shape[1])
    return {
        "title": title,
        "domain": where(cells),
        "axes": axis_names(cells),
        "window": [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()],
        "widths": widths,
        "outputs": outputs,
        "palette": _hex(palette()),
        "layerColours": _hex(layer_colours(len(widths))),
        "layerColoursDark": _hex(layer_colours(len(widths), dark=True)),
        "classColours": class_colours(outputs).tolist(),
        "paletteSize": SIZE,
        "points": [] if points is None else in_domain(cells, points).tolist(),
        "labels": [] if labels is None or len(labels) > FEW else [str(v) for v in labels],
        "inks": [] if labels is None or len(labels) <= FEW else _hex(label_colours(labels)),
    }


def _hex(colours: np.ndarray) -> list[str]:
    return ["#" + "".join(f"{round(255 * v):02x}" for v in c) for c in colours]


# -- packing ----------------------------------------------------------------------------------


def pack(arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], str]:
    """Arrays in one compressed blob: their types, shapes and offsets, and the base64 text."""
    header, parts, at = {}, [], 0
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        plain = array.astype(array.dtype.newbyteorder("<"), copy=False)
        header[name] = {"type": array.dtype.name, "shape": list(array.shape), "at": at}
        parts.append(plain.tobytes())
        pad = -array.nbytes % 8  # typed arrays start at multiples of their item size
        parts.append(b"\0" * pad)
        at += array.nbytes + pad
    packed = gzip.compress(b"".join(parts), compresslevel=6, mtime=0)
    return header, base64.b64encode(packed).decode()


def _fill_template(layout: dict[str, Any], blobs: list[str]) -> str:
    room = files("linregions.draw")
    template = room.joinpath("page.html").read_text(encoding="utf-8")
    script = room.joinpath("page.js").read_text(encoding="utf-8")
    data = json.dumps(layout, allow_nan=False).replace("<", "\\u003c")
    tags = "\n".join(
        f'<script type="application/octet-stream" id="frame-{i}">{blob}</script>'
        for i, blob in enumerate(blobs)
    )
    parts = {
        "TITLE": html.escape(layout["title"]),
        "DATA": data,
        "FRAMES": tags,
        "SCRIPT": script,
    }
    for name, text in parts.items():
        template = template.replace(f"<!--{name}-->", text)
    return template
