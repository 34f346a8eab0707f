"""Data sets: known facts about the small ones, files written here for the large ones."""

import gzip
import hashlib
import importlib
import io
import os
import struct
import sys
import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnet.data import sets

# The package's attribute of this name is the function.
CIFAR, MNIST = (importlib.import_module(f"jaxnet.data.sets.{name}") for name in ("cifar", "mnist"))

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
RNG = np.random.default_rng(0)


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def images_of(n, *shape):
    return RNG.integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.fixture
def digits_folder(tmp_path):
    """Three and two images of 4 x 5 pixels and their labels, in idx files."""
    arrays = (
        images_of(3, 4, 5),
        np.array([7, 0, 9], np.uint8),
        images_of(2, 4, 5),
        np.array([1, 255], np.uint8),
    )
    for name, array in zip(FILES, arrays, strict=True):
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path, arrays


def read(folder):
    return sets.mnist(folder, checksum=False)


# The counts and sums below are those that the sets' descriptions give, or plain arithmetic on them.
@pytest.mark.parametrize(
    ("name", "shape", "counts"),
    [
        ("digits", (1797, 8, 8, 1), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
        ("iris", (150, 4), [50, 50, 50]),
        ("wine", (178, 13), [59, 71, 48]),
        ("breast_cancer", (569, 30), [212, 357]),
    ],
)
def test_small_sets_are_ready_to_train_on(name, shape, counts):
    x, y = getattr(sets, name)()
    assert x.shape == shape and x.dtype == np.float32 and np.isfinite(x).all()
    assert y.shape == shape[:1] and y.dtype == np.int32
    assert np.bincount(y).tolist() == counts


def test_pixels_of_digits_are_sixteenths():
    x, _ = sets.digits()
    assert x.min() == 0 and x.max() == 1
    assert (x * 16 == np.round(x * 16)).all()


def test_diabetes_is_as_measured():
    x, y = sets.diabetes()
    assert x.shape == (442, 10) and y.shape == (442,)
    assert x.dtype == y.dtype == np.float32
    assert (y.min(), y.max()) == (25, 346)
    age = x[:, sets.names("diabetes").features.index("age")]
    assert age.min() == 19 and age.max() == 79


@pytest.mark.parametrize(
    ("name", "features", "classes"),
    [("digits", 64, 10), ("iris", 4, 3), ("wine", 13, 3), ("breast_cancer", 30, 2)],
)
def test_names(name, features, classes):
    names = sets.names(name)
    assert (len(names.features), len(names.classes)) == (features, classes)
    assert all(type(text) is str for text in names.features + names.classes)


def test_real_targets_have_no_classes():
    assert sets.names("diabetes").classes == ()


def test_names_of_nothing():
    with pytest.raises(ValueError, match=r"names has no name='irs'; did you mean .*'iris'"):
        sets.names("irs")


def test_without_scikit_learn_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"iris comes with .*pip install 'jaxnet\[examples\]'"):
        sets.iris()


def test_python_text_is_the_help():
    text = sets.python_text()
    assert len(text) > 400_000 and 'The "assert" statement' in text
    assert text.index("assert_stmt") < text.index("while_stmt") < text.index("yield_stmt")
    assert sets.python_text(1000) == text[:1000]


def test_python_source_is_the_library():
    source = sets.python_source()
    assert len(source) > 3_000_000
    assert source.index("class ABC(") < source.index("class Random(") < source.index("class Timer")
    assert os.__file__ and "def makedirs(name" in source
    assert sets.python_source(limit=50) == source[:50]


@pytest.mark.parametrize("text", [sets.python_text, sets.python_source])
def test_limits_of_text(text):
    with pytest.raises(ValueError, match="limit must be an int of at least 1, but is 0"):
        text(0)


def test_python_without_its_source(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "__file__", str(tmp_path / "os.pyc"))
    with pytest.raises(
        ValueError, match=r"no source of Python's library in .* use python_text\(\)"
    ):
        sets.python_source()


@given(st.text(), st.text())
def test_decoding_undoes_encoding(text, more):
    known = sets.vocabulary(more + text)
    tokens = sets.encode(text, known)
    assert tokens.dtype == np.int32 and tokens.shape == (len(text),)
    assert sets.decode(tokens, known) == text
    assert list(known) == sorted(set(more + text))


def test_characters_that_a_vocabulary_lacks():
    with pytest.raises(ValueError, match=r"of 2 characters lacks 'c', 'd'; make it of all"):
        sets.encode("abcd", "ab")


@pytest.mark.parametrize("token", [-1, 2])
def test_tokens_without_a_character(token):
    with pytest.raises(ValueError, match=r"lie between .* but a vocabulary of 2 .* 0 to 1"):
        sets.decode(np.array([0, token]), "ab")


def test_tokens_are_one_axis_of_integers():
    with pytest.raises(ValueError, match=r"one text \[T\], but are int64\[2,3\]; decode a batch"):
        sets.decode(np.zeros((2, 3), np.int64), "ab")
    with pytest.raises(ValueError, match="tokens of decode must be integers"):
        sets.decode(np.zeros(2), "ab")


@given(n=st.integers(1, 3), height=st.integers(1, 4), width=st.integers(1, 4), packed=st.booleans())
def test_idx_files_hold_what_was_written(tmp_path_factory, n, height, width, packed):
    folder = tmp_path_factory.mktemp("idx")
    x, y = images_of(n, height, width), images_of(n)
    for name, array in zip(FILES, (x, y, x[::-1], y[::-1]), strict=True):
        name, data = (f"{name}.gz", gzip.compress(idx(array))) if packed else (name, idx(array))
        (folder / name).write_bytes(data)
    (train_x, train_y), (test_x, test_y) = read(folder)
    np.testing.assert_array_equal(train_x, x[..., None])
    np.testing.assert_array_equal(train_y, y)
    np.testing.assert_array_equal(test_x, x[::-1, ..., None])
    np.testing.assert_array_equal(test_y, y[::-1])
    assert train_x.dtype == np.uint8 and train_y.dtype == np.int32
    train_x[:] = 0  # as arrays that one loads can be


def test_files_that_are_not_there_are_named(tmp_path):
    message = r"no train-images-idx3-ubyte or train-images-idx3-ubyte\.gz in .*yann\.lecun"
    with pytest.raises(FileNotFoundError, match=message):
        sets.mnist(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"zalandoresearch/fashion-mnist"):
        sets.fashion_mnist(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no cifar-10-binary\.tar\.gz in .*cifar\.html"):
        sets.cifar10(str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no cifar-100-binary\.tar\.gz in"):
        sets.cifar100(tmp_path)


def test_the_pickled_version_is_never_read(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"")
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(b"")
    message = (
        r"fetch it .*'cifar-10-python\.tar\.gz' is another version: that with pickles is never"
    )
    with pytest.raises(FileNotFoundError, match=message):
        sets.cifar10(tmp_path)


@pytest.mark.parametrize("read", [sets.mnist, sets.fashion_mnist])
def test_other_files_than_the_published_ones(read, digits_folder):
    folder, _ = digits_folder
    with pytest.raises(
        ValueError, match=r"ubyte has the MD5 .* but the published .*checksum=False"
    ):
        read(folder)


def test_files_of_the_published_sum(digits_folder, monkeypatch):
    folder, arrays = digits_folder
    sums = tuple(hashlib.md5(idx(array)).hexdigest() for array in arrays)
    monkeypatch.setattr(MNIST, "_MNIST", sums)
    packed = folder / f"{FILES[0]}.gz"
    packed.write_bytes(gzip.compress((folder / FILES[0]).read_bytes(), 1))
    (folder / FILES[0]).unlink()
    (x, _), (_, y) = sets.mnist(folder)
    np.testing.assert_array_equal(x[..., 0], arrays[0])
    np.testing.assert_array_equal(y, arrays[3])


def test_sums_are_of_md5_and_differ():
    sums = [*MNIST._MNIST, *MNIST._FASHION, CIFAR._TEN.md5, CIFAR._HUNDRED.md5]
    assert len({*sums}) == 10 and all(len(bytes.fromhex(each)) == 16 for each in sums)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda data: data[:-1],
            r"promises 60 bytes of data, \(3, 4, 5\), but holds 59",
        ),
        (lambda data: data + b"x", r"promises 60 bytes of data, \(3, 4, 5\), but holds more"),
        (lambda data: b"", r"no idx file of bytes on 3 axes: it begins with nothing"),
        (lambda data: b"\x1f\x8b" + data, r"begins with 1f 8b 00 00, not 00 00 08 03"),
        (lambda data: data[:10], "no idx file of bytes on 3 axes"),
        (lambda data: data[:2] + b"\x0d" + data[3:], "begins with 00 00 0d 03"),
        (lambda data: data[:4] + b"\xff" * 12 + data[16:], r"promises \d+ bytes, but has room for"),
        (lambda data: data[:4] + bytes(12), r"promises 0 bytes of data, \(0, 0, 0\)"),
    ],
    ids=["short", "long", "empty", "packed", "header", "float", "huge", "none"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_damaged_idx_files(damage, message, packed, digits_folder):
    folder, _ = digits_folder
    path = folder / FILES[0]
    data = damage(path.read_bytes())
    path.unlink()
    if packed:
        folder.joinpath(f"{FILES[0]}.gz").write_bytes(gzip.compress(data))
    else:
        path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read(folder)


@pytest.mark.parametrize("cut", [11, 15, -12, -3], ids="cut{}".format)
def test_packed_files_that_are_cut_or_changed(cut, digits_folder):
    folder, arrays = digits_folder
    data = gzip.compress(idx(arrays[0]))
    (folder / FILES[0]).unlink()
    path = folder / f"{FILES[0]}.gz"
    path.write_bytes(data[:cut])
    with pytest.raises(ValueError, match=r"cannot be unpacked .*: it is damaged"):
        read(folder)
    flipped = bytearray(data)
    flipped[cut] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(ValueError, match=r"damaged|promises|no idx file"):
        read(folder)


def test_a_packed_file_is_not_unpacked_beyond_what_it_promises(digits_folder, monkeypatch):
    folder, arrays = digits_folder
    (folder / FILES[0]).unlink()
    (folder / f"{FILES[0]}.gz").write_bytes(gzip.compress(idx(arrays[0]) + bytes(10**7)))
    asked = []
    monkeypatch.setattr(gzip, "open", lambda path: Counting(gzip.GzipFile(path), asked))
    with pytest.raises(ValueError, match="promises 60 bytes of data"):
        read(folder)
    assert asked == [16, 61]


class Counting:
    def __init__(self, file, asked):
        self.file, self.asked = file, asked

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def read(self, size):
        self.asked.append(size)
        return self.file.read(size)


def test_images_without_labels(digits_folder):
    folder, _ = digits_folder
    (folder / FILES[3]).write_bytes(idx(np.array([1], np.uint8)))
    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte has 2 images, but .* has 1;"):
        read(folder)


def pack(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def records(labels, images):
    """Labels, then all red, all green and all blue pixels of each image ``[N, 32, 32, 3]``."""
    rows = [
        bytes(label) + image.transpose(2, 0, 1).tobytes()
        for label, image in zip(labels, images, strict=True)
    ]
    return b"".join(rows)


TEN = [
    *(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
    "cifar-10-batches-bin/test_batch.bin",
]


def ten(images, labels):
    """CIFAR-10 with one image a file."""
    return {name: records([[y]], x[None]) for name, x, y in zip(TEN, images, labels, strict=True)}


def test_cifar10_holds_what_was_written(tmp_path):
    images, labels = images_of(6, 32, 32, 3), [3, 1, 4, 1, 5, 9]
    pack(tmp_path / "cifar-10-binary.tar.gz", {"other": b"x", **ten(images, labels)})
    (train_x, train_y), (test_x, test_y) = sets.cifar10(tmp_path, checksum=False)
    np.testing.assert_array_equal(train_x, images[:5])
    np.testing.assert_array_equal(test_x, images[5:])
    assert train_y.tolist() == labels[:5] and test_y.tolist() == labels[5:]
    assert train_x.dtype == np.uint8 and train_y.dtype == np.int32
    assert train_x.flags.c_contiguous and train_x.flags.writeable
    assert list(tmp_path.iterdir()) == [tmp_path / "cifar-10-binary.tar.gz"]


@pytest.mark.parametrize(("coarse", "column"), [(True, 0), (False, 1)])
def test_cifar100_has_labels_of_two_kinds(tmp_path, coarse, column):
    images, labels = images_of(3, 32, 32, 3), [[19, 99], [0, 50], [7, 20]]
    files = {
        "cifar-100-binary/train.bin": records(labels[:2], images[:2]),
        "cifar-100-binary/test.bin": records(labels[2:], images[2:]),
    }
    pack(tmp_path / "cifar-100-binary.tar.gz", files)
    (train_x, train_y), (test_x, test_y) = sets.cifar100(tmp_path, coarse=coarse, checksum=False)
    np.testing.assert_array_equal(np.concatenate([train_x, test_x]), images)
    assert [*train_y, *test_y] == [label[column] for label in labels]


def test_the_sum_of_an_archive(tmp_path, monkeypatch):
    files = ten(images_of(6, 32, 32, 3), range(6))
    path = pack(tmp_path / "cifar-10-binary.tar.gz", files)
    with pytest.raises(ValueError, match=r"tar\.gz has the MD5 .*c32a1d4ab5d03f1284b67883e8d87530"):
        sets.cifar10(tmp_path)
    own = CIFAR._TEN._replace(md5=hashlib.md5(path.read_bytes()).hexdigest())
    monkeypatch.setattr(CIFAR, "_TEN", own)
    assert sets.cifar10(tmp_path)[0][1].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files.pop(TEN[2]), r"holds no cifar-10-batches-bin/data_batch_3\.bin"),
        (lambda files: files.update({TEN[0]: b"x" * 3072}), "some times 3073 bytes.*but has 3072"),
        (lambda files: files.update({TEN[5]: b""}), "but has 0"),
        (
            lambda files: files.update({TEN[5]: b"\x0a" * 3073}),
            "a label of cifar-10 is 10, but its",
        ),
    ],
    ids=["missing", "short", "empty", "label"],
)
def test_archives_of_other_contents(tmp_path, change, message):
    files = ten(images_of(6, 32, 32, 3), range(6))
    change(files)
    pack(tmp_path / "cifar-10-binary.tar.gz", files)
    with pytest.raises(ValueError, match=message):
        sets.cifar10(tmp_path, checksum=False)


def test_a_link_in_an_archive_is_not_followed(tmp_path):
    path = tmp_path / "cifar-100-binary.tar.gz"
    data = records([[0, 0]], images_of(1, 32, 32, 3))
    pack(path, {"elsewhere": data})
    with gzip.open(path) as file:
        elsewhere = file.read()[: 512 + 3584]
    link = tarfile.TarInfo("cifar-100-binary/train.bin")
    link.type, link.linkname, link.size = tarfile.LNKTYPE, "elsewhere", len(data)
    path.write_bytes(gzip.compress(elsewhere + link.tobuf() + bytes(1024)))
    with pytest.raises(ValueError, match=r"train\.bin in .* must be a file"):
        sets.cifar100(tmp_path, checksum=False)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.95])
def test_archives_that_are_cut(tmp_path, share):
    path = pack(tmp_path / "cifar-10-binary.tar.gz", ten(images_of(6, 32, 32, 3), range(6)))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"cannot be unpacked .*: it is damaged|holds no"):
        sets.cifar10(tmp_path, checksum=False)


def test_an_archive_that_promises_more_than_it_can_hold(tmp_path):
    path = tmp_path / "cifar-100-binary.tar.gz"
    member = tarfile.TarInfo("cifar-100-binary/train.bin")
    member.size = 3074 * 10**7
    path.write_bytes(gzip.compress(member.tobuf() + bytes(3074)))
    with pytest.raises(ValueError, match=r"cannot be unpacked .*unexpected end"):
        sets.cifar100(tmp_path, checksum=False)
