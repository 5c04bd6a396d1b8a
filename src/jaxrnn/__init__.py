"""jaxrnn: recurrent networks for JAX.

The functional core is here: cells, `unroll`, losses. The rest is imported by room, so that the core
stays light: `jaxrnn.nn` (Flax modules), `jaxrnn.train`, `jaxrnn.data`, `jaxrnn.generate`,
`jaxrnn.models`.
"""

from importlib.metadata import version as _version

from jaxrnn import losses as losses
from jaxrnn.cells import Cell as Cell
from jaxrnn.cells import ConvGRUParams as ConvGRUParams
from jaxrnn.cells import ConvLSTMParams as ConvLSTMParams
from jaxrnn.cells import DeepTransitionLayer as DeepTransitionLayer
from jaxrnn.cells import DeepTransitionParams as DeepTransitionParams
from jaxrnn.cells import DenseParts as DenseParts
from jaxrnn.cells import ElmanParams as ElmanParams
from jaxrnn.cells import GRUParams as GRUParams
from jaxrnn.cells import GRUResetBeforeParams as GRUResetBeforeParams
from jaxrnn.cells import JordanParams as JordanParams
from jaxrnn.cells import LSTMParams as LSTMParams
from jaxrnn.cells import LSTMState as LSTMState
from jaxrnn.cells import MultiplicativeLSTMParams as MultiplicativeLSTMParams
from jaxrnn.cells import PointwiseVJP as PointwiseVJP
from jaxrnn.cells import ProjectedLSTMParams as ProjectedLSTMParams
from jaxrnn.cells import TimeDelayParams as TimeDelayParams
from jaxrnn.cells import conv_gru as conv_gru
from jaxrnn.cells import conv_lstm as conv_lstm
from jaxrnn.cells import deep_transition as deep_transition
from jaxrnn.cells import dense as dense
from jaxrnn.cells import elman as elman
from jaxrnn.cells import gru as gru
from jaxrnn.cells import gru_reset_before as gru_reset_before
from jaxrnn.cells import initializers as initializers
from jaxrnn.cells import jordan as jordan
from jaxrnn.cells import jordan_teacher_forced as jordan_teacher_forced
from jaxrnn.cells import lstm as lstm
from jaxrnn.cells import multiplicative_lstm as multiplicative_lstm
from jaxrnn.cells import projected_lstm as projected_lstm
from jaxrnn.cells import scanned as scanned
from jaxrnn.cells import stack as stack
from jaxrnn.cells import time_delay as time_delay
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
    "ConvGRUParams",
    "ConvLSTMParams",
    "DeepTransitionLayer",
    "DeepTransitionParams",
    "DenseParts",
    "ElmanParams",
    "GRUParams",
    "GRUResetBeforeParams",
    "JordanParams",
    "LSTMParams",
    "LSTMState",
    "MultiplicativeLSTMParams",
    "PointwiseVJP",
    "ProjectedLSTMParams",
    "TimeDelayParams",
    "conv_gru",
    "conv_lstm",
    "deep_transition",
    "dense",
    "elman",
    "explain",
    "gru",
    "gru_reset_before",
    "initializers",
    "jordan",
    "jordan_teacher_forced",
    "length_mask",
    "losses",
    "lstm",
    "multiplicative_lstm",
    "projected_lstm",
    "scanned",
    "stack",
    "time_delay",
    "unroll",
]
