from .run import forecast as forecast
from .settings import MODELS as MODELS
from .settings import Settings as Settings
from .settings import make_settings as make_settings
from .settings import read_classes as read_classes
from .settings import read_ridge as read_ridge
