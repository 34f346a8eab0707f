"""Attention on arrays and as a layer: PyTorch's own wherever it has one."""

import math

import numpy as np
import torch
from case import Case
from torch import Tensor
from torch.nn import functional as F

type Params = dict[str, Tensor]


def sdpa(
    p: Params, query: Tensor, key: Tensor, value: Tensor, *, mask: Tensor | None = None, **options
) -> Tensor:
    heads = (x.movedim(-2, -3) for x in (query, key, value))
    shared = query.shape[-2] != key.shape[-2]
    y = F.scaled_dot_product_attention(*heads, attn_mask=mask, enable_gqa=shared, **options)
    return y.movedim(-3, -2)


def scores(query: Tensor, key: Tensor, scale: float | None = None) -> Tensor:
    key = key.repeat_interleave(query.shape[-2] // key.shape[-2], -2)
    return torch.einsum("...thk,...shk->...hts", query, key) * (
        1 / math.sqrt(query.shape[-1]) if scale is None else scale
    )


def blend(weights: Tensor, value: Tensor) -> Tensor:
    value = value.repeat_interleave(weights.shape[-3] // value.shape[-2], -2)
    return torch.einsum("...hts,...shv->...thv", weights, value)


def visible(t: int, s: int, left: int, right: int) -> Tensor:
    ahead = torch.arange(s) - torch.arange(t)[:, None]
    return (ahead >= -left) & (ahead <= right)


def plain(
    p: Params,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    bias: Tensor | None = None,
    band: tuple[int, int] = (99, 99),
    query_lengths: Tensor | None = None,
    key_lengths: Tensor | None = None,
    soft_cap: float | None = None,
    sinks: Tensor | None = None,
    weights: bool = False,
) -> Tensor:
    """The formula, with zeros for queries that see nothing."""
    s = scores(query, key)
    if soft_cap is not None:
        s = soft_cap * torch.tanh(s / soft_cap)
    if bias is not None:
        s = s + bias
    t, n = s.shape[-2:]
    seen = visible(t, n, *band)
    if query_lengths is not None:
        seen = seen & (torch.arange(t) < query_lengths[:, None])[:, None, :, None]
    if key_lengths is not None:
        seen = seen & (torch.arange(n) < key_lengths[:, None])[:, None, None, :]
    grown = torch.where(seen, torch.exp(s), 0.0)
    total = grown.sum(-1, keepdim=True)
    if sinks is not None:
        total = total + torch.exp(sinks)[:, None, None]
    w = grown / torch.where(total > 0, total, 1.0)
    return w if weights else blend(w, value)


def weights(p: Params, query: Tensor, key: Tensor, **options) -> Tensor:
    return plain(p, query, key, key, weights=True, **options)


def gpt_oss(p: Params, query: Tensor, key: Tensor, value: Tensor, *, sinks: Tensor) -> Tensor:
    """One more column of scores, cut off behind the softmax."""
    s = scores(query, key).masked_fill(~visible(query.shape[-3], key.shape[-3], 2, 0), -torch.inf)
    column = sinks[:, None, None].expand(*s.shape[:-1], 1)
    return blend(torch.softmax(torch.cat([s, column], -1), -1)[..., :-1], value)


def additive(
    p: Params,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: Tensor | None = None,
    *,
    mask: Tensor | None = None,
) -> Tensor:
    terms = torch.tanh(query[..., :, None, :] + key[..., None, :, :])
    s = (terms if scale is None else terms * scale).sum(-1)
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    return torch.softmax(s, -1) @ value


def additive_causal(p: Params, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return additive(p, query, key, value, mask=visible(query.shape[-2], key.shape[-2], 99, 0))


def multihead(
    p: Params,
    x: Tensor,
    memory: Tensor | None = None,
    values: Tensor | None = None,
    *,
    mask: Tensor | None = None,
    key_lengths: Tensor | None = None,
    add_zero: bool = False,
    causal: bool = False,
) -> Tensor:
    """``torch.nn.MultiheadAttention`` on [B, T, D], by its functional form, and without a batch."""
    memory = x if memory is None else memory
    values = memory if values is None else values
    heads, size = p["query/kernel"].shape[1:]
    matrix = {n: p[f"{n}/kernel"].flatten(1).T for n in ("query", "key", "value")}
    biases = [p[f"{n}/bias"].flatten() for n in matrix] if "query/bias" in p else None
    padding = None
    if key_lengths is not None:
        padding = torch.arange(memory.shape[-2]) >= key_lengths[:, None]
    hidden = None if mask is None else ~mask
    if hidden is not None and hidden.ndim == 4:
        hidden = hidden.flatten(0, 1)
    if causal:
        hidden = ~visible(x.shape[-2], memory.shape[-2], 99, 0)
    first = [z.transpose(0, 1) if z.ndim == 3 else z for z in (x, memory, values)]
    extra = [p[n].reshape(1, 1, -1) if n in p else None for n in ("bias_key", "bias_value")]
    y, _ = F.multi_head_attention_forward(
        *first,
        heads * size,
        heads,
        None,
        None if biases is None else torch.cat(biases),
        *extra,
        add_zero,
        0.0,
        p["out/kernel"].flatten(0, 1).T,
        p.get("out/bias"),
        training=False,
        key_padding_mask=padding,
        need_weights=False,
        attn_mask=hidden,
        use_separate_proj_weight=True,
        q_proj_weight=matrix["query"],
        k_proj_weight=matrix["key"],
        v_proj_weight=matrix["value"],
    )
    return y.transpose(0, 1) if y.ndim == 3 else y


def module(p: Params, x: Tensor) -> Tensor:
    """``torch.nn.MultiheadAttention`` itself, packed."""
    layer = torch.nn.MultiheadAttention(x.shape[-1], p["query/kernel"].shape[1], batch_first=True)
    named = {
        "in_proj_weight": torch.cat([p[f"{n}/kernel"].flatten(1).T for n in NAMES]),
        "in_proj_bias": torch.cat([p[f"{n}/bias"].flatten() for n in NAMES]),
        "out_proj.weight": p["out/kernel"].flatten(0, 1).T,
        "out_proj.bias": p["out/bias"],
    }
    return torch.func.functional_call(layer.double(), named, (x, x, x))[0]


NAMES = ("query", "key", "value")


def composed(
    p: Params,
    x: Tensor,
    memory: Tensor | None = None,
    *,
    soft_cap: float | None = None,
    band: tuple[int, int] = (99, 99),
) -> Tensor:
    """All other options, step by step."""
    memory = x if memory is None else memory
    q, k, v = (
        torch.einsum("...td,dhk->...thk", z, p[f"{n}/kernel"]) + p.get(f"{n}/bias", 0)
        for n, z in zip(NAMES, (x, memory, memory), strict=True)
    )
    y = plain({}, q, k, v, soft_cap=soft_cap, band=band, sinks=p.get("sinks"))
    if "gate/kernel" in p:
        gate = torch.einsum("...td,dhk->...thk", x, p["gate/kernel"]) + p["gate/bias"]
        y = y * torch.sigmoid(gate)
    return torch.einsum("...thk,hko->...to", y, p["out/kernel"]) + p.get("out/bias", 0)


def leaves(
    d: int,
    h: int,
    k: int,
    *,
    g: int | None = None,
    e: int | None = None,
    f: int | None = None,
    v: int | None = None,
    o: int | None = None,
    bias: bool = True,
    out_bias: bool | None = None,
    gate: bool = False,
    extra: bool = False,
    sinks: bool = False,
) -> dict[str, tuple[int, ...]]:
    g, e, v, o = g or h, e or d, v or k, o or d
    f = f or e
    shapes = {"query": (d, h, k), "key": (e, g, k), "value": (f, g, v)}
    shapes |= {"gate": (d, h, v)} if gate else {}
    found = {f"{n}/kernel": s for n, s in shapes.items()}
    found |= {f"{n}/bias": s[1:] for n, s in shapes.items()} if bias else {}
    found |= {"out/kernel": (h, v, o)}
    found |= {"out/bias": (o,)} if (bias if out_bias is None else out_bias) else {}
    found |= {"bias_key": (g, k), "bias_value": (g, v)} if extra else {}
    return found | ({"sinks": (h,)} if sinks else {})


def given(**fixed):
    """The reference with options of its own."""
    fn = fixed.pop("fn")
    return lambda p, *args, **arrays: fn(p, *args, **arrays, **fixed)


MASK = np.array(
    [
        [True, False, True, True, False],
        [False, True, False, False, False],
        [True, True, True, True, True],
        [True, True, False, True, True],
    ]
)
MASK4 = np.array(
    [
        [
            [
                [(3 * b + 5 * h + 7 * t + s * s) % 3 != 1 or s == 2 for s in range(5)]
                for t in range(4)
            ]
            for h in range(2)
        ]
        for b in range(2)
    ]
)
QKV = ((2, 4, 2, 3), (2, 5, 2, 3), (2, 5, 2, 3))
GQA = ((2, 4, 4, 3), (2, 5, 2, 3), (2, 5, 2, 2))
HIDING = np.array(
    [
        [0.5, -math.inf, 0.1, 2.0, -1.0],
        [-math.inf, -math.inf, 0.3, 0.0, 0.0],
        [0.0] * 5,
        [1.0, -2.0, 0.0, 0.0, -math.inf],
    ]
)

CASES = [
    # torch's own
    Case("attention", "nn.attention", sdpa, QKV),
    Case("attention_causal", "nn.attention", given(fn=sdpa, is_causal=True), QKV, {"causal": True}),
    Case("attention_scale", "nn.attention", given(fn=sdpa, scale=0.3), QKV, {"scale": 0.3}),
    Case("attention_groups", "nn.attention", sdpa, GQA),
    Case("attention_no_batch", "nn.attention", sdpa, ((4, 2, 3), (5, 2, 3), (5, 2, 4))),
    Case("attention_mask", "nn.attention", sdpa, QKV, arrays={"mask": MASK}),
    Case("attention_mask_heads", "nn.attention", sdpa, QKV, arrays={"mask": MASK4}),
    Case(
        "attention_bias",
        "nn.attention",
        lambda p, q, k, v, bias: sdpa(p, q, k, v, mask=bias),
        QKV,
        arrays={"bias": (2, 2, 4, 5)},
    ),
    Case(
        "attention_bias_hides",
        "nn.attention",
        lambda p, q, k, v, bias: sdpa(p, q, k, v, mask=bias),
        QKV,
        arrays={"bias": HIDING},
    ),
    # what torch has not
    Case(
        "attention_window",
        "nn.attention",
        given(fn=plain, band=(1, 2)),
        GQA,
        {"window": [1, 2]},
    ),
    Case(
        "attention_empty_rows",
        "nn.attention",
        given(fn=plain, band=(1, 0)),
        ((2, 6, 2, 3), (2, 3, 2, 3), (2, 3, 2, 3)),
        {"window": 1, "causal": True},
        arrays={"query_lengths": np.array([6, 2]), "key_lengths": np.array([2, 0])},
    ),
    Case(
        "attention_lengths",
        "nn.attention",
        plain,
        GQA,
        arrays={"query_lengths": np.array([4, 2]), "key_lengths": np.array([3, 5])},
    ),
    Case(
        "attention_soft_cap",
        "nn.attention",
        given(fn=plain, soft_cap=0.7),
        QKV,
        {"soft_cap": 0.7},
        arrays={"bias": (2, 4, 5)},
    ),
    Case(
        "attention_sinks",
        "nn.attention",
        gpt_oss,
        GQA,
        {"causal": True, "window": 2},
        arrays={"sinks": (4,)},
    ),
    Case("attention_weights", "nn.attention_weights", weights, GQA[:2]),
    Case(
        "attention_weights_limits",
        "nn.attention_weights",
        given(fn=weights, band=(2, 0), soft_cap=2.0),
        QKV[:2],
        {"causal": True, "window": 2, "soft_cap": 2.0},
        arrays={"bias": (2, 4, 5), "key_lengths": np.array([5, 0]), "sinks": (2,)},
    ),
    Case(
        "attention_mask_positions",
        "nn.attention_mask",
        lambda p, q, k: ((k[:, None, :] - q[..., None]) >= -2) & (k[:, None, :] <= q[..., None]),
        (np.array([[3, 4, 9], [0, 1, 2]]), np.array([[0, 1, 2, 3], [2, 3, 1, 0]])),
        {"causal": True, "window": 2},
        grads=False,
    ),
    Case("additive", "nn.additive_attention", additive, ((2, 4, 3), (2, 5, 3), (2, 5, 2), (3,))),
    Case("additive_plain", "nn.additive_attention", additive, ((4, 3), (5, 3), (5, 3))),
    Case(
        "additive_mask",
        "nn.additive_attention",
        additive,
        ((2, 4, 3), (2, 5, 3), (2, 5, 2), (3,)),
        arrays={"mask": MASK},
    ),
    Case(
        "additive_layer",
        "nn.AdditiveAttention",
        lambda p, q, k, v: additive(p, q, k, v, p["scale"]),
        ((2, 4, 3), (2, 5, 3), (2, 5, 2)),
        params={"scale": (3,)},
    ),
    Case(
        "additive_layer_plain",
        "nn.AdditiveAttention",
        lambda p, q, k: additive_causal(p, q, k, k),
        ((2, 4, 3), (2, 5, 3)),
        {"scale": False, "causal": True},
    ),
    # the layer
    Case("multihead", "nn.MultiHeadAttention", module, ((2, 4, 6),), {"heads": 2}, leaves(6, 2, 3)),
    Case(
        "multihead_no_bias",
        "nn.MultiHeadAttention",
        multihead,
        ((4, 6),),
        {"heads": 3, "bias": False},
        leaves(6, 3, 2, bias=False),
    ),
    Case(
        "multihead_causal",
        "nn.MultiHeadAttention",
        given(fn=multihead, causal=True),
        ((2, 4, 6),),
        {"heads": 2, "causal": True},
        leaves(6, 2, 3),
    ),
    Case(
        "multihead_cross",
        "nn.MultiHeadAttention",
        multihead,
        ((2, 4, 6), (2, 5, 3), (2, 5, 2)),
        {"heads": 2},
        leaves(6, 2, 3, e=3, f=2),
        {"key_lengths": np.array([5, 3])},
    ),
    Case(
        "multihead_bias_kv",
        "nn.MultiHeadAttention",
        given(fn=multihead, add_zero=True),
        ((2, 4, 6), (2, 5, 6)),
        {"heads": 2, "bias_kv": True, "add_zero": True},
        leaves(6, 2, 3, extra=True),
        {"mask": MASK, "key_lengths": np.array([5, 2])},
    ),
    Case(
        "multihead_add_zero",
        "nn.MultiHeadAttention",
        given(fn=multihead, add_zero=True),
        ((2, 4, 6), (2, 5, 6)),
        {"heads": 2, "add_zero": True},
        leaves(6, 2, 3),
        {"mask": MASK4},
    ),
    Case(
        "multihead_bias_kv_causal",
        "nn.MultiHeadAttention",
        given(fn=multihead, causal=True),
        ((2, 4, 6),),
        {"heads": 2, "bias_kv": True, "causal": True},
        leaves(6, 2, 3, extra=True),
    ),
    Case(
        "multihead_sizes",
        "nn.MultiHeadAttention",
        given(fn=composed, band=(2, 1), soft_cap=1.5),
        ((2, 4, 5), (2, 3, 6)),
        {"heads": 4, "head_size": 3, "value_size": 2, "groups": 2, "features": 7,
         "out_bias": False, "window": [2, 1], "soft_cap": 1.5},
        leaves(5, 4, 3, g=2, e=6, v=2, o=7, out_bias=False),
    ),
    Case(
        "multihead_gate",
        "nn.MultiHeadAttention",
        composed,
        ((2, 4, 6),),
        {"heads": 2, "gate": True, "sinks": True},
        leaves(6, 2, 3, gate=True, sinks=True),
    ),
]  # fmt: skip
