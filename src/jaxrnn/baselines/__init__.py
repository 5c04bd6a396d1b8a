"""Models without recurrence, against which a recurrent one is measured; imported as a room."""

from jaxrnn.baselines.feed_forward import FeedForwardLanguageModel as FeedForwardLanguageModel
from jaxrnn.baselines.feed_forward import functions as functions
from jaxrnn.baselines.mixture import mix as mix
from jaxrnn.baselines.mixture import mixture_weights as mixture_weights
from jaxrnn.baselines.ngram import NGram as NGram
from jaxrnn.baselines.smoothing import add_k as add_k
from jaxrnn.baselines.smoothing import katz as katz
from jaxrnn.baselines.smoothing import kneser_ney as kneser_ney
from jaxrnn.baselines.smoothing import modified_kneser_ney as modified_kneser_ney
from jaxrnn.baselines.smoothing import witten_bell as witten_bell
