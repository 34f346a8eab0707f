"""What the primitives of a program count as, in floating-point operations.

A multiplication with its addition is two; elementary functions are one an element. Moving data is
none, and neither is arithmetic of integers, except in products of matrices. Of an algorithm of
linear algebra it is the leading term.
"""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np


def operations(equation: Any) -> float | None:
    """The operations of an equation of a jaxpr; None where there is no rule for its primitive."""
    name = equation.primitive.name
    if name in _RULES:
        return _RULES[name](equation)
    if name in _ELEMENTWISE:
        return _size(equation.outvars[0]) if _floats(equation) else 0
    return 0 if name in _MOVES else None


def _shape(x: Any) -> tuple[int, ...]:
    return getattr(x.aval, "shape", ())


def _size(x: Any) -> int:
    return math.prod(_shape(x))


def _floats(equation: Any) -> bool:
    """Whether an operation reads or writes floating-point numbers."""
    return any(
        jnp.issubdtype(x.aval.dtype, jnp.inexact)
        for x in (*equation.invars, *equation.outvars)
        if hasattr(x.aval, "dtype")
    )


def _multiply_add(equation: Any) -> int:
    """A multiplication and an addition: of complex numbers, four of each."""
    return 8 if jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.complexfloating) else 2


def _dot(equation: Any) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    shape = _shape(equation.invars[0])
    terms = math.prod(shape[axis] for axis in contracted)
    return _multiply_add(equation) * _size(equation.outvars[0]) * terms


def _ragged_dot(equation: Any) -> int:
    """Each row meets the matrix of its own group only."""
    numbers = equation.params["ragged_dot_dimension_numbers"]
    (contracted, _), _ = numbers.dot_dimension_numbers
    left, _, sizes = map(_shape, equation.invars[:3])
    terms = math.prod(left[axis] for axis in contracted)
    products = _multiply_add(equation) * _size(equation.outvars[0]) * terms
    # Where the rows are summed over, there is one result for each group.
    return (
        products // sizes[-1] if set(numbers.lhs_ragged_dimensions) & set(contracted) else products
    )


def _conv(equation: Any) -> int:
    """Products with the padding, and with the gaps of a dilated input, do not count."""
    params = equation.params
    numbers = params["dimension_numbers"]
    left, right, out = (
        tuple(_shape(x)[axis] for axis in spec)
        for x, spec in (
            (equation.invars[0], numbers.lhs_spec),
            (equation.invars[1], numbers.rhs_spec),
            (equation.outvars[0], numbers.out_spec),
        )
    )
    spatial = zip(
        left[2:],
        right[2:],
        out[2:],
        params["window_strides"],
        params["padding"],
        params["lhs_dilation"],
        params["rhs_dilation"],
        strict=True,
    )
    pairs = math.prod(_pairs(*axis) for axis in spatial)
    return _multiply_add(equation) * out[0] * out[1] * right[1] * pairs


def _pairs(
    size: int, kernel: int, out: int, stride: int, pad: tuple[int, int], gap: int, spread: int
) -> int:
    """How many pairs of an output and a kernel entry meet an entry of the input, on one axis."""
    # Of the shorter of the two each entry in turn, with all of the longer one at once.
    few, step, many, pace = (
        (kernel, spread, out, stride) if kernel < out else (out, stride, kernel, spread)
    )
    along = np.arange(many) * pace - pad[0]
    places = (along + i * step for i in range(few))
    return sum(int(((x >= 0) & (x < size * gap) & (x % gap == 0)).sum()) for x in places)


def _reduce(equation: Any) -> int:
    return _size(equation.invars[0]) if _floats(equation) else 0


def _window(equation: Any) -> int:
    return _size(equation.outvars[0]) * math.prod(equation.params["window_dimensions"])


def _pool_gradient(equation: Any) -> int:
    return _size(equation.invars[0]) * math.prod(equation.params["window_dimensions"])


def _scatter(equation: Any) -> int:
    return _size(equation.invars[2]) if _floats(equation) else 0


def _sort(equation: Any) -> float:
    if not _floats(equation):
        return 0
    shape = _shape(equation.invars[0])
    axis = equation.params.get("dimension", equation.params.get("axis", -1))
    return _size(equation.invars[0]) * math.log2(max(shape[axis], 1))


def _fft(equation: Any) -> float:
    """``5 n log2 n`` for each of complex numbers, half of that where one side is real."""
    ends = equation.invars[0].aval, equation.outvars[0].aval
    whole = all(jnp.issubdtype(x.dtype, jnp.complexfloating) for x in ends)
    points = math.prod(equation.params["fft_lengths"])
    rows = len(equation.params["fft_lengths"])
    each = math.prod(ends[0].shape[:-rows]) * points
    return (5 if whole else 2.5) * each * math.log2(max(points, 1))


def _triangular_solve(equation: Any) -> int:
    return _shape(equation.invars[0])[-1] * _size(equation.outvars[0])


def _cubic(factor: float) -> Callable[[Any], float]:
    """A decomposition of ``[..., m, n]``: ``factor * m * n * min(m, n)`` for each matrix."""

    def rule(equation: Any) -> float:
        shape = _shape(equation.invars[0])
        return factor * math.prod(shape) * min(shape[-2:])

    return rule


_RULES: dict[str, Callable[[Any], float]] = {
    "dot_general": _dot,
    "ragged_dot_general": _ragged_dot,
    "conv_general_dilated": _conv,
    "argmax": _reduce,
    "argmin": _reduce,
    "reduce": _reduce,
    **{f"reduce_{kind}": _reduce for kind in ("sum", "prod", "max", "min")},
    **{f"cum{kind}": _reduce for kind in ("sum", "prod", "max", "min", "logsumexp")},
    "reduce_window": _window,
    **{f"reduce_window_{kind}": _window for kind in ("sum", "max", "min")},
    "select_and_scatter": _pool_gradient,
    "select_and_scatter_add": _pool_gradient,
    "select_and_gather_add": _window,
    **{f"scatter-{kind}": _scatter for kind in ("add", "mul", "min", "max", "sub")},
    **dict.fromkeys(("sort", "top_k", "approx_top_k"), _sort),
    "fft": _fft,
    "triangular_solve": _triangular_solve,
    "cholesky": _cubic(1 / 3),
    "lu": _cubic(2 / 3),
    **dict.fromkeys(("qr", "geqrf", "geqp3", "householder_product"), _cubic(4 / 3)),
    "eigh": _cubic(9),
    "svd": _cubic(22),
    **dict.fromkeys(("eig", "schur", "hessenberg"), _cubic(25)),
}

_ARITHMETIC = """
abs acos acosh add add_any asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil clamp conj
cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt igamma igamma_grad_a igammac
integer_pow is_finite le lgamma log log1p log2 logistic lt max min mul ne neg nextafter
one_minus_square polygamma pow regularized_incomplete_beta rem round rsqrt sign
sin sinh sqrt square sub tan tanh zeta
"""
# Moving and renaming data, bits and integers, and what exists for the compiler only.
_TRANSPORT = """
addupdate after_all all_gather all_gather_invariant all_to_all and axis_index bitcast_convert_type
broadcast_in_dim clz complex concatenate convert_element_type copy create_token debug_callback
debug_print device_put dynamic_slice dynamic_update_slice empty empty2 eq_to from_edtype gather get
imag io_callback iota le_to lt_to lu_pivots_to_permutation mulhi name not optimization_barrier or
pad pmax pmin population_count ppermute psum psum_invariant pure_callback pvary random_bits
random_clone random_fold_in random_seed random_split random_unwrap random_wrap real reduce_and
reduce_or reduce_precision reduce_scatter reduce_xor reshape reshard rev rng_bit_generator
rng_uniform scatter select_n sharding_constraint shift_left shift_right_arithmetic
shift_right_logical slice split squeeze stack stop_gradient swap threefry2x32 tie tile to_edtype
transpose unstack xor
"""
_ELEMENTWISE = frozenset(_ARITHMETIC.split())
_MOVES = frozenset(_TRANSPORT.split())
