"""Transformers against PyTorch's own modules, without dropout."""

from typing import Any

import numpy as np
import torch
from case import Case
from torch import Tensor, nn

type Params = dict[str, Any]

ATTENTIONS = {"self_attn": "attention", "multihead_attn": "cross"}
QKV = ("query", "key", "value")


def named(p: Params) -> dict[str, Tensor]:
    """The weights of one block by PyTorch's names."""
    found = {}
    for theirs, ours in ATTENTIONS.items():
        if f"{ours}/out/kernel" not in p:
            continue
        matrices = [p[f"{ours}/{n}/kernel"].flatten(1).T for n in QKV]
        found[f"{theirs}.in_proj_weight"] = torch.cat(matrices)
        found[f"{theirs}.out_proj.weight"] = p[f"{ours}/out/kernel"].flatten(0, 1).T
        if f"{ours}/out/bias" in p:
            biases = [p[f"{ours}/{n}/bias"].flatten() for n in QKV]
            found[f"{theirs}.in_proj_bias"] = torch.cat(biases)
            found[f"{theirs}.out_proj.bias"] = p[f"{ours}/out/bias"]
    for i, theirs in enumerate(("linear1", "linear2")):
        found[f"{theirs}.weight"] = p[f"mlp/{i}/kernel"].T
        if f"mlp/{i}/bias" in p:
            found[f"{theirs}.bias"] = p[f"mlp/{i}/bias"]
    for n in ("norm1", "norm2", "norm3"):
        if f"{n}/scale" in p:
            found[f"{n}.weight"] = p[f"{n}/scale"]
        if f"{n}/bias" in p:
            found[f"{n}.bias"] = p[f"{n}/bias"]
    return found


def inside(x: Tensor, lengths: Tensor | None) -> Tensor | None:
    return None if lengths is None else torch.arange(x.shape[-2]) < lengths[:, None]


def hidden(mask: Tensor | None, heads: int) -> Tensor | None:
    """PyTorch's masks are True where a query may not attend, one for each head of each example."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return ~mask if mask.ndim == 2 else (~mask).repeat_interleave(heads, 0)


def cut(x: Tensor, inner: Tensor | None) -> Tensor:
    return x if inner is None else x * inner[..., None]


def padding(inner: Tensor | None) -> Tensor | None:
    return None if inner is None else ~inner


def future(x: Tensor) -> Tensor:
    return ~torch.ones(x.shape[-2], x.shape[-2], dtype=torch.bool).tril()


def encoder_layer(heads: int, width: int, **options: Any):
    def run(
        p: Params,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        causal = options.get("causal", False)
        own = {n: v for n, v in options.items() if n != "causal"}
        layer = nn.TransformerEncoderLayer(
            x.shape[-1], heads, width, dropout=0.0, batch_first=True, **own
        ).double()
        inner = inside(x, lengths)
        given = {
            "src_mask": future(x) if causal else hidden(bias if mask is None else mask, heads),
            "src_key_padding_mask": padding(inner),
        }
        return cut(torch.func.functional_call(layer, named(p), cut(x, inner), given), inner)

    return run


def decoder_layer(heads: int, width: int, **options: Any):
    def run(
        p: Params,
        x: Tensor,
        memory: Tensor,
        *,
        mask: Tensor | None = None,
        lengths: Tensor | None = None,
        memory_mask: Tensor | None = None,
        memory_bias: Tensor | None = None,
        memory_lengths: Tensor | None = None,
    ) -> Tensor:
        causal = options.get("causal", False)
        own = {n: v for n, v in options.items() if n != "causal"}
        layer = nn.TransformerDecoderLayer(
            x.shape[-1], heads, width, dropout=0.0, batch_first=True, **own
        ).double()
        inner, known = inside(x, lengths), inside(memory, memory_lengths)
        given = {
            "tgt_mask": future(x) if causal else hidden(mask, heads),
            "memory_mask": hidden(memory_bias if memory_mask is None else memory_mask, heads),
            "tgt_key_padding_mask": padding(inner),
            "memory_key_padding_mask": padding(known),
        }
        inputs = cut(x, inner), cut(memory, known)
        return cut(torch.func.functional_call(layer, named(p), inputs, given), inner)

    return run


def transformer(heads: int, counts: tuple[int, int], width: int, **options: Any):
    def run(
        p: Params,
        source: Tensor,
        target: Tensor,
        *,
        source_mask: Tensor | None = None,
        target_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        source_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> Tensor:
        own = {n: v for n, v in options.items() if n != "causal"}
        model = nn.Transformer(
            source.shape[-1], heads, *counts, width, dropout=0.0, batch_first=True, **own
        ).double()
        weights = {}
        for part, n in zip(("encoder", "decoder"), counts, strict=True):
            at = f"{part}/layers/"
            for i in range(n):
                block = {k.removeprefix(at): x[i] for k, x in p.items() if k.startswith(at)}
                weights |= {f"{part}.layers.{i}.{k}": x for k, x in named(block).items()}
            weights[f"{part}.norm.weight"] = p[f"{part}/norm/scale"]
            if f"{part}/norm/bias" in p:
                weights[f"{part}.norm.bias"] = p[f"{part}/norm/bias"]
        causal = options.get("causal", False)
        before, after = inside(source, source_lengths), inside(target, target_lengths)
        given = {
            "src_mask": hidden(source_mask, heads),
            "tgt_mask": future(target) if causal else hidden(target_mask, heads),
            "memory_mask": hidden(memory_mask, heads),
            "src_key_padding_mask": padding(before),
            "tgt_key_padding_mask": padding(after),
            "memory_key_padding_mask": padding(before),
        }
        inputs = cut(source, before), cut(target, after)
        return cut(torch.func.functional_call(model, weights, inputs, given), after)

    return run


def leaves(
    d: int, heads: int, width: int, *, cross: bool = False, bias: bool = True
) -> dict[str, tuple[int, ...]]:
    k = d // heads
    found: dict[str, tuple[int, ...]] = {}
    for name in ("attention", "cross")[: 1 + cross]:
        found |= {f"{name}/{n}/kernel": (d, heads, k) for n in QKV}
        found |= {f"{name}/{n}/bias": (heads, k) for n in QKV}
        found |= {f"{name}/out/kernel": (heads, k, d), f"{name}/out/bias": (d,)}
    found |= {"mlp/0/kernel": (d, width), "mlp/0/bias": (width,)}
    found |= {"mlp/1/kernel": (width, d), "mlp/1/bias": (d,)}
    for i in range(2 + cross):
        found |= {f"norm{i + 1}/scale": (d,), f"norm{i + 1}/bias": (d,)}
    return {n: s for n, s in found.items() if bias or not n.endswith("/bias")}


def both(counts: tuple[int, int], d: int, *sizes: int, bias: bool = True):
    found = {}
    for part, n in zip(("encoder", "decoder"), counts, strict=True):
        block = leaves(d, *sizes, cross=part == "decoder", bias=bias)
        found |= {f"{part}/layers/{k}": (n, *s) for k, s in block.items()}
        found[f"{part}/norm/scale"] = (d,)
        if bias:
            found[f"{part}/norm/bias"] = (d,)
    return found


def encode(name: str, shape=(2, 4, 4), arrays=None, **options):
    bias = options.get("bias", True)
    given = {"attention": 2, "hidden": 5, "dropout": 0.0} | options
    params = leaves(4, 2, 5, bias=bias)
    call = "nn.TransformerEncoderLayer"
    return Case(name, call, encoder_layer(2, 5, **options), (shape,), given, params, arrays or {})


def decode(name: str, arrays=None, **options):
    bias = options.get("bias", True)
    given = {"attention": 2, "hidden": 5, "dropout": 0.0} | options
    params = leaves(4, 2, 5, cross=True, bias=bias)
    inputs = ((2, 3, 4), (2, 5, 4))
    call = "nn.TransformerDecoderLayer"
    return Case(name, call, decoder_layer(2, 5, **options), inputs, given, params, arrays or {})


def full(name: str, counts: tuple[int, int], arrays=None, **options):
    bias = options.get("bias", True)
    sizes = {"encoder_layers": counts[0], "decoder_layers": counts[1]}
    given = {"heads": 2, **sizes, "hidden": 5, "dropout": 0.0} | options
    params = both(counts, 4, 2, 5, bias=bias)
    run = transformer(2, counts, 5, **options)
    return Case(name, "nn.Transformer", run, ((2, 5, 4), (2, 3, 4)), given, params, arrays or {})


def mask(*shape: int) -> np.ndarray:
    """Anything in which each query sees its first key."""
    seen = np.random.default_rng(len(shape)).random(shape) < 0.6
    seen[..., 0] = True
    return seen


CASES = [
    encode("encoder"),
    encode("encoder_no_batch", (4, 4), norm_first=True),
    encode("encoder_no_bias", bias=False, norm_first=True, arrays={"mask": mask(2, 4, 4)}),
    encode("encoder_causal", causal=True),
    encode("encoder_lengths", arrays={"lengths": np.array([4, 2]), "mask": mask(4, 4)}),
    encode("encoder_bias", arrays={"bias": (4, 4)}),
    decode("decoder"),
    decode("decoder_causal", causal=True, norm_first=True, arrays={"memory_bias": (3, 5)}),
    decode(
        "decoder_masks",
        bias=False,
        arrays={
            "mask": mask(3, 3),
            "lengths": np.array([2, 3]),
            "memory_mask": mask(2, 3, 5),
            "memory_lengths": np.array([5, 3]),
        },
    ),
    full("transformer", (2, 1)),
    full(
        "transformer_options",
        (1, 2),
        bias=False,
        norm_first=True,
        causal=True,
        arrays={
            "source_mask": mask(5, 5),
            "memory_mask": mask(3, 5),
            "source_lengths": np.array([3, 5]),
            "target_lengths": np.array([3, 1]),
        },
    ),
]
