"""A convolution with the dtype rules of a recurrent product, for convolutional units."""

from __future__ import annotations

from math import prod

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_size


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with "same" padding, over any leading batch shape.

    Multiplied in the dtype of the kernel, given in that of x if it is wider, as `recurrent_product`
    does it. The window has its centre at index (K - 1) // 2 of each axis.

    Args:
      x: `[*B, *S, C]`, one to three spatial axes.
      kernel: `[*K, C, G]`, one K for each S.

    Returns:
      `[*B, *S, G]`.

    >>> convolve(jnp.ones((2, 5, 1)), jnp.ones((3, 1, 1)))[0, :, 0].tolist()
    [2.0, 3.0, 3.0, 3.0, 2.0]
    """
    axes = kernel.ndim - 2
    batch, image = x.shape[: -axes - 1], x.shape[-axes - 1 :]
    letters = "DHW"[-axes:]
    result = jax.lax.conv_general_dilated(
        x.reshape(prod(batch), *image).astype(kernel.dtype),
        kernel,
        window_strides=(1,) * axes,
        padding="SAME",
        dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        preferred_element_type=jnp.promote_types(kernel.dtype, x.dtype),
    )
    return result.reshape(*batch, *result.shape[1:])


def window_of(
    spatial_shape: tuple[int, ...], kernel_size: int | tuple[int, ...]
) -> tuple[int, ...]:
    """Returns the kernel size on every spatial axis; raises ValueError if the two do not fit."""
    rule = "be a tuple of one to three sizes, such as (28, 28)"
    ok = isinstance(spatial_shape, tuple | list) and 1 <= len(spatial_shape) <= 3
    require(ok, "spatial_shape", rule, repr(spatial_shape))
    for size in spatial_shape:
        require_size("spatial_shape", size)
    several = isinstance(kernel_size, tuple | list)
    window = tuple(kernel_size) if several else (kernel_size,) * len(spatial_shape)
    rule = f"be one size, or one for each of {len(spatial_shape)} axes"
    require(len(window) == len(spatial_shape), "kernel_size", rule, kernel_size)
    for size in window:
        require_size("kernel_size", size)
    return window
