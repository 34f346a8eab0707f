"""Regions of interest: what boxes see of simple images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.nn import roi_align, roi_pool

ALIGN = jax.jit(roi_align, static_argnums=2, static_argnames=("samples", "aligned"))
POOL = jax.jit(roi_pool, static_argnums=2)
pytestmark = pytest.mark.usefixtures("strict")


@settings(deadline=None, max_examples=8)
@given(
    corner=st.tuples(st.floats(0.5, 5.0), st.floats(0.5, 5.0)),
    length=st.tuples(st.floats(1.0, 9.0), st.floats(1.0, 9.0)),
    samples=st.sampled_from([None, 1, 3]),
)
def test_the_mean_of_a_plane_is_its_value_at_the_bins_centres(corner, length, samples):
    rows, columns = np.meshgrid(np.arange(16.0), np.arange(16.0), indexing="ij")
    plane = jnp.asarray(2 * rows - 3 * columns)[..., None]
    (x, y), (width, height) = corner, length
    box = jnp.asarray([[x, y, x + width, y + height]])
    found = ALIGN(plane, box, (1, 3), samples=samples)[0, 0, :, 0]
    down = y + height / 2
    across = x + width * (np.arange(3) + 0.5) / 3
    np.testing.assert_allclose(found, 2 * down - 3 * across, rtol=1e-9, atol=1e-9)


def test_whole_boxes_are_cut_out():
    x = draw((2, 6, 7, 3))
    boxes = np.array([[[1.0, 2.0, 4.0, 5.0]], [[0.0, 0.0, 7.0, 6.0]]])
    close(ALIGN(x, boxes, 3, samples=1, aligned=True)[0, 0], x[0, 2:5, 1:4])
    close(POOL(x, boxes - [0, 0, 1, 1], (6, 7))[1, 0], x[1])


def test_boxes_take_no_gradient_and_many_batch_axes_are_welcome():
    x, boxes = draw((2, 1, 5, 6, 3)), abs(draw((2, 1, 4, 4), 1)) * 2
    for roi in (ALIGN, POOL):

        @jax.jit
        def run(x, boxes):
            y, pull = jax.vjp(lambda x, boxes: roi(x, boxes, 2), x, boxes)
            return y, pull(y)[1]

        y, slope = run(x, boxes)
        assert y.shape == (2, 1, 4, 2, 2, 3)
        close(y[1, 0], roi(x[1, 0], boxes[1, 0], 2))
        assert not np.any(slope)
