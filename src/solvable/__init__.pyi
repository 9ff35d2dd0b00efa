from . import claims as claims
from . import errors as errors
from . import estimators as estimators
from . import forecasting as forecasting
from . import instruments as instruments
from . import networks as networks
from . import numerics as numerics
from . import report as report
from . import tasks as tasks
from . import theory as theory
from . import training as training
from .claims import check as check
from .claims import cite as cite
from .errors import Diverged as Diverged
from .errors import OutsideDomain as OutsideDomain
from .errors import ValidityWarning as ValidityWarning

__version__: str
from .forecasting import forecast as forecast
