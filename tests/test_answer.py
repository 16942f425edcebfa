"""`answer`: what is partial says so, and is never taken for what is whole."""

import copy
import pickle
import warnings
from dataclasses import replace

import pytest

import linregions as lr
from linregions.answer import OPERATIONS, Count, CutShort, Report, handed_over
from linregions.progress import Deadline, Stopped

WHOLE = Report("activation", True, True, "search", "all of R^n", 2, 2, 3, 0.5)
CUT = replace(WHOLE, complete=False, stopped="seconds")


def cut(value=873029, stopped="seconds"):
    return Count(value, replace(CUT, stopped=stopped))


def test_a_whole_count_is_an_int():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        count = Count(12, WHOLE)
        assert (repr(count), str(count), f"{count:>4}", f"{count:,}") == ("12", "12", "  12", "12")
        assert count + 1 == 13 and int(count) == 12 and [10] * count == [10] * 12
        assert handed_over(count) is count


@pytest.mark.parametrize("show", [str, repr, "{}".format, lambda c: f"{c}", lambda c: f"{c:,}"])
def test_a_partial_count_says_so_wherever_it_is_shown(show):
    assert show(cut()) == "at least 873,029 (stopped: seconds)"
    assert str([cut()]) == "[at least 873,029 (stopped: seconds)]"


def test_a_partial_count_in_a_notebook():
    assert cut(7)._repr_html_() == "at least 7 (stopped: seconds)"
    assert Count(7, WHOLE)._repr_html_() == "7"


@pytest.mark.parametrize("name", OPERATIONS)
def test_computing_with_a_partial_count_gives_plain_numbers_and_warns(name):
    operation = getattr(cut(6), f"__{name}__")
    others = (2,) if name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv",
                              "floordiv", "rfloordiv", "mod", "rmod", "divmod", "rdivmod", "pow",
                              "rpow", "lshift", "rlshift", "rshift", "rrshift", "and", "rand",
                              "or", "ror", "xor", "rxor") else ()  # fmt: skip
    with pytest.warns(lr.PartialAnswerWarning, match="at least 6"):
        got = operation(*others)
    assert got == getattr(6, f"__{name}__")(*others)
    assert not isinstance(got, Count)


def test_the_number_itself_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cut(6).number == 6
        assert cut(6).to_dict()["regions"] == 6
        assert cut(6) == 6 and cut(6) < 7 and hash(cut(6)) == hash(6)


def test_copies_keep_the_particulars():
    for other in (pickle.loads(pickle.dumps(cut(5))), copy.copy(cut(5)), copy.deepcopy(cut(5))):
        assert repr(other) == "at least 5 (stopped: seconds)"
        assert other.report == CUT


def test_handing_over():
    with pytest.warns(lr.PartialAnswerWarning, match="at least 9"):
        assert handed_over(cut(9)) == 9
    with pytest.raises(lr.Interrupted) as caught:
        handed_over(cut(9, "interrupt"))
    assert caught.value.partial == 9
    assert isinstance(caught.value, KeyboardInterrupt)
    assert str(caught.value) == "interrupted: at least 9 (stopped: interrupt)"
    with pytest.warns(lr.PartialAnswerWarning):
        assert handed_over(cut(9, "interrupt"), "return") == 9
    with pytest.raises(lr.LinregionsError, match='give "raise" or "return"'):
        lr.count([([[1.0]], [0.0]), ([[1.0]], [0.0])], on_interrupt="ignore")


def test_within_work_that_is_to_stop_a_partial_answer_is_nobodys():
    clock = Deadline()
    with clock.current():
        clock.trip("seconds")
        with pytest.raises(Stopped) as caught:
            handed_over(cut(9))
    assert caught.value.partial == 9
    assert caught.value.reason == "seconds"


def test_an_estimate_that_used_its_time_is_no_cut():
    net = lr.load([([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = handed_over(replace(lr.estimate(net, passes=1), stopped="seconds", complete=False))
    with pytest.raises(lr.Interrupted):
        handed_over(replace(found, stopped="interrupt"))


def test_answers_that_hold_a_part_say_so():
    class Some(CutShort):
        stopped = "seconds"

    assert not Some().complete
    assert Some().remark == " (stopped: seconds)"
