"""Every cell in NumPy, from the equations of the papers: the outside opinion that ours must match.

A forward function is `(params, carry, xs) -> (carry, ys)` over `xs [T, B, D]`. An adjoint is
`(params, carry, xs, d_carry, d_ys) -> (d_params, d_carry, d_xs)`: the gradients of a number whose
derivatives in the final carry and in the outputs are `d_carry` and `d_ys`, by the textbook's
backward recursion. A cell without one is differentiated by `complex_step`, so forward functions
must take complex numbers.
"""

from reference.antisymmetric import antisymmetric as antisymmetric
from reference.antisymmetric import antisymmetric_gated as antisymmetric_gated
from reference.clockwork import clockwork as clockwork
from reference.combinators import stacked as stacked
from reference.convolutional import conv_gru as conv_gru
from reference.convolutional import conv_lstm as conv_lstm
from reference.convolutional import same_convolution as same_convolution
from reference.deep_transition import deep_transition as deep_transition
from reference.delayed import delayed as delayed
from reference.elman import elman as elman
from reference.elman import elman_adjoint as elman_adjoint
from reference.fast_weights import fast_weights as fast_weights
from reference.gru import gru as gru
from reference.gru import gru_adjoint as gru_adjoint
from reference.gru_reset_before import gru_reset_before as gru_reset_before
from reference.indrnn import indrnn as indrnn
from reference.jordan import jordan as jordan
from reference.layer_norm import layer_norm_gru as layer_norm_gru
from reference.layer_norm import layer_norm_lstm as layer_norm_lstm
from reference.leaky import leaky as leaky
from reference.lstm import lstm as lstm
from reference.lstm import lstm_adjoint as lstm_adjoint
from reference.lstm_variants import coupled_lstm as coupled_lstm
from reference.lstm_variants import peephole_lstm as peephole_lstm
from reference.minimal import min_gru as min_gru
from reference.minimal import min_lstm as min_lstm
from reference.minimal_gated import minimal_gated as minimal_gated
from reference.multiplicative_lstm import multiplicative_lstm as multiplicative_lstm
from reference.numerics import complex_step as complex_step
from reference.numerics import relu as relu
from reference.numerics import relu_slope as relu_slope
from reference.orthogonal import orthogonal as orthogonal
from reference.projected_lstm import projected_lstm as projected_lstm
from reference.slstm import slstm as slstm
from reference.time_delay import time_delay as time_delay
