"""An H200 to compile for: XLA's own compiler for GPUs, and a description of the card."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

INSTALL = "needs XLA's compiler for CUDA; scripts/hopper makes an environment that has it"
# Without a card nothing can be tuned, and what is not tuned must not be Triton's.
FLAGS = "--xla_gpu_autotune_level=0 --xla_gpu_enable_triton_gemm=false"


@dataclass(frozen=True)
class Compiled:
    """A program for the H200, as text, and what it takes."""

    text: str
    seconds: float
    temporary_bytes: int
    argument_bytes: int


def prepare() -> None:
    """Set what JAX reads once: call it in a process of its own, before JAX is imported."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = FLAGS


def missing() -> str | None:
    """What keeps this environment from compiling for a GPU; None if nothing does."""
    from importlib.util import find_spec

    for module in ("jax_plugins.xla_cuda13", "nvidia.cudnn"):
        try:
            found = find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return f"there is no {module} here: compiling for a GPU {INSTALL}"
    return None


def compile_for_h200(step: Callable[..., Any], *args: Any) -> Compiled:
    """The compiled program of ``jax.jit(step)`` for arguments of such shapes."""
    import jax
    import jax_plugins.xla_cuda13  # pyright: ignore[reportMissingImports]  # noqa: F401
    from jax.experimental import topologies
    from jax.sharding import NamedSharding, PartitionSpec

    card = (Path(__file__).parent / "h200.txtpb").read_text()
    topology = topologies.get_topology_desc(platform="cuda", topology="1x1x1", target_config=card)
    here = NamedSharding(topologies.make_mesh(topology, (1,), ("x",)), PartitionSpec())
    there = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), args)
    start = time.perf_counter()
    # Layers ask what they run on to choose their form; here that is what they are compiled for.
    with mock.patch.object(jax, "default_backend", lambda: "gpu"):
        lowered = jax.jit(step, donate_argnums=0).lower(*there)
    made = lowered.compile()
    memory: Any = made.memory_analysis()
    return Compiled(
        made.as_text() or "",
        time.perf_counter() - start,
        memory.temp_size_in_bytes,
        memory.argument_size_in_bytes,
    )
