from .reduce import WidthReduction as WidthReduction
from .reduce import reduce_width as reduce_width
