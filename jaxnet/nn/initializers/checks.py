"""What initializers ask of their options and of a leaf's shape."""


def check_std(std: float, what: str) -> None:
    """Raise unless ``std`` is a standard deviation to draw with."""
    if not std > 0:
        raise ValueError(f"std of {what} must be above 0, but is {std}; for zeros use zeros")


def check_kernel(shape: tuple[int, ...], what: str) -> None:
    """Raise unless a leaf of ``shape`` has inputs and outputs."""
    if len(shape) < 2:
        raise ValueError(
            f"{what} is for kernels [..., inputs, outputs] of at least 2 axes, but the shape is "
            f"{shape}; give a bias another initializer, such as zeros"
        )


def check_matrix(shape: tuple[int, ...], what: str) -> None:
    """Raise unless a leaf of ``shape`` is a matrix."""
    if len(shape) != 2:
        raise ValueError(f"{what} is for kernels [inputs, outputs], but the shape is {shape}")


def check_window(shape: tuple[int, ...], what: str) -> None:
    """Raise unless a leaf of ``shape`` is the kernel of a convolution."""
    if not 3 <= len(shape) <= 5:
        raise ValueError(
            f"{what} is for convolutions' kernels [*window, inputs, outputs] with a window of 1 to "
            f"3 axes, but the shape is {shape}; for a matrix use Identity or Orthogonal"
        )
