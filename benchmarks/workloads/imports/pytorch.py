"""The library alone."""

import torch as torch

print([])
