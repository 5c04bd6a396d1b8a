"""Synthetic tasks: batches made from a random key, also inside a compiled loop.

Each is a pure function of its key, `jax.jit` works on all of them with the sizes fixed.
"""

from jaxrnn.data.synthetic.adding import ADDING_BASELINE as ADDING_BASELINE
from jaxrnn.data.synthetic.adding import adding as adding
from jaxrnn.data.synthetic.batch import FinalTarget as FinalTarget
from jaxrnn.data.synthetic.batch import StepTargets as StepTargets
from jaxrnn.data.synthetic.batch import Words as Words
from jaxrnn.data.synthetic.copying import copy_memory as copy_memory
from jaxrnn.data.synthetic.copying import copy_memory_baseline as copy_memory_baseline
from jaxrnn.data.synthetic.counting import equal_counts as equal_counts
from jaxrnn.data.synthetic.counting import equal_counts_baseline as equal_counts_baseline
from jaxrnn.data.synthetic.counting import equal_counts_entropy as equal_counts_entropy
from jaxrnn.data.synthetic.counting import words_of_counts as words_of_counts
from jaxrnn.data.synthetic.dyck import dyck as dyck
from jaxrnn.data.synthetic.dyck import dyck_end_baseline as dyck_end_baseline
from jaxrnn.data.synthetic.dyck import dyck_kind_baseline as dyck_kind_baseline
from jaxrnn.data.synthetic.echo import delayed_echo as delayed_echo
from jaxrnn.data.synthetic.echo import delayed_echo_baseline as delayed_echo_baseline
from jaxrnn.data.synthetic.parity import parity as parity
from jaxrnn.data.synthetic.summation import comparison as comparison
from jaxrnn.data.synthetic.summation import summation as summation
from jaxrnn.data.synthetic.summation import summation_baseline as summation_baseline
from jaxrnn.data.synthetic.temporal_order import TEMPORAL_ORDER_SYMBOLS as TEMPORAL_ORDER_SYMBOLS
from jaxrnn.data.synthetic.temporal_order import temporal_order as temporal_order
