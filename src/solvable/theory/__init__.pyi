from . import flows as flows
from . import linear as linear
