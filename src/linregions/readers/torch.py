"""Torch modules: a direct walk of ``nn.Sequential``, else the flat graph of ``torch.export``.

The only file that imports torch (an optional package); `linregions.load` reaches it only
with a torch module in hand. Modules are read as at inference, and left in their own mode.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import LinregionsError, UnsupportedNetwork
from ..network import Network
from ..units import ABS, HARDTANH, RELU, RELU6, Activation, clip, leaky_relu
from .builder import Builder
from .values import Shape, Value, concatenated, constant, floats, stripped, words


def read(module: nn.Module, shape: Sequence[int] | None = None) -> Network:
    """Read a torch module as it is at inference.

    Parameters
    ----------
    module
        Made of linear layers, piecewise-linear activations, residual sums, reshapes and
        slices. Weights of any float type are converted to float64, which is exact; numbers
        written in Python code are read as float64.
    shape
        Shape of one input without the batch dimension; without it, the input of the first
        `torch.nn.Linear` is taken.
    """
    given = shape is not None
    size = tuple(shape) if shape is not None else _guess(module)
    with _inference(module), torch.no_grad():
        leaves = _leaves(module, "")
        if leaves is not None:
            return _walk(leaves, (1, *size))
        return _Exported(module, (1, *size), given).network()


def _guess(module: nn.Module) -> Shape:
    linear = next((m for m in module.modules() if isinstance(m, nn.Linear)), None)
    if linear is None or linear.in_features < 1:
        raise LinregionsError(
            f"{type(module).__name__}: the input shape is not known; give shape=, as (784,)"
        )
    return (linear.in_features,)


@contextmanager
def _inference(module: nn.Module) -> Iterator[None]:
    modes = [(m, m.training) for m in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for m, training in modes:
            m.training = training


def _weights(tensor: Any, what: str) -> np.ndarray:
    array = floats(tensor, what)
    if not np.isfinite(array).all():
        raise LinregionsError(f"{what} holds NaN or infinite values")
    return array


# -- nn.Sequential ------------------------------------------------------------------------

Leaf = tuple[str, nn.Module]


def _leaves(module: nn.Module, name: str) -> list[Leaf] | None:
    """Named modules in the order of evaluation; None where code has to be traced."""
    if type(module).forward is nn.Sequential.forward:
        out: list[Leaf] = []
        for child, part in module._modules.items():  # named_children() skips repeated ones
            inner = None if part is None else _leaves(part, f"{name}.{child}" if name else child)
            if inner is None:
                return None
            out += inner
        return out
    if _kind(module) or type(module).__module__.startswith("torch.nn."):
        return [(name or type(module).__name__, module)]
    return None


def _kind(module: nn.Module) -> Any:
    """The known class that a module is of; one that computes something else is none of it."""
    for kind in LEAVES:
        if isinstance(module, kind) and type(module).forward is kind.forward:
            return kind
    return None


def _walk(leaves: list[Leaf], shape: Shape) -> Network:
    builder = Builder()
    value = given = builder.input(shape)
    for name, module in leaves:
        label = f"module '{name}' ({type(module).__name__})"
        kind = _kind(module)
        if isinstance(module, AT_THE_END):
            value = Value(value.shape, value.addends, (*value.dropped, label))
            continue
        if kind is None:
            reason = "not piecewise linear" if isinstance(module, CURVED) else "not supported yet"
            raise UnsupportedNetwork(f"{label}: {reason}")
        if not isinstance(module, nn.Identity | nn.Flatten | nn.Dropout):
            value = stripped(value, label)
        try:
            value = LEAVES[kind](builder, value, module, label)
        except (ValueError, IndexError, RuntimeError) as error:
            if isinstance(error, LinregionsError) and str(error).startswith("module '"):
                raise
            raise LinregionsError(
                f"{label}: does not fit a value of shape {value.shape[1:]} ({error}); give "
                "shape=, the sizes of one input without the batch dimension"
            ) from error
    return builder.network(given.size, value)


def _linear(builder: Builder, value: Value, module: Any, label: str) -> Value:
    return _affine(value, module.weight, module.bias, label)


def _affine(value: Value, weight: Any, bias: Any, label: str) -> Value:
    out = value.times(_weights(weight, f"{label}: the weight").T)
    return out if bias is None else out + constant(_weights(bias, f"{label}: the bias"))


def _pointwise(make: Callable[[Any], Activation]) -> Callable[..., Value]:
    return lambda builder, value, module, label: builder.pointwise(value, make(module))


def _prelu(builder: Builder, value: Value, weight: Any, label: str) -> Value:
    slopes = _weights(weight, f"{label}: the slope")
    if slopes.size > 1:
        slopes = slopes.reshape(-1, *[1] * (len(value.shape) - 2))
    each = np.broadcast_to(slopes, value.shape).ravel().tolist()
    return builder.pointwise(value, [leaky_relu(s) for s in each])


def _hardtanh(low: float, high: float) -> Activation:
    return HARDTANH if (low, high) == (-1, 1) else clip(low, high)


def _moved(value: Value, move: Callable[[torch.Tensor], Any]) -> Any:
    """A function that only moves entries about, run on their positions."""

    def chosen(grid: Any) -> Any:
        if isinstance(grid, list | tuple):
            return [chosen(g) for g in grid]
        return value.select(grid.numpy())

    return chosen(move(torch.from_numpy(value.grid())))


def _flatten(builder: Builder, value: Value, module: Any, label: str) -> Value:
    return _moved(value, module)


def _dropout(builder: Builder, value: Value, module: Any, label: str) -> Value:
    builder.note(f"{label}: identity at inference")
    return value


LEAVES: dict[Any, Callable[..., Value]] = {
    nn.Linear: _linear,
    nn.ReLU: _pointwise(lambda m: RELU),
    nn.LeakyReLU: _pointwise(lambda m: leaky_relu(float(m.negative_slope))),
    nn.PReLU: lambda builder, value, m, label: _prelu(builder, value, m.weight, label),
    nn.ReLU6: _pointwise(lambda m: RELU6),
    nn.Hardtanh: _pointwise(lambda m: _hardtanh(float(m.min_val), float(m.max_val))),
    nn.Identity: lambda builder, value, m, label: value,
    nn.Dropout: _dropout,
    nn.Flatten: _flatten,
}
AT_THE_END = (nn.Softmax, nn.LogSoftmax, nn.Sigmoid, nn.LogSigmoid)
CURVED = (
    *(nn.Tanh, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.CELU, nn.Softplus, nn.Softsign, nn.Mish),
    *(nn.Hardswish, nn.LayerNorm, nn.MultiheadAttention, nn.Softmin, nn.GLU, nn.Tanhshrink),
)


# -- torch.export -------------------------------------------------------------------------

MOVES = words(
    "view reshape flatten unflatten permute transpose t squeeze unsqueeze select slice narrow "
    "split split_with_sizes chunk unbind expand expand_as repeat index_select flip roll "
    "movedim view_as reshape_as _unsafe_view clone contiguous alias detach lift_fresh_copy "
    "dropout feature_dropout alpha_dropout"
)
ENDS = words("softmax log_softmax _softmax _log_softmax sigmoid log_sigmoid argmax")
BENDS = words(
    "sigmoid tanh gelu silu elu selu celu softplus softsign mish hardswish exp log sqrt rsqrt pow "
    "softmax log_softmax layer_norm native_layer_norm group_norm reciprocal erf sin cos "
    "scaled_dot_product_attention log_sigmoid"
)
ROUNDING = words("add sub rsub mul div matmul mm addmm linear sum mean")


class _Exported:
    """One walk through the flat graph of an exported module."""

    def __init__(self, module: nn.Module, shape: Shape, given: bool) -> None:
        sample = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(1))
        self.module, self.shape = module, shape
        try:
            example = torch.zeros(shape, dtype=sample.dtype, device=sample.device)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch warns about its own insides
                program = torch.export.export(module, (example,))
                if any(_operator(n).endswith("_") for n in program.graph.nodes):
                    program = program.run_decompositions({})  # nothing in place any more
        except Exception as error:  # whatever the module's own code raises
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            hint = "" if given else "; give shape=, the sizes of one input without the batch"
            raise UnsupportedNetwork(
                f"{type(module).__name__}: torch.export fails on an input of shape {shape} "
                f"({first}){hint}"
            ) from error
        self.program = program
        self.builder = Builder()
        self.known: dict[Any, Any] = {}

    def network(self) -> Network:
        values = {**dict(self.program.state_dict), **dict(self.program.constants)}
        targets = {
            s.arg.name: s.target
            for s in self.program.graph_signature.input_specs
            if s.target is not None and hasattr(s.arg, "name")
        }
        given = self.builder.input(self.shape)
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                target = targets.get(node.name)
                self.known[node] = given if target is None else values[target]
            elif node.op == "call_function":
                self.known[node] = self._call(node)
            elif node.op == "output":
                return self._finish(given, node)
        raise UnsupportedNetwork(f"{type(self.module).__name__}: the module gives no output")

    def _finish(self, given: Value, node: Any) -> Network:
        names = list(self.program.graph_signature.user_outputs)
        results = [a for a in node.args[0] if getattr(a, "name", None) in names]
        out = self.known.get(results[0]) if len(results) == 1 else None
        if isinstance(out, torch.Tensor):
            out = constant(_weights(out, "the output"))
        if not isinstance(out, Value):
            raise UnsupportedNetwork(
                f"{type(self.module).__name__}: the module gives {len(names)} outputs; one "
                "tensor is expected"
            )
        return self.builder.network(given.size, out)

    def _call(self, node: Any) -> Any:
        label = f"operator '{node.name}' ({_operator(node)})"
        args = torch.fx.map_arg(node.args, self.known.__getitem__)
        kwargs = torch.fx.map_arg(node.kwargs, self.known.__getitem__)
        values = list(_values((*args, *kwargs.values())))
        try:
            if node.target is operator.getitem:
                return args[0][args[1]]
            if not values:
                return self._fold(node, label, args, kwargs)
            return self._apply(node, label, values, args, kwargs)
        except LinregionsError as error:
            text = str(error)
            named = text.startswith(("operator '", "module '"))
            raise type(error)(text if named else f"{label}: {text}") from error
        except Exception as error:  # shapes that do not fit, in numpy or torch
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise UnsupportedNetwork(f"{label}: cannot be read ({first})") from error

    def _fold(self, node: Any, label: str, args: Any, kwargs: Any) -> Any:
        if "rand" in _operator(node) or "bernoulli" in _operator(node):
            raise UnsupportedNetwork("random numbers are not supported")
        out = node.target(*args, **kwargs)
        if _operator(node) in ROUNDING and isinstance(out, torch.Tensor):
            self.builder.note(f"{label}: constants combined once, in {out.dtype}")
        return out

    def _apply(self, node: Any, label: str, values: list[Value], args: Any, kwargs: Any) -> Any:
        op = _operator(node)
        first = values[0]
        if op in ENDS and len(values) == 1:
            return Value(first.shape, first.addends, (*first.dropped, label))
        if first.dropped and op in MOVES:
            return first
        for value in values:
            stripped(value, label)
        named = _named(node.target, args, kwargs)
        if op.endswith("dropout"):
            self.builder.note(f"{label}: identity at inference")
            return first
        if op in MOVES:
            if args[0] is not first or len(values) > 1:
                raise UnsupportedNetwork("a choice of entries that depends on the input")
            return _moved(first, lambda grid: node.target(grid, *args[1:], **kwargs))
        if op not in OPERATORS:
            raise UnsupportedNetwork("not piecewise linear" if op in BENDS else "not supported yet")
        return OPERATORS[op](self.builder, label, named)


def _operator(node: Any) -> str:
    packet = getattr(node.target, "overloadpacket", None)
    if packet is not None:
        return packet.__name__ if node.op == "call_function" else ""
    return getattr(node.target, "__name__", "")


def _values(tree: Any) -> Iterator[Value]:
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, list | tuple):
        for part in tree:
            yield from _values(part)


def _named(target: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """Arguments by the names of the operator's schema, defaults included."""
    names = [a.name for a in target._schema.arguments]
    defaults = {a.name: a.default_value for a in target._schema.arguments}
    return {**defaults, **dict(zip(names, args, strict=False)), **kwargs}


def _numbers(x: Any, label: str) -> np.ndarray:
    if isinstance(x, Value):
        raise UnsupportedNetwork("two arguments depend on the input; one must be a constant")
    return _weights(x, label)


def _value(x: Any, label: str) -> Value:
    return x if isinstance(x, Value) else constant(_weights(x, label))


Named = dict[str, Any]


def _sum(sign: int, builder: Builder, label: str, a: Named) -> Value:
    factor = np.float64(a.get("alpha", 1)) * sign
    return _value(a["self"], label) + _value(a["other"], label).scaled(factor)


def _rsub(builder: Builder, label: str, a: Named) -> Value:
    return _sum(-1, builder, label, {**a, "self": a["other"], "other": a["self"]})


def _mul(builder: Builder, label: str, a: Named) -> Value:
    x, y = a["self"], a["other"]
    return x.scaled(_numbers(y, label)) if isinstance(x, Value) else y.scaled(_numbers(x, label))


def _div(builder: Builder, label: str, a: Named) -> Value:
    divisor = _numbers(a["other"], label)
    if not np.all(divisor):
        raise LinregionsError(f"{label}: division by zero")
    if a.get("rounding_mode") is not None:
        raise UnsupportedNetwork("a division that rounds jumps")
    inverse = np.empty(divisor.size, dtype=object)
    inverse[:] = [1 / Fraction(d) for d in divisor.ravel().tolist()]
    return a["self"].scaled(inverse.reshape(divisor.shape))


def _matmul(builder: Builder, label: str, a: Named) -> Value:
    x, y = a["self"], a["mat2"] if "mat2" in a else a["other"]
    return x.times(_numbers(y, label)) if isinstance(x, Value) else y.after(_numbers(x, label))


def _addmm(builder: Builder, label: str, a: Named) -> Value:
    x, y = a["mat1"], a["mat2"]
    out = x.times(_numbers(y, label)) if isinstance(x, Value) else y.after(_numbers(x, label))
    shift = _value(a["self"], label).scaled(np.float64(a["beta"]))
    return out.scaled(np.float64(a["alpha"])) + shift


def _clamp(builder: Builder, label: str, a: Named) -> Value:
    low, high = a.get("min"), a.get("max")
    if any(b is not None and np.size(b) != 1 for b in (low, high)):
        raise UnsupportedNetwork("bounds must be single numbers")
    low = None if low is None else float(low)
    high = None if high is None else float(high)
    if low is not None and high is not None:
        kind = _hardtanh(low, high)
    elif low is not None:
        kind = RELU if low == 0 else Activation((low,), (0, 1), low, "clip")
    else:
        kind = Activation((high,), (1, 0), high, "clip") if high is not None else None
    return a["self"] if kind is None else builder.pointwise(a["self"], kind)


def _cat(builder: Builder, label: str, a: Named) -> Value:
    return concatenated([_value(v, label) for v in a["tensors"]], int(a["dim"]))


def _stack(builder: Builder, label: str, a: Named) -> Value:
    values = [_value(v, label) for v in a["tensors"]]
    axis = int(a["dim"]) % (len(values[0].shape) + 1)
    return concatenated([v.reshaped((*v.shape[:axis], 1, *v.shape[axis:])) for v in values], axis)


def _reduce(builder: Builder, label: str, a: Named) -> Value:
    dims = a.get("dim")
    dims = [dims] if isinstance(dims, int) else dims
    return a["self"].summed(dims or None, bool(a.get("keepdim", False)))


def _mean(builder: Builder, label: str, a: Named) -> Value:
    total = _reduce(builder, label, a)
    return total.scaled(np.array(Fraction(total.size, a["self"].size), dtype=object))


def _cast(builder: Builder, label: str, a: Named) -> Value:
    kind = a.get("dtype")
    if kind is not None and not kind.is_floating_point:
        raise UnsupportedNetwork(f"a cast to {kind} of a value that depends on the input jumps")
    if kind is not None:
        builder.note(f"{label}: a cast to {kind} is read as the identity")
    return a["self"]


def _units(make: Callable[[Named], Activation]) -> Callable[..., Value]:
    return lambda builder, label, a: builder.pointwise(a["self"], make(a))


OPERATORS: dict[str, Callable[..., Value]] = {
    "linear": lambda b, label, a: _affine(_value(a["input"], label), a["weight"], a["bias"], label),
    "addmm": _addmm,
    "mm": _matmul,
    "matmul": _matmul,
    "add": lambda b, label, a: _sum(1, b, label, a),
    "sub": lambda b, label, a: _sum(-1, b, label, a),
    "rsub": _rsub,
    "mul": _mul,
    "div": _div,
    "neg": lambda b, label, a: -a["self"],
    "relu": _units(lambda a: RELU),
    "relu6": _units(lambda a: RELU6),
    "leaky_relu": _units(lambda a: leaky_relu(float(a["negative_slope"]))),
    "hardtanh": _units(lambda a: _hardtanh(float(a["min_val"]), float(a["max_val"]))),
    "abs": _units(lambda a: ABS),
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp,
    "prelu": lambda b, label, a: _prelu(b, a["self"], a["weight"], label),
    "maximum": lambda b, label, a: b.largest([_value(a["self"], label), _value(a["other"], label)]),
    "minimum": lambda b, label, a: (
        -b.largest([-_value(a["self"], label), -_value(a["other"], label)])
    ),
    "cat": _cat,
    "concat": _cat,
    "stack": _stack,
    "sum": _reduce,
    "mean": _mean,
    "to": _cast,
    "_to_copy": _cast,
}
