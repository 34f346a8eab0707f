"""Recurrent cells and layers."""
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp

from catalogue.inputs import SEQUENCE, VECTOR, normal
from jaxnet import nn

LENGTHS = jnp.array([5, 7])
STATE = nn.LSTMState(normal(2, 3), normal(2, 3) / 2)
IMAGES = normal(2, 3, 4, 5, 2)

LAYERS = [
    ("rnn-cell", nn.RNNCell(3), normal(2, 3), VECTOR),
    ("gru-cell", nn.GRUCell(3, reset="before", initializer="flax"), normal(2, 3), VECTOR),
    ("minimal-gated-cell", nn.MinimalGatedCell(3, initializer="flax"), normal(2, 3), VECTOR),
    ("lstm-cell", nn.LSTMCell(3, peepholes=True, initializer="keras"), STATE, VECTOR),
    ("conv-lstm-cell", nn.ConvLSTMCell(3, (1,), initializer="keras"), (SEQUENCE[..., :3],) * 2,
     SEQUENCE),
    ("stacked-cells", nn.StackedCells(nn.GRUCell(3), nn.RNNCell(2)), (normal(2, 3), normal(2, 2)),
     VECTOR),
    ("recurrent", nn.Recurrent(nn.GRUCell(3), recurrent_dropout=0.4), SEQUENCE, None, LENGTHS),
    ("bidirectional", nn.Bidirectional(nn.Recurrent(nn.RNNCell(3)), merge="mul"), SEQUENCE),
    ("rnn", nn.RNN(3, activation=nn.softplus, bias=False), SEQUENCE),
    ("gru", nn.GRU(3, layers=2, dropout=0.4, reverse=True), SEQUENCE),
    ("lstm", nn.LSTM(3, projection=2), SEQUENCE, None, LENGTHS),
    ("conv-lstm", nn.ConvLSTM(2, (2, 1), stride=2), IMAGES),
]  # fmt: skip

KEY, X = jax.random.key(0), jnp.ones((2, 7, 4))
RUN, LSTM = nn.Recurrent(nn.RNNCell(3)), nn.LSTM(3)

MISTAKES = [
    ("nn.RNNCell", lambda: nn.RNNCell(0), "features of RNNCell", "at least 1"),
    ("nn.RNNCell", lambda: nn.RNNCell(3, activation="relu"), "activation of RNNCell", "nn.relu"),
    ("nn.RNNCell", lambda: nn.RNNCell(3)({}, jnp.ones(3), jnp.array([1, 2])), "floating", "astype"),
    ("nn.RNNCell", lambda: nn.RNNCell(3)({}, jnp.ones((2, 4)), VECTOR),
     "state of RNNCell", "float32[2,4]", "must be float32[2,3]", "initial(x)"),
    ("nn.RNNCell", lambda: nn.RNNCell(3, initializer="kers").init(KEY, VECTOR[:, :3], VECTOR),
     "kers", "keras"),
    ("nn.GRUCell", lambda: nn.GRUCell(3, reset="befor"), "reset of GRUCell", "'before'"),
    ("nn.GRUCell", lambda: nn.GRUCell(3, recurrent_activation=None), "recurrent_activation of GRU"),
    ("nn.GRUCell", lambda: nn.GRUCell(3)({}, jnp.ones((2, 3), int), VECTOR), "state of GRUCell",
     "int32[2,3]", "initial(x)"),
    ("nn.MinimalGatedCell", lambda: nn.MinimalGatedCell(-1), "features of MinimalGatedCell"),
    ("nn.MinimalGatedCell", lambda: nn.MinimalGatedCell(3)({}, None, VECTOR),
     "state of MinimalGatedCell is empty", "must be float32[2,3]"),
    ("nn.LSTMCell", lambda: nn.LSTMCell(3, projection=0), "projection of LSTMCell"),
    ("nn.LSTMCell", lambda: nn.LSTMCell(3, recurrent_activation="hard"), "recurrent_activation of"),
    ("nn.LSTMCell", lambda: nn.LSTMCell(3)({}, jnp.ones((2, 3)), VECTOR),
     "state of LSTMCell is float32[2,3]", "float32[2,3], float32[2,3]"),
    ("nn.StackedCells", lambda: nn.StackedCells(nn.LSTM(3)), "cells one by one", "LSTMCell"),
    ("nn.StackedCells", lambda: nn.StackedCells(), "at least one cell"),
    ("nn.Recurrent", lambda: nn.Recurrent(nn.Linear(3)), "cell of Recurrent", "LSTMCell(8)"),
    ("nn.Recurrent", lambda: nn.Recurrent(nn.RNNCell(3), unroll=0), "unroll of Recurrent"),
    ("nn.Recurrent", lambda: nn.Recurrent(nn.RNNCell(3), recurrent_dropout=1), "dropout rate"),
    ("nn.Recurrent", lambda: RUN({}, jnp.ones(4)), "input of Recurrent", "axis of time"),
    ("nn.Recurrent", lambda: RUN({}, jnp.ones((2, 0, 4))), "at least one step", "[2,0,4]"),
    ("nn.Recurrent", lambda: RUN({}, X, jnp.ones(3)), "state of Recurrent", "must be float32[2,3]"),
    ("nn.Bidirectional", lambda: nn.Bidirectional(LSTM, merge="add"), "merge='add'", "'sum'"),
    ("nn.Bidirectional", lambda: nn.Bidirectional(nn.LSTMCell(3)), "LSTM(8)", "LSTMCell(3)"),
    ("nn.Bidirectional", lambda: nn.Bidirectional(LSTM, LSTM), "backward", "reverse=True"),
    ("nn.Bidirectional", lambda: nn.Bidirectional(nn.LSTM(3, time_major=True)), "time_major"),
    ("nn.RNN", lambda: nn.RNN(3, layers=0), "layers of RNN", "at least 1"),
    ("nn.RNN", lambda: nn.RNN(3, dropout=0.5), "dropout of RNN", "layers=1"),
    ("nn.RNN", lambda: nn.RNN(3)({}, X.astype(int)), "input of RNN", "astype"),
    ("nn.GRU", lambda: nn.GRU(3, layers=2, dropout=-1), "dropout rate"),
    ("nn.GRU", lambda: nn.GRU(3, reverse=True, bidirectional=True), "reverse of GRU", "choose one"),
    ("nn.GRU", lambda: nn.GRU(3).scan({}, X, None, LENGTHS + 1), "lengths of GRU", "6 and 8",
     "0 to 7 steps", "time_major"),
    ("nn.LSTM", lambda: LSTM({}, X, None, jnp.array([1])), "lengths of LSTM", "(2,)", "int32[1]"),
    ("nn.LSTM", lambda: LSTM({}, X, None, [1, 2]), "lengths of LSTM", "a list"),
    ("nn.LSTM", lambda: LSTM({}, X, None, jnp.ones(2)), "lengths of LSTM", "astype(jnp.int32)"),
    ("nn.LSTM", lambda: LSTM({}, X, (jnp.ones((2, 3)),)), "state of LSTM", "initial(x)"),
    ("nn.LSTM", lambda: nn.LSTM(3.0), "features of LSTM", "3.0"),
    ("nn.ConvLSTMCell", lambda: nn.ConvLSTMCell(3, (1, 1, 1, 1)), "kernel_size of ConvLSTMCell"),
    ("nn.ConvLSTMCell", lambda: nn.ConvLSTMCell(3, 3, stride=(1,)), "stride of ConvLSTMCell"),
    ("nn.ConvLSTMCell", lambda: nn.ConvLSTMCell(3, (2,))({}, STATE, VECTOR[:1]), "ConvLSTMCell"),
    ("nn.ConvLSTM", lambda: nn.ConvLSTM(3, 3, activation="relu"), "activation of ConvLSTM"),
    ("nn.ConvLSTM", lambda: nn.ConvLSTM(0, 3), "features of ConvLSTM"),
    ("nn.ConvLSTM", lambda: nn.ConvLSTM(3, 3)({}, IMAGES[0, 0]), "input of ConvLSTM", "4 axes"),
    ("nn.ConvLSTM", lambda: nn.ConvLSTM(3, 9)({}, IMAGES), "window of ConvLSTM", "padding='SAME'"),
]  # fmt: skip
