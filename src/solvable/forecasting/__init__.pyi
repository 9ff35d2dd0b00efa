from .run import forecast as forecast
from .settings import MODELS as MODELS
from .settings import Settings as Settings
from .settings import read_classes as read_classes
