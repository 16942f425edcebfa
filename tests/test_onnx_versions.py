"""Every ONNX operator in every version: read as the standard means it there, or refused."""

import numpy as np
import onnx
import pytest
from onnx import defs
from onnx_models import refused
from onnx_versions import CASES, FOLDED, RNG, Case, f32, grid, i64, values

from linregions.readers.onnx.model import AT_THE_END, SHAPES, from_model
from linregions.readers.onnx.movement import SELECTIONS
from linregions.readers.onnx.ops import TABLE
from linregions.readers.onnx.refusals import (
    CONTROL,
    JUMPS,
    OTHERS,
    RANDOM,
    ROUNDS,
    SEQUENCES,
    SMOOTH,
    STRINGS,
)
from linregions.readers.onnx.versions import VERSIONS

ALL = {**CASES, **FOLDED}
READ = sorted((op, v) for op, versions in VERSIONS.items() for v in versions)
NAMED = SMOOTH | JUMPS | ROUNDS | RANDOM | CONTROL | SEQUENCES | STRINGS | OTHERS
SCHEMAS = sorted(
    (s.name, s.since_version)
    for s in defs.get_all_schemas_with_history()
    if s.domain == "" and s.since_version <= 23 and not s.deprecated
)


@pytest.mark.parametrize(("op", "version"), READ)
def test_every_version_means_what_the_standard_says(op, version):
    for case in ALL[op](version):
        model = case.model(op, version)
        x = (RNG.integers(-12, 13, case.shape) / 4 + 0.0625).astype(f32)
        out = from_model(model)(x.ravel().astype(np.float64))
        for who, expected in values(model, x, case):
            assert out.shape == expected.shape, (who, case)
            assert np.allclose(out, expected, rtol=1e-5, atol=1e-5), (who, case, out, expected)


def test_every_operator_is_read_or_refused_by_name():
    """No version up to opset 23 is forgotten: each stands in one table or the other."""
    read = set(TABLE) | SELECTIONS | SHAPES | AT_THE_END | {"Constant", "If", "Upsample", "Scatter"}
    for op, version in SCHEMAS:
        assert op in NAMED or op in read or op in FOLDED, op
        if op in VERSIONS:
            assert version in VERSIONS[op], (op, version)
        else:
            assert op in NAMED | {"If"}, op
    assert not (set(TABLE) | SELECTIONS) & NAMED
    assert set(VERSIONS) == set(ALL)


def test_later_versions_are_refused():
    """What the installed package knows and the table does not is not guessed."""
    newer = [
        (s.name, s.since_version)
        for s in defs.get_all_schemas_with_history()
        if s.domain == "" and s.name in VERSIONS and s.since_version not in VERSIONS[s.name]
        and not s.deprecated
    ]  # fmt: skip
    for op, version in newer:
        case = next(iter(ALL[op](version)))
        refused(case.model(op, version), f"({op}, opset {version})", f"version {version} is not")
    model = Case().model("Relu", 14)
    model.opset_import[0].version = defs.onnx_opset_version() + 1
    refused(model, "pip install -U onnx")


REFUSED = {
    "broadcast_today": ("Add", 7, Case((2, 3), ("x", grid(3)), {"broadcast": 1}), "'broadcast'"),
    "no_broadcast": ("Add", 6, Case((2, 3), ("x", grid(3))), "broadcast=1 is not set"),
    "axis": ("Mul", 6, Case((2, 3), ("x", grid(2)), {"broadcast": 1}), "(2,) beside (2, 3)"),
    "mixed": ("Sum", 6, Case((2, 3), ("x", grid(3))), "opset 8 is the first to mix"),
    "slopes": ("PRelu", 6, Case((2, 3, 4), ("x", grid(4))), "slopes of shape (4,)"),
    "summand": ("Gemm", 6, Case((2, 3), ("x", grid(3, 4), grid(4))), "a summand of shape (4,)"),
    "training": (
        "BatchNormalization", 6, Case((2, 3), ("x", *[np.abs(grid(3))] * 4), {"is_test": 0}),
        "export the model for inference",
    ),
    "dropout": ("Dropout", 6, Case((2, 3), ("x",), {"is_test": 0}), "is the training mode"),
    "range": ("Clip", 6, Case((2, 3), ("x",), {"min": 1.0, "max": 0.0}), "is empty"),
    "parts": ("Split", 2, Case((2, 5), ("x",), {"axis": 1}, 2), "5 entries in 2 equal parts"),
    "no_axis": ("Split", 1, Case((2, 6), ("x",), {}, 2), "names no axis"),
    "down": ("Resize", 10, Case((1, 6), ("x", f32([1, 0.4]))), "leave open"),
    "odd": (
        "ConvTranspose", 1,
        Case((1, 1, 4), ("x", grid(1, 1, 4)), {"strides": [2], "output_shape": [7]}),
        "put it at different ends",
    ),
    "deprecated": ("Upsample", 10, Case((1, 3), ("x", f32([1, 2]))), "with Resize"),
    "too_early": ("Trilu", 13, Case((3, 3)), "but of a later one"),
    "too_many": ("Clip", 6, Case((2, 3), ("x", f32(0), f32(1))), "3 arguments"),
    "unknown": ("Relu", 13, Case((2, 3), ("x",), {"alpha": 1.0}), "the attribute 'alpha'"),
    "norm": ("LpPool", 18, Case((1, 1, 4), ("x",), {"kernel_shape": [2]}), "the 2-norm"),
    "twice": (
        "ScatterND", 16, Case((3,), ("x", i64([[0], [0]]), f32([1, 2]))), "two updates go to one",
    ),
    "word": ("Cast", 1, Case((2, 3), ("x",), {"to": "REAL"}), "'REAL' is not known"),
    "precision": (
        "QuantizeLinear", 23, Case((1, 1), (grid(3), f32(1)), {"precision": 11}), "of its scale",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_version_does_not_say_is_refused(name):
    op, opset, case, message = REFUSED[name]
    refused(case.model(op, opset), f"node '{op}_n' ({op}, opset {opset}): ", message, "; ")


def test_without_an_opset_the_model_is_of_opset_1():
    model = Case((1, 3, 3), ("x", c := grid(3)), {"broadcast": 1, "axis": 1}).model("Add", 1)
    del model.opset_import[:]
    model.ir_version = 1
    assert np.allclose(from_model(model)(np.zeros(9)), c.repeat(3))


@pytest.mark.parametrize("op", ["Relu", "Add"])
def test_the_domain_may_be_spelled_out(op):
    model = Case((2, 3), ("x", grid(3)) if op == "Add" else ("x",)).model(op, 14)
    model.opset_import[0].domain = model.graph.node[0].domain = "ai.onnx"
    assert from_model(model).inputs == 6
    assert isinstance(model, onnx.ModelProto)
