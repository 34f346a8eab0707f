"""Spectrograms."""

import jax.numpy as jnp

from catalogue.inputs import normal
from jaxnet import nn

WAVE = normal(2, 50)


def stft(*sizes, **options):
    return lambda: nn.stft(WAVE, *sizes, **options)


def filters(*sizes, **options):
    return lambda: nn.mel_filters(*sizes, **options)


MISTAKES = [
    ("nn.stft", stft(0, 4), "frame of stft", "at least 1"),
    ("nn.stft", stft(8, 0), "hop of stft", "at least 1"),
    ("nn.stft", stft(8, 4, fft=4), "at least the frame", "frame=8", "fft=4"),
    ("nn.stft", stft(120, 4), "float32[2,50]", "more than 60 samples", "pad the waveform"),
    ("nn.stft", stft(60, 4, center=False), "more than 59 samples"),
    ("nn.stft", stft(8, 4, window="han"), "window='han'", "'hann'"),
    ("nn.stft", lambda: nn.stft(jnp.ones(9, int), 4, 2), "input of stft", "floating point"),
    ("nn.spectrogram", lambda: nn.spectrogram(WAVE, 8, 4, power=0), "power of spectrogram", "0"),
    ("nn.spectrogram", lambda: nn.spectrogram(WAVE, 8, 4, fft=2), "at least the frame"),
    ("nn.mel_filters", filters(0, 9, 8000), "mels of mel_filters", "at least 1"),
    ("nn.mel_filters", filters(4, 1, 8000), "bins of mel_filters", "at least 2"),
    ("nn.mel_filters", filters(4, 9, -1), "rate of mel_filters", "above 0"),
    ("nn.mel_filters", filters(4, 9, 8000, low=5000), "low=5000", "high=4000.0"),
    ("nn.mel_filters", filters(4, 9, 8000, scale="kaldi"), "scale='kaldi'", "'htk'"),
    ("nn.mel_filters", filters(4, 9, 8000, slopes="hz"), "slopes='hz'", "'hertz'"),
    (
        "nn.mel_spectrogram",
        lambda: nn.mel_spectrogram(WAVE, 8, 4, rate=0.0),
        "rate of mel_filters",
        "above 0",
    ),
]
