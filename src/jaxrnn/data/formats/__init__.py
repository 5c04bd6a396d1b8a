"""Readers of the standard formats that data sets come in."""

from jaxrnn.data.formats.conll import read_conll as read_conll
from jaxrnn.data.formats.idx import read_idx as read_idx
from jaxrnn.data.formats.labelled import LabelledText as LabelledText
from jaxrnn.data.formats.labelled import read_labelled as read_labelled
from jaxrnn.data.formats.midi import read_midi as read_midi
from jaxrnn.data.formats.midi import write_midi as write_midi
from jaxrnn.data.formats.mnist import read_mnist as read_mnist
from jaxrnn.data.formats.parallel import TextPair as TextPair
from jaxrnn.data.formats.parallel import read_parallel as read_parallel
from jaxrnn.data.formats.piano_rolls import read_piano_rolls as read_piano_rolls
