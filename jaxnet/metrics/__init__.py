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

from jaxnet.metrics.calibration import Reliability as Reliability
from jaxnet.metrics.calibration import expected_calibration_error as expected_calibration_error
from jaxnet.metrics.calibration import maximum_calibration_error as maximum_calibration_error
from jaxnet.metrics.calibration import reliability as reliability
from jaxnet.metrics.classification import accuracy as accuracy
from jaxnet.metrics.classification import binary_accuracy as binary_accuracy
from jaxnet.metrics.classification import brier as brier
from jaxnet.metrics.classification import top_k_accuracy as top_k_accuracy
from jaxnet.metrics.confusion import confusion_matrix as confusion_matrix
from jaxnet.metrics.confusion import multilabel_confusion as multilabel_confusion
from jaxnet.metrics.curves import PrecisionRecall as PrecisionRecall
from jaxnet.metrics.curves import Roc as Roc
from jaxnet.metrics.curves import average_precision as average_precision
from jaxnet.metrics.curves import binned as binned
from jaxnet.metrics.curves import precision_recall_curve as precision_recall_curve
from jaxnet.metrics.curves import roc_auc as roc_auc
from jaxnet.metrics.curves import roc_curve as roc_curve
from jaxnet.metrics.image import psnr as psnr
from jaxnet.metrics.image import ssim as ssim
from jaxnet.metrics.metric import Metric as Metric
from jaxnet.metrics.metric import streaming as streaming
from jaxnet.metrics.regression import concordance as concordance
from jaxnet.metrics.regression import explained_variance as explained_variance
from jaxnet.metrics.regression import pearson as pearson
from jaxnet.metrics.regression import r2 as r2
from jaxnet.metrics.scores import Scores as Scores
from jaxnet.metrics.scores import balanced_accuracy as balanced_accuracy
from jaxnet.metrics.scores import cohen_kappa as cohen_kappa
from jaxnet.metrics.scores import f_beta as f_beta
from jaxnet.metrics.scores import iou as iou
from jaxnet.metrics.scores import matthews as matthews
from jaxnet.metrics.scores import mean_iou as mean_iou
from jaxnet.metrics.scores import precision as precision
from jaxnet.metrics.scores import precision_recall_f1 as precision_recall_f1
from jaxnet.metrics.scores import recall as recall
from jaxnet.metrics.scores import specificity as specificity
from jaxnet.metrics.text import perplexity as perplexity
