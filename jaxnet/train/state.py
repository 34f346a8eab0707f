"""What training carries from step to step: a plain pytree."""

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnet.core import stats, tree
from jaxnet.core.checks import check_key
from jaxnet.core.errors import describe, is_array
from jaxnet.train import loss_scale
from jaxnet.train.clock import clock_of, key_of, step_of
from jaxnet.train.precision import Precision, as_precision, masters

if TYPE_CHECKING:
    import optax


class _Field:
    """A field of a state: one of its leaves, or what is read from one."""

    def __init__(
        self, place: int, read: Callable[[Any, str], Any] = lambda leaf, generator: leaf
    ) -> None:
        self.place, self.read = place, read

    def __get__(self, state: Any, owner: type | None = None) -> Any:
        if state is None:
            raise AttributeError("a field without a default")
        leaves, generator = vars(state)["parts"]
        return self.read(leaves[self.place], generator)


_STEP: Any = _Field(0, step_of)
_PARAMS: Any = _Field(1)
_OPT_STATE: Any = _Field(2)
_KEY: Any = _Field(0, key_of)
_EXTRA: Any = _Field(3)


@dataclasses.dataclass(frozen=True, init=False)
class TrainState:
    """Step counter, parameters, optimizer state and random key, and what else was asked for.

    A compiled step consumes the state it is given and returns the next: keep only the new one.
    As a leaf of the tree step and key are one, ``clock``: the step and then the key's words.
    ``step`` counts batches. ``extra`` holds, for those who ask ``create`` for it, ``"ema"`` (an
    average of ``params``), ``"scale"`` (of a float16 loss) and ``"rate"`` (a factor on the
    updates); anything else in it passes through a step as it is.
    """

    step: jax.Array = _STEP
    params: dict[str, Any] = _PARAMS
    opt_state: Any = _OPT_STATE
    key: jax.Array = _KEY
    extra: dict[str, Any] = _EXTRA

    def __init__(
        self,
        step: jax.Array,
        params: dict[str, Any],
        opt_state: Any,
        key: jax.Array,
        extra: dict[str, Any] | None = None,
    ) -> None:
        clock, generator = clock_of(step, key)
        leaves = clock, params, opt_state, {} if extra is None else extra
        vars(self)["parts"] = leaves, generator

    @property
    def clock(self) -> jax.Array:
        """The step and the key's words, in uint32, as the leaf that they are."""
        return vars(self)["parts"][0][0]

    @property
    def averaged(self) -> dict[str, Any]:
        """The average of the parameters, to evaluate with; where none is kept, themselves."""
        return self.extra.get("ema", self.params)

    @classmethod
    def create(
        cls,
        params: dict[str, Any],
        tx: "optax.GradientTransformation",
        key: jax.Array,
        *,
        precision: Precision | str | None = None,
        ema: bool = False,
        rate: bool = False,
    ) -> "TrainState":
        """A state at step 0, with copies of ``params`` and ``key``, which remain yours.

        ``precision`` stores the weights in its ``param`` dtype and, for float16, begins a loss
        scale. ``ema`` begins an average with a copy of the parameters, in at least float32;
        ``rate`` begins a factor on the updates with 1.0, which may be changed between steps.
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
        policy = as_precision(precision)
        if policy:
            jax.eval_shape(policy.cast_params, params)  # its patterns must match

        return _creator(tx, policy, ema, rate)(params, key)


# Each dispatch takes a state apart and puts one together, so that a microsecond counts.
_PATHS = [jax.tree_util.GetAttrKey(name) for name in ("clock", "params", "opt_state", "extra")]


def _flatten(state: TrainState) -> tuple[tuple[Any, ...], str]:
    return vars(state)["parts"]


def _flatten_with_paths(state: TrainState) -> tuple[list[tuple[Any, Any]], str]:
    leaves, generator = _flatten(state)
    return list(zip(_PATHS, leaves, strict=True)), generator


def _unflatten(generator: str, leaves: Any) -> TrainState:
    state = object.__new__(TrainState)
    vars(state)["parts"] = tuple(leaves), generator
    return state


jax.tree_util.register_pytree_with_keys(TrainState, _flatten_with_paths, _unflatten, _flatten)


@functools.lru_cache(maxsize=16)
def _creator(
    tx: "optax.GradientTransformation", policy: Precision | None, ema: bool, rate: bool
) -> Callable[[dict[str, Any], jax.Array], TrainState]:
    """A first state, compiled as a whole: run operation by operation, optimizers start slowly."""

    def create(params: dict[str, Any], key: jax.Array) -> TrainState:
        params, key = jax.tree.map(jnp.copy, (params, key))
        params = policy.store(params) if policy else params
        learnt = masters(params) if policy else params
        extra: dict[str, Any] = {}
        if ema:
            extra["ema"] = masters(params)
        if policy and policy.scales_loss:
            extra["scale"] = loss_scale.start(policy)
        if rate:
            extra["rate"] = jnp.ones((), jnp.float32)
        opt_state = tx.init(stats.divide(learnt)[0])
        return TrainState(jnp.zeros((), jnp.int32), params, opt_state, key, extra)

    return jax.jit(create)


def check_state(state: TrainState, precision: Precision | None, ema: float | None) -> None:
    """Raise unless a state holds what a step with these options needs, and nothing it would lose.

    A step that left an average or a scale alone would return them as if they were up to date.
    """
    scales = precision is not None and precision.scales_loss
    for name, asked, what, create, step in (
        ("ema", ema is not None, "an average of the parameters", "ema=True", "ema=0.999"),
        ("scale", scales, "the scale of a float16 loss", "precision=…", "precision=…"),
    ):
        if asked and name not in state.extra:
            raise ValueError(
                f"the step moves {what}, but the state has none; make the state with "
                f"TrainState.create(…, {create})"
            )
        if name in state.extra and not asked:
            raise ValueError(
                f"the state holds {what}, which the step would leave as it is; give the step "
                f"{step}, or make a state without: TrainState.create(state.params, …)"
            )
    if precision is None:
        return
    for path, leaf in tree.flatten(stats.divide(state.params)[0]).items():
        if jnp.issubdtype(leaf.dtype, jnp.floating) and leaf.dtype != precision.param:
            raise ValueError(
                f"the step stores weights in {precision.param}, but {path} is {describe(leaf)}; "
                "make the state with TrainState.create(…, precision=…), the same as the step's"
            )
