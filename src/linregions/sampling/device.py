"""Sampling with torch: points are drawn, evaluated and counted on a device (a GPU).

The stream of a block is that of torch's own generator, seeded by (seed, law, block): the points
differ from those of the other paths, and from those of another kind of device.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..network.network import Network
from . import draws
from .floats import Floats
from .layout import Layout


class Torch:
    """A network on a torch device, in float64."""

    def __init__(self, network: Network, device: str) -> None:
        import torch

        self.torch, self.device, self.inputs = torch, device, network.inputs
        self.floats = Floats(network, torch, self.put)
        bits = np.arange(64, dtype=np.uint64)
        self.powers = self.put((np.uint64(1) << bits).astype(np.int64))

    def put(self, array: Any) -> Any:
        """An array on the device."""
        return self.torch.as_tensor(np.ascontiguousarray(array), device=self.device)

    def stream(
        self, seed: int, law: int, block: int, scale: float, last: int, rows: int
    ) -> Iterator[tuple[int, Any]]:
        """Points of a block: normal by torch, uniform on odd multiples of 2^-52."""
        state = np.empty(4, np.uint64)
        draws.start(seed, law, block, state)
        generator = self.torch.Generator(device=self.device)
        generator.manual_seed(int(state[0] >> np.uint64(1)))
        shape, options = (rows, self.inputs), {"generator": generator, "device": self.device}
        for a in range(0, last, rows):
            if scale:
                x = self.torch.randn(shape, dtype=self.torch.float64, **options) * scale
            else:
                grid = self.torch.randint(0, 1 << 52, shape, **options)
                x = (2.0 * grid.double() + 1.0) * 2.0**-52 - 1.0
            yield a, x[: min(rows, last - a)]

    def count(self, x: Any, layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distinct packed patterns, how often each was met, and the points in doubt."""
        torch = self.torch
        bits, doubt = self.floats(x)
        bits = bits[~doubt]
        wide = torch.zeros((len(bits), 64 * layout.words), dtype=torch.int64, device=self.device)
        wide[:, : bits.shape[1]] = bits
        words = (wide.reshape(len(bits), layout.words, 64) * self.powers).sum(2)
        found, count = torch.unique(words, dim=0, return_counts=True)
        plain = found.cpu().numpy().view(np.uint64)
        return plain, count.cpu().numpy(), x[doubt].cpu().numpy()
