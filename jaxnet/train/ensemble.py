"""Several models in place of one: trained as one program, and asked together.

``params`` stays a plain tree, whose leaves have a first axis of members. What the members agree on
is the prediction, and where they differ says what they do not know.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_key, check_prediction, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array


class Predictive(NamedTuple):
    """What an ensemble predicts, and how sure it is: ``total = aleatoric + epistemic``.

    ``aleatoric`` is what each member thinks uncertain, such as noise in the data, and more data
    does not change; ``epistemic`` is where the members differ, and more data would.
    """

    mean: jax.Array
    total: jax.Array
    aleatoric: jax.Array
    epistemic: jax.Array


def ensemble(run: Callable[[jax.Array], Any], members: int, key: jax.Array) -> Any:
    """``run(key)`` for each of as many keys, as one program: its results stacked.

    ``run`` draws parameters from its key, trains them (see ``pure_fit``) and returns them, or any
    tree of arrays. Each leaf of the result has a first axis of ``members``. A sweep over seeds
    that returns its parameters is an ensemble too.
    Raises ValueError for results that are not arrays.

    >>> params = ensemble(lambda key: {"w": jax.random.normal(key, (3,))}, 5, jax.random.key(0))
    >>> params["w"].shape
    (5, 3)
    """
    check_size(members, "members")
    check_key(key)

    def checked(key: jax.Array) -> Any:
        result = run(key)
        for leaf in jax.tree.leaves(result):
            if not is_array(leaf):
                raise ValueError(
                    f"run must return a tree of arrays, such as params, but returned "
                    f"{describe(leaf)}"
                )
        return result

    return jax.jit(jax.vmap(checked))(jax.random.split(key, members))


def classify(layer: Callable[..., Any], params: Any, x: Any) -> Predictive:
    """The mean probabilities ``[..., C]`` of a stack of classifiers, and entropies ``[...]``.

    ``layer(params, x)`` returns logits ``[..., C]``. With the members' probabilities ``p_m`` and
    the entropy ``H`` in nats: ``mean = E p_m``, ``total = H(E p_m)``, ``aleatoric = E H(p_m)``, and
    ``epistemic`` is their difference, the mutual information between label and member
    (arXiv:1612.01474, arXiv:1703.02910).
    For a large ``x``: ``jn.train.predict(functools.partial(classify, layer), params, x)``.
    Raises ValueError for parameters that are not stacked and for outputs that are no logits.

    >>> sure = jnp.array([[9.0, -9.0], [-9.0, 9.0]])       # two members that disagree
    >>> y = classify(lambda logits, x: logits, sure, None)
    >>> y.mean, y.epistemic.round(2)
    (Array([0.5, 0.5], dtype=float32), Array(0.69, dtype=float32))
    """
    logits = _outputs(layer, params, x)
    check_prediction(logits, "what the layer of classify returns")
    check_axes(logits, 2, "what the members of classify return, stacked,")
    logs = jax.nn.log_softmax(logits.astype(at_least_float32(logits)))
    mean = jax.nn.logsumexp(logs, axis=0) - jnp.log(logits.shape[0]).astype(logs.dtype)
    total, aleatoric = _entropy(mean), _entropy(logs).mean(0)
    # Never negative, since entropy is concave; rounding could make it so.
    return Predictive(jnp.exp(mean), total, aleatoric, jnp.maximum(total - aleatoric, 0))


def regress(layer: Callable[..., Any], params: Any, x: Any) -> Predictive:
    """The mean prediction of a stack of regressors and its variance, all of one shape.

    ``layer(params, x)`` returns a prediction ``y_m``, or ``(y_m, v_m)`` with the variance of the
    noise (the two that ``jn.losses.gaussian_nll`` learns). ``mean = E y_m``,
    ``aleatoric = E v_m``, 0 where members name none, and ``epistemic = Var y_m`` over the members:
    the moments of their equal mixture (arXiv:1612.01474).
    Raises ValueError for parameters that are not stacked and for outputs of other kinds.

    >>> y = regress(lambda w, x: w * x, jnp.array([1.0, 3.0]), jnp.ones(2))
    >>> y.mean, y.epistemic
    (Array([2., 2.], dtype=float32), Array([1., 1.], dtype=float32))
    """
    outputs = _outputs(layer, params, x)
    if not isinstance(outputs, tuple):
        outputs = outputs, jnp.zeros_like(outputs)
    if len(outputs) != 2 or jnp.shape(outputs[0]) != jnp.shape(outputs[1]):
        raise ValueError(
            "the layer of regress must return predictions, or predictions and variances of one "
            f"shape, but for all members returned {', '.join(map(describe, outputs))}"
        )
    means, noise = outputs
    check_prediction(means, "what the layer of regress predicts")
    means = means.astype(at_least_float32(means))
    aleatoric, epistemic = noise.astype(means.dtype).mean(0), means.var(0)
    return Predictive(means.mean(0), aleatoric + epistemic, aleatoric, epistemic)


def _outputs(layer: Callable[..., Any], params: Any, x: Any) -> Any:
    """``layer(params, x)`` of each member, stacked."""
    leaves = jax.tree.leaves(params)
    sizes = {leaf.shape[:1] if is_array(leaf) else () for leaf in leaves}
    if len(sizes) != 1 or sizes == {()}:
        raise ValueError(
            "params must hold several members, each leaf with one first axis of them, as ensemble "
            f"returns, but has {', '.join(map(describe, leaves[:4])) or 'no leaf'}; "
            "stack trees with jax.tree.map(lambda *x: jnp.stack(x), *members)"
        )
    return jax.vmap(layer, in_axes=(0, None))(params, x)


def _entropy(logs: jax.Array) -> jax.Array:
    # xlogy-like: a probability of 0 has a log of -inf, and adds nothing.
    return -jnp.where(jnp.isneginf(logs), 0, jnp.exp(logs) * logs).sum(-1)
