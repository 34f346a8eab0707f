"""Spectrograms."""

import math
from typing import Any

import torch
from case import Case
from torch import Tensor

WINDOWS = {
    "hann": torch.hann_window,
    "hamming": torch.hamming_window,
    "blackman": torch.blackman_window,
    "rectangular": lambda n, dtype: torch.ones(n, dtype=dtype),
}


def spectrogram(
    x: Tensor,
    frame: int,
    hop: int,
    fft: int | None = None,
    window: str = "hann",
    center: bool = True,
    power: float = 2.0,
) -> Tensor:
    weights = WINDOWS[window](frame, dtype=x.dtype)
    z = torch.stft(
        x, fft or frame, hop, frame, weights, center=center, return_complex=True, onesided=True
    )
    return z.abs().pow(power).transpose(-1, -2)


def htk(x: Tensor, rate: float, mels: int, low: float, high: float, **options: Any) -> Tensor:
    """Filter after filter and bin after bin."""
    y = spectrogram(x, **options)
    bins = y.shape[-1]
    top = [2595 * math.log10(1 + f / 700) for f in (low, high)]
    peaks = [top[0] + (top[1] - top[0]) * i / (mels + 1) for i in range(mels + 2)]
    peaks = [700 * (10 ** (m / 2595) - 1) for m in peaks]
    columns = []
    for left, peak, right in zip(peaks, peaks[1:], peaks[2:], strict=False):
        column = torch.zeros(bins, dtype=torch.float64)
        for k in range(bins):
            f = k * rate / 2 / (bins - 1)
            if left < f <= peak:
                column[k] = (f - left) / (peak - left)
            elif peak < f < right:
                column[k] = (right - f) / (right - peak)
        columns.append(column)
    return y @ torch.stack(columns, -1)


def case(name: str, shape: tuple[int, ...], **options: Any) -> Case:
    def reference(p: dict[str, Tensor], x: Tensor) -> Tensor:
        return spectrogram(x, **options)

    return Case(name, "nn.spectrogram", reference, (shape,), options)


MEL = {"frame": 16, "hop": 5, "rate": 8000.0, "mels": 4, "low": 100.0, "high": 3500.0}

CASES = [
    case("power", (2, 40), frame=8, hop=3),
    case("magnitude", (40,), frame=8, hop=4, power=1.0, window="hamming"),
    case("longer_fft", (2, 40), frame=7, hop=4, fft=12, window="blackman", power=1.5),
    case("not_centred", (2, 40), frame=9, hop=5, center=False, window="rectangular"),
    case("longer_fft_not_centred", (2, 40), frame=5, hop=3, fft=8, center=False),
    Case("mel", "nn.mel_spectrogram", lambda p, x: htk(x, **MEL), ((2, 50),), MEL),
]
