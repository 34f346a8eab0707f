"""Positions, by their formulas in complex numbers and in PyTorch's own operations."""

import math

import numpy as np
import torch
from case import Case
from torch import Tensor
from torch.nn import functional as F

type Params = dict[str, Tensor]


def sinusoidal(
    p: Params, positions: Tensor, *, features: int, base: float = 1e4, interleaved: bool = True
) -> Tensor:
    columns = []
    for i in range(features):
        pair, odd = (i // 2, i % 2) if interleaved else divmod(i, features // 2)[::-1]
        angle = positions.double() / base ** (2 * pair / features)
        columns.append(torch.cos(angle) if odd else torch.sin(angle))
    return torch.stack(columns, -1)


def sinusoidal_layer(p: Params, x: Tensor) -> Tensor:
    return x + sinusoidal(p, torch.arange(x.shape[-2]), features=x.shape[-1])


def learned(p: Params, x: Tensor, *, positions: Tensor | None = None) -> Tensor:
    places = torch.arange(x.shape[-2]) if positions is None else positions
    return x + F.embedding(places, p["kernel"])


def rotary(
    p: Params,
    x: Tensor,
    positions: Tensor | None = None,
    *,
    base: float = 1e4,
    interleaved: bool = False,
    size: int | None = None,
) -> Tensor:
    size = size or x.shape[-1]
    places = torch.arange(x.shape[-3]) if positions is None else positions
    waves = base ** (-torch.arange(0, size, 2).double() / size)
    turn = torch.exp(1j * places[..., None, None].double() * waves)
    rest = x[..., size:]
    if interleaved:
        z = torch.view_as_complex(x[..., :size].unflatten(-1, (-1, 2)).contiguous()) * turn
        y = torch.view_as_real(z).flatten(-2)
    else:
        z = torch.complex(*x[..., :size].chunk(2, -1)) * turn
        y = torch.cat([z.real, z.imag], -1)
    return torch.cat([y, rest], -1)


def alibi(p: Params, queries: Tensor, keys: Tensor, *, heads: int) -> Tensor:
    """The slopes as in the code of the paper."""

    def slopes(n: int) -> list[float]:
        if math.log2(n).is_integer():
            start = 2 ** (-(2 ** -(math.log2(n) - 3)))
            return [start * start**i for i in range(n)]
        lower = 2 ** math.floor(math.log2(n))
        return slopes(lower) + slopes(2 * lower)[0::2][: n - lower]

    far = (keys[..., None, :] - queries[..., :, None]).abs().double()
    return -far[..., None, :, :] * torch.tensor(slopes(heads), dtype=torch.float64)[:, None, None]


def relative(
    p: Params,
    queries: Tensor,
    keys: Tensor,
    *,
    buckets: int = 32,
    distance: int = 128,
    bidirectional: bool = True,
) -> Tensor:
    """The buckets of T5, from distances in float32."""
    ahead = keys[..., None, :] - queries[..., :, None]
    shift = torch.zeros_like(ahead)
    if bidirectional:
        buckets //= 2
        shift = torch.where(ahead > 0, buckets, 0)
        behind = ahead.abs()
    else:
        behind = (-ahead).clamp(min=0)
    exact = buckets // 2
    wide = torch.log(behind.float().clamp(min=1) / exact) / math.log(distance / exact)
    wide = (exact + (wide * (buckets - exact)).long()).clamp(max=buckets - 1)
    chosen = shift + torch.where(behind < exact, behind, wide)
    return F.embedding(chosen, p["kernel"]).movedim(-1, -3)


def given(**fixed):
    fn = fixed.pop("fn")
    return lambda p, *args, **arrays: fn(p, *args, **arrays, **fixed)


PLACES = np.array([[0, 3, 7, 2], [9, 1, 30, 4]])
FAR = np.array([0, 1, 5, 40, 200])

CASES = [
    Case(
        "sinusoidal",
        "nn.sinusoidal",
        given(fn=sinusoidal, features=6),
        ((2, 4),),
        {"features": 6},
    ),
    Case(
        "sinusoidal_odd",
        "nn.sinusoidal",
        given(fn=sinusoidal, features=5, base=100.0),
        (PLACES,),
        {"features": 5, "base": 100.0},
        grads=False,
    ),
    Case(
        "sinusoidal_halves",
        "nn.sinusoidal",
        given(fn=sinusoidal, features=6, interleaved=False),
        ((4,),),
        {"features": 6, "interleaved": False},
    ),
    Case("sinusoidal_layer", "nn.SinusoidalPosition", sinusoidal_layer, ((2, 5, 4),)),
    Case(
        "learned",
        "nn.LearnedPosition",
        learned,
        ((2, 4, 3),),
        {"length": 6},
        {"kernel": (6, 3)},
    ),
    Case(
        "learned_positions",
        "nn.LearnedPosition",
        learned,
        ((2, 4, 3),),
        {"length": 6},
        {"kernel": (6, 3)},
        {"positions": np.array([[0, 5, 2, 2], [3, 1, 0, 4]])},
    ),
    Case("rotary", "nn.rotary", rotary, ((2, 5, 2, 6),)),
    Case(
        "rotary_interleaved",
        "nn.rotary",
        given(fn=rotary, interleaved=True, base=50.0),
        ((2, 4, 3, 4), PLACES),
        {"interleaved": True, "base": 50.0},
    ),
    Case(
        "rotary_fraction",
        "nn.rotary",
        given(fn=rotary, size=4),
        ((5, 2, 8), FAR),
        {"fraction": 0.5},
    ),
    Case(
        "rotary_real_positions",
        "nn.rotary",
        rotary,
        ((2, 4, 1, 4), (4,)),
    ),
    Case(
        "rotary_layer",
        "nn.Rotary",
        given(fn=rotary, size=2, interleaved=True),
        ((2, 3, 2, 4),),
        {"fraction": 0.5, "interleaved": True},
    ),
    Case(
        "alibi",
        "nn.alibi",
        lambda p, queries, keys: alibi(p, queries, keys, heads=4),
        (),
        {"heads": 4},
        arrays={"queries": (3,), "keys": (2, 4)},
    ),
    Case(
        "alibi_positions",
        "nn.alibi",
        lambda p, queries, keys: alibi(p, queries, keys, heads=11),
        (),
        {"heads": 11},
        arrays={"queries": PLACES, "keys": FAR[None].repeat(2, 0)},
        grads=False,
    ),
    Case(
        "alibi_layer",
        "nn.ALiBi",
        given(fn=alibi, heads=6),
        ((2, 3), (2, 4)),
        {"heads": 6},
    ),
    Case(
        "relative",
        "nn.RelativePosition",
        relative,
        (np.arange(0, 300, 7)[None], np.arange(0, 300, 11)[None]),
        {"heads": 2},
        {"kernel": (32, 2)},
    ),
    Case(
        "relative_causal",
        "nn.RelativePosition",
        given(fn=relative, buckets=9, distance=30, bidirectional=False),
        (np.arange(40), FAR),
        {"heads": 3, "buckets": 9, "distance": 30, "bidirectional": False},
        {"kernel": (9, 3)},
    ),
]
