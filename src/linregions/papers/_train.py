"""Adam on the cross-entropy for many dense ReLU networks of one shape at once, in numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._networks import Layers


class Training:
    """m networks of one shape, trained side by side on the same batches.

    One output is the logit of label 1, several are one score for each class.

    Parameters
    ----------
    networks
        m lists ``[(W, b), ...]`` of one shape.
    rate
        Of Adam; its other constants are 0.9, 0.999 and 1e-8.
    dtype
        Of the arithmetic.
    """

    def __init__(self, networks: Sequence[Layers], rate: float = 1e-3, dtype: str = "f4") -> None:
        self.parameters = [
            np.stack([np.asarray(net[k][i], dtype) for net in networks])
            for k in range(len(networks[0]))
            for i in (0, 1)
        ]
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p in self.parameters]
        self.rate, self.steps, self.dtype = rate, 0, dtype

    def scores(self, x: np.ndarray) -> np.ndarray:
        """(m, points, outputs)."""
        return self._forward(np.asarray(x, self.dtype))[-1]

    def accuracy(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """(m,) share of points whose class is right."""
        scores = self.scores(x)
        found = scores.argmax(axis=2) if scores.shape[2] > 1 else scores[:, :, 0] > 0
        return (found == labels).mean(axis=1)

    def step(self, x: np.ndarray, labels: np.ndarray) -> None:
        """One step of Adam on a batch."""
        self.steps += 1
        values = self._forward(np.asarray(x, self.dtype))
        back = self._slope(values[-1], labels) / len(labels)
        for k in range(len(values) - 2, -1, -1):
            W = self.parameters[2 * k]
            slopes = (back.transpose(0, 2, 1) @ values[k], back.sum(axis=1))
            if k:
                back = (back @ W) * (values[k] > 0)
            for i, slope in enumerate(slopes):
                self._move(2 * k + i, slope)

    def layers(self, i: int = 0) -> Layers:
        """One of the networks, in float64."""
        p = [np.array(v[i], float) for v in self.parameters]
        return list(zip(p[::2], p[1::2], strict=True))

    def _forward(self, x: np.ndarray) -> list[np.ndarray]:
        values, last = [x], len(self.parameters) // 2 - 1
        for k in range(last + 1):
            W, b = self.parameters[2 * k : 2 * k + 2]
            z = values[-1] @ W.transpose(0, 2, 1) + b[:, None]
            values.append(z if k == last else np.maximum(z, 0))
        return values

    def _slope(self, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The derivative of the cross-entropy by the scores."""
        if scores.shape[2] == 1:
            share = 0.5 * (1 + np.tanh(0.5 * scores))  # the logistic function, without overflow
            return share - labels[:, None]
        share = np.exp(scores - scores.max(axis=2, keepdims=True))
        share /= share.sum(axis=2, keepdims=True)
        share[:, np.arange(len(labels)), labels] -= 1
        return share

    def _move(self, at: int, slope: np.ndarray) -> None:
        m, v = self.moments[at]
        m += 0.1 * (slope - m)
        v += 0.001 * (slope * slope - v)
        size = self.rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        self.parameters[at] -= (size * m / (np.sqrt(v) + 1e-8)).astype(self.dtype)


def epoch(training: Training, x: np.ndarray, labels: np.ndarray, rng: np.random.Generator,
          batch: int = 128):  # fmt: skip
    """One pass over the data in random order; gives control back after every batch."""
    order = rng.permutation(len(x))
    for at in range(0, len(x), batch):
        part = order[at : at + batch]
        training.step(x[part], labels[part])
        yield
