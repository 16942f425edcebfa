"""``linregions info``: what a model is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..network.network import Network
from ..network.rank import seen_dimension
from ..readers.symbolic.builder import COMPILED, ROUNDED
from .model import Model, Shape, read_model
from .options import Json
from .output import answered


def command(model: Model, /, *, shape: Shape = None, json: Json = False) -> int:
    """Say what a model is: layers, units, what was compiled away, what was rounded.

    Example: linregions info network.onnx
    """
    net = read_model(model, shape)
    facts = _facts(model, net)
    return answered(facts, lambda: _prose(model.name, facts), json)


def _facts(model: Path, net: Network) -> dict[str, Any]:
    notes = {
        kind: [n.removeprefix(kind) for n in net.notes if n.startswith(kind)]
        for kind in (COMPILED, ROUNDED)
    }
    return {
        "model": str(model),
        "inputs": net.inputs,
        "outputs": net.outputs,
        "units": net.units,
        "dimension": seen_dimension(net),
        "hash": net.hash,
        "layers": [
            {
                "units": layer.size,
                "fan_in": layer.affine.size,
                "activation": layer.units.describe(),
                "reads": ["input" if s == 0 else f"layer {s}" for s in layer.affine.sources],
            }
            for layer in net.layers
        ],
        "compiled_away": notes[COMPILED],
        "roundings": notes[ROUNDED],
        "notes": list(net.notes),
    }


def _prose(name: str, facts: dict[str, Any]) -> str:
    inputs, dimension = facts["inputs"], facts["dimension"]
    lines = [f"{name}: {inputs} inputs, {facts['outputs']} outputs, {facts['units']} units"]
    for i, layer in enumerate(facts["layers"], start=1):
        plain = layer["reads"] in (["input"], [f"layer {i - 1}"])
        reads = "" if plain else f" (reads {', '.join(layer['reads'])})"
        lines.append(f"  layer {i}: {layer['units']} units, {layer['activation']}{reads}")
    if dimension is not None and dimension < inputs:
        lines.append(f"  over R^n the network sees {dimension} of its {inputs} dimensions")
    for note in facts["notes"]:
        lines.append(f"  {note if note.startswith((COMPILED, ROUNDED)) else f'note: {note}'}")
    return "\n".join([*lines, f"  hash {facts['hash'][:16]}"])
