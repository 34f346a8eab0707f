"""How a test plants a fault in a layer, and sees that ``check_layer`` finds that one."""

import re
from typing import Any

import jax
import pytest

from jaxnet import nn
from jaxnet.testing import check_layer

X = jax.random.normal(jax.random.key(5), (2, 4))


def faulty(*, claim: str) -> Any:
    """Test that ``check_layer`` says ``claim`` of the layer, a function or an instance."""

    def test_of(fault: Any) -> Any:
        def test() -> None:
            layer = fault if isinstance(fault, nn.Layer) else nn.layer(fault)
            with pytest.raises(AssertionError, match=re.escape(f"breaks the rule: {claim}")):
                check_layer(layer, X)

        return test

    return test_of
