"""Losses: one number, the mean over all examples, and never a silent broadcast.

Every loss computes and returns at least float32: for bfloat16 inputs too it is a float32 number.
``weights``, ``mask`` and ``reduction`` are the same for all; see ``reduce``.
"""

from jaxnet.losses.chunked import chunked_cross_entropy as chunked_cross_entropy
from jaxnet.losses.classification import binary_cross_entropy as binary_cross_entropy
from jaxnet.losses.classification import categorical_cross_entropy as categorical_cross_entropy
from jaxnet.losses.classification import generalized_cross_entropy as generalized_cross_entropy
from jaxnet.losses.classification import kl_divergence as kl_divergence
from jaxnet.losses.classification import negative_log_likelihood as negative_log_likelihood
from jaxnet.losses.classification import sigmoid_cross_entropy as sigmoid_cross_entropy
from jaxnet.losses.classification import softmax_cross_entropy as softmax_cross_entropy
from jaxnet.losses.contrastive import circle as circle
from jaxnet.losses.contrastive import info_nce as info_nce
from jaxnet.losses.contrastive import nt_xent as nt_xent
from jaxnet.losses.contrastive import siglip as siglip
from jaxnet.losses.distillation import distillation as distillation
from jaxnet.losses.focal import sigmoid_focal as sigmoid_focal
from jaxnet.losses.focal import softmax_focal as softmax_focal
from jaxnet.losses.generative import gan_discriminator as gan_discriminator
from jaxnet.losses.generative import gan_generator as gan_generator
from jaxnet.losses.generative import gradient_penalty as gradient_penalty
from jaxnet.losses.generative import normal_kl as normal_kl
from jaxnet.losses.labels import one_hot as one_hot
from jaxnet.losses.likelihood import gaussian_nll as gaussian_nll
from jaxnet.losses.likelihood import poisson_nll as poisson_nll
from jaxnet.losses.margin import categorical_hinge as categorical_hinge
from jaxnet.losses.margin import hinge as hinge
from jaxnet.losses.margin import hinge_embedding as hinge_embedding
from jaxnet.losses.margin import multi_margin as multi_margin
from jaxnet.losses.margin import multilabel_margin as multilabel_margin
from jaxnet.losses.margin import multilabel_soft_margin as multilabel_soft_margin
from jaxnet.losses.margin import soft_margin as soft_margin
from jaxnet.losses.margin import squared_hinge as squared_hinge
from jaxnet.losses.ranking import cosine_embedding as cosine_embedding
from jaxnet.losses.ranking import margin_ranking as margin_ranking
from jaxnet.losses.ranking import triplet_margin as triplet_margin
from jaxnet.losses.ranking import triplet_margin_with_distance as triplet_margin_with_distance
from jaxnet.losses.reduce import reduce as reduce
from jaxnet.losses.regression import cosine_distance as cosine_distance
from jaxnet.losses.regression import half_mean_squared_error as half_mean_squared_error
from jaxnet.losses.regression import huber as huber
from jaxnet.losses.regression import log_cosh as log_cosh
from jaxnet.losses.regression import mean_absolute_error as mean_absolute_error
from jaxnet.losses.regression import (
    mean_absolute_percentage_error as mean_absolute_percentage_error,
)
from jaxnet.losses.regression import mean_squared_error as mean_squared_error
from jaxnet.losses.regression import mean_squared_log_error as mean_squared_log_error
from jaxnet.losses.regression import smooth_l1 as smooth_l1
from jaxnet.losses.regularization import l1 as l1
from jaxnet.losses.regularization import l2 as l2
from jaxnet.losses.segmentation import dice as dice
from jaxnet.losses.segmentation import tversky as tversky
from jaxnet.losses.sequence import ctc as ctc
