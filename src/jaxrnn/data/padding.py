"""Examples of unequal length in one array each, with their lengths beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxrnn.cells.checks import require


class Padded(NamedTuple):
    """A batch of examples, batch-major, every field as long as its longest."""

    values: Any  # the examples' own structure, leaves [B, T, ...], zeros behind each end
    lengths: Any  # the same structure, leaves [B] int32; 1 for a number, which has no length


def pad(examples: Sequence[Any], *, lengths: Any = None) -> Padded:
    """Puts examples into one batch.

    Each field is padded along its first axis by itself: sources and targets of unequal lengths, a
    sequence beside its label, an image of fixed size that stays as it is.

    Args:
      examples: pytrees of one structure, for example a NamedTuple of arrays `[T, ...]` and numbers.
      lengths: the same structure of numbers: how long to make each field. None: as its longest.

    Returns:
      `Padded`, NumPy arrays.

    Raises:
      ValueError: if there is no example, the structures differ, or a field is too long or of
        another shape than in the first example.

    >>> batch = pad([{"text": [3, 4, 5], "label": 1}, {"text": [6], "label": 0}])
    >>> batch.values["text"].tolist(), batch.values["label"].tolist()
    ([[3, 4, 5], [6, 0, 0]], [1, 0])
    >>> batch.lengths["text"].tolist()
    [3, 1]
    """
    require(len(examples) > 0, "examples", "hold at least one", 0)
    rows, structures = zip(*(_leaves(example) for example in examples), strict=True)
    structure = structures[0]
    other = next((one for one in structures if one != structure), structure)
    require(other == structure, "examples", f"be of one structure, {structure}", other)
    named = jax.tree.flatten_with_path(_unlisted(examples[0]))[0]
    names = ["examples" + jax.tree_util.keystr(path) for path, _ in named]
    wanted = [None] * len(names) if lengths is None else jax.tree.leaves(lengths)
    require(len(wanted) == len(names), "lengths", "have one number for each field", lengths)
    columns = zip(names, zip(*rows, strict=True), wanted, strict=True)
    fields, counts = zip(*(_pad_field(*column) for column in columns), strict=True)
    return Padded(jax.tree.unflatten(structure, fields), jax.tree.unflatten(structure, counts))


def longest(examples: Sequence[Any]) -> Any:
    """Returns the structure of an example with the largest length of each field."""
    sizes = (jax.tree.map(length, _unlisted(example)) for example in examples)
    return jax.tree.map(lambda *each: max(each), *sizes)


def length(field: Any) -> int:
    """Returns how long a field is; 1 for a number."""
    shape = np.shape(field)
    return shape[0] if shape else 1


def _unlisted(example: Any) -> Any:
    """The example with arrays in the place of lists, which are data here and not structure."""
    is_list = lambda node: isinstance(node, list)
    return jax.tree.map(lambda leaf: np.asarray(leaf), example, is_leaf=is_list)


def _leaves(example: Any) -> tuple[list[np.ndarray], Any]:
    return jax.tree.flatten(_unlisted(example))


def _pad_field(
    name: str, rows: tuple[np.ndarray, ...], wanted: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """One field of all examples: `[B, T, ...]`, and its lengths `[B]`."""
    first = rows[0]
    for row in rows:
        same = row.ndim == first.ndim and row.shape[1:] == first.shape[1:]
        require(same, name, f"have the trailing shape {first.shape[1:]}", row.shape)
    counts = np.array([length(row) for row in rows], np.int32)
    if first.ndim == 0:
        return np.stack(rows), counts
    size = int(counts.max()) if wanted is None else wanted
    require(int(counts.max()) <= size, name, f"have at most {size} steps", int(counts.max()))
    values = np.zeros((len(rows), size, *first.shape[1:]), np.result_type(*rows))
    for value, row in zip(values, rows, strict=True):
        value[: len(row)] = row
    return values, counts
