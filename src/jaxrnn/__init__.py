"""jaxrnn: recurrent networks for JAX.

The functional core is here: cells, `unroll`, losses. The rest is imported by room, so that the core
stays light: `jaxrnn.nn` (Flax modules), `jaxrnn.train`, `jaxrnn.data`, `jaxrnn.generate`,
`jaxrnn.models`.
"""

from importlib.metadata import version as _version

from jaxrnn import losses as losses
from jaxrnn.cells import AntisymmetricParams as AntisymmetricParams
from jaxrnn.cells import Cell as Cell
from jaxrnn.cells import ClockworkParams as ClockworkParams
from jaxrnn.cells import ClockworkState as ClockworkState
from jaxrnn.cells import ConvGRUParams as ConvGRUParams
from jaxrnn.cells import ConvLSTMParams as ConvLSTMParams
from jaxrnn.cells import CoupledLSTMParams as CoupledLSTMParams
from jaxrnn.cells import DeepTransitionLayer as DeepTransitionLayer
from jaxrnn.cells import DeepTransitionParams as DeepTransitionParams
from jaxrnn.cells import DelayedParams as DelayedParams
from jaxrnn.cells import DenseParts as DenseParts
from jaxrnn.cells import ElmanParams as ElmanParams
from jaxrnn.cells import GRUParams as GRUParams
from jaxrnn.cells import GRUResetBeforeParams as GRUResetBeforeParams
from jaxrnn.cells import IndRNNParams as IndRNNParams
from jaxrnn.cells import JordanParams as JordanParams
from jaxrnn.cells import LayerNormGRUParams as LayerNormGRUParams
from jaxrnn.cells import LayerNormLSTMParams as LayerNormLSTMParams
from jaxrnn.cells import LeakyParams as LeakyParams
from jaxrnn.cells import LSTMParams as LSTMParams
from jaxrnn.cells import LSTMState as LSTMState
from jaxrnn.cells import MinimalGatedParams as MinimalGatedParams
from jaxrnn.cells import MultiplicativeLSTMParams as MultiplicativeLSTMParams
from jaxrnn.cells import OrthogonalParams as OrthogonalParams
from jaxrnn.cells import PeepholeLSTMParams as PeepholeLSTMParams
from jaxrnn.cells import PointwiseVJP as PointwiseVJP
from jaxrnn.cells import ProjectedLSTMParams as ProjectedLSTMParams
from jaxrnn.cells import SLSTMParams as SLSTMParams
from jaxrnn.cells import SLSTMState as SLSTMState
from jaxrnn.cells import TimeDelayParams as TimeDelayParams
from jaxrnn.cells import antisymmetric as antisymmetric
from jaxrnn.cells import antisymmetric_gated as antisymmetric_gated
from jaxrnn.cells import clockwork as clockwork
from jaxrnn.cells import conv_gru as conv_gru
from jaxrnn.cells import conv_lstm as conv_lstm
from jaxrnn.cells import coupled_lstm as coupled_lstm
from jaxrnn.cells import deep_transition as deep_transition
from jaxrnn.cells import delayed as delayed
from jaxrnn.cells import dense as dense
from jaxrnn.cells import draw_masks as draw_masks
from jaxrnn.cells import elman as elman
from jaxrnn.cells import gru as gru
from jaxrnn.cells import gru_reset_before as gru_reset_before
from jaxrnn.cells import indrnn as indrnn
from jaxrnn.cells import initializers as initializers
from jaxrnn.cells import input_dropout as input_dropout
from jaxrnn.cells import irnn as irnn
from jaxrnn.cells import jordan as jordan
from jaxrnn.cells import jordan_teacher_forced as jordan_teacher_forced
from jaxrnn.cells import layer_norm_gru as layer_norm_gru
from jaxrnn.cells import layer_norm_lstm as layer_norm_lstm
from jaxrnn.cells import leak_of_time_constant as leak_of_time_constant
from jaxrnn.cells import leaky as leaky
from jaxrnn.cells import lstm as lstm
from jaxrnn.cells import masks_at as masks_at
from jaxrnn.cells import min_gru as min_gru
from jaxrnn.cells import min_lstm as min_lstm
from jaxrnn.cells import minimal_gated as minimal_gated
from jaxrnn.cells import mod_relu as mod_relu
from jaxrnn.cells import multiplicative_lstm as multiplicative_lstm
from jaxrnn.cells import orthogonal as orthogonal
from jaxrnn.cells import output_dropout as output_dropout
from jaxrnn.cells import peephole_lstm as peephole_lstm
from jaxrnn.cells import projected_lstm as projected_lstm
from jaxrnn.cells import random_rotations as random_rotations
from jaxrnn.cells import recipes as recipes
from jaxrnn.cells import recurrent_dropout as recurrent_dropout
from jaxrnn.cells import scanned as scanned
from jaxrnn.cells import slstm as slstm
from jaxrnn.cells import stack as stack
from jaxrnn.cells import time_delay as time_delay
from jaxrnn.cells import weight_drop as weight_drop
from jaxrnn.cells import zoneout as zoneout
from jaxrnn.recurrence import Choice as Choice
from jaxrnn.recurrence import Chunked as Chunked
from jaxrnn.recurrence import explain as explain
from jaxrnn.recurrence import length_mask as length_mask
from jaxrnn.recurrence import unroll as unroll

__version__ = _version("jaxrnn")

__all__ = [
    "AntisymmetricParams",
    "Cell",
    "Choice",
    "Chunked",
    "ClockworkParams",
    "ClockworkState",
    "ConvGRUParams",
    "ConvLSTMParams",
    "CoupledLSTMParams",
    "DeepTransitionLayer",
    "DeepTransitionParams",
    "DelayedParams",
    "DenseParts",
    "ElmanParams",
    "GRUParams",
    "GRUResetBeforeParams",
    "IndRNNParams",
    "JordanParams",
    "LSTMParams",
    "LSTMState",
    "LayerNormGRUParams",
    "LayerNormLSTMParams",
    "LeakyParams",
    "MinimalGatedParams",
    "MultiplicativeLSTMParams",
    "OrthogonalParams",
    "PeepholeLSTMParams",
    "PointwiseVJP",
    "ProjectedLSTMParams",
    "SLSTMParams",
    "SLSTMState",
    "TimeDelayParams",
    "antisymmetric",
    "antisymmetric_gated",
    "clockwork",
    "conv_gru",
    "conv_lstm",
    "coupled_lstm",
    "deep_transition",
    "delayed",
    "dense",
    "draw_masks",
    "elman",
    "explain",
    "gru",
    "gru_reset_before",
    "indrnn",
    "initializers",
    "input_dropout",
    "irnn",
    "jordan",
    "jordan_teacher_forced",
    "layer_norm_gru",
    "layer_norm_lstm",
    "leak_of_time_constant",
    "leaky",
    "length_mask",
    "losses",
    "lstm",
    "masks_at",
    "min_gru",
    "min_lstm",
    "minimal_gated",
    "mod_relu",
    "multiplicative_lstm",
    "orthogonal",
    "output_dropout",
    "peephole_lstm",
    "projected_lstm",
    "random_rotations",
    "recipes",
    "recurrent_dropout",
    "scanned",
    "slstm",
    "stack",
    "time_delay",
    "unroll",
    "weight_drop",
    "zoneout",
]
