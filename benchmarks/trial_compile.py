"""The compilation of a step as a trial."""

import jax

from benchmarks.trial_jax import Training


class Compiling:
    """Traces and compiles what ``trial`` runs, with all that JAX remembers of it forgotten."""

    def __init__(self, trial: Training) -> None:
        self.figures: dict[str, float] = {}
        self.trial = trial

    def check(self) -> list[float]:
        """The losses of the first steps."""
        return self.trial.check()

    def run(self, n: int) -> int:
        """So many times."""
        trial = self.trial
        for _ in range(n):
            jax.clear_caches()
            step = jax.jit(trial.step, donate_argnums=0)
            step.lower(trial.state, trial.batch).compile()
        return n
