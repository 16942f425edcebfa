"""Fitted perceptrons of scikit-learn."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from linregions.errors import LinregionsError, UnsupportedNetwork
from linregions.readers import load

sklearn = pytest.importorskip("sklearn.neural_network")
RNG = np.random.default_rng(2)
X = RNG.normal(size=(60, 3))


def fitted(kind, y, **options):
    model = kind(hidden_layer_sizes=(5, 4), max_iter=20, random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged
        return model.fit(X, y)


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_regressor(activation):
    model = fitted(sklearn.MLPRegressor, X @ [1.0, -2.0, 0.5], activation=activation)
    net = load(model)
    assert net.widths == ((5, 4) if activation == "relu" else ())
    assert np.allclose(net(X)[:, 0], model.predict(X))
    if activation == "identity":  # the layers stay apart: their product would round
        assert [len(t.factors) for t in net.output.terms] == [3, 3, 2, 1]


@pytest.mark.parametrize("classes", [2, 3])
def test_classifier_before_its_output_function(classes):
    model = fitted(sklearn.MLPClassifier, np.arange(60) % classes)
    with pytest.warns(UserWarning, match="dropped"):
        net = load(model)
    assert "dropped" in net.notes[0]
    out, p = net(X), model.predict_proba(X)
    if classes == 2:
        assert np.allclose(out[:, 0], np.log(p[:, 1] / p[:, 0]))
    else:
        assert np.allclose(out - out[:, :1], np.log(p) - np.log(p[:, :1]))


def test_refusals():
    with pytest.raises(LinregionsError, match="not fitted"):
        load(sklearn.MLPRegressor())
    model = fitted(sklearn.MLPRegressor, X[:, 0], activation="tanh")
    with pytest.raises(UnsupportedNetwork, match="'tanh' is not piecewise linear"):
        load(model)
    fake = SimpleNamespace(activation="relu", coefs_=[np.ones((2, 3))], intercepts_=[np.ones(2)])
    with pytest.raises(LinregionsError, match=r"coefs_\[0\]"):
        load(fake)
    fake.coefs_, fake.intercepts_ = [np.ones((2, 3)), np.ones((2, 1))], [np.ones(3), np.ones(1)]
    with pytest.raises(LinregionsError, match="2 rows for 3 values"):
        load(fake)
    fake.coefs_[1] = np.full((3, 1), np.inf)
    with pytest.raises(LinregionsError, match="layer 2"):
        load(fake)
