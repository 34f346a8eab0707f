"""The small data sets that come with scikit-learn, as ``(x, y)``.

>>> x, y = iris()
>>> x.shape, x.dtype, y.shape, y.dtype
((150, 4), dtype('float32'), (150,), dtype('int32'))
>>> names("iris").classes
('setosa', 'versicolor', 'virginica')

Tables hold the numbers as they were measured. Scale them by the mean and deviation of the part that
you train on. All functions raise ImportError where scikit-learn is not installed.
"""

from typing import Any, NamedTuple

import numpy as np

from jaxnet.core.checks import check_choice

_SETS = ("breast_cancer", "diabetes", "digits", "iris", "wine")


class Names(NamedTuple):
    """What the columns of ``x`` and the numbers of ``y`` are called; no classes where y is real."""

    features: tuple[str, ...]
    classes: tuple[str, ...]


def names(name: str) -> Names:
    """The names of the features and classes of a set of this module.

    Raises ValueError for a set that does not exist.

    >>> names("breast_cancer").classes
    ('malignant', 'benign')
    """
    check_choice(name, _SETS, "name", "names")
    bunch = _load(name)
    classes = bunch.get("target_names", ())
    return Names(tuple(map(str, bunch.feature_names)), tuple(map(str, classes)))


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits: images ``[1797, 8, 8, 1]`` in [0, 1] and labels ``[1797]`` from 0 to 9.

    A pixel is the share of ink in a field of 4 x 4 dots, so a multiple of 1/16
    (the test part of doi:10.24432/C50P49).

    >>> images, labels = digits()
    >>> images.shape, labels[:5].tolist()
    ((1797, 8, 8, 1), [0, 1, 2, 3, 4])
    """
    x, y = _classes("digits")
    return x.reshape(-1, 8, 8, 1) / 16, y


def iris() -> tuple[np.ndarray, np.ndarray]:
    """Flowers: four lengths in cm ``[150, 4]`` and the species ``[150]``, 50 of each of three.

    >>> x, y = iris()
    >>> x[0].tolist(), int(y[0])
    ([5.1, 3.5, 1.4, 0.2], 0)
    """
    return _classes("iris")


def wine() -> tuple[np.ndarray, np.ndarray]:
    """Wines: 13 chemical measures ``[178, 13]`` and which of three growers it is ``[178]``.

    >>> x, y = wine()
    >>> np.bincount(y).tolist()
    [59, 71, 48]
    """
    return _classes("wine")


def breast_cancer() -> tuple[np.ndarray, np.ndarray]:
    """Tumours: 30 measures of cell nuclei ``[569, 30]``, and 0 malignant or 1 benign ``[569]``.

    >>> x, y = breast_cancer()
    >>> np.bincount(y).tolist()
    [212, 357]
    """
    return _classes("breast_cancer")


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """Patients: 10 measures ``[442, 10]``, and the progress of the disease in a year ``[442]``.

    The target is float32, from 25 to 346. The features are the raw ones, such as the age in years,
    and not those that scikit-learn has scaled by statistics of all patients.

    >>> x, y = diabetes()
    >>> x[0, :4].tolist(), float(y[0])
    ([59.0, 2.0, 32.1, 101.0], 151.0)
    """
    bunch = _load("diabetes", scaled=False)
    return bunch.data.astype(np.float32), bunch.target.astype(np.float32)


def _classes(name: str) -> tuple[np.ndarray, np.ndarray]:
    bunch = _load(name)
    return bunch.data.astype(np.float32), bunch.target.astype(np.int32)


def _load(name: str, **options: Any) -> Any:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            f"{name} comes with scikit-learn, which is not installed: "
            "pip install 'jaxnet[examples]'"
        ) from error
    return getattr(datasets, f"load_{name}")(**options)
