"""The checker of proofs: it accepts what is true, and refuses, with a place, what is not."""

import hashlib
import json
import random
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from proof_mutations import MUTATIONS, Dossier
from proof_writer import Statement, Writer, encode, load, network_members, save

import linregions as lr
from linregions import check_regions as checker
from linregions.cli.app import main
from linregions.testing import oracle
from linregions.testing.networks import random_network


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
    """True, or the words of a refusal (or of a file that cannot be read): one line with a place."""
    try:
        assert checker.check(path, workers=1)["accepted"] is True
    except (checker.Refused, checker.Unreadable) as error:
        assert ": " in str(error) and len(str(error)) < 400
        return str(error)
    return True


def ours(seed, path):
    """The library's own proof of the seed's case, where it takes one."""
    net, domain, _ = case(seed)
    answer = lr.count(net, domain, kind=("activation", "affine")[seed % 2], proof=path)
    said, _ = load(path)
    statement = Statement(lr.load(net), domain, said["coordinates"] or False)
    return statement, answer.also.get("affine", answer if seed % 2 else None)


def reference(seed, path):
    """The proof that the tests' own prover writes of the seed's case."""
    statement, writer = written(seed, path)
    return statement, len({output for *_, output in writer.leaves})


def mutated(prove, seed, tmp_path):
    """All mutations of one proof: how many were refused and accepted, as they had to be."""
    path, rng, tally = tmp_path / "proof", random.Random(seed), {True: 0, False: 0}
    statement, maps = prove(seed, path)
    assert verdict(path) is True
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


@pytest.mark.parametrize("prove", [reference, ours])
def test_mutations(prove, tmp_path):
    found = [mutated(prove, seed, tmp_path) for seed in range(20)]
    assert sum(f[False] for f in found) > 200 and sum(f[True] for f in found) > 40


@pytest.mark.slow
@pytest.mark.parametrize("prove", [reference, ours])
def test_mutations_of_two_hundred(prove, tmp_path):
    for seed in range(30, 230):
        mutated(prove, seed, tmp_path)


def test_counts_are_those_of_the_oracle(tmp_path):
    for seed in range(300, 340):
        net, _, domain = case(seed)
        if domain is not False:
            written(seed, tmp_path / "proof")
            answer = checker.check(tmp_path / "proof", workers=1)
            assert answer["regions"] == len(oracle.activation_patterns(net, domain))


@pytest.mark.parametrize("kind", ["linear", "affine"])
def test_kinds_of_maps(kind, tmp_path):
    count, least = getattr(oracle, {"linear": "linear_regions", "affine": "affine_maps"}[kind]), 0
    for seed in range(400, 420):
        net, _, domain = case(seed)
        if domain is False:
            continue
        _, writer = written(seed, tmp_path / "proof", kind=kind)
        answer = checker.check(tmp_path / "proof", workers=1)
        assert answer["regions"] == count(net, domain) and answer["kind"] == kind
        least += len(writer.leaves) - answer["regions"]
    assert least > 0


# -- one proof, many ways to ask ------------------------------------------------------------------

SEED = 25  # of a proof in several parts


@pytest.fixture
def proof(tmp_path):
    """A proof in parts, its statement and its number of regions."""
    statement, writer = written(SEED, tmp_path / "proof", parts=0.5)
    assert len(writer.parts) > 2
    return tmp_path / "proof", statement, len(writer.leaves)


def alone(*arguments):
    """The file run by itself, in a Python that sees no package of ours."""
    command = [sys.executable, "-I", "-S", checker.__file__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_it_stands_alone(proof, tmp_path):
    path, statement, regions = proof
    code, out = alone(path)
    assert code == 0 and out.startswith(f"accepted: {regions} activation regions")
    code, out = alone(path, "--json", "--workers", "2")
    facts = json.loads(out)
    assert code == 0 and facts["accepted"] is True and facts["regions"] == regions
    assert facts["network"] == statement.net.hash and facts["kind"] == "activation"
    assert facts["domain"] == statement.domain.describe()
    said, members = load(path)
    save(tmp_path / "false", {**said, "total": regions + 1}, members)
    code, out = alone(tmp_path / "false")
    assert code == 1 and out.startswith("refused: proof.json: ") and out.count("\n") == 1
    code, out = alone(tmp_path / "false", "--json")
    assert code == 1 and json.loads(out)["accepted"] is False and json.loads(out)["why"]
    (tmp_path / "none").write_bytes(path.read_bytes()[:-30])
    assert alone(tmp_path / "none")[0] == alone(tmp_path / "missing")[0] == 2


def test_workers_agree(proof):
    path, _, regions = proof
    calls = []
    for workers in (1, 2):
        answer = checker.check(path, workers, progress=lambda *numbers: calls.append(numbers))
        assert answer["regions"] == regions
    assert calls[-1][0] == calls[-1][1] == answer["parts"] + 1 and calls[-1][2] == regions


def test_empty_blocks_may_end_a_stream(proof, tmp_path):
    path, *_ = proof
    said, members = load(path)
    for more, true in ((bytes(12), True), (bytes(24), True), (bytes(5), False)):
        data = members["root"] + more
        root = {**said["root"], "sha256": hashlib.sha256(data).hexdigest()}
        save(tmp_path / "longer", {**said, "root": root}, {**members, "root": data}, whole=True)
        assert (verdict(tmp_path / "longer") is True) == true


def test_a_refusal_in_a_worker_says_where(proof, tmp_path):
    path, *_ = proof
    said, members = load(path)
    name = f"parts/{said['parts'][-1]['name']}"
    save(tmp_path / "false", said, {**members, name: members[name] + b"\0"}, whole=True)
    for workers in (1, 2):
        with pytest.raises(checker.Refused, match=f"^{name}, record "):
            checker.check(tmp_path / "false", workers)


def test_a_journal_spares_what_was_accepted(proof, tmp_path, monkeypatch):
    path, _, regions = proof
    journal, walked, walk = tmp_path / "journal", [], checker.Walk

    def counting(whole, name):
        walked.append(name)
        return walk(whole, name)

    monkeypatch.setattr(checker, "Walk", counting)
    checker.check(path, 1, journal)
    every = walked[:]
    lines = journal.read_text().splitlines(keepends=True)
    assert len(lines) == len(every) > 3
    walked.clear()
    assert checker.check(path, 1, journal)["regions"] == regions and not walked
    journal.write_text("".join(lines[:2]) + lines[2][:20])  # stopped in the middle of a line
    assert checker.check(path, 1, journal)["regions"] == regions and walked == every[2:]
    said, members = load(path)  # another statement: nothing of the journal counts
    save(tmp_path / "other", {**said, "domain": {**said["domain"], "description": "x"}}, members)
    walked.clear()
    assert checker.check(tmp_path / "other", 1, journal)["regions"] == regions and walked == every
    last = every[-1]  # the same statement, but a part that is no longer the one that was accepted
    save(tmp_path / "false", said, {**members, last: members[last] + b"\0"}, whole=True)
    with pytest.raises(checker.Refused, match=last):
        checker.check(tmp_path / "false", 1, journal)


def test_noise_is_never_accepted_and_never_a_traceback(proof, tmp_path):
    path, _, _ = proof
    said, members = load(path)
    rng, names = random.Random(1), [n for n in members if n == "root" or n.startswith("parts/")]
    for _ in range(150):
        name = rng.choice(names)
        data = bytearray(members[name])
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data) // 4) * 4
            word = rng.choice([0, 1, 2, 3, 7, 11, 13, 2**31 - 1, -1, -(2**31), 0x7FF80000])
            data[at : at + 4] = struct.pack("<i", word)
        streams = {**members, name: bytes(data)}
        (told := json.loads(json.dumps(said)))["total"] += 1  # no noise can prove this
        for entry in (told["root"], *told["parts"]):
            if entry.get("name", "root") == name.removeprefix("parts/"):
                entry["sha256"] = hashlib.sha256(data).hexdigest()
        save(tmp_path / "noise", told, streams, whole=True)
        assert verdict(tmp_path / "noise") is not True


@pytest.mark.parametrize(
    "change",
    [
        {"total": True}, {"total": 0}, {"total": "3"}, {"total": -1}, {"kind": "closed"},
        {"kind": None},
        {"format": "linregions proof 2"}, {"parts": None}, {"coordinates": []}, {"network": ""},
        {"coordinates": [[9, 0]]}, {"coordinates": [[1, -1]]}, {"root": None}, {"domain": None},
    ],
)  # fmt: skip
def test_statements_that_are_wrong(change, proof, tmp_path):
    path, *_ = proof
    said, members = load(path)
    save(tmp_path / "false", {**said, **change}, members, whole=True)
    assert verdict(tmp_path / "false") is not True


@pytest.mark.parametrize(
    "text", ['{"total": 1, "total": 2}', "[" * 100_000, "NaN", "", "{}", "\xff"]
)
def test_statements_that_are_no_json(text, proof, tmp_path):
    path, *_ = proof
    _, members = load(path)
    with zipfile.ZipFile(tmp_path / "false", "w") as file:
        file.writestr("proof.json", text.encode("latin-1"))
        for name, data in members.items():
            file.writestr(name, data)
    with pytest.raises(checker.Unreadable):
        checker.check(tmp_path / "false", 1)


@pytest.mark.parametrize("change", ["gone", "more", "double"])
def test_members_are_those_of_the_statement(change, proof, tmp_path):
    path, *_ = proof
    said, members = load(path)
    gone = next(n for n in members if n.startswith("arrays/"))
    if change == "gone":
        members = {n: data for n, data in members.items() if n != gone}
    if change == "more":
        members["parts/999999"] = members["root"]
    save(tmp_path / "false", said, members, whole=True)
    if change == "double":
        with zipfile.ZipFile(tmp_path / "false", "a") as file, pytest.warns(UserWarning):
            file.writestr("root", members["root"])
    with pytest.raises(checker.Refused, match="missing, unknown or double"):
        checker.check(tmp_path / "false", 1)


def walls(*rows):
    return [[[[j, str(v)] for j, v in enumerate(row) if v], str(b)] for *row, b in rows]


def one_unit(tmp_path, records, total, domain, W=((1.0,),), b=(0.0,)):
    """The verdict on a proof, written by hand, about one layer of ReLUs."""
    out = (np.ones((1, len(W))), np.zeros(1))
    net = lr.load([(np.array(W), np.array(b)), out])
    k = len(W[0])
    said = {
        "format": checker.FORMAT, "kind": "activation", "total": total, "network": net.hash,
        "domain": {"description": "by hand", "dimension": k, "origin": None, "basis": None}
        | {"rows": domain},
        "coordinates": None, "root": None, "parts": [],
    }  # fmt: skip
    save(tmp_path / "hand", said, {**network_members(net), "root": encode(records)})
    return verdict(tmp_path / "hand")


BOX = walls((1, 1), (-1, 1))
LEAF = {side: [11, [], [0.5 if side else -0.5], ""] for side in (0, 1)}
SPLIT = [6, [0, 1], [], ""]


@pytest.mark.parametrize(
    ("records", "total", "domain", "words"),
    [
        ([SPLIT, LEAF[1], LEAF[0]], 2, BOX, True),
        ([SPLIT, LEAF[0], LEAF[1]], 2, BOX, "not inside row 0"),
        ([[1, [0, 1, 1, 0], [1.0], ""], LEAF[1]], 1, BOX, "does not bound"),
        ([[1, [0, 1, 1, 0], [1.0], ""], LEAF[1]], 1, walls((1, 1), (-1, 0)), "does not bound"),
        ([[1, [0, 1, 1, 2], [1.0], ""], LEAF[1]], 1, walls((1, 1), (-1, 0)), True),
        ([[2, [0, 1, 1, 2], [], ""], LEAF[1]], 1, walls((1, 1), (-1, 0)), True),
        ([[2, [0, 1, 2, 2, 2], [], ""], LEAF[1]], 1, walls((1, 1), (-1, 0)), "independent"),
        ([[1, [0, 1, 1, 3], [1.0], ""], LEAF[1]], 1, walls((1, 1), (-1, 0)), "domain row"),
        ([[3, [0], [], ""], LEAF[1]], 1, BOX, "no multipliers"),
        ([[4, [0, 1], [], ""], LEAF[1]], 1, BOX, "positive somewhere"),
        ([[4, [0, 1], [], ""], LEAF[1]], 1, walls((1, 1), (-1, 0)), True),
        ([[4, [0, 1], [], ""], LEAF[1]], 1, walls((1, 1), (-3, 1)), "positive somewhere"),
        ([[4, [0, 1], [], ""], LEAF[1]], 1, walls((1, 1)), "unbounded"),
        ([[5, [1, 1, 1], [0.75, 1.0], ""], SPLIT, LEAF[1], LEAF[0]], 2, BOX, "positive somewhere"),
        ([[5, [1, 1, 1], [1.0, 1.0], ""], SPLIT, LEAF[1], LEAF[0]], 2, BOX, True),
        ([SPLIT, [5, [0, 1, 0], [0.0, 1.0], ""], LEAF[1], [4, [0, 1], [], ""]], 2, BOX, "positive"),
        ([SPLIT, [3, [0], [], ""], LEAF[1], LEAF[0]], 2, BOX, "no multipliers"),
        ([SPLIT, SPLIT, LEAF[1], LEAF[1], LEAF[0]], 3, BOX, "decided twice"),
        ([LEAF[1]], 1, BOX, "undecided"),
        ([SPLIT, LEAF[1]], 1, BOX, "cut off"),
        ([[7, [0], [], ""], LEAF[1]], 1, BOX, "unit 0 of 0"),
        ([SPLIT, LEAF[1], [11, [], [-1.0], ""]], 2, BOX, "not inside wall"),
        ([SPLIT, LEAF[1], [11, [], [float("nan")], ""]], 2, BOX, "malformed"),
        ([SPLIT, LEAF[1], [12, [], [], "-1/0\n"]], 2, BOX, "malformed"),
        ([SPLIT, LEAF[1], [12, [], [], "-1e0\n"]], 2, BOX, "no number"),
        ([SPLIT, LEAF[1], [12, [], [], "-" + "1" * 5000 + "/" + "3" * 5000 + "\n"]], 2, BOX, True),
        ([SPLIT, LEAF[1], [12, [], [], "-1/2 1\n"]], 2, BOX, "2 coordinates"),
        ([[6, [-1, 1], [], ""], LEAF[1], LEAF[0]], 2, BOX, "row -1"),
        ([[6, [0, 2], [], ""], LEAF[1], LEAF[0]], 2, BOX, "side 2"),
        ([[14, [], [], ""]], 1, BOX, "record 14"),
        ([[0, [], [], ""], SPLIT, LEAF[1], LEAF[0]], 2, BOX, "record 0"),
        ([[13, [1], [], ""]], 1, BOX, "parts/000001 is"),
        ([[4, [0, 0], [], ""], LEAF[0]], 1, walls((1, 0), (-1, 0)), "not inside wall"),
        ([[2, [0, 0, 1, 1], [], ""], LEAF[0]], 1, walls((1, 0), (-1, 0)), "not inside wall"),
    ],
)  # fmt: skip
def test_trees_by_hand(records, total, domain, words, tmp_path):
    found = one_unit(tmp_path, records, total, domain)
    assert found is True if words is True else words in str(found), found


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([[3, [0], [], ""], [11, [], [0.0], ""]], True),  # a row that vanishes: its lower side
        ([[4, [0, 1], [], ""], [11, [], [0.0], ""]], "lower side"),
        ([[4, [0, 0], [], ""], [11, [], [0.0], ""]], True),
        ([[6, [0, 0], [], ""], [11, [], [0.0], ""], [11, [], [0.5], ""]], "not inside row 0"),
    ],
)
def test_a_row_that_vanishes_is_on_its_lower_side(records, words, tmp_path):
    found = one_unit(tmp_path, records, 1, BOX, W=((0.0,),))
    assert found is True if words is True else words in str(found), found


def test_paths_may_be_thousands_deep(tmp_path):
    m = 1500  # deeper than Python's stack: unit i changes sign at i / m, and is split in turn
    records = [[6, [i, 1], [], ""] for i in range(m)] + [[11, [], [1.5], ""]]
    for i in reversed(range(m)):  # where it is off so are the later ones; this is cut short
        records += [[2, [j, 0, 1, i], [], ""] for j in range(i + 1, m)] if m - i < 20 else []
        records.append([11, [], [(2 * i - 1) / (2 * m)], ""])
    W, b = np.ones((m, 1)), -np.arange(m) / m
    words = one_unit(tmp_path, records, m + 1, walls((1, 2), (-1, 2)), W=W, b=b)
    assert "1481 decisions deep" in words and "undecided" in words


# -- the command line and the library -------------------------------------------------------------


def test_library_and_command(proof, tmp_path, capsys):
    path, statement, regions = proof
    statement.net.save(tmp_path / "net.npz")
    net, other = tmp_path / "net.npz", tmp_path / "other.npz"
    lr.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))]).save(other)
    assert lr.check(path, net, workers=1) == lr.check(path, statement.net, workers=1)
    with pytest.raises(lr.Refused, match="about the network"):
        lr.check(path, other)
    with pytest.raises(lr.LinregionsError, match="no proof that can be read"):
        lr.check(net)
    with pytest.raises(lr.LinregionsError, match="workers=0"):
        lr.check(path, workers=0)

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["check", *map(str, arguments)])
        return end.value.code, *capsys.readouterr()

    code, out, err = run(path, net, "--workers", 1)
    assert (
        code == 0 and f"accepted: {regions} activation" in out and "of the model" in out and not err
    )
    code, out, _ = run(path, "--json", "--journal", tmp_path / "journal")
    assert code == 0 and json.loads(out)["regions"] == regions and (tmp_path / "journal").exists()
    code, out, err = run(path, other)
    assert (
        code == 1 and out.startswith("refused: proof.json: ") and out.count("\n") == 1 and not err
    )
    code, out, _ = run(path, other, "--json")
    assert code == 1 and {"accepted", "where", "why"} <= set(json.loads(out))
    for bad in ((net,), (tmp_path / "missing",), (path, "--workers", "none")):
        code, out, err = run(*bad)
        assert (code, out) == (2, "") and err.count("\n") == 1 and "Traceback" not in err
