"""Writes names.json: what there is in the libraries that the catalogue is compared with.

Run by hand, in environments that have them, with ``python docs/catalogue/names.py torch onnx`` and
``… keras``; last run with torch 2.13.0, onnx 1.23.2 and Keras 3.15.1. Of ONNX these are the
operators that are neural, or prepare the input of a network: what is left out is arithmetic, logic,
control flow, text, sequences of tensors, quantisation and trees, for which there is jax.numpy or
which are not for training networks.
"""

import inspect
import json
import sys
from pathlib import Path

FILE = Path(__file__).with_name("names.json")
ONNX = [
    "AffineGrid", "Attention", "AveragePool", "BatchNormalization", "BlackmanWindow",
    "CausalConvWithState", "Celu", "CenterCropPad", "Col2Im", "Conv", "ConvTranspose",
    "DeformConv", "DepthToSpace", "Dropout", "Einsum", "Elu", "Flatten", "GRU", "Gelu", "Gemm",
    "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "GridSample", "GroupNormalization",
    "HammingWindow", "HannWindow", "HardSigmoid", "HardSwish", "Hardmax",
    "InstanceNormalization", "LRN", "LSTM", "LayerNormalization", "LeakyRelu",
    "LinearAttention", "LogSoftmax", "LpNormalization", "LpPool", "MaxPool", "MaxRoiPool",
    "MaxUnpool", "MeanVarianceNormalization", "MelWeightMatrix", "Mish",
    "NegativeLogLikelihoodLoss", "OneHot", "PRelu", "Pad", "RMSNormalization", "RNN", "Relu",
    "Resize", "RoiAlign", "RotaryEmbedding", "STFT", "Selu", "Shrink", "Sigmoid", "Softmax",
    "SoftmaxCrossEntropyLoss", "Softplus", "Softsign", "SpaceToDepth", "SwiGLU", "Swish",
    "Tanh", "TensorScatter", "ThresholdedRelu", "Upsample", "FlexAttention", "Adagrad", "Adam",
    "Momentum",
]  # fmt: skip


def torch() -> dict[str, list[str]]:
    """Modules, functions, optimizers and schedules; helpers that PyTorch does not document not."""
    import torch

    functional = torch.nn.functional
    helpers = {"Optional", "assert_int_or_pair", "boolean_dispatch", "handle_torch_function"}
    functions = {
        name
        for name, value in vars(functional).items()
        if callable(value) and not inspect.isclass(value) and not name.startswith("_")
    }
    bases = {"Optimizer", "LRScheduler"}
    schedules = torch.optim.lr_scheduler
    return {
        "torch.nn": classes(torch.nn, torch.nn.Module),
        "torch.nn.functional": sorted(
            name for name in functions - helpers if "has_torch_function" not in name
        ),
        "torch.optim": sorted({*classes(torch.optim, torch.optim.Optimizer)} - bases),
        "torch.optim.lr_scheduler": sorted({*classes(schedules, schedules.LRScheduler)} - bases),
    }


def keras() -> dict[str, list[str]]:
    """Layers, those with several names once."""
    import keras

    by_class: dict[type, str] = {}
    for name, value in sorted(vars(keras.layers).items()):
        if inspect.isclass(value):
            by_class.setdefault(value, name)
    return {"keras.layers": sorted(by_class.values())}


def onnx() -> dict[str, list[str]]:
    """The neural operators; raises unless all of them exist."""
    from onnx import defs

    missing = {*ONNX} - {schema.name for schema in defs.get_all_schemas()}
    assert not missing, missing
    return {"onnx": sorted(ONNX)}


def classes(module: object, base: type) -> list[str]:
    """The public subclasses of ``base`` in a module."""
    return sorted(
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and not name.startswith("_")
    )


if __name__ == "__main__":
    names = json.loads(FILE.read_text()) if FILE.exists() else {}
    for library in sys.argv[1:]:
        names |= {"torch": torch, "keras": keras, "onnx": onnx}[library]()
    FILE.write_text(json.dumps(dict(sorted(names.items())), indent=1) + "\n")
    print({source: len(found) for source, found in names.items()})
