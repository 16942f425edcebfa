"""Without compiling (``NUMBA_DISABLE_JIT=1``) every engine finds what it finds compiled.

So whoever doubts a kernel can step through it.
"""

import json
import os
import subprocess
import sys

CODE = """
import json, warnings
import numpy as np
import linregions as lr
from linregions.network.affine import Affine
from linregions.jit import INTERPRETED
from linregions.network.network import Layer
from linregions.network.units import MaxUnits

warnings.simplefilter("ignore")  # of NumPy: whole numbers that wrap around, divisions by zero

def network(seed, *widths, whole=False):
    rng = np.random.default_rng(seed)
    draw = (lambda *s: rng.integers(-1, 2, s).astype(float)) if whole else (
        lambda *s: rng.normal(size=s))
    return lr.Network.from_layers(
        [(draw(m, n), draw(m)) for n, m in zip(widths, widths[1:])])

def largest(seed):
    rng = np.random.default_rng(seed)
    first = Affine.dense(rng.normal(size=(6, 2)), rng.normal(size=6), 0)
    layer = Layer(first, MaxUnits(((0, 1, 2), (3, 4, 5)), 6))
    return lr.Network(2, (layer,), Affine.identity(2, 1))

box, found = lr.Box(-1.0, 1.0), {}
for name, net in {"random": network(1, 2, 4, 4, 1), "ties": network(2, 2, 4, 4, 1, whole=True),
                  "max": largest(3), "deep": network(4, 3, 3, 3, 1)}.items():
    for kind in ("activation", "linear", "affine"):
        for engine in ("search", "complex"):
            found[f"{name} {kind} {engine}"] = int(lr.count(net, box, kind=kind, engine=engine))
    found[f"{name} all of R^n"] = int(lr.count(net))
wide = network(5, 16, 3, 3, 1)
found["inputs"] = int(lr.count(wide, box, engine="search"))
net = network(1, 2, 4, 4, 1)
found["line"] = int(lr.count(net, lr.Segment([-1.0, -1.0], [1.0, 2.0])))
ends = np.array([[-1.0, -1.0], [1.0, 2.0]])
found["along"] = np.asarray(lr.regions_along(net, ends).regions).tolist()
met = lr.sample(net, box, points=256, seed=1)
found["sample"] = [int(met), met.path]
found["estimate"] = round(float(lr.estimate(network(6, 4, 5, 5, 1), passes=2, seed=1)), 6)
print(json.dumps([INTERPRETED, found]))
"""


def run(plain):
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1" if plain else "0"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 0, done.stderr
    interpreted, found = json.loads(done.stdout)
    assert interpreted == plain
    return found


def test_every_engine_finds_the_same_without_compiling():
    plain, compiled = run(True), run(False)
    assert plain == compiled
    assert len(plain) == 33
    for name in ("random", "ties", "max", "deep"):
        for kind in ("activation", "linear", "affine"):
            assert plain[f"{name} {kind} search"] == plain[f"{name} {kind} complex"] > 1
