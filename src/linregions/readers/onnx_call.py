"""The arguments of one ONNX node, with the questions that operators ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from ..errors import LinregionsError, UnsupportedNetwork
from .builder import Builder
from .values import Value, constant, floats

Tensor = Value | np.ndarray
FLOAT_TYPES = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.DOUBLE: "float64",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.BFLOAT16: "bfloat16",
}


def type_name(kind: int) -> str:
    """Name of an element type."""
    names = {number: name for name, number in onnx.TensorProto.DataType.items()}
    return names.get(kind, f"number {kind}, which is none")


class Call:
    """One node on its way through the reader."""

    def __init__(
        self,
        builder: Builder,
        node: onnx.NodeProto,
        label: str,
        arguments: list[Tensor | None],
        version: int = 17,
    ) -> None:
        self.builder, self.node, self.label = builder, node, label
        self.arguments, self.version = arguments, version

    def attribute(self, name: str, default: Any = None) -> Any:
        for a in self.node.attribute:
            if a.name == name:
                return onnx.helper.get_attribute_value(a)
        return default

    def argument(self, i: int) -> Tensor | None:
        return self.arguments[i] if i < len(self.arguments) else None

    def given(self, i: int) -> Tensor:
        out = self.argument(i)
        if out is None:
            raise LinregionsError(f"argument {i} is missing")
        return out

    def value(self, i: int = 0) -> Value:
        """An argument as a value, constants included."""
        out = self.given(i)
        return out if isinstance(out, Value) else constant(self.numbers(i))

    def numbers(self, i: int) -> np.ndarray:
        """A constant argument in float64."""
        name = self.node.input[i]
        out = self.given(i)
        if isinstance(out, Value):
            raise UnsupportedNetwork(f"'{name}' depends on the input; it must be a constant")
        array = floats(out, f"'{name}'")
        if not np.isfinite(array).all():
            raise LinregionsError(f"'{name}' holds NaN or infinite values")
        return array

    def text(self, name: str, default: str) -> str:
        """An attribute that is a word."""
        out = self.attribute(name, default)
        return out.decode() if isinstance(out, bytes) else out

    def whole(self, i: int) -> list[int]:
        """A constant argument of whole numbers."""
        return [int(x) for x in self.numbers(i).ravel().tolist()]
