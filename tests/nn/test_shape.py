"""Shapes: moves of elements are undone by their inverses."""

import jax
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.nn import channel_shuffle, depth_to_space, space_to_depth

pytestmark = pytest.mark.usefixtures("strict")


@pytest.mark.parametrize("order", ["DCR", "CRD"])
@settings(deadline=None, max_examples=6)
@given(block=st.lists(st.integers(1, 3), min_size=1, max_size=3), batch=st.integers(0, 2))
def test_depth_to_space_undoes_space_to_depth(order, block, batch):
    spatial = [b * n for b, n in zip(block, (2, 1, 3), strict=False)]
    size = tuple(block)
    x = draw((2,) * batch + (*spatial, 3))

    @jax.jit
    def there_and_back(x):
        return depth_to_space(space_to_depth(x, size, order=order), size, order=order)

    close(there_and_back(x), x)


def test_a_block_of_space_to_depth_is_a_patch():
    x = draw((2, 6, 4, 3))
    close(space_to_depth(x, (3, 2))[1, 1, 0], x[1, 3:6, 0:2].reshape(-1))


@settings(deadline=None, max_examples=5)
@given(groups=st.integers(1, 4), each=st.integers(1, 4))
def test_channel_shuffle_undoes_itself(groups, each):
    x = draw((2, groups * each))
    close(jax.jit(lambda x: channel_shuffle(channel_shuffle(x, groups), each))(x), x)
