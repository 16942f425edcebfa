"""The checker of proofs: it accepts what is true, and refuses, with a place, what is not."""

import random

import numpy as np
import oracle_units
import pytest
from networks import random_network
from proof_mutations import MUTATIONS, Dossier
from proof_writer import Statement, Writer, save

import linregions as lr
from linregions import check_regions as checker


def case(seed):
    """A random network over a random domain, and the oracle's domain (or False)."""
    rng = random.Random(seed)
    n = rng.randint(1, 3)
    net = random_network(seed, n, 3, rng.randint(1, 3))
    what = rng.choice(["space", "box", "box", "polytope", "flat", "plane"])
    if what == "space":
        return net, lr.Space(), None
    if what == "polytope":
        A = np.vstack([np.eye(n), -np.eye(n), np.ones((1, n))])
        b = np.concatenate([np.full(2 * n, 2.0), [1.5]])
        return net, lr.Polytope(A, b), ("polytope", A, b)
    if what == "flat" and n > 1:
        low, high = np.full(n, -1.0), np.full(n, 1.0)
        low[0] = high[0] = 0.25
        return net, lr.Box(low, high), False
    if what == "plane" and n == 3:
        points = np.random.default_rng(seed).standard_normal((3, 3))
        return net, lr.Plane.through(*points), False
    return net, lr.Box(-2, 2), ("box", [-2] * n, [2] * n)


def written(seed, path, parts=None, **options):
    """A proof of the seed's case: its statement, its writer."""
    net, domain, _ = case(seed)
    rng = random.Random(seed)
    reduce = isinstance(domain, lr.Space) or rng.random() < 0.3
    statement = Statement(net, domain, reduce)
    share = rng.choice([0, 0.15]) if parts is None else parts
    writer = Writer(statement, seed, share, **options)
    writer.write(path)
    return statement, writer


def verdict(path):
    """True, or the words of a refusal (or of a file that cannot be read), in one line with a place."""
    try:
        assert checker.check(path, workers=1)["accepted"] is True
    except (checker.Refused, checker.Unreadable) as error:
        assert ": " in str(error) and len(str(error)) < 400
        return str(error)
    return True


def mutated(seed, tmp_path):
    """All mutations of one proof: how many were refused and accepted, as they had to be."""
    path, rng, tally = tmp_path / "proof", random.Random(seed), {True: 0, False: 0}
    statement, writer = written(seed, path)
    assert verdict(path) is True
    maps = len({output for *_, output in writer.leaves})
    dossier = Dossier(path, statement, maps)
    for mutation in MUTATIONS:
        made = mutation(dossier, rng)
        if made is None:
            continue
        (said, members, *whole), true = made
        save(tmp_path / "mutant", said, members, bool(whole))
        words = verdict(tmp_path / "mutant")
        assert (words is True) == true, f"seed {seed}, {mutation.__name__}: {words}"
        tally[true] += 1
    return tally


def test_mutations(tmp_path):
    found = [mutated(seed, tmp_path) for seed in range(30)]
    assert sum(f[False] for f in found) > 300 and sum(f[True] for f in found) > 80


@pytest.mark.slow
def test_mutations_of_two_hundred(tmp_path):
    for seed in range(30, 230):
        mutated(seed, tmp_path)


def test_counts_are_those_of_the_oracle(tmp_path):
    for seed in range(300, 340):
        net, _, domain = case(seed)
        if domain is not False:
            written(seed, tmp_path / "proof")
            answer = checker.check(tmp_path / "proof", workers=1)
            assert answer["regions"] == len(oracle_units.activation_patterns(net, domain))
