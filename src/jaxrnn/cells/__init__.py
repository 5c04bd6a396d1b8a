"""Recurrent units: parameters, initialisers and pointwise mathematics, one family to a file."""

from jaxrnn.cells import initializers as initializers
from jaxrnn.cells.cell import Cell as Cell
from jaxrnn.cells.cell import DenseParts as DenseParts
from jaxrnn.cells.cell import PointwiseVJP as PointwiseVJP
from jaxrnn.cells.dense import dense as dense
from jaxrnn.cells.elman import ElmanParams as ElmanParams
from jaxrnn.cells.elman import elman as elman
from jaxrnn.cells.gru import GRUParams as GRUParams
from jaxrnn.cells.gru import gru as gru
from jaxrnn.cells.lstm import LSTMParams as LSTMParams
from jaxrnn.cells.lstm import LSTMState as LSTMState
from jaxrnn.cells.lstm import lstm as lstm
from jaxrnn.cells.stack import stack as stack
