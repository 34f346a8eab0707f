"""The programs in PyTorch."""

import json
import sys

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(0)
settings = json.loads(sys.argv[1])

if settings["program"] == "regression":
    x, y = torch.rand(32, 10), torch.rand(32, 1)
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
else:
    x, y = torch.rand(100, 20), torch.randint(2, (100,))
    model = nn.Sequential(nn.Linear(20, 10), nn.ReLU(), nn.Linear(10, 2))
    optimizer = torch.optim.Adam(model.parameters())
    right = 0.0
    for _ in range(10):
        for rows in torch.randperm(100).split(32):
            optimizer.zero_grad()
            logits = model(x[rows])
            loss = nn.functional.cross_entropy(logits, y[rows])
            loss.backward()
            optimizer.step()
            right += float((logits.argmax(-1) == y[rows]).float().mean())

assert np.isfinite(float(loss))
print([])
