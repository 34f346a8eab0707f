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


def test_regression(monkeypatch, capsys):
    _, out = run("regression.py", monkeypatch=monkeypatch, capsys=capsys)
    losses = [float(loss) for loss in re.findall(r"loss (\S+)", out)]
    assert len(losses) == 10 and losses[-1] < losses[0]


def test_classifier(monkeypatch, capsys):
    namespace, out = run("classifier.py", monkeypatch=monkeypatch, capsys=capsys)
    history = namespace["history"]
    assert len(history["loss"]) == 10
    assert history["accuracy"][-1] > max(0.7, history["accuracy"][0])
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
