"""Small ONNX models, and their comparison with onnxruntime."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from linregions.errors import LinregionsError
from linregions.readers import load
from linregions.readers.onnx.model import from_model

ort = pytest.importorskip("onnxruntime")
ort.set_default_logger_severity(4)
RNG = np.random.default_rng(7)


def model(nodes, shape, constants=None, opset=17, outputs=("y",), kind=TensorProto.FLOAT):
    """A model with input x and constants by name; a node is (op, inputs, output, attributes)."""
    made = []
    for op, inputs, output, *rest in nodes:
        attributes = rest[0] if rest else {}
        name = f"{op}_n" + "'" * sum(n.op_type == op for n in made)
        made.append(helper.make_node(op, inputs.split(), output.split(), name, **attributes))
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(o, kind, None) for o in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def f32(*shape):
    return RNG.integers(-8, 9, size=shape).astype(np.float32) / 4


def assert_agrees(path_or_model, tolerance=1e-5, exactly=False):
    """The network against onnxruntime on random inputs, and exact against float evaluation."""
    source = path_or_model
    if isinstance(source, onnx.ModelProto):
        net, data = from_model(source), source.SerializeToString()
    else:
        net, data = load(source), str(source)
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    shape = [d if isinstance(d, int) and d else 1 for d in first.shape]
    kind = np.float64 if "double" in first.type else np.float32
    for _ in range(5):
        x = RNG.normal(size=shape).astype(kind)
        expected = session.run(None, {first.name: x})[0].ravel()
        out = net(x.ravel().astype(np.float64))
        assert np.allclose(
            out, expected, rtol=tolerance, atol=tolerance * (1 + abs(expected).max())
        )
    if exactly:
        x = RNG.integers(-8, 9, size=net.inputs)
        out = [float(v) for v in net.exactly(x.tolist())[0]]
        assert np.allclose(out, net(x), rtol=1e-12, atol=1e-12)
    return net


def refused(source, *parts, error=LinregionsError):
    with pytest.raises(error) as caught:
        from_model(source) if isinstance(source, onnx.ModelProto) else load(source)
    text = str(caught.value)
    assert "\n" not in text
    for part in parts:
        assert part in text, text
