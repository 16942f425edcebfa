"""Every model of the shared data: read as onnxruntime computes it, or refused with the remedy."""

import os
import warnings

import numpy as np
import pytest
from data import ROOT, shared
from helpers import run_cli
from onnx_models import RNG, ort

from linregions.errors import UnsupportedNetwork
from linregions.readers import load

FOLDER = ROOT / os.environ.get("LINREGIONS_DATA", "../shared/data")
MODELS = sorted(str(p.relative_to(FOLDER)) for p in FOLDER.glob("**/*.onnx")) or ["absent.onnx"]
ONE_INPUT = "only one is supported: export the model with its inputs joined into one"
REFUSED = {
    "small/multiInput_add.onnx": ONE_INPUT,
    "small/layer-zoo/tanh.onnx": "(Tanh, opset 20): Tanh is not piecewise linear",
    "small/layer-zoo/dropout_training_mode_true.onnx": "export the model for inference",
}
AT_THE_END = {
    "small/softmax-last-layer.onnx": lambda y: np.exp(y - y.max()) / np.exp(y - y.max()).sum(),
    "small/layer-zoo/sigmoid.onnx": lambda y: 1 / (1 + np.exp(-y)),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model(name):
    path = shared(name)
    if name in REFUSED:
        with pytest.raises(UnsupportedNetwork) as caught:
            load(path)
        text = str(caught.value)
        assert text.startswith(f"{path}: ") and REFUSED[name] in text and "\n" not in text
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net = load(path)
    assert bool(caught) == (name in AT_THE_END) or "not read" in str(caught[0].message)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    shape = [d if isinstance(d, int) and d else 1 for d in given.shape]
    kind = np.float64 if "double" in given.type else np.float32
    finish = AT_THE_END.get(name, lambda y: y)
    for _ in range(3):
        x = RNG.uniform(size=shape).astype(kind)
        others = {i.name: np.zeros(i.shape, kind) for i in session.get_inputs()[1:]}
        expected = session.run(None, {given.name: x, **others})[0].ravel()
        out = finish(net(x.ravel().astype(np.float64)))
        assert np.allclose(out, expected, rtol=2e-5, atol=2e-5 * (1 + abs(expected).max()))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_the_command_line_exits_with_2(name):
    done = run_cli("info", shared(name))
    assert done.returncode == 2 and done.stdout == ""
    assert REFUSED[name] in done.stderr and done.stderr.count("\n") == 1


def test_large_models_are_small_in_memory():
    """Factors are sparse: nowhere a dense matrix of units times units."""
    for name, widths in (
        ("cifar/resnet_2b.onnx", (2048, 1024, 1024, 1024, 1024, 100)),
        ("small/cnn_max_mninst2.onnx", (5000, 1936, 484, 32)),
    ):
        net = load(shared(name))
        assert net.widths == widths
        stored = [
            f
            for a in (*(x.affine for x in net.layers), net.output)
            for t in a.terms
            for f in t.factors
        ]
        assert sum(getattr(f, "nnz", f.size) for f in stored) < 2_000_000
