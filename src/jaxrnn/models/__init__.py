"""Models that are ready to train, each of about a page."""

from jaxrnn.models.language_model import LanguageModel as LanguageModel
