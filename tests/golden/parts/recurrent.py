"""Recurrent cells and layers."""

import numpy as np
import torch
from case import Case, first, last
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

KINDS = {"RNN": (nn.RNN, 1), "GRU": (nn.GRU, 3), "LSTM": (nn.LSTM, 4)}
D, H, T = 3, 4, 5


def leaves(gates: int, inputs: int = D, projection: int = 0, bias: bool = True) -> dict:
    """The shapes of one layer's parameters."""
    shapes = {"kernel": (inputs, gates * H), "recurrent": (projection or H, gates * H)}
    if bias:
        shapes["bias"] = (gates * H,)
    if bias and gates in (2, 3):
        shapes["recurrent_bias"] = (H,)
    return shapes | ({"projection": (H, projection)} if projection else {})


def both(*args: int) -> dict:
    return {"forward": leaves(*args), "backward": leaves(*args)}


def weights(p: dict[str, Tensor], suffix: str) -> dict[str, Tensor]:
    """PyTorch's weights of one layer."""
    found = {"weight_ih": p["kernel"].T, "weight_hh": p["recurrent"].T}
    if "bias" in p:
        second = torch.zeros_like(p["bias"])
        if "recurrent_bias" in p:
            second = torch.cat([second[: 2 * H], p["recurrent_bias"]])
        found |= {"bias_ih": p["bias"], "bias_hh": second}
    if "projection" in p:
        found["weight_hr"] = p["projection"].T
    return {name + suffix: x for name, x in found.items()}


def sequences(kind: str, **options):
    """PyTorch's layer on ``[..., T, D]``; the state is one of each layer and direction."""

    def reference(p, x, state=None, lengths=None):
        cells = [(p[str(i)], f"_l{i}") for i in range(len(p))]
        given = [] if state is None else state
        if options.get("bidirectional"):
            pairs = [(q["forward"], q["backward"], s) for q, s in cells]
            cells = [x for q, r, s in pairs for x in ((q, s), (r, f"{s}_reverse"))]
            given = [x for pair in given for x in pair]
        named = {name: w for q, s in cells for name, w in weights(q, s).items()}
        make, _ = KINDS[kind]
        module = make(
            x.shape[-1],
            H,
            len(p),
            bias="bias_ih_l0" in named,
            batch_first=True,
            dtype=torch.float64,
            **options,
        )
        batch = x.shape[:-2]
        xs = x.reshape(-1, *x.shape[-2:])
        if kind == "LSTM":
            # From [layer][h, c] to PyTorch's pair of [layers, batch, features].
            stacked = tuple(torch.stack(s) for s in zip(*given, strict=True))
        else:
            stacked = torch.stack(given) if given else ()
        first_state = (stacked,) if len(stacked) else ()
        if lengths is None:
            y, _ = torch.func.functional_call(module, named, (xs, *first_state))
        else:
            packed = pack_padded_sequence(xs, lengths.reshape(-1), True, enforce_sorted=False)
            y, _ = torch.func.functional_call(module, named, (packed, *first_state))
            y, _ = pad_packed_sequence(y, batch_first=True, total_length=xs.shape[1])
        return y.reshape(*batch, *y.shape[1:])

    return reference


def against_time(p, x):
    return sequences("LSTM")(p, x.flip(-2)).flip(-2)


def time_first(p, x):
    return sequences("GRU")(p, x.movedim(0, -2)).movedim(-2, 0)


def lstm_cell(p, state, x):
    named = weights(p, "")
    h, c = state
    return nn.functional._VF.lstm_cell(
        x, (h, c), *(named[n] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    )


def projected_cell(p, state, x):
    """Peepholes and a projection, from the formulas."""
    h, c = state
    i, f, g, o = (x @ p["kernel"] + h @ p["recurrent"] + p["bias"]).chunk(4, -1)
    i, f = (i + p["peephole"][0] * c).sigmoid(), (f + p["peephole"][1] * c).sigmoid()
    c = f * c + i * g.tanh()
    h = ((o + p["peephole"][2] * c).sigmoid() * c.tanh()) @ p["projection"]
    return h, c, h


def with_output(reference):
    """The leaves of ``(state, y)``."""

    def run(p, state, x):
        new = reference(p, state, x)
        return (*new, new[0]) if isinstance(new, tuple) else (new, new)

    return run


def torch_cell(name: str):
    def reference(p, h, x):
        named = weights(p, "")
        module = {"GRU": nn.GRUCell, "RNN": nn.RNNCell}[name](
            x.shape[-1], H, bias="bias" in p, dtype=torch.float64
        )
        return torch.func.functional_call(module, named, (x, h))

    return with_output(reference)


def reset_before_cell(p, h, x):
    """Cho et al. 2014; Keras's ``reset_after=False``, ONNX's ``linear_before_reset=0``."""
    to_r, to_z, to_n = p["kernel"].chunk(3, -1)
    from_r, from_z, from_n = p["recurrent"].chunk(3, -1)
    b_r, b_z, b_n = p["bias"].chunk(3)
    r = (x @ to_r + h @ from_r + b_r).sigmoid()
    z = (x @ to_z + h @ from_z + b_z).sigmoid()
    n = (x @ to_n + (r * h) @ from_n + b_n).tanh()
    return (1 - z) * n + z * h


def reset_before(p, x):
    h, ys = torch.zeros(*x.shape[:-2], H, dtype=x.dtype), []
    for t in range(x.shape[-2]):
        h = reset_before_cell(p["0"], h, x[..., t, :])
        ys.append(h)
    return torch.stack(ys, -2)


def minimal_gated_cell(p, h, x):
    to_f, to_n = p["kernel"].chunk(2, -1)
    from_f, from_n = p["recurrent"].chunk(2, -1)
    b_f, b_n = p["bias"].chunk(2)
    f = (x @ to_f + h @ from_f + b_f).sigmoid()
    n = (x @ to_n + b_n + f * (h @ from_n + p["recurrent_bias"])).tanh()
    return (1 - f) * n + f * h


def conv_lstm_step(p, h, c, x, **options):
    """One step, for any number of spatial axes: ``x [N, *spatial, D]``."""
    axes = p["kernel"].ndim - 2
    conv = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]

    def kernel(name):
        return p[name].movedim((-1, -2), (0, 1))

    # Half the window on both sides; with an even one, one more at the end.
    pads = [side for k in reversed(p["recurrent"].shape[:axes]) for side in ((k - 1) // 2, k // 2)]
    z = conv(first(x), kernel("kernel"), p.get("bias"), **options)
    z = last(z + conv(F.pad(first(h), pads), kernel("recurrent")))
    i, f, g, o = z.chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def conv_lstm_cell(p, state, x):
    return conv_lstm_step(p, *state, x, padding="same")


def conv_lstm(places: tuple[int, ...], **options):
    def reference(p, x):
        features = p["kernel"].shape[-1] // 4
        h = c = torch.zeros(len(x), *places, features, dtype=x.dtype)
        ys = []
        for t in range(x.shape[1]):
            h, c = conv_lstm_step(p, h, c, x[:, t], **options)
            ys.append(h)
        return torch.stack(ys, 1)

    return reference


def conv_leaves(window: tuple[int, ...], features: int) -> dict:
    return {
        "kernel": (*window, 2, 4 * features),
        "recurrent": (*window, features, 4 * features),
        "bias": (4 * features,),
    }


def pair(*batch: int) -> list:
    return [(*batch, H), (*batch, H)]


SIZE, X = {"features": H}, ((2, T, D),)

CASES = [
    Case("rnn_cell", "nn.RNNCell", torch_cell("RNN"), ((2, H), (2, D)), SIZE, leaves(1)),
    Case(
        "rnn_cell_no_bias",
        "nn.RNNCell",
        torch_cell("RNN"),
        ((2, H), (2, D)),
        SIZE | {"bias": False},
        leaves(1, bias=False),
    ),
    Case("gru_cell", "nn.GRUCell", torch_cell("GRU"), ((2, H), (2, D)), SIZE, leaves(3)),
    Case(
        "gru_cell_no_bias",
        "nn.GRUCell",
        torch_cell("GRU"),
        ((2, H), (2, D)),
        SIZE | {"bias": False},
        leaves(3, bias=False),
    ),
    Case(
        "gru_cell_reset_before",
        "nn.GRUCell",
        with_output(reset_before_cell),
        ((2, H), (2, D)),
        SIZE | {"reset": "before"},
        {k: v for k, v in leaves(3).items() if k != "recurrent_bias"},
    ),
    Case(
        "minimal_gated_cell",
        "nn.MinimalGatedCell",
        with_output(minimal_gated_cell),
        ((2, H), (2, D)),
        SIZE,
        leaves(2),
    ),
    Case("lstm_cell", "nn.LSTMCell", with_output(lstm_cell), (pair(2), (2, D)), SIZE, leaves(4)),
    Case(
        "lstm_cell_projection_peepholes",
        "nn.LSTMCell",
        projected_cell,
        ([(2, 2), (2, H)], (2, D)),
        SIZE | {"projection": 2, "peepholes": True},
        leaves(4, D, 2) | {"peephole": (3, H)},
    ),
    Case(
        "conv_lstm_cell",
        "nn.ConvLSTMCell",
        with_output(conv_lstm_cell),
        ([(2, 4, 5, 3), (2, 4, 5, 3)], (2, 4, 5, 2)),
        {"features": 3, "kernel_size": [3, 2], "padding": "SAME"},
        conv_leaves((3, 2), 3),
    ),
    Case(
        "conv_lstm_1d",
        "nn.ConvLSTM",
        conv_lstm((4,), stride=2),
        ((2, 3, 9, 2),),
        {"features": 3, "kernel_size": [3], "stride": 2},
        conv_leaves((3,), 3),
    ),
    Case(
        "conv_lstm_2d",
        "nn.ConvLSTM",
        conv_lstm((4, 2), padding=(1, 0), dilation=(1, 2)),
        ((2, 3, 4, 4, 2),),
        {"features": 2, "kernel_size": [3, 2], "padding": [1, 0], "dilation": [1, 2]},
        conv_leaves((3, 2), 2),
    ),
    Case(
        "conv_lstm_3d_no_bias",
        "nn.ConvLSTM",
        conv_lstm((2, 3, 2)),
        ((1, 2, 3, 4, 3, 2),),
        {"features": 2, "kernel_size": [2, 2, 2], "bias": False},
        {k: v for k, v in conv_leaves((2, 2, 2), 2).items() if k != "bias"},
    ),
    Case("rnn", "nn.RNN", sequences("RNN"), X, SIZE, {"0": leaves(1)}),
    Case(
        "rnn_layers",
        "nn.RNN",
        sequences("RNN", bidirectional=True),
        X,
        SIZE | {"layers": 2, "bidirectional": True},
        {"0": both(1), "1": both(1, 2 * H)},
        {"lengths": np.array([5, 2]), "state": [[(2, H), (2, H)], [(2, H), (2, H)]]},
    ),
    Case("gru", "nn.GRU", sequences("GRU"), X, SIZE, {"0": leaves(3)}),
    Case(
        "gru_three_layers",
        "nn.GRU",
        sequences("GRU"),
        X,
        SIZE | {"layers": 3},
        {"0": leaves(3), "1": leaves(3, H), "2": leaves(3, H)},
        {"state": [(2, H), (2, H), (2, H)]},
    ),
    Case(
        "gru_bidirectional_lengths",
        "nn.GRU",
        sequences("GRU", bidirectional=True),
        ((4, T, D),),
        SIZE | {"bidirectional": True},
        {"0": both(3)},
        {"lengths": np.array([3, 5, 1, 4])},
    ),
    Case(
        "gru_no_bias_time_major",
        "nn.GRU",
        time_first,
        ((T, 2, D),),
        SIZE | {"bias": False, "time_major": True},
        {"0": leaves(3, bias=False)},
    ),
    Case(
        "gru_reset_before",
        "nn.GRU",
        reset_before,
        X,
        SIZE | {"reset": "before"},
        {"0": {k: v for k, v in leaves(3).items() if k != "recurrent_bias"}},
    ),
    Case("lstm", "nn.LSTM", sequences("LSTM"), X, SIZE, {"0": leaves(4)}),
    Case("lstm_unbatched", "nn.LSTM", sequences("LSTM"), ((T, D),), SIZE, {"0": leaves(4)}),
    Case("lstm_one_step", "nn.LSTM", sequences("LSTM"), ((2, 1, D),), SIZE, {"0": leaves(4)}),
    Case(
        "lstm_state",
        "nn.LSTM",
        sequences("LSTM"),
        X,
        SIZE | {"layers": 2},
        {"0": leaves(4), "1": leaves(4, H)},
        {"state": [pair(2), pair(2)]},
    ),
    Case(
        "lstm_no_bias_batch_axes",
        "nn.LSTM",
        sequences("LSTM"),
        ((2, 2, T, D),),
        SIZE | {"bias": False, "unroll": 2},
        {"0": leaves(4, bias=False)},
        {"lengths": np.array([[5, 2], [1, 3]])},
    ),
    Case("lstm_reverse", "nn.LSTM", against_time, X, SIZE | {"reverse": True}, {"0": leaves(4)}),
    Case(
        "lstm_projection",
        "nn.LSTM",
        sequences("LSTM", proj_size=2, bidirectional=True),
        X,
        SIZE | {"projection": 2, "layers": 2, "bidirectional": True},
        {"0": both(4, D, 2), "1": both(4, 4, 2)},
    ),
    Case(
        "lstm_bidirectional_lengths_state",
        "nn.LSTM",
        sequences("LSTM", bidirectional=True),
        ((3, T, D),),
        SIZE | {"layers": 2, "bidirectional": True},
        {"0": both(4), "1": both(4, 2 * H)},
        {"lengths": np.array([2, 5, 4]), "state": [[pair(3), pair(3)], [pair(3), pair(3)]]},
    ),
]
