"""What holds for every part: mistakes are explained, and 16-bit floats stay finite."""

import catalogue
import goldens
import jax
import jax.numpy as jnp
import pytest

import jaxnet as jn

MISTAKES = catalogue.rows("MISTAKES")
CASES = goldens.cases()
NEVER_WRONG = {"optim.max_norm", "optim.non_negative", "optim.unit_norm"}
# The first case of each part stands for all.
FIRST = {case.call: name for name, case in reversed(CASES.items())}


@pytest.mark.parametrize(
    ("mistake", "words"),
    [pytest.param(go, words, id=f"{call}-{i}") for i, (call, go, *words) in enumerate(MISTAKES)],
)
def test_a_mistake_is_explained(mistake, words):
    with pytest.raises(ValueError, match=r".+") as info:
        mistake()
    message = str(info.value)
    assert words, "say what the message must name"
    assert all(word in message for word in words), message
    assert len(message) < 700


@pytest.mark.parametrize("dtype", ["float16", pytest.param("bfloat16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", sorted(FIRST.values()))
def test_half_precision_stays_finite(name, dtype):
    case = CASES[name]
    results, grads = goldens.pull(case, dtype)
    for i, y in enumerate(results):
        wanted = case.arrays["results"][str(i)]
        assert (jnp.isfinite(y) | (abs(wanted) >= 6e4)).all()
        assert y.dtype == dtype or not case.call.startswith("nn.") or y.dtype == wanted.dtype
    for x in jax.tree.leaves(grads):
        assert jnp.isfinite(x).all()


def test_every_part_has_a_mistake():
    """All functions and layers but those that nothing is wrong for."""
    parts = {
        f"{room}.{name}"
        for room in ("nn", "losses", "metrics", "optim")
        for name, value in vars(getattr(jn, room)).items()
        if getattr(value, "__module__", "").startswith(f"jaxnet.{room}") and not is_record(value)
    }
    assert parts - {call for call, *_ in MISTAKES} == NEVER_WRONG


def is_record(value):
    """A named tuple: what parts give and are given."""
    return isinstance(value, type) and issubclass(value, tuple)
