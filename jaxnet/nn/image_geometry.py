"""Moving the pixels of images ``[..., H, W, C]``: each place of the result sees a point of them.

``mode`` is as in ``grid_sample``; ``fill`` says what lies outside: a number, the ``"border"``'s
pixel, or the image's ``"reflection"``. An amount such as ``degrees`` is a number, or an array with
one for each image: of the shape of the batch axes. Points and pairs are ``(x, y)``.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array
from jaxnet.nn.image import Amount, amounts, check_images
from jaxnet.nn.sample import affine_grid, grid_sample

type Fill = float | str
type Pair = tuple[Amount, Amount]


def affine(
    x: jax.Array,
    *,
    degrees: Amount = 0.0,
    shift: Pair = (0.0, 0.0),
    scale: Amount = 1.0,
    shear: Pair = (0.0, 0.0),
    mode: str = "nearest",
    fill: Fill = 0.0,
) -> jax.Array:
    """Shears, turns, scales and shifts, in this order, around the centre: ``[..., H, W, C]``.

    ``degrees`` turn clockwise; ``shift`` counts pixels to the right and down; ``scale`` above 1
    makes things larger; ``shear`` is the angle along x and along y in degrees. As torchvision's
    affine, whose rotate turns the other way.
    Raises ValueError if shapes and options do not fit each other.

    >>> affine(jnp.array([[[1.0], [2.0], [3.0]]]), shift=(1, 0))[0, :, 0]
    Array([0., 1., 2.], dtype=float32)
    """
    check_images(x, "affine")
    check_sampling(mode, fill, "affine")
    for name, pair in (("shift", shift), ("shear", shear)):
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(
                f"{name} of affine must be a pair (x, y), but is {describe(pair)}; "
                f"to the side only is {name}=(value, 0)"
            )
    turn = jnp.deg2rad(amounts(degrees, x, "degrees of affine"))
    along, up = (jnp.deg2rad(amounts(angle, x, "shear of affine")) for angle in shear)
    right, down = (amounts(n, x, "shift of affine") for n in shift)
    size = amounts(scale, x, "scale of affine", least=_ABOVE_0)
    a, c = jnp.cos(turn - up) / jnp.cos(up), jnp.sin(turn - up) / jnp.cos(up)
    b = -a * jnp.tan(along) - jnp.sin(turn)
    d = -c * jnp.tan(along) + jnp.cos(turn)
    # The inverse of [[a, b], [c, d]], whose determinant is 1; then in halves of width and height.
    height, width = x.shape[-3:-1]
    rows = (
        (d, -b * (height / width), (b * down - d * right) * (2 / width)),
        (-c * (width / height), a, (c * right - a * down) * (2 / height)),
    )
    theta = jnp.stack([jnp.stack([entry / size for entry in row], -1) for row in rows], -2)
    return _sampled(x, affine_grid(theta, (height, width)), mode, fill)


def perspective(
    x: jax.Array, start: Any, end: Any, *, mode: str = "linear", fill: Fill = 0.0
) -> jax.Array:
    """Moves four points of the plane onto four others: ``[..., H, W, C]``.

    ``start`` and ``end`` are ``[4, 2]``, or ``[..., 4, 2]`` for each image, in pixels, where the
    image goes from (0, 0) to (W, H). Straight lines stay straight.
    Raises ValueError if shapes and options do not fit each other.

    >>> corners = jnp.array([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0], [0.0, 1.0]])
    >>> x = jnp.array([[[1.0], [2.0], [3.0]]])
    >>> perspective(x, corners, corners.at[:, 0].add(1))[0, :, 0]
    Array([0., 1., 2.], dtype=float32)
    """
    check_images(x, "perspective")
    check_sampling(mode, fill, "perspective")
    wide = at_least_float32(x)
    height, width = x.shape[-3:-1]
    shape = (*x.shape[:-3], 4, 2)
    halves = jnp.broadcast_to(jnp.asarray([width / 2, height / 2], wide), shape)
    corners = []
    for name, points in (("start", start), ("end", end)):
        points = jnp.asarray(points, wide)
        if points.shape not in ((4, 2), shape):
            raise ValueError(
                f"{name} of perspective must be four points (x, y), [4, 2] or {shape} for the "
                f"images {describe(x)}, but has the shape {points.shape}"
            )
        corners.append(jnp.broadcast_to(points, shape) / halves - 1)
    grid = _points(x.shape, wide)
    return _sampled(x, _project(_homography(corners[1], corners[0]), grid), mode, fill)


def elastic(x: jax.Array, shift: jax.Array, *, mode: str = "linear", fill: Fill = 0.0) -> jax.Array:
    """Sees each place's pixel ``shift`` away: ``[..., H, W, C], [..., H, W, 2] -> [..., H, W, C]``.

    ``shift`` counts pixels, (right, down).
    Raises ValueError if shapes and options do not fit each other.

    >>> x = jnp.array([[[1.0], [2.0], [3.0]]])
    >>> elastic(x, jnp.full((1, 3, 2), 0.5), fill="border")[0, :, 0]
    Array([1.5, 2.5, 3. ], dtype=float32)
    """
    check_images(x, "elastic")
    check_sampling(mode, fill, "elastic")
    if not is_array(shift) or shift.shape != (*x.shape[:-1], 2):
        raise ValueError(
            f"shift of elastic must be {(*x.shape[:-1], 2)}, (right, down) for each pixel of "
            f"{describe(x)}, but is {describe(shift)}"
        )
    wide = at_least_float32(x, shift)
    halves = jnp.asarray([x.shape[-2] / 2, x.shape[-3] / 2], wide)
    moved = shift.astype(wide) / jnp.broadcast_to(halves, shift.shape)
    return _sampled(x, _points(x.shape, wide) + moved, mode, fill)


# The least number above 0 in float32.
_ABOVE_0 = 1e-38


def check_sampling(mode: Any, fill: Any, what: str) -> None:
    """Raise unless pixels can be sampled by these options."""
    if mode not in ("nearest", "linear", "cubic"):
        raise ValueError(f"mode of {what} must be 'nearest', 'linear' or 'cubic', but is {mode!r}")
    if isinstance(fill, str) and fill not in ("border", "reflection"):
        raise ValueError(
            f"fill of {what} must be a number, 'border' or 'reflection', but is {fill!r}"
        )


def _points(shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Where the pixels of ``[..., H, W, C]`` lie, from -1 to 1: ``[..., H, W, 2]``."""
    grid = affine_grid(jnp.eye(2, 3, dtype=dtype), shape[-3:-1])
    return jnp.broadcast_to(grid, (*shape[:-1], 2))


def _homography(start: jax.Array, end: jax.Array) -> jax.Array:
    """The matrix that projects four points on four others: ``[..., 4, 2] -> [..., 3, 3]``."""
    flat = jnp.concatenate([start, jnp.ones_like(start[..., :1])], -1)  # [..., 4, 3]
    still = jnp.zeros_like(flat)
    equations = []
    for i, own in enumerate(([flat, still], [still, flat])):
        bent = -jnp.broadcast_to(end[..., i, None], start.shape) * start
        equations.append(jnp.concatenate([*own, bent], -1))  # [..., 4, 8]
    right = jnp.concatenate([end[..., 0], end[..., 1]], -1)
    found = jnp.linalg.solve(jnp.concatenate(equations, -2), right[..., None])[..., 0]
    one = jnp.ones_like(found[..., :1])
    return jnp.concatenate([found, one], -1).reshape(*start.shape[:-2], 3, 3)


def _project(matrix: jax.Array, points: jax.Array) -> jax.Array:
    flat = jnp.concatenate([points, jnp.ones_like(points[..., :1])], -1)
    seen = jnp.einsum("...ij,...hwj->...hwi", matrix, flat, precision=jax.lax.Precision.HIGHEST)
    return seen[..., :2] / jnp.broadcast_to(seen[..., 2:], points.shape)


def _sampled(x: jax.Array, grid: jax.Array, mode: str, fill: Fill) -> jax.Array:
    wide = x.astype(grid.dtype)
    if isinstance(fill, str):
        return grid_sample(wide, grid, mode=mode, padding=fill).astype(x.dtype)
    # Outside is 0 for grid_sample: so the image is moved to where the filling is 0.
    return (grid_sample(wide - fill, grid, mode=mode) + fill).astype(x.dtype)
