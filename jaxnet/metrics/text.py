"""How well a model of language predicts."""

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_float
from jaxnet.losses.classification import softmax_cross_entropy
from jaxnet.losses.labels import counted
from jaxnet.losses.reduce import shown
from jaxnet.metrics.metric import Metric, streaming


def perplexity(*, ignore: int | None = None, weighted: bool = False) -> Metric:
    """``exp`` of the mean cross-entropy a token: among how many tokens it is as good as guessing.

    ``update(state, logits, labels, weights=None, mask=None)`` takes what
    ``losses.softmax_cross_entropy`` does, logits ``[..., V]`` and class numbers ``[...]``, with the
    same errors. Tokens that ``mask`` takes out or whose number is ``ignore``, such as -100, count
    for nothing, so that padding changes nothing; weights need ``weighted=True``. The mean is over
    the tokens of all batches. Raises ValueError for ``compute`` before any update (under ``jit``
    that is NaN).

    >>> perplexity(ignore=-100)(jnp.zeros((1, 3, 8)), jnp.array([[5, 1, -100]])).round(4)
    Array(8., dtype=float32)
    """
    mean = streaming(softmax_cross_entropy, weighted=weighted)

    def update(
        state: dict[str, jax.Array],
        logits: jax.Array,
        labels: jax.Array,
        *,
        weights: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> dict[str, jax.Array]:
        check_float(logits, "the prediction of perplexity")
        labels, mask = counted(labels, mask, ignore, "perplexity")
        tokens = jnp.ones(logits.shape[:-1], bool)
        return mean.update(
            state, logits, labels, weights=weights, mask=shown(tokens, mask, "perplexity", False)
        )

    return mean._replace(update=update).then(jnp.exp)
