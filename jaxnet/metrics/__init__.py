"""Metrics: functions of one batch, and pure accumulators over many.

A function, such as ``accuracy``, is of arrays; ``streaming`` makes its mean over many batches. What
is no mean is a ``Metric`` of its own, such as ``confusion_matrix(classes)``, and a score of what it
computes is chained with ``then``: ``confusion_matrix(10).then(mean_iou)``. Called on arrays, a
``Metric`` is that of one batch: ``r2()(predictions, targets)``.

Losses are metrics as they are: ``streaming(losses.mean_absolute_error)``; the root of the mean
squared error is ``streaming(losses.mean_squared_error).then(jnp.sqrt)``.

``weights`` and ``mask``, one for each example, are the same for all, and those of
``losses.reduce``: a mask is bool, and what it takes out counts for nothing, whatever it is.
"""

from jaxnet.core.lazy import lazy

lazy(__name__)
