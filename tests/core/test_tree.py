import jax.numpy as jnp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxnet.core import tree

steps = st.sampled_from(["a", "b", "kernel", "a.b", "block12"])
paths = st.lists(steps, min_size=1, max_size=4)


def matches_by_definition(pattern: list[str], path: list[str]) -> bool:
    """The meaning of a pattern, one step at a time."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(matches_by_definition(pattern[1:], path[i:]) for i in range(len(path) + 1))
    if not path:
        return False
    head, _, tail = pattern[0].partition("*")
    fits = (
        len(path[0]) >= len(head + tail) and path[0].startswith(head) and path[0].endswith(tail)
        if "*" in pattern[0]
        else pattern[0] == path[0]
    )
    return fits and matches_by_definition(pattern[1:], path[1:])


@settings(max_examples=1000)
@example(["a", "**", "**"], ["a"])
@given(
    st.lists(steps | st.sampled_from(["*", "**", "block*", "*b"]), min_size=1, max_size=4), paths
)
def test_patterns_mean_what_they_say(pattern, path):
    # Two "**" in a row are one, and at the end it names what lies inside, not the place itself.
    once = [step for i, step in enumerate(pattern) if pattern[i : i + 2] != ["**", "**"]]
    inside = len(once) > 1 and once[-1] == "**"
    meaning = [*once[:-1], "*", "**"] if inside else once
    expected = matches_by_definition(meaning, path)
    assert tree.matches("/".join(pattern), "/".join(path)) == expected


@given(st.dictionaries(st.sampled_from(["w", "b"]), st.integers(), min_size=1), paths)
def test_unflatten_is_the_inverse_of_flatten(leaves, path):
    nested = leaves
    for step in path:
        nested = {step: nested}
    assert tree.unflatten(tree.flatten(nested)) == nested
    assert set(tree.flatten(nested)) == {"/".join([*path[::-1], name]) for name in leaves}


def test_rename_by_flat_paths():
    params = {"encoder": {"weight": 1, "bias": 2}}
    renamed = {path.replace("weight", "kernel"): x for path, x in tree.flatten(params).items()}
    assert tree.unflatten(renamed) == {"encoder": {"kernel": 1, "bias": 2}}


@pytest.mark.parametrize("flat", [{"a": 1, "a/b": 2}, {"a/b": 2, "a": 1}])
def test_a_path_cannot_be_leaf_and_subtree(flat):
    with pytest.raises(ValueError, match=r"'a.*' (lies inside another leaf|is both a leaf)"):
        tree.unflatten(flat)


def test_the_first_matching_rule_wins():
    params = {"head": {"kernel": 1, "bias": 2}, "body": {"kernel": 3}}
    labels = tree.label(params, {"head/kernel": "fast", "**/kernel": "slow", "**": "none"})
    assert labels == {"head": {"kernel": "fast", "bias": "none"}, "body": {"kernel": "slow"}}


def test_select_gives_a_mask():
    params = {"head": {"kernel": 1, "bias": 2}, "body": {"kernel": 3}}
    assert tree.select(params, "head/*") == {
        "head": {"kernel": True, "bias": True},
        "body": {"kernel": False},
    }
    assert tree.select(params, "**") == {
        "head": {"kernel": True, "bias": True},
        "body": {"kernel": True},
    }


def test_map_paths_keeps_the_structure():
    params = {"head": {"kernel": jnp.ones(2)}}
    assert tree.map_paths(lambda path, x: (path, x.shape), params) == {
        "head": {"kernel": ("head/kernel", (2,))}
    }


def test_a_pattern_without_a_match_names_the_nearest_paths():
    with pytest.raises(
        ValueError, match=r"'head/kernal' matches no path; did you mean 'head/kernel"
    ):
        tree.select({"head": {"kernel": 1}}, "head/kernal")


def test_a_leaf_without_a_rule_is_an_error():
    with pytest.raises(
        ValueError, match=r"no pattern matches 'head/bias'; end the rules with '\*\*'"
    ):
        tree.label({"head": {"kernel": 1, "bias": 2}}, {"**/kernel": "decay"})
