"""Positions: scaled rotary frequencies against their published formulas, and what holds always."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")


def linear(waves, size, base, longest):
    return waves / 4, 1.0


def dynamic(waves, size, base, longest):
    longest = max(longest, 16)
    base = base * (4 * longest / 16 - 3) ** (size / (size - 2))
    return np.array([base ** (-2 * i / size) for i in range(size // 2)]), 1.0


def llama3(waves, size, base, longest):
    new = []
    for wave in waves:
        length = 2 * math.pi / wave
        if length < 64 / 4:
            new.append(wave)
        elif length > 64 / 1:
            new.append(wave / 8)
        else:
            smooth = (64 / length - 1) / (4 - 1)
            new.append((1 - smooth) * wave / 8 + smooth * wave)
    return np.array(new), 1.0


def yarn(waves, size, base, longest, *, truncate=True, factor=None):
    def dim(turns):
        return size * math.log(64 / (turns * 2 * math.pi)) / (2 * math.log(base))

    low, high = (math.floor(dim(32)), math.ceil(dim(1))) if truncate else (dim(32), dim(1))
    low, high = max(low, 0), min(high, size - 1)
    ramp = np.clip((np.arange(size // 2) - low) / (high - low), 0, 1)
    return waves / 4 * ramp + waves * (1 - ramp), factor or 0.1 * math.log(4) + 1


def yarn_exact(*args):
    return yarn(*args, truncate=False, factor=1.3)


SCALINGS = [
    (nn.LinearScaling(4.0), linear),
    (nn.DynamicScaling(4.0, 16), dynamic),
    (nn.Llama3Scaling(8.0, 64), llama3),
    (nn.YaRN(4.0, 64), yarn),
    (nn.YaRN(4.0, 64, truncate=False, magnitude=1.3), yarn_exact),
]


@pytest.mark.oracle(
    "nn.LinearScaling", "nn.DynamicScaling", "nn.Llama3Scaling", "nn.YaRN", gradients=True
)
@pytest.mark.parametrize(("scaling", "formula"), SCALINGS)
@pytest.mark.parametrize("places", [(0, 3, 7), (1, 40, 90)])
def test_scaled_frequencies(scaling, formula, places):
    size, base = 16, 500.0
    x, pull = draw((3, 2, size)), draw((3, 2, size), 1)
    waves = base ** (-np.arange(0, size, 2) / size)
    waves, factor = formula(waves, size, base, max(places) + 1)
    angles = np.array(places)[:, None, None] * waves
    matrix = np.zeros((3, 2, size, size))
    for t, h, i in np.ndindex(3, 2, size // 2):
        c, s = factor * np.cos(angles[t, 0, i]), factor * np.sin(angles[t, 0, i])
        j = i + size // 2
        matrix[t, h, i, i], matrix[t, h, i, j] = c, -s
        matrix[t, h, j, i], matrix[t, h, j, j] = s, c
    y, back = jax.vjp(lambda x: nn.rotary(x, jnp.array(places), base=base, scaling=scaling), x)
    close(y, jnp.asarray(np.einsum("thij,thj->thi", matrix, x)))
    close(back(pull)[0], jnp.asarray(np.einsum("thij,thi->thj", matrix, pull)))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.booleans(), st.sampled_from([None, *(s for s, _ in SCALINGS[2:])]))
def test_scores_depend_on_differences_only(shift, interleaved, scaling):
    def scores(positions):
        q, k = (
            nn.rotary(draw((4, 1, 8), i), positions, interleaved=interleaved, scaling=scaling)
            for i in range(2)
        )
        return jnp.einsum("thk,shk->ts", q, k)

    close(scores(jnp.arange(4) + shift), scores(jnp.arange(4)))


@pytest.mark.parametrize("interleaved", [False, True])
def test_turning_keeps_lengths(interleaved):
    x = draw((2, 5, 3, 8))
    y = nn.rotary(x, interleaved=interleaved)
    close(jnp.square(y).sum(-1), jnp.square(x).sum(-1))
    close(y[:, 0], x[:, 0])


def test_examples_are_scaled_apart():
    x, scaling = draw((2, 3, 1, 4)), nn.DynamicScaling(2.0, 4)
    places = jnp.array([[0, 1, 2], [0, 1, 50]])
    turn = jax.jit(lambda x, places: nn.rotary(x, places, scaling=scaling))
    close(turn(x, places)[0], turn(x[0], places[0]))


def test_sines_of_shifted_positions_are_turned():
    shifted, still = nn.sinusoidal(jnp.arange(4) + 3, 6), nn.sinusoidal(4, 6)
    close(shifted @ shifted.T, still @ still.T)


def test_unknown_positions_are_nan_under_jit():
    layer = nn.LearnedPosition(3)
    params = {"kernel": draw((3, 2))}
    y = jax.jit(lambda places: layer(params, jnp.zeros((2, 2)), positions=places))(
        jnp.array([1, 3])
    )
    close(y[0], params["kernel"][1])
    assert jnp.isnan(y[1]).all()


def test_buckets_widen_to_the_last():
    layer = nn.RelativePosition(1, buckets=8, distance=20, bidirectional=False)
    params = {"kernel": jnp.arange(8.0)[:, None]}
    bias = layer(params, jnp.array([30]), jnp.arange(40))[0, 0]
    assert (bias[30:] == 0).all()
    assert (jnp.diff(bias[:31]) <= 0).all()
    assert (bias[:11] == 7).all()
    assert (bias[27:31] == jnp.array([3.0, 2.0, 1.0, 0.0])).all()
