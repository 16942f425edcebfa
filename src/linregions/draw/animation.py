"""`animate`: one plane over a list of checkpoints, as a GIF or as a page with a time slider."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..domain.domains import Domain
from ..errors import LinregionsError
from ..files import beside, check_target
from .html import page
from .packages import need
from .plane import draw
from .subject import complex_of


def animate(
    subjects: Sequence[Any],
    path: str | Path,
    domain: Domain | None = None,
    *,
    names: Sequence[str] | None = None,
    seconds: float = 0.6,
    size: float = 5.2,
    dpi: int = 100,
    points: Any = None,
    labels: Any = None,
    **options: Any,
) -> Path:
    """Draw the same domain for one checkpoint after the other.

    The axes stay, and a region that keeps its pattern mostly keeps its colour.

    Parameters
    ----------
    subjects
        Complexes of dimension 2, or networks, in order of time.
    path
        ``.gif``, or ``.html`` for the interactive page with a time slider.
    domain
        Where, for networks.
    names
        A name for each checkpoint, written above its picture.
    seconds
        Time for which each picture of a GIF stands; the last one stands three times as long.
    size, dpi
        Width of a GIF in inches, and dots per inch.
    points, labels, **options
        As in `draw`; a page takes points and labels only.

    Returns
    -------
    pathlib.Path
        The file written.
    """
    target = check_target(path, (".gif", ".html"))
    subjects = list(subjects)
    if not subjects:
        raise LinregionsError("an empty list of checkpoints; give at least one")
    if not seconds > 0:
        raise LinregionsError(f"seconds={seconds} must be positive")
    names = [str(i) for i in range(len(subjects))] if names is None else [str(n) for n in names]
    if len(names) != len(subjects):
        raise LinregionsError(f"{len(names)} names for {len(subjects)} checkpoints")
    if target.suffix.lower() == ".html":
        if options:
            raise LinregionsError(f"a page has its own switches; drop {', '.join(options)}")
        return page(subjects, target, domain, points=points, labels=labels, names=names)
    image = need("PIL.Image", "writing a GIF")
    pictures = [
        _picture(image, complex_of(s, domain, 2), name, size, dpi,
                 {**options, "points": points, "labels": labels})
        for s, name in zip(subjects, names, strict=True)
    ]  # fmt: skip
    _write(pictures, target, seconds)
    return target


def _picture(
    image: Any, cells: Any, name: str, size: float, dpi: int, options: dict[str, Any]
) -> Any:
    """One checkpoint as an RGB image; its own canvas, so that no window is opened."""
    figures = need("matplotlib.figure", "drawing")
    backend = need("matplotlib.backends.backend_agg", "drawing")
    figure = figures.Figure(figsize=(size, 1.1 * size), dpi=dpi)
    canvas = backend.FigureCanvasAgg(figure)
    ax = figure.add_axes((0.11, 0.14, 0.86, 0.80))  # fixed, so that nothing jumps
    draw(cells, ax=ax, **options)
    ax.set_title(name, fontsize=11)
    canvas.draw()
    return image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3].copy())


def _write(pictures: list[Any], target: Path, seconds: float) -> None:
    """One palette for all pictures, so that a colour stays what it is."""
    width, height = pictures[0].size
    some = [pictures[0], pictures[len(pictures) // 2], pictures[-1]]
    together = pictures[0].resize((width, 3 * height))
    for i, picture in enumerate(some):
        together.paste(picture, (0, i * height))
    common = together.quantize(256, method=0, dither=0)
    frames = [p.quantize(palette=common, dither=0) for p in pictures]
    last = round(3000 * seconds)
    duration = [round(1000 * seconds)] * (len(frames) - 1) + [last]
    with beside(target) as part:
        frames[0].save(part, save_all=True, append_images=frames[1:], duration=duration, loop=0,
                       optimize=False)  # fmt: skip
