"""Tumours from 30 measured features: an imbalanced table, and probabilities that can be trusted.

Focal loss attends to the hard cases, and leaves the probabilities too timid. One number, the
temperature, mends them on a validation part (arXiv:1706.04599); a test part says how well.
Prints precision, recall, areas under curves and calibration; writes one picture.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from sklearn.model_selection import train_test_split

import jaxnet as jn
from jaxnet import nn
from jaxnet.data import sets

matplotlib.use("Agg")
from matplotlib import pyplot as plt

net = nn.Sequential(nn.Linear(32), nn.relu, nn.Dropout(0.3), nn.Linear(32), nn.relu, nn.Linear(1))


def loss_fn(params, batch, key):
    x, y = batch
    logits = net(params, x, key=key).squeeze(-1)
    return jn.losses.sigmoid_focal(logits, y, gamma=2.0, alpha=None)


def load(seed):
    """Features and labels, 1 for malignant, of parts to train, validate and test on."""
    x, y = sets.breast_cancer()
    malignant = sets.names("breast_cancer").classes.index("malignant")
    y = (y == malignant).astype(np.float32)
    # Stratified: the share of malignant ones is the same in each part.
    split = lambda rows, share: train_test_split(
        rows, test_size=share, stratify=y[rows], random_state=seed
    )
    rest, test = split(np.arange(len(y)), 0.3)
    train, validation = split(rest, 0.4)
    # What the other parts are like must not be known in training, not even their mean.
    mean, deviation = x[train].mean(0), x[train].std(0)
    return [((x[rows] - mean) / deviation, y[rows]) for rows in (train, validation, test)]


def fitted_temperature(logits, labels):
    """The number that logits are divided by for the least cross-entropy."""
    # Targets a little short of 0 and 1, after Platt: where a line between the classes makes no
    # mistake in this part, any more confidence would look better, and the best number would be 0.
    malignant = labels.sum()
    sure, unsure = (malignant + 1) / (malignant + 2), 1 / (len(labels) - malignant + 2)
    targets = jnp.where(labels == 1, sure, unsure)
    candidates = jnp.geomspace(0.1, 10, 500)
    cost = lambda t: jn.losses.sigmoid_cross_entropy(logits / t, targets)
    return candidates[jax.vmap(cost)(candidates).argmin()]


def both(logits):
    """The probabilities of benign and malignant, ``[N, 2]``."""
    return nn.softmax(jnp.stack([jnp.zeros_like(logits), logits], -1))


reliability = jn.metrics.reliability(10)
confusion = jn.metrics.confusion_matrix(2)


@jax.jit
def tested(params, validation, test, totals):
    """Numbers of this split's test part, and the totals of all splits with it."""
    (held_x, held_y), (x, y) = validation, test
    temperature = fitted_temperature(net(params, held_x).squeeze(-1), held_y)
    raw = net(params, x).squeeze(-1)
    labels = y.astype(jnp.int32)
    mended = raw / temperature
    numbers = {
        "area under ROC": jn.metrics.roc_auc(raw, labels),
        "average precision": jn.metrics.average_precision(raw, labels),
        "temperature": temperature,
        "cross-entropy": jn.losses.sigmoid_cross_entropy(raw, y),
        "cross-entropy, mended": jn.losses.sigmoid_cross_entropy(mended, y),
    }
    return numbers, {
        "confusion": confusion.update(totals["confusion"], both(raw), labels),
        "before": reliability.update(totals["before"], both(raw), labels),
        "after": reliability.update(totals["after"], both(mended), labels),
    }


def picture(bins, path):
    """Accuracy against confidence, before and after the temperature, and how many there are."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained", sharey=True)
    for ax, (when, result) in zip(axes, bins.items(), strict=True):
        some = np.asarray(result.examples) > 0
        x, y, examples = (np.asarray(part)[some] for part in result[1:] + result[:1])
        error = jn.metrics.expected_calibration_error(result)
        ax.plot([0.5, 1], [0.5, 1], color="gray", linestyle="--", label="calibrated")
        ax.plot(x, y, marker="o", label="test parts")
        for place in zip(x, y, examples, strict=True):
            ax.annotate(f"{place[2]:.0f}", place[:2], (0, -14), textcoords="offset points")
        ax.set(title=f"{when} the temperature: calibration error {error:.3f}")
        ax.set(xlabel="confidence", ylabel="accuracy")
        ax.grid(alpha=0.3)
        ax.legend()
    figure.savefig(path, dpi=100)


def main(splits, epochs, folder):
    tx = jn.optim.adamw(1e-3, weight_decay=1e-2)
    totals = {
        "confusion": confusion.init(),
        "before": reliability.init(),
        "after": reliability.init(),
    }
    rows = []
    # One test part of 171 says little of rare mistakes: many splits say more.
    for seed in range(splits):
        train, validation, test = load(seed)
        init_key, train_key = jax.random.split(jax.random.key(seed))
        params = net.init(init_key, train[0])
        state = jn.train.TrainState.create(params, tx, train_key)
        state, _ = jn.train.fit(loss_fn, tx, state, train, epochs=epochs, progress=False)
        numbers, totals = tested(state.params, validation, test, totals)
        rows.append(jax.device_get(numbers))

    print(f"{splits} splits: mean and standard deviation on the test part")
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"  {name:21s}  {np.mean(values):.3f}  {np.std(values):.3f}")
    matrix = confusion.compute(totals["confusion"])
    print(f"all test parts, accuracy {100 * np.trace(matrix) / matrix.sum():.1f} %")
    scores = zip(("benign", "malignant"), *jn.metrics.precision_recall_f1(matrix), strict=True)
    for name, precision, recall, f1 in scores:
        print(f"  {name:9s}  precision {precision:.3f}  recall {recall:.3f}  F1 {f1:.3f}")
    bins = {when: reliability.compute(totals[when]) for when in ("before", "after")}
    for when, result in bins.items():
        error = jn.metrics.expected_calibration_error(result)
        print(f"calibration error {when} the temperature: {error:.4f}")
    path = folder / "tabular.png"
    picture(bins, path)
    print(f"wrote {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=Path("."), help="where the picture goes")
    main(**vars(parser.parse_args()))
