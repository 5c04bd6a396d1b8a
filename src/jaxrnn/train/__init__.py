"""Training by truncated backpropagation through time.

The compiled update needs optax alone; `fit` and run folders also need the extra `app`.
"""

from jaxrnn.train.checkpoint import Checkpoints as Checkpoints
from jaxrnn.train.dynamic_evaluation import dynamic_evaluator as dynamic_evaluator
from jaxrnn.train.dynamic_evaluation import pull_to_start as pull_to_start
from jaxrnn.train.ensemble import ensemble_update as ensemble_update
from jaxrnn.train.ensemble import init_ensemble as init_ensemble
from jaxrnn.train.evaluate import evaluator as evaluator
from jaxrnn.train.fit import SegmentSource as SegmentSource
from jaxrnn.train.fit import fit as fit
from jaxrnn.train.learning_rates import divide_after as divide_after
from jaxrnn.train.learning_rates import report_validation as report_validation
from jaxrnn.train.learning_rates import scale_on_stall as scale_on_stall
from jaxrnn.train.module import Functional as Functional
from jaxrnn.train.module import fit_module as fit_module
from jaxrnn.train.module import functional as functional
from jaxrnn.train.run import Run as Run
from jaxrnn.train.scheduled_sampling import exponential_decay as exponential_decay
from jaxrnn.train.scheduled_sampling import inverse_sigmoid_decay as inverse_sigmoid_decay
from jaxrnn.train.scheduled_sampling import linear_decay as linear_decay
from jaxrnn.train.scheduled_sampling import scheduled_loss as scheduled_loss
from jaxrnn.train.scheduled_sampling import scheduled_sampling as scheduled_sampling
from jaxrnn.train.state import TrainState as TrainState
from jaxrnn.train.state import init_state as init_state
from jaxrnn.train.tbptt import LossFn as LossFn
from jaxrnn.train.tbptt import Metrics as Metrics
from jaxrnn.train.tbptt import Schedule as Schedule
from jaxrnn.train.tbptt import Update as Update
from jaxrnn.train.tbptt import tbptt_scan as tbptt_scan
from jaxrnn.train.tbptt import tbptt_step as tbptt_step
