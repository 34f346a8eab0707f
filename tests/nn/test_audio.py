"""Spectrograms against NumPy, frame by frame, and mel filters against their definition."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from scipy.signal import get_window

from jaxnet.nn import mel_filters, mel_spectrogram, spectrogram, stft

pytestmark = pytest.mark.usefixtures("strict")


@pytest.mark.oracle("nn.stft", gradients=True)
@pytest.mark.parametrize("window", ["hann", "hamming", "blackman"])
def test_stft_is_one_transform_a_frame(window):
    x, frame, hop, fft = draw((2, 30)), 6, 4, 9
    weights = np.pad(np.asarray(get_window(window, frame), np.float64), (1, 2))
    wave = np.pad(x, ((0, 0), (fft // 2, fft // 2)), "reflect")
    frames = [wave[:, i : i + fft] * weights for i in range(0, wave.shape[1] - fft + 1, hop)]
    transform = jax.jit(lambda x: stft(x, frame, hop, fft=fft, window=window))
    y, pull = jax.vjp(transform, x)
    close(y, jnp.asarray(np.fft.rfft(np.stack(frames, 1))))

    # The gradient of a linear map, from its values at unit vectors.
    dy = np.array(draw(y.shape, 1)) + 1j * np.array(draw(y.shape, 2))
    unit = np.array(transform(jnp.eye(30)))
    close(pull(jnp.asarray(dy))[0], jnp.asarray(np.einsum("nfb,tfb->nt", dy, unit).real))


def test_a_tone_is_where_it_belongs_and_energy_is_kept():
    rate, size = 8000, 64
    tone = jnp.asarray(np.sin(2 * math.pi * 1000 * np.arange(800) / rate))
    y = jax.jit(lambda x: spectrogram(x, size, 32))(tone)
    assert (y[2:-2].argmax(-1) == 1000 * size // rate).all()
    plain = {"center": False, "window": "rectangular"}
    whole = jax.jit(lambda x: spectrogram(x, size, size, **plain)[0])(tone[:size])
    both = 2 * np.sum(whole) - whole[0] - whole[-1]
    np.testing.assert_allclose(both / size, np.sum(np.square(tone[:size])))  # Parseval


def test_silence_has_a_gradient_of_zero():
    for power in (1.0, 2.0):
        loud = lambda x: spectrogram(x, 8, 4, power=power).sum()
        close(jax.jit(jax.grad(loud))(jnp.zeros(32)), jnp.zeros(32))


@pytest.mark.oracle("nn.mel_filters")
@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("slopes", ["hertz", "mel"])
@pytest.mark.parametrize("normalize", [False, True])
def test_mel_filters_are_triangles(scale, slopes, normalize):
    rate, bins, mels, low, high = 16000.0, 41, 7, 60.0, 7600.0

    def mel(f):
        if scale == "htk":
            return 1127 * math.log(1 + f / 700)
        return 3 * f / 200 if f < 1000 else 15 + 27 * math.log(f / 1000) / math.log(6.4)

    def hertz(m):  # by bisection
        a, b = 0.0, rate
        for _ in range(80):
            a, b = ((a + b) / 2, b) if mel((a + b) / 2) < m else (a, (a + b) / 2)
        return a

    wanted = np.zeros((bins, mels))
    peaks = np.linspace(mel(low), mel(high), mels + 2)
    for i, (left, peak, right) in enumerate(zip(peaks, peaks[1:], peaks[2:], strict=False)):
        area = 2 / (hertz(right) - hertz(left)) if normalize else 1
        shape = (left, peak, right) if slopes == "mel" else tuple(map(hertz, (left, peak, right)))
        for k, f in enumerate(np.linspace(0, rate / 2, bins)):
            at = mel(f) if slopes == "mel" else f
            wanted[k, i] = area * np.interp(at, shape, (0, 1, 0))
    options = {"scale": scale, "slopes": slopes, "normalize": normalize}
    filters = mel_filters(mels, bins, rate, low=low, high=high, **options)
    np.testing.assert_allclose(filters, wanted, rtol=1e-6, atol=1e-9)


def test_the_mel_spectrogram_is_the_spectrogram_through_the_filters():
    x = draw((2, 100))
    options = {"normalize": True, "scale": "slaney", "slopes": "mel", "low": 50.0, "high": 3000.0}

    @jax.jit
    def both(x):
        y = mel_spectrogram(x, 16, 8, rate=8000.0, mels=5, **options)
        return y, spectrogram(x, 16, 8) @ mel_filters(5, 9, 8000.0, **options)

    close(*both(x))
