"""Looking inside a network: its states, its gradients through time, its gates.

Everything here is a plain function of a cell and a run, `(cell, params, carry, xs)`, and returns
arrays. The pictures are in `jaxrnn.diagnostics.plot`, which needs matplotlib.
"""

from jaxrnn.diagnostics.descent import Descent as Descent
from jaxrnn.diagnostics.descent import cliff as cliff
from jaxrnn.diagnostics.descent import descend as descend
from jaxrnn.diagnostics.gradients import gradient_norms as gradient_norms
from jaxrnn.diagnostics.gradients import state_gradients as state_gradients
from jaxrnn.diagnostics.jacobians import Spectrum as Spectrum
from jaxrnn.diagnostics.jacobians import product_spectrum as product_spectrum
from jaxrnn.diagnostics.jacobians import spectrum as spectrum
from jaxrnn.diagnostics.jacobians import step_jacobians as step_jacobians
from jaxrnn.diagnostics.lyapunov import expansion_rates as expansion_rates
from jaxrnn.diagnostics.lyapunov import lyapunov_exponents as lyapunov_exponents
from jaxrnn.diagnostics.saturation import Saturation as Saturation
from jaxrnn.diagnostics.saturation import preactivations as preactivations
from jaxrnn.diagnostics.saturation import saturation as saturation
from jaxrnn.diagnostics.trajectory import Projection as Projection
from jaxrnn.diagnostics.trajectory import flat_states as flat_states
from jaxrnn.diagnostics.trajectory import principal_axes as principal_axes
from jaxrnn.diagnostics.trajectory import states as states
