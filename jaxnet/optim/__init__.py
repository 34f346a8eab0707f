"""Optimizers, schedules and rules by path: optax's, with the meaning of PyTorch or Keras.

Each optimizer is an ordinary ``optax.GradientTransformation``, so all of optax composes with it and
works in its place: ``optax.lion`` and ``optax.contrib.sophia``, ``prodigy``, ``schedule_free``,
``sam`` and the rest need no wrapper. ``learning_rate`` is a positive number, or a schedule from the
step to one.
"""

from jaxnet.optim.adam import adam as adam
from jaxnet.optim.adam import adamax as adamax
from jaxnet.optim.adam import adamw as adamw
from jaxnet.optim.adam import nadam as nadam
from jaxnet.optim.adam import radam as radam
from jaxnet.optim.adam import sparse_adam as sparse_adam
from jaxnet.optim.adaptive import adadelta as adadelta
from jaxnet.optim.adaptive import adafactor as adafactor
from jaxnet.optim.adaptive import adagrad as adagrad
from jaxnet.optim.adaptive import asgd as asgd
from jaxnet.optim.adaptive import rmsprop as rmsprop
from jaxnet.optim.adaptive import rprop as rprop
from jaxnet.optim.average import averaged as averaged
from jaxnet.optim.average import averaging as averaging
from jaxnet.optim.average import lookahead as lookahead
from jaxnet.optim.clip import clip as clip
from jaxnet.optim.paths import by_path as by_path
from jaxnet.optim.paths import constrain as constrain
from jaxnet.optim.paths import freeze as freeze
from jaxnet.optim.paths import max_norm as max_norm
from jaxnet.optim.paths import non_negative as non_negative
from jaxnet.optim.paths import scale_by_path as scale_by_path
from jaxnet.optim.paths import unit_norm as unit_norm
from jaxnet.optim.schedule import chained as chained
from jaxnet.optim.schedule import constant as constant
from jaxnet.optim.schedule import cosine as cosine
from jaxnet.optim.schedule import cosine_restarts as cosine_restarts
from jaxnet.optim.schedule import cyclic as cyclic
from jaxnet.optim.schedule import exponential as exponential
from jaxnet.optim.schedule import inverse_sqrt as inverse_sqrt
from jaxnet.optim.schedule import linear as linear
from jaxnet.optim.schedule import multi_step as multi_step
from jaxnet.optim.schedule import multiplicative as multiplicative
from jaxnet.optim.schedule import one_cycle as one_cycle
from jaxnet.optim.schedule import plateau as plateau
from jaxnet.optim.schedule import polynomial as polynomial
from jaxnet.optim.schedule import scaled as scaled
from jaxnet.optim.schedule import sequential as sequential
from jaxnet.optim.schedule import step_decay as step_decay
from jaxnet.optim.schedule import warmup as warmup
from jaxnet.optim.second_order import lbfgs as lbfgs
from jaxnet.optim.second_order import muon as muon
from jaxnet.optim.sgd import gradient_descent as gradient_descent
from jaxnet.optim.sgd import sgd as sgd
