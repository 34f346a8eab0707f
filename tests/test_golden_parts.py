"""Every part against its reference, values and gradients in float64; see golden/make_parts.py."""

import goldens
import jax
import numpy as np
import pytest

from jaxnet import tree
from jaxnet.core import stats

CASES = goldens.cases()


@pytest.mark.parametrize("name", CASES)
def test_equals_its_reference(name, strict):
    case = CASES[name]
    expected = case.arrays
    results, grads = goldens.pull(case)
    wanted = expected["results"]
    assert len(results) == len(wanted)
    close({str(i): y for i, y in enumerate(results)}, wanted, name)
    if "cotangents" not in expected:
        return
    grads["params"], running = stats.divide(grads["params"])
    close(grads, expected.get("grads", {}), name)
    if "new" in expected:
        old = stats.divide(case.inputs[0])[1]
        close(stats.update(old, running), expected["new"], name)


def close(actual, expected, name):
    actual, expected = tree.flatten(actual), tree.flatten(expected)
    assert set(actual) == set(expected)
    for path, x in expected.items():
        assert actual[path].shape == x.shape, path
        assert np.issubdtype(actual[path].dtype, np.floating) == np.issubdtype(x.dtype, np.floating)
        if np.issubdtype(x.dtype, np.floating):
            assert actual[path].dtype == np.float64, path
        tolerance = goldens.matches(name)
        atol = tolerance / 100 * max(1.0, float(np.abs(x[np.isfinite(x)]).max(initial=0)))
        np.testing.assert_allclose(actual[path], x, rtol=tolerance, atol=atol, err_msg=path)


@pytest.fixture
def strict():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        yield
