"""A whole training as one pure function, to be compiled, mapped and differentiated as any other.

``vmap`` of it trains many models as one program (see ``sweep``); ``grad`` of it is how the result
changes with a learning rate, a penalty or the data.
"""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe
from jaxnet.data.order import Order
from jaxnet.data.rows import count
from jaxnet.train.feed import gathered
from jaxnet.train.objective import LossFn, Metrics, scored
from jaxnet.train.precision import Precision, as_precision
from jaxnet.train.state import TrainState
from jaxnet.train.step import plain_step

if TYPE_CHECKING:
    import optax

# Examples that validation looks at in one go, which bounds its memory.
_AT_ONCE = 256


def pure_fit(
    loss_fn: LossFn,
    tx: "optax.GradientTransformation",
    state: TrainState,
    data: Any,
    *,
    epochs: int,
    batch_size: int,
    seed: int = 0,
    first: int = 0,
    validation_data: Any = None,
    accumulate: int = 1,
    precision: Precision | str | None = None,
    clip: float | None = None,
    ema: float | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Train for some epochs; returns the state and, for each metric, its means: ``[epochs]``.

    ``loss_fn``, ``tx``, ``data`` and the options of the step are as for ``fit``. The learning rate
    may be traced: ``tx = jn.optim.adam(lr)`` in the function that is mapped. ``validation_data`` is
    looked at after each epoch, without a key and with ``state.averaged``, as ``val_…``.

    The order of the examples is a function of ``seed`` and the number of the epoch, and known when
    the program is made; so all members of a ``vmap`` see the same batches, gathered once. Only
    whole batches are used: the last ``size % batch_size`` examples of an epoch's order are left
    out, others in each epoch. The epochs are those from ``first``: training from 0 to 3 and from
    3 to 5 is training from 0 to 5.

    A loss that is not finite stays one and is not stopped at. Reverse mode keeps what every step
    computed: differentiate short trainings.

    Raises ValueError for data that does not fill a batch and for metrics that are not scalars.

    >>> import jaxnet as jn
    >>> loss_fn = lambda params, batch, key: jnp.square(params["w"] - batch).mean()
    >>> def final(lr):
    ...     tx = jn.optim.sgd(lr)
    ...     state = TrainState.create({"w": jnp.zeros(())}, tx, jax.random.key(0))
    ...     _, history = pure_fit(loss_fn, tx, state, jnp.ones(8), epochs=2, batch_size=8)
    ...     return history["loss"][-1]
    >>> [f"{loss:.2f}" for loss in jax.vmap(final)(jnp.array([0.1, 0.2, 0.5]))]
    ['0.64', '0.36', '0.00']
    >>> jax.grad(final)(0.1)
    Array(-3.2, dtype=float32, weak_type=True)
    """
    check_size(epochs, "epochs")
    check_size(batch_size, "batch_size")
    check_size(first, "first", least=0)
    size = count(data)
    if batch_size > size:
        raise ValueError(
            f"batch_size={batch_size}, but there are {size} examples, and only whole batches are "
            f"used; give a batch_size of at most {size}"
        )
    if validation_data is not None:
        count(validation_data)
        validation_data = jax.tree.map(jnp.asarray, validation_data)
    data = jax.tree.map(jnp.asarray, data)
    step = plain_step(loss_fn, tx, accumulate=accumulate, precision=precision, clip=clip, ema=ema)
    policy = as_precision(precision)

    def epoch(state: TrainState, rows: jax.Array) -> tuple[TrainState, Metrics]:
        state, metrics = jax.lax.scan(lambda state, i: step(state, gathered(data, i)), state, rows)
        means = _means(metrics)
        if validation_data is not None:
            held = _evaluated(loss_fn, state.averaged, validation_data, policy)
            means |= {f"val_{name}": value for name, value in held.items()}
        return state, means

    used = size - size % batch_size
    order = [Order(size).indices(seed, first + i, stop=used) for i in range(epochs)]
    rows = jnp.asarray(np.stack(order), jnp.int32).reshape(epochs, -1, batch_size)
    return jax.lax.scan(epoch, state, rows)


def _means(metrics: Metrics) -> Metrics:
    """Over the steps of an epoch; one that was skipped counts for "skipped" alone."""
    for name, value in metrics.items():
        if value.ndim > 1:
            shape = jax.ShapeDtypeStruct(value.shape[1:], value.dtype)
            raise ValueError(
                f"pure_fit averages scalar metrics, but {name!r} is {describe(shape)}; "
                "take its mean in loss_fn"
            )
    skipped = metrics.get("skipped")
    counted = None if skipped is None else skipped == 0
    return {
        name: value.mean(where=None if name == "skipped" else counted)
        for name, value in metrics.items()
    }


def _evaluated(loss_fn: LossFn, params: Any, data: Any, precision: Precision | None) -> Metrics:
    """The means over all examples."""

    def means(batch: Any) -> Metrics:
        return scored(loss_fn, params, batch, None, precision)[1]

    size = count(data)
    cut = size - size % _AT_ONCE
    parts = []
    if cut:
        blocks = jax.tree.map(lambda x: x[:cut].reshape(-1, _AT_ONCE, *x.shape[1:]), data)
        full = jax.tree.map(lambda x: x.mean(0), jax.lax.map(means, blocks))
        parts.append((cut / size, full))
    if cut < size:
        parts.append((1 - cut / size, means(jax.tree.map(lambda x: x[cut:], data))))
    return jax.tree.map(
        lambda *means: sum(share * mean for (share, _), mean in zip(parts, means, strict=True)),
        *(means for _, means in parts),
    )
