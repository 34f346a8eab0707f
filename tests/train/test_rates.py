import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnet.train.rates import Rates

calls = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 9), st.integers(0, 99)))


@given(calls, calls)
def test_rates_leave_the_first_call_of_each_program_out(before, after):
    rates, counted, compiled = Rates(), [], set()
    for part in (before, after):
        fresh = []
        for program, seconds, examples in part:
            rates.add(program, seconds, {"examples": examples})
            if program in compiled:
                fresh.append((seconds, examples))
            compiled.add(program)
        counted += fresh
        assert rates.take() == expected(fresh)
    assert rates.total() == expected(counted) and rates.take() == {}


def test_what_was_compiled_before_counts_at_once():
    rates = Rates(["run"])
    rates.add("run", 2.0, {"steps": 4})
    rates.add("other", 9.0, {"steps": 4})
    assert rates.total() == {"seconds": 2.0, "steps/s": 2.0}


def expected(pairs):
    if not pairs:
        return {}
    seconds, examples = map(sum, zip(*pairs, strict=True))
    return {"seconds": seconds, "examples/s": examples / seconds}


def test_time_does_not_run_backwards():
    with pytest.raises(ValueError, match="seconds must be a number of at least 0, but is -1"):
        Rates().add("run", -1.0, {})
