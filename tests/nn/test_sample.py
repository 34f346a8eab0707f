"""Sampling at points: what an affine map of the grid does to the image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.nn import affine_grid, grid_sample

pytestmark = pytest.mark.usefixtures("strict")
GRIDS = [((5,), False), ((4, 5), True), ((2, 3, 4), False)]


def theta(size, *flipped):
    axes = len(size)
    return jnp.asarray(
        np.eye(axes, axes + 1) * [[-1.0 if i in flipped else 1.0] for i in range(axes)]
    )


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize(("size", "corners"), GRIDS)
def test_the_identity_gives_the_image_and_a_flip_its_mirror(size, mode, corners):
    x = draw((2, *size, 3))
    options = {"mode": mode, "align_corners": corners}

    @jax.jit
    def seen(theta):
        grid = affine_grid(theta, size, align_corners=corners)
        return grid_sample(x, jnp.broadcast_to(grid, (2, *grid.shape)), **options)

    close(seen(theta(size)), x)
    # The first coordinate is that of the last axis.
    close(seen(theta(size, 0)), jnp.flip(x, -2))


@settings(deadline=None, max_examples=6)
@given(
    mode=st.sampled_from(["nearest", "linear", "cubic"]),
    padding=st.sampled_from(["border", "reflection"]),
    corners=st.booleans(),
    far=st.floats(0.1, 50.0),
)
def test_a_constant_stays_one_wherever_it_is_seen(mode, padding, corners, far):
    options = {"mode": mode, "padding": padding, "align_corners": corners}
    grid = far * draw((2, 7, 2))
    y = jax.jit(lambda grid: grid_sample(jnp.ones((2, 4, 5, 1)), grid, **options))(grid)
    close(y, jnp.ones((2, 7, 1)))


def test_far_outside_is_zero_with_finite_gradients():
    x, grid = draw((3, 3, 1)), jnp.asarray([[5.0, 0.0], [-1e6, 1e6], [0.0, 0.0]])
    for mode in ("nearest", "linear", "cubic"):

        @jax.jit
        def run(x, grid):
            y, pull = jax.vjp(lambda x, grid: grid_sample(x, grid, mode=mode), x, grid)
            return y, *pull(jnp.ones_like(y))

        y, *slopes = run(x, grid)
        close(y[:2], jnp.zeros((2, 1)))
        assert all(np.isfinite(d).all() for d in slopes)


def test_forward_and_reverse_mode_agree():
    x, grid = draw((4, 5, 2)), 0.8 * draw((6, 2), 1)
    dx, dgrid = draw(x.shape, 2), draw(grid.shape, 3)

    @jax.jit
    def run(x, grid):
        f = lambda x, grid: grid_sample(x, grid, mode="cubic", padding="reflection")
        y, dy = jax.jvp(f, (x, grid), (dx, dgrid))
        return jnp.sin(y), dy, *jax.vjp(f, x, grid)[1](jnp.sin(y))

    y, dy, x_bar, grid_bar = run(x, grid)
    np.testing.assert_allclose(np.vdot(dy, y), np.vdot(x_bar, dx) + np.vdot(grid_bar, dgrid))
