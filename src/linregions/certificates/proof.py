"""`prove`: count the cells of a problem and write a proof, in parts, by one process or several.

While it is under way the parts lie in a folder beside the file, ``FILE.parts``: one file for each
part that is done, one for each branch that is still to be proved. A count that was stopped goes
on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..files import beside
from ..parallel.coordinator import end
from ..parallel.identity import Identity, coordinates_hash
from ..parallel.pool import Here, processes
from ..progress import check, current, reason_of
from ..search.branch import Branch
from ..search.program import Compiled
from .linear import Joins, leaves
from .part import ProofTask, Prover, Unfinished
from .statement import network_members, statement
from .stream import embed

CHILDREN = 256  # numbers set aside for the branches that one part gives away
FIELDS = Branch._fields


class Answer(NamedTuple):
    """What `prove` found: leaves, statistics, why it stopped (or nothing), bytes of the file."""

    leaves: int
    stats: dict[str, int]
    stopped: str
    size: int


class Limits(NamedTuple):
    """When to stop: after so many leaves, or at this time of ``time.time``."""

    leaves: float
    until: float


def prove(
    problem: Restricted,
    path: Path,
    kind: str,
    total: int | None,
    workers: int | None,
    limits: Limits,
    progress: Callable[[int], None],
) -> Answer:
    """Count the cells of a problem and write down why; see `linregions.count`.

    ``total``: the number that is stated, where it is not that of the cells.
    """
    folder = path.with_name(path.name + ".parts")
    with _opened(folder, problem, kind) as state:
        executor = Here() if workers is None else processes(workers)
        try:
            stopped = _run(problem, state, executor, workers or 1, limits, progress)
        finally:
            end(executor)  # parts that they are at are begun anew
        if stopped:
            return Answer(state.leaves, state.stats, stopped, 0)
        size = _pack(problem, path, kind, total, state)
    shutil.rmtree(folder)
    return Answer(state.leaves, state.stats, "", size)


# -- the folder -----------------------------------------------------------------------------


class ProofState:
    """The parts of a proof that are done, and the branches that are not."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.beside = folder, 0
        self.done: dict[int, dict[str, Any]] = {}
        for file in folder.glob("*.done"):
            self.done[int(file.stem)] = json.loads(file.read_text())
        saved = {int(file.stem) for file in folder.glob("*.npz")}
        born = {0}.union(*(found["children"] for found in self.done.values()))
        self.todo = sorted(born - set(self.done), reverse=True)
        self.next = 1 + max(born | saved)  # some may be of a part that was not finished

    @property
    def leaves(self) -> int:
        """Cells in the parts that are done, and in one that was stopped."""
        return self.beside + sum(found["count"] for found in self.done.values())

    @property
    def stats(self) -> dict[str, int]:
        """How many decisions each argument took."""
        out: dict[str, int] = {}
        for found in self.done.values():
            for name, number in found["stats"].items():
                out[name] = out.get(name, 0) + number
        return out

    def add(self, number: int, found: dict[str, Any]) -> None:
        """A part was finished."""
        self.done[number] = found
        self.todo += found["children"][::-1]


@contextmanager
def _opened(folder: Path, problem: Restricted, kind: str) -> Iterator[ProofState]:
    """The state that lies in the folder; a new folder where there is none."""
    coordinates = coordinates_hash(Compiled(problem))
    identity = Identity.of(problem, kind, coordinates, "")
    label = folder / "identity.json"
    try:
        if folder.exists():
            if not label.is_file():
                raise LinregionsError(
                    f"{folder} is no folder of a proof; remove it, or give "
                    "another name for the proof"
                )
            identity.check(json.loads(label.read_text()), f"the proof begun in {folder}")
        else:
            folder.mkdir()
            label.write_text(json.dumps(asdict(identity)))
        yield ProofState(folder)
    except OSError as error:
        raise LinregionsError(
            f"{folder} cannot be written: {error.strerror or error}; what is done stays there"
        ) from None


def _save(folder: Path, task: ProofTask) -> None:
    assert task.branch is not None
    arrays: dict[str, Any] = dict(zip(FIELDS, task.branch, strict=True))
    np.savez(folder / f"{task.number:06d}.npz", path=task.path, **arrays)


def _load(folder: Path, number: int) -> ProofTask:
    if number == 0:
        return ProofTask(0, np.zeros(0, np.int32), None)
    with np.load(folder / f"{number:06d}.npz", allow_pickle=False) as file:
        return ProofTask(number, file["path"], Branch(*(file[name] for name in FIELDS)))


# -- the work -------------------------------------------------------------------------------


def _run(
    problem: Restricted, state: ProofState, executor: Executor, workers: int, limits: Limits,
    progress: Callable[[int], None],
) -> str:  # fmt: skip
    """Prove all branches; empty, or why it stopped."""
    here = isinstance(executor, Here)
    blob = b"" if here else pickle.dumps(problem, protocol=pickle.HIGHEST_PROTOCOL)
    key = hashlib.sha256(blob).hexdigest()
    prover = Prover(problem) if here else None
    running: dict[Future[Any], int] = {}

    def tick(leaves: int) -> bool:
        progress(state.leaves + leaves)
        late = time.time() > limits.until or bool(current().reason)
        return late or state.leaves + leaves >= limits.leaves

    try:
        while state.todo or running:
            if state.leaves >= limits.leaves:
                return "limit"
            check()
            if time.time() > limits.until:
                return "seconds"
            while state.todo and len(running) < workers + (0 if here else 1):
                number, child = state.todo.pop(), state.next
                state.next += CHILDREN
                if prover is not None:
                    state.add(number, _prove(prover, state.folder, number, child, tick))
                    break
                args = key, blob, str(state.folder), number, child, limits.until
                running[executor.submit(_work, *args)] = number
            if running:
                done, _ = wait(running, 0.1, FIRST_COMPLETED)
                for future in done:
                    number = running.pop(future)
                    found = future.result()
                    if found is None:
                        state.todo.append(number)
                    else:
                        state.add(number, found)
                progress(state.leaves)
    except Unfinished as stop:
        (state.beside,) = stop.args
        return "limit" if state.leaves >= limits.leaves else current().reason or "seconds"
    except KeyboardInterrupt as stop:
        return reason_of(stop)
    return ""


_held: dict[str, Prover] = {}  # of a worker: one at a time


def _work(
    key: str, blob: bytes, folder: str, number: int, child: int, until: float
) -> dict[str, Any] | None:
    """Prove one branch in a process of its own; None where time was over before."""
    if key not in _held:
        _held.clear()
        _held[key] = Prover(pickle.loads(blob))
    try:
        return _prove(_held[key], Path(folder), number, child, lambda _: time.time() > until)
    except Unfinished:
        return None
    except BaseException:
        _held.clear()  # it may have stopped anywhere
        raise


def _prove(
    prover: Prover, folder: Path, number: int, child: int, tick: Callable[[int], bool]
) -> dict[str, Any]:
    """Prove one branch: its part, the branches that it gives away, and the note that it is done."""
    before = prover.search.stats()
    part, new = folder / f"{number:06d}", folder / f"{number:06d}.new"
    found, children = prover.prove(_load(folder, number), new, child, tick)
    after = prover.search.stats()
    for task in children:
        _save(folder, task)
    os.replace(new, part)
    found["children"] = [task.number for task in children]
    found["stats"] = {name: after[name] - before[name] for name in after}
    note = folder / f"{number:06d}.note"
    note.write_text(json.dumps(found))
    os.replace(note, part.with_suffix(".done"))
    if number:
        (folder / f"{number:06d}.npz").unlink()
    return found


# -- the archive ----------------------------------------------------------------------------


def _pack(problem: Restricted, path: Path, kind: str, total: int | None, state: ProofState) -> int:
    """Put the archive together; its size."""
    keys = ("sha256", "count")
    parts = [
        {"name": f"{n:06d}", **{key: state.done[n][key] for key in keys}}
        for n in sorted(state.done)
        if n
    ]
    head = {
        **statement(problem, kind),
        "total": state.leaves if total is None else total,
        "root": {key: state.done[0][key] for key in keys},
        "parts": parts,
    }
    joins = None
    if kind == "linear":
        lines, found = Joins(
            problem, cells := leaves(problem, state.folder, sorted(state.done))
        ).lines()
        if found != total or len(cells) != state.leaves:
            raise ArithmeticError(
                f"the proof has {found} linear regions and the count {total}; report this network"
            )
        joins = "".join(line + "\n" for line in lines)
    with beside(path) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("proof.json", json.dumps(head))
        for name, content in network_members(problem.source).items():
            file.writestr(name, content)
        if joins is not None:
            file.writestr("linear", joins)
        for number in sorted(state.done):
            name, found = f"parts/{number:06d}" if number else "root", state.done[number]
            embed(file, name, state.folder / f"{number:06d}", found["size"], found["crc"])
    return path.stat().st_size
