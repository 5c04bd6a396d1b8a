"""Writing sequences with a trained model, and finding out how likely one is."""

from jaxrnn.generate.beam import Beams as Beams
from jaxrnn.generate.beam import beam_search as beam_search
from jaxrnn.generate.ctc import Transcript as Transcript
from jaxrnn.generate.ctc import Transcripts as Transcripts
from jaxrnn.generate.ctc import ctc_beam_search as ctc_beam_search
from jaxrnn.generate.ctc import ctc_greedy as ctc_greedy
from jaxrnn.generate.frames import sample_frames as sample_frames
from jaxrnn.generate.greedy import greedy as greedy
from jaxrnn.generate.sample import sample as sample
from jaxrnn.generate.score import score as score
