"""The Keras reader, on stand-ins that compute their own reference in numpy (no Keras here)."""

from itertools import product

import numpy as np
import pytest

from linregions.errors import LinregionsError, UnsupportedNetwork
from linregions.readers import load

RNG = np.random.default_rng(11)


def layer(kind, call=None, weights=(), **config):
    """An object with what the reader looks at: class name, get_config, get_weights."""
    config.setdefault("name", kind.lower())
    body = {
        "get_config": lambda self: config,
        "get_weights": lambda self: list(weights),
        "call": staticmethod(call if call is not None else lambda x: x),
    }
    return type(kind, (), body)()


class Sequential:
    def __init__(self, layers, shape):
        self.layers, self.input_shape = layers, (None, *shape)

    def get_config(self):
        entries = [{"class_name": type(l).__name__, "config": l.get_config()} for l in self.layers]
        return {"name": "sequential", "layers": entries}

    def get_weights(self):
        return [w for part in self.layers for w in part.get_weights()]

    def call(self, x):
        for part in self.layers:
            x = part.call(x)
        return x


def assert_agrees(model, size, **options):
    net = load(model, **options)
    for _ in range(3):
        x = RNG.normal(size=size)
        assert np.allclose(net(x.ravel()), model.call(x).ravel(), rtol=1e-12, atol=1e-12)
    small = [int(v) for v in RNG.integers(-3, 4, size=net.inputs)]
    assert np.allclose([float(v) for v in net.exactly(small)[0]], net(small), atol=1e-9)
    return net


def relu(x):
    return np.maximum(x, 0)


def windows(x, kernel, strides, padding, fill):
    """For each output position the window on a channels-last array, padded as TensorFlow does."""
    out = [-(-n // s) for n, s in zip(x.shape, strides, strict=False)]
    pads = [(0, 0)] * len(kernel)
    if padding == "same":
        totals = [
            max((o - 1) * s + k - n, 0)
            for o, s, k, n in zip(out, strides, kernel, x.shape, strict=False)
        ]
        pads = [(t // 2, t - t // 2) for t in totals]
    else:
        ends = zip(x.shape, kernel, strides, strict=False)
        out = [(n - k) // s + 1 for n, k, s in ends]
    x = np.pad(x, [*pads, (0, 0)], constant_values=fill)
    for at in product(*map(range, out)):
        cut = tuple(slice(a * s, a * s + k) for a, s, k in zip(at, strides, kernel, strict=True))
        yield at, x[cut]


def sliding(x, kernel, strides, padding, fill, function):
    found = {at: function(w) for at, w in windows(x, kernel, strides, padding, fill)}
    shape = [max(a[i] for a in found) + 1 for i in range(len(kernel))]
    out = np.zeros((*shape, len(next(iter(found.values())))))
    for at, v in found.items():
        out[at] = v
    return out


def conv(kernel, bias, strides, padding, kind="Conv2D", **config):
    n = kernel.ndim - 2

    def call(x):
        return sliding(
            x, kernel.shape[:n], strides, padding, 0,
            lambda w: np.tensordot(w, kernel, axes=n + 1) + bias,
        )  # fmt: skip

    return layer(kind, call, [kernel, bias], strides=list(strides), padding=padding, **config)


def pool(kind, size, strides, padding):
    def call(x):
        def mean(w):
            return np.nanmean(w.reshape(-1, w.shape[-1]), axis=0)

        def most(w):
            return w.reshape(-1, w.shape[-1]).max(axis=0)

        average = kind.startswith("Average")
        return sliding(
            x, size, strides, padding, np.nan if average else -np.inf, mean if average else most
        )

    return layer(kind, call, pool_size=list(size), strides=list(strides), padding=padding)


def batch_norm(k):
    gamma, beta, mean = RNG.normal(size=(3, k))
    variance = RNG.uniform(0.5, 2, size=k)

    def call(x):
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    return layer("BatchNormalization", call, [gamma, beta, mean, variance], axis=-1, epsilon=1e-3)


def dense(n, m, act="linear"):
    W, b = RNG.normal(size=(n, m)), RNG.normal(size=m)
    how = relu if act == "relu" else lambda x: x
    return layer("Dense", lambda x: how(x @ W + b), [W, b], activation=act)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_a_convolutional_model(padding, strides):
    c = conv(RNG.normal(size=(3, 2, 2, 3)), RNG.normal(size=3), strides, padding)
    parts = [c, batch_norm(3), layer("ReLU", relu), pool("MaxPooling2D", (2, 2), (1, 2), "same")]
    parts += [pool("AveragePooling2D", (2, 2), (1, 1), "same"), layer("Dropout", rate=0.5)]
    size = Sequential(parts, (7, 6, 2)).call(np.zeros((7, 6, 2))).size
    parts += [layer("Flatten", np.ravel), dense(size, 4, "relu"), dense(4, 2)]
    net = assert_agrees(Sequential(parts, (7, 6, 2)), (7, 6, 2))
    assert any(n.startswith("compiled away: Conv2D (1), BatchNorm") for n in net.notes)
    assert any(n.startswith("rounded: layer 'batchnormalization'") for n in net.notes)


def test_one_dimension_causal_and_global():
    W = RNG.normal(size=(3, 2, 4))

    def causal(x):
        wide = np.pad(x, [(4, 0), (0, 0)])
        taps = [wide[[t, t + 2, t + 4]] for t in range(len(x))]
        return np.array([np.tensordot(w, W, axes=2) for w in taps])

    parts = [
        layer("Conv1D", causal, [W], use_bias=False, padding="causal", dilation_rate=[2]),
        layer("LeakyReLU", lambda x: np.where(x > 0, x, x / 4), negative_slope=0.25),
        layer("ZeroPadding1D", lambda x: np.pad(x, [(1, 2), (0, 0)]), padding=[1, 2]),
        layer("Cropping1D", lambda x: x[2:-1], cropping=[2, 1]),
        layer("UpSampling1D", lambda x: np.repeat(x, 2, axis=0), size=2),
    ]
    for kind, last in (("GlobalAveragePooling1D", np.mean), ("GlobalMaxPooling1D", np.max)):
        end = layer(kind, lambda x, last=last: last(x, axis=0))
        assert_agrees(Sequential([*parts, end], (5, 2)), (5, 2))


def test_depthwise_separable_and_transposed():
    K, P = RNG.normal(size=(2, 2, 3, 2)), RNG.normal(size=(1, 1, 6, 2))
    bias = RNG.normal(size=2)

    def depthwise(x):
        return sliding(
            x, (2, 2), (1, 1), "valid", 0, lambda w: np.einsum("ijc,ijcm->cm", w, K).ravel()
        )

    deep = layer("DepthwiseConv2D", depthwise, [K], use_bias=False)
    assert_agrees(Sequential([deep], (4, 3, 3)), (4, 3, 3))
    both = layer("SeparableConv2D", lambda x: depthwise(x) @ P[0, 0] + bias, [K, P, bias])
    assert_agrees(Sequential([both], (4, 3, 3)), (4, 3, 3))
    for k, s, padding in ((3, 2, "same"), (2, 3, "same"), (3, 2, "valid"), (2, 3, "valid")):
        T, b = RNG.normal(size=(k, 4, 3)), RNG.normal(size=4)

        def spread(x, T=T, b=b, k=k, s=s, padding=padding):
            n = len(x)
            full = np.zeros((max((n - 1) * s + k, n * s), 4))
            for i in range(n):
                full[i * s : i * s + k] += T @ x[i]
            cut = max(k - s, 0)
            return (full[cut // 2 : cut // 2 + n * s] if padding == "same" else full) + b

        part = layer("Conv1DTranspose", spread, [T, b], strides=[s], padding=padding)
        assert_agrees(Sequential([part], (5, 3)), (5, 3))


def test_moves_and_units():
    alpha = RNG.uniform(0, 1, size=(3, 2))
    parts = [
        layer("Rescaling", lambda x: x / 4 - 1, scale=0.25, offset=-1),
        layer("Reshape", lambda x: x.reshape(2, 3), target_shape=[2, -1]),
        layer("Permute", lambda x: x.T, dims=[2, 1]),
        layer("PReLU", lambda x: np.where(x > 0, x, alpha * x), [alpha]),
        layer("ReLU", lambda x: np.clip(x, 0, 6), max_value=6.0),
        layer("Activation", relu, activation="relu"),
        layer("Flatten", np.ravel),
        layer("RepeatVector", lambda x: np.stack([x] * 2), n=2),
        layer("UpSampling1D", lambda x: np.repeat(x, 2, axis=0)),
    ]
    assert assert_agrees(Sequential(parts, (6,)), (6,)).layers[1].units.describe() == "relu6"


def test_channels_first_flattens_with_channels_last():
    parts = [
        layer("Flatten", lambda x: np.moveaxis(x, 0, -1).ravel(), data_format="channels_first")
    ]
    assert_agrees(Sequential(parts, (2, 3, 4)), (2, 3, 4))


class Functional(Sequential):
    """x -> a = dense(x); y = max(a, a + b(a)) joined with x and with their mean."""

    def __init__(self, style):
        parts = {
            "x": layer("InputLayer", name="x", batch_shape=[None, 3]),
            "a": dense(3, 3, "relu"),
            "b": dense(3, 3),
            "add": layer("Add"),
            "max": layer("Maximum"),
            "mean": layer("Average"),
            "cat": layer("Concatenate", axis=-1),
        }
        for name, part in parts.items():
            part.get_config()["name"] = name
        super().__init__(list(parts.values()), (3,))
        self.parts, self.style = parts, style

    def get_config(self):
        reads = {
            "x": [], "a": [["x"], ["add"]], "b": [["a"]], "add": [["a", "b"]],
            "max": [["a", "add"]], "mean": [["a", "x"]], "cat": [["max", "x", "mean", "a:1"]],
        }  # fmt: skip
        entries = [
            {"name": n, "config": p.get_config(), "inbound_nodes": self.nodes(reads[n])}
            for n, p in self.parts.items()
        ]
        return {"layers": entries, "input_layers": [["x", 0, 0]], "output_layers": [["cat", 0, 0]]}

    def nodes(self, calls):
        out = []
        for names in calls:
            keys = [(n.split(":")[0], int((n + ":0").split(":")[1]), 0) for n in names]
            if self.style == 2:
                out.append([[*k, {}] for k in keys])
            else:
                tensors = [
                    {"class_name": "__keras_tensor__", "config": {"keras_history": list(k)}}
                    for k in keys
                ]
                out.append({"args": [tensors], "kwargs": {}})
        return out

    def call(self, x):
        a = self.parts["a"].call(x)
        total = a + self.parts["b"].call(a)
        again = self.parts["a"].call(total)
        return np.concatenate([np.maximum(a, total), x, (a + x) / 2, again])


@pytest.mark.parametrize("style", [2, 3])
def test_functional_models_of_both_versions(style):
    """A layer that is called twice is two layers; branches are read from the configuration."""
    net = assert_agrees(Functional(style), (3,))
    assert sorted(net.widths) == [3, 3, 3]


def test_a_model_inside_a_model():
    inner = Sequential([dense(3, 2, "relu")], (3,))
    assert_agrees(Sequential([inner, dense(2, 2)], (3,)), (3,))


def test_the_shape_of_the_input():
    parts = [layer("Flatten", np.ravel), dense(6, 2)]
    model = Sequential(parts, (None, 3))
    with pytest.raises(LinregionsError, match="give shape="):
        load(model)
    assert assert_agrees(model, (2, 3), shape=(2, 3)).inputs == 6


def test_output_functions_are_dropped():
    first = dense(3, 2)
    for end in (layer("Softmax"), layer("Activation", activation="sigmoid")):
        with pytest.warns(UserWarning, match="dropped at the output"):
            assert load(Sequential([first, end], (3,))).units == 0
    W = np.ones((3, 2))
    soft = layer("Dense", None, [W, np.zeros(2)], activation="softmax")
    with pytest.warns(UserWarning, match="dropped at the output"):
        load(Sequential([soft], (3,)))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (layer("Dense", None, [np.eye(3), np.zeros(3)], activation="tanh"), "activation 'tanh'"),
        (layer("Activation", activation="hard_sigmoid"), "Keras 2 and 3"),
        (layer("LayerNormalization"), "not piecewise linear"),
        (layer("Hologram"), r"layer 'hologram' \(Hologram, Keras\): not supported yet"),
        (layer("ReLU", threshold=1.0), "jumps"),
        (
            layer("Softmax"),
            r"layer 'relu' \(ReLU, Keras\): .* after layer 'softmax' \(Softmax\), which is not",
        ),
        (layer("Dense"), "0 weights; build the model first"),
        (layer("Reshape", target_shape=[7]), "'reshape' .* does not fit a value of shape"),
        (layer("Dense", None, [np.full((3, 3), np.nan), np.zeros(3)]), "NaN"),
    ],
)
def test_refusals_name_the_layer(part, message):
    with pytest.raises(LinregionsError, match=message) as caught:
        load(Sequential([part, layer("ReLU")], (3,)))
    assert "\n" not in str(caught.value)


def test_two_inputs_are_refused():
    model = Functional(3)
    model.input_shape = [(None, 3), (None, 2)]
    with pytest.raises(UnsupportedNetwork, match="2 inputs"):
        load(model)
