"""All of the library, though its files are imported only when their names are first used."""

from jaxnet import analysis, data, doctor, interop, losses, metrics, nn, optim, train

for package in nn, train:
    for name in dir(package):
        getattr(package, name)
assert all((analysis, data, doctor, interop, losses, metrics, optim))

print([])
