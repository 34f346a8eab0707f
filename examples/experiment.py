"""An experiment for the command line: digits by a small network, whose numbers can be overridden.

jaxnet train examples/experiment.py lr=0.003 --folder runs/digits
jaxnet eval examples/experiment.py --folder runs/digits
jaxnet diagnose examples/experiment.py lr=30.0
"""

import jaxnet as jn
from jaxnet import nn


def experiment(lr=1e-3, width=64, epochs=20, seed=0):
    """What is trained, as a function of what may be changed."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(width), nn.relu, nn.Linear(10))

    def loss_fn(params, batch, key):
        images, labels = batch
        logits = net(params, images, key=key)
        loss = jn.losses.softmax_cross_entropy(logits, labels)
        return loss, {"accuracy": jn.metrics.accuracy(logits, labels)}

    images, labels = jn.data.sets.digits()
    train, test = jn.data.split((images, labels), (0.8, 0.2), stratify=labels, seed=seed)
    return jn.train.Experiment(
        model=net,
        loss_fn=loss_fn,
        data=train,
        validation_data=test,
        tx=jn.optim.adam(lr),
        seed=seed,
        options={"epochs": epochs, "batch_size": 64},
    )
