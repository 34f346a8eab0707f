"""A GRU whose last output predicts a number, trained by Adam."""

import dataclasses

from benchmarks.workloads import lstm

WORKLOAD = dataclasses.replace(lstm.WORKLOAD, title="GRU")
data = lstm.data
