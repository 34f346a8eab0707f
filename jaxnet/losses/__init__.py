"""Losses: one number, the mean over all examples, and never a silent broadcast.

Every loss computes and returns at least float32: for bfloat16 inputs too it is a float32 number.
"""

from jaxnet.losses.classification import binary_cross_entropy as binary_cross_entropy
from jaxnet.losses.classification import categorical_cross_entropy as categorical_cross_entropy
from jaxnet.losses.classification import sigmoid_cross_entropy as sigmoid_cross_entropy
from jaxnet.losses.classification import softmax_cross_entropy as softmax_cross_entropy
from jaxnet.losses.labels import one_hot as one_hot
from jaxnet.losses.regression import half_mean_squared_error as half_mean_squared_error
from jaxnet.losses.regression import huber as huber
from jaxnet.losses.regression import mean_absolute_error as mean_absolute_error
from jaxnet.losses.regression import mean_squared_error as mean_squared_error
from jaxnet.losses.regularization import l1 as l1
from jaxnet.losses.regularization import l2 as l2
