"""Activations."""

# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp

from catalogue.inputs import SEQUENCE, VECTOR
from jaxnet import nn

LAYERS = [
    ("activations", nn.Sequential(nn.glu, nn.gelu, nn.leaky_relu), VECTOR),
    ("activations-more", nn.Sequential(nn.gelu_tanh, nn.relu, nn.softmax), VECTOR),
    ("activation-options", nn.Activation(nn.softplus, beta=2.0), VECTOR),
    ("snake", nn.Snake(), VECTOR),
    ("prelu", nn.PReLU(), VECTOR),
    ("prelu-axes", nn.PReLU(axes=2), SEQUENCE),
    ("rrelu", nn.RReLU(), VECTOR),
]

key = jax.random.key(0)
WHOLE = jnp.ones((2, 4), int)
MASK = jnp.ones((2, 4), bool)
# Of one argument, and floating point.
PLAIN = (
    nn.sigmoid, nn.log_sigmoid, nn.tanh, nn.tanh_shrink, nn.soft_sign, nn.exponential, nn.softplus,
    nn.squareplus, nn.sparse_plus, nn.mish, nn.gelu, nn.gelu_tanh, nn.silu, nn.swish, nn.relu,
    nn.relu6, nn.leaky_relu, nn.rrelu, nn.elu, nn.celu, nn.selu, nn.thresholded_relu, nn.shrink,
    nn.hard_shrink, nn.soft_shrink, nn.hard_tanh, nn.hard_sigmoid, nn.hard_swish,
    nn.sparse_sigmoid, nn.glu, nn.swiglu, nn.geglu, nn.reglu, nn.bilinear_glu, nn.softmax,
    nn.log_softmax, nn.softmin, nn.sparsemax, nn.hardmax, nn.gumbel_softmax,
)  # fmt: skip
HALVED = (nn.glu, nn.swiglu, nn.geglu, nn.reglu, nn.bilinear_glu)
ALONG = (nn.softmax, nn.log_softmax, nn.softmin, nn.sparsemax, nn.hardmax, nn.gumbel_softmax)


def on(f, x, **options):
    return lambda: f(x, **options)


MISTAKES = [
    *(
        (f"nn.{f.__name__}", on(f, WHOLE), f"the input of {f.__name__} must be floating", "astype")
        for f in PLAIN
    ),
    *((f"nn.{f.__name__}", on(f, VECTOR[:, :3]), "size must be even", "[2,3]") for f in HALVED),
    *((f"nn.{f.__name__}", on(f, VECTOR, axis=2), f"axis of {f.__name__}") for f in HALVED),
    *((f"nn.{f.__name__}", on(f, VECTOR, axis=-3), f"axis of {f.__name__}") for f in ALONG),
    ("nn.softplus", on(nn.softplus, VECTOR, beta=0), "beta of softplus", "above 0"),
    ("nn.squareplus", on(nn.squareplus, VECTOR, b=-1.0), "b of squareplus", "above 0"),
    ("nn.celu", on(nn.celu, VECTOR, alpha=0.0), "alpha of celu", "above 0"),
    ("nn.snake", lambda: nn.snake(VECTOR, jnp.ones(3)), "alpha of snake", "shape (4,)"),
    ("nn.snake", lambda: nn.snake(WHOLE, jnp.ones(4)), "input of snake must be floating"),
    ("nn.Snake", lambda: nn.Snake().init(key, WHOLE), "input of Snake must be floating"),
    ("nn.Activation", lambda: nn.Activation(nn.PReLU), "a function of x", "PReLU"),
    (
        "nn.Activation",
        lambda: nn.Activation(nn.elu, slope=1.0),
        "elu cannot be called with the options {'slope': 1.0}",
        "alpha",
    ),
    ("nn.prelu", lambda: nn.prelu(VECTOR, jnp.ones(3)), "slope of prelu must fit", "float32[3]"),
    ("nn.prelu", lambda: nn.prelu(VECTOR[0], VECTOR), "slope of prelu must fit", "float32[2,4]"),
    ("nn.PReLU", lambda: nn.PReLU(axes=-1), "axes of PReLU", "at least 0, but is -1"),
    ("nn.PReLU", lambda: nn.PReLU(axes=3).init(key, VECTOR), "needs at least 3 axes"),
    ("nn.rrelu", lambda: nn.rrelu(VECTOR, jnp.ones(2)), "a random key was needed"),
    ("nn.rrelu", on(nn.rrelu, VECTOR, lower=1.0), "lower of rrelu must be at most upper"),
    ("nn.RReLU", lambda: nn.RReLU(upper=0.0), "lower of RReLU must be at most upper", "0.125"),
    ("nn.threshold", lambda: nn.threshold(WHOLE, 1, 0), "input of threshold must be floating"),
    ("nn.shrink", on(nn.shrink, VECTOR, threshold=-1), "threshold of shrink", "at least 0"),
    ("nn.hard_shrink", on(nn.hard_shrink, VECTOR, threshold=-1), "threshold of hard_shrink"),
    ("nn.soft_shrink", on(nn.soft_shrink, VECTOR, threshold=-1), "threshold of soft_shrink"),
    ("nn.hard_tanh", on(nn.hard_tanh, VECTOR, low=1.0), "low of hard_tanh must be below high"),
    ("nn.maxout", lambda: nn.maxout(VECTOR, 3), "has the size 4", "pieces=3 does not divide"),
    ("nn.maxout", lambda: nn.maxout(VECTOR, 0), "pieces of maxout", "at least 1"),
    ("nn.softmax", on(nn.softmax, VECTOR, mask=MASK[0]), "mask of softmax", "bool[4]"),
    ("nn.softmax", on(nn.softmax, VECTOR, mask=WHOLE), "mask of softmax", "astype(bool)"),
    (
        "nn.gumbel_softmax",
        on(nn.gumbel_softmax, VECTOR, temperature=0.0),
        "temperature of gumbel_softmax",
        "above 0",
    ),
    ("nn.gumbel_softmax", lambda: nn.gumbel_softmax(VECTOR, jnp.ones(2)), "a random key"),
    (
        "nn.straight_through",
        lambda: nn.straight_through(VECTOR, VECTOR[0]),
        "value and surrogate of straight_through must have one shape",
        "float32[2,4] and float32[4]",
    ),
]
