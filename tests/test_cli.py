"""The command line, end to end in processes of its own, and option by option in this one."""

import inspect
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import gaussian, run_cli, write_npz

import linregions as lr
from linregions.cli.app import app, main
from linregions.questions.store import read_regions
from linregions.testing import oracle

NET = gaussian(11, 2, 6, 4, 1)
KEYS = {
    "regions": int,
    "kind": str,
    "exact": bool,
    "complete": bool,
    "engine": str,
    "domain": str,
    "dimension": int,
    "units": int,
    "seconds": float,
    "stats": dict,
}


@pytest.fixture
def model(tmp_path):
    return str(write_npz(tmp_path / "net.npz", NET))


@pytest.fixture
def call(capsys):
    """Run the command line here: exit code, stdout, stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        out = capsys.readouterr()
        return end.value.code, out.out, out.err

    return run


@pytest.fixture
def refused(call):
    """Run something that must fail with exit 2 and one line on stderr."""

    def run(*arguments):
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("linregions: ") and err.count("\n") == 1 and "Traceback" not in err
        return err

    return run


@pytest.fixture
def answer(call):
    """Run with --json: the one object on stdout."""

    def run(*arguments):
        code, out, err = call(*arguments, "--json")
        assert code == 0 and err == "" and out.count("\n") == 1
        return json.loads(out)

    return run


def expected(domain=None):
    return len(oracle.activation_patterns(NET, domain))


# -- end to end ------------------------------------------------------------------------------


def test_counting_in_a_process(model):
    done = run_cli("count", model, "--box=-1,1", "--json")
    assert done.returncode == 0
    facts = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1 and "Traceback" not in done.stderr
    assert facts["regions"] == expected(("box", [-1, -1], [1, 1]))


def test_errors_in_a_process(tmp_path):
    done = run_cli("count", tmp_path / "absent.onnx", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"linregions: {tmp_path / 'absent.onnx'}: no such file\n"


LONG = """
import signal
import sys
from linregions.cli.app import main
import linregions.cli.count, linregions.cli.list
from linregions.merging.compile import compile_kernel
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
compile_kernel()
print("ready", file=sys.stderr, flush=True)
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "command",
    [("count", "--json"), ("count", "--json", "--kind=linear"), ("count",), ("list", "-o")],
)
def test_an_interrupt_in_a_process(tmp_path, command):
    """SIGINT: exit 130, and the answer so far."""
    path = write_npz(tmp_path / "big.npz", gaussian(0, 6, 24, 24, 1))
    verb, *options = command
    target = tmp_path / "out.npz"
    options = [*options, str(target), "--json"] if verb == "list" else options
    process = subprocess.Popen(
        [sys.executable, "-c", LONG, verb, str(path), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip
    try:
        while (line := process.stderr.readline()) and line != "ready\n":
            pass
        assert line == "ready\n"
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130 and "Traceback" not in err
    if "--json" in options:
        facts = json.loads(out)
        assert facts["complete"] is False and facts["stopped"] == "interrupt"
        assert facts["regions"] > 0
    else:
        assert "at least" in out and "interrupt" in out
    if verb == "list":
        signs, points, metadata = read_regions(target)
        assert len(signs) == len(points) == facts["regions"] and metadata["complete"] is False


# -- count -----------------------------------------------------------------------------------


def test_the_json_of_a_count(model, answer):
    facts = answer("count", model)
    for name, kind in KEYS.items():
        assert type(facts[name]) is kind, name
    assert facts["regions"] == expected() == lr.count(NET)
    assert (facts["kind"], facts["exact"], facts["complete"]) == ("activation", True, True)
    assert (facts["engine"], facts["domain"], facts["dimension"], facts["units"]) == (
        "search", "all of R^n", 2, 10,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("-1,1", ("box", [-1, -1], [1, 1])),
        ("-1:1,0:2.5", ("box", [-1, 0], [1, 2.5])),
        ("-1e-1,.5", ("box", [-0.1] * 2, [0.5] * 2)),
        ("-inf:inf,0:inf", ("polytope", [[0, -1]], [0])),
    ],
)
def test_boxes(model, answer, text, domain):
    assert answer("count", model, f"--box={text}")["regions"] == expected(domain)


def test_a_box_as_a_separate_argument(model, answer):
    assert answer("count", model, "--box", "0,1")["regions"] == expected(("box", [0, 0], [1, 1]))


def test_a_box_of_a_property(model, answer, tmp_path):
    text = "(declare-const X_0 Real) (declare-const X_1 Real)\n"
    text += "(assert (<= X_0 0.1)) (assert (>= X_0 -1)) (assert (<= X_1 1)) (assert (>= X_1 0.3))"
    (tmp_path / "p.vnnlib").write_text(text)
    facts = answer("count", model, "--box", tmp_path / "p.vnnlib")
    assert facts["regions"] == expected(("box", [-1, "3/10"], ["1/10", 1]))
    assert facts["domain"] == "box of p.vnnlib"


def test_a_polytope(model, answer, tmp_path):
    A, b = np.array([[1.0, 1], [-1, 2], [0, -1]]), np.array([1.0, 3, 1])
    np.savez(tmp_path / "p.npz", A=A, b=b)
    facts = answer("count", model, "--polytope", tmp_path / "p.npz")
    assert facts["regions"] == expected(("polytope", A, b))


def test_kinds(model, answer):
    linear = answer("count", model, "--kind", "linear")
    assert linear["regions"] == oracle.linear_regions(NET)
    assert linear["also"]["activation"] == expected()
    assert answer("count", model, "--kind=affine")["regions"] == oracle.affine_maps(NET)


def test_other_options_of_a_count(model, answer):
    assert answer("count", model, "--engine", "search")["regions"] == expected()
    assert answer("count", model, "--exact")["exact"] is True
    part = answer("count", model, "--limit", "5")
    assert (part["complete"], part["stopped"]) == (False, "limit")
    assert 5 <= part["regions"] < expected()
    assert answer("count", model, "--seconds", "100")["complete"] is True


def test_seconds(tmp_path, answer):
    path = write_npz(tmp_path / "big.npz", gaussian(0, 6, 24, 24, 1))
    facts = answer("count", path, "--seconds", "0.3")
    assert (facts["complete"], facts["stopped"]) == (False, "seconds")
    assert facts["regions"] > 0 and 0.3 <= facts["seconds"] < 5


def test_the_words_of_a_count(model, call):
    code, out, err = call("count", model, "--box=-1,1")
    assert (code, err) == (0, "")
    assert f"{expected(('box', [-1, -1], [1, 1]))} activation regions" in out
    assert "2-6-4-1, 10 units" in out and "[-1, 1]^2" in out and "exact" in out
    code, out, _ = call("count", model, "--limit=3")
    assert "at least" in out and "--limit" in out
    code, out, _ = call("count", model, "--kind=linear")
    assert "also" in out and f"{expected()} activation" in out


def test_a_network_without_units(tmp_path, call, answer):
    path = write_npz(tmp_path / "affine.npz", [(np.ones((2, 3)), np.ones(2))])
    assert answer("count", path)["regions"] == 1
    code, out, _ = call("count", path)
    assert code == 0 and "1 activation regions" in out


def test_a_network_with_more_patterns_than_floats(tmp_path, call):
    """2^1100 patterns: the perspective must not overflow."""
    path = write_npz(tmp_path / "wide.npz", [(np.ones((1100, 1)), np.arange(1100.0)),
                                            (np.ones((1, 1100)), np.zeros(1))])  # fmt: skip
    code, out, _ = call("count", path)
    assert code == 0 and "1,101 activation regions" in out


# -- list ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_lists_read_back(model, answer, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    target = tmp_path / f"regions{suffix}"
    facts = answer("list", model, "--box=-1,1", "-o", target)
    signs, points, metadata = read_regions(target)
    found = oracle.activation_patterns(NET, ("box", [-1, -1], [1, 1]))
    assert {tuple(row) for row in signs.tolist()} == found and len(signs) == len(found)
    assert facts["regions"] == metadata["regions"] == len(found)
    assert points.shape == (len(found), 2) and (np.abs(points) < 1).all()
    assert (lr.load(model).patterns(points) == signs).all()
    assert metadata["network"] == lr.load(model).hash and metadata["complete"] is True
    assert metadata["domain"] == "box [-1, 1]^n" and metadata["version"] == lr.__version__
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.npz", f"regions{suffix}"]


def test_a_list_is_replaced_as_a_whole(model, call, tmp_path):
    target = tmp_path / "regions.npz"
    target.write_bytes(b"old")
    code, out, _ = call("list", model, "-o", target, "--limit=3")
    assert code == 0 and f"3 regions written to {target}" in out
    signs, _, metadata = read_regions(target)
    assert len(signs) == 3 and (metadata["complete"], metadata["stopped"]) == (False, "limit")


def test_a_list_in_the_terminal(model, call, answer):
    code, out, err = call("list", model)
    lines = out.splitlines()
    assert (code, err) == (0, "") and len(lines) == 21 and "--limit" in lines[-1]
    found = {tuple(map(int, line.split()[0])) for line in lines[:20]}
    assert len(found) == 20 and found <= oracle.activation_patterns(NET)
    code, out, _ = call("list", model, "--limit=1000")
    assert len(out.splitlines()) == expected()
    facts = answer("list", model, "--limit=4")
    assert len(facts["listed"]) == facts["regions"] == 4 and facts["complete"] is False
    for row in facts["listed"]:
        assert lr.load(model).patterns(row["point"]).tolist() == row["pattern"]
    assert len(answer("list", model)["listed"]) == expected()


def test_an_exact_limit_is_complete(model, answer):
    """As many as there are: nothing was cut off."""
    facts = answer("list", model, f"--limit={expected()}")
    assert facts["regions"] == expected()
    assert facts["complete"] is True


def test_lists_of_other_kinds_of_units(tmp_path, answer):
    net = lr.Network.from_layers(NET, activation=lr.Activation((-1, 1), (0, 1, 0), -1))
    net.save(tmp_path / "net.npz")
    facts = answer("list", tmp_path / "net.npz", "--box=-1,1")
    assert {p for row in facts["listed"] for p in row["pattern"]} == {0, 1, 2}
    for row in facts["listed"]:
        assert net.patterns(row["point"]).tolist() == row["pattern"]


@pytest.mark.parametrize("name", ["out.csv", "out", "out.npz.gz", "absent/out.npz"])
def test_targets_that_are_refused(model, refused, tmp_path, name):
    message = refused("list", model, "-o", tmp_path / name)
    assert name in message and (".parquet" in message or "does not exist" in message)
    assert [p.name for p in tmp_path.iterdir()] == ["net.npz"]


def test_a_target_that_cannot_be_written(model, refused, tmp_path):
    (tmp_path / "taken.npz").mkdir()
    message = refused("list", model, "-o", tmp_path / "taken.npz")
    assert "taken.npz" in message
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.npz", "taken.npz"]


def test_limits_of_nothing(model, call, answer):
    code, out, err = call("count", model, "--limit=0")
    assert (code, err) == (0, "") and "at least 0" in out
    facts = answer("count", model, "--limit=0")
    assert (facts["regions"], facts["complete"]) == (0, False)
    assert answer("list", model, "--limit=0")["listed"] == []


def test_a_reader_that_goes_away(model):
    """As in ``linregions list net.npz --limit 100000 | head -1``: no traceback."""
    code = "import sys; from linregions.cli.app import main; main(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "list", model, "--limit=100000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ),
    )  # fmt: skip
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=120) in (0, 1, 141) and b"Traceback" not in err


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_cannot_be_written(model, refused, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert "locked" in refused("list", model, "-o", folder / "out.npz")


def test_an_unwritable_folder_in_proc(model, refused):
    if not os.path.isdir("/proc/self"):
        pytest.skip("no folder that refuses everyone")
    assert "/proc/self/out.npz" in refused("list", model, "-o", "/proc/self/out.npz")


def test_only_activation_regions_are_listed(model, refused):
    assert "only activation regions" in refused("list", model, "--kind=linear")
    assert "nonsense" in refused("list", model, "--kind=nonsense")


# -- info ------------------------------------------------------------------------------------


def test_info(model, call, answer):
    facts = answer("info", model)
    assert (facts["inputs"], facts["outputs"], facts["units"], facts["dimension"]) == (2, 1, 10, 2)
    assert [layer["units"] for layer in facts["layers"]] == [6, 4]
    assert facts["layers"][1]["reads"] == ["layer 1"]
    assert facts["hash"] == lr.load(model).hash
    code, out, err = call("info", model)
    assert (code, err) == (0, "")
    assert "2 inputs, 1 outputs, 10 units" in out and "layer 2: 4 units, relu" in out


def test_info_of_a_wide_network(tmp_path, call):
    path = write_npz(tmp_path / "wide.npz", gaussian(0, 30, 5, 1))
    assert "sees 5 of its 30 dimensions" in call("info", path)[1]


# -- words and mistakes ----------------------------------------------------------------------


def functions(group, words=()):
    """The function of every command, by its words."""
    for word, command in group.resolved_commands().items():
        if command.default_command is not None and not word.startswith("-"):
            yield (*words, word), command.default_command
        yield from functions(command, (*words, word))


COMMANDS = dict(functions(app))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help(call, words):
    code, out, _ = call(*words, "--help")
    assert code == 0 and f"Example: linregions {' '.join(words)} " in " ".join(out.split())


def test_every_command_is_there():
    assert {words[0] for words in COMMANDS} == {
        "count", "list", "info", "merge", "check", "compile", "bounds", "estimate", "plan",
        "sample", "measure", "draw", "paper", "extremes",
    }  # fmt: skip
    assert {words[1] for words in COMMANDS if len(words) == 2} == {
        "crossings", "distance", "volume", "local",
    }  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_takes_few_things(words):
    """At most twelve: options that belong together are one dataclass."""
    assert len(inspect.signature(COMMANDS[words]).parameters) <= 12


def test_the_version_loads_no_numbers():
    code = """
import sys
from linregions.cli.app import _run
assert _run(["--version"]) == 0
print([m for m in ("numpy", "numba", "scipy", "linregions.progress") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n", 1)[1].strip() == "[]"


def test_info_imports_no_other_command():
    code = """
import sys
from linregions.cli.app import app
app.parse_args(["info", "net.npz"])
rooms = {name.split(".")[2] for name in sys.modules if name.startswith("linregions.cli.")}
print(*sorted(rooms))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "info" in done.stdout.split()
    assert not {words[0] for words in COMMANDS if words != ("info",)} & set(done.stdout.split())


def test_help_and_version(call):
    code, out, _ = call("--help")
    assert code == 0 and all(word in out for word in ("count", "list", "info"))
    for words, function in COMMANDS.items():
        first = (inspect.getdoc(function) or "").splitlines()[0]
        assert len(words) == 2 or first in " ".join(out.replace("│", " ").split())
    assert call("--version")[1].strip() == lr.__version__


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("count",),
        ("count", "MODEL", "--frobnicate"),
        ("count", "MODEL", "--limit", "many"),
        ("count", "MODEL", "--limit", "1.5"),
        ("count", "MODEL", "--seconds", "soon"),
        ("count", "MODEL", "MODEL"),
        ("count", "MODEL", "--box"),
        ("list", "MODEL", "-o"),
        ("info", "MODEL", "--box=0,1"),
    ],
)
def test_mistakes_of_usage(model, refused, arguments):
    message = refused(*(model if a == "MODEL" else a for a in arguments))
    assert "--help" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind=nonsense"], "nonsense"),
        (["--kind=closed", "--engine=complex", "--box=-1,1"], 'give engine="search"'),
        (["--engine=magic"], "magic"),
        (["--limit=-1"], "limit=-1"),
        (["--seconds=-1"], "seconds=-1"),
        (["--seconds=nan"], "seconds=nan"),
        (["--box=1,-1"], "empty"),
        (["--box=1"], "--box=1"),
        (["--box=1,2,3"], "--box=1,2,3"),
        (["--box=a,b"], "--box=a,b"),
        (["--box=0:1"], "2 inputs"),
        (["--box=0:1,0:1,0:1"], "2 inputs"),
        (["--box=0:1,2"], "--box=0:1,2"),
        (["--box=nan,1"], "NaN"),
        (["--box="], "--box="),
        (["--box=absent.vnnlib"], "absent.vnnlib"),
        (["--polytope=absent.npz"], "absent.npz"),
        (["--box=0,1", "--polytope=p.npz"], "one domain"),
    ],
)
def test_options_that_are_refused(model, refused, options, message):
    assert message in refused("count", model, *options)


@pytest.mark.parametrize("options", [["--limit=-1"], ["--seconds=-1"], ["--seconds=nan"]])
def test_options_of_a_list_that_are_refused(model, refused, options):
    assert options[0][2:] in refused("list", model, *options)


def test_polytopes_that_are_refused(model, refused, tmp_path):
    path = tmp_path / "p.npz"
    np.savez(path, A=np.ones((1, 2)))
    assert "p.npz" in refused("count", model, "--polytope", path)
    np.savez(path, A=np.ones((1, 3)), b=np.ones(1))
    assert "3 columns" in refused("count", model, "--polytope", path)
    np.savez(path, A=np.ones((1, 2)), b=np.ones(2))
    assert "p.npz" in refused("count", model, "--polytope", path)
    np.savez(path, A=np.array([[1.0, 0], [-1, 0]]), b=np.array([-1.0, -1]))
    assert "no interior" in refused("count", model, "--polytope", path)
    path.write_bytes(b"PK\x03\x04 nothing")
    assert "p.npz" in refused("count", model, "--polytope", path)
    np.save(tmp_path / "a.npy", np.ones(3))
    assert "a.npy" in refused("count", model, "--polytope", tmp_path / "a.npy")


def test_reading_lists_that_are_none(tmp_path):
    for name in ("absent.npz", "absent.parquet", "x.csv"):
        with pytest.raises(lr.LinregionsError, match=name):
            read_regions(tmp_path / name)
    np.savez(tmp_path / "other.npz", W0=np.ones(1))
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 nothing")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 nothing")
    for name in ("other.npz", "damaged.npz", "damaged.parquet"):
        with pytest.raises(lr.LinregionsError, match=name):
            read_regions(tmp_path / name)


# -- whatever is given: an answer or one line ------------------------------------------------------


@pytest.fixture
def files(tmp_path, model):
    """A folder of files of the wrong sort; the command line runs there."""
    np.save(tmp_path / "two.npy", np.array([[0.0, 0], [1, 1]]))
    np.save(tmp_path / "three.npy", np.array([[0.0, 0], [1, 0], [0, 1]]))
    np.save(tmp_path / "far.npy", np.array([[-1e308, 0], [1e308, 0]]))
    np.save(tmp_path / "far3.npy", np.array([[-1e308, 0], [1e308, 0], [0, 1e308]]))
    np.save(tmp_path / "objects.npy", np.array([[{}, 1], [2, 3]], dtype=object))
    np.savez(tmp_path / "objects.npz", A=np.array([[{}, 1]], dtype=object), b=np.ones(1))
    np.savez(tmp_path / "weights.npz", W0=np.array([[{}]], dtype=object), b0=np.ones(1))
    np.savez(tmp_path / "empty.npz")
    for suffix in ("npy", "npz"):
        (tmp_path / f"text.{suffix}").write_text("1.0 2.0\n3.0 4.0\n")
        (tmp_path / f"nothing.{suffix}").touch()
    return tmp_path


@pytest.fixture
def shapeless(tmp_path):
    """A convolution whose file does not say how large images are."""
    onnx_models = pytest.importorskip("onnx_models")
    weight = np.arange(18.0, dtype=np.float32).reshape(2, 1, 3, 3) / 8 - 1
    nodes = [("Conv", "x w", "c"), ("Relu", "c", "y")]
    found = onnx_models.model(nodes, ["N", 1, "H", "W"], {"w": weight})
    target = tmp_path / "open.onnx"
    target.write_bytes(found.SerializeToString())
    np.save(tmp_path / "ends.npy", [np.zeros(16), np.ones(16)])
    np.save(tmp_path / "many.npy", np.random.default_rng(0).random((3, 16)))
    return target


SHAPED = [
    "info MODEL",
    "count MODEL --segment ends.npy",
    "list MODEL --segment ends.npy",
    "estimate MODEL --segment ends.npy --passes 2",
    "plan MODEL --segment ends.npy --seconds 1",
    "sample MODEL --box=-1,1 --points 100",
    "bounds MODEL --box=-1,1",
    "draw MODEL --segment ends.npy -o x.png",
    "measure distance MODEL --data many.npy",
    "measure volume MODEL --segment ends.npy",
    "measure local MODEL --data many.npy --radius 0.1",
    "measure crossings MODEL --segment ends.npy",
    "extremes MODEL --box=-1,1",
]


@pytest.mark.parametrize("line", SHAPED)
def test_the_shape_of_an_input_is_an_option_wherever_a_model_is_read(
    shapeless, refused, call, monkeypatch, line
):
    if "draw" in line:
        pytest.importorskip("matplotlib")
    monkeypatch.chdir(shapeless.parent)
    words = [shapeless if part == "MODEL" else part for part in line.split()]
    assert "open shape" in (message := refused(*words)) and "give --shape=" in message
    name = "--input-shape" if "local" in line else "--shape"
    code, out, _ = call(*words, name, "1,4,4", "--json")
    assert code == 0 and json.loads(out)
    assert "does not fit" in refused(*words, name, "3x4x4")
    assert "3,32,32" in refused(*words, name, "4,,4")


def test_crossings(tmp_path, model, answer, refused, call):
    rng = np.random.default_rng(3)
    points, net = rng.normal(size=(5, 2)) * 2, lr.load(model)
    np.save(tmp_path / "way.npy", points)
    np.save(tmp_path / "two.npy", points[:2])
    ends = np.stack([points[:-1], points[1:]], axis=1)
    for kind in ("activation", "linear"):
        found = answer("measure", "crossings", model, "--data", tmp_path / "way.npy",
                       "--kind", kind, "-o", tmp_path / "t.npz")  # fmt: skip
        assert found["regions"] == lr.crossings(net, ends).count(kind).tolist()
        assert found["exact"] and found["complete"]
    with np.load(tmp_path / "t.npz") as file:
        assert file["t"].tolist() == lr.crossings(net, ends).t.tolist()
        assert np.bincount(file["segment"], minlength=4).tolist() == list(map(len, found["t"]))
    one = answer("measure", "crossings", model, "--segment", tmp_path / "two.npy")
    assert one["t"] == [lr.crossings(net, ends[:1]).t.tolist()]
    line = answer("measure", "crossings", model, "--line", tmp_path / "two.npy")
    assert line["regions"][0] >= one["regions"][0]
    text = call("measure", "crossings", model, "--data", tmp_path / "way.npy")[1]
    assert "4 segments" in text and "exact" in text
    assert "give one of" in refused("measure", "crossings", model)
    both = ["--segment", tmp_path / "two.npy", "--line", tmp_path / "two.npy"]
    assert "give one of" in refused("measure", "crossings", model, *both)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("count MODEL --workers=1000000", "processes on this machine"),
        ("count MODEL --workers=0", "1 or more"),
        ("list MODEL --workers=1000000", "processes on this machine"),
        ("count MODEL --size 2", "--plane"),
        ("count MODEL --box=-1,1 --size 2", "--plane"),
        ("draw MODEL --box=-1,1 --size 2 -o x.png", "--plane"),
        ("measure volume MODEL --box=-1,1 --size 2", "--plane"),
        ("measure local MODEL --data two.npy --radius 1 --dimension 1", "--shape slice"),
        ("count MODEL --no-exact", "--no-exact is gone: every answer is exact; leave it out"),
        ("list MODEL --no-exact", "--no-exact is gone"),
        ("estimate MODEL --no-exact", "--no-exact is gone"),
        ("plan MODEL --no-exact", "--no-exact is gone"),
        ("count MODEL --memory 1G", "--memory"),
        ("count MODEL --scratch .", "--scratch"),
        ("count MODEL -o part", "--shard"),
        ("count MODEL --seconds=nan", "seconds=nan: give a number"),
        ("list MODEL --seconds=nan", "seconds=nan: give a number"),
        ("estimate MODEL --seconds=nan", "seconds=nan"),
        ("sample MODEL --seconds=nan", "seconds=nan"),
        ("plan MODEL --seconds=nan", "seconds=nan"),
        ("count MODEL --polytope three.npy", "not a .npz file but a .npy file"),
        ("count MODEL --polytope text.npz", "not a .npz file; write one"),
        ("count MODEL --polytope nothing.npz", "not a .npz file"),
        ("count MODEL --polytope objects.npz", "Python objects"),
        ("count MODEL --polytope empty.npz", "A is not a file"),
        ("count MODEL --polytope absent.npz", "no such file"),
        ("count MODEL --plane two.npy", "2 points; 3 are needed"),
        ("count MODEL --plane text.npy", "not a .npy file; write one"),
        ("count MODEL --plane nothing.npy", "not a .npy file"),
        ("count MODEL --plane objects.npy", "Python objects"),
        ("count MODEL --plane empty.npz", "but a .npz file"),
        ("count MODEL --segment text.npy", "not a .npy file"),
        ("count MODEL --line absent.npy", "no such file"),
        ("measure distance MODEL --data text.npy", "not a .npy file"),
        ("count text.npz", "not a .npz file"),
        ("info weights.npz", "Python objects"),
        ("bounds --widths 999999999999,999999999999", "999999999999 units"),
        ("bounds --widths 3,-1", "at least 1"),
        ("bounds --widths=", "INPUTS,WIDTH"),
        ("bounds --widths 3", "INPUTS,WIDTH"),
        ("bounds --conv=", "SIZExCHANNELS"),
        ("bounds --conv 28x28x1:0x3x3", "at least 1"),
        ("bounds --conv 9x9x1:3x3x1/0", "at least 1"),
        ("bounds --conv 0x9x1:3x3x1", "at least 1"),
        ("bounds --conv 99999999x99999999x1:3x3x1", "units"),
    ],
)
def test_one_line_for_what_cannot_be(files, model, refused, monkeypatch, line, words):
    monkeypatch.chdir(files)
    message = refused(*(model if part == "MODEL" else part for part in line.split()))
    assert words in message and "pickle" not in message and "context manager" not in message
    for option in ("--plane", "--segment", "--line", "--polytope"):
        assert message.count(f"{option} ") <= 1


@pytest.mark.parametrize(
    "line",
    [
        "count MODEL --box=-1e308,1e308",
        "count MODEL --box=-1e-320,1e-320",
        "count MODEL --segment far.npy",
        "count MODEL --line far.npy",
        "count MODEL --plane far3.npy",
        "measure volume MODEL --box=-1e308,1e308",
        "sample MODEL --box=-1e308,1e308 --points 1000",
        "estimate MODEL --box=-1e308,1e308 --passes 2",
        "list MODEL --box=-1e308,1e308",
        "bounds MODEL --box=-1e308,1e308 --lp",
    ],
)
def test_numbers_at_the_end_of_the_range(files, model, call, monkeypatch, line):
    """An answer, or exit code 2 and one line: never a traceback, never a warning of numpy."""
    monkeypatch.chdir(files)
    code, out, err = call(*(model if part == "MODEL" else part for part in line.split()))
    if code:
        said = [line for line in err.splitlines() if "compil" not in line and "Ctrl-C" not in line]
        assert (code, out, len(said)) == (2, "", 1) and said[0].startswith("linregions: ")
    else:
        assert out and "Warning" not in err and "Traceback" not in err


@pytest.mark.parametrize("error", [OverflowError, ZeroDivisionError, MemoryError, ArithmeticError])
def test_what_no_check_foresaw_is_one_line(model, refused, monkeypatch, error):
    from linregions.cli import count as cli

    def fail(*_, **__):
        raise error("first\nsecond")

    monkeypatch.setattr(cli, "count", fail)
    assert "first second" in refused("count", model)


@pytest.mark.parametrize(
    "line",
    [
        "--widths 0,3", "--widths 3,0,2", "--widths 3,0", "--widths 3,2,0,5",
        "--widths 3,0 --maxout 3", "--conv 28x28x1:3x3x0", "--conv 9x1:3x0",
    ],
)  # fmt: skip
def test_no_width_is_nothing(refused, line):
    assert "must be at least 1, got 0" in refused("bounds", *line.split())


def test_numbers_of_many_digits_are_printed(call, tmp_path):
    """A bound of more than 4,300 digits, of an architecture and of a network."""
    code, out, err = call("bounds", "--widths", "20000,20000", "--json")
    assert code == 0 and len(str(out)) > 6000
    assert all(line.startswith("linregions: left out: ") for line in err.splitlines())
    net = [(np.ones((20_000, 1)), np.zeros(20_000)), (np.ones((1, 20_000)), np.zeros(1))]
    code, out, err = call("info", write_npz(tmp_path / "wide.npz", net))
    assert (code, err) == (0, "")
