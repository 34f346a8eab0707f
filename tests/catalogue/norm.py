"""Normalisation."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from catalogue.inputs import IMAGE, SEQUENCE, VECTOR
from jaxnet import nn

LAYERS = [
    ("batch-norm", nn.BatchNorm(), VECTOR),
    ("batch-norm-plain", nn.BatchNorm(scale=False, bias=False, momentum=0.3, eps=1e-3), IMAGE),
    ("batch-norm-cumulative", nn.BatchNorm(momentum=None, unbiased=False), SEQUENCE),
    ("group-norm", nn.GroupNorm(2), IMAGE),
    ("instance-norm", nn.InstanceNorm(scale=True, bias=True), IMAGE),
    ("instance-norm-stats", nn.InstanceNorm(axes=1, stats=True), SEQUENCE),
    ("layer-norm", nn.LayerNorm(), VECTOR),
    ("layer-norm-axes", nn.LayerNorm(axes=2, eps=1e-3), SEQUENCE),
    ("layer-norm-plain", nn.LayerNorm(scale=False, bias=False, eps=1e-3), SEQUENCE),
    ("local-response-norm", nn.LocalResponseNorm(3, alpha=0.5), IMAGE),
    ("normalize", nn.Normalize(), VECTOR),
    ("rms-norm", nn.RMSNorm(), VECTOR),
    ("rms-norm-plain", nn.RMSNorm(scale=False, eps=1e-3), SEQUENCE),
]
HALF: Any = 0.5  # which a type checker would not let pass
KEY = jax.random.key(0)
COMPLEX, WHOLE, FOUR = jnp.ones((2, 4), complex), jnp.ones((2, 4), int), jnp.ones(4)
STEPS = jnp.ones((2, 7), bool)
PLAIN = nn.BatchNorm(stats=False, scale=False, bias=False)


def init(layer, x):
    return lambda: layer.init(KEY, x)


MISTAKES = [
    ("nn.layer_norm", lambda: nn.layer_norm(WHOLE), "input of layer_norm", "floating point"),
    ("nn.layer_norm", lambda: nn.layer_norm(COMPLEX), "input of layer_norm", "real"),
    ("nn.layer_norm", lambda: nn.layer_norm(FOUR, axes=2), "layer_norm", "2 axes", "float32[4]"),
    ("nn.layer_norm", lambda: nn.layer_norm(VECTOR, axes=0), "axes of layer_norm", "at least 1"),
    ("nn.layer_norm", lambda: nn.layer_norm(VECTOR, jnp.ones(3)), "scale", "(4,)", "float32[3]"),
    ("nn.layer_norm", lambda: nn.layer_norm(SEQUENCE, FOUR, axes=2), "scale", "(7, 4)", "2 axes"),
    ("nn.layer_norm", lambda: nn.layer_norm(VECTOR, None, VECTOR), "bias of layer_norm", "(4,)"),
    ("nn.layer_norm", lambda: nn.layer_norm(VECTOR, eps=0), "eps of layer_norm", "above 0"),
    ("nn.LayerNorm", lambda: nn.LayerNorm(eps=-1e-5), "eps of LayerNorm", "above 0"),
    ("nn.LayerNorm", lambda: nn.LayerNorm(axes=0), "axes of LayerNorm", "at least 1"),
    ("nn.LayerNorm", init(nn.LayerNorm(axes=3), VECTOR), "input of LayerNorm", "3 axes"),
    ("nn.rms_norm", lambda: nn.rms_norm(WHOLE), "input of rms_norm", "floating point"),
    ("nn.rms_norm", lambda: nn.rms_norm(VECTOR, jnp.ones(1)), "scale of rms_norm", "(4,)"),
    ("nn.rms_norm", lambda: nn.rms_norm(VECTOR, eps=-1.0), "eps of rms_norm", "above 0"),
    ("nn.RMSNorm", lambda: nn.RMSNorm(eps=0.0), "eps of RMSNorm", "above 0"),
    ("nn.RMSNorm", lambda: nn.RMSNorm(axes=HALF), "axes of RMSNorm", "an int"),
    ("nn.RMSNorm", init(nn.RMSNorm(), jnp.ones(())), "input of RMSNorm", "1 axes"),
    ("nn.batch_norm", lambda: nn.batch_norm(WHOLE, FOUR, FOUR), "batch_norm", "floating"),
    ("nn.batch_norm", lambda: nn.batch_norm(VECTOR, jnp.ones(2), FOUR), "mean of batch_norm"),
    ("nn.batch_norm", lambda: nn.batch_norm(VECTOR, FOUR, VECTOR), "var of batch_norm", "(4,)"),
    ("nn.batch_norm", lambda: nn.batch_norm(VECTOR, FOUR, FOUR, VECTOR), "scale", "(4,)"),
    ("nn.batch_norm", lambda: nn.batch_norm(VECTOR, FOUR, FOUR, eps=0.0), "eps of batch_norm"),
    (
        "nn.batch_norm",
        lambda: nn.batch_norm(SEQUENCE, FOUR, FOUR, mask=STEPS[0]),
        "mask of batch_norm",
        "bool[2, 7]",
        "bool[7]",
    ),
    ("nn.BatchNorm", lambda: nn.BatchNorm(momentum=1.5), "momentum of BatchNorm", "from 0 to 1"),
    ("nn.BatchNorm", lambda: nn.BatchNorm(eps=0.0), "eps of BatchNorm", "above 0"),
    ("nn.BatchNorm", init(nn.BatchNorm(), WHOLE), "input of BatchNorm", "astype(jnp.float32)"),
    (
        "nn.BatchNorm",
        lambda: PLAIN({}, jnp.ones((1, 4)), key=KEY),
        "more than one value",
        "larger batch",
    ),
    (
        "nn.BatchNorm",
        lambda: PLAIN({}, SEQUENCE, mask=FOUR > 0),
        "mask of BatchNorm",
        "bool[2, 7]",
    ),
    ("nn.group_norm", lambda: nn.group_norm(IMAGE, 3), "groups", "3 does not divide", "2 of"),
    ("nn.group_norm", lambda: nn.group_norm(IMAGE, 0), "groups of group_norm", "at least 1"),
    ("nn.group_norm", lambda: nn.group_norm(VECTOR, 2), "input of group_norm", "3 axes"),
    ("nn.group_norm", lambda: nn.group_norm(VECTOR, 2, axes=-1), "axes of group_norm"),
    ("nn.group_norm", lambda: nn.group_norm(IMAGE, 2, FOUR), "scale of group_norm", "(2,)"),
    ("nn.group_norm", lambda: nn.group_norm(IMAGE, 2, mask=IMAGE), "mask of group_norm", "bool["),
    ("nn.GroupNorm", lambda: nn.GroupNorm(0), "groups of GroupNorm", "at least 1"),
    ("nn.GroupNorm", lambda: nn.GroupNorm(2, axes=-1), "axes of GroupNorm", "at least 0"),
    ("nn.GroupNorm", lambda: nn.GroupNorm(2, eps=0.0), "eps of GroupNorm", "above 0"),
    ("nn.GroupNorm", init(nn.GroupNorm(2), VECTOR), "input of GroupNorm", "3 axes"),
    ("nn.instance_norm", lambda: nn.instance_norm(SEQUENCE[0]), "instance_norm", "3 axes"),
    ("nn.instance_norm", lambda: nn.instance_norm(SEQUENCE, axes=0), "axes of instance_norm"),
    ("nn.instance_norm", lambda: nn.instance_norm(SEQUENCE[:, :1], axes=1), "more than one place"),
    ("nn.instance_norm", lambda: nn.instance_norm(IMAGE, None, FOUR), "bias of instance_norm"),
    ("nn.InstanceNorm", lambda: nn.InstanceNorm(axes=0), "axes of InstanceNorm", "at least 1"),
    ("nn.InstanceNorm", lambda: nn.InstanceNorm(momentum=-0.1), "momentum of InstanceNorm"),
    ("nn.InstanceNorm", lambda: nn.InstanceNorm(eps=0.0), "eps of InstanceNorm", "above 0"),
    ("nn.InstanceNorm", init(nn.InstanceNorm(), VECTOR), "input of InstanceNorm", "3 axes"),
    ("nn.local_response_norm", lambda: nn.local_response_norm(VECTOR, 0), "size", "at least 1"),
    ("nn.local_response_norm", lambda: nn.local_response_norm(VECTOR, 3, k=0.0), "k of local"),
    ("nn.local_response_norm", lambda: nn.local_response_norm(WHOLE, 3), "floating point"),
    ("nn.LocalResponseNorm", lambda: nn.LocalResponseNorm(HALF), "size of LocalResponseNorm"),
    ("nn.LocalResponseNorm", lambda: nn.LocalResponseNorm(3, alpha=-1.0), "alpha of", "above 0"),
    ("nn.normalize", lambda: nn.normalize(VECTOR, 0.5), "p of normalize", "at least 1", "0.5"),
    ("nn.normalize", lambda: nn.normalize(VECTOR, axis=2), "axis of normalize", "-2 to 1"),
    ("nn.normalize", lambda: nn.normalize(WHOLE), "input of normalize", "floating point"),
    ("nn.normalize", lambda: nn.normalize(VECTOR, eps=0.0), "eps of normalize", "above 0"),
    ("nn.Normalize", lambda: nn.Normalize(p=-math.inf), "at least 1", "math.inf"),
    ("nn.Normalize", lambda: nn.Normalize(eps=-1.0), "eps of Normalize", "above 0"),
    ("nn.mean_variance_norm", lambda: nn.mean_variance_norm(VECTOR, (0, 2)), "axis of mean_var"),
    ("nn.mean_variance_norm", lambda: nn.mean_variance_norm(VECTOR, 0, eps=0.0), "eps", "above 0"),
    ("nn.mean_variance_norm", lambda: nn.mean_variance_norm(WHOLE, 0), "floating point"),
]
