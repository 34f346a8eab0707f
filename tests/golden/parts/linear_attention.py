"""Linear attention, by its quadratic formula."""

import numpy as np
import torch
from case import Case
from torch import Tensor
from torch.nn import functional as F


def quadratic(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    key_lengths: Tensor | None = None,
    causal: bool = False,
    mapped: bool = True,
    normalize: bool = True,
) -> Tensor:
    shared = query.shape[-2] // key.shape[-2]
    if mapped:
        query, key = F.elu(query) + 1, F.elu(key) + 1
    key, value = (x.repeat_interleave(shared, -2) for x in (key, value))
    weights = torch.einsum("...thk,...shk->...hts", query, key)
    if causal:
        weights = weights.tril()
    if key_lengths is not None:
        inside = torch.arange(key.shape[-3]) < key_lengths[:, None]
        weights = weights * inside[:, None, None, :]
    if normalize:
        total = weights.sum(-1, keepdim=True)
        weights = weights / torch.where(total == 0, 1.0, total)
    return torch.einsum("...hts,...shv->...thv", weights, value)


def recurrence(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """``LinearAttention`` of ONNX with the update rule "linear" and a scale of 1."""
    state, y = torch.zeros(*key.shape[:-3], *key.shape[-2:], value.shape[-1]).double(), []
    for t in range(query.shape[-3]):
        k, v = key[..., t, :, :], value[..., t, :, :]
        state = state + k[..., :, None] * v[..., None, :]
        y.append(torch.einsum("...hk,...hkv->...hv", query[..., t, :, :], state))
    return torch.stack(y, -3)


def case(name: str, *shapes: tuple[int, ...], lengths: list[int] | None = None, **options):
    def run(p, query: Tensor, key: Tensor, value: Tensor, **arrays: Tensor) -> Tensor:
        given = {n: x for n, x in options.items() if n in ("causal", "normalize")}
        return quadratic(query, key, value, **given, **arrays, mapped="feature_map" not in options)

    arrays = {} if lengths is None else {"key_lengths": np.array(lengths)}
    return Case(name, "nn.linear_attention", run, shapes, options, arrays=arrays)


CASES = [
    case("all", (2, 4, 2, 3), (2, 5, 2, 3), (2, 5, 2, 2)),
    case("groups_lengths", (2, 3, 4, 2), (2, 5, 2, 2), (2, 5, 2, 3), lengths=[3, 0]),
    case("causal", (7, 2, 3), (7, 2, 3), (7, 2, 2), causal=True, chunk=3),
    case("causal_one_chunk", (2, 4, 2, 3), (2, 4, 1, 3), (2, 4, 1, 2), causal=True),
    case(
        "causal_lengths", (2, 5, 4, 2), (2, 5, 2, 2), (2, 5, 2, 3), lengths=[5, 2], causal=True,
        chunk=2,
    ),
    case("plain", (2, 4, 2, 3), (2, 5, 2, 3), (2, 5, 2, 2), feature_map=None, normalize=False),
    Case(
        "recurrence",
        "nn.linear_attention",
        lambda p, *args: recurrence(*args),
        ((2, 6, 2, 3), (2, 6, 2, 3), (2, 6, 2, 2)),
        {"causal": True, "feature_map": None, "normalize": False, "chunk": 4},
    ),
]  # fmt: skip
