"""A training step of any JAX library as a trial: one step a dispatch, or several in a loop."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.workload import Task

CHECKED = 4

Step = Callable[[Any, Any], tuple[Any, Any]]


class Training:
    """``step(state, batch) -> (state, loss)`` on one batch; instead of the loss, metrics with it.

    It is compiled here, with the state donated, unless ``compiled`` says that it is already. With
    ``group`` a dispatch is a compiled loop of so many steps, each on its own copy of the batch.
    """

    def __init__(
        self, step: Step, state: Any, batch: Any, *, group: int = 1, compiled: bool = False
    ) -> None:
        self.figures: dict[str, float] = {}
        # Steps consume what they are given, which may be the caller's.
        self.state = jax.tree.map(jnp.copy, state)
        if group > 1:
            batch = _stacked(batch, group)
            step = step if compiled else functools.partial(jax.lax.scan, step)
        self.batch = jax.device_put(batch)
        self.group = group
        self.step = step if compiled else jax.jit(step, donate_argnums=0)

    def check(self) -> list[float]:
        """The losses of the first steps."""
        losses = []
        while len(losses) < CHECKED:
            self.state, scores = self.step(self.state, self.batch)
            losses += np.ravel(scores["loss"] if isinstance(scores, dict) else scores).tolist()
        self.figures |= peak()
        return losses[:CHECKED]

    def run(self, n: int) -> int:
        """So many steps, in whole dispatches."""
        state, batch, step = self.state, self.batch, self.step
        dispatches = -(-n // self.group)
        for _ in range(dispatches):
            state, _ = step(state, batch)
        self.state = jax.block_until_ready(state)
        return dispatches * self.group


class Inference:
    """Calls of ``net(params, x)`` on one input, each awaited."""

    def __init__(self, net: Callable[[Any, jax.Array], jax.Array], params: Any, x: Any) -> None:
        self.figures: dict[str, float] = {}
        self.net = jax.jit(net)
        self.params, self.x = jax.device_put((params, x))

    def check(self) -> list[float]:
        """What comes out for the first example."""
        return np.ravel(self.net(self.params, self.x)[0])[:10].tolist()

    def run(self, n: int) -> int:
        """So many calls."""
        for _ in range(n):
            self.net(self.params, self.x).block_until_ready()
        return n


def peak() -> dict[str, float]:
    """The most bytes of the device that were in use, where it says so."""
    known = jax.devices()[0].memory_stats() or {}
    return {"peak_bytes": known["peak_bytes_in_use"]} if "peak_bytes_in_use" in known else {}


def temporary_bytes(trial: Training) -> float:
    """What the step holds beside its state and batch."""
    step = jax.jit(trial.step, donate_argnums=0).lower(trial.state, trial.batch)
    known: Any = step.compile().memory_analysis()
    return known.temp_size_in_bytes


def _stacked(batch: Any, group: int) -> Any:
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (group, *x.shape)), batch)


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Nested dicts of leaves by their paths."""
    tree: dict[str, Any] = {}
    for path, leaf in flat.items():
        *parents, name = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = leaf
    return tree


def group_of(variant: str) -> int:
    """8 for "8 steps a dispatch", else 1."""
    first = variant.partition(" steps")[0]
    return int(first) if first.isdigit() else 1


def training(task: Task, loss_fn: Any, tx: Any, variant: str, **options: Any) -> Training:
    """jaxnet's own compiled step on the task's weights and data."""
    from jaxnet.analysis.cost import flops
    from jaxnet.train import TrainState, train_step
    from jaxnet.train.step import plain_step

    group, batch = group_of(variant), task.data
    key, params = jax.random.key(0), nested(task.weights)
    state = TrainState.create(params, tx, key, precision=options.get("precision"))
    step = train_step(loss_fn, tx, steps=group, **options)
    made = Training(step, state, batch, group=group, compiled=True)
    made.figures["flops"] = flops(plain_step(loss_fn, tx, **options), state, batch)
    return made


def optax_training(
    task: Task, loss_fn: Any, tx: Any, variant: str, weights: dict[str, Any] | None = None
) -> Training:
    """The textbook's step of JAX and optax, ``loss_fn(params, batch)``.

    ``weights`` are by path, by default the task's.
    """
    import optax

    def step(state: Any, batch: Any) -> tuple[Any, jax.Array]:
        params, opt_state = state
        loss, grads = jax.value_and_grad(loss_fn)(params, batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), loss

    params = jax.tree.map(jnp.asarray, nested(task.weights if weights is None else weights))
    return Training(step, (params, tx.init(params)), task.data, group=group_of(variant))
