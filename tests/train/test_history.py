import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnet.train.history import History

epochs = st.lists(st.dictionaries(st.sampled_from(["loss", "val_loss", "f1"]), st.floats()))


def filled(means):
    history = History()
    for m in means:
        history.append(m)
    return history


@given(epochs)
def test_every_list_has_an_entry_for_every_epoch(means):
    history = filled(means)
    assert list(history) == list(dict.fromkeys(name for m in means for name in m))
    # Epochs before the first metric of all are not known.
    first = next((i for i, m in enumerate(means) if m), len(means))
    for name, values in history.items():
        expected = [m.get(name, math.nan) for m in means[first:]]
        np.testing.assert_array_equal(values, expected)


@given(epochs)
def test_json_gives_the_very_same_floats(means):
    history = filled(means)
    again = History(json.loads(json.dumps(history)))
    assert list(again) == list(history)
    for name in history:
        assert [x.hex() for x in again[name]] == [x.hex() for x in history[name]]


@given(
    st.lists(st.floats(allow_nan=True), min_size=1).filter(lambda x: not all(map(math.isnan, x)))
)
def test_best_is_the_extreme_value_and_its_first_epoch(values):
    known = [x for x in values if not math.isnan(x)]
    history, low, high = History(loss=values), min(known), max(known)
    assert history.best("loss") == (values.index(low) + 1, low)
    assert history.best("loss", mode="max") == (values.index(high) + 1, high)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda: History(val_loss=[1.0]).best("vloss"),
            "no metric 'vloss'; did you mean 'val_loss'",
        ),
        (lambda: History(loss=[math.nan] * 2).best("loss"), "'loss' has no value .* in 2 epochs"),
        (lambda: History(loss=[1.0]).best("loss", mode="x"), "has no mode='x'"),  # pyright: ignore[reportArgumentType]
        (lambda: History().plot(), "the history is empty"),
        (lambda: History(loss=[]).plot(), "the history is empty"),
    ],
    ids=["name", "nan", "mode", "empty", "no epochs"],
)
def test_errors(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_a_metric_and_its_validation_share_a_panel(tmp_path):
    history = History(
        loss=[100.0, 10.0, 1.0, 0.5],
        accuracy=[0.1, 0.5, 0.7, 0.8],
        val_loss=[math.nan, 9.0, 2.0, 3.0],
        lr=[1.0, 1.0, 1.0, 1.0],
    )
    figure = history.plot(tmp_path / "history.png")
    loss, *_ = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy", "lr"]
    np.testing.assert_array_equal(lines(loss)["training"].get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(lines(loss)["validation"].get_xdata(), [2, 3, 4])
    np.testing.assert_array_equal(lines(loss)["validation"].get_ydata(), [9.0, 2.0, 3.0])
    for axes in figure.axes:
        np.testing.assert_array_equal(lines(axes)["best epoch: 3"].get_xdata(), [3, 3])
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear", "linear"]
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_left_out():
    figure = History(norm=[1.0, math.inf, 3.0], gone=[math.nan] * 3).plot()
    norm, gone = figure.axes
    np.testing.assert_array_equal(lines(norm)["training"].get_xdata(), [1, 3])
    assert not gone.lines and len(norm.lines) == 1
    figure.canvas.draw()


def test_negative_values_keep_a_linear_axis():
    (axes,) = History(loss=[-100.0, 1.0, 100.0]).plot().axes
    assert axes.get_yscale() == "linear"


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'jaxnet\[plot\]'"):
        History(loss=[1.0]).plot()
