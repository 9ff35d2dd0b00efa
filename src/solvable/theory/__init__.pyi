from . import flows as flows
from . import kernel as kernel
from . import linear as linear
