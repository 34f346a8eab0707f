"""MNIST and Fashion-MNIST, from their published idx files in a folder of yours.

>>> (train_x, train_y), (test_x, test_y) = mnist("data/mnist")  # doctest: +SKIP
>>> train_x.shape, train_x.dtype, train_y.dtype  # doctest: +SKIP
((60000, 28, 28, 1), dtype('uint8'), dtype('int32'))

Images stay uint8, a quarter of the memory, on the device as well: scale them in the loss, as in
``images.astype(jnp.float32) / 255``.
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from jaxnet.data.sets.files import check_sum, find, md5

# DEFLATE cannot pack tighter: what unpacks to more than this many times its size is not sound.
_DENSEST = 1032

type Part = tuple[np.ndarray, np.ndarray]

_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# Of the unpacked files, so that one number is right for either form.
_MNIST = (
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
)
_FASHION = (
    "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "9018921c3c673c538a1fc5bad174d6f9",
    "8181f5470baa50b63fa0f6fddb340f0a",
    "15d484375f8d13e6eb1aabb0c3f46965",
)


def mnist(folder: str | os.PathLike[str], *, checksum: bool = True) -> tuple[Part, Part]:
    """Handwritten digits: ``((train_x, train_y), (test_x, test_y))``, 60,000 and 10,000 examples.

    Images are uint8 ``[N, 28, 28, 1]``, labels int32 ``[N]`` from 0 to 9. The folder holds the four
    files ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``, as they are or packed, with ``.gz`` at the end.
    ``checksum=False`` reads files of your own in that format, with images of any size.
    Raises FileNotFoundError for a file that is not there, and ValueError for one that is damaged,
    of another format, or not the published one.

    >>> train, test = mnist("data/mnist")  # doctest: +SKIP
    """
    return _read(folder, _MNIST if checksum else None, "https://yann.lecun.com/exdb/mnist")


def fashion_mnist(folder: str | os.PathLike[str], *, checksum: bool = True) -> tuple[Part, Part]:
    """Pictures of clothes in the format of ``mnist``, and harder to tell apart (arXiv:1708.07747).

    The classes from 0 to 9: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker,
    bag, ankle boot. Names of files, options and errors are those of ``mnist``.

    >>> train, test = fashion_mnist("data/fashion")  # doctest: +SKIP
    """
    home = "https://github.com/zalandoresearch/fashion-mnist"
    return _read(folder, _FASHION if checksum else None, home)


def _read(
    folder: str | os.PathLike[str], published: tuple[str, ...] | None, home: str
) -> tuple[Part, Part]:
    # All are found before one is read: an error comes at once.
    paths = [find(folder, (name, f"{name}.gz"), home) for name in _FILES]
    sums = published or (None,) * len(paths)
    train_x, train_y, test_x, test_y = map(_idx, paths, (3, 1, 3, 1), sums)
    return _paired(train_x, train_y, paths[0]), _paired(test_x, test_y, paths[2])


def _paired(images: np.ndarray, labels: np.ndarray, path: Path) -> Part:
    if len(images) != len(labels):
        raise ValueError(
            f"{path} has {len(images)} images, but the file of their labels has {len(labels)}; "
            "take both from one set"
        )
    return images[..., None], labels.astype(np.int32)


def _idx(path: Path, axes: int, published: str | None) -> np.ndarray:
    """An array of bytes: zeros, type and number of axes, their sizes in four bytes each, data."""
    packed = path.suffix == ".gz"
    with gzip.open(path) if packed else path.open("rb") as file:
        try:
            header = file.read(4 + 4 * axes)
            if len(header) < 4 + 4 * axes or header[:4] != bytes((0, 0, 8, axes)):
                raise ValueError(
                    f"{path} is no idx file of bytes on {axes} axes: it begins with "
                    f"{header[:4].hex(' ') or 'nothing'}, not 00 00 08 0{axes}"
                )
            shape = struct.unpack(f">{axes}I", header[4:])
            size = math.prod(shape)
            room = path.stat().st_size * (_DENSEST if packed else 1)
            if size > room:  # before anything is allocated
                raise ValueError(
                    f"{path} promises {size} bytes, but has room for {room} at most: it is damaged"
                )
            # One byte more, to see that the file ends there; a packed one then checks itself.
            body = file.read(size + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} cannot be unpacked ({error}): it is damaged") from error
    if len(body) != size or not size:
        held = f"{len(body)}" if len(body) <= size else "more"
        raise ValueError(f"{path} promises {size} bytes of data, {shape}, but holds {held}")
    if published is not None:
        digest = md5(header)
        digest.update(body)
        check_sum(digest, published, path)
    return np.frombuffer(body, np.uint8).reshape(shape).copy()
