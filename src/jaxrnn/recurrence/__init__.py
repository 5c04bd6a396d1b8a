"""How a cell is run over time."""

from jaxrnn.recurrence.chunked import Chunked as Chunked
from jaxrnn.recurrence.masks import length_mask as length_mask
from jaxrnn.recurrence.unroll import unroll as unroll
