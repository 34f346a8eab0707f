"""What training carries from step to step: a plain pytree."""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnet.core import stats, tree
from jaxnet.core.checks import check_key
from jaxnet.core.errors import describe, is_array

if TYPE_CHECKING:
    import optax


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Step counter, parameters, optimizer state and random key.

    A compiled step consumes the state it is given and returns the next: keep only the new one.
    """

    step: jax.Array
    params: dict[str, Any]
    opt_state: Any
    key: jax.Array

    @classmethod
    def create(
        cls, params: dict[str, Any], tx: "optax.GradientTransformation", key: jax.Array
    ) -> "TrainState":
        """A state at step 0, with copies of ``params`` and ``key``, which remain yours.

        Raises ValueError for parameters that are not nested dicts of floating-point arrays.

        >>> import optax
        >>> params = {"kernel": jnp.ones((3, 2))}
        >>> int(TrainState.create(params, optax.sgd(0.1), jax.random.key(0)).step)
        0
        """
        if not isinstance(params, dict) or not params:
            raise ValueError(
                f"params must be the nested dict that layer.init returns, but is {describe(params)}"
            )
        for path, leaf in tree.flatten(params).items():
            if not is_array(leaf) or not jnp.issubdtype(leaf.dtype, jnp.inexact):
                raise ValueError(
                    f"{path} is {describe(leaf)}, but parameters are floating-point arrays, "
                    "since each has a gradient; pass anything else to the loss by other means"
                )
        if not hasattr(tx, "update"):
            raise ValueError(
                f"tx must be an optimizer such as jn.optim.adam(1e-3), but is {describe(tx)}"
            )
        check_key(key)

        def create(params: dict[str, Any], key: jax.Array) -> TrainState:
            weights, _ = stats.divide(params)
            params, key = jax.tree.map(jnp.copy, (params, key))
            return cls(jnp.zeros((), jnp.int32), params, tx.init(weights), key)

        # Compiled with the rest: run operation by operation, optimizers are slow to set up.
        return jax.jit(create)(params, key)
