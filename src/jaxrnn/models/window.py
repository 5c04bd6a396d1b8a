"""The window of DRAW: a grid of Gaussian filters over an image, that can be moved by gradients."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_size


class Window(NamedTuple):
    """Where a grid of N by N filters lies, in pixels; the centre of the first pixel is at 0."""

    row: jax.Array  # [*B] of the centre of the grid
    column: jax.Array  # [*B]
    stride: jax.Array  # [*B] from one filter to the next
    deviation: jax.Array  # [*B] of each filter: how far it sees
    intensity: jax.Array  # [*B] what the numbers read are multiplied by


def window_of(numbers: jax.Array, shape: tuple[int, int], size: int) -> Window:
    """Makes a window of five numbers, of which zeros are one that covers the whole image.

        row = (R + 1) (n_1 + 1) / 2 - 1;   column = (C + 1) (n_2 + 1) / 2 - 1
        deviation² = exp(n_3);   stride = exp(n_4) (max(R, C) - 1) / (N - 1);   intensity = exp(n_5)

    From -1 to 1 the centre goes from just before the first pixel to just behind the last.

    Source: Gregor et al. 2015, arXiv:1502.04623, equations 21 to 24.

    Args:
      numbers: `[*B, 5]`.
      shape: R rows and C columns of the image.
      size: N, filters along the side of the grid.

    Raises:
      ValueError: if there are not five numbers, or a size is not positive.

    >>> window = window_of(jnp.zeros(5), (9, 5), size=3)
    >>> float(window.row), float(window.column), float(window.stride)
    (4.0, 2.0, 4.0)
    """
    require_size("size", size)
    require(numbers.ndim > 0 and numbers.shape[-1] == 5, "numbers", "be [*B, 5]", numbers.shape)
    rows, columns = shape
    place_row, place_column, log_variance, log_stride, log_intensity = jnp.moveaxis(numbers, -1, 0)
    return Window(
        row=(rows + 1) * (place_row + 1) / 2 - 1,
        column=(columns + 1) * (place_column + 1) / 2 - 1,
        stride=(max(shape) - 1) / max(size - 1, 1) * jnp.exp(log_stride),
        deviation=jnp.exp(log_variance / 2),
        intensity=jnp.exp(log_intensity),
    )


def read_window(images: jax.Array, window: Window, size: int) -> jax.Array:
    """Reads N by N numbers off images.

        read = intensity F_r x F_cᵀ

    Args:
      images: `[*B, R, C]`.
      window: leaves `[*B]`.
      size: N.

    Returns:
      `[*B, N, N]`.

    >>> image = jnp.eye(5)
    >>> sharp = Window(*jnp.array([2.0, 2.0, 2.0, 0.1, 1.0]))  # every second pixel
    >>> read_window(image, sharp, 3).round(3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    rows, columns = _filters(window, images.shape[-2:], size)
    read = jnp.einsum("...nr,...rc,...mc->...nm", rows, images, columns)
    return window.intensity[..., None, None] * read


def write_window(patches: jax.Array, window: Window, shape: tuple[int, int]) -> jax.Array:
    """Writes N by N numbers into an image that is zero elsewhere.

        write = F_rᵀ w F_c / intensity

    Args:
      patches: w `[*B, N, N]`.
      window: leaves `[*B]`.
      shape: R and C.

    Returns:
      `[*B, R, C]`.
    """
    rows, columns = _filters(window, shape, patches.shape[-1])
    written = jnp.einsum("...nr,...nm,...mc->...rc", rows, patches, columns)
    return written / window.intensity[..., None, None]


def _filters(window: Window, shape: tuple[int, ...], size: int) -> tuple[jax.Array, jax.Array]:
    """Of the rows `[*B, N, R]` and of the columns `[*B, N, C]`, each with the sum 1."""
    steps = (jnp.arange(size) - (size - 1) / 2) * window.stride[..., None]
    rows = _gaussians(window.row[..., None] + steps, window.deviation, shape[0])
    columns = _gaussians(window.column[..., None] + steps, window.deviation, shape[1])
    return rows, columns


def _gaussians(means: jax.Array, deviations: jax.Array, pixels: int) -> jax.Array:
    """Filters around means `[*B, N]`, over pixels: `[*B, N, P]`.

    As a softmax, so that the sum of one that lies far outside of the image is not zero.
    """
    distances = (jnp.arange(pixels) - means[..., None]) / deviations[..., None, None]
    return jax.nn.softmax(-(distances**2) / 2, axis=-1)
