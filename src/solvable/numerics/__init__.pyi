from . import activations as activations
from .activations import Activation as Activation
from .curves import first_crossing as first_crossing
from .gaussian import gaussian_cubature as gaussian_cubature
from .polynomials import Monomials as Monomials
from .polynomials import contract as contract
from .quadrature import QuadratureRule as QuadratureRule
from .quadrature import softplus_rule as softplus_rule
