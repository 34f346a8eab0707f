"""A training as one value: what the command line trains, evaluates, summarises and examines."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import jax

from jaxnet.core.errors import near
from jaxnet.data import Batches
from jaxnet.train.feed import comes_in_batches
from jaxnet.train.fit import fit
from jaxnet.train.history import History
from jaxnet.train.objective import LossFn
from jaxnet.train.state import TrainState


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """A model, a loss, data and an optimizer; ``options`` are those of ``fit``.

    ``data`` and ``validation_data`` are what ``fit`` takes. The model is initialised for the inputs
    of a batch, which are its first entry if it is a tuple. A function that makes an experiment of
    named numbers is what ``jaxnet train file.py name=value`` looks for.

    >>> import jaxnet as jn
    >>> from jaxnet import nn
    >>> def experiment(lr=0.1):
    ...     net, x = nn.Linear(1), jax.numpy.ones((8, 3))
    ...     loss_fn = lambda params, x, key: net(params, x).mean()
    ...     return Experiment(
    ...         model=net, loss_fn=loss_fn, data=x, tx=jn.optim.sgd(lr), options={"epochs": 1}
    ...     )
    >>> state, history = experiment(lr=0.01).fit(progress=False)
    >>> int(state.step)
    1
    """

    model: Any
    loss_fn: LossFn
    data: Any
    tx: Any
    validation_data: Any = None
    seed: int = 0
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        known = inspect.signature(fit).parameters
        for name in self.options:
            if name not in known:
                raise ValueError(f"fit has no option {name!r}; {near(name, known)}")

    @property
    def inputs(self) -> Any:
        """A few inputs of the model, to initialise and look at it."""
        batches = self.data if comes_in_batches(self.data) else Batches(self.data, 2, shuffle=False)
        batch = next(iter(batches.epoch(0)))
        return batch[0] if isinstance(batch, tuple) else batch

    def state(self) -> TrainState:
        """The state that training begins with."""
        params, run = jax.random.split(jax.random.key(self.seed))
        return TrainState.create(
            self.model.init(params, self.inputs),
            self.tx,
            run,
            precision=self.options.get("precision"),
            ema="ema" in self.options,
            rate=True,
        )

    def fit(self, **options: Any) -> tuple[TrainState, History]:
        """Train; options given here win over those of the experiment."""
        options = {**self.options, **options, "validation_data": self.validation_data}
        return fit(self.loss_fn, self.tx, self.state(), self.data, **options)
