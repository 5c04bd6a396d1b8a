"""Flax NNX modules around the functional core, batch-major."""

from jaxrnn.nn.bidirectional import Bidirectional as Bidirectional
from jaxrnn.nn.bidirectional import concatenate as concatenate
from jaxrnn.nn.rnn import RNN as RNN
