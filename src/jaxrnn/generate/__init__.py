"""Writing sequences with a trained model."""

from jaxrnn.generate.sample import sample as sample
