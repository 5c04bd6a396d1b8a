"""How a cell is run over time."""

from jaxrnn.recurrence.choose import Backend as Backend
from jaxrnn.recurrence.choose import Choice as Choice
from jaxrnn.recurrence.choose import Remat as Remat
from jaxrnn.recurrence.chunked import Chunked as Chunked
from jaxrnn.recurrence.masks import length_mask as length_mask
from jaxrnn.recurrence.unroll import explain as explain
from jaxrnn.recurrence.unroll import unroll as unroll
