"""Shards: the same division on every machine, and parts that are proved to make a whole."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import gaussian, patterns, write_npz

import linregions as lr
from linregions.cli.app import main
from linregions.parallel.prefixes import frontier
from linregions.testing.networks import random_network

NET = gaussian(0, 5, 8, 7, 1)


@pytest.fixture(scope="module")
def parts():
    return [lr.shard(NET, None, i, 3) for i in (1, 2, 3)]


@pytest.mark.parametrize("seed", range(12))
def test_shards_add_up(seed):
    """Max units, several sources, ties, units that vanish; bounded and unbounded."""
    net = random_network(seed, 3, 6, 3)
    for domain in (None, lr.Box(-2, 2)):
        made = [lr.shard(net, domain, i, 3) for i in (3, 1, 2)]
        assert lr.merge(made) == lr.count(net, domain, engine="search")


def test_special_trees_add_up():
    zero = [(np.round(2 * W), 0 * b) for W, b in gaussian(1, 4, 7, 7, 1)]
    thin = [([[1.0], [1 - 2**-53]], [-1.0, -1.0]), ([[1.0, 1.0]], [0.0])]
    affine = [([[1.0]], [0.0])]
    many = gaussian(0, 30, 7, 6, 1)
    for net, domain in ((zero, None), (thin, None), (affine, None), (many, lr.Box(0, 1))):
        made = [lr.shard(net, domain, i, 2) for i in (1, 2)]
        assert lr.merge(made) == lr.count(net, domain, engine="search")


@pytest.mark.parametrize("seed", range(6))
def test_prefixes_are_those_of_the_cells(seed):
    """The frontier is the set of first pieces of all cells, whatever path led to them."""
    net = random_network(seed, 3, 6, 3)
    front = frontier(lr.restrict(net, lr.Box(-2, 2)), 12)
    cells = patterns(net, lr.Box(-2, 2))
    wanted = {cell[: front.units] for cell in cells}
    assert set(map(tuple, front.pieces.tolist())) == wanted
    assert front.pieces.tolist() == sorted(front.pieces.tolist())


def test_each_part_counts_its_prefixes(parts):
    cells = patterns(NET)
    for part in parts:
        mine = set(map(tuple, part.prefixes.tolist()))
        assert part.count == sum(cell[: part.units] in mine for cell in cells)
        assert part.count.complete and part.total >= 96


def test_a_saved_part_comes_back(parts, tmp_path):
    for i, part in enumerate(parts):
        part.save(tmp_path / f"part-{i}")
    back = [lr.Part.load(tmp_path / f"part-{i}") for i in range(3)]
    assert (back[1].prefixes == parts[1].prefixes).all() and back[1].count == parts[1].count
    whole = lr.merge(tmp_path / f"part-{i}" for i in range(3))
    assert whole == lr.count(NET) and whole.complete and whole.kind == "activation"
    assert whole.stats["nodes"] == sum(p.count.stats["nodes"] for p in parts)


def test_a_shard_goes_on_from_its_checkpoint(parts, tmp_path):
    file = tmp_path / "shard.ckpt"
    whole = parts[1].count
    cut = lr.Count(whole.number - 1, replace(whole.report, complete=False, stopped="seconds"))
    with pytest.raises(lr.LinregionsError, match="part 2/3 was stopped by seconds"):
        lr.merge([parts[0], replace(parts[1], count=cut), parts[2]])
    first = lr.shard(NET, None, 2, 3, checkpoint=file)
    with pytest.raises(lr.LinregionsError, match="of shard 2/3; asked for was 1/3"):
        lr.shard(NET, None, 1, 3, checkpoint=file)
    done = lr.shard(NET, None, 2, 3, checkpoint=file)
    assert done.count == first.count == whole
    assert lr.merge([parts[0], done, parts[2]]) == lr.count(NET)


def test_what_does_not_make_a_whole_is_refused(parts):
    one, two, three = parts
    other = [lr.shard(gaussian(1, 5, 8, 7, 1), None, i, 3) for i in (1,)]
    box = lr.shard(NET, lr.Box(-1, 1), 1, 3)
    halves = lr.shard(NET, None, 1, 2)
    swapped = lr.Part(**{**three.__dict__, "prefixes": two.prefixes})
    short = lr.Part(**{**three.__dict__, "prefixes": three.prefixes[1:]})
    floats = lr.Part(**{**one.__dict__, "identity": replace(one.identity, exact=False)})  # of old
    for given, words in (
        ([], "no parts"),
        ([one, three], "of 3 shards, number 2 is missing"),
        ([two], "of 3 shards, 1, 3 are missing"),
        ([one, two, three, two], "shard 2/3 is given twice"),
        ([*other, two, three], "of another network"),
        ([two, three, box], r"part 1/3 is over box \[-1, 1\]\^n; asked for was all of R\^n"),
        ([two, three, halves], "is one of 2 shards, part 2/3 one of 3"),
        ([two, three, floats], "with exact=False"),
        ([one, two, swapped], "the same prefix"),
        ([one, two, short], "do not cover everything"),
    ):
        with pytest.raises(lr.LinregionsError, match=words):
            lr.merge(given)


def test_damaged_parts_are_refused(parts, tmp_path):
    file = tmp_path / "part"
    parts[0].save(file)
    facts = json.loads(file.read_text())
    facts["count"]["regions"] += 1
    for text, words in (
        (json.dumps(facts), "its checksum is wrong"),
        (file.read_text()[:200], "was cut short"),
        ("[]", "no part of a count"),
    ):
        file.write_text(text)
        with pytest.raises(lr.LinregionsError, match=words):
            lr.merge([file])
    with pytest.raises(lr.LinregionsError, match="cannot be read"):
        lr.merge([tmp_path / "none"])


def test_bad_shards_are_refused():
    for index, of in ((0, 2), (3, 2), (1.0, 2)):
        with pytest.raises(lr.LinregionsError, match="1 <= i <= n"):
            lr.shard(NET, None, index, of)


def test_on_the_command_line(tmp_path, capsys):
    def cli(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        return end.value.code, *capsys.readouterr()

    net = write_npz(tmp_path / "net.npz", NET)
    for i in (1, 2):
        code, out, err = cli("count", net, "--shard", f"{i}/2", "-o", tmp_path / f"part-{i}")
        assert code == 0 and f"shard {i}/2" in out, err
    code, out, _ = cli("merge", tmp_path / "part-1", tmp_path / "part-2", "--json")
    answer = json.loads(out)
    assert answer["regions"] == lr.count(NET) and answer["complete"] and answer["parts"] == 2
    code, _, err = cli("merge", tmp_path / "part-1")
    assert code == 2 and "number 2 is missing" in err
    for wrong, words in (
        (("--shard", "1/2"), "needs -o"),
        (("-o", tmp_path / "x"), "give --shard"),
        (("--shard", "3/2", "-o", tmp_path / "x"), "1 <= i <= n"),
        (("--shard", "1/2", "-o", tmp_path / "x", "--kind", "linear"), "only activation regions"),
    ):
        code, _, err = cli("count", net, *wrong)
        assert code == 2 and words in err
