"""Spectrograms: what frequencies a waveform has, frame by frame."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import (
    check_axes,
    check_choice,
    check_positive,
    check_prediction,
    check_size,
)
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.nn.pad import pad

# Sums of cosines over one period.
_WINDOWS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "rectangular": (1.0,),
}
_SCALES = ("htk", "slaney")
_SLOPES = ("hertz", "mel")


def stft(
    x: jax.Array,
    frame: int,
    hop: int,
    *,
    fft: int | None = None,
    window: str = "hann",
    center: bool = True,
) -> jax.Array:
    """The short-time Fourier transform of waveforms, ``[..., T] -> [..., frames, bins]``, complex.

    Every ``hop`` samples a frame of ``frame`` samples is weighted by the periodic ``window``
    (``"hann"``, ``"hamming"``, ``"blackman"`` or ``"rectangular"``), put in the middle of ``fft``
    samples (by default as many), and transformed: ``fft // 2 + 1`` bins, of which bin k counts
    ``k / fft`` periods a sample. ``center=True`` puts frame i around sample ``i * hop``, with the
    waveform reflected at its ends; otherwise frame i begins there.
    Raises ValueError if sizes do not fit each other.

    >>> stft(jnp.ones((2, 1600)), 400, 160).shape
    (2, 11, 201)
    """
    check_prediction(x, "the input of stft")
    check_axes(x, 1, "the input of stft")
    for value, name in ((frame, "frame"), (hop, "hop"), (fft or frame, "fft")):
        check_size(value, f"{name} of stft")
    check_choice(window, _WINDOWS, "window", "stft")
    fft = fft or frame
    edge = fft // 2 if center else 0
    if fft < frame or x.shape[-1] + 2 * edge < fft or x.shape[-1] <= edge:
        raise ValueError(
            f"stft was given {describe(x)} for frame={frame} and fft={fft}, but needs an fft of at "
            f"least the frame and more than {max(edge, fft - 2 * edge - 1)} samples on the last "
            "axis; pad the waveform, or use smaller frames"
        )
    wide = x.astype(at_least_float32(x))
    if center:
        wide = pad(wide[..., None], (edge,), mode="reflect")[..., 0]
    starts = np.arange(0, wide.shape[-1] - fft + 1, hop)
    frames = wide[..., starts[:, None] + np.arange(fft)]  # [..., frames, fft]
    weights = jnp.asarray(_window(window, frame, fft), wide.dtype)
    return jnp.fft.rfft(frames * jnp.broadcast_to(weights, frames.shape))


def spectrogram(
    x: jax.Array,
    frame: int,
    hop: int,
    *,
    fft: int | None = None,
    window: str = "hann",
    center: bool = True,
    power: float = 2.0,
) -> jax.Array:
    """``|stft(x)| ** power``: ``[..., T] -> [..., frames, bins]``, with the options of ``stft``.

    ``power=1`` gives magnitudes. Their gradient at silence is zero.
    Raises ValueError as ``stft``, and if ``power`` is not above zero.

    >>> spectrogram(jnp.ones(8), 4, 4, window="rectangular")[0]
    Array([16.,  0.,  0.], dtype=float32)
    """
    check_positive(power, "power of spectrogram")
    z = stft(x, frame, hop, fft=fft, window=window, center=center)
    square = jnp.square(z.real) + jnp.square(z.imag)
    if power != 2:
        sounds = square > 0
        square = jnp.where(sounds, jnp.where(sounds, square, 1) ** (power / 2), 0)
    return square.astype(x.dtype)


def mel_filters(
    mels: int,
    bins: int,
    rate: float,
    *,
    low: float = 0.0,
    high: float | None = None,
    scale: str = "htk",
    slopes: str = "hertz",
    normalize: bool = False,
) -> jax.Array:
    """Triangular filters, evenly spaced in mel, for the bins of a spectrogram: ``[bins, mels]``.

    The bins lie evenly from 0 to half the sampling ``rate`` (Hz). Filter i rises and falls between
    its neighbours' peaks, from ``low`` to ``high`` Hz (by default half the rate). ``scale`` is
    ``"htk"``, ``mel = 2595 log10(1 + f / 700)``, or ``"slaney"``: linear below 1 kHz. ``slopes``
    are straight in ``"hertz"``, as in torchaudio, or in ``"mel"``, as in Keras and TensorFlow.
    ``normalize`` gives each filter an area of one (in Hz).
    Raises ValueError for sizes and frequencies that make no filters.

    >>> mel_filters(2, 5, 8000.0).shape
    (5, 2)
    """
    check_size(mels, "mels of mel_filters")
    check_size(bins, "bins of mel_filters", least=2)
    check_positive(rate, "rate of mel_filters")
    high = rate / 2 if high is None else high
    if not 0 <= low < high:
        raise ValueError(
            f"mel_filters needs 0 <= low < high in Hz, but low={low!r} and high={high!r}; high is "
            "by default half the rate"
        )
    check_choice(scale, _SCALES, "scale", "mel_filters")
    check_choice(slopes, _SLOPES, "slopes", "mel_filters")
    first, last = _mel(np.array([low, high]), scale)
    edges = np.linspace(first, last, mels + 2)
    hertz = _hertz(edges, scale)
    at = np.linspace(0, rate / 2, bins)
    if slopes == "mel":
        at = _mel(at, scale)
    else:
        edges = hertz
    rise = (at[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - at[:, None]) / (edges[2:] - edges[1:-1])
    filters = np.maximum(np.minimum(rise, fall), 0)
    if normalize:
        filters = filters * 2 / (hertz[2:] - hertz[:-2])
    return jnp.asarray(filters, jnp.result_type(float))


def mel_spectrogram(
    x: jax.Array,
    frame: int,
    hop: int,
    *,
    rate: float,
    mels: int = 128,
    low: float = 0.0,
    high: float | None = None,
    scale: str = "htk",
    slopes: str = "hertz",
    normalize: bool = False,
    fft: int | None = None,
    window: str = "hann",
    center: bool = True,
    power: float = 2.0,
) -> jax.Array:
    """``spectrogram`` through ``mel_filters``: ``[..., T] -> [..., frames, mels]``.

    It has the options of both. Speech models take its logarithm: ``jnp.log(y + 1e-6)``.

    >>> mel_spectrogram(jnp.ones((2, 1600)), 400, 160, rate=16000.0, mels=40).shape
    (2, 11, 40)
    """
    wide = x.astype(at_least_float32(x)) if jnp.issubdtype(x.dtype, jnp.floating) else x
    y = spectrogram(wide, frame, hop, fft=fft, window=window, center=center, power=power)
    filters = mel_filters(
        mels,
        y.shape[-1],
        rate,
        low=low,
        high=high,
        scale=scale,
        slopes=slopes,
        normalize=normalize,
    )
    y = jnp.matmul(y, filters.astype(y.dtype), precision=jax.lax.Precision.HIGHEST)
    return y.astype(x.dtype)


def _window(name: str, frame: int, fft: int) -> np.ndarray:
    """One period of a window in the middle of ``fft`` samples."""
    turn = 2 * math.pi * np.arange(frame) / frame
    signed = ((-1) ** k * a * np.cos(k * turn) for k, a in enumerate(_WINDOWS[name]))
    left = (fft - frame) // 2
    return np.pad(sum(signed), (left, fft - frame - left))


def _mel(hertz: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    bend = 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / math.log(6.4)
    return np.where(hertz < 1000, hertz * 3 / 200, bend)


def _hertz(mel: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((np.maximum(mel, 15) - 15) / 27))
