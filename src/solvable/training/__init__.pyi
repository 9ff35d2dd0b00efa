from .descent import gradient_descent as gradient_descent
from .descent import sgd as sgd
from .flow import gradient_flow as gradient_flow
from .objective import FeatureLoss as FeatureLoss
from .objective import MomentLoss as MomentLoss
from .objective import SampleLoss as SampleLoss
from .objective import make_objective as make_objective
from .trajectory import Trajectory as Trajectory
