"""jaxrnn: recurrent networks for JAX.

The functional core is here: cells, `unroll`, losses. The rest is imported by room, so that the core
stays light: `jaxrnn.nn` (Flax modules), `jaxrnn.train`, `jaxrnn.data`, `jaxrnn.generate`,
`jaxrnn.models`.
"""

from importlib.metadata import version as _version

from jaxrnn import losses as losses
from jaxrnn.cells import Cell as Cell
from jaxrnn.cells import DenseParts as DenseParts
from jaxrnn.cells import ElmanParams as ElmanParams
from jaxrnn.cells import GRUParams as GRUParams
from jaxrnn.cells import LSTMParams as LSTMParams
from jaxrnn.cells import LSTMState as LSTMState
from jaxrnn.cells import PointwiseVJP as PointwiseVJP
from jaxrnn.cells import dense as dense
from jaxrnn.cells import elman as elman
from jaxrnn.cells import gru as gru
from jaxrnn.cells import initializers as initializers
from jaxrnn.cells import lstm as lstm
from jaxrnn.cells import stack as stack
from jaxrnn.recurrence import Choice as Choice
from jaxrnn.recurrence import Chunked as Chunked
from jaxrnn.recurrence import explain as explain
from jaxrnn.recurrence import length_mask as length_mask
from jaxrnn.recurrence import unroll as unroll

__version__ = _version("jaxrnn")

__all__ = [
    "Cell",
    "Choice",
    "Chunked",
    "DenseParts",
    "ElmanParams",
    "GRUParams",
    "LSTMParams",
    "LSTMState",
    "PointwiseVJP",
    "dense",
    "elman",
    "explain",
    "gru",
    "initializers",
    "length_mask",
    "losses",
    "lstm",
    "stack",
    "unroll",
]
