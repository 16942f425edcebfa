"""Keras models by duck typing: ``layers``, ``get_weights()`` and ``get_config()``.

The package is not imported. Sequential and functional models are read, those of Keras 2
and 3 alike; what each kind of layer does stands in `layers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import LinregionsError, UnsupportedNetwork
from ...network.network import Network
from ..symbolic.builder import Builder
from ..symbolic.values import Shape, Value
from .layers import Context, run


def is_model(source: Any) -> bool:
    """True for what looks like a Keras model."""
    return all(hasattr(source, name) for name in ("layers", "get_weights", "get_config"))


def read(model: Any, shape: Sequence[int] | None = None) -> Network:
    """Read a Keras model at inference.

    Parameters
    ----------
    model
        Anything with ``layers``, ``get_weights()`` and ``get_config()``, as Keras has them.
        Layers are recognised by the names of their classes.
    shape
        Shape of one input without the batch dimension, where the model does not say it.
    """
    builder = Builder()
    value = builder.input((1, *_input_shape(model, shape)))
    return builder.network(value.size, _evaluate(model, builder, value))


def _input_shape(model: Any, shape: Sequence[int] | None) -> Shape:
    if shape is not None:
        return tuple(shape)
    first = [layer.get_config() for layer in model.layers[:1]]
    places = (getattr(model, "input_shape", None), *_declared(first))
    for found in places:
        if not isinstance(found, list | tuple) or not found:
            continue
        if isinstance(found[0], list | tuple):
            raise UnsupportedNetwork(f"the model has {len(found)} inputs; only one is supported")
        if all(d is not None for d in found[1:]):
            return tuple(int(d) for d in found[1:])
    raise LinregionsError(
        f"{type(model).__name__}: the input shape is not known; give shape=, as (28, 28, 1)"
    )


def _declared(configs: list[dict[str, Any]]) -> Iterator[Any]:
    for config in configs:
        yield config.get("batch_shape")
        yield config.get("batch_input_shape")


def _evaluate(model: Any, builder: Builder, value: Value) -> Value:
    config = model.get_config()
    entries = config.get("layers", []) if isinstance(config, dict) else []
    if not any(entry.get("inbound_nodes") for entry in entries):
        for layer in model.layers:
            value = _layer(layer, builder, [value])
        return value
    return _Graph(model, config, builder, value).output()


def _layer(layer: Any, builder: Builder, values: list[Value]) -> Value:
    if is_model(layer):
        if len(values) != 1:
            raise UnsupportedNetwork(f"the inner model has {len(values)} inputs; one is supported")
        return _evaluate(layer, builder, values[0])
    return run(Context(builder, layer), values)


class _Graph:
    """A functional model: every call of a layer is a node, evaluated once."""

    def __init__(self, model: Any, config: dict[str, Any], builder: Builder, value: Value) -> None:
        self.builder, self.config = builder, config
        self.layers = {layer.get_config().get("name"): layer for layer in model.layers}
        self.calls = {e.get("name", e["config"].get("name")): _calls(e) for e in config["layers"]}
        inputs = list(_references(config.get("input_layers", [])))
        if len(inputs) != 1:
            raise UnsupportedNetwork(f"the model has {len(inputs)} inputs; only one is supported")
        self.known = {inputs[0]: value}

    def output(self) -> Value:
        wanted = list(_references(self.config.get("output_layers", [])))
        if not wanted:
            raise LinregionsError("the model's configuration names no output")
        if len(wanted) > 1:
            names = ", ".join(repr(name) for name, _ in wanted[1:])
            self.builder.note(f"the network is that of output {wanted[0][0]!r}; not read: {names}")
        return self._value(wanted[0])

    def _value(self, target: tuple[str, int]) -> Value:
        """The value of a node; an explicit stack, since models may be deep."""
        stack = [target]
        while stack:
            node = stack[-1]
            name, call = node
            if node in self.known:
                stack.pop()
                continue
            calls = self.calls.get(name, [])
            if name not in self.layers or call >= len(calls) or len(stack) > 10_000:
                raise LinregionsError(f"layer '{name}' is not in the model, or has no input")
            missing = [r for r in calls[call] if r not in self.known]
            if missing:
                stack += missing
                continue
            values = [self.known[r] for r in calls[call]]
            self.known[node] = _layer(self.layers[name], self.builder, values)
            stack.pop()
        return self.known[target]


def _calls(entry: dict[str, Any]) -> list[list[tuple[str, int]]]:
    """For each call of a layer the (layer, call) pairs that it reads."""
    return [list(_references(node)) for node in entry.get("inbound_nodes", [])]


def _references(tree: Any) -> Iterator[tuple[str, int]]:
    """(layer, call) pairs, as Keras 2 ([name, call, tensor]) or Keras 3 writes them."""
    if isinstance(tree, dict):
        if tree.get("class_name") == "__keras_tensor__":
            yield from _references(tree["config"]["keras_history"])
        else:
            for part in tree.values():
                yield from _references(part)
    elif isinstance(tree, list | tuple):
        if len(tree) >= 3 and isinstance(tree[0], str) and isinstance(tree[1], int):
            yield tree[0], tree[1]
        else:
            for part in tree:
                yield from _references(part)
