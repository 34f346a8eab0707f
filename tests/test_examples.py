"""The examples run as they are; the large one in a small form."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

import jaxnet as jn

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name, *arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    namespace = runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return namespace, capsys.readouterr().out


def number(text, out):
    """The one number that follows ``text`` in what was printed."""
    (found,) = re.findall(re.escape(text) + r"\s+(-?\d+(?:\.\d+)?)", out)
    return float(found)


def test_regression(monkeypatch, capsys):
    _, out = run("regression.py", monkeypatch=monkeypatch, capsys=capsys)
    losses = [float(loss) for loss in re.findall(r"loss (\S+)", out)]
    assert len(losses) == 10 and losses[-1] < losses[0]


def test_classifier(monkeypatch, capsys):
    namespace, out = run("classifier.py", monkeypatch=monkeypatch, capsys=capsys)
    history = namespace["history"]
    assert len(history["loss"]) == 10
    # Over random orders the accuracy after ten epochs is 0.70, give or take 0.04.
    assert history["accuracy"][-1] > max(0.6, history["accuracy"][0])
    assert history["loss"][-1] < 0.645 < history["loss"][0]
    assert re.search(r"classes \[[01 ]+\] truth \[[01 ]+\]", out)


@pytest.mark.parametrize("name", ["regression.py", "classifier.py"])
def test_the_small_examples_are_as_short_as_the_originals(name):
    assert len((EXAMPLES / name).read_text().splitlines()) <= 30


def test_digits(tmp_path, monkeypatch, capsys):
    arguments = "--epochs", "3", "--folder", str(tmp_path)
    namespace, out = run("digits.py", *arguments, monkeypatch=monkeypatch, capsys=capsys)
    net, (_, (images, labels)) = namespace["net"], namespace["load"]()
    assert len(images) == 360 and set(np.bincount(labels)) == {35, 36, 37}
    (accuracy,) = map(float, re.findall(r"test accuracy (\S+) %", out))
    assert accuracy > 80
    weights = jn.interop.safetensors.load(tmp_path / "digits.safetensors", jn.specs(net, images))
    predicted = jn.train.predict(net, weights, images).argmax(-1)
    assert 100 * float((predicted == labels).mean()) == pytest.approx(accuracy, abs=0.01)
    assert imread(tmp_path / "digits.png").shape[:2] == (900, 1440)
    assert len(re.findall(r"^ +\d  +0\.\d{3}|^ +\d  +1\.000", out, re.MULTILINE)) == 10


@pytest.mark.slow
def test_digits_in_full_reach_their_accuracy(tmp_path, monkeypatch, capsys):
    _, out = run("digits.py", "--folder", str(tmp_path), monkeypatch=monkeypatch, capsys=capsys)
    (accuracy,) = map(float, re.findall(r"test accuracy (\S+) %", out))
    assert accuracy >= 98.5


def test_loop(monkeypatch, capsys):
    namespace, out = run("loop.py", "--epochs", "6", monkeypatch=monkeypatch, capsys=capsys)
    epochs = re.findall(r"epoch +\d+: loss (\S+), test loss (\S+), test accuracy (\S+) %", out)
    losses, test_losses, accuracies = zip(*(map(float, epoch) for epoch in epochs), strict=True)
    assert len(epochs) == 6 and losses[-1] < losses[0] / 4 and test_losses[-1] < test_losses[0] / 2
    assert accuracies[-1] > 92
    # Batches cover the data, each example at most once, and differ from epoch to epoch.
    data = np.arange(70), np.arange(70)
    first, second = (
        [x for x, _ in namespace["batches"](np.random.default_rng(seed), data, 32)]
        for seed in (0, 1)
    )
    assert [len(batch) for batch in first] == [32, 32] and len(np.unique(first)) == 64
    assert not np.array_equal(first, second)


def test_vae(tmp_path, monkeypatch, capsys):
    arguments = "--epochs", "15", "--rate", "3e-3", "--folder", str(tmp_path)
    namespace, out = run("vae.py", *arguments, monkeypatch=monkeypatch, capsys=capsys)
    bound = number("ELBO of the images held out:", out)
    # A code must be worth what it costs: far more than knowing the mean image alone.
    assert number("of the mean image, without a code:", out) + 80 < bound < -80
    assert number("of a reconstructed pixel:", out) < 0.2
    assert imread(tmp_path / "vae.png").shape[:2] == (340, 1400)
    # All images of one pixel together have the probability 1.
    counts = np.arange(17).reshape(17, 1, 1, 1) / np.float32(16)
    logits = np.full((17, 1, 1, 1), 0.7, np.float32)
    each = [namespace["log_likelihood"](logits[:1], count[None]) for count in counts]
    assert np.exp(each).sum() == pytest.approx(1, rel=1e-5)


def test_tabular(tmp_path, monkeypatch, capsys):
    arguments = "--splits", "3", "--folder", str(tmp_path)
    namespace, out = run("tabular.py", *arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert number("area under ROC", out) > 0.98 and number("accuracy", out) > 94
    assert number("temperature", out) < 0.9
    assert number("cross-entropy, mended", out) < 0.9 * number("cross-entropy", out)
    before, after = (
        number(f"calibration error {when} the temperature:", out) for when in ("before", "after")
    )
    assert after < before / 1.5
    assert imread(tmp_path / "tabular.png").shape[:2] == (500, 1000)
    train, *others = namespace["load"](0)
    np.testing.assert_allclose(train[0].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train[0].std(0), 1, atol=1e-5)
    shares = [y.mean() for _, y in (train, *others)]
    np.testing.assert_allclose(shares, 212 / 569, atol=0.005)
    assert sum(len(y) for _, y in (train, *others)) == 569
    # Logits that are three times too large are found out.
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 20000).astype(np.float32)
    labels = (rng.random(20000) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    assert namespace["fitted_temperature"](3 * logits, labels) == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize(
    ("options", "distance", "digits"),
    [
        (("--epochs", "8", "--rate", "1e-3"), 60, 4),
        pytest.param((), 5, 9, marks=pytest.mark.soak),
    ],
    ids=["small", "full"],
)
def test_gan(options, distance, digits, tmp_path, monkeypatch, capsys):
    arguments = *options, "--folder", str(tmp_path)
    namespace, out = run("gan.py", *arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert number("the classifier knows", out) > 94
    assert number("digits drawn:", out) >= digits
    assert number("Fréchet distance to the real ones:", out) < distance < number("of noise:", out)
    assert imread(tmp_path / "gan.png").shape[:2] == (500, 1400)
    # Of normal numbers with means 0 and 3 and deviations 1 and 2 it is 3^2 + (2 - 1)^2.
    a = np.random.default_rng(0).normal(size=(100_000, 2))
    assert namespace["frechet"](a, a) == pytest.approx(0, abs=1e-6)
    assert namespace["frechet"](a, [3, 0] + a * [2, 1]) == pytest.approx(10, rel=0.02)


def test_resume(tmp_path, monkeypatch, capsys):
    arguments = "--epochs", "2", "--folder", str(tmp_path / "run")
    _, out = run("resume.py", *arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert number("of 2: validation loss", out) < 2.2
    _, again = run("resume.py", *arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert "goes on from step 46" in again
    assert re.findall("digest .*", out) == re.findall("digest .*", again)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"checkpoints", "history.png", "log.csv", "run.json"}


def test_sweep(tmp_path, monkeypatch, capsys):
    arguments = "--epochs", "3", "--rates", "3", "--seeds", "2", "--folder", str(tmp_path)
    _, out = run("sweep.py", *arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert number("test accuracy of its 2 seeds:", out) > 90
    assert imread(tmp_path / "sweep.png").shape[:2] == (540, 840)
