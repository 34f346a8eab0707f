"""What a first program uses, or all of it: files are imported at the first use of a name."""

import sys

from jaxnet import data, losses, metrics, nn, optim, train

used = {nn: ["Sequential", "Linear", "relu"], losses: ["mean_squared_error"], optim: ["adam"]}
used |= {train: ["TrainState", "train_step", "fit"]}
if sys.argv[2] == "all of it":
    used = {package: dir(package) for package in (data, losses, metrics, nn, optim, train)}
for package, names in used.items():
    for name in names:
        getattr(package, name)

print([])
