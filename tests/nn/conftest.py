import jax
import pytest


@pytest.fixture
def strict():
    """Float64, and no silent promotion to another dtype."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        yield
