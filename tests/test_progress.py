"""`progress`: deadlines, wires, and work that another thread watches."""

import threading
import time

import numpy as np
import pytest

from linregions.errors import Interrupted, LinregionsError
from linregions.progress import (
    Deadline,
    Status,
    Stopped,
    Stopwatch,
    abandoned,
    announced,
    check,
    current,
    reason_of,
    tell,
    watched,
)


def busy(seconds=60.0):
    """Work that looks at the clock."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        check()
        time.sleep(0.005)
    return "whole"


def test_without_work_there_is_no_end():
    check()
    assert current().left == float("inf")


def test_work_gives_its_answer_and_ends_in_time():
    assert watched(lambda _: 7, 5.0) == 7
    begin = time.perf_counter()
    with pytest.raises(LinregionsError, match=r"stopped after 0.3 s .*nothing to show"):
        watched(lambda _: busy(), 0.3)
    assert time.perf_counter() - begin < 1.3
    assert watched(lambda _: busy(), 0.2, otherwise=lambda clock: clock.reason) == "seconds"


def test_work_that_looks_at_no_clock_is_left_behind():
    free = threading.Event()
    begin, before = time.perf_counter(), len(abandoned)
    got = watched(lambda _: free.wait(30), 0.2, otherwise=lambda clock: "so far")
    assert got == "so far"
    assert 0.2 < time.perf_counter() - begin < 1.9
    assert len(abandoned) == before + 1
    free.set()
    abandoned.pop().join()


def test_an_exception_of_the_work_is_raised():
    with pytest.raises(ZeroDivisionError):
        watched(lambda _: 1 // 0, 5.0)


def test_parts_end_with_what_they_are_parts_of():
    seen = []

    def outer(_):
        try:
            return watched(lambda _: busy(), 30.0, otherwise=lambda clock: "inner")
        except Stopped as stop:
            seen.append(stop.reason)
            raise

    begin = time.perf_counter()
    assert watched(outer, 0.3, otherwise=lambda clock: "outer") == "outer"
    assert seen == ["seconds"]
    assert time.perf_counter() - begin < 1.3


def test_a_part_may_end_before_what_it_is_a_part_of():
    def outer(_):
        return watched(lambda _: busy(), 0.2, otherwise=lambda clock: "inner"), busy(0.1)

    assert watched(outer, 30.0) == ("inner", "whole")


def test_time_that_is_over_is_over_for_what_it_is_a_part_of():
    """Else what a part gave early is taken for its whole answer, until somebody looks."""
    whole = Deadline(0.05)
    with whole.current(), Deadline(None, whole).current() as part:
        time.sleep(0.1)
        with pytest.raises(Stopped):
            part.check()
        assert whole.reason == part.reason == "seconds"
    whole = Deadline()
    with whole.current(), Deadline(0.0, whole).current() as part:
        assert part.ended() == "seconds" and not whole.reason


def test_time_that_is_paused_is_not_charged():
    clock = Deadline(0.2)
    with clock.pause(), clock.pause():
        time.sleep(0.3)
        assert clock.elapsed < 0.1
    clock.check()
    assert clock.elapsed < 0.15
    part = Deadline(None, clock)
    with part.current(), part.pause():
        time.sleep(0.3)
    clock.check()
    time.sleep(0.25)
    with pytest.raises(Stopped):
        clock.check()


def test_compiling_is_not_charged():
    clock = Deadline(0.2)
    with clock.current(), announced() as took:
        assert clock.stage == "compiling"
        time.sleep(0.3)
    clock.check()
    assert clock.stage == "setup"
    assert took() > 0.25


def test_what_a_compilation_finds_is_not_what_the_work_has_found():
    with Deadline().current() as clock:
        with announced():
            current().stage, current().known = "search", lambda: 3  # of the tiny problem
            assert clock.known() == 0 and clock.stage == "compiling"
        assert clock.known() == 0


def test_who_watches_is_told_of_a_compilation_in_a_part():
    with Deadline().current() as whole, Deadline(9.0, whole).current():
        whole.stage, watch = "search", Stopwatch()
        with announced():
            assert whole.stage == "compiling"
            time.sleep(0.2)
            assert watch.seconds < 0.15
        assert whole.stage == "search" and whole.paused > 0.15
        time.sleep(0.05)
        assert 0.04 < watch.seconds < 0.15


def test_a_compilation_stops_with_its_work():
    with Deadline().current() as clock, pytest.raises(Stopped), announced():
        clock.trip("interrupt")
        check()


def test_wires_are_tripped_from_another_thread_and_put_back():
    array = np.zeros(3, np.int64)

    def work(_):
        with current().wire(array, 1):
            while not array[1]:
                time.sleep(0.001)
        return array.tolist()

    begin = time.perf_counter()
    assert watched(work, 0.2) == [0, 0, 0]
    assert time.perf_counter() - begin < 1.2
    clock = Deadline()
    clock.trip("seconds")
    with clock.wire(array, 2):
        assert array[2] == 1  # a kernel that begins too late returns at once
    assert array[2] == 0


def test_progress_is_called_in_the_thread_of_the_caller():
    seen = []

    def report(status):
        seen.append((threading.current_thread(), status))

    def work(progress):
        current().stage, current().known = "search", lambda: 5
        progress(Status(3, 0.0))
        busy(0.8)
        return 1

    assert watched(work, 9.0, report) == 1
    assert {thread for thread, _ in seen} == {threading.current_thread()}
    assert seen[0][1].regions == 3
    assert seen[-1][1].regions == 5  # a heartbeat asks what is known
    assert seen[-1][1].stage == "search"


@pytest.mark.parametrize("heartbeat", [False, True])
def test_what_progress_raises_stops_the_work(heartbeat):
    def report(status):
        raise RuntimeError("enough")

    def work(progress):
        if not heartbeat:
            progress(Status(0, 0.0))
        return busy()

    with pytest.raises(RuntimeError, match="enough"):
        watched(work, 9.0, report)


def test_an_interrupt_that_the_work_did_not_notice_is_not_lost():
    def work(_):
        current().trip("interrupt")  # as the watcher does, when the answer is as good as there
        return 7

    with pytest.raises(Interrupted):
        watched(work, 9.0)
    assert watched(work, 9.0, on_interrupt="return") == 7


def test_an_interrupt_of_progress_is_ctrl_c():
    def report(status):
        raise KeyboardInterrupt

    def work(progress):
        try:
            tell(progress, Status(0, 0.0))
        except KeyboardInterrupt as stop:
            return reason_of(stop)

    assert watched(work, 9.0, report, on_interrupt="return") == "interrupt"
    with pytest.raises(Interrupted):
        watched(lambda _: busy(), 9.0, report)
    with pytest.raises(KeyboardInterrupt):
        tell(report, Status(0, 0.0))
