"""Work under way: what it tells, how long it may take, and how it is stopped.

A verb hands its work to `watched`, which runs it in a thread of its own and waits for it. The
waiting thread is the caller's, so it sees Ctrl-C at once, looks at the clock, and calls the
caller's ``progress``; the work never meets an interrupt between two of its own lines. It is
stopped at places of its choosing: where it calls `Deadline.check`, and in compiled kernels, which
return soon after somebody writes into their trip wire (`Deadline.wire`).

What runs neither (a compilation, a foreign solver) is left behind where it does not end within
`GRACE` of being told: the caller has its answer, the thread ends on its own.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

import numpy as np

from .caching import told
from .errors import Interrupted, LinregionsError

GRACE = 0.7  # seconds that stopped work has to hand over what it found
BEAT = 0.5  # seconds without news after which the caller is told that work goes on
NAP = 0.05  # seconds between looks at the clock

T = TypeVar("T")
Progress = Callable[["Status"], None]


@dataclass(frozen=True)
class Status:
    """What a progress callable receives: regions so far, seconds, and what is being done.

    ``total`` is an estimate of all regions, once there is one (and an interval for it). ``hint``
    says what to ask instead, where work of this size seldom ends.
    """

    regions: int
    seconds: float
    stage: str = "search"
    total: float | None = None
    hint: str = ""

    @property
    def share(self) -> float | None:
        """Part of the regions that is counted, by the estimate; below 1 until it is all."""
        return None if self.total is None else min(self.regions / self.total, 0.999)

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take, by the estimate."""
        done = self.share
        return self.seconds * (1.0 - done) / done if done else None

    @property
    def rate(self) -> float:
        """Regions per second."""
        return self.regions / self.seconds if self.seconds > 0 else 0.0


class Stopped(KeyboardInterrupt):
    """Raised inside work that is to stop.

    ``reason`` is ``seconds`` or ``interrupt``; ``partial`` the answer of the verb that it passes.
    """

    def __init__(self, reason: str, partial: Any = None) -> None:
        super().__init__(reason)
        self.reason, self.partial = reason, partial


class Deadline:
    """Until when a piece of work may run, and the one place where it is told to stop.

    Parameters
    ----------
    seconds
        Time it may take, compilation not counted; None: any.
    parent
        The work that this is a part of; it stops with it.

    Attributes
    ----------
    reason
        Why it is to stop: empty, ``seconds`` or ``interrupt``.
    stage, hint
        For those who watch; see `Status`.
    grace
        Seconds that it has to hand over what it found once it is told; who has a file under way
        takes more.
    """

    def __init__(self, seconds: float | None = None, parent: Deadline | None = None) -> None:
        self.seconds, self.parent = seconds, parent
        self.reason, self.stage, self.hint = "", "setup", ""
        self.grace = GRACE
        self.known: Callable[[], int] = lambda: 0  # regions found so far
        self.watched = parent is not None and parent.watched
        self._lock = threading.RLock()
        self._wires: list[tuple[np.ndarray, int]] = []
        self._parts: list[Deadline] = []
        self._begin, self._paused, self._pause = time.perf_counter(), 0.0, 0.0
        if parent is not None:
            with parent._lock:
                parent._parts.append(self)
            if parent.reason:
                self.trip(parent.reason)

    @property
    def elapsed(self) -> float:
        """Seconds so far, without those that compiling took."""
        return time.perf_counter() - self._begin - self.paused

    @property
    def paused(self) -> float:
        """Seconds so far that compiling took."""
        return self._paused + (time.perf_counter() - self._pause if self._pause else 0.0)

    @property
    def left(self) -> float:
        """Seconds until it must end, that of the work around it included; infinite: any."""
        mine = float("inf") if self.seconds is None else self.seconds - self.elapsed
        return mine if self.parent is None else min(mine, self.parent.left)

    def trip(self, reason: str) -> None:
        """Tell this work and all its parts to stop (from any thread)."""
        with self._lock:
            self.reason = self.reason or reason
            for array, place in self._wires:
                array[place] = 1
            parts = list(self._parts)
        for part in parts:
            part.trip(reason)

    def look(self) -> None:
        """Trip what is late, this and its parts."""
        if not self.reason and self.seconds is not None and self.elapsed >= self.seconds:
            self.trip("seconds")
        with self._lock:
            parts = list(self._parts)
        for part in parts:
            part.look()

    def check(self) -> None:
        """Raise `Stopped` where this work is to stop. Cheap: call it in every long loop."""
        if self.ended():
            raise Stopped(self.reason)

    def ended(self) -> str:
        """Why it is to stop, now; empty: it is not.

        What is late is the outermost work whose time is over, and all its parts with it.
        """
        if not self.reason and self.left <= 0.0:
            if self.parent is not None and self.parent.left <= 0.0:
                self.parent.ended()
            else:
                self.trip("seconds")
        return self.reason

    @contextmanager
    def wire(self, array: np.ndarray, place: int) -> Iterator[None]:
        """While a kernel runs: ``array[place]`` becomes 1 when it is to return."""
        with self._lock:
            if not self.reason:
                array[place] = 0
                self._wires.append((array, place))
            else:
                array[place] = 1
        try:
            yield
        finally:
            with self._lock:
                self._wires = [w for w in self._wires if w[0] is not array]
            array[place] = 0

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Time that is charged to nobody, as that of compiling."""
        with self._lock:
            outer, self._pause = self._pause, self._pause or time.perf_counter()
        try:
            if self.parent is None:
                yield
            else:
                with self.parent.pause():
                    yield
        finally:
            if not outer:
                with self._lock:
                    self._paused += time.perf_counter() - self._pause
                    self._pause = 0.0

    @contextmanager
    def current(self) -> Iterator[Deadline]:
        """Make it what `current` gives in this thread."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)
            if self.parent is not None:
                with self.parent._lock:
                    self.parent._parts.remove(self)

    def status(self) -> Status:
        """What can be said from outside."""
        return Status(self.known(), self.elapsed, self.stage, hint=self.hint)


class Stopwatch:
    """Seconds since it was made, without those that compiling took in the work of this thread."""

    def __init__(self) -> None:
        self._clock = current()
        self._begin = time.perf_counter() - self._clock.paused

    @property
    def seconds(self) -> float:
        """The time on it."""
        return time.perf_counter() - self._begin - self._clock.paused


_never = Deadline()
_current: contextvars.ContextVar[Deadline] = contextvars.ContextVar("deadline", default=_never)
abandoned: list[threading.Thread] = []  # those that did not stop when told to


def current() -> Deadline:
    """The deadline of the work that this thread is doing; one without end where there is none."""
    return _current.get()


def check() -> None:
    """Raise `Stopped` where the work of this thread is to stop."""
    _current.get().check()


def reason_of(error: BaseException) -> str:
    """Why work was stopped: ``seconds`` or ``interrupt``."""
    return getattr(error, "reason", "") or current().reason or "interrupt"


def tell(progress: Progress | None, status: Status) -> None:
    """Call ``progress``; where it raises KeyboardInterrupt, the work is to stop."""
    if progress is None:
        return
    try:
        progress(status)
    except Stopped:
        raise
    except KeyboardInterrupt as error:
        clock = current()
        if clock is _never:
            raise
        clock.trip("interrupt")
        raise Stopped(clock.reason) from error


def watched(
    work: Callable[[Progress | None], T],
    seconds: float | None = None,
    progress: Progress | None = None,
    otherwise: Callable[[Deadline], T] | None = None,
    on_interrupt: str = "raise",
) -> T:
    """Do some work that ends in time, can be interrupted, and tells how it goes.

    Parameters
    ----------
    work
        Called with a progress callable (or None). It ends early, with what it has, when
        `Deadline.reason` of `current` is set, or lets `Stopped` out.
    seconds
        When it is told to stop.
    progress
        Called in the caller's thread, for what work tells and at least every `BEAT` seconds.
    otherwise
        The answer where work, told to stop, gives none within `GRACE`.
    on_interrupt
        ``raise``: an answer that does not know of the interrupt that came meanwhile (it was done
        by then) is raised as `Interrupted`, so that the loop around it ends.

    Raises
    ------
    LinregionsError
        Where the time ended before there was any answer, and ``otherwise`` is not given.
    Interrupted
        After Ctrl-C, where work gave no answer within `GRACE`; a plain KeyboardInterrupt at once
        after a second one.
    """
    around = current()
    clock = Deadline(seconds, None if around is _never else around)
    if clock.watched:  # by the one who waits for the work that this is a part of
        with clock.current():
            try:
                return work(progress)
            except KeyboardInterrupt as stop:
                if otherwise is None or around.reason or around.left <= 0.0:
                    raise
                return _instead(clock, otherwise, reason_of(stop))
    clock.watched = True
    return _Watch(clock, progress).wait(work, otherwise, on_interrupt)


def _instead(clock: Deadline, otherwise: Callable[[Deadline], T] | None, reason: str) -> T:
    if otherwise is not None:
        return otherwise(clock)
    if reason == "interrupt":
        raise Interrupted
    raise LinregionsError(
        f"stopped after {clock.seconds:g} s ({clock.stage}) with nothing to show yet; give more "
        "seconds, or a smaller domain (a Plane, a Segment, a Box of few sides)"
    )


def _unaware(answer: Any) -> bool:
    return getattr(answer, "stopped", "") != "interrupt"


class _Watch:
    """The caller's side of `watched`."""

    def __init__(self, clock: Deadline, progress: Progress | None) -> None:
        self.clock, self.progress = clock, progress
        self.mail: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.told = time.perf_counter()
        self.patience = float("inf")  # until when stopped work is waited for

    def wait(self, work: Callable[[Progress | None], T], otherwise: Any, on_interrupt: str) -> T:
        clock, pressed = self.clock, False
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._body, work), daemon=True)
        while True:
            kind, value = "", None
            try:
                if thread.ident is None:
                    thread.start()
                kind, value = self._news()
            except KeyboardInterrupt:
                if pressed:  # for the second time
                    abandoned.append(thread)
                    raise
                pressed = True
                clock.trip("interrupt")
                self.patience = time.perf_counter() + clock.grace
            except BaseException:
                clock.trip("interrupt")
                raise
            pressed = pressed or clock.reason == "interrupt"
            if kind == "value":
                if pressed and on_interrupt == "raise" and _unaware(value):
                    raise Interrupted(value if hasattr(value, "stopped") else None)
                return cast(T, value)
            if kind == "error" and isinstance(value, MemoryError):
                raise LinregionsError(
                    f"{value or 'out of memory'} ({clock.stage}), which this machine does not "
                    "give; a plane or a segment (`subdivide`, `crossings`), or `sample`, takes a "
                    "small part of it"
                ) from value
            if kind == "error" and not isinstance(value, KeyboardInterrupt):
                raise cast(BaseException, value)
            late = time.perf_counter() > self.patience
            if late and not kind:
                abandoned.append(thread)
            if late or kind:
                return _instead(clock, otherwise, "interrupt" if pressed else clock.reason)

    def _news(self) -> tuple[str, Any]:
        """What the work has to say; nothing, after a moment in which it said nothing."""
        try:
            kind, value = self.mail.get(timeout=NAP)
        except Empty:
            self._look()
            return "", None
        if kind != "call":
            return kind, value
        value()
        return "", None

    def _look(self) -> None:
        """Nothing came for a moment: is it late, is it time to say that work goes on?"""
        clock, now = self.clock, time.perf_counter()
        clock.look()
        if clock.reason and self.patience == float("inf"):
            self.patience = now + clock.grace
        if self.progress is not None and now - self.told >= BEAT and not clock.reason:
            self.told = now
            self.progress(clock.status())

    def _body(self, work: Callable[[Progress | None], T]) -> None:
        try:
            with self.clock.current():
                answer = work(None if self.progress is None else self._hand_over)
        except BaseException as error:
            self.mail.put(("error", error))
        else:
            self.mail.put(("value", answer))

    def _hand_over(self, status: Status) -> None:
        """Have the caller's thread call ``progress``; what it raises is raised in the work."""
        assert self.progress is not None
        progress, done, raised = self.progress, threading.Event(), []

        def call() -> None:
            try:
                self.told = time.perf_counter()
                progress(status)
            except BaseException as error:
                raised.append(error)
                if isinstance(error, KeyboardInterrupt):
                    self.clock.trip("interrupt")
            finally:
                done.set()

        self.mail.put(("call", call))
        while not done.wait(GRACE):
            self.clock.check()  # nobody waits any longer
        if raised and not isinstance(raised[0], KeyboardInterrupt):
            raise raised[0]
        self.clock.check()


@contextmanager
def announced(announce: Callable[[str], None] | None = None) -> Iterator[Callable[[], float]]:
    """Time a compilation; ``announce`` is told what is compiled (by default stderr is).

    The time is not charged to the work that waits for it, and what the tiny problem that is
    compiled with finds is nothing that the work has found: it has a deadline of its own. Gives a
    function that returns the seconds since the beginning.
    """
    start, clock = time.perf_counter(), current()
    around = [clock]  # whoever watches one of them is told
    while (parent := around[-1].parent) is not None:
        around.append(parent)
    stages = [one.stage for one in around]
    for one in around:
        one.stage = "compiling"
    try:
        with told(announce), clock.pause(), Deadline(None, clock).current():
            yield lambda: time.perf_counter() - start
    finally:
        for one, stage in zip(around, stages, strict=True):
            one.stage = stage
