"""The sensor of the glimpse model: patches of an image around a place, coarser the wider."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_size


def retina(images: jax.Array, locations: jax.Array, *, size: int, scales: int = 1) -> jax.Array:
    """Looks at each image at one place.

    Patch s has sides of size · 2ˢ pixels and is averaged down to size · size numbers. Beyond the
    border of the image there is zero. Places are rounded to whole pixels, so nothing can be
    differentiated by them.

    Source: Mnih et al. 2014, arXiv:1406.6247 (the glimpse sensor).

    Args:
      images: `[*B, R, C]`.
      locations: row and column of the centre of the patch, `[*B, 2]`; (-1, -1) is the upper left
        corner of the image, (1, 1) the lower right one.
      size: pixels along the side of a patch.
      scales: number of patches.

    Returns:
      Patches `[*B, scales, size, size]`, the finest first.

    Raises:
      ValueError: if a shape does not fit or a size is not positive.

    >>> image = jnp.arange(16.0).reshape(4, 4)
    >>> retina(image, jnp.array([-0.5, 0.5]), size=2).tolist()
    [[[2.0, 3.0], [6.0, 7.0]]]
    """
    require_size("size", size)
    require_size("scales", scales)
    require(images.ndim >= 2, "images", "have the shape [*B, R, C]", images.shape)
    fits = locations.ndim >= 1 and locations.shape[-1] == 2
    require(fits, "locations", "have the shape [*B, 2]", locations.shape)
    look = partial(_look, size=size, scales=scales)
    return jnp.vectorize(look, signature="(r,c),(n)->(s,k,k)")(images, locations)


def _look(image: jax.Array, location: jax.Array, *, size: int, scales: int) -> jax.Array:
    """The patches of one image, `[scales, size, size]`."""
    centre = (location + 1) / 2 * jnp.array(image.shape)
    patches = []
    for scale in range(scales):
        step = 2**scale
        width = size * step
        corner = jnp.round(centre - width / 2).astype(jnp.int32) + width
        padded = jnp.pad(image, width)
        patch = jax.lax.dynamic_slice(padded, corner, (width, width))
        patches.append(patch.reshape(size, step, size, step).mean((1, 3)))
    return jnp.stack(patches)
