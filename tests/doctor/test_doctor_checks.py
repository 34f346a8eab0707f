"""The single checks against closed forms, and each one's words."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn, optim
from jaxnet.doctor import inputs, labels, rate, result, start
from jaxnet.doctor.finding import Finding, Report
from jaxnet.doctor.task import Task, measure, task_of
from jaxnet.doctor.trial import Trial, epochs_of

RNG = np.random.default_rng(0)


def name_of(check):
    return check[1].name if check[1] else None


@pytest.mark.parametrize(
    ("shape", "y", "kind"),
    [
        ((2, 3), np.array([0, 1, 2]), "classes"),
        ((2, 5, 3), np.zeros((4, 5), int), "classes"),
        ((2, 3), np.eye(3), "distributions"),
        ((2, 1), np.array([0, 1, 1]), "binary"),
        ((2,), np.array([0.0, 1.0]), "binary"),
        ((2, 3), np.array([[0, 1, 1], [1, 1, 0]]), "binary"),
        ((2, 1), np.array([0.5, 3.0]), "regression"),
        ((2, 4), RNG.standard_normal((6, 4)), "regression"),
        ((2, 4), np.array([3, 7]), "classes"),
        ((2, 4), np.zeros((6, 3)), "other"),
    ],
)
def test_the_kind_of_task(shape, y, kind):
    assert task_of(jax.ShapeDtypeStruct(shape, jnp.float32), y).kind == kind


def test_measures_are_the_losses_of_numpy():
    logits, y = RNG.standard_normal((50, 4)).astype(np.float32), RNG.integers(4, size=50)
    found = measure(jnp.asarray(logits), jnp.asarray(y), "classes", 4)
    exact = logits.astype(float)
    p = np.exp(exact) / np.exp(exact).sum(1, keepdims=True)
    assert float(found["as logits"]) == pytest.approx(-np.log(p[range(50), y]).mean(), rel=1e-5)
    assert float(found["score"]) == pytest.approx((exact.argmax(1) == y).mean())
    assert float(found["simplex"]) == 0
    assert float(measure(jnp.asarray(p, jnp.float32), jnp.asarray(y), "classes", 4)["simplex"]) == 1
    assert Task("classes", 4, 0.4).skill({"score": 0.7}) == pytest.approx(0.5)
    assert Task("regression", variance=2.0).skill({"score": 0.5}) == pytest.approx(0.75)
    assert math.isnan(Task("other").skill({}))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 0.9))
def test_leakage_is_the_share_of_known_rows(seed, share):
    rng = np.random.default_rng(seed)
    train, held = rng.standard_normal((300, 6)), rng.standard_normal((100, 6))
    known = round(share * 100)
    held[:known] = train[:known]
    measured, finding = inputs.twins(train, held, rng)
    found = measured["data: share of validation examples in the training data"]
    assert found == pytest.approx(known / 100, abs=0.02)
    assert finding is not None


def test_twins_that_all_data_has_are_no_leakage():
    x = RNG.integers(0, 3, (1000, 3)).astype(np.float32)
    assert name_of(inputs.twins(x[:800], x[800:], RNG)) is None


def test_blank_examples_are_a_warning():
    x = RNG.standard_normal((100, 8, 8))
    assert inputs.constant(x)[1] is None
    x[:20] = 0
    measured, finding = inputs.constant(x)
    assert measured["data: share of blank examples"] == 0.2
    assert finding is not None and finding.severity == "warning"


def test_standardised_inputs_have_mean_0_and_variance_1():
    x = np.array([3.0, 0.01]) + np.array([5.0, 1e-3]) * RNG.standard_normal((1000, 2))
    y = inputs.standardised(np.concatenate([x, np.ones((1000, 1))], 1))
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(y.std(0), [1, 1, 0], atol=1e-3)


def test_ordered_labels_matter_only_without_shuffling():
    task, y = Task("classes", 3), np.repeat(np.arange(3), 50)
    assert name_of(labels.order(y, task, shuffle=False)) == "data not shuffled"
    assert labels.order(y, task, shuffle=True)[1] is None
    assert labels.order(RNG.permutation(y), task, shuffle=False)[1] is None
    wave = np.sin(np.arange(200) / 20)
    assert name_of(labels.order(wave, Task("regression"), shuffle=False)) == "data not shuffled"


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000))
def test_a_relation_is_told_from_chance(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((150, 4)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)  # no linear model sees this
    task = Task("classes", 2, 0.5)
    real = labels.relation(x, y, task, rng)
    assert labels.unrelated(real, 0.0, 30)[1] is None
    # What is left beyond four deviations is rarer than one in ten thousand.
    mixed = labels.relation(x, rng.permutation(y), task, rng)
    assert max(mixed.values()) < 5.5


def test_a_model_that_sees_more_than_neighbours_acquits_the_labels():
    surely = {"a": 0.5}
    assert name_of(labels.unrelated(surely, 0.1, 100)) == "labels unrelated to inputs"
    assert labels.unrelated(surely, 0.6, 100)[1] is None
    assert labels.unrelated({}, 0.0, 100)[1] is None


def test_imbalance_is_a_fault_where_accuracy_is_the_metric():
    task = Task("classes", 2, 0.95)
    _, finding = labels.balance(task, {"loss"}, None)
    assert finding is not None and finding.severity == "warning"
    _, finding = labels.balance(task, {"accuracy"}, [0.9, 0.951])
    assert finding is not None and finding.severity == "fault"
    assert "has an accuracy of 95.0%, and yours 95.1%" in finding.says
    assert labels.balance(Task("classes", 2, 0.63), {"accuracy"}, None)[1] is None


def test_a_head_that_starts_at_zero_is_no_fault():
    zero, moved = np.zeros((4, 3)), RNG.standard_normal((4, 3))
    assert start.symmetric({"head/kernel": zero}, {"head/kernel": moved})[1] is None
    assert start.symmetric({"head/kernel": zero}, {"head/kernel": zero})[1] is not None
    # A bias, or a layer of one unit, has no units to be told apart.
    assert start.symmetric({"bias": np.zeros(3)}, {"bias": np.zeros(3)})[1] is None
    assert start.symmetric({"k": np.zeros((4, 1))}, {"k": np.zeros((4, 1))})[1] is None


def test_dead_units_are_counted_by_layer_of_a_stack():
    gradient = RNG.standard_normal((2, 5, 10))
    gradient[1, :, :8] = 0  # eight units of the second layer
    measured, finding = start.dead({"k": gradient}, {"k": gradient}, {"k": 1}, 100)
    assert measured["start: largest share of dead units in a layer"] == pytest.approx(8 / 20)
    assert finding is None
    gradient[0, :, :8] = 0
    assert name_of(start.dead({"k": gradient}, {"k": gradient}, {"k": 1}, 100)) == "dead units"
    alive = np.ones_like(gradient)
    assert start.dead({"k": gradient}, {"k": alive}, {"k": 1}, 100)[1] is None


def test_outputs_that_are_sure_before_training():
    task = Task("classes", 10, 0.1)
    found = {"simplex": 0.0, "loss": 20.0, "size": 30.0, "as logits": 20.0, "train as logits": 20.0}
    assert name_of(start.confident(found, task)) == "outputs too large at the start"
    # Statistics that are not yet learnt make only the inference call large.
    assert start.confident(found | {"train as logits": 2.4}, task)[1] is None


def test_probabilities_for_a_loss_of_probabilities_are_right():
    task = Task("classes", 10, 0.1)
    end = {"simplex": 1.0, "as logits": 1.6, "as probabilities": 0.4}
    assert start.squashed_twice(end, end | {"loss": 0.4}, task)[1] is None
    undecided = {"simplex": 1.0, "as logits": 2.3, "as probabilities": 2.2, "loss": 2.21}
    assert start.squashed_twice(end, undecided, task)[1] is None
    _, finding = start.squashed_twice(end, end | {"loss": 1.6}, task)
    assert finding is not None
    assert finding.measured == pytest.approx(-math.log(math.e / (math.e + 9)))


def test_no_rate_is_judged_where_none_learns():
    ends = dict.fromkeys(rate.FACTORS, 2.29)
    assert rate.judged(ends, 2.3, 100)[1] is None
    assert set(rate.FACTORS) == {10 ** (p / 2) for p in range(-8, 9)}


def test_a_rate_is_far_off_only_by_orders_of_magnitude():
    def at(best):
        ends = {f: 2.3 - 2 * math.exp(-((math.log10(f / best)) ** 2)) for f in rate.FACTORS}
        return name_of(rate.judged(ends, 2.3, 100))

    assert [at(f) for f in (1e-3, 0.3, 1.0, 10.0, 1e4)] == [
        "learning rate too high", None, None, None, "learning rate too low",
    ]  # fmt: skip


def test_a_rate_that_learns_is_right_though_others_do_as_well():
    lower_too = {f: 0.3 if 1e-3 <= f <= 1 else 2.3 for f in rate.FACTORS}
    assert rate.judged(lower_too, 2.3, 100)[1] is None
    # Slow training of a first hundred steps may still be right in the end.
    faster = {f: 0.3 if 10 <= f <= 100 else 2.3 for f in rate.FACTORS}
    assert rate.judged(faster, 2.3, 100)[1] is None


def test_the_noise_scale_of_gradients_with_known_noise():
    # Gradients g + e of single examples, with |g|^2 = 4 and tr cov e = 100: a scale of 25.
    size, width = 16, 100
    mean = np.full(width, 0.2)
    batches = mean + RNG.standard_normal((4000, 8, width)) / math.sqrt(size)
    square = float(np.square(batches).sum(-1).mean())
    whole = np.sqrt(np.square(batches.mean(1)).sum(-1).mean())
    found = rate.noise({"square": square}, {"k": np.array([whole])}, size)
    assert found["batch: gradient noise scale, in examples"] == pytest.approx(25, rel=0.05)
    assert found["batch: a size that suits it"] == 32
    assert rate.noise({"square": 1.0}, {"k": np.zeros(3)}, size) == {}


def test_a_factor_is_a_factor_on_the_rate():
    x = RNG.standard_normal((64, 3)).astype(np.float32)
    net = nn.Linear(1)
    loss_fn = lambda params, batch, key: jnp.square(net(params, batch[0]) - batch[1]).mean()
    params = net.init(jax.random.key(0), x[:1])
    order = epochs_of(np.arange(64), 20, 8, RNG)

    def end(rate, factor):
        data = x, x[:, :1]
        trial = Trial(
            net, loss_fn, optim.sgd(rate), params, Task("regression"), data, 8, jax.random.key(1)
        )
        return trial.train(factor, order)[0]

    for own, scaled in zip(*map(jax.tree.leaves, (end(0.1, 1.0), end(0.01, 10.0))), strict=True):
        np.testing.assert_allclose(scaled, own, rtol=1e-4)


@pytest.mark.parametrize(
    ("history", "name"),
    [
        ({"loss": [1.0, math.nan]}, "diverged"),
        ({"loss": [1.0, 0.5, 4.0]}, "diverged"),
        ({"loss": [1, 0.5, 0.1, 0.05], "val_loss": [1, 0.8, 0.9, 1.2]}, "overfitting"),
        ({"loss": [2.3, 2.29, 2.28, 2.28]}, "underfitting"),
        ({"loss": [2.0, 1.5, 1.1, 0.8, 0.6, 0.4, 0.3, 0.2]}, "stopped early"),
        ({"loss": [1, 0.5, 0.3, 0.3, 0.29], "val_loss": [1, 0.6, 0.42, 0.4, 0.4]}, None),
        ({"loss": [1.0]}, None),
    ],
)
def test_curves(history, name):
    assert name_of(result.curves(history)) == name


def test_a_history_without_a_loss():
    with pytest.raises(ValueError, match=r"has a 'loss'.* but this one has 'accuracy'"):
        result.curves({"accuracy": [1.0]})


def test_of_findings_that_cause_each_other_the_first_is_kept():
    one, two = (Finding(name, "fault", 1.0, "It is.", "that.") for name in ("one", "two"))
    warning = Finding("three", "warning", 1.0, "It may be.", "this.")
    report = Report()
    report.add(({"c": 3.0}, warning))
    assert not report.first(({"a": 1.0}, None), ({"b": 2.0}, one), ({}, two))
    diagnosis = report.diagnosis()
    assert diagnosis.findings == (one, warning)
    assert diagnosis.faults == ("one",)
    assert diagnosis.measured == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert "mend the first" in str(diagnosis)
