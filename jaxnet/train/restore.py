"""Arrays into a tree that exists: all of them, or some, by rules on paths.

``fill(params, weights, only="encoder/**")`` takes from another model what fits; everything that
does not fit is listed at once. Paths are matched, never positions.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core import tree
from jaxnet.core.errors import describe, is_array, listing, near
from jaxnet.train.clock import with_clocks

type Rename = Mapping[str, str] | Callable[[str], str]


@dataclasses.dataclass(frozen=True)
class Report:
    """What was taken and what was not, by path; as text, a line for everything of note.

    ``cast`` names the leaves of ``loaded`` whose floating-point dtype was changed, ``kept`` those
    left as they were because ``only`` excludes them, ``skipped`` damaged checkpoints.
    """

    loaded: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    cast: Mapping[str, str] = dataclasses.field(default_factory=dict)
    missing: Mapping[str, str] = dataclasses.field(default_factory=dict)
    unexpected: Mapping[str, str] = dataclasses.field(default_factory=dict)
    mismatching: Mapping[str, str] = dataclasses.field(default_factory=dict)
    skipped: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def misfits(self) -> str:
        """A line for each leaf that is missing, unexpected or mismatching; empty if all fits."""
        return self._lines("mismatching", "missing", "unexpected")

    def __str__(self) -> str:
        counts = f"{len(self.loaded)} loaded, {len(self.kept)} kept"
        return "\n".join(filter(None, (counts, self._lines("cast", "skipped"), self.misfits)))

    def _lines(self, *names: str) -> str:
        return "\n".join(
            f"  {name:<12} {path}: {text}"
            for name in names
            for path, text in getattr(self, name).items()
        )


def fill(
    like: Any,
    arrays: Mapping[str, Any],
    *,
    only: str | Sequence[str] = "**",
    rename: Rename | None = None,
    strict: bool = True,
) -> tuple[Any, Report]:
    """``like`` with the leaves of ``arrays`` in the places that have their paths, and a report.

    ``arrays`` is a flat or nested dict, as from a weights file or a checkpoint. ``only`` is a
    pattern, or several, of paths in ``like``: the other leaves stay as they are. ``rename`` turns
    paths of ``arrays`` into those of ``like``: a function, or ``{pattern: pattern}``, where each
    ``*`` and ``**`` stands for the same on both sides and the first match wins.
    Each leaf takes the device layout of its place, and the dtype too where both are floating
    point. Leaves of ``like`` may be ``ShapeDtypeStruct``s. What is returned may share its arrays
    with what was given.

    Raises ValueError for all leaves that are missing, unexpected or mismatching, unless
    ``strict=False``, which leaves those places as they are; and for patterns that match nothing.

    >>> head = {"body": {"bias": jnp.zeros(2)}, "head": {"bias": jnp.zeros(3)}}
    >>> filled, report = fill(head, {"trunk/bias": np.ones(2)}, only="body/**",
    ...                       rename={"trunk/**": "body/**"})
    >>> filled["body"]["bias"], report.loaded, report.kept
    (Array([1., 1.], dtype=float32), ('body/bias',), ('head/bias',))
    """
    patterns = (only,) if isinstance(only, str) else tuple(only)
    needed, chosen = tree.flatten(like), tree.flatten(tree.select(like, *patterns))
    given = {
        path: leaf
        for path, leaf in with_clocks(renamed(tree.flatten(arrays), rename), needed).items()
        if any(tree.matches(pattern, path) for pattern in patterns)
    }
    report = compared(given, {path: spec for path, spec in needed.items() if chosen[path]})
    cast = {path: _cast(given[path], needed[path]) for path in report.cast}
    lost = {path: fault for path, (_, fault) in cast.items() if fault}
    report = dataclasses.replace(
        report,
        loaded=tuple(path for path in report.loaded if path not in lost),
        kept=tuple(path for path in needed if not chosen[path]),
        cast={path: text for path, text in report.cast.items() if path not in lost},
        mismatching={**report.mismatching, **lost},
    )
    found = {path: cast[path][0] if path in cast else given[path] for path in report.loaded}
    if strict and report.misfits:
        raise ValueError(
            "what is given does not fit; say what to take with only=, or under which paths with "
            f"rename=:\n{report.misfits}"
        )
    bare = [p for p, x in needed.items() if p not in found and isinstance(x, jax.ShapeDtypeStruct)]
    if bare:
        raise ValueError(
            f"{listing(bare)} would stay a ShapeDtypeStruct; give arrays where something is to be "
            "kept, such as the parameters that init returns"
        )
    return tree.map_paths(lambda p, x: placed(found[p], x) if p in found else x, like), report


def compared(given: Mapping[str, Any], needed: Mapping[str, Any]) -> Report:
    """What of the leaves by path could be loaded; values are not looked at."""
    shared = [path for path in needed if path in given]
    mismatching = {path: fault for path in shared if (fault := misfit(given[path], needed[path]))}
    loaded = tuple(path for path in shared if path not in mismatching)
    return Report(
        loaded=loaded,
        cast={
            path: f"{given[path].dtype} to {needed[path].dtype}"
            for path in loaded
            if given[path].dtype != needed[path].dtype
        },
        missing={p: f"needs {describe(x)}" for p, x in needed.items() if p not in given},
        unexpected={p: f"given {describe(x)}" for p, x in given.items() if p not in needed},
        mismatching=mismatching,
    )


def renamed(given: Mapping[str, Any], rename: Rename | None) -> dict[str, Any]:
    """A flat dict under other paths; raises ValueError where two become one.

    >>> renamed({"layer/0/weight": 1, "bias": 2}, {"layer/*/weight": "blocks/*/kernel"})
    {'blocks/0/kernel': 1, 'bias': 2}
    """
    if rename is None:
        return dict(given)
    new_path = rename if callable(rename) else _rules(rename, given)
    result, origin = {}, {}
    for path, leaf in given.items():
        new = new_path(path)
        if new in origin:
            raise ValueError(f"rename turns both {origin[new]!r} and {path!r} into {new!r}")
        result[new], origin[new] = leaf, path
    return result


def _rules(rename: Mapping[str, str], paths: Mapping[str, Any]) -> Callable[[str], str]:
    rules = []
    for old, new in rename.items():
        stars = [re.findall(r"\*\*|\*", pattern) for pattern in (old, new)]
        if stars[0] != stars[1]:
            raise ValueError(
                f"rename={{{old!r}: {new!r}}} needs the same * and ** on both sides, in one order"
            )
        if not any(tree.matches(old, path) for path in paths):
            raise ValueError(f"the pattern {old!r} matches no path; {near(old, paths)}")
        # As tree.matches reads a pattern, with a group for what each star stands for.
        groups = re.escape(old).replace(r"\*\*/", r"((?:[^/]+/)*)").replace(r"\*\*", "(.*)")
        rules.append((old, re.compile(groups.replace(r"\*", "([^/]*)")), new))

    def new_path(path: str) -> str:
        for old, groups, new in rules:
            match = groups.fullmatch(path) if tree.matches(old, path) else None
            if match:
                parts = iter(match.groups())
                steps = re.sub(r"\*\*?", lambda _: next(parts).strip("/"), new).split("/")
                return "/".join(filter(None, steps))
        return path

    return new_path


def misfit(leaf: Any, spec: Any) -> str | None:
    """Why an array cannot take a place, if it cannot."""
    text = f"given {describe(leaf)}, needs {describe(spec)}"
    if not is_array(leaf) or not is_array(spec) or tuple(leaf.shape) != tuple(spec.shape):
        return text
    if not _is_possible(spec):
        return f"{text}; that takes jax.config.update('jax_enable_x64', True)"
    if leaf.dtype == spec.dtype:
        return None
    kinds = (jnp.floating, jnp.complexfloating)
    if not any(jnp.issubdtype(leaf.dtype, k) and jnp.issubdtype(spec.dtype, k) for k in kinds):
        return text
    return None


def _is_possible(spec: Any) -> bool:
    if isinstance(spec, np.ndarray) or jnp.issubdtype(spec.dtype, jax.dtypes.extended):
        return True
    return jax.dtypes.canonicalize_dtype(spec.dtype) == spec.dtype


def _cast(leaf: Any, spec: Any) -> tuple[np.ndarray, str | None]:
    """The values in another dtype, and what is wrong if it cannot hold them."""
    values = np.asarray(leaf)
    with np.errstate(all="ignore"):
        result = values.astype(spec.dtype)
    lost = values[np.isfinite(values) & ~np.isfinite(result)]
    if not lost.size:
        return result, None
    return result, f"given {describe(leaf)}, needs {describe(spec)}, where {lost[0]!s} is infinite"


def placed(leaf: Any, spec: Any) -> Any:
    """An array with the layout of another; one that JAX may move freely remains so."""
    if isinstance(spec, np.ndarray):
        return np.asarray(leaf)
    fixed = spec.committed if isinstance(spec, jax.Array) else spec.sharding is not None
    return jax.device_put(leaf, spec.sharding) if fixed else jnp.asarray(leaf)
