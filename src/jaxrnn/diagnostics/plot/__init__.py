"""The pictures of `jaxrnn.diagnostics`, drawn into matplotlib axes of yours or into new ones."""

from jaxrnn.diagnostics.plot.attention import plot_attention as plot_attention
from jaxrnn.diagnostics.plot.attention import plot_words as plot_words
from jaxrnn.diagnostics.plot.curves import plot_exponents as plot_exponents
from jaxrnn.diagnostics.plot.curves import plot_gradient_norms as plot_gradient_norms
from jaxrnn.diagnostics.plot.curves import plot_spectrum as plot_spectrum
from jaxrnn.diagnostics.plot.matrices import plot_confusion as plot_confusion
from jaxrnn.diagnostics.plot.matrices import plot_transitions as plot_transitions
from jaxrnn.diagnostics.plot.piano_roll import plot_piano_roll as plot_piano_roll
from jaxrnn.diagnostics.plot.planes import plot_descent as plot_descent
from jaxrnn.diagnostics.plot.planes import plot_saturation as plot_saturation
from jaxrnn.diagnostics.plot.planes import plot_trajectory as plot_trajectory
from jaxrnn.diagnostics.plot.unrolled import draw_unrolled as draw_unrolled
