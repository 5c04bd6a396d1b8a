"""Flax NNX modules around the functional core, batch-major."""

from jaxrnn.nn.adaptive_softmax import AdaptiveSoftmax as AdaptiveSoftmax
from jaxrnn.nn.adaptive_softmax import zipf_cutoffs as zipf_cutoffs
from jaxrnn.nn.bidirectional import Bidirectional as Bidirectional
from jaxrnn.nn.bidirectional import concatenate as concatenate
from jaxrnn.nn.readout import Readout as Readout
from jaxrnn.nn.rnn import RNN as RNN
from jaxrnn.nn.sampled_softmax import SampledSoftmax as SampledSoftmax
from jaxrnn.nn.softmax import Softmax as Softmax
