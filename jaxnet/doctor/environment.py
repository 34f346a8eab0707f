"""Whether a machine is fit to train on: its versions, devices and settings, and a real try."""

import dataclasses
import importlib.metadata
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

_PACKAGES = ("jaxnet", "jax", "jaxlib", "optax", "chex", "numpy", "safetensors", "rich")
_STEPS = 400  # of the trial training


@dataclasses.dataclass(frozen=True)
class Environment:
    """What was found, by name, and the problems with it: none if all is well."""

    found: Mapping[str, str]
    problems: tuple[str, ...]

    def __str__(self) -> str:
        width = max(map(len, self.found))
        lines = [f"{name:{width}}  {value}" for name, value in self.found.items()]
        lines += ["", *(f"PROBLEM: {problem}" for problem in self.problems)]
        return "\n".join([*lines, "" if self.problems else "No problem was found."]).rstrip()


def examine() -> Environment:
    """Look at versions, devices and settings, and train a small network for some seconds.

    ``print`` the result; its ``problems`` say what to change.

    >>> examine().found["trial training"]
    'loss ..., then ...; ... steps/s'
    """
    versions = {name: _version(name) for name in _PACKAGES}
    found = {"python": f"{platform.python_version()} on {platform.platform()}"}
    found |= {name: version or "missing" for name, version in versions.items()}
    found["jaxnet is at"] = str(Path(__file__).parents[1])
    devices = jax.devices()
    found["devices"] = "; ".join(f"{device.device_kind} ({_memory(device)})" for device in devices)
    found["processors"] = f"{os.cpu_count()}, load {_load()}"
    found |= _settings()
    learnt, found["trial training"] = _train()

    drivers = Path("/proc/driver/nvidia/version").exists()
    problems = [
        *_mismatches(versions),
        *_devices([device.platform for device in devices], nvidia=drivers),
    ]
    if not learnt:
        problems.append(
            "a small network did not learn what it must; the device or its libraries compute "
            "wrongly: try JAX_PLATFORMS=cpu, and another version of jaxlib"
        )
    return Environment(found, tuple(problems))


def _mismatches(versions: Mapping[str, str | None]) -> list[str]:
    """What does not fit together, or is missing, among the packages."""
    problems = [
        f"{name} is not installed: pip install {name}"
        for name, version in versions.items()
        if version is None and name != "jaxnet"
    ]
    own, installed = _own_version(), versions["jaxnet"]
    if installed not in (None, own):
        problems.append(
            f"pip knows a jaxnet {installed}, but this one is {own}: PyPI's jaxnet is an unrelated "
            "project. pip uninstall jaxnet, then pip install -e . in the checkout"
        )
    jax_version, jaxlib = versions["jax"], versions["jaxlib"]
    if jax_version and jaxlib and _minor(jax_version) != _minor(jaxlib):
        problems.append(
            f"jax {jax_version} and jaxlib {jaxlib} do not belong together: pip install -U "
            f"jax=={jax_version} jaxlib=={jax_version}"
        )
    return problems


def _devices(platforms: list[str], *, nvidia: bool) -> list[str]:
    """A GPU that is there and not used."""
    if nvidia and "gpu" not in platforms and os.environ.get("JAX_PLATFORMS", "") != "cpu":
        return [
            "there is an NVIDIA GPU, but JAX does not see it: pip install 'jaxnet[cuda13]' in the "
            "checkout (or 'jaxnet[cuda12]' for an older driver)"
        ]
    return []


def _settings() -> dict[str, str]:
    flags = {name: os.environ[name] for name in sorted(os.environ) if name.startswith("JAX_")}
    if "XLA_FLAGS" in os.environ:
        flags["XLA_FLAGS"] = os.environ["XLA_FLAGS"]
    return {
        "64-bit numbers": "on" if jax.config.jax_enable_x64 else "off",
        "compile cache": jax.config.jax_compilation_cache_dir or "none",
        "variables": ", ".join(f"{name}={value}" for name, value in flags.items()) or "none",
    }


def _train() -> tuple[bool, str]:
    """Ten blurred prototypes of 64 pixels are told apart: whether that was learnt, and how fast."""
    from jaxnet import losses, nn, optim
    from jaxnet.train.state import TrainState
    from jaxnet.train.step import train_step

    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=256)
    x = rng.standard_normal((10, 64))[labels] + rng.standard_normal((256, 64))
    batch = x.astype(np.float32), labels.astype(np.int32)
    net = nn.Sequential(nn.Linear(64), nn.relu, nn.Linear(10))
    step = train_step(
        lambda params, batch, key: losses.softmax_cross_entropy(net(params, batch[0]), batch[1]),
        tx := optim.adam(1e-2),
    )
    key = jax.random.key(0)
    state, metrics = step(TrainState.create(net.init(key, batch[0][:1]), tx, key), batch)
    start, began = float(metrics["loss"]), time.perf_counter()
    for _ in range(_STEPS):
        state, metrics = step(state, batch)
    end = float(metrics["loss"])
    speed = _STEPS / (time.perf_counter() - began)
    return end < 0.1 * start, f"loss {start:.2f}, then {end:.4f}; {speed:,.0f} steps/s"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _own_version() -> str:
    from jaxnet import __version__

    return __version__


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _memory(device: Any) -> str:
    stats = device.memory_stats()
    limit = (stats or {}).get("bytes_limit")
    return f"{limit / 2**30:.0f} GiB" if limit else "the machine's memory"


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
