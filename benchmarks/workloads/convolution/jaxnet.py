"""The functions of ``jaxnet.nn``."""

import functools

from benchmarks.trial_gradient import Gradient
from benchmarks.workload import Task
from jaxnet import nn


def build(task: Task, variant: str) -> Gradient:
    """Its gradient."""
    settings = task.settings
    if "pool" in settings:
        operation = functools.partial(nn.max_pool, window=settings["pool"])
    else:
        options = {name: settings[name] for name in ("stride", "padding", "groups")}
        operation = functools.partial(nn.conv, **options)
    return Gradient(operation, task.data, variant)
