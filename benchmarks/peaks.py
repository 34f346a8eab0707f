"""What datasheets promise: dense 16-bit products and memory, by the device as JAX names it."""

# Operations and bytes a second of one device, by a part of its name; the longer name first.
PEAKS = {
    "B200": (2250e12, 8.0e12),
    "H200": (989.4e12, 4.8e12),
    "H100 PCIe": (756e12, 2.0e12),
    "H100 NVL": (835e12, 3.9e12),
    "H100": (989.4e12, 3.35e12),
    "A100-SXM4-80GB": (312e12, 2.039e12),
    "A100 80GB PCIe": (312e12, 1.935e12),
    "A100": (312e12, 1.555e12),
    "L40S": (362e12, 0.864e12),
    "L40": (181e12, 0.864e12),
    "L4": (121e12, 0.3e12),
    "TPU v6 lite": (918e12, 1.64e12),
    "TPU v5 lite": (197e12, 0.819e12),
    "TPU v5": (459e12, 2.765e12),
    "TPU v4": (275e12, 1.228e12),
}


def peak(name: str) -> tuple[float, float] | None:
    """Of the device whose name holds one of these.

    >>> peak("1 x NVIDIA H200")
    (989400000000000.0, 4800000000000.0)
    """
    return next((peak for part, peak in PEAKS.items() if part in name), None)
