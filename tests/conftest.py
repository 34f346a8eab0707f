"""Every test runs with four CPU devices and without silent rank promotion.

Most of the tests' time goes to compiling small programs; without optimizations it is a third.
"""

import jax

jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_disable_most_optimizations", True)
