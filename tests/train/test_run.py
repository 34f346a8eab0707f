"""The means of an epoch, and what a first state costs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnet.train import TrainState
from jaxnet.train.run import Run

key = jax.random.key(0)
state = TrainState(jnp.zeros((), jnp.int32), {}, (), key)
NAMES = "accuracy", "loss", "skipped"
steps = st.lists(
    st.tuples(st.floats(0, 1, width=32), st.floats(width=32), st.booleans(), st.integers(1, 9)),
    min_size=1,
    max_size=20,
)


def trained(steps, cuts):
    run = Run.at(state, 100)
    table = np.array([step[:3] for step in steps], np.float32)
    sizes = np.array([step[3] for step in steps])
    for rows, own in zip(np.split(table, cuts), np.split(sizes, cuts), strict=True):
        run.advance(NAMES, rows, own)
    return run


@given(steps, st.data())
def test_the_means_are_over_examples_however_the_steps_are_cut(steps, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(steps)), max_size=4)))
    run = trained(steps, cuts)
    np.testing.assert_equal(run.means(), trained(steps, []).means())
    assert list(run.means()) == ["loss", "accuracy", "skipped"]
    kept = [step for step in steps if not step[2]]
    seen, counted = (sum(step[3] for step in part) for part in (steps, kept))
    mean = sum(step[0] * step[3] for step in kept) / counted if kept else np.nan
    assert run.means()["accuracy"] == pytest.approx(mean, nan_ok=True)
    assert run.means()["skipped"] == pytest.approx(1 - counted / seen)
    assert (run.step, run.index, run.seen) == (len(steps), len(steps), seen)


def test_an_optimizer_is_set_up_by_a_program_that_is_kept():
    calls = []
    plain = optax.adam(0.1)
    tx = optax.GradientTransformation(
        lambda params: calls.append(1) or plain.init(params), plain.update
    )
    for _ in range(3):
        TrainState.create({"w": jnp.ones(3)}, tx, key)
    assert len(calls) == 1
    TrainState.create({"w": jnp.ones(4)}, tx, key)
    assert len(calls) == 2
