"""Synthetic tasks: batches made from a random key, also inside a compiled loop.

Each is a pure function of its key, `jax.jit` works on all of them with the sizes fixed. The pairs
of `transduction` are lists of examples instead, of unequal lengths, from a seed.
"""

from jaxrnn.data.synthetic import transduction as transduction
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
from jaxrnn.data.synthetic.grammar import ChunkGrammar as ChunkGrammar
from jaxrnn.data.synthetic.grammar import TaggedSentences as TaggedSentences
from jaxrnn.data.synthetic.grammar import chunk_grammar as chunk_grammar
from jaxrnn.data.synthetic.grammar import tagged_sentences as tagged_sentences
from jaxrnn.data.synthetic.moving import DIRECTIONS as DIRECTIONS
from jaxrnn.data.synthetic.moving import Clips as Clips
from jaxrnn.data.synthetic.moving import moving_shapes as moving_shapes
from jaxrnn.data.synthetic.music import chorales as chorales
from jaxrnn.data.synthetic.opinions import opinions as opinions
from jaxrnn.data.synthetic.parity import parity as parity
from jaxrnn.data.synthetic.shapes import SHAPE_WORDS as SHAPE_WORDS
from jaxrnn.data.synthetic.shapes import Drawing as Drawing
from jaxrnn.data.synthetic.shapes import shapes as shapes
from jaxrnn.data.synthetic.shapes import words_of as words_of
from jaxrnn.data.synthetic.summation import comparison as comparison
from jaxrnn.data.synthetic.summation import summation as summation
from jaxrnn.data.synthetic.summation import summation_baseline as summation_baseline
from jaxrnn.data.synthetic.temporal_order import TEMPORAL_ORDER_SYMBOLS as TEMPORAL_ORDER_SYMBOLS
from jaxrnn.data.synthetic.temporal_order import temporal_order as temporal_order
from jaxrnn.data.synthetic.tones import Utterance as Utterance
from jaxrnn.data.synthetic.tones import tones as tones
