"""Every test runs with four CPU devices and without silent rank promotion or a cache on disk.

Most of the tests' time goes to compiling small programs; without optimizations it is a third.
"""

import os

import jax

os.environ["JAXNET_COMPILE_CACHE"] = "off"
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_disable_most_optimizations", True)
