"""Paths name everything: rules on nested dicts, written as globs on ``"blocks/attn/kernel"``.

In a pattern ``*`` stands for any part of one step and ``**`` for any number of steps:
``"head/*"``, ``"**/kernel"``, ``"blocks/**"``. A pattern that matches nothing is an error.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax

from jaxnet.core.errors import listing, near


def flatten(tree: Any) -> dict[str, Any]:
    """A tree as one flat dict from path to leaf.

    >>> flatten({"head": {"kernel": 1, "bias": 2}})
    {'head/bias': 2, 'head/kernel': 1}
    """
    return {_join(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts from a flat dict: the inverse of ``flatten``, and so the way to rename.

    >>> unflatten({"head/kernel": 1, "head/bias": 2})
    {'head': {'kernel': 1, 'bias': 2}}
    """
    tree: dict[str, Any] = {}
    for path, leaf in flat.items():
        *steps, name = path.split("/")
        node = tree
        for step in steps:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise ValueError(f"{path!r} lies inside another leaf of the same dict")
        if name in node:
            raise ValueError(f"{path!r} is both a leaf and the start of other paths")
        node[name] = leaf
    return tree


def map_paths(fn: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """``fn(path, leaf, …)`` for every leaf, in a tree of the same structure.

    >>> map_paths(lambda path, leaf: f"{path}={leaf}", {"head": {"bias": 2}})
    {'head': {'bias': 'head/bias=2'}}
    """
    return jax.tree_util.tree_map_with_path(lambda path, *x: fn(_join(path), *x), tree, *rest)


def select(tree: Any, *patterns: str) -> Any:
    """A tree of booleans: which leaves match one of the patterns.

    >>> select({"head": {"kernel": 1, "bias": 2}}, "**/kernel")
    {'head': {'bias': False, 'kernel': True}}
    """
    rules = dict.fromkeys(patterns, True)
    return label(tree, rules | {"**": False} if "**" not in rules else rules)


def label(tree: Any, rules: Mapping[str, Any]) -> Any:
    """A tree with each leaf's label, from ``{pattern: label}``; the first match wins.

    Raises ValueError for a pattern that matches no leaf and for a leaf that no pattern matches;
    end the rules with ``"**"`` to give all remaining leaves one label.

    >>> label({"head": {"kernel": 1}, "body": {"kernel": 2}}, {"head/**": "fast", "**": "slow"})
    {'body': {'kernel': 'slow'}, 'head': {'kernel': 'fast'}}
    """
    paths = list(flatten(tree))
    for pattern in rules:
        if pattern != "**" and not any(matches(pattern, path) for path in paths):
            raise ValueError(f"the pattern {pattern!r} matches no path; {near(pattern, paths)}")
    bare = [path for path in paths if not any(matches(pattern, path) for pattern in rules)]
    if bare:
        raise ValueError(
            f"no pattern matches {listing(bare)}; end the rules with '**' to cover the rest"
        )
    return map_paths(lambda path, _: next(rules[p] for p in rules if matches(p, path)), tree)


def matches(pattern: str, path: str) -> bool:
    """Whether a glob matches a path.

    >>> matches("**/kernel", "kernel"), matches("*/kernel", "blocks/attn/kernel")
    (True, False)
    """
    return _compiled(pattern).fullmatch(path) is not None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    any_steps, any_part = "(?:[^/]+(?:/|$))*", "[^/]*"
    steps = []
    for step in pattern.split("/"):
        steps.append(any_steps if step == "**" else any_part.join(map(re.escape, step.split("*"))))
    # "**" brings its own slash, so none is joined after it.
    joined = "".join(s if s == any_steps else s + "/" for s in steps).removesuffix("/")
    return re.compile(joined)


@functools.lru_cache(maxsize=2**14)
def _join(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
