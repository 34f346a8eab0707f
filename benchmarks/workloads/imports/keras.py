"""The library alone; the variant is its backend."""

import keras as keras

print([])
