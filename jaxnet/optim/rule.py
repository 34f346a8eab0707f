"""How an optimizer is put together: decay, its own rule, and the learning rate."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core import tree
from jaxnet.core.errors import is_array
from jaxnet.optim.checks import LearningRate, check_decay, check_rate

if TYPE_CHECKING:
    import optax

type Patterns = str | tuple[str, ...]
type Slots = dict[str, jax.Array]


class LeafState(NamedTuple):
    """The number of steps, and what a rule remembers: by name, a tree like that of parameters."""

    step: jax.Array
    slots: dict[str, Any]


def leafwise(
    slots: Mapping[str, Callable[[jax.Array], jax.Array]],
    rule: Callable[..., tuple[jax.Array, Slots]],
) -> "optax.GradientTransformation":
    """A transformation that treats each leaf by itself.

    ``slots`` gives by name what is remembered of a parameter at first, and
    ``rule(gradient, param, step, **slots)`` the update and the new slots; steps count from 1.
    """
    import optax

    def init(params: Any) -> LeafState:
        begun = {name: jax.tree.map(start, params) for name, start in slots.items()}
        return LeafState(jnp.zeros((), jnp.int32), begun)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, LeafState]:
        if params is None:
            raise ValueError(
                "this optimizer looks at the parameters; give them: "
                "tx.update(grads, opt_state, params)"
            )
        step = state.step + 1
        grads, structure = jax.tree.flatten(updates)
        leaves = structure.flatten_up_to(params)
        old = {name: structure.flatten_up_to(tree) for name, tree in state.slots.items()}
        done = [
            rule(grad, leaf, step.astype(grad.dtype), **{name: old[name][i] for name in old})
            for i, (grad, leaf) in enumerate(zip(grads, leaves, strict=True))
        ]
        new = {name: structure.unflatten([kept[name] for _, kept in done]) for name in old}
        return structure.unflatten([update for update, _ in done]), LeafState(step, new)

    return optax.GradientTransformation(init, update)


def optimizer(
    learning_rate: LearningRate,
    *rules: "optax.GradientTransformation",
    weight_decay: float = 0.0,
    decay: Patterns = "**",
    decoupled: bool = False,
) -> "optax.GradientTransformation":
    """The rules one after the other, and a step of ``learning_rate`` along what they make.

    Decay enters the gradient before the rules (L2), or, decoupled, the step after them.
    """
    import optax

    check_rate(learning_rate)
    decays = decayed(weight_decay, decay)
    parts = [*rules, *decays] if decoupled else [*decays, *rules]
    return optax.chain(*parts, _along(learning_rate))


def _along(learning_rate: LearningRate) -> "optax.GradientTransformation":
    """optax's step, but with a fixed rate its state is a plain ``()``.

    A named tuple is made in Python by every dispatch, which is 3 % of the smallest step.
    """
    import optax

    rule = optax.scale_by_learning_rate(learning_rate)
    if callable(learning_rate):
        return rule
    empty = rule.init(())
    return optax.GradientTransformation(
        lambda params: (), lambda updates, state, params=None: (rule.update(updates, empty)[0], ())
    )


def decayed(weight_decay: float, decay: Patterns) -> list["optax.GradientTransformation"]:
    """What adds ``weight_decay * w`` for the leaves whose paths match; nothing where it is 0."""
    import optax

    check_decay(weight_decay)
    if not is_array(weight_decay) and weight_decay == 0:
        return []
    patterns = (decay,) if isinstance(decay, str) else decay
    mask = seeing_all(lambda params: tree.select(params, *patterns))
    return [optax.add_decayed_weights(weight_decay, mask)]


def seeing_all(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``rule(params)``, a tree of the same structure, where ``freeze`` hides some of the leaves.

    Patterns may name them all the same: what is hidden then stays hidden.
    """

    def seen(params: Any) -> Any:
        import optax

        def hidden(node: Any) -> bool:
            return isinstance(node, optax.MaskedNode)

        whole = jax.tree.map(lambda x: 0 if hidden(x) else x, params, is_leaf=hidden)
        return jax.tree.map(
            lambda x, found: x if hidden(x) else found, params, rule(whole), is_leaf=hidden
        )

    return seen
