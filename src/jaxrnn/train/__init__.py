"""Training by truncated backpropagation through time.

The compiled update needs optax alone; `fit` and run folders also need the extra `app`.
"""

from jaxrnn.train.checkpoint import Checkpoints as Checkpoints
from jaxrnn.train.evaluate import evaluator as evaluator
from jaxrnn.train.fit import fit as fit
from jaxrnn.train.run import Run as Run
from jaxrnn.train.state import TrainState as TrainState
from jaxrnn.train.state import init_state as init_state
from jaxrnn.train.tbptt import LossFn as LossFn
from jaxrnn.train.tbptt import Metrics as Metrics
from jaxrnn.train.tbptt import Update as Update
from jaxrnn.train.tbptt import tbptt_scan as tbptt_scan
from jaxrnn.train.tbptt import tbptt_step as tbptt_step
