"""Text that is on every machine with Python, and its characters as numbers.

>>> text = "to be or not to be"
>>> known = vocabulary(text)
>>> known, encode("robe", known)
(' benort', array([5, 4, 1, 2], dtype=int32))
>>> decode(encode(text, known), known) == text
True
"""

import os
import sys
from pathlib import Path

import numpy as np

from jaxnet.core.checks import check_integers, check_size
from jaxnet.core.errors import describe, listing


def python_text(limit: int | None = None) -> str:
    """English prose of about half a million characters: Python's own reference, topic by topic.

    It is that of ``help("topics")``, in alphabetical order, the same for one version of Python.
    ``limit`` keeps the first characters. Raises ValueError for a limit below 1, and ImportError
    for a Python without its help.

    >>> python_text(22)
    'The "assert" statement'
    """
    from pydoc_data.topics import topics

    return _limited("\n\n".join(topics[name] for name in sorted(topics)), limit)


def python_source(limit: int | None = None) -> str:
    """Python code of more than four million characters: the standard library's modules by name.

    Those are the modules of one file, in alphabetical order, the same for one version of Python;
    packages are left out. ``limit`` keeps the first characters. Raises ValueError for a limit
    below 1, and for a Python that has its library without the source.

    >>> "class Random(" in python_source()
    True
    """
    folder = Path(os.__file__).parent
    paths = [folder / f"{name}.py" for name in sorted(sys.stdlib_module_names)]
    modules = [path.read_text("utf-8") for path in paths if path.is_file()]
    if not modules:
        raise ValueError(
            f"there is no source of Python's library in {folder}: this Python was installed "
            "without it; use python_text()"
        )
    return _limited("\n\n".join(modules), limit)


def vocabulary(text: str) -> str:
    """The different characters of a text, sorted; a character's place is its number.

    >>> vocabulary("hello")
    'ehlo'
    """
    return "".join(sorted(set(text)))


def encode(text: str, vocabulary: str) -> np.ndarray:
    """The number of each character of ``text`` in ``vocabulary``: int32 ``[T]``.

    Raises ValueError for characters that the vocabulary lacks.

    >>> encode("hello", "ehlo")
    array([1, 0, 2, 2, 3], dtype=int32)
    """
    numbers = {character: number for number, character in enumerate(vocabulary)}
    if unknown := sorted(set(text) - numbers.keys()):
        raise ValueError(
            f"the vocabulary of {len(vocabulary)} characters lacks {listing(unknown)}; make it of "
            "all the text that there is, before it is split: vocabulary(text)"
        )
    return np.fromiter(map(numbers.__getitem__, text), np.int32, len(text))


def decode(tokens: np.ndarray, vocabulary: str) -> str:
    """The text whose characters have these numbers ``[T]``; the inverse of ``encode``.

    Raises ValueError unless tokens are one axis of integers, each with a character.

    >>> decode(np.array([1, 0, 2, 2, 3]), "ehlo")
    'hello'
    """
    check_integers(tokens, "tokens of decode")
    if tokens.ndim != 1:
        raise ValueError(
            f"tokens of decode must be one text [T], but are {describe(tokens)}; "
            "decode a batch row by row: [decode(row, vocabulary) for row in tokens]"
        )
    known = np.asarray(tokens)
    if known.size and not 0 <= known.min() <= known.max() < len(vocabulary):
        raise ValueError(
            f"tokens of decode lie between {known.min()} and {known.max()}, but a vocabulary of "
            f"{len(vocabulary)} characters has the numbers 0 to {len(vocabulary) - 1}"
        )
    return "".join(vocabulary[token] for token in known.tolist())


def _limited(text: str, limit: int | None) -> str:
    if limit is None:
        return text
    check_size(limit, "limit")
    return text[:limit]
