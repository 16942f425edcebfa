"""Bounds of convolutional layers."""

from __future__ import annotations

from ..errors import LinregionsError
from ..theory import Conv, conv, deepconv, shared
from ..theory._check import whole
from .bound import EVERY, MOST, Bound
from .dense import of_shape
from .shape import LayerShape, Shape, check_units


def of_convolutions(layers: list[Conv]) -> list[Bound]:
    layers = deepconv.checked(layers)
    for m in layers:
        whole(m.filters, "the number of filters", 1)
    check_units(sum(m.units for m in layers))
    flat = Shape(layers[0].inputs, tuple(LayerShape((2,) * m.units) for m in layers))
    every = [b for b in of_shape(flat, lower=False) if b.direction == "upper"]
    work = conv.WORK // 10
    if len(layers) == 1:
        return [*every, *_one_conv(layers[0], work)]
    paper = "Xiong et al. 2020, Theorem 5 (ii)"
    every.append(
        Bound("xiong2020", deepconv.upper(layers, work=work), "upper", EVERY, (), "proved", paper)
    )
    for name, rule, how in (
        ("xiong2020-dimension", deepconv.upper_by_dimension, "dimensions followed"),
        ("xiong2020-receptive", deepconv.upper_by_receptive_field,
         "dimensions and receptive fields followed"),
    ):  # fmt: skip
        value = rule(layers, work=work)
        every.append(Bound(name, value, "upper", EVERY, (), "proved", f"{paper}, {how}"))
    try:
        value = deepconv.lower(layers, work=work)
    except LinregionsError:
        return every
    conditions = ("no padding or dilation", "at least as many filters as input channels")
    paper = "Xiong et al. 2020, Theorem 5 (i), with the true count of its last layer"
    return [*every, Bound("xiong2020-lower", value, "lower", MOST, conditions, "published", paper)]


def _one_conv(layer: Conv, work: int) -> list[Bound]:
    best = shared.maximum(layer, work=work)
    found = []
    if best.eq4 is not None:
        found.append(
            Bound("xiong2020-eq4", best.eq4, "upper", EVERY, (), "proved",
                  "Xiong et al. 2020, equation (4), as an upper bound")
        )  # fmt: skip
    elif best.generic is None:
        found.append(Bound("xiong2020-relaxed", best.value, "upper", EVERY, (), "proved", best.why))
    if best.exact:
        certain = best.generic is not None
        how = ("counted modulo 2^61 - 1 for random weights",) if certain else ()
        proved = certain or "dimension" not in best.why
        found.append(
            Bound("xiong2020-maximum", best.value, "lower", MOST, how,
                  "proved" if proved else "published", f"Xiong et al. 2020, Theorem 2: {best.why}")
        )  # fmt: skip
        if best.eq4 is None or best.value < best.eq4:
            found.append(
                Bound("xiong2020-shared", best.value, "upper", EVERY, how, "proved", best.why)
            )
    return found
