"""Models that are ready to train, each of about a page."""

from jaxrnn.models.ensemble import ensemble as ensemble
from jaxrnn.models.hand_built import comparison_network as comparison_network
from jaxrnn.models.hand_built import parity_network as parity_network
from jaxrnn.models.hand_built import summation_network as summation_network
from jaxrnn.models.language_model import LanguageModel as LanguageModel
