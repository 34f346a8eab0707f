"""Training: a state, a step, and loops around it."""

from jaxnet.train.evaluate import evaluate as evaluate
from jaxnet.train.evaluate import predict as predict
from jaxnet.train.fit import fit as fit
from jaxnet.train.state import TrainState as TrainState
from jaxnet.train.step import train_step as train_step
