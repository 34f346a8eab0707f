import json
import subprocess
import sys
from typing import ClassVar

import pytest

from benchmarks import rounds
from benchmarks.contender import Contender
from benchmarks.quiet import _own
from benchmarks.run import agreeing, quartiles, row
from benchmarks.workload import Task, Workload

TASK = Task("none", {"batch": 4}, "cpu")
WORKLOAD = Workload("nothing", {"cpu": {"": {}}}, {"jaxnet": ("",)}, items="batch")


class Fake(Contender):
    """Takes two seconds a unit, and notes in which order the rounds are."""

    order: ClassVar[list] = []

    def start(self):
        if self.variant == "broken":
            raise RuntimeError("it does not start")

    def stop(self):
        self.order.append((self.variant, "stop"))

    def whole(self):
        self.start()
        self.order.append((self.variant, "process"))
        return 2.0

    def run(self, units):
        self.order.append((self.variant, units))
        return 2.0


@pytest.fixture(autouse=True)
def _fresh():
    Fake.order = []


def disturbing(monkeypatch, answers):
    class Watch:
        def disturbed(self):
            return next(answers)

    monkeypatch.setattr(rounds, "Watch", Watch)


def test_contenders_take_turns_and_each_goes_first():
    parts = [Fake("jaxnet", "a", TASK), Fake("jaxnet", "b", TASK)]
    done = rounds.measure(parts, "steps", 4, 0.001, True, print)
    assert [len(each.times) for each in done] == [4, 4]
    timed = [name for name, _ in Fake.order if _ != "stop"][-8:]
    assert timed == ["a", "b", "b", "a", "a", "b", "b", "a"]


def test_disturbed_rounds_are_thrown_away_counted_and_made_again(monkeypatch):
    disturbing(monkeypatch, iter([True, True, False, False, False]))
    (each,) = rounds.measure([Fake("jaxnet", "a", TASK)], "steps", 3, 0.001, True, print)
    assert len(each.times) == 3 and each.disturbed == 2


def test_what_is_always_disturbed_ends_and_is_left_out(monkeypatch):
    disturbing(monkeypatch, iter([True] * 100))
    each = Fake("jaxnet", "a", TASK)
    assert rounds.measure([each], "steps", 3, 0.001, True, print) == []
    assert each.disturbed == 9


def test_one_that_fails_is_named_and_the_others_run():
    said = []
    parts = [Fake("pytorch", "broken", TASK), Fake("jaxnet", "a", TASK)]
    done = rounds.measure(parts, "steps", 2, 0.001, True, said.append)
    assert [each.variant for each in done] == ["a"]
    assert said == ["it does not start"]
    assert ("broken", "stop") in Fake.order


def test_whole_processes_are_run_once_before_and_those_that_fail_are_named():
    said = []
    parts = [Fake("pytorch", "broken", TASK), Fake("jaxnet", "a", TASK)]
    (done,) = rounds.measure(parts, "process", 2, 0.001, True, said.append)
    assert done.times == [2.0, 2.0] and said == ["it does not start"]
    assert Fake.order == [("a", "process")] * 3


def test_alone_they_run_one_after_the_other():
    parts = [Fake("jaxnet", "a", TASK), Fake("jaxnet", "b", TASK)]
    done = rounds.measure(parts, "steps", 5, 0.001, False, print)
    assert [len(each.times) for each in done] == [5, 5]
    assert [name for name, what in Fake.order if what == "stop"] == ["a", "b"]


def test_a_round_is_filled_with_units():
    class Fast(Fake):
        def run(self, units):
            return 0.001

    each = Fast("jaxnet", "a", TASK)
    rounds.measure([each], "steps", 1, 0.05, True, print)
    assert each.units == 50


def test_who_computes_something_else_is_left_out():
    right, wrong = Contender("jaxnet", "", TASK), Contender("flax", "", TASK)
    close, few = Contender("pytorch", "", TASK), Contender("haiku", "", TASK)
    right.numbers, wrong.numbers = [2.0, 1.0], [2.0, 1.1]
    close.numbers, few.numbers = [2.0, 1.001], [2.0]
    nan = Contender("equinox", "", TASK)
    nan.numbers = [2.0, float("nan")]
    said = []
    done = agreeing([right, wrong, close, few, nan], WORKLOAD, said.append)
    assert done == [right, close]
    assert len(said) == 3 and "flax is left out: it computed [2.0, 1.1]" in said[0]


def test_a_row_says_what_was_measured():
    each = Contender("jaxnet", "step", TASK)
    each.times, each.figures, each.disturbed = [1.0, 4.0, 2.0], {"flops": 8.0}, 3
    made = row(each, WORKLOAD, "none", "", [each])
    assert made["seconds"] == 2.0 and made["quartiles"] == [1.5, 3.0]
    assert (made["items"], made["flops"], made["rounds"], made["disturbed"]) == (4, 8.0, 3, 3)
    assert json.loads(json.dumps(made)) == made
    assert quartiles([5.0]) == (5.0, 5.0, 5.0)


def test_the_time_of_what_we_started_is_our_own():
    before = _own()
    if before == 0.0:
        pytest.skip("only Linux tells")
    program = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    with subprocess.Popen([sys.executable, "-c", program + "\ninput()"], stdin=-1) as process:
        while process.poll() is None and _own() - before < 0.3:
            pass
        assert process.poll() is None
        process.kill()
