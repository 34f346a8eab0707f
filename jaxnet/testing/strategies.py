"""Hypothesis strategies for layers and functions on arrays: shapes, dtypes, inputs and keys."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.errors import describe

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as arrays
except ImportError as error:
    raise ImportError(
        "jaxnet.testing.strategies needs hypothesis, which is not installed; "
        "install the extra: pip install -e '.[test]' in a checkout"
    ) from error

# Where kinks, divisions and roots are, and where float32 runs out of digits.
AWKWARD = (0.0, -0.0, 1.0, -1.0, 1e-6, -1e-6, 1e4, -1e4)


def shapes(
    min_axes: int = 0, max_axes: int = 4, *, min_size: int = 1, max_size: int = 6
) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes with ``min_axes`` to ``max_axes`` axes of ``min_size`` to ``max_size`` entries.

    >>> from hypothesis import find
    >>> find(shapes(2, 3), lambda shape: max(shape) > 2)
    (1, 3)
    """
    return arrays.array_shapes(
        min_dims=min_axes, max_dims=max_axes, min_side=min_size, max_side=max_size
    )


def dtypes() -> st.SearchStrategy[Any]:
    """The float dtypes that networks are trained in: float32, bfloat16 and float16.

    >>> from hypothesis import find
    >>> find(dtypes(), lambda dtype: dtype.itemsize == 2)
    dtype(bfloat16)
    """
    return st.sampled_from([jnp.dtype(name) for name in ("float32", "bfloat16", "float16")])


@st.composite
def inputs(draw: st.DrawFn, shape: Any = (3, 4), dtype: Any = jnp.float32) -> jax.Array:
    """Finite float arrays, some of whose values are awkward: signed zeros, equal, tiny, large.

    ``shape`` and ``dtype`` are values or strategies. Raises ValueError unless the dtype is float.

    >>> from hypothesis import find
    >>> find(inputs((2,), "bfloat16"), lambda x: True)
    Array([0, 0], dtype=bfloat16)
    """
    shape, dtype = (draw(x) if isinstance(x, st.SearchStrategy) else x for x in (shape, dtype))
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"inputs are floating point, but dtype={describe(dtype)} was asked for")
    entries = st.sampled_from(AWKWARD) | st.floats(-10, 10, width=32, allow_subnormal=False)
    return jnp.asarray(draw(arrays.arrays(np.float32, shape, elements=entries)), dtype)


def keys() -> st.SearchStrategy[jax.Array]:
    """Typed random keys.

    >>> from hypothesis import find
    >>> jax.random.key_data(find(keys(), lambda key: True))
    Array([0, 0], dtype=uint32)
    """
    return st.integers(0, 2**32 - 1).map(jax.random.key)
