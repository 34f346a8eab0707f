"""Linear maps, bilinear ones, and those that an equation describes."""

import jax
import jax.numpy as jnp

from catalogue.inputs import SEQUENCE, VECTOR, normal
from jaxnet import nn
from jaxnet.nn import initializers as inits

LAYERS = [
    ("linear", nn.Linear(3), VECTOR),
    ("linear-no-bias", nn.Linear(3, bias=False, initializer="flax"), SEQUENCE),
    ("linear-keras", nn.Linear(3, initializer="keras"), VECTOR),
    ("linear-heads", nn.Linear((2, 3)), VECTOR),
    ("linear-axes", nn.Linear(3, axes=2, initializer=inits.Orthogonal()), SEQUENCE),
    ("bilinear", nn.Bilinear(3), VECTOR, normal(2, 3)),
    ("einsum", nn.Einsum("...td,dhk->...thk", (2, 3), bias="hk"), SEQUENCE),
]

key = jax.random.key(0)
TABLE, BIAS = jnp.ones((4, 3)), jnp.ones(3)


def draw(init, shape=(4, 3)):
    return lambda: init(key, shape, jnp.float32)


MISTAKES = [
    ("nn.linear", lambda: nn.linear(VECTOR, TABLE.T), "x is float32[2,4]", "kernel float32[3,4]"),
    ("nn.linear", lambda: nn.linear(VECTOR, TABLE[0]), "linear contracts", "features after them"),
    ("nn.linear", lambda: nn.linear(VECTOR, TABLE, BIAS[:2]), "the bias of linear", "shape (3,)"),
    ("nn.linear", lambda: nn.linear(VECTOR, TABLE, axes=0), "axes of linear", "at least 1"),
    ("nn.Linear", lambda: nn.Linear(0), "features of Linear", "at least 1, but is 0"),
    ("nn.Linear", lambda: nn.Linear((3, -1)), "features of Linear", "but is -1"),
    ("nn.Linear", lambda: nn.Linear(()), "features of Linear"),
    ("nn.Linear", lambda: nn.Linear(3, axes=-1), "axes of Linear", "but is -1"),
    (
        "nn.Linear",
        lambda: nn.Linear(3, axes=3).init(key, VECTOR),
        "the input of Linear needs at least 3 axes",
        "float32[2,4]",
    ),
    (
        "nn.Linear",
        lambda: nn.Linear(3).init(key, jnp.ones((2, 4), int)),
        "the input of Linear must be floating point",
        "x.astype(jnp.float32)",
    ),
    (
        "nn.bilinear",
        lambda: nn.bilinear(VECTOR, VECTOR, jnp.ones((4, 3, 5))),
        "the kernel of bilinear must be [4, 4, features]",
        "float32[4,3,5]",
    ),
    (
        "nn.bilinear",
        lambda: nn.bilinear(VECTOR, VECTOR[0], jnp.ones((4, 4, 5))),
        "x and y of bilinear must have the same batch axes",
        "jnp.broadcast_to",
    ),
    ("nn.Bilinear", lambda: nn.Bilinear(0), "features of Bilinear", "but is 0"),
    (
        "nn.Bilinear",
        lambda: nn.Bilinear(2).init(key, VECTOR, jnp.ones((2, 4), int)),
        "y of Bilinear must be floating point",
        "int32[2,4]",
    ),
    ("nn.Einsum", lambda: nn.Einsum("ij->ji"), "equation of Einsum must name the axes", "'ij->ji'"),
    ("nn.Einsum", lambda: nn.Einsum("...i,io->o", 3), "equation of Einsum", "'...i,io->o'"),
    ("nn.Einsum", lambda: nn.Einsum("i,io->oz", 3), "['z'] in its output only"),
    ("nn.Einsum", lambda: nn.Einsum("...i,io->...o"), "sizes of ['o']", "but are ()"),
    ("nn.Einsum", lambda: nn.Einsum("...i,io->...o", 0), "features of Einsum", "but is 0"),
    ("nn.Einsum", lambda: nn.Einsum("...i,io->...o", 3, bias="i"), "bias of Einsum", "['i']"),
    (
        "nn.Einsum",
        lambda: nn.Einsum("ti,io->to", 3).init(key, SEQUENCE),
        "the input of Einsum has the axes 'ti'",
        "float32[2,7,4]",
    ),
    ("nn.initializers.Normal", lambda: inits.Normal(0.0), "std of Normal", "above 0"),
    (
        "nn.initializers.TruncatedNormal",
        lambda: inits.TruncatedNormal(low=2.0),
        "low of TruncatedNormal must be below high",
        "2.0 and 2.0",
    ),
    ("nn.initializers.VarianceScaling", lambda: inits.VarianceScaling(0.0), "scale of Variance"),
    (
        "nn.initializers.VarianceScaling",
        lambda: inits.VarianceScaling(mode="fan"),
        "VarianceScaling has no mode='fan'",
        "fan_in",
    ),
    (
        "nn.initializers.VarianceScaling",
        lambda: inits.VarianceScaling(distribution="gauss"),
        "no distribution='gauss'",
        "uniform",
    ),
    (
        "nn.initializers.he_normal",
        draw(inits.he_normal, (4,)),
        "VarianceScaling is for kernels",
        "give a bias another initializer",
    ),
    ("nn.initializers.Orthogonal", draw(inits.Orthogonal(), (4,)), "Orthogonal is for kernels"),
    ("nn.initializers.Identity", draw(inits.Identity(), (4, 3, 2)), "Identity is for", "(4, 3, 2)"),
    ("nn.initializers.Dirac", draw(inits.Dirac()), "Dirac is for convolutions", "(4, 3)"),
    ("nn.initializers.Dirac", lambda: inits.Dirac(0), "groups of Dirac", "but is 0"),
    (
        "nn.initializers.Dirac",
        draw(inits.Dirac(2), (3, 2, 3)),
        "groups=2 of Dirac must divide the 3 outputs",
    ),
    (
        "nn.initializers.DeltaOrthogonal",
        draw(inits.DeltaOrthogonal(), (3, 4, 2)),
        "at least as many outputs as inputs",
        "use Orthogonal",
    ),
    ("nn.initializers.Sparse", lambda: inits.Sparse(1.5), "sparsity of Sparse", "but is 1.5"),
    ("nn.initializers.Sparse", draw(inits.Sparse(0.5), (4,)), "Sparse is for kernels", "(4,)"),
    ("nn.initializers.gain", lambda: inits.gain("mish"), "gain has no nonlinearity='mish'"),
    (
        "nn.initializers.kaiming_normal",
        lambda: inits.kaiming_normal(nonlinearity="reLU"),
        "no nonlinearity='reLU'",
        "did you mean",
    ),
    (
        "init",
        lambda: nn.Linear(3).init(key, VECTOR, initializers={"**/weight": inits.he_normal}),
        "the pattern '**/weight' matches no path",
        "kernel",
    ),
]
