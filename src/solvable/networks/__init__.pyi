from .layer import UnitLayer as UnitLayer
from .layer import initialise as initialise
from .layer import initialise_for as initialise_for
from .units import AttentionHead as AttentionHead
from .units import ConvolutionKernel as ConvolutionKernel
from .units import Neuron as Neuron
from .units import PatchMonomials as PatchMonomials
from .units import Unit as Unit
