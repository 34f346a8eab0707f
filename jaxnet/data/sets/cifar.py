"""CIFAR-10 and CIFAR-100, from the published archive of their binary version in a folder of yours.

>>> (train_x, train_y), (test_x, test_y) = cifar10("data")  # doctest: +SKIP
>>> train_x.shape, train_x.dtype, train_y.dtype  # doctest: +SKIP
((50000, 32, 32, 3), dtype('uint8'), dtype('int32'))

Images stay uint8, a quarter of the memory, on the device as well: scale them in the loss, as in
``images.astype(jnp.float32) / 255``. The archive stays packed: it is read in place.
"""

import gzip
import hashlib
import os
import tarfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnet.core.errors import listing
from jaxnet.data.sets.files import check_sum, find, md5

type Part = tuple[np.ndarray, np.ndarray]

_PIXELS = 3 * 32 * 32


class _Archive(NamedTuple):
    """A published archive: records of some labels, one byte each, and the pixels after them."""

    name: str
    md5: str
    train: tuple[str, ...]
    test: str
    classes: tuple[int, ...]


_TEN = _Archive(
    "cifar-10",
    "c32a1d4ab5d03f1284b67883e8d87530",
    tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
    "cifar-10-batches-bin/test_batch.bin",
    (10,),
)
_HUNDRED = _Archive(
    "cifar-100",
    "03b5dce01913d631647c71ecec9e9cb8",
    ("cifar-100-binary/train.bin",),
    "cifar-100-binary/test.bin",
    (20, 100),
)


def cifar10(folder: str | os.PathLike[str], *, checksum: bool = True) -> tuple[Part, Part]:
    """Photographs of ten classes: ``((train_x, train_y), (test_x, test_y))``, 50,000 and 10,000.

    Images are uint8 ``[N, 32, 32, 3]`` in RGB, labels int32 ``[N]``. The classes from 0 to 9:
    airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck. The folder holds
    ``cifar-10-binary.tar.gz``, of which nothing is written to disk.
    ``checksum=False`` reads an archive of your own in that format, of any number of images.
    Raises FileNotFoundError if it is not there, and ValueError for one that is damaged, of another
    format, or not the published one.

    >>> train, test = cifar10("data")  # doctest: +SKIP
    """
    return _read(_TEN, folder, checksum, 0)


def cifar100(
    folder: str | os.PathLike[str], *, coarse: bool = False, checksum: bool = True
) -> tuple[Part, Part]:
    """Photographs of 100 classes, 500 and 100 of each, in the format of ``cifar10``.

    Labels are those of the 100 fine classes or, if ``coarse``, of the 20 that these belong to. The
    folder holds ``cifar-100-binary.tar.gz``. Other options and errors are those of ``cifar10``.

    >>> train, test = cifar100("data", coarse=True)  # doctest: +SKIP
    """
    return _read(_HUNDRED, folder, checksum, 0 if coarse else 1)


def _read(
    archive: _Archive, folder: str | os.PathLike[str], checksum: bool, column: int
) -> tuple[Part, Part]:
    others = [p.name for p in Path(folder).glob(f"{archive.name}-*") if "binary" not in p.name]
    note = f"; {listing(others)} is another version: that with pickles is never read, for safety"
    home = "https://www.cs.toronto.edu/~kriz/cifar.html"
    path = find(folder, (f"{archive.name}-binary.tar.gz",), home, note if others else "")
    if checksum:
        with path.open("rb") as file:
            check_sum(hashlib.file_digest(file, md5), archive.md5, path)
    try:
        with tarfile.open(path, "r:gz") as tar:
            *train, test = (
                _records(tar, name, archive, path) for name in (*archive.train, archive.test)
            )
    except (EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error) as error:
        raise ValueError(f"{path} cannot be unpacked ({error}): it is damaged") from error
    return _part(np.concatenate(train), archive, column), _part(test, archive, column)


def _records(tar: tarfile.TarFile, name: str, archive: _Archive, path: Path) -> np.ndarray:
    """One file of the archive: a row of bytes an image, its labels and then its pixels."""
    row = len(archive.classes) + _PIXELS
    try:
        member = tar.getmember(name)
    except KeyError as error:
        raise ValueError(f"{path} holds no {name}: is it another version?") from error
    if not member.isreg() or not member.size or member.size % row:
        raise ValueError(
            f"{name} in {path} must be a file of some times {row} bytes, labels and pixels of "
            f"an image, but has {member.size}"
        )
    data = tar.extractfile(member)
    assert data is not None  # as it is a regular file
    return np.frombuffer(data.read(), np.uint8).reshape(-1, row)


def _part(records: np.ndarray, archive: _Archive, column: int) -> Part:
    labels, pixels = records[:, column], records[:, len(archive.classes) :]
    classes = archive.classes[column]
    if labels.max() >= classes:
        raise ValueError(
            f"a label of {archive.name} is {labels.max()}, but its {classes} classes have the "
            f"numbers 0 to {classes - 1}; are the records in the format of another set?"
        )
    # A colour after the other is published, a pixel after the other is what convolutions take.
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels.astype(np.int32)
