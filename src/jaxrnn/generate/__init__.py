"""Writing sequences with a trained model, and finding out how likely one is."""

from jaxrnn.generate.beam import Beams as Beams
from jaxrnn.generate.beam import beam_search as beam_search
from jaxrnn.generate.greedy import greedy as greedy
from jaxrnn.generate.sample import sample as sample
from jaxrnn.generate.score import score as score
